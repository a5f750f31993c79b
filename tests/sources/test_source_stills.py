"""Still images over HTTP and in files: asked for again at the frame rate, through what fails now and then."""

import gzip
import itertools
import struct
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from http_answers import PICTURES, encoded, in_chunks, in_turn, once_each, parts, plainly, said, still, stills
from patience import in_time
from raw_web import Asked, raw_web
from reading import read, terms

from blikk_edge.core.clock import SystemClock
from blikk_edge.core.errors import SourceError
from blikk_edge.sources import still_address
from blikk_edge.sources.catalog import open_source
from blikk_edge.sources.freshness import conditions, retry_after_s
from blikk_edge.sources.mjpeg import open_mjpeg
from blikk_edge.sources.terms import Terms


def jpeg(n: int) -> bytes:
    return PICTURES[n % len(PICTURES)]


def cut(n: int, more: int) -> Callable[[Asked], None]:
    """A whole picture with a wrong length."""
    head = said("image/jpeg", more=f"Content-Length: {len(jpeg(n)) + more}\r\n").encode()
    return lambda asked: asked.write(head + jpeg(n))


STILLS: dict[str, Callable[[int], Callable[[Asked], bool | None]]] = {
    "jpeg in chunks": lambda n: in_chunks(jpeg(n)),
    "jpeg": lambda n: still(jpeg(n)),
    "jpeg, closed each time": lambda n: still(jpeg(n), keeps=False),
    "jpeg called jpg": lambda n: still(jpeg(n), "image/jpg"),
    "jpeg called octets": lambda n: still(jpeg(n), "application/octet-stream"),
    "jpeg with a preview behind it": lambda n: still(jpeg(n) + PICTURES[1]),
    "jpeg without its end": lambda n: still(jpeg(n)[:-2]),
    "png": lambda n: still(encoded(".png", n), "image/png"),
    "png without a length": lambda n: still(encoded(".png", n), "image/png", keeps=False),
    "webp": lambda n: still(encoded(".webp", n), "image/webp"),
    "bmp": lambda n: still(encoded(".bmp", n), "image/bmp"),
    "compressed by a proxy": lambda n: still(gzip.compress(jpeg(n)), more="Content-Encoding: gzip\r\n"),
    "deflated by a proxy": lambda n: still(zlib.compress(jpeg(n)), more="Content-Encoding: deflate\r\n"),
    "bmp called octets": lambda n: still(encoded(".bmp", n), "application/octet-stream"),
    "png called jpeg": lambda n: still(encoded(".png", n)),
    "stream of one picture": lambda n: once_each(jpeg(n)),
    "http/1.0": lambda n: lambda asked: asked.write(b"http/1.0 200 ok\ncontent-type: image/jpeg\n\n" + jpeg(n)),
    "no HTTP head": lambda n: lambda asked: asked.write(jpeg(n)),
    "png, no HTTP head": lambda n: lambda asked: asked.write(encoded(".png", n)),
    "length too large": lambda n: cut(n, 50),
    "length too small": lambda n: cut(n, -50),
}


@pytest.mark.parametrize("kind", STILLS)
@in_time
def test_still_image_is_asked_for_again_at_the_frame_rate(kind: str) -> None:
    with raw_web(in_turn(STILLS[kind])) as web:
        source = open_mjpeg(web.url("/snap"), terms(fps=4.0))
        frames = read(source, 9)

    assert [frame.seq for frame in frames] == list(range(1, 10))
    assert frames[-1].time - frames[0].time == pytest.approx(2.0, abs=0.5)
    assert 9 <= len(web.asked) <= 10
    assert frames[0].bgr().shape == (240, 320, 3)
    assert source.counts.connections == 1


def test_still_images_come_over_one_connection_where_the_camera_keeps_it() -> None:
    with raw_web(stills()) as web:
        read(open_mjpeg(web.url("/snap"), terms()), 5)

    assert web.connections == 1


@in_time
def test_still_image_is_asked_for_no_more_often_than_is_fair() -> None:
    with raw_web(stills()) as web:
        frames = read(open_mjpeg(web.url("/snap"), terms(fps=50.0)), 6)

    assert frames[-1].time - frames[0].time > 0.9


@in_time
def test_slow_camera_is_busy_with_us_for_half_of_its_time_at_most() -> None:
    given = stills()

    def slow(asked: Asked) -> bool | None:
        asked.closing.wait(0.4)
        return given(asked)

    with raw_web(slow) as web:
        frames = read(open_mjpeg(web.url("/snap"), terms()), 4)

    assert frames[-1].time - frames[1].time > 1.4


def test_file_name_of_a_picture_in_the_address_changes_nothing() -> None:
    with raw_web(stills()) as web:
        source = open_source(
            f" {web.url('/snap.jpg?x=1').upper().replace('/SNAP.JPG', '/snap.jpg')} ",
            Terms(camera="a", shown="a", clock=SystemClock()),
        )
        assert len(read(source, 3)) == 3


def test_still_image_that_fails_now_and_then_goes_on() -> None:
    turns = itertools.count()

    given = stills()

    def flaky(asked: Asked) -> bool | None:
        match next(turns) % 4:
            case 1:
                asked.write(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
                return True
            case 3:
                return False  # hangs up without a word
        return given(asked)

    with raw_web(flaky) as web:
        source = open_mjpeg(web.url("/snap"), terms(fps=5.0))
        assert len(read(source, 4)) == 4

    assert source.counts.connections == 1


@pytest.mark.parametrize("status", ["404 Not Found", "204 No Content", "403 Forbidden", "410 Gone", "500 Error"])
def test_still_image_that_is_just_being_replaced_is_waited_for(status: str) -> None:
    turns, given = itertools.count(), stills()

    def answer(asked: Asked) -> bool | None:
        if next(turns) % 3 != 1:
            return given(asked)
        plainly(status)(asked)
        return True

    with raw_web(answer) as web:
        source = open_mjpeg(web.url("/snap"), terms(fps=5.0))
        assert len(read(source, 4)) == 4

    assert source.counts.connections == 1


@pytest.mark.parametrize("says_so", ["304", "identical", "identical part"])
@in_time
def test_the_same_picture_again_is_no_frame_but_a_sign_of_life(says_so: str) -> None:
    def answer(n: int) -> Callable[[Asked], bool | None]:
        def unchanged(asked: Asked) -> bool:
            assert asked.headers["if-none-match"] == '"x"'
            asked.write(b'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n')
            return True

        picture = PICTURES[n // 4]
        if says_so == "identical part":
            return once_each(picture)
        return unchanged if says_so == "304" and n % 4 else still(picture, more='ETag: "x"\r\n' * (says_so == "304"))

    signs = []
    with raw_web(in_turn(answer)) as web:
        source = open_mjpeg(web.url("/snap"), terms(fps=5.0, nothing_new=lambda: signs.append(1)))
        frames = read(source, 3)

    assert [frame.seq for frame in frames] == [1, 2, 3]
    assert frames[-1].time - frames[0].time == pytest.approx(1.6, abs=0.6)  # two changes in eight polls
    assert not np.array_equal(frames[0].luma, frames[1].luma)
    assert len(signs) == 6
    assert source.counts.decoded == 3


@in_time
def test_a_server_that_is_wrong_about_what_has_changed_is_not_believed_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(still_address, "BELIEVED_S", 0.7)
    given = stills()

    def answer(asked: Asked) -> bool | None:
        if "if-modified-since" in asked.headers:  # it takes the time of its start for that of the picture
            asked.write(b"HTTP/1.1 304 Not Modified\r\n\r\n")
            return True
        return given(Asked(asked.path, asked.headers, lambda content: asked.write(started(content)), asked.closing))

    def started(content: bytes) -> bytes:
        head = b"\r\nLast-Modified: Mon, 01 Jan 2024 00:00:00 GMT\r\nDate: Mon, 01 Jan 2024 10:00:00 GMT\r\n"
        return content.replace(b"\r\n", head, 1)

    with raw_web(answer) as web:
        frames = read(open_mjpeg(web.url("/snap"), terms(fps=5.0)), 6)

    assert frames[1].time - frames[0].time > 0.6
    assert all(b.time - a.time < 0.6 for a, b in itertools.pairwise(frames[1:]))


@in_time
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
        return once_each(PICTURES[next(turns)])(asked) if len(web.asked) < 3 else parts(every_s=0.1)(asked)

    with raw_web(answer) as web:
        assert len(read(open_mjpeg(web.url("/snap"), terms()), 12)) == 12


@in_time
def test_stop_ends_a_still_image_between_two_polls_and_while_it_waits() -> None:
    given = stills()

    def silent(asked: Asked) -> bool | None:
        return given(asked) if len(web.asked) < 3 else not asked.closing.wait(30)

    with raw_web(silent) as web:
        stop, taken = threading.Event(), []
        threading.Timer(2.0, stop.set).start()
        began = time.monotonic()
        taken = read(open_mjpeg(web.url("/snap"), terms()), stop=stop)

    assert len(taken) == 2
    assert time.monotonic() - began < 3.0


@in_time
def test_picture_file_that_is_written_anew_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "snap.jpg"
    path.write_bytes(PICTURES[0])
    frames = open_source(str(path), Terms(camera="a", shown="a", clock=SystemClock())).frames(threading.Event())
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
    source = open_source(str(tmp_path / "none.jpg"), Terms(camera="a", shown="a", clock=SystemClock()))

    with pytest.raises(SourceError, match="not found"):
        read(source, 1)


@pytest.mark.parametrize("keeps", [True, False])
@in_time
def test_a_picture_that_is_cut_off_is_none(keeps: bool) -> None:
    """libav fills up what is missing with grey, as if something had come into the picture."""
    cut_off = PICTURES[1][: len(PICTURES[1]) // 2]

    with raw_web(in_turn(lambda n: still(cut_off if n == 1 else PICTURES[n], keeps=keeps))) as web:
        source = open_mjpeg(web.url("/snap"), terms(fps=5.0))
        frames = read(source, 3)

    assert source.counts.corrupt == 1
    assert source.counts.decoded == 3
    assert all(frame.luma[-1].std() > 20 for frame in frames)
    with raw_web(still(cut_off, keeps=keeps)) as web, pytest.raises(SourceError, match="the picture is cut off"):
        read(open_mjpeg(web.url("/snap"), terms()), 1)


def promising(ending: str, width: int, height: int) -> bytes:
    """A small picture whose head says that it is a large one."""
    picture = bytearray(encoded(ending))
    if ending == ".png":
        picture[16:24] = struct.pack(">II", width, height)
    else:
        at = picture.index(b"\xff\xc0") + 5
        picture[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(picture)


@pytest.mark.parametrize(("ending", "width", "height"), [(".jpg", 60000, 60000), (".png", 7000, 7000)])
def test_a_picture_that_would_fill_the_memory_is_refused_by_its_size(ending: str, width: int, height: int) -> None:
    said = f"the picture has {width}x{height} pixels; have the camera send a smaller one"
    with raw_web(still(promising(ending, width, height))) as web, pytest.raises(SourceError, match=said):
        read(open_mjpeg(web.url("/snap"), terms()), 1)


def test_a_still_image_that_changes_its_size_and_kind_goes_on() -> None:
    given = [
        PICTURES[0],
        encoded(".jpg", 1, (640, 480)),
        encoded(".png", 2, (160, 120)),
        encoded(".webp", 3),
        PICTURES[4],
    ]
    with raw_web(in_turn(lambda n: still(given[n]))) as web:
        frames = read(open_mjpeg(web.url("/snap"), terms(fps=5.0)), 5)

    assert [frame.bgr().shape[:2] for frame in frames] == [(240, 320), (480, 640), (120, 160), (240, 320), (240, 320)]


@in_time
def test_a_login_page_in_place_of_the_picture_is_called_one() -> None:
    page = still(b"<!DOCTYPE html><title>Login</title>" + b" " * 5000, "text/html")

    with raw_web(in_turn(lambda n: page if n else still(PICTURES[0]))) as web:
        source = open_mjpeg(web.url("/snap"), terms(fps=5.0, read_timeout_s=1.5))
        with pytest.raises(SourceError, match="this is a web page"):
            read(source)


@in_time
def test_a_server_that_asks_to_be_left_alone_is_left_alone() -> None:
    busy = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n{}\r\n"
    date = "Date: Mon, 01 Jan 2024 10:00:00 GMT\r\nRetry-After: Mon, 01 Jan 2024 10:00:02 GMT\r\n"

    def answer(n: int) -> Callable[[Asked], bool | None]:
        def wait(asked: Asked) -> bool:
            asked.write(busy.format({1: "Retry-After: 2\r\n", 3: date, 5: "Retry-After: 90\r\n"}[n]).encode())
            return True

        return wait if n in {1, 3, 5} else still(PICTURES[n])

    with raw_web(in_turn(answer)) as web:
        frames = open_mjpeg(web.url("/snap"), terms(fps=5.0)).frames(threading.Event())
        taken = [next(frames).time for _ in range(3)]
        with pytest.raises(SourceError, match="5xx") as raised:
            next(frames)

    assert all(b - a > 2.0 for a, b in itertools.pairwise(taken))
    assert raised.value.retry_s == 90
    assert len(web.asked) == 6


@pytest.mark.parametrize(
    ("text", "date", "seconds"),
    [
        ("0", None, 0),
        ("7", None, 7),
        ("999999", None, 3600),
        ("soon", None, 0),
        ("-3", None, 0),
        ("²", None, 0),
        ("Mon, 01 Jan 2024 10:00:30 GMT", "Mon, 01 Jan 2024 10:00:00 GMT", 30),
        ("Mon, 01 Jan 2024 10:00:30 GMT", "Mon, 01 Jan 2024 10:01:00 GMT", 0),
        ("Mon, 01 Jan 2024 10:00:30 GMT", None, 0),
        (None, None, 0),
    ],
)
def test_how_long_a_server_wants_to_be_left_alone(text: str | None, date: str | None, seconds: float) -> None:
    assert retry_after_s(text, date) == seconds


def test_a_login_that_is_refused_later_on_is_not_tried_again_and_again() -> None:
    given = stills()

    def answer(asked: Asked) -> bool | None:
        if "authorization" in asked.headers and len(web.asked) < 4:
            return given(asked)
        plainly("401 No", more='WWW-Authenticate: Basic realm="cam"\r\n')(asked)
        return True

    with raw_web(answer) as web:
        source = open_mjpeg(web.url("/snap", "u:p"), terms(fps=5.0))
        with pytest.raises(SourceError, match=r"\(401\)"):
            read(source)
        assert len(web.asked) <= 6  # asked for a login, two pictures, refused


@pytest.mark.parametrize(
    ("headers", "asked"),
    [
        ({"ETag": '"a"'}, {"If-None-Match": '"a"'}),
        (
            {"Last-Modified": "Mon, 01 Jan 2024 10:00:00 GMT", "Date": "Mon, 01 Jan 2024 10:00:05 GMT", "ETag": "x"},
            {"If-Modified-Since": "Mon, 01 Jan 2024 10:00:00 GMT", "If-None-Match": "x"},
        ),
        ({"Last-Modified": "Mon, 01 Jan 2024 10:00:00 GMT", "Date": "Mon, 01 Jan 2024 10:00:01 GMT", "ETag": "x"}, {}),
        ({"Last-Modified": "Mon, 01 Jan 2024 10:00:00 GMT"}, {}),
        ({"Last-Modified": "yesterday", "Date": "today"}, {}),
        ({"ETag": '"a"\r\n Host: x'}, {}),
        ({"ETag": "x" * 600}, {}),
        ({}, {}),
    ],
)
def test_marks_of_a_picture_are_used_where_they_say_for_sure_that_it_changed(
    headers: dict[str, str], asked: dict[str, str]
) -> None:
    assert conditions(headers.get) == asked
