"""Redacted clips: judged by the detectors that judge every picture that leaves, and none without a face model."""

import asyncio
import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from recording_stage import clips_of, event, options, wait_until
from test_recording_events import NOW, Stage

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))

from annotated_faces import YUNET, AnnotatedFace, detector, dlib
from face_judges import found, judges

from blikk_edge.core.clock import SystemClock
from blikk_edge.core.errors import PrivacyError
from blikk_edge.core.geometry import WHOLE, Box, Polygon
from blikk_edge.core.observation import Event
from blikk_edge.core.picture import Picture
from blikk_edge.core.ports import Item
from blikk_edge.core.scene import Pixels, Scene
from blikk_edge.core.sightings import Detection, Label
from blikk_edge.recording.clips import redacted_path
from blikk_edge.recording.options import RecordOptions
from blikk_edge.recording.redacting import RedactedCamera, RedactedClips, Tools
from blikk_edge.store.store import Store
from blikk_edge.transforms.privacy.faces import FaceFinder
from blikk_edge.transforms.privacy.redactor import Privacy

SIZE = (854, 480)
SHOWN_S = 1
PICTURES = 4
BLACK = Polygon(((0.0, 0.0), (0.1, 0.0), (0.1, 0.2), (0.0, 0.2)))


@dataclass(frozen=True)
class Shown:
    """A picture of the clip, and the faces in it."""

    bgr: Pixels
    faces: tuple[AnnotatedFace, ...]


@pytest.fixture(scope="module")
def shown(data: Path) -> list[Shown]:
    """Photographs with large faces, each on a grey ground."""
    made = []
    for picture in dlib(data):
        height, width = picture.bgr.shape[:2]
        scale = min(SIZE[0] / width, SIZE[1] / height)
        ground = np.full((SIZE[1], SIZE[0], 3), 110, np.uint8)
        small = cv2.resize(picture.bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        ground[: small.shape[0], : small.shape[1]] = small
        faces = tuple(face.scaled(scale) for face in picture.faces if face.width_px * scale >= 12)
        if faces:
            made.append(Shown(ground, faces))
        if len(made) == PICTURES:
            break
    return made


@pytest.fixture(scope="module")
def film(shown: list[Shown], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=10, options={"g": "10", "bf": "0", "crf": "18"})
        video.width, video.height, video.pix_fmt = *SIZE, "yuv420p"
        for each in shown:
            for _ in range(10 * SHOWN_S):
                container.mux(video.encode(av.VideoFrame.from_ndarray(each.bgr, format="bgr24")))
        container.mux(video.encode())
    return path


@pytest.fixture
def recorded(film: Path, tmp_path: Path) -> Iterator[tuple[Path, Store]]:
    stage = Stage(tmp_path / "recordings", options())
    stage.play(film)
    stage.recorder.close()
    store = Store(tmp_path / "blikk.db")
    store.open()
    store.keep_segments(stage.kept)
    yield stage.folder, store
    store.close()


def redacting(folder: Path, store: Store, make_tools: Callable[[], Tools]) -> RedactedClips:
    record: RecordOptions = options(redact=True, pre_s=0.0, post_s=0.0)
    return RedactedClips(
        {"porch": RedactedCamera(options=record)},
        folder=folder,
        clips=clips_of(folder, store, record),
        make_tools=make_tools,
        history=store,
        index=store,
        clock=SystemClock(),
    )


VISIT = event(NOW, NOW + PICTURES * SHOWN_S - 0.05)


def test_faces_of_a_redacted_clip_are_found_by_no_judge(
    data: Path, film: Path, shown: list[Shown], recorded: tuple[Path, Store]
) -> None:
    folder, store = recorded
    persons = detector(data, 0.1)
    privacy = Privacy(FaceFinder(data / YUNET), private=(BLACK,), person_threshold=0.1)
    every = judges(data)
    store.put(VISIT)

    assert redacting(folder, store, lambda: lambda _camera: (persons, privacy)).make(VISIT, threading.Event())

    path = redacted_path(folder, "porch", VISIT.id)
    assert path.stat().st_mode & 0o777 == 0o600
    assert not list((folder / ".redacting").iterdir())
    clips = clips_of(folder, store, options(redact=True))
    assert clips.recorded("porch", VISIT.id, VISIT.started, VISIT.ended)
    made = clips.clip("porch", VISIT.id, VISIT.started, VISIT.ended)
    assert made is not None
    assert (made.path, made.redacted) == (path, True)
    with av.open(str(path)) as container:
        assert not container.streams.audio
        pictures = [(frame.time, frame.to_ndarray(format="bgr24")) for frame in container.decode(video=0)]
    assert len(pictures) == pytest.approx(5 * PICTURES * SHOWN_S, abs=1)
    seen_raw = sum(bool(names) for each in shown for names in found(every, each.bgr, each.faces))
    assert seen_raw >= PICTURES
    for number, each in enumerate(shown):
        of_it = [bgr for time, bgr in pictures if number + 0.15 < time < number + 0.95]
        assert of_it
        for bgr in (of_it[0], of_it[-1]):
            assert not [names for names in found(every, bgr, each.faces) if names]
            assert bgr[5:90, 5:80].mean() < 30  # the private area, painted


def test_what_a_killed_process_left_is_removed_and_its_event_done_again(
    data: Path, recorded: tuple[Path, Store]
) -> None:
    folder, store = recorded
    store.put(VISIT)
    persons, privacy = detector(data, 0.1), Privacy(FaceFinder(data / YUNET), person_threshold=0.1)
    left = [folder / ".redacting" / "porch-1.mp4", folder / ".redacted" / "porch" / "porch-1.part"]
    for each in left:
        each.parent.mkdir(parents=True)
        each.write_bytes(b"a face")
    redacted, stop = redacting(folder, store, lambda: lambda _camera: (persons, privacy)), threading.Event()
    thread = threading.Thread(target=redacted._work, args=(stop,))
    thread.start()
    try:
        wait_until(lambda: redacted_path(folder, "porch", VISIT.id).exists())
    finally:
        stop.set()
        thread.join()
    assert not [each for each in left if each.exists()]


def test_event_that_is_forgotten_while_its_clip_is_made_leaves_none(
    data: Path, recorded: tuple[Path, Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, store = recorded
    store.put(VISIT)
    persons, seen = detector(data, 0.1), Privacy(None, blur=False)
    known = [VISIT]

    def tools() -> Tools:
        known.clear()
        return lambda _camera: (persons, seen)

    monkeypatch.setattr(store, "event", lambda _name: next(iter(known), None))

    assert not redacting(folder, store, tools).make(VISIT, threading.Event())

    assert not known
    assert not list(folder.glob(".redac*/**/*.*"))
    assert not store.segments(".redacted/porch")


def test_vehicles_in_a_clip_are_known_to_who_blurs_their_plates(recorded: tuple[Path, Store]) -> None:
    folder, store = recorded
    car = Detection(label=Label.VEHICLE, sub_label="car", score=0.3, box=Box(0.2, 0.2, 0.8, 0.8))
    dog = replace(car, label=Label.ANIMAL)
    scenes: list[Scene] = []

    class Cars:
        name = "cars"

        def detect(self, bgr: Pixels, part: Box = WHOLE) -> tuple[Detection, ...]:
            return car, dog

    class Kept(Privacy):
        def picture(self, scene: Scene, *, name: str, event: str | None = None) -> Picture:
            scenes.append(scene)
            return super().picture(scene, name=name, event=event)

    store.put(VISIT)
    made = redacting(folder, store, lambda: lambda _camera: (Cars(), Kept(None, blur=False)))
    assert made.make(VISIT, threading.Event())
    assert scenes
    assert all(set(scene.detections) == {car} for scene in scenes)


def test_without_a_face_model_there_is_no_redacted_clip_and_none_leaves(
    data: Path, recorded: tuple[Path, Store]
) -> None:
    folder, store = recorded
    persons, blind = detector(data, 0.1), Privacy(None)
    redacted = redacting(folder, store, lambda: lambda _camera: (persons, blind))

    with pytest.raises(PrivacyError, match="face model"):
        redacted.make(VISIT, threading.Event())
    redacted._done(VISIT, threading.Event())

    assert "no redacted clip was made" in str(redacted.problem)
    assert not list(folder.glob(".redac*/**/*.*"))
    clips = clips_of(folder, store, options(redact=True))
    assert clips.clip("porch", VISIT.id, VISIT.started, VISIT.ended) is None
    assert not clips.recorded("porch", VISIT.id, VISIT.started, VISIT.ended)


async def test_the_clip_of_a_new_event_does_not_wait_for_those_of_old_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blikk_edge.recording.redacting.SETTLE_S", 0.0)
    made: list[str] = []
    go_on = threading.Event()

    def make(each: Event, _stop: threading.Event) -> bool:
        made.append(each.id)
        go_on.wait()
        return True

    with contextlib.closing(Store(tmp_path / "blikk.db")) as store:
        store.open()
        for n in range(3):
            store.put(event(NOW + n, NOW + n + 0.5, name=f"old-{n}"))
        redacted = redacting(tmp_path, store, lambda: pytest.fail("nothing is looked at"))
        monkeypatch.setattr(redacted, "make", make)
        inbox = asyncio.Queue[Item]()
        running = asyncio.create_task(redacted.run(inbox))
        try:
            await asyncio.to_thread(wait_until, lambda: made)
            inbox.put_nowait(event(NOW + 5, NOW + 6, name="new"))
            await asyncio.to_thread(wait_until, lambda: redacted._jobs)
            go_on.set()
            await asyncio.to_thread(wait_until, lambda: len(made) == 4)
        finally:
            go_on.set()
            running.cancel()
    assert made == ["old-2", "new", "old-1", "old-0"]
