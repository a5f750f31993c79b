"""Why a server's certificate is not trusted: also since when it has expired, which no error of TLS says."""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from blikk_edge.core.errors import quote
from blikk_edge.net.tls import client_context

NOT_YET, EXPIRED = 9, 10
"""OpenSSL's X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED."""

IGNORE_TIME: Final = 0x200000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME, for which the standard library has no name."""

LOOK_S: Final = 3.0

_OF_SYSTEM: Final = "let an authority that this system trusts sign it, or add its authority to those of the system"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Whose certificate it is.

    Attributes:
        host: Its name or IP address.
        port: Its TCP port.
        trusting: Makes the context by which it was refused; blocking.
        hello: What is sent before TLS begins, which is answered with one byte; empty: nothing.
    """

    host: str
    port: int
    trusting: Callable[[], ssl.SSLContext]
    hello: bytes = b""


async def untrusted(error: BaseException, server: Server, *, mend: str, now: Callable[[], datetime]) -> str | None:
    """Why the certificate of `server` was refused, and how to mend it; None where `error` is about something else.

    One that is out of its time is looked at in a connection of its own, in which nothing else is said. `mend` is for
    other reasons.
    """
    cause = _cause(error)
    if cause is None:
        return None
    if cause.verify_code not in {NOT_YET, EXPIRED}:
        return f"its certificate is not trusted ({quote(cause.verify_message)}); {mend}"
    begins, ends = await _validity(server)
    shown = now()
    if cause.verify_code == NOT_YET:
        since = f" before {_written(begins)}" if begins is not None and begins > shown else " yet"
        return f"its certificate is not valid{since}; this machine's clock shows {_written(shown)}: is that right?"
    if ends is None:
        return "its certificate has expired; renew it on that server"
    if ends > shown:
        return "an authority of its certificate has expired; renew that one, and what it has signed"
    return (
        f"its certificate has expired, on {_written(ends)}; renew it on that server "
        f"(this machine's clock shows {_written(shown)})"
    )


async def untrusted_by_system(error: BaseException, url: str) -> str | None:
    """The same of the server of an https address, where the authorities of the system are trusted alone."""
    parts = urlsplit(url)
    server = Server(host=parts.hostname or "", port=parts.port or 443, trusting=client_context)
    return await untrusted(error, server, mend=_OF_SYSTEM, now=machine_time)


def machine_time() -> datetime:
    """By which OpenSSL finds that a certificate has expired."""
    return datetime.now(UTC)


def _cause(error: BaseException) -> ssl.SSLCertVerificationError | None:
    at: BaseException | None = error
    seen: set[int] = set()
    while at is not None and id(at) not in seen:
        if isinstance(at, ssl.SSLCertVerificationError) and hasattr(at, "verify_code"):  # aiohttp's own has none
            return at
        seen.add(id(at))
        at = at.__cause__ or at.__context__
    return None


async def _validity(server: Server) -> tuple[datetime | None, datetime | None]:
    """From when until when it is valid; None where that cannot be seen."""
    try:
        async with asyncio.timeout(LOOK_S):
            context = await asyncio.to_thread(server.trusting)
            context.verify_flags |= ssl.VerifyFlags(IGNORE_TIME)
            context.check_hostname = False
            reader, writer = await asyncio.open_connection(
                server.host, server.port, ssl=None if server.hello else context
            )
            try:
                if server.hello:
                    writer.write(server.hello)
                    await reader.readexactly(1)
                    await writer.start_tls(context)
                certificate = writer.get_extra_info("peercert") or {}
            finally:
                writer.transport.abort()
    except (OSError, EOFError, TimeoutError):
        return None, None
    return _time(certificate.get("notBefore")), _time(certificate.get("notAfter"))


def _time(text: object) -> datetime | None:
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(text), UTC) if isinstance(text, str) else None


def _written(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"
