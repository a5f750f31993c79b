"""Which address means which source; options of USB devices; secrets that stay secret."""

import io
import logging
import pickle
import socket
import threading
import traceback
from pathlib import Path

import av
import pytest
from reading import read, terms
from web import Web, serving

from blikk_edge.core.clock import SystemClock
from blikk_edge.core.errors import SourceError
from blikk_edge.sources.capture import Capture, Way
from blikk_edge.sources.catalog import kind_of, open_source
from blikk_edge.sources.mjpeg import HttpSource
from blikk_edge.sources.terms import Terms
from blikk_edge.sources.timeline import LiveTime
from blikk_edge.sources.usb import open_usb, ways


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("rtsp://host/stream", "rtsp"),
        ("rtsps://user:pass@host:322/stream", "rtsp"),
        ("RTSP://host/stream", "rtsp"),
        ("http://host/live/cam.m3u8", "hls"),
        ("https://host/live/cam.M3U8?token=1", "hls"),
        ("http://host/video.mjpg", "mjpeg"),
        ("http://host:8080/?action=stream", "mjpeg"),
        ("http://host/axis-cgi/mjpg/video.cgi?camera=a.mp4", "mjpeg"),
        ("http://host/clips/a.mp4", "file"),
        ("http://clips.mp4/video", "mjpeg"),
        ("/dev/video0", "usb"),
        ("/dev/video12", "usb"),
        ("/home/pi/clip.mp4", "file"),
        ("clip.mp4", "file"),
        ("C:clip.mp4", "file"),
        ("file:///home/pi/a%20clip.mp4", "file"),
        ("gopher://host/x", ""),
    ],
)
def test_address_means_a_source(url: str, kind: str) -> None:
    assert kind_of(url) == kind


def opened(url: str, shown: str = "shown", **given: object) -> Capture | HttpSource:
    source = open_source(url, Terms(camera="porch", shown=shown, clock=SystemClock(), **given))
    assert isinstance(source, Capture | HttpSource)
    return source


def test_unknown_scheme_is_a_source_error() -> None:
    with pytest.raises(SourceError, match=r"^shown: this kind of address is not known"):
        opened("gopher://me:s3cret@host/x")


def test_file_address_with_signs_of_its_own_is_found(make_clip, tmp_path: Path) -> None:
    clip = make_clip("a.mp4", frames=10).rename(tmp_path / "a clip: 50%.mp4")

    by_url = read(opened(clip.as_uri(), realtime=False, loop=False, start_time=9.0))
    by_path = read(opened(str(clip), realtime=False, loop=False, start_time=9.0))

    assert [f.time for f in by_url] == [f.time for f in by_path] == pytest.approx([9.0, 9.16, 9.36], abs=0.001)
    assert {f.camera for f in by_url} == {"porch"}


def test_frame_rate_and_height_are_settings(make_clip) -> None:
    clip = make_clip("a.mp4", size=(640, 360), frames=50)

    frames = read(opened(str(clip), realtime=False, loop=False, fps=2.0, height_px=240))

    assert len(frames) == 5
    assert frames[0].bgr().shape == (240, 426, 3)


def test_usb_asks_for_less_until_the_device_agrees() -> None:
    wishes = [dict(way.options) for way in ways("/dev/video0", fps=5.0, height_px=480)]

    assert wishes[0] == {"video_size": "640x480", "pixel_format": "yuyv422", "framerate": "5"}
    assert wishes[-1] == {}
    assert all(way.format == "v4l2" and way.url == "/dev/video0" for way in ways("/dev/video0", fps=5.0, height_px=480))


def test_missing_usb_device_is_named() -> None:
    with pytest.raises(SourceError, match=r"^/dev/video99: not found; check that the file or device is there"):
        read(open_usb("/dev/video99", terms("/dev/video99")))


def test_what_is_no_usb_camera_is_a_source_error() -> None:
    with pytest.raises(SourceError, match=r"^/dev/null: "):
        read(open_usb("/dev/null", terms("/dev/null")))


def test_next_way_is_tried_where_one_fails(make_clip) -> None:
    good = make_clip("a.mp4", frames=10)
    bad = good.with_name("bad.mp4")
    bad.write_bytes(b"no video" * 100)
    ends = {"ends": True, "timekeeper": LiveTime(SystemClock())}

    source = Capture([Way(url=str(bad)), Way(url=str(good))], terms(), **ends)

    assert len(read(source)) == 3


def test_way_that_opens_but_brings_nothing_is_left_for_the_next(make_clip) -> None:
    good = make_clip("a.mp4", frames=10)
    empty = good.with_name("empty.avi")
    with av.open(str(empty), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height = 320, 240
        container.start_encoding()
    source = Capture([Way(url=str(empty)), Way(url=str(good))], terms(), ends=True, timekeeper=LiveTime(SystemClock()))

    with pytest.raises(SourceError, match="ended before a picture"):
        read(source)

    assert len(read(source)) == 3


SECRET = "s3cret-w0rd"


@pytest.mark.parametrize("kind", ["refused", "silent", "unauthorized", "hls", "unknown host", "mp4", "odd"])
def test_no_error_log_or_repr_shows_the_address(
    kind: str, free_port: int, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with socket.socket() as listener, serving(Web(login="me:other")) as web:
        listener.bind(("127.0.0.1", 0))
        listener.listen(2)
        url = {
            "refused": f"rtsp://me:{SECRET}@127.0.0.1:{free_port}/{SECRET}",
            "silent": f"rtsp://me:{SECRET}@127.0.0.1:{listener.getsockname()[1]}/x?token={SECRET}",
            "unauthorized": web.url(f"/mjpeg?token={SECRET}", f"me:{SECRET}"),
            "hls": web.url(f"/a.m3u8?token={SECRET}", f"me:{SECRET}"),
            "unknown host": f"http://me:{SECRET}@no-such-host.invalid/x",
            "mp4": web.url(f"/a.mp4?token={SECRET}", f"me:{SECRET}"),
            "odd": f"rtsp://me:{SECRET}@[::1/x",
        }[kind]
        source = opened(url, "rtsp://***@camera/", connect_timeout_s=0.5, read_timeout_s=0.5)
        with pytest.raises(SourceError, match=r"^rtsp://\*\*\*@camera/: ") as caught:
            read(source)
        logging.getLogger("test").error("%r failed", source, exc_info=caught.value)

    reported = io.StringIO()
    traceback.print_exception(caught.value, file=reported)
    printed = capfd.readouterr()
    everything = "".join(
        (reported.getvalue(), caplog.text, printed.out, printed.err, repr(source), repr(source.__dict__))
    )
    assert SECRET not in everything
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_frames_of_a_source_cannot_be_pickled(data: Path) -> None:
    frame = read(opened(str(data / "video" / "oddities" / "clip.mp4")), 1)[0]

    with pytest.raises(TypeError, match="never leaves the process"):
        pickle.dumps(frame)


def test_stop_before_the_start_opens_nothing() -> None:
    stop = threading.Event()
    stop.set()

    assert list(opened("/nowhere.mp4").frames(stop)) == []
