"""RTSP against a real server: both transports, logins, a server that dies and comes back, one that never answers."""

import gc
import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from broker import make_certificates
from patience import in_time
from reading import WITHIN_S, read, replay, terms
from rtsp_server import RtspServer

from blikk_edge.core.errors import SourceError
from blikk_edge.sources.rtsp import open_rtsp


@pytest.fixture(scope="module")
def clip(data: Path) -> Path:
    return data / "video" / "intel_sample" / "car-detection.mp4"


@pytest.fixture(scope="module")
def server(clip: Path) -> Iterator[RtspServer]:
    with RtspServer(clip) as running:
        yield running


@pytest.mark.parametrize("transport", ["auto", "tcp", "udp"])
@in_time
def test_frames_come_five_a_second_with_times_of_now(server: RtspServer, transport: str) -> None:
    source = open_rtsp(server.url, terms(), transport=transport)
    began = time.time()

    frames = read(source, 8)

    assert frames[0].time - began < 1.5
    assert abs(frames[-1].time - time.time()) < 0.3
    gaps = [b.time - a.time for a, b in itertools.pairwise(frames)]
    assert all(0 < gap < 0.35 for gap in gaps)
    assert sum(gaps[2:]) == pytest.approx(1.0, abs=0.15)
    assert frames[0].luma.shape == (432, 768)
    assert source.counts.corrupt == 0


def test_pixels_over_rtsp_are_those_of_the_file(server: RtspServer, clip: Path) -> None:
    got = read(open_rtsp(server.url, terms(), transport="tcp"), 1)[0]

    assert (got.luma == read(replay(clip), 1)[0].luma).all()


@pytest.mark.parametrize("digest", [False, True])
@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_right_login_is_let_in_and_a_wrong_one_is_named(clip: Path, transport: str, digest: bool) -> None:
    with RtspServer(clip, user="viewer", password="s3cret", digest=digest) as server:
        assert len(read(open_rtsp(server.url, terms(), transport=transport), 2)) == 2
        for user, password in (("viewer", "wrong"), (None, None)):
            with pytest.raises(SourceError, match=r"^the source: .*refuses user or password \(401\)"):
                read(open_rtsp(server.url_for(user, password), terms(), transport=transport), 1)


def test_login_with_signs_of_its_own_is_let_in(clip: Path) -> None:
    with RtspServer(clip, user="viewer", password="p@ss:w/rd?#") as server:
        url = server.url_for("viewer", "p%40ss%3Aw%2Frd%3F%23")

        assert len(read(open_rtsp(url, terms()), 1)) == 1


@pytest.mark.parametrize("user", [None, "viewer"])
def test_a_camera_over_tls_is_watched_though_it_made_its_certificate_itself(
    clip: Path, tmp_path: Path, user: str | None
) -> None:
    made = make_certificates(tmp_path)
    both = tmp_path / "both.pem"
    both.write_bytes(made.server.read_bytes() + made.server_key.read_bytes())
    with RtspServer(clip, tls=both, user=user, password="s3cret" if user else None) as server:
        assert server.url.startswith("rtsps://")
        assert len(read(open_rtsp(server.url, terms(), transport="auto"), 2)) == 2


def test_wrong_path_is_named(server: RtspServer) -> None:
    with pytest.raises(SourceError, match="does not know this path"):
        read(open_rtsp(server.url_for(None, None, "/other"), terms()), 1)


@pytest.mark.parametrize("offered", ["tcp", "udp"])
def test_auto_takes_the_transport_that_the_camera_offers(clip: Path, offered: str) -> None:
    with RtspServer(clip, transport=offered) as server:
        assert len(read(open_rtsp(server.url, terms(), transport="auto"), 2)) == 2


def test_transport_that_is_not_offered_is_named(clip: Path) -> None:
    with RtspServer(clip, transport="udp") as server, pytest.raises(SourceError, match="does not offer this transport"):
        read(open_rtsp(server.url, terms(), transport="tcp"), 1)


def test_refused_connection_is_named(free_port: int) -> None:
    with pytest.raises(SourceError, match="connection refused"):
        read(open_rtsp(f"rtsp://127.0.0.1:{free_port}/cam", terms()), 1)


def test_stream_that_ends_is_a_source_error(make_clip) -> None:
    short = make_clip("short.mp4", frames=25, options={"bf": "0"})
    with RtspServer(short, once=True) as server:
        source = open_rtsp(server.url, terms(read_timeout_s=3.0), transport="tcp")

        with pytest.raises(SourceError, match=r"ended|no picture came in time"):
            read(source)

        assert source.counts.decoded > 15


def count(what: str) -> int:
    """How many descriptors (`fd`) or threads (`task`) this process has."""
    return len(list(Path("/proc/self", what).iterdir()))


def test_server_killed_and_back_twenty_times_leaks_nothing(make_clip) -> None:
    clip = make_clip("loop.mp4", frames=50, rate=25, options={"g": "5", "bf": "0"})
    server = RtspServer(clip)
    process = psutil.Process()
    held: list[tuple[int, int, int]] = []  # threads, descriptors, bytes
    times: list[float] = []
    try:
        server.start()
        source = open_rtsp(server.url, terms(connect_timeout_s=5.0, read_timeout_s=5.0), transport="auto")
        for turn in range(20):
            frames = source.frames(threading.Event())
            times += [next(frames).time for _ in range(2)]
            server.kill()
            with pytest.raises(SourceError, match=r"the stream ended|the connection broke"):
                times += [frame.time for frame in frames]
            del frames
            server.start()
            gc.collect()
            if turn in {4, 19}:
                held.append((count("task"), count("fd"), process.memory_info().rss))
    finally:
        server.kill()
    (threads, files, memory), (threads_after, files_after, memory_after) = held

    assert source.counts.connections == 20
    assert threads_after == threads
    assert files_after == files
    assert memory_after - memory < 8_000_000
    assert all(later > earlier for earlier, later in itertools.pairwise(times))


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A server that accepts and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(8)
        yield listener.getsockname()[1]


@pytest.mark.parametrize("transport", ["tcp", "udp"])
@in_time
def test_server_that_never_answers_ends_in_time(silent_port: int, transport: str) -> None:
    given = terms(connect_timeout_s=0.8, read_timeout_s=60.0)
    began = time.monotonic()

    with pytest.raises(SourceError, match="no answer in time"):
        read(open_rtsp(f"rtsp://127.0.0.1:{silent_port}/cam", given, transport=transport), 1)

    assert time.monotonic() - began < 15.0


def test_attempt_that_hangs_ends_within_its_limit_and_says_nothing_once_a_stop_is_asked_for(silent_port: int) -> None:
    stop = threading.Event()
    threading.Timer(0.4, stop.set).start()
    source = open_rtsp(f"rtsp://127.0.0.1:{silent_port}/cam", terms(connect_timeout_s=1.0))

    assert read(source, stop=stop) == []


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_stream_that_stands_still_ends_within_its_limit_and_says_nothing_once_a_stop_is_asked_for(
    clip: Path, transport: str
) -> None:
    stop = threading.Event()
    with RtspServer(clip) as server:
        frames = open_rtsp(server.url, terms(read_timeout_s=2.0), transport=transport).frames(stop)
        next(frames)
        server.pause()
        threading.Timer(0.5, stop.set).start()

        assert len(list(frames)) < 5  # what had come before


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_connection_that_opens_after_a_stop_is_closed_and_brings_nothing(clip: Path, transport: str) -> None:
    stop, taken = threading.Event(), []
    with RtspServer(clip) as server:
        server.pause()  # the machine accepts, the camera says nothing yet
        source = open_rtsp(server.url, terms(connect_timeout_s=30.0), transport=transport)
        thread = threading.Thread(target=lambda: taken.extend(source.frames(stop)))
        thread.start()
        until(lambda: connections_to(server.port), "the attempt")
        stop.set()
        server.resume()
        thread.join(WITHIN_S)

        assert not thread.is_alive()
        assert taken == []
        assert source.counts.connections == 0
        assert not connections_to(server.port)


def connections_to(port: int) -> list[object]:
    """The connections of this process to a port of this machine."""
    return [
        each
        for each in psutil.Process().net_connections("tcp")
        if each.raddr and each.raddr[1] == port and each.status != psutil.CONN_CLOSE_WAIT
    ]


def until(state: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not state():
        assert time.monotonic() < deadline, f"{what} did not come"
        time.sleep(0.01)


@pytest.mark.parametrize("transport", ["tcp", "udp"])
@in_time
def test_stream_that_stands_still_is_a_source_error(clip: Path, transport: str) -> None:
    with RtspServer(clip) as server:
        frames = open_rtsp(server.url, terms(read_timeout_s=1.0), transport=transport).frames(threading.Event())
        next(frames)
        server.pause()
        began = time.monotonic()

        with pytest.raises(SourceError, match="no picture came in time"):
            list(frames)

        assert time.monotonic() - began < 8.0


def test_live_stream_that_changes_its_size_goes_on(make_clip, tmp_path: Path) -> None:
    options = {"bf": "0", "g": "10"}
    parts = [
        make_clip("a.h264", size=(640, 480), frames=30, options=options),
        make_clip("b.h264", size=(320, 240), frames=30, options=options),
    ]
    both = tmp_path / "both.h264"
    both.write_bytes(b"".join(part.read_bytes() for part in parts))
    with RtspServer(both) as server:
        shapes = {frame.bgr().shape for frame in read(open_rtsp(server.url, terms(), transport="tcp"), 12)}

    assert shapes == {(480, 640, 3), (240, 320, 3)}


@pytest.mark.parametrize(
    ("code", "says"),
    [(socket.EAI_AGAIN, "no name server answers"), (socket.EAI_NONAME, "this host name is not known")],
)
def test_a_name_that_is_not_known_is_looked_up_once_and_said(
    monkeypatch: pytest.MonkeyPatch, code: int, says: str
) -> None:
    asked: list[object] = []

    def unknown(host: object, *_: object, **__: object) -> object:
        asked.append(host)
        raise socket.gaierror(code, "nobody knows")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    source = open_rtsp("rtsp://user:secret@camera.invalid/stream", terms("rtsp://***@camera.invalid/stream"))
    with pytest.raises(SourceError, match=says) as raised:
        read(source, 1)
    assert asked == ["camera.invalid"]
    assert "secret" not in str(raised.value)
