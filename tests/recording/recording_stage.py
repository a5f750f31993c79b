"""What tests of recordings share: clips with a keyframe each second and sound, a recorder that runs, its events."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from fractions import Fraction
from functools import partial
from pathlib import Path
from threading import Thread

import av
import numpy as np

from blikk_edge.core.clock import SystemClock
from blikk_edge.core.observation import Event, Observed, Phase
from blikk_edge.core.ports import Item
from blikk_edge.core.sightings import Label
from blikk_edge.recording.clips import Clips
from blikk_edge.recording.feed import QUEUE_BYTES
from blikk_edge.recording.options import RecordMode, RecordOptions
from blikk_edge.recording.recorder import Recorder
from blikk_edge.sources.archive import ArchiveSource
from blikk_edge.sources.tap import Tap
from blikk_edge.sources.terms import Terms
from blikk_edge.store.store import Store

FPS = 10
SECONDS = 6
PATIENCE_S = 300.0  # a thread of the lowest priority gets little of a busy machine


def make_clip(path: Path, codec: str, *, size: tuple[int, int] = (320, 240), seconds: int = SECONDS) -> Path:
    """A clip with a keyframe each second, whose grey says which picture it is, and a tone."""
    options = {"preset": "ultrafast", "g": str(FPS), "bf": "0", "sc_threshold": "0"}
    if codec == "libx265":
        options = {"preset": "ultrafast", "x265-params": f"keyint={FPS}:min-keyint={FPS}:bframes=0:log-level=none"}
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=FPS, options=options)
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        video.thread_count = 1  # x264 would cut each picture into slices, one a thread
        audio = container.add_stream("aac", rate=48_000)
        audio.layout = "mono"
        for number in range(seconds * FPS):
            picture = np.full((size[1], size[0], 3), 30 + 3 * number, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(video.encode(frame))
        container.mux(video.encode())
        for number in range(seconds * 48_000 // 1024):
            moments = (np.arange(1024) + number * 1024) / 48_000
            tone = (np.sin(2 * np.pi * 440 * moments) * 8000).astype(np.int16)
            sound = av.AudioFrame.from_ndarray(tone[None], format="s16", layout="mono")
            sound.sample_rate, sound.pts, sound.time_base = 48_000, number * 1024, Fraction(1, 48_000)
            container.mux(audio.encode(sound))
        container.mux(audio.encode())
    return path


def archive(url: str, tap: Tap) -> ArchiveSource:
    terms = Terms(camera="porch", shown="the camera", clock=SystemClock(), tap=tap, transport="tcp", read_timeout_s=3.0)
    return ArchiveSource(url, terms)


def options(mode: RecordMode = RecordMode.CONTINUOUS, **more: float) -> RecordOptions:
    return RecordOptions(mode=mode, **more)  # type: ignore[arg-type]


def event(started: float, ended: float | None = None, name: str = "porch-1") -> Event:
    last = started if ended is None else ended
    return Event(
        id=name,
        camera="porch",
        phase=Phase.STARTED if ended is None else Phase.ENDED,
        revision=1 if ended is None else 2,
        time=last,
        started=started,
        label=Label.PERSON,
        reason=Observed.APPEARED,
        ended=ended,
    )


class Running:
    """A recorder in a thread with a loop of its own, and its store."""

    def __init__(self, recorder: Recorder, store: Store) -> None:
        self.recorder = recorder
        self.store = store
        self._loop = asyncio.new_event_loop()
        self._items: asyncio.Queue[Item] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._thread = Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        self._task = self._loop.create_task(self.recorder.run(self._items))
        with suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._task)
        self._loop.close()

    def tell(self, item: Item) -> None:
        self._loop.call_soon_threadsafe(self._items.put_nowait, item)

    def stop(self) -> None:
        wait_until(lambda: self._task is not None)
        assert self._task is not None
        if not self._task.done():
            self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(PATIENCE_S)


@contextmanager
def recording(
    folder: Path,
    url: str | None,
    record: RecordOptions,
    *,
    min_free_bytes: int = 0,
    store: Store | None = None,
    queue_bytes: int = QUEUE_BYTES,
) -> Iterator[Running]:
    """A recorder of the camera `porch`, whose stream is at `url`; None: a test gives its packets."""
    own = store or Store(folder.with_name("blikk.db"))
    if store is None:
        own.open()
    archives: Mapping[str, Callable[[Tap], ArchiveSource]] = {} if url is None else {"porch": partial(archive, url)}
    recorder = Recorder(
        {"porch": record},
        folder=folder,
        index=own,
        clock=SystemClock(),
        min_free_bytes=min_free_bytes,
        archives=archives,
        queue_bytes=queue_bytes,
    )
    running = Running(recorder, own)
    try:
        yield running
    finally:
        running.stop()
        if store is None:
            own.close()


def clips_of(folder: Path, store: Store, record: RecordOptions | None = None) -> Clips:
    """Who makes clips of the camera `porch`; exactly what is asked for, unless the options say more."""
    return Clips(
        {"porch": record or options(pre_s=0.0, post_s=0.0)},
        folder=folder,
        find=lambda camera, since, until: store.segments(camera, since=since, until=until),
        clock=SystemClock(),
        index=store,
    )


def wait_until(true: Callable[[], object]) -> None:
    """Wait for a state; fails where it does not come."""
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, "it did not come to be"
        time.sleep(0.05)


def pictures(path: Path) -> list[tuple[float, int]]:
    """When each picture of a file is shown, seconds, and its grey."""
    with av.open(str(path)) as container:
        return [(frame.time, int(frame.to_ndarray(format="gray").mean())) for frame in container.decode(video=0)]
