"""The main job as a user gets it: real RTSP, a real broker, real models, `blikk run`."""

import re
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from broker import Broker
from patience import PATIENCE
from rtsp_server import RtspServer
from staging import BlikkRun, Ears, follows_contract

from blikk_edge.transforms.privacy.faces import FaceFinder

CONFIG = """\
node: {{id: hallway, name: Hallway}}
mqtt: {{host: 127.0.0.1, port: {port}}}
health_every_s: 2
store: {{path: {folder}/hallway.db}}
models: {{offline: true, cache: {folder}/models}}
cameras:
  front_door:
    source: {source}
    still_s: 4
    ring: {{http: false}}
"""
BASE = "blikk/hallway"


@pytest.mark.timeout(400)
def test_a_visit_becomes_an_event_and_a_blurred_picture(tmp_path: Path, demo_clip: Path, models: Path) -> None:
    with Broker(tmp_path) as broker, Ears(broker.port) as ears, RtspServer(demo_clip) as server:
        config = CONFIG.format(port=broker.port, folder=tmp_path, source=server.url)
        with BlikkRun(tmp_path, config, models=models) as run:
            ears.until(lambda: b"online" in ears.on(f"{BASE}/front_door/status"), 30, "the stream")
            ears.until(lambda: _phases(ears, "person") == ["started", "updated", "ended"], 60, "the visit")
            ears.until(lambda: _phases(ears, "animal")[-1:] == ["ended"], 60, "the cat")
            seconds = run.stop()
    assert seconds < 5.0 * PATIENCE
    assert ears.on(f"{BASE}/status")[-1] == b"offline"
    assert ears.on(f"{BASE}/front_door/status")[-1] == b"offline"
    assert follows_contract(ears, BASE) >= {"announce", "state", "health", "event", "observation"}
    _no_face_left(ears, models)
    events = [e for e in ears.json_on("/event") if e["label"] == "person"]
    assert [e["revision"] for e in events] == list(range(1, len(events) + 1))
    assert len({e["id"] for e in events}) == 1


def _phases(ears: Ears, label: str) -> list[str]:
    """The phases of the label's events in order, repeated ones reported once."""
    phases = [e["phase"] for e in ears.json_on("/event") if e["label"] == label]
    return [p for i, p in enumerate(phases) if i == 0 or phases[i - 1] != p]


def _no_face_left(ears: Ears, models: Path) -> None:
    pictures = ears.on("/picture/person") + ears.on("/picture/snapshot")
    assert pictures
    finder = FaceFinder(models / "face" / "yunet" / "yunet_n_320_320.onnx", threshold=0.6)
    for jpeg in pictures:
        picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert finder.find(picture) == ()


@pytest.mark.timeout(400)
def test_broker_and_camera_may_go_and_come_back(tmp_path: Path, demo_clip: Path, models: Path) -> None:
    with Broker(tmp_path) as broker, RtspServer(demo_clip) as server:
        config = CONFIG.format(port=broker.port, folder=tmp_path, source=server.url)
        with BlikkRun(tmp_path, config, models=models) as run:
            with Ears(broker.port) as ears:
                ears.until(lambda: _phases(ears, "person")[:1] == ["started"], 60, "the first visit")
            broker.kill()
            deadline = time.monotonic() + 40  # the visit goes on, and ends, while the broker is away
            while "person ended" not in run.log:
                assert time.monotonic() < deadline
                time.sleep(0.1)
            server.kill()
            broker.start()
            with Ears(broker.port) as ears:
                ears.until(
                    lambda: [e for e in ears.json_on("/event") if e.get("replayed")], 40, "what was reported meanwhile"
                )
                ears.until(lambda: ears.on(f"{BASE}/front_door/status")[-1:] == [b"offline"], 40, "the dead stream")
                server.start()
                ears.until(lambda: ears.on(f"{BASE}/front_door/status")[-1:] == [b"online"], 45, "the stream again")
                ears.until(lambda: _phases(ears, "person")[-1:] == ["started"], 60, "the next visit")
            run.stop()
    assert re.search(r"person ended: event \S+, \d+ s\n", run.log)
    assert "Traceback" not in run.log


@pytest.mark.timeout(400)
def test_commands_work_and_nonsense_is_survived(tmp_path: Path, demo_clip: Path, models: Path) -> None:
    with Broker(tmp_path) as broker, Ears(broker.port) as ears, RtspServer(demo_clip) as server:
        config = CONFIG.format(port=broker.port, folder=tmp_path, source=server.url)
        with BlikkRun(tmp_path, config, models=models) as run:
            ears.until(lambda: b"online" in ears.on(f"{BASE}/front_door/status"), 30, "the stream")
            for setting in ("detect", "threshold", "snapshot", "ring", "blur", "", "x" * 300):
                for payload in (b"", b"\xff\xfe", b"nan", b"1e999", b"{}", b"A" * 100_000, b"-1", b"null"):
                    if setting or payload:
                        ears.say(f"{BASE}/front_door/set/{setting or 'odd'}", payload)
            ears.say(f"{BASE}/front_door/set/detect", "OFF")
            ears.until(lambda: ears.json_on("/state") and ears.json_on("/state")[-1]["detect"] is False, 10, "off")
            ears.say(f"{BASE}/front_door/set/detect", "ON")
            ears.say(f"{BASE}/front_door/set/threshold", "0.45")
            ears.until(
                lambda: (ears.json_on("/state")[-1]["detect"], ears.json_on("/state")[-1]["threshold"]) == (True, 0.45),
                10,
                "the new threshold",
            )
            before, rings = len(ears.on("/picture/ring")), len(ears.on(f"{BASE}/front_door/ring"))
            ears.say(f"{BASE}/front_door/set/ring", "PRESS")
            ears.until(lambda: len(ears.on(f"{BASE}/front_door/ring")) > rings, 5, "the ring")
            ears.until(lambda: len(ears.on("/picture/ring")) > before, 10, "the ring's picture")
            run.stop()
            run.start()
            ears.until(
                lambda: ears.json_on("/state")[-1]["threshold"] == 0.45 and ears.on("/status")[-1] == b"online", 20, ""
            )
            run.stop()
    assert "Traceback" not in run.log


@pytest.mark.timeout(400)
def test_without_any_model_a_person_is_found_and_wholly_blurred(tmp_path: Path, demo_clip: Path) -> None:
    with Broker(tmp_path) as broker, Ears(broker.port) as ears, RtspServer(demo_clip) as server:
        config = CONFIG.format(port=broker.port, folder=tmp_path, source=server.url)
        with BlikkRun(tmp_path, config, models=None) as run:
            ears.until(lambda: _phases(ears, "person")[:1] == ["started"], 60, "the visit")
            ears.until(lambda: ears.on("/picture/person"), 20, "its picture")
            ears.until(lambda: any(h["problems"] for h in ears.json_on("/health")), 20, "the reason")
            run.stop()
    assert "opencv-builtin" in run.log


def test_a_stream_password_is_nowhere_to_be_read(tmp_path: Path) -> None:
    source = "rtsp://peter:hunter2@127.0.0.1:1/cam?token=s3cret"
    with Broker(tmp_path) as broker, Ears(broker.port) as ears:
        config = CONFIG.format(port=broker.port, folder=tmp_path, source=source)
        with BlikkRun(tmp_path, config, models=None) as run:
            ears.until(lambda: any(s["problem"] for s in ears.json_on("/state")), 30, "the trouble")
            run.stop()
    said = b"\n".join(payload for _, _, payload, _ in ears.heard) + run.log.encode()
    assert b"hunter2" not in said
    assert b"s3cret" not in said
    assert b"127.0.0.1:1" in said
