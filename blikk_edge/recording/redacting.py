"""Redacted clips of events, made after them at low priority: the only step of this room that decodes."""

import contextlib
import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av

from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import BlikkError, ModelError, PrivacyError, StoreError
from blikk_edge.core.live import LIVE
from blikk_edge.core.loose_thread import LooseThread
from blikk_edge.core.observation import Event
from blikk_edge.core.picture import Picture
from blikk_edge.core.ports import History, Inbox, Item
from blikk_edge.core.recordings import Segment, SegmentIndex
from blikk_edge.core.scene import Frame, Scene
from blikk_edge.core.sightings import BLURRED, Detection, Motion, View
from blikk_edge.core.stages import Detector, Redactor
from blikk_edge.core.trouble import Trouble
from blikk_edge.recording.clips import Clips, redacted_path
from blikk_edge.recording.names import REDACTED
from blikk_edge.recording.options import RecordOptions
from blikk_edge.recording.segment import FAULTS
from blikk_edge.sources.file import open_file
from blikk_edge.sources.terms import Terms
from blikk_edge.store.private_files import keep_private, make_folder

LOG = logging.getLogger("blikk.record")

FPS: Final = 5
NICE: Final = 19
ENCODERS: Final = ("libx264", "libopenh264", "mpeg4")

SETTLE_S: Final = 3.0
"""So long after the last picture of an event its segments are written."""

MADE_AT_START: Final = 100
WORK: Final = ".redacting"

_MOTION: Final = Motion(view=View.QUIET)

Tools = Callable[[str], tuple[Detector, Redactor]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RedactedCamera:
    """A camera of which only redacted clips may leave.

    Attributes:
        options: How it is recorded.
        height_px: How large the pictures are made.
        rotate: By how many degrees they are turned.
    """

    options: RecordOptions
    height_px: int = 480
    rotate: int = 0


@dataclass(order=True, slots=True)
class _Job:
    due: float
    event: Event = field(compare=False)


class RedactedClips:
    """Makes the redacted clip of each event of `cameras` that has ended: one at a time, in a thread of low priority.

    A sink that takes their events. `make_tools` gives what one thread looks with, by camera; `clips` cuts what is read.
    Where a face model is missing, or anything else goes wrong, no clip is made: what is not redacted never leaves.
    """

    name = "redacted clips"

    def __init__(
        self,
        cameras: Mapping[str, RedactedCamera],
        *,
        folder: Path,
        clips: Clips,
        make_tools: Callable[[], Tools],
        history: History,
        index: SegmentIndex,
        clock: Clock,
    ) -> None:
        self._cameras = cameras
        self._folder = folder
        self._clips = clips
        self._make_tools = make_tools
        self._history = history
        self._index = index
        self._clock = clock
        self._jobs: deque[_Job] = deque()
        self._undone: deque[Event] = deque()
        self._trouble = Trouble(LOG)

    @property
    def problem(self) -> str | None:
        """What is wrong now, in a sentence; None while all is well."""
        return self._trouble.now

    async def run(self, inbox: Inbox[Item]) -> None:
        """Take events until cancelled."""
        stop = threading.Event()
        LooseThread("blikk redacting", lambda: self._work(stop)).start()
        try:
            while True:
                item = await inbox.get()
                if isinstance(item, Event) and item.ended is not None and item.camera in self._cameras:
                    wait_s = self._cameras[item.camera].options.post_s + SETTLE_S
                    self._jobs.append(_Job(self._clock.monotonic() + wait_s, item))
        finally:
            stop.set()

    def _work(self, stop: threading.Event) -> None:
        with contextlib.suppress(OSError):  # of this thread alone, as Linux counts
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
        self._remove_leftovers()
        self._find_undone()
        while not stop.wait(1.0):
            while (event := self._next()) is not None and not stop.is_set():
                self._done(event, stop)

    def _next(self) -> Event | None:
        """What has just ended goes before what the last process left, which may be a lot."""
        if self._jobs and self._jobs[0].due <= self._clock.monotonic():
            return self._jobs.popleft().event
        return self._undone.popleft() if self._undone else None

    def _remove_leftovers(self) -> None:
        """What a process that was killed was working on is not redacted, or not whole."""
        with contextlib.suppress(OSError):
            for left in (*(self._folder / WORK).glob("*"), *(self._folder / REDACTED).glob("*/*.part")):
                left.unlink(missing_ok=True)

    def _find_undone(self) -> None:
        """Events that ended shortly before the last process did."""
        for camera in self._cameras:
            with contextlib.suppress(StoreError, OSError):  # said by the store, or by who makes the next clip
                for event in self._history.events(camera=camera, limit=MADE_AT_START):
                    if event.ended is not None and not redacted_path(self._folder, camera, event.id).exists():
                        self._undone.append(event)

    def _done(self, event: Event, stop: threading.Event) -> None:
        try:
            made = self.make(event, stop)
        except BlikkError as error:
            self._trouble.start(f"{event.camera}: no redacted clip was made: {error}")
        except FAULTS as error:
            said = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
            self._trouble.start(f"{event.camera}: no redacted clip was made: {said}; is the disk full?")
        except Exception:
            LOG.exception("%s: no redacted clip was made because of a bug", event.camera)
        else:
            if made:
                self._trouble.end(f"{event.camera}: redacted clips are made now")

    def make(self, event: Event, stop: threading.Event) -> bool:
        """Make the clip of one event; says whether there was anything. Raises BlikkError, or one of FAULTS."""
        target = redacted_path(self._folder, event.camera, event.id)
        raw = self._folder / WORK / f"{event.id}.mp4"
        part = target.with_suffix(".part")
        try:
            if self._clips.write(event.camera, event.started, event.ended, raw) is None:
                return False
            make_folder(target.parent)
            keep_private(part, create=True)
            if not _encode(part, self._pictures(raw, event, stop)) or stop.is_set():
                return False
            if self._history.event(event.id) is None:
                return False  # it was forgotten meanwhile
            part.replace(target)
            self._index.keep_segments(
                [
                    Segment(
                        camera=f"{REDACTED}/{event.camera}",
                        since=event.started,
                        until=max(event.started + 1.0, event.ended or 0.0),
                        path=str(target.relative_to(self._folder)),
                        size_bytes=target.stat().st_size,
                        codec="h264",
                    )
                ]
            )
            return True
        finally:
            raw.unlink(missing_ok=True)
            part.unlink(missing_ok=True)

    def _pictures(self, raw: Path, event: Event, stop: threading.Event) -> Iterator[Picture]:
        """The redacted pictures of a clip; raises PrivacyError for one whose faces could not be looked for."""
        camera = self._cameras[event.camera]
        detector, redactor = self._make_tools()(event.camera)
        terms = Terms(
            camera=event.camera,
            shown="a recording",
            clock=self._clock,
            fps=FPS,
            height_px=camera.height_px,
            rotate=camera.rotate,
        )
        frames = open_file(str(raw), terms, realtime=False, loop=False, start_time=event.started).frames(stop)
        before: tuple[Detection, ...] = ()
        for frame in frames:
            found = _blurred(detector, frame)
            # Who was found a fifth of a second ago is blurred where they were, too: one look may miss somebody.
            scene = Scene(frame=frame, motion=_MOTION, analysed=True, detections=(*found, *before))
            before = found
            # As of a live view: every picture is shown, be somebody found in it or not.
            yield redactor.picture(scene, name=LIVE)


def _blurred(detector: Detector, frame: Frame) -> tuple[Detection, ...]:
    """Those of whom something is blurred."""
    try:
        return tuple(each for each in detector.detect(frame.bgr()) if each.label in BLURRED)
    except ModelError as error:
        raise PrivacyError(f"persons could not be looked for: {error}") from error


def _encode(path: Path, pictures: Iterator[Picture]) -> bool:
    """Write JPEGs as H.264, FPS a second; says whether there were any. Only what was redacted comes in here."""
    reader: Any = av.CodecContext.create("mjpeg", "r")
    codec = next((name for name in ENCODERS if _known(name)), ENCODERS[-1])
    with av.open(f"file:{path}", "w", format="mp4", options={"movflags": "faststart"}) as container:
        stream: Any = None
        number = 0
        for picture in pictures:
            if stream is None:
                stream = container.add_stream(codec, rate=FPS)
                # H.264 wants even sides
                stream.width, stream.height = picture.width_px & ~1, picture.height_px & ~1
                stream.pix_fmt, stream.thread_count = "yuv420p", 1
                stream.options = {"preset": "veryfast", "crf": "24"} if codec == "libx264" else {}
            for frame in _decoded(reader, picture.jpeg):
                scaled = frame.reformat(stream.width, stream.height, "yuv420p")
                scaled.pts, scaled.time_base = number, Fraction(1, FPS)
                container.mux(stream.encode(scaled))
                number += 1
        if stream is not None:
            container.mux(stream.encode())
        return number > 0


def _decoded(reader: Any, jpeg: bytes) -> Sequence[Any]:
    return list(reader.decode(av.Packet(jpeg)))


def _known(encoder: str) -> bool:
    try:
        av.Codec(encoder, "w")
    except ValueError:
        return False
    return True
