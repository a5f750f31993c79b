"""Still images over HTTP and in files: asked for again at the frame rate, through what fails now and then."""

import itertools
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from http_answers import PICTURES, encoded, in_chunks, once_each, parts, plainly, said, still
from patience import in_time
from raw_web import Asked, raw_web
from reading import read, terms

from blikk_edge.core.clock import SystemClock
from blikk_edge.core.errors import SourceError
from blikk_edge.sources.catalog import open_source
from blikk_edge.sources.mjpeg import open_mjpeg
from blikk_edge.sources.terms import Terms


def cut(length: int) -> Callable[[Asked], None]:
    """A whole picture with a wrong length."""
    head = said("image/jpeg", more=f"Content-Length: {length}\r\n").encode()
    return lambda asked: asked.write(head + PICTURES[0])


STILLS = {
    "jpeg in chunks": in_chunks,
    "jpeg": still(PICTURES[0]),
    "jpeg, closed each time": still(PICTURES[0], keeps=False),
    "jpeg called jpg": still(PICTURES[0], "image/jpg"),
    "jpeg called octets": still(PICTURES[0], "application/octet-stream"),
    "jpeg with a preview behind it": still(PICTURES[0] + PICTURES[1]),
    "jpeg without its end": still(PICTURES[0][:-2]),
    "png": still(encoded(".png"), "image/png"),
    "png without a length": still(encoded(".png"), "image/png", keeps=False),
    "webp": still(encoded(".webp"), "image/webp"),
    "bmp": still(encoded(".bmp"), "image/bmp"),
    "png called jpeg": still(encoded(".png")),
    "stream of one picture": once_each,
    "http/1.0": lambda asked: asked.write(b"http/1.0 200 ok\ncontent-type: image/jpeg\n\n" + PICTURES[0]),
    "no HTTP head": lambda asked: asked.write(PICTURES[0]),
    "png, no HTTP head": lambda asked: asked.write(encoded(".png")),
    "length too large": cut(len(PICTURES[0]) + 50),
    "length too small": cut(len(PICTURES[0]) - 50),
}


@pytest.mark.parametrize("kind", STILLS)
@in_time
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


@in_time
def test_still_image_is_asked_for_no_more_often_than_is_fair() -> None:
    with raw_web(still(PICTURES[0])) as web:
        frames = read(open_mjpeg(web.url("/snap"), terms(fps=50.0)), 6)

    assert frames[-1].time - frames[0].time > 0.9


@in_time
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
            Terms(camera="a", shown="a", clock=SystemClock()),
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


@pytest.mark.parametrize("status", ["404 Not Found", "204 No Content", "403 Forbidden", "410 Gone", "500 Error"])
def test_still_image_that_is_just_being_replaced_is_waited_for(status: str) -> None:
    turns = itertools.count()

    def answer(asked: Asked) -> bool:
        if next(turns) % 3 != 1:
            return still(PICTURES[0])(asked)
        plainly(status)(asked)
        return True

    with raw_web(answer) as web:
        source = open_mjpeg(web.url("/snap"), terms(fps=5.0))
        assert len(read(source, 4)) == 4

    assert source.counts.connections == 1


@in_time
def test_still_image_that_is_said_to_be_unchanged_is_given_again_at_full_rate() -> None:
    turns = itertools.count()

    def answer(asked: Asked) -> bool:
        if next(turns) % 4 == 0:
            return still(PICTURES[3])(asked)
        asked.write(b'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\nCache-Control: no-store\r\n\r\n')
        return True

    with raw_web(answer) as web:
        frames = read(open_mjpeg(web.url("/snap"), terms(fps=5.0)), 9)

    assert frames[-1].time - frames[0].time == pytest.approx(1.6, abs=0.4)
    assert all(np.array_equal(frame.luma, frames[0].luma) for frame in frames)


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
        return once_each(asked) if next(turns) < 2 else parts(every_s=0.1)(asked)

    with raw_web(answer) as web:
        assert len(read(open_mjpeg(web.url("/snap"), terms()), 12)) == 12


@in_time
def test_stop_ends_a_still_image_between_two_polls_and_while_it_waits() -> None:
    def silent(asked: Asked) -> bool:
        return still(PICTURES[0])(asked) if len(web.asked) < 3 else not asked.closing.wait(30)

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
