"""HLS, MJPEG and files over HTTP from a real web server."""

import io
import itertools
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from http_answers import still
from patience import in_time
from raw_web import raw_web
from reading import WITHIN_S, read, terms
from web import Web, files_below, serving

from blikk_edge.core.errors import SourceError
from blikk_edge.sources import limits
from blikk_edge.sources.file import open_file
from blikk_edge.sources.hls import open_hls
from blikk_edge.sources.mjpeg import open_mjpeg


@pytest.fixture
def pictures(make_clip) -> list[bytes]:
    """Fifty JPEGs."""
    clip = make_clip("pictures.avi", size=(640, 480), frames=50, codec="mjpeg", pix_fmt="yuvj420p")
    with av.open(str(clip)) as container:
        return [bytes(packet) for packet in container.demux() if packet.size]


@in_time
def test_mjpeg_gives_five_frames_a_second_with_times_of_now(pictures: list[bytes]) -> None:
    with serving(Web(jpegs=pictures)) as web:
        source = open_mjpeg(web.url("/mjpeg"), terms())
        frames = read(source, 8)
        ended = time.time()

    assert abs(frames[-1].time - ended) < 0.25
    assert frames[-1].time - frames[1].time == pytest.approx(1.2, abs=0.25)
    assert frames[0].luma.shape == (480, 640)
    assert frames[0].bgr().shape == (480, 640, 3)


def test_thinned_jpegs_are_not_even_decoded(pictures: list[bytes]) -> None:
    with serving(Web(jpegs=pictures)) as web:
        source = open_mjpeg(web.url("/mjpeg"), terms())
        read(source, 8)

    assert source.counts.decoded == 8
    assert source.counts.thinned >= 20


@in_time
def test_mjpeg_slower_than_five_a_second_passes_whole(pictures: list[bytes]) -> None:
    with serving(Web(jpegs=pictures, every_s=0.5)) as web:
        frames = read(open_mjpeg(web.url("/mjpeg"), terms()), 4)

    assert frames[-1].time - frames[1].time == pytest.approx(1.0, abs=0.15)


def test_mjpeg_login_is_let_in_and_a_wrong_one_is_named(pictures: list[bytes]) -> None:
    with serving(Web(jpegs=pictures, login="me:s3cret")) as web:
        assert len(read(open_mjpeg(web.url("/mjpeg", "me:s3cret"), terms()), 2)) == 2
        with pytest.raises(SourceError, match="refuses user or password"):
            read(open_mjpeg(web.url("/mjpeg", "me:wrong"), terms()), 1)


def test_mjpeg_path_that_is_not_there_is_named() -> None:
    with serving(Web()) as web, pytest.raises(SourceError, match="does not know this path"):
        read(open_mjpeg(web.url("/nowhere"), terms()), 1)


def test_mjpeg_stream_that_ends_is_a_source_error(pictures: list[bytes]) -> None:
    with serving(Web(jpegs=pictures, ends_after=20)) as web, pytest.raises(SourceError, match="the connection broke"):
        read(open_mjpeg(web.url("/mjpeg"), terms()))


@in_time
def test_mjpeg_stream_that_stands_still_is_a_source_error(pictures: list[bytes]) -> None:
    with serving(Web(jpegs=pictures, still_after=20)) as web:
        began = time.monotonic()
        with pytest.raises(SourceError, match="no picture came in time"):
            read(open_mjpeg(web.url("/mjpeg"), terms(read_timeout_s=1.0)))

    assert time.monotonic() - began < 8.0


@in_time
def test_stop_ends_an_mjpeg_stream_that_stands_still_within_a_second(pictures: list[bytes]) -> None:
    stop = threading.Event()
    with serving(Web(jpegs=pictures, still_after=10)) as web:
        frames = open_mjpeg(web.url("/mjpeg"), terms()).frames(stop)
        next(frames)
        threading.Timer(1.0, stop.set).start()
        began = time.monotonic()
        list(frames)

        assert 0.9 < time.monotonic() - began < 1.0 + WITHIN_S


def test_damaged_jpegs_are_passed_over(pictures: list[bytes]) -> None:
    damaged = [jpeg if n % 2 else b"\xff\xd8" + bytes(200) + b"\xff\xd9" for n, jpeg in enumerate(pictures)]
    with serving(Web(jpegs=damaged, every_s=0.2)) as web:
        source = open_mjpeg(web.url("/mjpeg"), terms())
        frames = read(source, 4)

    assert len(frames) == 4
    assert source.counts.corrupt >= 3


JUNK = b"\xff\xd8" + bytes(200) + b"\xff\xd9"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a second beyond the read limit, for packets without a picture."""
    monkeypatch.setattr(limits, "BARREN_S", 0.5)


@pytest.mark.usefixtures("impatient")
@in_time
def test_stream_that_stops_becoming_pictures_is_a_source_error_in_time(pictures: list[bytes]) -> None:
    jpegs = [*pictures[:5], *[JUNK] * 1000]
    with serving(Web(jpegs=jpegs, every_s=0.2)) as web:
        source = open_mjpeg(web.url("/mjpeg"), terms(read_timeout_s=0.5))
        began = time.monotonic()
        with pytest.raises(SourceError, match=r"no picture can be decoded; set the camera to H\.264"):
            read(source)

    assert source.counts.decoded == 5
    assert time.monotonic() - began < 8.0


@pytest.mark.usefixtures("impatient")
def test_reader_that_is_slow_is_not_taken_for_a_stream_without_pictures(pictures: list[bytes]) -> None:
    jpegs = [jpeg for picture in pictures for jpeg in (picture, JUNK)]
    with serving(Web(jpegs=jpegs, every_s=0.2)) as web:
        frames = open_mjpeg(web.url("/mjpeg"), terms(read_timeout_s=0.5)).frames(threading.Event())
        taken = []
        for frame in frames:
            taken.append(frame)
            if len(taken) == 3:
                break
            time.sleep(1.2)  # longer than a stream may go without a picture
        frames.close()

    assert len(taken) == 3


def playlist(first: int, count: int, *, end: bool) -> bytes:
    lines = ["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-TARGETDURATION:1", f"#EXT-X-MEDIA-SEQUENCE:{first}"]
    for n in range(first, first + count):
        lines += ["#EXTINF:1.0,", f"part{n}.ts"]
    return "\n".join([*lines, *(["#EXT-X-ENDLIST"] if end else []), ""]).encode()


@pytest.fixture(scope="module")
def segments(tmp_path_factory: pytest.TempPathFactory, data: Path) -> dict[str, bytes]:
    """Six one-second segments of a real clip."""
    clip = data / "video" / "intel_sample" / "car-detection.mp4"
    folder = tmp_path_factory.mktemp("hls")
    options = {"hls_time": "1", "hls_list_size": "0", "hls_segment_filename": str(folder / "part%d.ts")}
    with av.open(str(clip)) as source, av.open(str(folder / "all.m3u8"), "w", format="hls", options=options) as target:
        stream = target.add_stream("libx264", rate=25, options={"g": "25", "preset": "ultrafast", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 384, 216, "yuv420p"
        for n, picture in enumerate(itertools.islice(source.decode(video=0), 150)):
            small = picture.reformat(384, 216)
            small.pts, small.time_base = n, Fraction(1, 25)
            target.mux(stream.encode(small))
        target.mux(stream.encode())
    return files_below(folder)


@pytest.fixture
def hls(segments: dict[str, bytes]) -> Iterator[Web]:
    with serving(Web(files=dict(segments))) as web:
        yield web


@in_time
def test_hls_is_played_at_its_own_pace(hls: Web) -> None:
    hls.files["/cam.m3u8"] = playlist(0, 6, end=True)
    began = time.monotonic()

    frames = read(open_hls(hls.url("/cam.m3u8"), terms()), 10)

    assert time.monotonic() - began > 1.6
    assert abs(frames[-1].time - time.time()) < 1.0
    assert all(0.1 < b.time - a.time < 0.3 for a, b in itertools.pairwise(frames))
    assert frames[0].luma.shape == (216, 384)


def test_hls_follows_a_playlist_that_grows(hls: Web) -> None:
    hls.files["/cam.m3u8"] = playlist(0, 3, end=False)
    frames = open_hls(hls.url("/cam.m3u8"), terms()).frames(threading.Event())
    taken = [next(frames)]
    hls.files["/cam.m3u8"] = playlist(1, 5, end=False)

    taken += itertools.islice(frames, 22)
    frames.close()

    assert "/part4.ts" in hls.asked
    assert all(b.time > a.time for a, b in itertools.pairwise(taken))


def test_hls_that_ends_is_a_source_error(hls: Web) -> None:
    hls.files["/cam.m3u8"] = playlist(4, 1, end=True)

    with pytest.raises(SourceError, match="ended"):
        read(open_hls(hls.url("/cam.m3u8"), terms()))


def test_hls_login_goes_to_the_segments_too(hls: Web) -> None:
    hls.files["/cam.m3u8"] = playlist(0, 6, end=True)
    hls.login = "me:s3cret"

    assert len(read(open_hls(hls.url("/cam.m3u8", "me:s3cret"), terms()), 2)) == 2
    with pytest.raises(SourceError, match="refuses user or password"):
        read(open_hls(hls.url("/cam.m3u8", "me:wrong"), terms()), 1)


def test_hls_that_waits_for_a_segment_ends_within_its_limit_and_says_nothing_once_a_stop_is_asked_for(
    hls: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blikk_edge.sources.hls.PATIENCE_S", 4.0)
    hls.files["/cam.m3u8"] = playlist(0, 2, end=False)
    stop = threading.Event()
    frames = open_hls(hls.url("/cam.m3u8"), terms(read_timeout_s=4.0)).frames(stop)
    next(frames)
    threading.Timer(3.0, stop.set).start()

    assert list(frames)  # and no error


def test_hls_cannot_open_a_file_of_this_machine(hls: Web, make_clip) -> None:
    local = make_clip("secret.ts", frames=25)
    hls.files["/cam.m3u8"] = playlist(0, 1, end=True).replace(b"part0.ts", f"file://{local}".encode())

    with pytest.raises(SourceError):
        read(open_hls(hls.url("/cam.m3u8"), terms()), 1)


def test_file_over_http_is_read_like_one_on_disk(make_clip) -> None:
    clip = make_clip("a.mp4", frames=25)
    with serving(Web(files={"/a.mp4": clip.read_bytes()})) as web:
        source = open_file(web.url("/a.mp4"), terms(), realtime=False, loop=False, start_time=5.0)

        assert [frame.time for frame in read(source)] == pytest.approx([5.0, 5.16, 5.36, 5.56, 5.76, 5.96], abs=0.001)


def test_single_picture_that_only_libav_reads_is_not_asked_for_without_end() -> None:
    picture = io.BytesIO()
    with av.open(picture, "w", format="gif") as container:
        stream = container.add_stream("gif", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "rgb8"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((48, 64, 3), 90, np.uint8), format="rgb24")))
        container.mux(stream.encode())
    with raw_web(still(picture.getvalue(), "image/gif")) as web:
        began = time.monotonic()
        assert len(read(open_mjpeg(web.url("/snap"), terms()), 3)) == 3
        assert time.monotonic() - began > 1.9
