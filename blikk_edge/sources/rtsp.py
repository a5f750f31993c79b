"""RTSP cameras: TCP first, then UDP; user and password in the address."""

from functools import partial

from blikk_edge.core.stages import Source
from blikk_edge.kinds.kind import Kind
from blikk_edge.sources.address import AddressError, parse, plain
from blikk_edge.sources.capture import Capture, Way
from blikk_edge.sources.opening import CAMERA_TLS
from blikk_edge.sources.options import ADDRESS, AddressOptions
from blikk_edge.sources.rtsp_oddities import identity, oddity
from blikk_edge.sources.terms import Terms
from blikk_edge.sources.timeline import LiveTime
from blikk_edge.sources.vendors.advice import Advice, opened

TRANSPORTS = {"auto": ("tcp", "udp"), "tcp": ("tcp",), "udp": ("udp",)}


def ways(url: str, *, shown: str, transport: str, read_timeout_s: float, audio: bool = False) -> list[Way]:
    """One way for each transport to be tried, with the `audio` too.

    Raises KeyError for a transport that is none of auto, tcp, udp.
    """
    advice = Advice(url, partial(identity, url))
    return [
        Way(
            url=url,
            format="rtsp",
            options={
                "rtsp_transport": kind,
                # Limit of one wait on the socket; libav wants microseconds.
                "timeout": str(int(read_timeout_s * 1_000_000)),
                "allowed_media_types": "video+audio" if audio else "video",
                # What is looked at to guess parameters is delivered late: SDP and first frame say enough.
                "analyzeduration": "100000",
                "fpsprobesize": "0",
                **CAMERA_TLS,
            },
            waits=kind == "tcp",
            oddity=partial(oddity, url, shown),
            advice=advice,
            host=_host(url),
        )
        for kind in TRANSPORTS[transport]
    ]


def _host(url: str) -> str | None:
    try:
        return parse(url).host
    except AddressError:  # libav says what is wrong with it
        return None


def open_rtsp(url: str, terms: Terms, *, transport: str = "auto") -> Capture:
    """A camera at an `rtsp://` or `rtsps://` address; `transport` is auto, tcp or udp."""
    return Capture(
        ways(
            opened(url),
            shown=terms.shown,
            transport=transport,
            read_timeout_s=terms.read_timeout_s,
            audio=terms.tap is not None,
        ),
        terms,
        timekeeper=LiveTime(terms.clock),
    )


def _make(options: AddressOptions, terms: Terms) -> Capture:
    return open_rtsp(plain(options.address.reveal()), terms, transport=terms.transport)


KIND: Kind[Terms, Source] = Kind(
    name="rtsp", meaning="A camera at an `rtsp://` or `rtsps://` address.", options=ADDRESS, make=_make
)
