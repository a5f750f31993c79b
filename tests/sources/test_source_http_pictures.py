"""Pictures over HTTP as real cameras send them: odd multipart answers, still images, logins, redirects, refusals."""

import gc
import hashlib
import http.client
import itertools
import logging
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from raw_web import Asked, raw_web
from reading import read, terms

from blikk_edge.core.clock import SystemClock
from blikk_edge.core.errors import SourceError
from blikk_edge.core.scene import Frame
from blikk_edge.core.stop import Stop
from blikk_edge.sources import jpegs
from blikk_edge.sources.catalog import open_source
from blikk_edge.sources.login import Login
from blikk_edge.sources.mjpeg import HttpSource, Kind, kind_of, open_mjpeg

PICTURES = [
    cv2.imencode(".jpg", np.roll(np.tile(np.arange(320, dtype=np.uint8), (240, 1)), 9 * n, 1))[1].tobytes()
    for n in range(20)
]
HEAD = "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=b0\r\n\r\n"


def parts(
    *,
    head: str = HEAD,
    preamble: bytes = b"",
    first: bool = True,
    part: Callable[[bytes], bytes] = lambda jpeg: b"--b0\r\nContent-Type: image/jpeg\r\n\r\n" + jpeg + b"\r\n",
    chunked: bool = False,
    every_s: float = 0.05,
) -> Callable[[Asked], None]:
    """An endless answer made of parts."""

    def answer(asked: Asked) -> None:
        write = (lambda content: asked.write(b"%x\r\n%b\r\n" % (len(content), content))) if chunked else asked.write
        asked.write(head.encode())
        if preamble:
            write(preamble)
        for n, jpeg in enumerate(itertools.cycle(PICTURES)):
            content = part(jpeg)
            if not first and n == 0:
                content = content[content.index(b"\n") + 1 :]
            write(content)
            if asked.closing.wait(every_s):
                return

    return answer


def headed(lines: bytes, end: bytes = b"\r\n") -> Callable[[bytes], bytes]:
    return lambda jpeg: b"--b0" + end + lines.replace(b"%d", b"%d" % len(jpeg)) + end + jpeg + end


def said(content_type: str, version: str = "1.1", more: str = "") -> str:
    return f"HTTP/{version} 200 OK\r\nContent-Type: {content_type}\r\n{more}\r\n"


ODD = {
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
    "padding": parts(part=lambda jpeg: headed(b"Content-Type: image/jpeg\r\n")(jpeg + bytes(512))),
}


@pytest.mark.parametrize("kind", ODD)
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


def test_trickle_without_a_picture_is_a_source_error_in_time() -> None:
    def trickle(asked: Asked) -> None:
        asked.write(HEAD.encode())
        while not asked.closing.wait(0.05):
            asked.write(b"x")

    began = time.monotonic()
    with raw_web(trickle) as web, pytest.raises(SourceError, match="no picture came in time"):
        read(open_mjpeg(web.url("/video"), terms(read_timeout_s=1.0)), 1)

    assert time.monotonic() - began < 4.0


# -- still images --------------------------------------------------------------------------------------------------


def still(content: bytes, content_type: str = "image/jpeg", *, keeps: bool = True) -> Callable[[Asked], bool]:
    def answer(asked: Asked) -> bool:
        length = f"Content-Length: {len(content)}\r\n" if keeps else "Connection: close\r\n"
        asked.write(said(content_type, more=length).encode() + content)
        return keeps

    return answer


def encoded(ending: str) -> bytes:
    return cv2.imencode(ending, np.tile(np.arange(320, dtype=np.uint8), (240, 1)))[1].tobytes()


def once_each(asked: Asked) -> None:
    """A stream that ends after its first picture."""
    asked.write(HEAD.encode() + headed(b"Content-Type: image/jpeg\r\n")(PICTURES[0]))


def in_chunks(asked: Asked) -> bool:
    head = said("image/jpeg", more="Transfer-Encoding: chunked\r\n").encode()
    cut = len(PICTURES[0]) // 2
    for content in (PICTURES[0][:cut], PICTURES[0][cut:], b""):
        head += b"%x\r\n%b\r\n" % (len(content), content)
    asked.write(head)
    return True


STILLS = {
    "jpeg in chunks": in_chunks,
    "jpeg": still(PICTURES[0]),
    "jpeg, closed each time": still(PICTURES[0], keeps=False),
    "jpeg called jpg": still(PICTURES[0], "image/jpg"),
    "jpeg called octets": still(PICTURES[0], "application/octet-stream"),
    "jpeg with a preview behind it": still(PICTURES[0] + PICTURES[1]),
    "jpeg without its end": still(PICTURES[0][:-2]),
    "png": still(encoded(".png"), "image/png"),
    "webp": still(encoded(".webp"), "image/webp"),
    "bmp": still(encoded(".bmp"), "image/bmp"),
    "png called jpeg": still(encoded(".png")),
    "stream of one picture": once_each,
}


@pytest.mark.parametrize("kind", STILLS)
def test_still_image_is_asked_for_again_at_the_frame_rate(kind: str) -> None:
    with raw_web(STILLS[kind]) as web:
        source = open_mjpeg(web.url("/snap"), terms(fps=4.0))
        frames = read(source, 9)

    assert [frame.seq for frame in frames] == list(range(1, 10))
    assert frames[-1].time - frames[0].time == pytest.approx(2.0, abs=0.5)
    assert 9 <= len(web.asked) <= 10
    assert frames[0].bgr().shape == (240, 320, 3)
    assert source.counts.connections == 1


def test_still_images_come_over_one_connection_where_the_camera_keeps_it() -> None:
    with raw_web(still(PICTURES[0])) as web:
        read(open_mjpeg(web.url("/snap"), terms()), 5)

    assert web.connections == 1


def test_still_image_is_asked_for_no_more_often_than_is_fair() -> None:
    with raw_web(still(PICTURES[0])) as web:
        frames = read(open_mjpeg(web.url("/snap"), terms(fps=50.0)), 6)

    assert frames[-1].time - frames[0].time > 0.9


def test_slow_camera_is_busy_with_us_for_half_of_its_time_at_most() -> None:
    def slow(asked: Asked) -> bool:
        asked.closing.wait(0.4)
        return still(PICTURES[0])(asked)

    with raw_web(slow) as web:
        frames = read(open_mjpeg(web.url("/snap"), terms()), 4)

    assert frames[-1].time - frames[1].time > 1.4


def test_file_name_of_a_picture_in_the_address_changes_nothing() -> None:
    with raw_web(still(PICTURES[0])) as web:
        source = open_source(
            f" {web.url('/snap.jpg?x=1').upper().replace('/SNAP.JPG', '/snap.jpg')} ",
            camera="a",
            shown="a",
            clock=SystemClock(),
        )
        assert len(read(source, 3)) == 3


def test_still_image_that_fails_now_and_then_goes_on() -> None:
    turns = itertools.count()

    def flaky(asked: Asked) -> bool:
        match next(turns) % 4:
            case 1:
                asked.write(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
                return True
            case 3:
                return False  # hangs up without a word
        return still(PICTURES[0])(asked)

    with raw_web(flaky) as web:
        source = open_mjpeg(web.url("/snap"), terms(fps=5.0))
        assert len(read(source, 4)) == 4

    assert source.counts.connections == 1


def test_still_image_that_is_gone_for_too_long_is_a_source_error() -> None:
    turns = itertools.count()

    def gone(asked: Asked) -> bool:
        if next(turns):
            asked.write(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
            return True
        return still(PICTURES[0])(asked)

    began = time.monotonic()
    with raw_web(gone) as web, pytest.raises(SourceError, match="5xx"):
        read(open_mjpeg(web.url("/snap"), terms(read_timeout_s=1.5)))

    assert 1.0 < time.monotonic() - began < 6.0
    assert len(web.asked) < 8


def test_still_image_that_becomes_a_stream_is_opened_anew_as_one() -> None:
    turns = itertools.count()

    def answer(asked: Asked) -> None:
        return once_each(asked) if next(turns) < 2 else parts(every_s=0.1)(asked)

    with raw_web(answer) as web:
        assert len(read(open_mjpeg(web.url("/snap"), terms()), 12)) == 12


def test_stop_ends_a_still_image_between_two_polls_and_while_it_waits() -> None:
    def silent(asked: Asked) -> bool:
        return still(PICTURES[0])(asked) if len(web.asked) < 3 else not asked.closing.wait(30)

    with raw_web(silent) as web:
        stop, taken = Stop(), []
        threading.Timer(2.0, stop.set).start()
        began = time.monotonic()
        taken = read(open_mjpeg(web.url("/snap"), terms()), stop=stop)

    assert len(taken) == 2
    assert time.monotonic() - began < 3.0


def test_picture_file_that_is_written_anew_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "snap.jpg"
    path.write_bytes(PICTURES[0])
    frames = open_source(str(path), camera="a", shown="a", clock=SystemClock(), fps=5.0).frames(threading.Event())
    first = [next(frames) for _ in range(3)]
    path.write_bytes(PICTURES[5][:1000])  # half written
    path.unlink()
    threading.Timer(0.5, path.write_bytes, (encoded(".png"),)).start()
    path.write_bytes(PICTURES[5])
    later = next(frames)
    frames.close()

    assert first[-1].time - first[0].time == pytest.approx(0.4, abs=0.15)
    assert not np.array_equal(later.luma, first[0].luma)


def test_picture_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    source = open_source(str(tmp_path / "none.jpg"), camera="a", shown="a", clock=SystemClock())

    with pytest.raises(SourceError, match="not found"):
        read(source, 1)


# -- what an answer may be -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content_type", "head", "kind"),
    [
        ("multipart/x-mixed-replace", b"", Kind.JPEGS),
        ("", b"\xff\xd8\xff\xe0....", Kind.JPEGS),
        ("text/plain", b"\xff\xd8\xff\xe0....", Kind.JPEGS),
        ("image/jpeg", b"", Kind.JPEGS),
        ("", b"\r\n--boundary\r\n", Kind.JPEGS),
        ("image/jpeg", b"\x89PNG\r\n\x1a\n", Kind.IMAGE),
        ("image/webp", b"RIFF\0\0\0\0WEBPVP8 ", Kind.IMAGE),
        ("video/avi", b"RIFF\0\0\0\0AVI LIST", Kind.VIDEO),
        ("image/avif", b"\0\0\0 ftypavif", Kind.UNKNOWN_IMAGE),
        ("image/svg+xml", b"<svg xmlns", Kind.UNKNOWN_IMAGE),
        ("image/gif", b"GIF89a", Kind.VIDEO),
        ("application/octet-stream", b"#EXTM3U\n#EXT", Kind.HLS),
        ("", b"\xef\xbb\xbf\n#EXTM3U\n", Kind.HLS),
        ("video/mp4", b"\0\0\0 ftypisom", Kind.VIDEO),
        ("text/plain", b"\x47\x40\x11\x10\x00\x42\xf0", Kind.VIDEO),
        ("", b"\x1a\x45\xdf\xa3", Kind.VIDEO),
        ("text/html", b"<h1>camera</h1>", Kind.PAGE),
        ("application/octet-stream", b"<!DOCTYPE html><html>", Kind.PAGE),
        ("application/json", b'{"error": 1}', Kind.TEXT),
        ("text/plain", b"login first", Kind.TEXT),
        ("application/dash+xml", b"<?xml ", Kind.TEXT),
    ],
)
def test_kind_of_an_answer(content_type: str, head: bytes, kind: Kind) -> None:
    assert kind_of(content_type, head) is kind


def plainly(status: str, content: bytes = b"", more: str = "") -> Callable[[Asked], None]:
    return lambda asked: asked.write(
        f"HTTP/1.1 {status}\r\nContent-Length: {len(content)}\r\n{more}\r\n".encode() + content
    )


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
    def answer(asked: Asked) -> bool | None:
        if asked.path == "/a":
            plainly(f"{code} There", more="Location: b/c?d=1\r\n")(asked)
            return True
        return still(PICTURES[0])(asked)

    with raw_web(answer) as web:
        assert len(read(open_mjpeg(web.url("/a"), terms()), 2)) == 2

    assert "/b/c?d=1" in web.asked


# -- logins --------------------------------------------------------------------------------------------------------

USER, PASSWORD = "viewer", "p@ss:w/rd?#%"
ESCAPED = "p%40ss%3Aw%2Frd%3F%23%25"


def digest_is_right(told: str, method: str, path: str, *, algorithm: str | None, qop: bool, password: str) -> bool:
    """An independent reading of RFC 7616."""
    values = {
        key.strip(): value.strip().strip('"')
        for key, _, value in (each.partition("=") for each in told[7:].split(", "))
    }
    name = (algorithm or "MD5").replace("-sess", "")

    def hashed(text: str) -> str:
        return hashlib.new({"MD5": "md5", "SHA-256": "sha256"}[name], text.encode()).hexdigest()

    one = hashed(f"{USER}:cam:{password}")
    if algorithm and algorithm.endswith("-sess"):
        one = hashed(f"{one}:abc:{values['cnonce']}")
    two = hashed(f"{method}:{path}")
    middle = f"{values['nc']}:{values['cnonce']}:auth:" if qop else ""
    wanted = hashed(f"{one}:{values['nonce']}:{middle}{two}")
    return (values["username"], values["uri"], values["response"], values["nonce"], values["opaque"]) == (
        USER,
        path,
        wanted,
        "abc",
        "x,y",
    )


CHALLENGES = [(None, False), (None, True), ("MD5", True), ("MD5-sess", True), ("SHA-256", True), ("SHA-256-sess", True)]


@pytest.mark.parametrize(("algorithm", "qop"), CHALLENGES)
def test_digest_login_is_let_in_and_a_wrong_one_is_named(algorithm: str | None, qop: bool) -> None:
    counts: list[str] = []

    def answer(asked: Asked) -> bool | None:
        told = asked.headers.get("authorization", "")
        if told.startswith("Digest ") and digest_is_right(
            told, "GET", asked.path, algorithm=algorithm, qop=qop, password=PASSWORD
        ):
            counts.append(told)
            return still(PICTURES[0])(asked)
        challenge = 'Digest realm="cam", nonce="abc", opaque="x,y"'
        challenge += f", algorithm={algorithm}" if algorithm else ""
        challenge += ', qop="auth,auth-int"' if qop else ""
        plainly("401 No", b"log in", f'WWW-Authenticate: Basic realm="cam"\r\nWWW-Authenticate: {challenge}\r\n')(asked)
        return True

    with raw_web(answer) as web:
        assert len(read(open_mjpeg(web.url("/snap?a=b", f"{USER}:{ESCAPED}"), terms()), 3)) == 3
        assert len(web.asked) == 4  # asked for once, known from then on
        assert web.connections == 1
        assert len(set(counts)) == (3 if qop else 1)
        for login in (f"{USER}:wrong", ""):
            asked = len(web.asked)
            with pytest.raises(SourceError, match=r"\(401\)"):
                read(open_mjpeg(web.url("/snap?a=b", login), terms()), 1)
            assert len(web.asked) - asked <= 2  # a camera may lock out who tries often


def test_nonce_that_became_too_old_is_renewed() -> None:
    nonces = itertools.count()

    def answer(asked: Asked) -> bool | None:
        n = next(nonces)
        if n % 3 and f'nonce="n{n - n % 3}"' in asked.headers.get("authorization", ""):
            return still(PICTURES[0])(asked)
        stale = ", stale=true" if "authorization" in asked.headers else ""
        plainly("401 No", more=f'WWW-Authenticate: Digest realm="c", nonce="n{n}", qop="auth"{stale}\r\n')(asked)
        return True

    with raw_web(answer) as web:
        assert len(read(open_mjpeg(web.url("/snap", "u:p"), terms()), 5)) == 5


def test_one_header_may_offer_several_logins() -> None:
    login = Login(b"u", b"p")

    assert login.challenged(['Basic realm="a, b", Digest realm="c", nonce="n,1", qop="auth", Negotiate'])
    assert 'realm="c"' in str(login.header("GET", "/"))
    assert 'nonce="n,1"' in str(login.header("GET", "/"))


def test_password_does_not_go_to_another_server() -> None:
    seen: list[str] = []

    def elsewhere(asked: Asked) -> None:
        seen.append(asked.headers.get("authorization", ""))
        plainly("401 No", more='WWW-Authenticate: Basic realm="x"\r\n')(asked)

    with raw_web(elsewhere) as other:

        def answer(asked: Asked) -> None:
            plainly("302 There", more=f"Location: http://127.0.0.1:{other.port}/x\r\n")(asked)

        with raw_web(answer) as web, pytest.raises(SourceError, match=r"\(401\)"):
            read(open_mjpeg(web.url("/a", "u:p"), terms()), 1)

    assert seen == [""]


def test_nothing_of_an_address_is_logged_or_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with raw_web(plainly("404 No")) as web:
        source = HttpSource(web.url("/s3cret?t=s3cret", "u:s3cret"), terms())
        with pytest.raises(SourceError) as caught:
            read(source, 1)

    assert caught.value.__context__ is None
    assert "s3cret" not in repr(source) + repr(source.__dict__) + caplog.text + str(caught.value)


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


@pytest.mark.parametrize("kind", [Stop, threading.Event])
def test_stop_ends_a_server_that_never_answers_within_a_second(kind: type[threading.Event]) -> None:
    stop = kind()
    with raw_web(lambda asked: not asked.closing.wait(30)) as web:
        threading.Timer(0.5, stop.set).start()
        began = time.monotonic()
        assert read(open_mjpeg(web.url("/video"), terms()), stop=stop) == []

    assert time.monotonic() - began < 1.6


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

    class V6(socketserver.ThreadingTCPServer):
        import socket

        address_family = socket.AF_INET6
        daemon_threads = True

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while self.rfile.readline().strip():
                pass
            self.wfile.write(said("image/jpeg", more="Connection: close\r\n").encode() + PICTURES[0])

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
