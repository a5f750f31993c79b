"""RTSP servers that libav makes nothing of: they are asked once more, and what is odd about them is named."""

import base64
import hashlib
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from broker import make_certificates
from reading import read, terms

from blikk_edge.core.errors import SourceError
from blikk_edge.sources.rtsp import open_rtsp
from blikk_edge.sources.rtsp_oddities import oddity

TIMEOUT_S = 1.5


@dataclass
class Asked:
    """What one server was asked: methods and paths."""

    port: int
    lines: list[str] = field(default_factory=list)


@contextmanager
def answering(
    answer: Callable[[str, str], str], *, asks: str = "", tls: ssl.SSLContext | None = None
) -> Iterator[Asked]:
    """An RTSP server of `answer`: method and path in, the head's first lines out, with PORT for its own.

    `asks` is the login that it asks for first (`Basic`, `Digest`), which is `viewer` and `s3cret`.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        asked = Asked(listener.getsockname()[1])

        def talk(plain: socket.socket) -> None:
            try:
                connection = tls.wrap_socket(plain, server_side=True) if tls else plain
            except OSError:
                plain.close()
                return
            with connection, connection.makefile("rb") as lines:
                try:
                    while line := lines.readline().decode():
                        cseq = authorization = ""
                        while head := lines.readline().strip().decode():
                            cseq = head if head.lower().startswith("cseq") else cseq
                            authorization = head if head.lower().startswith("authorization") else authorization
                        if line.startswith(("OPTIONS", "DESCRIBE")):  # libav answers what it takes for a request
                            method, url, _ = line.split(" ")
                            asked.lines.append(method)
                            path = "/" + url.split("/", 3)[3].strip()
                            body = ""
                            if asks and not right(asks, method, authorization):
                                body = "<h1>who are you</h1>\r\n\r\n"
                                text = f"RTSP/1.0 401 Unauthorized\r\nWWW-Authenticate: {CHALLENGES[asks]}"
                                text += f"\r\nContent-Length: {len(body)}"
                            else:
                                text = answer(method, path).replace("PORT", str(asked.port))
                            connection.sendall(f"{text}\r\n{cseq}\r\n\r\n{body}".encode())
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


CHALLENGES = {"Basic": 'Basic realm="cam"', "Digest": 'Digest realm="cam", nonce="n0nce"'}


def right(asks: str, method: str, authorization: str) -> bool:
    """Whether this is the login that is asked for."""
    if asks == "Basic":
        return authorization.endswith(f"Basic {base64.b64encode(b'viewer:s3cret').decode()}")
    uri = re.search(r'uri="([^"]+)"', authorization)

    def md5(text: str) -> str:
        return hashlib.md5(text.encode()).hexdigest()

    wanted = md5(f"{md5('viewer:cam:s3cret')}:n0nce:{md5(f'{method}:{uri[1] if uri else None}')}")
    return f'response="{wanted}"' in authorization


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


@pytest.mark.parametrize("asks", ["Basic", "Digest"])
def test_a_server_that_wants_a_login_before_it_redirects_is_seen_through(asks: str) -> None:
    with answering(ODD["there and back"][0], asks=asks) as server:
        given = terms(connect_timeout_s=TIMEOUT_S, read_timeout_s=TIMEOUT_S)
        with pytest.raises(SourceError, match="its redirects lead round in a circle"):
            read(open_rtsp(f"rtsp://viewer:s3cret@127.0.0.1:{server.port}/a", given, transport="tcp"), 1)


def test_a_login_is_given_to_its_own_server_alone() -> None:
    with answering(lambda _m, _p: "RTSP/1.0 200 OK", asks="Basic") as other:
        to_other = f"RTSP/1.0 301 Moved\r\nLocation: rtsp://127.0.0.1:{other.port}/a"
        with answering(lambda _m, _p: to_other) as server:
            assert oddity(f"rtsp://viewer:s3cret@127.0.0.1:{server.port}/a", "the source", threading.Event()) == ""
    assert other.lines == ["OPTIONS"]


def test_a_circle_over_tls_is_named(tmp_path: Path) -> None:
    made = make_certificates(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(made.server, made.server_key)
    with answering(lambda _m, _p: moved("/a").replace("rtsp:", "rtsps:"), tls=tls) as server:
        given = terms(connect_timeout_s=TIMEOUT_S, read_timeout_s=TIMEOUT_S)
        with pytest.raises(SourceError, match="its redirects lead round in a circle"):
            read(open_rtsp(f"rtsps://127.0.0.1:{server.port}/a", given, transport="tcp"), 1)


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
