"""Which source an address means."""

from pathlib import PurePosixPath
from urllib.parse import unquote

from blikk_edge.core.clock import Clock
from blikk_edge.core.fields import Watch
from blikk_edge.core.stages import Sentry, Source
from blikk_edge.sources.address import AddressError, parse, scheme_of
from blikk_edge.sources.capture import Terms
from blikk_edge.sources.faults import source_error
from blikk_edge.sources.file import open_file
from blikk_edge.sources.hls import open_hls
from blikk_edge.sources.mjpeg import open_mjpeg
from blikk_edge.sources.rtsp import open_rtsp
from blikk_edge.sources.usb import open_usb

MEDIA_FILES = frozenset({".mp4", ".mkv", ".mov", ".avi", ".webm", ".m4v", ".ts", ".mpg", ".mpeg", ".flv", ".gif"})


def kind_of(url: str) -> str:
    """`rtsp`, `hls`, `mjpeg`, `usb` or `file`; an empty text for a scheme that is none of ours.

    Of an http(s) address it is a guess by its path: what is there is seen when it is opened.
    """
    url = url.strip()
    match scheme_of(url):
        case None:
            return "usb" if url.startswith("/dev/video") else "file"
        case "rtsp" | "rtsps":
            return "rtsp"
        case "http" | "https":
            rest = url.partition("://")[2]
            suffix = PurePosixPath(rest.partition("?")[0].partition("#")[0].partition("/")[2]).suffix.lower()
            return {".m3u8": "hls", ".m3u": "hls"}.get(suffix, "file" if suffix in MEDIA_FILES else "mjpeg")
        case "file":
            return "file"
        case _:
            return ""


def open_source(
    url: str,
    *,
    camera: str,
    shown: str,
    clock: Clock,
    fps: float = 5.0,
    height_px: int = 480,
    rotate: int = 0,
    transport: str = "auto",
    connect_timeout_s: float = 10.0,
    read_timeout_s: float = 10.0,
    watch: Watch = Watch.FULL,
    sleep_after_s: float = 10.0,
    sentry: Sentry | None = None,
    realtime: bool = True,
    loop: bool = True,
    start_time: float = 0.0,
) -> Source:
    """The source that `url` means; nothing is opened before its `frames` are asked for.

    `url` may hold a password: it is handed to libav and shown nowhere; `shown` stands for it in every message.
    `rotate` turns the picture clockwise by so many degrees, on top of what the stream itself asks for.
    `watch` other than full needs a `sentry`, see `Dormancy`. `transport` is for RTSP; `realtime`, `loop` and
    `start_time` are for files, see `open_file`. Raises SourceError for a scheme that is not known.
    """
    terms = Terms(
        camera=camera,
        shown=shown,
        clock=clock,
        fps=fps,
        height_px=height_px,
        rotate=rotate,
        connect_timeout_s=connect_timeout_s,
        read_timeout_s=read_timeout_s,
        watch=watch,
        sleep_after_s=sleep_after_s,
        sentry=sentry,
    )
    url = url.strip()
    kind = kind_of(url)
    match kind:
        case "rtsp":
            return open_rtsp(_plain(url), terms, transport=transport)
        case "usb":
            return open_usb(url, terms)
        case "hls":
            return open_hls(_plain(url), terms)
        case "mjpeg":
            return open_mjpeg(url, terms, loop=loop)
        case "file" if scheme_of(url) in {"http", "https"}:
            return open_mjpeg(url, terms, loop=loop)
        case "file":
            path = url if scheme_of(url) is None else unquote(url.partition("://")[2].removeprefix("localhost"))
            return open_file(path, terms, realtime=realtime, loop=loop, start_time=start_time)
        case _:
            raise source_error(shown, "this kind of address is not known; use rtsp://, http(s)://, a path, /dev/videoN")


def _plain(url: str) -> str:
    """The address as libraries understand it; one that cannot be read as it is, for them to refuse."""
    try:
        return parse(url).url
    except AddressError:
        return url
