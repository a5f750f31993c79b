"""A real node whose machine's clock is wrong at first, set by the network, wrong for a moment, and right again."""

import os
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest
from broker import Broker
from patience import PATIENCE
from staging import Ears

CONFIG = """\
node: {{id: hallway, name: Hallway}}
mqtt: {{host: 127.0.0.1, port: {port}}}
health_every_s: 1
store: {{path: {folder}/hallway.db}}
models: {{offline: true, cache: {folder}/models}}
summary: {{provider: template}}
cameras:
  front_door:
    source: {source}
"""
RUN = """
import sys, time
from pathlib import Path
ahead, real = Path(sys.argv.pop(1)), time.time
time.time = lambda: real() + float(ahead.read_text())
from blikk_edge.cli import main
sys.exit(main())
"""
"""`blikk` on a machine whose clock is off by what a file says."""


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@pytest.mark.timeout(400)
def test_events_have_true_lengths_and_the_time_of_the_clock_as_it_was_set(
    tmp_path: Path, data: Path, models: Path
) -> None:
    clip = data / "video" / "intel_sample" / "one-by-one-person-detection.mp4"
    ahead, config = tmp_path / "ahead", tmp_path / "blikk.yaml"

    def set_clock(seconds_ahead: float) -> None:
        part = tmp_path / "ahead.part"
        part.write_text(str(seconds_ahead))
        part.replace(ahead)

    with Broker(tmp_path) as broker, Ears(broker.port) as ears:
        config.write_text(CONFIG.format(port=broker.port, folder=tmp_path, source=clip))
        set_clock(-time.time())  # a machine without a clock of its own
        command = [sys.executable, "-c", RUN, str(ahead), "run", "--config", str(config)]
        log = (tmp_path / "log").open("wb")
        node = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "BLIKK_MODELS": str(models)})
        try:

            def visit(known: set[str]) -> str:
                """The id of a visit that has begun and is none of these."""

                def new() -> list[str]:
                    events = [e for e in ears.json_on("/event") if e["label"] == "person" and e["phase"] == "started"]
                    return [e["id"] for e in events if e["id"] not in known]

                ears.until(new, 90, "a visit")
                return str(new()[0])

            def end(event: str) -> dict:
                def ends() -> list[dict]:
                    return [e for e in ears.json_on("/event") if e["id"] == event and e["phase"] == "ended"]

                ears.until(ends, 30, "its end")
                return ends()[0]

            def problems() -> list[str]:
                return ears.json_on("/health")[-1]["problems"] if ears.json_on("/health") else []

            first = visit(set())
            ears.until(lambda: any("the machine's clock is not set" in each for each in problems()), 10, "the problem")
            set_clock(0.0)
            ends = [end(first)]
            ears.until(lambda: problems() == [], 20, "the end of the problem")
            second = visit({first})
            set_clock(21_600.0)
            ends.append(end(second))
            third = visit({first, second})
            set_clock(0.0)
            ends.append(end(third))
            fourth = visit({first, second, third})
            ears.until(lambda: [s for s in ears.json_on("/summary") if s["event"] == third], 20, "its text")
        finally:
            node.terminate()
            node.wait(10 * PATIENCE)
            log.close()
    began = {e["id"]: seconds(e["started"]) for e in ears.json_on("/event")}
    now = time.time()
    assert began[first] < 1e6
    assert now - 120 < began[second] < now
    assert now - 120 < began[third] - 21_600 < now
    assert now - 120 < began[fourth] < now
    for each in ends:
        assert seconds(each["started"]) <= seconds(each["ended"]) <= seconds(each["time"])
        assert 0.0 <= each["duration_s"] < 40.0
    text = (tmp_path / "log").read_text()
    assert "open events end, and times go on from there" in text
    assert "Traceback" not in text
