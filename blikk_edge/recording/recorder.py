"""The recorder: one thread that writes what all cameras send, and one for each stream that is only recorded."""

import asyncio
import contextlib
import errno
import logging
import math
import shutil
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from blikk_edge.core.backoff import Backoff
from blikk_edge.core.clock import Clock, steady
from blikk_edge.core.errors import SourceError, StoreError
from blikk_edge.core.loose_thread import LooseThread
from blikk_edge.core.observation import Event
from blikk_edge.core.ports import Inbox, Item
from blikk_edge.core.recordings import Segment, SegmentIndex
from blikk_edge.core.trouble import Trouble
from blikk_edge.recording.camera import CameraRecorder
from blikk_edge.recording.feed import QUEUE_BYTES, Feed
from blikk_edge.recording.folder import cameras_in, repair, tidy_all, tidy_made
from blikk_edge.recording.options import DAY_S, RecordOptions
from blikk_edge.recording.segment import FAULTS
from blikk_edge.sources.archive import ArchiveSource
from blikk_edge.sources.tap import MediaPacket, MediaTrack, Tap

LOG = logging.getLogger("blikk.record")

TURN_S: Final = 0.5
"""What came is written so often: waking for every packet would cost more than writing it."""

LOOK_S: Final = 5.0
"""The free space of the disk is looked at so often."""

TIDY_S: Final = 60.0
HANGS_S: Final = 10.0
SILENT_S: Final = 60.0
"""Without video for so long a camera has none that can be recorded, or is not there."""

END_S: Final = 1.5
LEAST_FREE_BYTES: Final = 16_000_000
RESUMES: Final = 1.1
"""Times the least free space: so much must be free before recording goes on."""

UNLISTED_MAX: Final = 10_000
KEEP_OF_OTHERS_S: Final = 7 * DAY_S
"""Recordings of cameras that are not recorded any more go after so long."""

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})

MakeArchive = Callable[[Tap], ArchiveSource]


class Recorder:
    """Records `cameras` below `folder`: a sink that takes their events. Nothing is opened before `run`.

    Whoever reads a stream gives its packets to the `taps`; those of `archives` are read here. What waits for the disk
    is bounded: one that hangs or is full costs recordings, is said once, and nothing else.
    """

    name = "recorder"

    def __init__(
        self,
        cameras: Mapping[str, RecordOptions],
        *,
        folder: Path,
        index: SegmentIndex,
        clock: Clock,
        min_free_bytes: int,
        archives: Mapping[str, MakeArchive] | None = None,
        queue_bytes: int = QUEUE_BYTES,
    ) -> None:
        self._clock = steady(clock)
        self._options = dict(cameras)
        self._folder = folder
        self._index = index
        self._floor_bytes = max(min_free_bytes, LEAST_FREE_BYTES)
        self._feeds = {camera: Feed(self._clock, max_bytes=queue_bytes) for camera in cameras}
        self._away = {camera: Trouble(LOG, "recording: %s") for camera in archives or {}}
        self._archives = {
            camera: make(_Heard(self._feeds[camera], self._away[camera], f"{camera}: its archive is back"))
            for camera, make in (archives or {}).items()
        }
        self._events: deque[Event] = deque()
        self._unlisted: deque[Segment] = deque(maxlen=UNLISTED_MAX)
        self._recorders = {
            camera: CameraRecorder(camera, options, folder, self._unlisted.append)
            for camera, options in cameras.items()
        }
        self._busy_since: float | None = None
        self._paused = False
        self._repaired = False
        self._looked = self._tidied = -math.inf
        self._disk = Trouble(LOG)
        self._broken = {camera: Trouble(LOG) for camera in cameras}
        self._silent = {camera: Trouble(LOG) for camera in cameras}
        self._began = self._clock.monotonic()

    @property
    def taps(self) -> Mapping[str, Tap]:
        """Who takes the packets of each camera whose watched stream is recorded."""
        return {camera: feed for camera, feed in self._feeds.items() if camera not in self._archives}

    @property
    def dropped(self) -> Mapping[str, int]:
        """How many packets of each camera were not recorded since start."""
        return {camera: feed.dropped + self._recorders[camera].lost for camera, feed in self._feeds.items()}

    @property
    def writing(self) -> bool:
        """Whether a segment of any camera is open."""
        return any(recorder.writing for recorder in self._recorders.values())

    @property
    def problem(self) -> str | None:
        """What is wrong now, in a sentence; None while all is well."""
        since, dropped = self._busy_since, sum(self.dropped.values())
        if since is not None and self._clock.monotonic() - since > HANGS_S:
            return (
                f"recordings: {self._folder} does not answer; {dropped} packets were dropped; check its disk or share"
            )
        troubles = (self._disk, *self._broken.values(), *self._away.values(), *self._silent.values())
        return next((trouble.now for trouble in troubles if trouble.now is not None), None)

    async def run(self, inbox: Inbox[Item]) -> None:
        """Record until cancelled. Raises what the writing thread raised, where that is a bug."""
        loop = asyncio.get_running_loop()
        stop, ended = threading.Event(), threading.Event()
        failed: asyncio.Future[None] = loop.create_future()

        def write() -> None:
            try:
                self._write_until(stop)
            except Exception as error:  # noqa: BLE001 - handed on to whoever supervises this sink
                if not loop.is_closed():
                    loop.call_soon_threadsafe(_fail, failed, error)
            finally:
                ended.set()

        LooseThread("blikk recorder", write).start()
        if not self._repaired:
            LooseThread("blikk recordings", partial(self._repair_until, stop)).start()
        for camera, archive in self._archives.items():
            LooseThread(f"blikk archive {camera}", partial(self._read_until, camera, archive, stop)).start()
        taking: asyncio.Future[Item] | None = None
        try:
            while True:
                taking = taking or asyncio.ensure_future(inbox.get())
                await asyncio.wait((taking, failed), return_when=asyncio.FIRST_COMPLETED)
                if failed.done():
                    failed.result()
                item, taking = taking.result(), None
                if isinstance(item, Event) and item.camera in self._options:
                    self._events.append(item)
        finally:
            if taking is not None:
                taking.cancel()
            stop.set()
            if not await asyncio.to_thread(ended.wait, END_S):
                LOG.warning("recordings: %s does not answer; what was not written is lost", self._folder)

    # -- the thread of a stream that is only recorded ------------------------------------------------------------

    def _read_until(self, camera: str, archive: ArchiveSource, stop: threading.Event) -> None:
        backoff, trouble = Backoff(), self._away[camera]
        while not stop.is_set():
            began = self._clock.monotonic()
            try:
                archive.read(stop)
            except SourceError as error:
                trouble.start(str(error))
            except Exception:
                LOG.exception("%s: its archive is opened again after a bug", camera)
            if self._clock.monotonic() - began > 60.0:
                backoff.reset()
            stop.wait(backoff.next_s())

    # -- the thread that looks what an earlier process left ------------------------------------------------------

    def _repair_until(self, stop: threading.Event) -> None:
        """A large folder takes half a minute, in which the thread that writes shall not be held up."""
        while not self._repaired and not stop.is_set():
            with contextlib.suppress(StoreError, OSError):  # said by the store, or by who writes there
                repair(self._folder, self._index, but=_Made(tuple(self._recorders.values())))
                self._repaired = True
                for recorder in self._recorders.values():
                    recorder.made = None
            stop.wait(TIDY_S)

    # -- the thread that writes ----------------------------------------------------------------------------------

    def _write_until(self, stop: threading.Event) -> None:
        for recorder in self._recorders.values():
            recorder.give_up()  # what a bug has left
        stopped = False
        while not stopped:
            stopped = stop.wait(TURN_S)
            self._busy_since = self._clock.monotonic()
            self._turn()
            self._busy_since = None
        for recorder in self._recorders.values():
            try:
                recorder.close()
            except FAULTS as error:
                LOG.warning("%s: its last recording is not whole: %s", recorder.camera, _said(error))
        self._list()

    def _turn(self) -> None:
        self._look_at_disk()
        while self._events:
            event = self._events.popleft()
            recorder = self._recorders[event.camera]
            self._guarded(recorder, partial(recorder.event, event.id, event.started, event.ended))
        for camera, feed in self._feeds.items():
            recorder = self._recorders[camera]
            while (entry := feed.take()) is not None:
                self._guarded(recorder, partial(recorder.take, entry))
        self._list()
        if self._clock.monotonic() - self._tidied >= TIDY_S:
            self._tidied = self._clock.monotonic()
            self._tidy()

    def _guarded(self, recorder: CameraRecorder, act: Callable[[], None]) -> None:
        recorder.paused = self._paused
        trouble = self._broken[recorder.camera]
        try:
            act()
        except FAULTS as error:
            recorder.give_up()
            if isinstance(error, OSError) and error.errno in _FULL:
                self._pause(f"{self._folder}: its disk is full, recording pauses; free some space")
            else:
                trouble.start(f"{recorder.camera}: it cannot be recorded in {self._folder}: {_said(error)}")
            return
        if recorder.writing:
            trouble.end(f"{recorder.camera}: it is recorded now")

    def _look_at_disk(self) -> None:
        now = self._clock.monotonic()
        if now - self._looked < LOOK_S:
            return
        self._looked = now
        self._look_at_streams(now)
        free = _free_bytes(self._folder)
        if free is None:
            return
        if free < self._floor_bytes:
            self._pause(
                f"{self._folder}: less than {self._floor_bytes / 1e9:g} GB of its disk are free, recording pauses; "
                "free some space, or set `max_gb` lower"
            )
        elif self._paused and free >= RESUMES * self._floor_bytes:
            self._paused = False
            self._disk.end(f"{self._folder}: its disk has room again, recording goes on")

    def _look_at_streams(self, now: float) -> None:
        for camera, feed in self._feeds.items():
            if feed.has_video:
                self._silent[camera].end(f"{camera}: its video can be recorded")
            elif now - self._began > SILENT_S:
                self._silent[camera].start(
                    f"{camera}: nothing came yet that can be recorded; if it sends JPEGs, add `archive:`"
                )

    def _pause(self, why: str) -> None:
        if not self._paused:
            self._paused = True
            self._disk.start(why)
            for recorder in self._recorders.values():
                try:
                    recorder.close()
                except FAULTS:
                    recorder.give_up()

    def _list(self) -> None:
        """Bring into the index what was written; what it does not take now, it is given again."""
        if not self._unlisted:
            return
        segments = tuple(self._unlisted)
        try:
            self._index.keep_segments(segments)
        except StoreError:
            return  # the store says itself what is wrong with it
        for _ in segments:
            self._unlisted.popleft()

    def _tidy(self) -> None:
        now, settled = self._clock.now(), self._clock.settled
        try:
            tidy_made(self._folder)
            for camera in {*cameras_in(self._folder), *self._options}:
                options = self._options.get(camera)
                keep_s = KEEP_OF_OTHERS_S if options is None else options.keep
                tidy_all(
                    self._folder,
                    self._index,
                    camera,
                    before=now - keep_s if settled else None,
                    max_bytes=10**18 if options is None else int(options.max_gb * 1e9),
                )
        except StoreError:
            return  # said by the store
        except OSError as error:
            LOG.warning("%s: old recordings cannot be removed: %s", self._folder, _said(error))


@dataclass(frozen=True, slots=True)
class _Made:
    """The files that this process has made, up to now."""

    recorders: tuple[CameraRecorder, ...]

    def __contains__(self, path: object) -> bool:
        return any(recorder.made is not None and path in recorder.made for recorder in self.recorders)


class _Heard:
    """A tap that ends a trouble with the first packet that comes; all of it in the thread that reads."""

    def __init__(self, feed: Feed, trouble: Trouble, text: str) -> None:
        self._feed = feed
        self._trouble = trouble
        self._text = text

    def begin(self, tracks: Sequence[MediaTrack]) -> None:
        self._feed.begin(tracks)

    def packet(self, packet: MediaPacket) -> None:
        if self._trouble.now is not None:
            self._trouble.end(self._text)
        self._feed.packet(packet)


def _fail(failed: "asyncio.Future[None]", error: Exception) -> None:
    if not failed.done():
        failed.set_exception(error)


def _said(error: BaseException) -> str:
    return (error.strerror if isinstance(error, OSError) and error.strerror else None) or type(error).__name__


def _free_bytes(folder: Path) -> int | None:
    """What this user may still write there; None where that cannot be known."""
    for place in (folder, *folder.parents):
        try:
            return shutil.disk_usage(place).free
        except FileNotFoundError:
            continue
        except OSError:
            return None
    return None
