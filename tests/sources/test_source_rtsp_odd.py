"""RTSP servers that libav makes nothing of: they are asked once more, and what is odd about them is named."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from reading import read, terms

from blikk_edge.core.errors import SourceError
from blikk_edge.sources.rtsp import open_rtsp

TIMEOUT_S = 1.5


@dataclass
class Asked:
    """What one server was asked: methods and paths."""

    port: int
    lines: list[str] = field(default_factory=list)


@contextmanager
def answering(answer: Callable[[str, str], str]) -> Iterator[Asked]:
    """An RTSP server of `answer`: method and path in, the head's first lines out, with PORT for its own."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        asked = Asked(listener.getsockname()[1])

        def talk(connection: socket.socket) -> None:
            with connection, connection.makefile("rb") as lines:
                try:
                    while line := lines.readline().decode():
                        cseq = ""
                        while head := lines.readline().strip().decode():
                            cseq = head if head.lower().startswith("cseq") else cseq
                        if line.startswith(("OPTIONS", "DESCRIBE")):  # libav answers what it takes for a request
                            method, url, _ = line.split(" ")
                            asked.lines.append(method)
                            text = answer(method, "/" + url.split("/", 3)[3].strip()).replace("PORT", str(asked.port))
                            connection.sendall(f"{text}\r\n{cseq}\r\n\r\n".encode())
                except OSError:
                    return

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=talk, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield asked
        listener.shutdown(socket.SHUT_RDWR)


def moved(to: str) -> str:
    return f"RTSP/1.0 301 Moved\r\nLocation: rtsp://127.0.0.1:PORT{to}"


def only_describe(_method: str, path: str) -> str:
    return moved("/b" if path == "/a" else "/a") if _method == "DESCRIBE" else "RTSP/1.0 200 OK"


ODD: dict[str, tuple[Callable[[str, str], str], str]] = {
    "to itself": (
        lambda _m, _p: moved("/a"),
        r"its redirects lead round in a circle \(rtsp://127\.0\.0\.1:\d+/a -> rtsp://127\.0\.0\.1:\d+/a\); name",
    ),
    "there and back": (
        lambda _m, path: moved("/b" if path == "/a" else "/a"),
        r"in a circle \(rtsp://[\d.:]+/a -> rtsp://[\d.:]+/b -> rtsp://[\d.:]+/a\)",
    ),
    "there and back when described": (only_describe, r"in a circle \(rtsp://[\d.:]+/a -> rtsp://[\d.:]+/b -> "),
    "on and on": (lambda _m, path: moved(path + "a"), "its redirects lead on and on"),
    "nowhere": (lambda _m, _p: "RTSP/1.0 302 Found", "it redirects without saying where to"),
    "small letters": (lambda _m, _p: "rtsp/1.0 200 OK\r\nPublic: DESCRIBE", "its answers begin with `rtsp/` in small"),
}


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("transport", ["auto", "tcp", "udp"])
def test_what_is_odd_about_a_server_is_named(name: str, transport: str) -> None:
    answer, says = ODD[name]
    with answering(answer) as server:
        url = f"rtsp://viewer:s3cret@127.0.0.1:{server.port}/a"
        given = terms(
            shown=f"rtsp://***@127.0.0.1:{server.port}/a", connect_timeout_s=TIMEOUT_S, read_timeout_s=TIMEOUT_S
        )
        with pytest.raises(SourceError, match=says) as raised:
            read(open_rtsp(url, given, transport=transport), 1)
    assert "s3cret" not in str(raised.value)
    assert "viewer" not in str(raised.value)


def test_an_address_that_is_hidden_is_not_named() -> None:
    with answering(ODD["there and back"][0]) as server:
        given = terms(shown="rtsp://***", connect_timeout_s=TIMEOUT_S, read_timeout_s=TIMEOUT_S)
        with pytest.raises(SourceError) as raised:
            read(open_rtsp(f"rtsp://127.0.0.1:{server.port}/a", given), 1)
    assert str(raised.value) == (
        "rtsp://***: its redirects lead round in a circle; name the address of the stream itself"
    )


def test_a_circle_is_asked_a_few_times_alone_when_it_is_opened_again() -> None:
    with answering(ODD["there and back"][0]) as server:
        source = open_rtsp(
            f"rtsp://127.0.0.1:{server.port}/a", terms(connect_timeout_s=TIMEOUT_S, read_timeout_s=TIMEOUT_S)
        )
        for _ in range(2):
            server.lines.clear()
            with pytest.raises(SourceError, match="in a circle"):
                list(source.frames(threading.Event()))
    assert server.lines == ["OPTIONS", "OPTIONS"]
