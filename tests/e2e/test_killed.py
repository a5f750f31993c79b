"""A node that is killed without notice: what went on then is ended at its next start, once, with its text."""

import json
import time
from pathlib import Path

import jsonschema
import pytest
from broker import Broker
from patience import PATIENCE
from staging import BlikkRun, Ears

SCHEMA = json.loads((Path(__file__).parents[2] / "contract" / "schemas" / "event.json").read_text())
CONFIG = """\
node: {{id: hallway, name: Hallway}}
mqtt: {{host: 127.0.0.1, port: {port}}}
health_every_s: 2
store: {{path: {folder}/hallway.db}}
models: {{offline: true, cache: {folder}/models}}
summary: {{provider: template}}
cameras:
  {camera}:
    source: {source}
"""


def ends_of(ears: Ears, event: str) -> list[dict]:
    return [e for e in ears.json_on("/event") if e["id"] == event and e["phase"] == "ended"]


def finals_of(ears: Ears, event: str) -> list[dict]:
    """Final texts, without those that the broker had kept."""
    return [s for s in ears.json_on("/summary") if s["event"] == event and s["revision"] == 2]


def begun(ears: Ears, camera: str, known: tuple[str, ...] = ()) -> str:
    """The id of a new visit of a person at this camera, which goes on."""

    def visits() -> list[str]:
        reported = [e for e in ears.json_on(f"{camera}/event") if (e["label"], e["phase"]) == ("person", "started")]
        return [e["id"] for e in reported if e["id"] not in known]

    ears.until(visits, 90, f"a visit at {camera}")
    return str(visits()[0])


@pytest.mark.timeout(400)
def test_what_went_on_at_a_kill_ends_at_the_next_start_once_with_its_text(
    tmp_path: Path, data: Path, models: Path
) -> None:
    clip = data / "video" / "intel_sample" / "one-by-one-person-detection.mp4"

    def config(camera: str) -> str:
        return CONFIG.format(port=broker.port, folder=tmp_path, source=clip, camera=camera)

    with Broker(tmp_path) as broker, Ears(broker.port) as ears:
        with BlikkRun(tmp_path, config("front_door"), models=models) as run:
            first = begun(ears, "front_door")
            run.kill()
        # the camera has another name now: the old one's event ends all the same, at its own place
        with BlikkRun(tmp_path, config("side_door"), models=models) as run:
            ears.until(lambda: ends_of(ears, first), 30, "the end of the first visit")
            ears.until(lambda: finals_of(ears, first), 30, "its text")
            second = begun(ears, "side_door")
            broker.kill()
            run.kill()
            run.start()  # while the broker is away
            deadline = time.monotonic() + 40 * PATIENCE
            while run.log.count("they end now as last seen") < 2:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            run.kill()
            broker.start()
            ears.until_back()
            run.start()
            ears.until(lambda: ends_of(ears, second), 40, "the end of the second visit")
            ears.until(lambda: finals_of(ears, second), 40, "its text")
            third = begun(ears, "side_door", known=(second,))
            run.stop()
    for event in (first, second):
        reported = [e for e in ears.json_on("/event") if e["id"] == event]
        (end,) = {e["revision"]: e for e in reported if e["phase"] == "ended"}.values()
        jsonschema.validate(end, SCHEMA)
        assert (end["interrupted"], end["replayed"], end["reason"]) == (True, True, "left")
        assert end["revision"] == max(e["revision"] for e in reported if e["phase"] != "ended") + 1
        assert end["started"] <= end["ended"] <= end["time"]
        assert 0.0 < end["duration_s"] < 15.0  # the first visitor of the clip stays 13 s
        (final,) = {s["id"]: s for s in finals_of(ears, event)}.values()
        assert final["source"] == "template"
    assert third not in (first, second)
    assert "Traceback" not in run.log
