"""The HTTP of WHEP: an offer is posted, an answer comes back, and at the end the connection is deleted."""

import asyncio
import base64
import ipaddress
import socket
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin

from blikk_edge.sources.address import Address, AddressError, parse
from blikk_edge.sources.faults import SERVER_ERROR, TOO_MANY, system_meaning
from blikk_edge.sources.request import REDIRECTS_MOST, Failed, camera_tls
from blikk_edge.sources.webrtc.options import may_be_in_the_clear

if TYPE_CHECKING:
    from ssl import SSLContext

    from aiohttp import ClientResponse, ClientSession

SDP: Final = "application/sdp"
SDP_BYTES: Final = 65_536
DELETE_S: Final = 2.0

_STATUS: Final = MappingProxyType(
    {
        400: "the server cannot read the offer (400); check that the address is one for WHEP",
        401: "the server refuses the token (401); mend `token` of the source",
        403: "the server forbids this stream to this token (403); give it the right to view",
        404: "the server does not know this stream, or nobody sends it now (404); mend the path of the source",
        405: "this address takes no WebRTC offer (405); mend the path, which mostly ends in `/whep`",
        406: "the server and this machine have no codec in common (406); have it send H.264 or VP8",
        409: "nobody sends this stream now, or the server is busy with it (409); it is tried again later",
        410: "the server does not know this stream any more (410); mend the path of the source",
        415: "this address takes no WebRTC offer (415); mend the path, which mostly ends in `/whep`",
        422: "the server and this machine have no codec in common (422); have it send H.264 or VP8",
        429: TOO_MANY,
    }
)
NO_SDP: Final = "the server answers, but with no WebRTC description; mend the path, which mostly ends in `/whep`"
IN_THE_CLEAR: Final = "without encryption streams are only taken from this network; write `whep+https://`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreed:
    """What a server has answered to an offer.

    Attributes:
        answer: The description.
        resource: What is to be deleted at the end; None where it names nothing.
    """

    answer: str
    resource: Address | None = field(repr=False)


class WhepServer:
    """One stream of one server; `token` goes to its own origin alone, never to where it redirects."""

    def __init__(self, address: Address, token: str | None) -> None:
        self._address = address
        self._authorization = f"Bearer {token}" if token else ""
        if not token and address.login is not None:
            self._authorization = "Basic " + base64.b64encode(b":".join(address.login)).decode()

    async def agree(self, offer: str) -> Agreed:
        """Post the offer; raises Failed."""
        async with _session() as session:
            asked = self._address
            for _ in range(REDIRECTS_MOST + 1):
                await _check_reach(asked)
                async with _posted(session, asked, offer, self._headers(asked)) as answer:
                    place = answer.headers.get("Location")
                    if answer.status in {301, 302, 303, 307, 308} and place:
                        asked = _redirected(asked, place)
                        continue
                    return await _agreed(answer, asked, place)
        raise Failed("the server sends from one address to the next without end; mend the path of the source")

    async def end(self, resource: Address) -> None:
        """Notify the server that nobody watches any more. Whether it hears that is of no matter."""
        from aiohttp import ClientError  # noqa: PLC0415  # 15 MB that only a node with such a camera needs

        try:
            async with asyncio.timeout(DELETE_S), _session() as session:
                await _check_reach(resource)
                async with session.delete(
                    _bare(resource), headers=self._headers(resource), allow_redirects=False, ssl=_tls(resource)
                ):
                    pass
        except (ClientError, OSError, TimeoutError, Failed):
            pass

    def _headers(self, asked: Address) -> dict[str, str]:
        headers = {"User-Agent": "blikk-edge", "Accept": SDP}
        if self._authorization and _origin(asked) == _origin(self._address):
            headers["Authorization"] = self._authorization
        return headers


def _session() -> "ClientSession":
    from aiohttp import ClientSession, DummyCookieJar  # noqa: PLC0415  # see WhepServer.end

    return ClientSession(cookie_jar=DummyCookieJar())


class _posted:  # noqa: N801  # a context, used like a function
    """The answer to an offer, while the context is open; raises Failed."""

    def __init__(self, session: "ClientSession", asked: Address, offer: str, headers: dict[str, str]) -> None:
        self._sending = session.post(
            _bare(asked),
            data=offer.encode(),
            headers={**headers, "Content-Type": SDP},
            allow_redirects=False,
            ssl=_tls(asked),
        )

    async def __aenter__(self) -> "ClientResponse":
        from aiohttp import ClientError, ClientSSLError  # noqa: PLC0415  # see WhepServer.end

        try:
            return await self._sending.__aenter__()
        except ClientSSLError:
            failed = Failed("no encrypted connection; check port and `whep+https`")
        except OSError as error:  # what connecting raises is one, too
            failed = Failed(system_meaning(getattr(error, "os_error", error)), passing=True)
        except (ClientError, ValueError):
            failed = Failed("the server does not answer as a web server does; check port and `whep+https`")
        raise failed from None

    async def __aexit__(self, *error: object) -> None:
        await self._sending.__aexit__(*error)  # type: ignore[arg-type]  # as the context got them


async def _agreed(answer: "ClientResponse", asked: Address, place: str | None) -> Agreed:
    """What a final answer says; raises Failed for anything but a description."""
    from aiohttp import ClientError  # noqa: PLC0415  # see WhepServer.end

    if answer.status not in {200, 201}:
        raise Failed(status_words(answer.status), passing=True)
    read = b""
    try:
        while (piece := await answer.content.read(SDP_BYTES)) and len(read) <= SDP_BYTES:
            read += piece
    except (ClientError, OSError):
        raise Failed(NO_SDP) from None
    text = read.decode("utf-8", "replace")
    if answer.content_type != SDP or len(read) > SDP_BYTES or not text.lstrip().startswith("v=0"):
        raise Failed(NO_SDP)
    try:
        resource = _redirected(asked, place) if place else None
    except Failed:
        resource = None
    return Agreed(answer=text, resource=resource)


def status_words(status: int) -> str:
    """What a status that is no success means, and how to mend it."""
    return _STATUS.get(status, SERVER_ERROR if status >= 500 else f"the server refuses the offer ({status})")


async def _check_reach(asked: Address) -> None:
    """Raise Failed where HTTP without TLS would go beyond this network."""
    if asked.scheme == "https":
        return
    try:
        found = await asyncio.get_running_loop().getaddrinfo(asked.host, asked.port_number, type=socket.SOCK_STREAM)
    except OSError as error:
        raise Failed(system_meaning(error), passing=True) from None
    if not all(may_be_in_the_clear(str(ipaddress.ip_address(str(each[4][0]).partition("%")[0]))) for each in found):
        raise Failed(IN_THE_CLEAR)


def _redirected(base: Address, place: str) -> Address:
    try:
        address = parse(urljoin(base.url, place))
    except (ValueError, AddressError):
        address = None
    if address is None or address.scheme not in {"http", "https"}:
        raise Failed("the server sends to an address that is none of http or https; name the stream's own address")
    return address


def _bare(address: Address) -> str:
    """The address without user and password, which go into a header."""
    host = f"[{address.host}]" if ":" in address.host else address.host
    return f"{address.scheme}://{host}:{address.port_number}{address.target}"


def _origin(address: Address) -> tuple[str, str, int]:
    return address.scheme, address.host.lower(), address.port_number


def _tls(address: Address) -> "SSLContext | bool":
    return camera_tls() if address.scheme == "https" else True
