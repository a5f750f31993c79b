"""Many cameras in one node: who is looked at next, who may connect, and that the dead do not disturb the living."""

import logging
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import pairwise

import av
import numpy as np
import pytest
from patience import PATIENCE
from ports import free_port
from rtsp_server import RtspServer
from stage_props import PERSON, ScriptedSource, StampRedactor, pipeline, refuse
from test_node import house

from blikk_edge.core.clock import SystemClock
from blikk_edge.core.scene import Frame, Pixels, Scene
from blikk_edge.core.sightings import Detection
from blikk_edge.runtime.mailbox import Attempts
from blikk_edge.runtime.pipeline import Pipeline, VisionTools
from blikk_edge.sources.rtsp import open_rtsp
from blikk_edge.sources.terms import Terms

BUSY = tuple(f"busy_{n}" for n in range(6))
LIMIT_S = 15.0 * PATIENCE


# -- the detector ------------------------------------------------------------------------------------------------------


class SlowDetector:
    """Looks when it is let; `looks` are the cameras that it was asked for."""

    name = "slow"

    def __init__(self) -> None:
        self.may_look = threading.Semaphore(0)
        self.looks: list[str] = []

    def detect(self, bgr: Pixels) -> tuple[Detection, ...]:
        assert self.may_look.acquire(timeout=LIMIT_S)
        return (PERSON,)

    def tools_for(self, camera: str) -> VisionTools:
        """The tools of a worker that looks at this camera now."""
        self.looks.append(camera)
        return VisionTools(self, StampRedactor())


async def test_the_camera_that_has_waited_longest_is_looked_at_next_and_a_busy_one_starves_nobody() -> None:
    detector = SlowDetector()
    # one brings frames twenty times as often as the others
    gaps = {name: 0.005 if name == BUSY[0] else 0.1 for name in BUSY}
    sources = {name: lambda name=name: ScriptedSource(name, gap_s=gaps[name]) for name in BUSY}
    async with house(sources, make_tools=lambda: detector.tools_for) as run:
        for _ in range(4 * len(BUSY)):
            # before each look everybody has something new to show: what is left is a matter of turns
            before = {name: camera.pipeline.frames for name, camera in run.cameras.items()}
            await run.until(lambda b=before: all(c.pipeline.frames > b[n] + 1 for n, c in run.cameras.items()))
            seen = len(detector.looks)
            detector.may_look.release()
            await run.until(lambda s=seen: len(detector.looks) > s)
        detector.may_look.release(1000)
    order = detector.looks[len(BUSY) : 4 * len(BUSY)]
    assert Counter(order) == dict.fromkeys(BUSY, 3), order
    for name in BUSY:
        turns = [place for place, camera in enumerate(order) if camera == name]
        assert {later - earlier for earlier, later in pairwise(turns)} == {len(BUSY)}, order


# -- who may connect ---------------------------------------------------------------------------------------------------


class Reader(threading.Thread):
    """Wants a place; has its ticket, or None, once it has ended."""

    def __init__(self, attempts: Attempts) -> None:
        super().__init__(daemon=True)
        self.ticket: int | None = 0
        self._attempts = attempts

    def run(self) -> None:
        self.ticket = self._attempts.enter()

    def has_come(self) -> bool:
        self.join(LIMIT_S)
        return not self.is_alive()


def waiting(attempts: Attempts, count: int) -> list[Reader]:
    """Readers that wait, each after the one before it."""
    readers = [Reader(attempts) for _ in range(count)]
    for place, reader in enumerate(readers):
        reader.start()
        deadline = time.monotonic() + LIMIT_S
        while len(attempts._waiting) <= place:
            assert time.monotonic() < deadline
            time.sleep(0.001)
    return readers


def test_who_waited_longest_gets_the_next_place() -> None:
    attempts = Attempts(1)
    held = attempts.enter()
    readers = waiting(attempts, 3)
    for place, reader in enumerate(readers):
        attempts.leave(held)
        assert reader.has_come()
        assert [later.is_alive() for later in readers[place + 1 :]] == [True] * (2 - place)
        held = reader.ticket


def test_a_place_that_was_left_twice_is_one_place() -> None:
    attempts = Attempts(1)
    first = attempts.enter()
    attempts.leave(first)
    second = attempts.enter()
    attempts.leave(first)  # a reader that was given up comes back from its library
    (reader,) = waiting(attempts, 1)
    assert reader.is_alive()
    attempts.leave(second)
    assert reader.has_come()


def test_at_the_end_nobody_waits() -> None:
    attempts = Attempts(1)
    attempts.enter()
    readers = waiting(attempts, 3)
    attempts.close()
    assert all(reader.has_come() for reader in readers)
    assert [reader.ticket for reader in readers] == [None] * 3


class DeadSources:
    """Cameras that do not answer until `let_go`; counts how many are tried at once, and how often each was."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.tries: Counter[str] = Counter()
        self.open: set[str] = set()
        self.most = 0

    def source(self, name: str) -> ScriptedSource:
        return ScriptedSource(name, last=0, then=lambda stop: self._connect(name, stop))

    def _connect(self, name: str, stop: threading.Event) -> None:
        self.tries[name] += 1
        self.open.add(name)
        self.most = max(self.most, len(self.open))
        try:
            while not stop.is_set() and not self.let_go.wait(0.01):
                pass
        finally:
            self.open.discard(name)
        refuse(stop)


async def test_the_dead_are_tried_all_at_first_then_a_few_at_once_and_none_is_forgotten() -> None:
    dead, attempts = DeadSources(), Attempts(4)
    names = [f"dead_{n}" for n in range(12)]
    sources = {name: lambda name=name: dead.source(name) for name in names}
    async with house(sources | {"door": ScriptedSource}, attempts=attempts) as run:
        await run.until(lambda: len(dead.open) == len(names))  # nobody knows yet who is dead
        await run.until(lambda: run.cameras["door"].online)
        dead.let_go.set()
        await run.until(lambda: not dead.open)
        dead.let_go.clear()
        dead.most = 0
        await run.until(lambda: len(dead.open) == 4)
        await run.until(lambda: len(attempts._waiting) == len(names) - 4)
        dead.let_go.set()
        await run.until(lambda: min(dead.tries[name] for name in names) >= 3, within_s=60.0)
        assert dead.most <= 4
        assert run.cameras["door"].restarts == 0
        assert run.cameras["door"].online


async def test_a_reader_that_hangs_while_it_connects_gives_its_place_to_others() -> None:
    dead, attempts = DeadSources(), Attempts(1)
    release = threading.Event()
    tries = iter([refuse, lambda stop: release.wait(LIMIT_S)])
    made = [ScriptedSource("hung", last=0, then=lambda stop: next(tries)(stop))]  # noqa: PLW0108 - another one each time
    dead.let_go.set()
    sources = {
        "hung": lambda: made[0] if len(made) == 1 else ScriptedSource("hung"),
        "dead": lambda: dead.source("dead"),
    }
    async with house(sources, stall_s=0.5, attempts=attempts) as run:
        await run.until(lambda: made[0].connections == 2)
        made.append(ScriptedSource("hung"))
        tried = dead.tries["dead"]
        await run.until(lambda: run.cameras["hung"].restarts == 1 and dead.tries["dead"] > tried, within_s=60.0)
        release.set()


# -- dead addresses ----------------------------------------------------------------------------------------------------


@contextmanager
def black_hole() -> Iterator[int]:
    """A port that answers to no SYN: its queue is full."""
    with ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind(("127.0.0.1", free_port()))
        listening.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listening.getsockname())
        yield listening.getsockname()[1]


@contextmanager
def silence() -> Iterator[int]:
    """A port that accepts whoever comes, and says nothing."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", free_port()))
        listening.listen(100)
        yield listening.getsockname()[1]


@contextmanager
def slow_answers(after_s: float) -> Iterator[int]:
    """A port that answers each request late, and never with a stream."""
    ended = threading.Event()

    def answer(connection: socket.socket) -> None:
        with connection:
            while not ended.is_set() and connection.recv(4096):
                ended.wait(after_s)
                connection.sendall(b"RTSP/1.0 503 Service Unavailable\r\nCSeq: 1\r\n\r\n")

    def serve() -> None:
        while not ended.is_set():
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=_quietly(answer), args=(connection,), daemon=True).start()

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", free_port()))
        listening.listen(100)
        threading.Thread(target=serve, daemon=True).start()
        try:
            yield listening.getsockname()[1]
        finally:
            ended.set()
            listening.shutdown(socket.SHUT_RDWR)


def _quietly(answer: Callable[[socket.socket], None]) -> Callable[[socket.socket], None]:
    def run(connection: socket.socket) -> None:
        try:
            answer(connection)
        except OSError:  # the other side has given up
            return

    return run


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a camera that works."""
    path = tmp_path_factory.mktemp("good") / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"g": "10", "bf": "0", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt, stream.thread_count = 320, 240, "yuv420p", 1
        for n in range(100):
            container.mux(
                stream.encode(av.VideoFrame.from_ndarray(np.full((240, 320, 3), n, np.uint8), format="rgb24"))
            )
        container.mux(stream.encode())
    with RtspServer(path) as server:
        yield server.url


class NeverAnswered:
    """Name servers that never answer for `.invalid` names, until `over`."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self.asked: set[str] = set()
        self._real = socket.getaddrinfo

    def __call__(self, host: str, *args: object, **kwargs: object) -> Sequence[object]:
        if not str(host).endswith(".invalid"):
            return self._real(host, *args, **kwargs)
        self.asked.add(host)
        self.over.wait(LIMIT_S)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")


async def test_thirty_dead_addresses_take_nothing_from_the_camera_that_works(
    good: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    lookups = NeverAnswered()
    monkeypatch.setattr(socket, "getaddrinfo", lookups)
    times: list[float] = []

    def noting(name: str) -> Pipeline:
        made = pipeline(name, moving=lambda at: False)
        glance = made.glance

        def noted(frame: Frame) -> Scene | None:
            if name == "good":
                times.append(frame.time)
            return glance(frame)

        made.glance = noted  # type: ignore[method-assign]
        return made

    with black_hole() as hole, silence() as silent, slow_answers(1.0) as slow:
        ports = {"refused": free_port(), "hole": hole, "silent": silent, "slow": slow}
        urls = {f"{kind}_{n}": f"rtsp://127.0.0.1:{port}/cam" for kind, port in ports.items() for n in range(6)}
        urls |= {f"name_{n}": f"rtsp://camera-{n}.invalid/cam" for n in range(6)} | {"good": good}
        attempts = Attempts(15)
        made = {
            name: open_rtsp(
                url, Terms(camera=name, shown=name, clock=SystemClock(), connect_timeout_s=2.0, read_timeout_s=2.0)
            )
            for name, url in urls.items()
        }
        dead = [name for name in urls if name != "good"]
        try:
            async with house(
                {name: lambda n=name: made[n] for name in urls}, make_pipeline=noting, attempts=attempts
            ) as run:
                await run.until(lambda: run.cameras["good"].online, within_s=30.0)
                known = [name for name in dead if not name.startswith("name")]
                await run.until(lambda: all(run.cameras[name].state().problem for name in known), within_s=60.0)
                await run.until(lambda: len(times) > 50, within_s=60.0)
                assert lookups.asked == {f"camera-{n}.invalid" for n in range(6)}
                assert run.cameras["good"].restarts == 0
                assert made["good"].counts.connections == 1
                assert sum(t.name.startswith("camera.") for t in threading.enumerate()) == len(urls)
                began = time.monotonic()
            assert time.monotonic() - began < 5.0
        finally:
            lookups.over.set()
    gaps = [later - earlier for earlier, later in pairwise(times[5:])]
    assert max(gaps) < 0.35, gaps  # 5 fps of a stream of 10: none was left out
    lines = Counter(record.name for record in caplog.records if record.name.startswith("blikk.camera."))
    assert max(lines[f"blikk.camera.{name}"] for name in dead) <= 3, lines
