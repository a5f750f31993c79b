"""Streams that break for a moment: nobody hears of it but the log. Those that stay away are reported."""

import time
from pathlib import Path

import pytest
from broker import Broker
from rtsp_server import RtspServer
from staging import BlikkRun, Ears

CONFIG = """\
node: {{id: hallway, name: Hallway}}
mqtt: {{host: 127.0.0.1, port: {port}}}
health_every_s: 1
store: {{path: {folder}/hallway.db}}
models: {{offline: true, cache: {folder}/models}}
cameras:
  front_door: {{source: "{source}"{more}}}
"""
DOOR = "blikk/hallway/front_door"


@pytest.mark.timeout(400)
def test_a_stream_that_is_back_within_a_second_makes_nothing_unavailable(
    tmp_path: Path, demo_clip: Path, models: Path
) -> None:
    with Broker(tmp_path) as broker, Ears(broker.port) as ears, RtspServer(demo_clip) as server:
        config = CONFIG.format(port=broker.port, folder=tmp_path, source=server.url, more="")
        with BlikkRun(tmp_path, config, models=models) as run:
            ears.until(lambda: ears.on(f"{DOOR}/status")[-1:] == [b"online"], 30, "the stream")
            heard = len(ears.heard)
            for number in (1, 2):
                server.kill()
                server.start()
                ears.until(lambda n=number: run.log.count("works again") == n, 30, "the stream again")
                since = time.monotonic()
                # longer than a connection has to last to be believed
                ears.until(lambda s=since: time.monotonic() - s > 6, 10, "some time")
            reported = [(topic, payload) for _, topic, payload, _ in ears.heard[heard:]]
            run.stop()
    assert not [topic for topic, payload in reported if payload in (b"online", b"offline")]
    assert {s["problem"] for s in ears.json_on(f"{DOOR}/state") if s["online"]} == {None}
    assert not [topic for topic, payload in reported if topic.endswith("/health") and b'"problems":[]' not in payload]


@pytest.mark.timeout(400)
def test_a_stream_that_stays_away_is_reported_of_after_its_time(tmp_path: Path, demo_clip: Path, models: Path) -> None:
    with Broker(tmp_path) as broker, Ears(broker.port) as ears, RtspServer(demo_clip) as server:
        config = CONFIG.format(port=broker.port, folder=tmp_path, source=server.url, more=", away_after_s: 3")
        with BlikkRun(tmp_path, config, models=models) as run:
            ears.until(lambda: ears.on(f"{DOOR}/status")[-1:] == [b"online"], 30, "the stream")
            server.kill()
            killed = time.monotonic()
            ears.until(lambda: ears.on(f"{DOOR}/status")[-1:] == [b"offline"], 30, "the outage")
            assert time.monotonic() - killed > 2.5
            ears.until(lambda: ears.json_on("/health")[-1]["problems"], 10, "the problem")
            assert "front_door" in ears.json_on("/health")[-1]["problems"][0]
            server.start()
            ears.until(lambda: ears.on(f"{DOOR}/status")[-1:] == [b"online"], 40, "the stream again")
            ears.until(lambda: not ears.json_on("/health")[-1]["problems"], 10, "no problem")
            run.stop()


@pytest.mark.timeout(400)
def test_a_problem_is_reported_and_taken_back_long_before_the_healths_turn(
    tmp_path: Path, demo_clip: Path, models: Path
) -> None:
    with Broker(tmp_path) as broker, Ears(broker.port) as ears, RtspServer(demo_clip) as server:
        config = CONFIG.replace("health_every_s: 1", "health_every_s: 1h")
        config = config.format(port=broker.port, folder=tmp_path, source=server.url, more=", away_after_s: 3")
        with BlikkRun(tmp_path, config, models=models) as run:
            ears.until(lambda: ears.on(f"{DOOR}/status")[-1:] == [b"online"], 30, "the stream")
            server.kill()
            ears.until(lambda: "front_door" in str(ears.json_on("/health")[-1]["problems"]), 20, "the problem")
            server.start()
            ears.until(lambda: ears.on(f"{DOOR}/status")[-1:] == [b"online"], 40, "the stream again")
            ears.until(lambda: not ears.json_on("/health")[-1]["problems"], 10, "no problem")
            broker.restart()
            ears.until(lambda: run.log.count("connected to") == 2, 30, "the connection")
            since = len(ears.heard)
            ears.until(
                lambda: len(ears.heard) > since and not ears.json_on("/health")[-1]["problems"], 10, "no problem"
            )
            run.stop()
