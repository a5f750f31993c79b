"""Which source an address means, and how it is opened."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

import voluptuous as vol

from blikk_edge.core.errors import BlikkError
from blikk_edge.core.scene import Frame
from blikk_edge.core.stages import Source
from blikk_edge.grammar.secrets import SourceUrl
from blikk_edge.kinds.chosen import Chosen
from blikk_edge.sources.address import scheme_of
from blikk_edge.sources.faults import source_error
from blikk_edge.sources.kinds import SOURCES
from blikk_edge.sources.options import AddressOptions
from blikk_edge.sources.terms import Terms
from blikk_edge.sources.webrtc.options import SCHEMES, WHEP

MEDIA_FILES = frozenset({".mp4", ".mkv", ".mov", ".avi", ".webm", ".m4v", ".ts", ".mpg", ".mpeg", ".flv", ".gif"})

UNKNOWN = "this kind of address is not known; use rtsp://, onvif://, whep+https://, http(s)://, a path, /dev/videoN"


def kind_of(url: str) -> str:  # noqa: PLR0911  # a table
    """`rtsp`, `onvif`, `whep`, `hls`, `mjpeg`, `usb` or `file`; an empty text for a scheme that is none of ours.

    Of an http(s) address it is a guess by its path: what is there is seen when it is opened.
    """
    url = url.strip()
    scheme = scheme_of(url)
    if scheme in SCHEMES:
        return "whep"
    match scheme:
        case None:
            return "usb" if url.startswith("/dev/video") else "file"
        case "rtsp" | "rtsps":
            return "rtsp"
        case "onvif":
            return "onvif"
        case "http" | "https":
            rest = url.partition("://")[2]
            suffix = PurePosixPath(rest.partition("?")[0].partition("#")[0].partition("/")[2]).suffix.lower()
            return {".m3u8": "hls", ".m3u": "hls"}.get(suffix, "file" if suffix in MEDIA_FILES else "mjpeg")
        case "file":
            return "file"
        case _:
            return ""


def open_source(url: str, terms: Terms) -> Source:
    """The source that `url` means; nothing is opened before its `frames` are asked for.

    `url` may hold a password: it is handed to libav and shown nowhere; `terms.shown` stands for it in every message.
    Raises SourceError for a scheme that is not known.
    """
    url = url.strip()
    kind = "push" if terms.push_queue is not None else "whip" if terms.encoded is not None else kind_of(url)
    if kind == "file" and scheme_of(url) in {"http", "https"}:
        kind = "mjpeg"  # sees what is there
    if not kind:
        raise source_error(terms.shown, UNKNOWN)
    if kind == "whep":
        try:
            options = WHEP(url)
        except vol.Invalid:
            raise source_error(terms.shown, UNKNOWN) from None
        return SOURCES.get(kind).make(options, terms)
    return SOURCES.get(kind).make(AddressOptions(address=SourceUrl(url)), terms)


def chosen_source(chosen: Chosen[Terms, Source], terms: Terms) -> Source:
    """The source of a plug-in; one that cannot be made says why whenever its frames are asked for."""
    try:
        return chosen.make(terms)
    except BlikkError as error:
        return _Missing(terms.shown, str(error))


@dataclass(frozen=True, slots=True)
class _Missing:
    """A source that could not be made; implements `core.stages.Source`."""

    shown: str
    why: str

    def frames(self, stop: threading.Event) -> Iterator[Frame]:  # noqa: ARG002  # the port's
        """Raise SourceError."""
        raise source_error(self.shown, self.why)
