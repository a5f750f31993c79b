"""Why somebody else's server cannot be used, in words that name the key to mend and hold no secret."""

import socket
import ssl
from collections.abc import Iterator
from typing import Final

from blikk_edge.core.errors import SinkError, quote
from blikk_edge.core.installing import pip_install


def missing(sink: str, package: str) -> SinkError:
    """The error of a sink whose extra, which has its name, is not installed."""
    what = f"{sink}: this needs the package {package}, which is not installed"
    return SinkError(f"{what}; type: {pip_install(f'blikk-edge[{sink}]')}", after_s=60.0)


def unreachable(error: BaseException, key: str) -> str:
    """Why no connection came about, or why it broke; `key` is that of the sink, as `sinks.redis`."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted ({quote(cause.verify_message)}); check `{key}.tls`, and its names"
        if isinstance(cause, ssl.SSLError):
            why = quote((cause.reason or str(cause)).replace("_", " ").lower())
            return f"TLS failed ({why}); see whether it speaks TLS on this port, and `{key}.tls`"
        means = next((text for kind, text in _MEANS if isinstance(cause, kind)), None)
        if means is not None:
            return means.format(key=key)
        if isinstance(cause, OSError) and cause.strerror:
            return f"the connection failed: {cause.strerror}"
    return f"the connection broke ({type(error).__name__})"


_MEANS: Final = (
    (socket.gaierror, "the name of its host is not known; check `{key}.host`"),
    (ConnectionRefusedError, "nobody answers there; see whether it runs, and check `{key}.host` and `port`"),
    (TimeoutError, "it does not answer in time; see whether it runs, and check `{key}.host` and `port`"),
)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it came from, the deepest first."""
    found: list[BaseException] = []
    at: BaseException | None = error
    while at is not None and at not in found:
        found.append(at)
        at = at.__cause__ or at.__context__
    return reversed(found)
