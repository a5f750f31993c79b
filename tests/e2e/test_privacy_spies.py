"""Every sink is a spy: nothing that reaches one holds what was in a face, and no array of pixels at all."""

import asyncio
import dataclasses
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pytest
from broker import Broker
from patience import PATIENCE
from staging import FACE, Ears, portrait, write_clip

from blikk_edge import Stream
from blikk_edge.agents.local import smaller
from blikk_edge.app.wiring import build
from blikk_edge.config.settings import CameraSettings, ModelSettings, NodeSettings, Settings, SourceUrl, StoreSettings
from blikk_edge.core.clock import SystemClock
from blikk_edge.core.commands import Snapshot
from blikk_edge.core.observation import Event
from blikk_edge.core.picture import Picture
from blikk_edge.core.ports import Inbox, Item
from blikk_edge.core.scene import Frame
from blikk_edge.sinks.mqtt.kind import MqttSettings

PATTERN_PX = 6


@dataclass
class Spy:
    name: str = "spy"
    items: list[Item] = field(default_factory=list)

    async def run(self, inbox: Inbox[Item]) -> None:
        while True:
            self.items.append(await inbox.get())


def pattern() -> np.ndarray:
    """A checkerboard of the face's size, -1 and 1: what a blur must not let through."""
    x1, y1, x2, y2 = FACE
    rows, columns = np.indices((y2 - y1, x2 - x1)) // PATTERN_PX
    return np.where((rows + columns) % 2, 1.0, -1.0)


def planted(photograph: np.ndarray) -> np.ndarray:
    """The photograph with the pattern laid over the face, which stays a face."""
    x1, y1, x2, y2 = FACE
    marked = photograph.astype(np.float64)
    marked[y1:y2, x1:x2] += 22.0 * pattern()[..., None]
    return np.clip(marked, 0, 255).astype(np.uint8)


def trace(picture: np.ndarray) -> float:
    """How much of the pattern is in the face's place: the correlation coefficient, 0..1."""
    x1, y1, x2, y2 = FACE
    place = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)[y1:y2, x1:x2].astype(np.float64)
    place -= cv2.GaussianBlur(place, (0, 0), PATTERN_PX)  # the face's own shading is not the pattern
    return abs(float(np.corrcoef(place.ravel(), pattern().ravel())[0, 1]))


def arrays_in(value: object) -> list[str]:
    """The path of everything in a value that could hold raw pixels."""
    if isinstance(value, np.ndarray | memoryview | bytearray | Frame):
        return [type(value).__name__]
    if dataclasses.is_dataclass(value):
        return [f"{f.name}.{p}" for f in dataclasses.fields(value) for p in arrays_in(getattr(value, f.name))]
    if isinstance(value, tuple | list):
        return [p for each in value for p in arrays_in(each)]
    return []


@pytest.fixture
def marked_clip(photographs: Path, tmp_path: Path) -> Path:
    """Somebody stands there for six seconds with a pattern on her face, in every frame."""
    noise = np.random.default_rng(1)
    face = planted(portrait(photographs))
    pictures = [np.clip(face + noise.normal(0, 2, face.shape), 0, 255).astype(np.uint8) for _ in range(60)]
    path = tmp_path / "marked.mp4"
    write_clip(path, pictures, crf=12)
    return path


@pytest.mark.parametrize("faces", ["yunet", "blazeface", "none"])
async def test_no_sink_ever_gets_what_was_in_a_face(
    faces: str, marked_clip: Path, models: Path, stand_ins: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = {"yunet": models, "blazeface": f"{models / 'detect'}:{stand_ins}", "none": models / "detect"}
    monkeypatch.setenv("BLIKK_MODELS", str(folders[faces]))
    spy = Spy()
    with Broker(tmp_path) as broker, Ears(broker.port) as ears:
        settings = Settings(
            node=NodeSettings(id="spied", name="Spied"),
            mqtt=MqttSettings(host="127.0.0.1", port=broker.port),
            cameras=(CameraSettings(id="door", name="Door", source=SourceUrl(str(marked_clip))),),
            store=StoreSettings(path=tmp_path / "spied.db"),
            models=ModelSettings(cache=tmp_path / "models", offline=True),
        )
        node = build(settings, environ={}, clock=SystemClock(), play_once=True, spies=[spy])
        stop = asyncio.Event()
        running = asyncio.create_task(node.run(stop, until_finished=True))
        for _ in range(3):
            await asyncio.sleep(1.0)
            node.order(Snapshot(camera="door"))
        async with asyncio.timeout(30 * PATIENCE):
            await running
    assert any(isinstance(item, Event) for item in spy.items)
    assert [p for item in spy.items for p in arrays_in(item)] == []
    jpegs = [item.jpeg for item in spy.items if isinstance(item, Picture)]
    jpegs += [payload for _, topic, payload, _ in ears.heard if "/picture/" in topic]
    assert len(jpegs) >= 4
    traces = [trace(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)) for jpeg in jpegs]
    assert max(traces) < 0.1
    raw = cv2.VideoCapture(str(marked_clip))
    _, frame = raw.read()
    raw.release()
    assert trace(frame) > 0.6  # the pattern was there to be found
    for _, topic, payload, _ in ears.heard:
        if b"\xff\xd8\xff" in payload:
            assert "/picture/" in topic


def test_a_program_gets_records_and_redacted_pictures_alone(
    marked_clip: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BLIKK_MODELS", str(models))
    kinds = ["observation", "event", "summary"]
    jpegs = []
    with Stream(marked_clip, models={"offline": True}) as stream:
        found: list[object] = []
        for record in stream.subscribe(kinds):
            found.append(record)
            jpegs.append(stream.picture())
        found += [stream.state, stream.latest, stream.events(), stream.ask("Did anybody come today?")]
        given = [stream.finder.search(), stream.finder.now(), stream.finder.count("person", 60)]
    assert any(isinstance(each, Event) for each in found)
    assert [p for each in (*found, *given) for p in arrays_in(each)] == []
    assert len(jpegs) >= 2
    for jpeg in (*jpegs, *map(smaller, jpegs)):
        assert trace(cv2.resize(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), (480, 480))) < 0.1


def test_pixels_are_on_no_disk_of_the_node(tmp_path: Path, marked_clip: Path, models: Path) -> None:
    before = set(tmp_path.rglob("*"))
    asyncio.run(_run_once(marked_clip, tmp_path))
    written = [p for p in set(tmp_path.rglob("*")) - before if p.is_file()]
    assert written
    for path in written:
        assert b"\xff\xd8\xff" not in path.read_bytes(), path


async def _run_once(clip: Path, folder: Path) -> None:
    settings = Settings(
        node=NodeSettings(id="quiet", name="Quiet"),
        mqtt=MqttSettings(host="127.0.0.1", port=1),
        cameras=(CameraSettings(id="door", name="Door", source=SourceUrl(str(clip))),),
        store=StoreSettings(path=folder / "quiet.db"),
        models=ModelSettings(cache=folder / "models", offline=True),
    )
    node = build(settings, environ={}, clock=SystemClock(), play_once=True)
    async with asyncio.timeout(40 * PATIENCE):
        await node.run(asyncio.Event(), until_finished=True)
