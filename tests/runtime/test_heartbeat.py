"""The sign of life: what a real socket of systemd's kind receives, and the file that `blikk health` reads."""

import asyncio
import contextlib
import fcntl
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from blikk_edge.runtime.heartbeat import Heartbeat
from blikk_edge.runtime.notify import Notify

LIMIT_S = 60.0


@pytest.fixture(params=["path", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, dict[str, str]]]:
    """A socket that receives what a service says, and the variables that name it."""
    name = str(tmp_path / "notify")
    if request.param == "abstract":
        name = f"@blikk-test-{os.getpid()}-{tmp_path.name}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(name.replace("@", "\0", 1) if name.startswith("@") else name)
        receiver.settimeout(LIMIT_S)
        yield receiver, {"NOTIFY_SOCKET": name, "XDG_RUNTIME_DIR": str(tmp_path)}


def lines(receiver: socket.socket) -> list[str]:
    return receiver.recv(4096).decode().splitlines()


@contextlib.contextmanager
def beating(heartbeat: Heartbeat) -> Iterator[asyncio.AbstractEventLoop]:
    """The heartbeat in a loop of its own, in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(heartbeat.run(lambda: "1 of 1 cameras online", asyncio.sleep), loop)
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(LIMIT_S)
        for task in (tasks := asyncio.all_tasks(loop)):
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.close()
        heartbeat.close()


def test_ready_then_pings_then_stopping(systemd):
    receiver, environ = systemd
    heartbeat = Heartbeat("hallway", environ, every_s=0.01)
    with beating(heartbeat):
        assert lines(receiver) == ["READY=1"]
        assert lines(receiver) == ["WATCHDOG=1", "STATUS=1 of 1 cameras online"]
        assert lines(receiver) == ["WATCHDOG=1"]  # the status is sent where it changes
        heartbeat.stopping()
        while (received := lines(receiver)) == ["WATCHDOG=1"]:
            pass
        assert received == ["STOPPING=1", "STATUS=stopping"]


def test_a_loop_that_hangs_stops_the_pings(systemd):
    receiver, environ = systemd
    go, hangs = threading.Event(), threading.Event()

    def hang() -> None:
        hangs.set()
        go.wait(LIMIT_S)

    with beating(Heartbeat("hallway", environ, every_s=0.01)) as loop:
        while lines(receiver)[0] != "WATCHDOG=1":
            pass
        loop.call_soon_threadsafe(hang)
        assert hangs.wait(LIMIT_S)
        receiver.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while lines(receiver):
                pass
        receiver.settimeout(0.3)
        with pytest.raises(TimeoutError):
            lines(receiver)
        go.set()
        receiver.settimeout(LIMIT_S)
        assert lines(receiver) == ["WATCHDOG=1"]


@pytest.mark.parametrize(
    ("limit", "pid", "expected_s"),
    [
        ("60000000", None, 60.0),
        ("4000000", "own", 4.0),
        ("4000000", "1", None),
        ("", None, None),
        ("x", None, None),
        ("0", None, None),
    ],
)
def test_the_watchdog_is_the_one_that_systemd_has_set_for_this_process(limit, pid, expected_s):
    environ = {"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": limit}
    if pid is not None:
        environ["WATCHDOG_PID"] = str(os.getpid()) if pid == "own" else pid
    assert Notify(environ).watchdog_s == expected_s


async def test_a_ping_comes_twice_within_the_watchdog(tmp_path: Path):
    environ = {"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "4000000", "XDG_RUNTIME_DIR": str(tmp_path)}
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        raise asyncio.CancelledError

    heartbeat = Heartbeat("hallway", environ)
    with pytest.raises(asyncio.CancelledError):
        await heartbeat.run(lambda: "fine", sleep)
    assert slept == [2.0]
    heartbeat.close()


def test_the_file_has_the_time_and_is_locked_until_it_is_gone(tmp_path: Path):
    heartbeat = Heartbeat("hallway", {"RUNTIME_DIRECTORY": f"{tmp_path / 'blikk'}:/elsewhere"}, every_s=0.01)
    path = tmp_path / "blikk" / "hallway.alive"
    before = time.monotonic()
    with beating(heartbeat):
        end = time.monotonic() + LIMIT_S
        while not path.exists() or not path.read_text():
            assert time.monotonic() < end
            time.sleep(0.002)
        assert before - 0.001 <= float(path.read_text()) <= time.monotonic() + 0.001
        with path.open("rb") as opened, pytest.raises(BlockingIOError):
            fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
    assert not path.exists()


def test_a_second_node_of_the_same_name_is_called_so(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    environ = {"XDG_RUNTIME_DIR": str(tmp_path)}
    end = time.monotonic() + LIMIT_S
    with beating(Heartbeat("hallway", environ, every_s=0.01)):
        while not list(tmp_path.rglob("hallway.alive")):
            assert time.monotonic() < end
            time.sleep(0.002)
        with beating(Heartbeat("hallway", environ, every_s=0.01)):
            while not caplog.messages:
                assert time.monotonic() < end
                time.sleep(0.002)
    (said,) = caplog.messages
    assert "another node of the same name runs here" in said


async def test_a_folder_that_cannot_be_written_to_is_said_once_and_stops_no_ping(
    systemd, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    receiver, environ = systemd
    (tmp_path / "blikk").touch()  # no folder can be made there
    heartbeat = Heartbeat("hallway", environ)
    turns = iter(range(4))

    async def sleep(_seconds: float) -> None:
        if next(turns) == 3:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await heartbeat.run(lambda: "fine", sleep)
    assert [lines(receiver)[0] for _ in range(5)] == ["READY=1", *["WATCHDOG=1"] * 4]
    (said,) = caplog.messages
    assert "`blikk health` cannot see this node" in said
    assert "XDG_RUNTIME_DIR" in said
