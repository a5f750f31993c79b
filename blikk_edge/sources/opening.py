"""How a source is opened: one of its ways, by its terms."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import av
from av.container import InputContainer

from blikk_edge.sources.faults import LATER, TOO_LATE, Logins, is_final, meaning, name_fault, shown_by, source_error
from blikk_edge.sources.limits import LATE_SHARE, Limit
from blikk_edge.sources.terms import Terms
from blikk_edge.sources.vendors.advice import Advice

# A camera's or a file's metadata need not be UTF-8. From PyAV 19 on that never matters, and this argument is gone.
_METADATA: Mapping[str, Any] = (
    MappingProxyType({"metadata_errors": "surrogateescape"}) if hasattr(InputContainer, "metadata_errors") else {}
)
# What libav says where something came that it could make nothing of.
_UNREADABLE = (av.error.InvalidDataError, av.error.ArgumentError)

IoOpen: TypeAlias = Callable[[str, int, Mapping[str, str]], object]
"""Opens an address in libav's stead: the address, libav's flags and options in; an object with `read` and `close` out.

It must not raise: PyAV would write the error, with its address, to standard error.
"""


CAMERA_TLS: Final = {"tls_verify": "0"}
"""Options for libav, which from 8.1 on checks certificates: those of cameras are made by themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to open a source.

    Attributes:
        url: The raw address, with user and password.
        format: libav's name of the format; None: libav finds out.
        options: libav's, by name.
        waits: Whether what is sent and not read yet waits for the reader and nothing is lost, as over TCP.
        io: Gives what asks the network in libav's stead, under a connection's limit; None: libav does it.
        spare: Whether this way is only for what the ways before it could reach but not read.
        oddity: Says what is odd about a server that libav made nothing of; None: nobody looks.
        advice: Says what is known of the vendor where it fails; None: nobody looks.
        host: The name that is looked up before anything is tried; None: whoever opens it does so.
    """

    url: str = field(repr=False)
    format: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    waits: bool = False
    io: Callable[[Limit], IoOpen] | None = None
    spare: bool = False
    oddity: Callable[[threading.Event], str] | None = None
    advice: Advice | None = None
    host: str | None = None


class SourceOpener:
    """The ways into one source, tried in order until one opens.

    After one that opened but brought nothing (`barren`) the next one comes first.
    """

    def __init__(self, ways: Sequence[Way], terms: Terms) -> None:
        self._ways = tuple(ways)
        self._terms = terms
        self._first = 0
        self._odd = False
        self._logins = Logins(given="@" in self._ways[0].url)

    @property
    def remote(self) -> bool:
        """Whether a web server is asked."""
        return self._ways[0].url.startswith("http")

    def open(self, limit: Limit) -> tuple[Way, InputContainer] | None:
        """The first way that opens, and what it opened; None when asked to stop. Raises SourceError."""
        # libav would look it up for each way, and nothing ends that before its own limits.
        if (unknown := name_fault(self._ways[0].host)) and not limit.stop.is_set():
            raise source_error(self._terms.shown, unknown)
        said, unreadable = "", True
        for way in (*self._ways[self._first :], *self._ways[: self._first]):
            if way.spare and not unreadable:
                continue
            # Where it was odd before, libav would ask thousands of times until its time is over, or wait in vain.
            if self._odd and (odd := self._oddity(way, limit)):
                said = odd
                break
            limit.extend(self._terms.connect_timeout_s)
            try:
                container = self._opened(way, limit)
            except (av.FFmpegError, ValueError) as error:
                # libav calls an RTSP answer that never came invalid data.
                late = limit.left_s < self._terms.connect_timeout_s * LATE_SHARE
                if late or not (said and way.spare):
                    said = TOO_LATE if late else meaning(error)
                unreadable = isinstance(error, _UNREADABLE)
                if limit.stop.is_set() or is_final(error):
                    break
                if (late or unreadable) and (odd := self._oddity(way, limit)):
                    said = odd
                    break
            else:
                if not limit.stop.is_set():
                    self._logins.accepted()
                    return way, container
                container.close()
                break
        if limit.stop.is_set():
            return None
        retry_s = self._logins.after(said)
        more = LATER if retry_s else "", self._advice(said, limit)
        raise source_error(self._terms.shown, said, *more, retry_s=retry_s)

    def _advice(self, said: str, limit: Limit) -> str:
        """What is known of the camera's vendor where it fails so."""
        when, advice = shown_by(said), self._ways[0].advice
        return advice(when, limit.stop) if when is not None and advice is not None else ""

    def _oddity(self, way: Way, limit: Limit) -> str:
        found = "" if way.oddity is None or limit.stop.is_set() else way.oddity(limit.stop)
        self._odd = bool(found)
        return found

    def barren(self, way: Way) -> None:
        """This way opened, but nothing came, as where interleaved media is promised and never sent."""
        self._first = (self._ways.index(way) + 1) % len(self._ways)
        self._odd = way.oddity is not None

    def _opened(self, way: Way, limit: Limit) -> InputContainer:
        container: InputContainer = av.open(
            way.url,
            format=way.format,
            options=dict(way.options),
            timeout=(self._terms.connect_timeout_s, self._terms.read_timeout_s),
            io_open=way.io(limit) if way.io else None,
            **_METADATA,
        )
        return container
