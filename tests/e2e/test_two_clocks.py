"""A node on UTC, and Home Assistant in another zone and language: texts are the household's, records keep UTC."""

import json
from pathlib import Path

from broker import Broker
from ports import free_port
from staging import BlikkRun, Ears

CLAIM = {"v": 1, "by": "0" * 32, "mode": "integration", "timezone": "Europe/Berlin", "language": "de"}
SUMMER = {"since": "2026-07-01T10:00:00Z", "until": "2026-07-01T11:00:00Z"}


def node(folder: Path, broker: Broker, more: str = "") -> BlikkRun:
    run = BlikkRun(
        folder,
        f"node: hallway\nmqtt: {{host: 127.0.0.1, port: {broker.port}}}\nstore: {{path: {folder}/blikk.db}}\n{more}"
        f"cameras:\n  front_door: {{source: 'rtsp://127.0.0.1:{free_port()}/none', name: Front door}}\n",
        models=None,
    )
    run.environ["TZ"] = "UTC"
    return run


class Asking:
    """Asks a node for digests, and has their replies."""

    def __init__(self, ears: Ears) -> None:
        self._ears = ears
        self._asked = 0

    def digest(self, **period: str) -> dict:
        self._asked += 1
        topic = f"blikk/hallway/reply/{self._asked}"
        self._ears.say("blikk/hallway/ask", json.dumps({"do": "digest", "response_topic": topic, **period}))
        self._ears.until(lambda: self._ears.on(topic), 20, "the digest")
        return self._ears.json_on(topic)[0]


def test_texts_tell_the_time_of_the_household_and_a_restart_knows_it(tmp_path: Path, broker: Broker) -> None:
    with Ears(broker.port) as ears:
        asking = Asking(ears)
        with node(tmp_path, broker) as run:
            ears.until(lambda: ears.on("hallway/announce"), 30, "the node")
            assert "from 10:00 to 11:00" in asking.digest(**SUMMER)["text"]
            ears.say("blikk/hallway/ha/claim", json.dumps(CLAIM), retain=True)
            ears.until(lambda: "Europe/Berlin" in run.log, 20, "the claim")
            reply = asking.digest(**SUMMER)
            assert "12:00 bis 13:00" in reply["text"]
            assert reply["summary"]["since"] == "2026-07-01T10:00:00.000Z"
            # without an offset a time is one of the household
            local = asking.digest(since="2026-07-01T12:00", until="2026-07-01T13:00")
            assert local["summary"]["since"] == "2026-07-01T10:00:00.000Z"
            ears.say("blikk/hallway/ha/claim", b"", retain=True)
            run.stop()
        with node(tmp_path, broker) as run:
            ears.until(lambda: len(ears.on("hallway/announce")) > 1, 30, "the node again")
            assert "12:00 bis 13:00" in asking.digest(**SUMMER)["text"]
            run.stop()
        with node(tmp_path, broker, "timezone: Asia/Kolkata\nlanguage: en\n") as run:
            ears.until(lambda: len(ears.on("hallway/announce")) > 2, 30, "the node with a zone of its own")
            assert "from 15:30 to 16:30" in asking.digest(**SUMMER)["text"]
            run.stop()
