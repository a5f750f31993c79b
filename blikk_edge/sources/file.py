"""A video file, local or over HTTP: played as if live, or replayed as fast as it can be read."""

from pathlib import Path, PurePath

from blikk_edge.core.stages import Source
from blikk_edge.kinds.kind import Kind
from blikk_edge.sources.capture import Capture, Way
from blikk_edge.sources.local import path_of
from blikk_edge.sources.opening import CAMERA_TLS
from blikk_edge.sources.options import ADDRESS, AddressOptions
from blikk_edge.sources.still import StillFile
from blikk_edge.sources.terms import Terms
from blikk_edge.sources.timeline import PacedTime, ReplayTime

# A file must not make libav open others (playlists, SDP), nor a web server have it open local ones.
LOCAL = {"protocol_whitelist": "file,crypto,data"}
IMAGES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})
REMOTE = {"protocol_whitelist": "http,https,tcp,tls,httpproxy,crypto,data", **CAMERA_TLS}


def open_file(
    path: str, terms: Terms, *, realtime: bool = True, loop: bool = True, start_time: float = 0.0
) -> Capture | StillFile:
    """A file at `path`, or an http(s) URL of one.

    `realtime` plays it at its own speed with times of the clock; else it is read as fast as possible and a frame's
    time is `start_time` plus its stream time, the same in every run. `loop` starts it again at its end, times going on;
    a picture is then read again, as it may have been written anew.
    """
    remote = path.startswith(("http://", "https://"))
    if realtime and loop and not remote and PurePath(path).suffix.lower() in IMAGES:
        return StillFile(Path(path), terms)
    return Capture(
        [Way(url=path if remote else f"file:{path}", options=REMOTE if remote else LOCAL)],
        terms,
        timekeeper=PacedTime(terms.clock) if realtime else ReplayTime(start_time),
        ends=True,
        loop=loop,
    )


def _make(options: AddressOptions, terms: Terms) -> Capture | StillFile:
    url = options.address.reveal()
    return open_file(path_of(url) or url, terms, realtime=terms.realtime, loop=terms.loop, start_time=terms.start_time)


KIND: Kind[Terms, Source] = Kind(
    name="file", meaning="A video or picture on this machine.", options=ADDRESS, make=_make
)
