"""Pictures over HTTP as real cameras send them: odd multipart answers, redirects, refusals, odd connections."""

import gc
import http.client
import itertools
import socket
import ssl
import subprocess
import threading
import time
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from http_answers import HEAD, PICTURES, encoded, headed, parts, plainly, said, still, stills
from patience import in_time
from raw_web import Asked, raw_web
from reading import read, terms

from blikk_edge.core.errors import SourceError
from blikk_edge.core.scene import Frame
from blikk_edge.sources import jpegs
from blikk_edge.sources.mjpeg import Content, content_of, open_mjpeg


def zipped(asked: Asked) -> None:
    """A stream that a proxy compresses though nobody asked for it."""
    packer = zlib.compressobj(wbits=31)

    def write(content: bytes) -> None:
        asked.write(packer.compress(content) + packer.flush(zlib.Z_SYNC_FLUSH))

    asked.write(HEAD.replace("\r\n\r\n", "\r\nContent-Encoding: gzip\r\n\r\n").encode())
    parts(head="")(replace(asked, write=write))


MANY_PARTS = "Content-Type: multipart/x-mixed-replace; boundary=b0\r\n\r\n"
ODD = {
    "http/1.0": parts(head="http/1.0 200 OK\r\n" + MANY_PARTS),
    "ICY": parts(head="ICY 200 OK\r\n" + MANY_PARTS),
    "HTTP without a version": parts(head="HTTP 200 OK\r\n" + MANY_PARTS),
    "HTTP of the future": parts(head="HTTP/2.0 200 OK\r\n" + MANY_PARTS),
    "no space behind the status": parts(head="HTTP/1.1 200OK\r\n" + MANY_PARTS),
    "blank line before the status": parts(head="\r\nHTTP/1.1 200 OK\r\n" + MANY_PARTS),
    "no status line": parts(head=MANY_PARTS),
    "no HTTP head": parts(head=""),
    "no HTTP head, bare": parts(head="", part=lambda jpeg: jpeg),
    "plain": parts(),
    "no first boundary": parts(first=False),
    "size in the type": parts(part=headed(b"Content-Type: image/jpeg; size=%d\r\n")),
    "image/jpg": parts(part=headed(b"Content-Type: image/jpg\r\nContent-Length: %d\r\n")),
    "no type": parts(part=headed(b"Content-Length: %d\r\n")),
    "no head at all": parts(part=headed(b"")),
    "LF ends": parts(part=headed(b"Content-Type: image/jpeg\n", b"\n")),
    "LF ends everywhere": parts(
        head="HTTP/1.0 200 OK\nContent-Type: multipart/x-mixed-replace;boundary=b0\n\n",
        part=headed(b"Content-Type: image/jpeg\n", b"\n"),
    ),
    "bare": parts(head=said("video/x-motion-jpeg"), part=lambda jpeg: jpeg),
    "bare, no type": parts(head="HTTP/1.1 200 OK\r\n\r\n", part=lambda jpeg: jpeg),
    "bare, called a picture": parts(head=said("image/jpeg"), part=lambda jpeg: jpeg),
    "bare, octets": parts(head=said("application/octet-stream"), part=lambda jpeg: jpeg + bytes(9)),
    "quoted boundary": parts(head=said('multipart/x-mixed-replace; boundary="b0"')),
    "dashes in the boundary": parts(head=said("multipart/x-mixed-replace; boundary=--b0")),
    "another boundary": parts(head=said("multipart/x-mixed-replace; boundary=other")),
    "no boundary named": parts(head=said("multipart/x-mixed-replace")),
    "multipart/mixed": parts(head=said("multipart/mixed; boundary=b0")),
    "capitals": parts(head=said("MultiPart/X-Mixed-Replace; Boundary=b0")),
    "multipart without a type": parts(head="HTTP/1.1 200 OK\r\n\r\n"),
    "preamble": parts(preamble=b"This is a message with multiple parts.\r\n\r\n"),
    "wrong length": parts(part=headed(b"Content-Type: image/jpeg\r\nContent-Length: 17\r\n")),
    "length of a giant": parts(part=headed(b"Content-Type: image/jpeg\r\nContent-Length: 99999999\r\n")),
    "length 0 of it all": parts(head=said("multipart/x-mixed-replace; boundary=b0", more="Content-Length: 0\r\n")),
    "chunked": parts(
        head=said("multipart/x-mixed-replace; boundary=b0", more="Transfer-Encoding: chunked\r\n"), chunked=True
    ),
    "HTTP/1.0": parts(head=said("multipart/x-mixed-replace; boundary=b0", "1.0")),
    "huge head of a part": parts(part=headed(b"Content-Type: image/jpeg\r\nX-Odd: " + b"x" * 30_000 + b"\r\n")),
    "time stamps in the head": parts(part=headed(b"Content-Type: image/jpeg\r\nX-Timestamp: 1.5\r\n")),
    "no end marker": parts(part=lambda jpeg: headed(b"Content-Type: image/jpeg\r\n")(jpeg[:-2])),
    "compressed by a proxy": zipped,
    "parts of sound that look like pictures": parts(
        part=lambda jpeg: (
            headed(b"Content-Type: audio/basic\r\n")(b"\xff\xd8\xff\xff\x7f\x7e" * 300)
            + headed(b"Content-Type: image/jpeg\r\n")(jpeg)
        )
    ),
    "padding": parts(part=lambda jpeg: headed(b"Content-Type: image/jpeg\r\n")(jpeg + bytes(512))),
}


@pytest.mark.parametrize("kind", ODD)
@in_time
def test_odd_stream_opens_at_once_and_comes_at_full_rate(kind: str) -> None:
    with raw_web(ODD[kind]) as web:
        source, began = open_mjpeg(web.url("/video"), terms(fps=10.0)), time.monotonic()
        frames = source.frames(threading.Event())
        first = next(frames)
        opened_s = time.monotonic() - began
        rest = [first, *itertools.islice(frames, 10)]
        frames.close()

    assert opened_s < 2.0
    assert source.counts.connections == 1
    assert source.counts.corrupt in ({0} if kind != "no end marker" else set(range(50)))
    assert rest[-1].time - rest[0].time == pytest.approx(1.0, abs=0.4)
    assert first.bgr().shape == (240, 320, 3)


def test_endless_part_is_given_up_with_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jpegs, "MOST_BYTES", 100_000)

    def flood(asked: Asked) -> None:
        asked.write(HEAD.encode() + b"--b0\r\n\r\n" + PICTURES[0][:-2])
        while not asked.closing.is_set():
            asked.write(bytes(50_000))

    with raw_web(flood) as web, pytest.raises(SourceError, match="no picture"):
        read(open_mjpeg(web.url("/video"), terms(read_timeout_s=1.0)), 1)


def test_parts_that_are_no_jpegs_are_named() -> None:
    with (
        raw_web(parts(part=lambda _: headed(b"Content-Type: image/png\r\n")(encoded(".png")))) as web,
        pytest.raises(SourceError, match="have the camera send JPEG"),
    ):
        read(open_mjpeg(web.url("/video"), terms(read_timeout_s=1.0)), 1)


@in_time
def test_trickle_without_a_picture_is_a_source_error_in_time() -> None:
    def trickle(asked: Asked) -> None:
        asked.write(HEAD.encode())
        while not asked.closing.wait(0.05):
            asked.write(b"x")

    began = time.monotonic()
    with raw_web(trickle) as web, pytest.raises(SourceError, match="no picture came in time"):
        read(open_mjpeg(web.url("/video"), terms(read_timeout_s=1.0)), 1)

    assert time.monotonic() - began < 4.0


# -- what an answer may be -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content_type", "head", "kind"),
    [
        ("multipart/x-mixed-replace", b"", Content.JPEGS),
        ("", b"\xff\xd8\xff\xe0....", Content.JPEGS),
        ("text/plain", b"\xff\xd8\xff\xe0....", Content.JPEGS),
        ("image/jpeg", b"", Content.JPEGS),
        ("", b"\r\n--boundary\r\n", Content.JPEGS),
        ("image/jpeg", b"\x89PNG\r\n\x1a\n", Content.IMAGE),
        ("image/webp", b"RIFF\0\0\0\0WEBPVP8 ", Content.IMAGE),
        ("video/avi", b"RIFF\0\0\0\0AVI LIST", Content.VIDEO),
        ("image/avif", b"\0\0\0 ftypavif", Content.UNKNOWN_IMAGE),
        ("image/jpeg", b"\0\0\0 ftypavif", Content.UNKNOWN_IMAGE),
        ("application/octet-stream", b"\0\0\0 ftypheic", Content.UNKNOWN_IMAGE),
        ("image/jpeg", b"II*\0\x08\0\0\0", Content.UNKNOWN_IMAGE),
        ("application/octet-stream", b"BM\x36\xa3\2\0\0\0\0\0\x36\0", Content.IMAGE),
        ("image/svg+xml", b"<svg xmlns", Content.UNKNOWN_IMAGE),
        ("image/gif", b"GIF89a", Content.VIDEO),
        ("application/octet-stream", b"#EXTM3U\n#EXT", Content.HLS),
        ("", b"\xef\xbb\xbf\n#EXTM3U\n", Content.HLS),
        ("video/mp4", b"\0\0\0 ftypisom", Content.VIDEO),
        ("text/plain", b"\x47\x40\x11\x10\x00\x42\xf0", Content.VIDEO),
        ("", b"\x1a\x45\xdf\xa3", Content.VIDEO),
        ("text/html", b"<h1>camera</h1>", Content.PAGE),
        ("application/octet-stream", b"<!DOCTYPE html><html>", Content.PAGE),
        ("application/json", b'{"error": 1}', Content.TEXT),
        ("text/plain", b"login first", Content.TEXT),
        ("application/dash+xml", b"<?xml ", Content.TEXT),
    ],
)
def test_content_of_an_answer(content_type: str, head: bytes, kind: Content) -> None:
    assert content_of(content_type, head) is kind


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (plainly("401 No", more='WWW-Authenticate: Basic realm="x"\r\n'), r"\(401\)"),
        (plainly("403 No"), r"\(403\)"),
        (plainly("404 No"), r"\(404\)"),
        (plainly("400 No"), r"\(4xx\)"),
        (plainly("429 No"), r"\(429\)"),
        (plainly("500 No"), r"\(5xx\)"),
        (plainly("503 No"), r"\(5xx\)"),
        (plainly("204 Nothing"), "refuses the request"),
        (lambda asked: asked.write(b"http/1.0 401 no\nWWW-Authenticate: Basic realm=x\n\n"), r"\(401\)"),
        (lambda asked: asked.write(b"ICY 404 Resource Not Found\r\n\r\n"), r"\(404\)"),
        (lambda asked: asked.write(b"SSH-2.0-OpenSSH_9.9\r\n"), "as a web server does"),
        (plainly("200 OK", b"<html><body>log in</body>", "Content-Type: text/html\r\n"), "web page"),
        (plainly("200 OK", b'{"a": 1}', "Content-Type: application/json\r\n"), "text"),
        (plainly("200 OK", b"\0\0\0 ftypavif" * 9, "Content-Type: image/avif\r\n"), "JPEG, PNG or WebP"),
        (plainly("200 OK", b"", "Content-Type: image/jpeg\r\n"), "ended before a picture"),
        (plainly("200 OK", b"\xff\xd8\xff" + bytes(99), "Content-Type: image/jpeg\r\n"), "picture"),
        (plainly("302 There", more="Location: /again\r\n"), "without end"),
        (plainly("302 There", more="Location: file:///etc/passwd\r\n"), "none of http"),
        (plainly("302 There", more="Location: rtsp://127.0.0.1/x\r\n"), "none of http"),
        (lambda asked: asked.write(b"RTSP/1.0 400 Bad Request\r\n\r\n"), "as a web server does"),
        (lambda asked: asked.write(b"\x16\x03\x01\x00\x02\x02\x50\r\n\r\n"), "as a web server does"),
        (lambda asked: asked.write(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 500 + b"\r\n"), "as a web server does"),
        (lambda asked: asked.write(b"HTTP/1.1 200 OK\r\nX-A: " + b"b" * 100_000 + b"\r\n\r\n"), "as a web server does"),
        (lambda asked: None, "connection broke"),
    ],
)
def test_what_is_nothing_to_watch_is_refused_in_words(answer: Callable[[Asked], None], says: str) -> None:
    with raw_web(answer) as web, pytest.raises(SourceError, match=f"^the source: .*{says}"):
        read(open_mjpeg(web.url("/x"), terms(connect_timeout_s=3.0, read_timeout_s=2.0)), 1)

    assert len(web.asked) <= 11


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_redirect_is_followed(code: int) -> None:
    given = stills()

    def answer(asked: Asked) -> bool | None:
        if asked.path == "/a":
            plainly(f"{code} There", more="Location: b/c?d=1\r\n")(asked)
            return True
        return given(asked)

    with raw_web(answer) as web:
        assert len(read(open_mjpeg(web.url("/a"), terms()), 2)) == 2

    assert "/b/c?d=1" in web.asked


# -- connections ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate that a camera made itself, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    key, made = folder / "key.pem", folder / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=camera", "-days", "2"]
    subprocess.run([*command, "-keyout", key, "-out", made], check=True, capture_output=True)
    return made, key


def test_camera_with_a_certificate_of_its_own_is_read_over_https(certificate: tuple[Path, Path]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)

    with raw_web(parts(), wrap=lambda sock: context.wrap_socket(sock, server_side=True)) as web:
        url = web.url("/video").replace("http:", "HTTPS:")
        frames = read(open_mjpeg(url, terms()), 5)

    assert len(frames) == 5


def test_https_where_there_is_none_is_named() -> None:
    def plain(sock):
        sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        return sock

    with raw_web(parts(), wrap=plain) as web, pytest.raises(SourceError, match="no encrypted connection"):
        read(open_mjpeg(web.url("/video").replace("http:", "https:"), terms(connect_timeout_s=3.0)), 1)


def busy_from_the_second_on() -> Callable[[Asked], bool]:
    turns = itertools.count()

    def answer(asked: Asked) -> bool:
        if next(turns):
            asked.write(b"HTTP/1.1 503 Busy\r\nContent-Length: 3\r\n\r\nno.")
            return True
        return still(PICTURES[0])(asked)

    return answer


LEFT_BEHIND = {
    "no TLS": ("https:", lambda asked: asked.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")),
    "refused": ("http:", plainly("404 No", b"nothing here")),
    "no login": ("http:", plainly("401 No", b"log in", 'WWW-Authenticate: Basic realm="x"\r\n')),
    "sent round": ("http:", plainly("302 There", b"there", more="Location: /again\r\n")),
    "no web server": ("http:", lambda asked: asked.write(b"RTSP/1.0 400 Bad Request\r\n\r\n")),
    "half a status line": ("http:", lambda asked: asked.write(b"http/1")),
    "a picture, then busy": ("http:", busy_from_the_second_on()),
    "half a picture": ("http:", lambda asked: asked.write(said("image/jpeg", more="Content-Length: 999\r\n").encode())),
}


@pytest.mark.parametrize("what", LEFT_BEHIND)
def test_nothing_is_left_open_for_the_garbage_collector(what: str) -> None:
    scheme, answer = LEFT_BEHIND[what]
    gc.collect()
    gc.disable()
    try:
        with raw_web(answer) as web:
            url = web.url("/video", "u:p").replace("http:", scheme)
            with pytest.raises(SourceError):
                read(open_mjpeg(url, terms(connect_timeout_s=3.0, read_timeout_s=1.0)))
            found = gc.get_objects()
            sockets = [each for each in found if isinstance(each, socket.socket) and each.fileno() >= 0]
            ours = [each for each in sockets if port_of(each.getpeername) == web.port]
            answers = [each for each in found if isinstance(each, http.client.HTTPResponse) and not each.closed]
    finally:
        gc.enable()

    assert (ours, answers) == ([], [])


def port_of(name: Callable[[], tuple[str, int]]) -> int | None:
    try:
        return name()[1]
    except OSError:  # one that listens, or whose other end has gone
        return None


@in_time
def test_stop_ends_a_server_that_never_answers_within_a_second() -> None:
    stop = threading.Event()
    with raw_web(lambda asked: not asked.closing.wait(30)) as web:
        threading.Timer(0.5, stop.set).start()
        began = time.monotonic()
        assert read(open_mjpeg(web.url("/video"), terms()), stop=stop) == []

    assert time.monotonic() - began < 1.6


@in_time
def test_server_that_never_answers_ends_in_time() -> None:
    began = time.monotonic()
    with (
        raw_web(lambda asked: not asked.closing.wait(30)) as web,
        pytest.raises(SourceError, match="no answer in time"),
    ):
        read(open_mjpeg(web.url("/video"), terms(connect_timeout_s=1.0)), 1)

    assert time.monotonic() - began < 3.0


def test_refused_connection_is_named(free_port: int) -> None:
    with pytest.raises(SourceError, match="connection refused"):
        read(open_mjpeg(f"http://127.0.0.1:{free_port}/x", terms()), 1)


def test_camera_at_an_ipv6_address_is_read() -> None:
    frames: list[Frame] = []
    import socketserver

    pictures = iter(PICTURES)

    class V6(socketserver.ThreadingTCPServer):
        import socket

        address_family = socket.AF_INET6
        daemon_threads = True

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while self.rfile.readline().strip():
                pass
            self.wfile.write(said("image/jpeg", more="Connection: close\r\n").encode() + next(pictures))

    try:
        server = V6(("::1", 0), Handler)
    except OSError:
        pytest.skip("no IPv6 here")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        frames = read(open_mjpeg(f"HTTP://[::1]:{server.server_address[1]}/x", terms()), 2)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

    assert len(frames) == 2
