"""Requests to a node that runs somewhere else, over its HTTP server."""

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

from blikk_edge.core.errors import SinkError
from blikk_edge.core.inquiry import Request
from blikk_edge.core.loopback import is_loopback
from blikk_edge.net.certificates import Server, machine_time, untrusted
from blikk_edge.sinks.trust import context_trusting
from blikk_edge.wire.inquiries import MAX_PAYLOAD_BYTES, write_request

if TYPE_CHECKING:
    from aiohttp import ClientResponse

ANSWER_S: Final = 50.0
"""For the answer to a question: a little longer than a node works on one."""

MOST_BYTES: Final = 8 * 1024 * 1024

HINTS: Final = {
    401: "it refuses the token, or wants one: `http.tokens.view` of the node",
    421: "it is not called by this name; use its IP address, or add the name to `http.names`",
}
"""What to mend where a node answers with this status."""


async def distrust(error: BaseException, address: str, ca: Path | None) -> str | None:
    """Why the certificate of the node at `address` was refused, and how to mend it; None for another error.

    `address` is `https://` or `wss://host:port`; `ca` is who signs the certificate.
    """
    parts = urlsplit(address)
    server = Server(host=parts.hostname or "", port=parts.port or 443, trusting=lambda: context_trusting(ca))
    return await untrusted(error, server, mend="check its name, or name its `?ca=`", now=machine_time)


class NodeRequests:
    """Asks the node at `address`, which is `http(s)://host:port`, with a token of `view`. Raises SinkError.

    `token` is None where the node has none. `ca` is who signs its certificate; None: whom this machine trusts.
    """

    def __init__(self, address: str, token: str | None, ca: Path | None) -> None:
        self._address = address
        self._token = token
        self._ca = ca

    async def ask(self, request: Request) -> dict[str, Any]:
        """The reply to a request that only reads, as in the contract."""
        payload = write_request(request)
        if len(payload) > MAX_PAYLOAD_BYTES:
            raise SinkError(f"{len(payload)} bytes are more than a request needs ({MAX_PAYLOAD_BYTES})")
        content = await self._sent("POST", "/v1/ask", payload)
        if not isinstance(content, dict):
            raise SinkError(f"{self._address}: it does not answer like a node; check the address")
        return content

    async def frame(self, camera: str) -> bytes:
        """What a camera sees now: a JPEG, redacted."""
        content = await self._sent("GET", f"/v1/cameras/{quote(camera)}/frame.jpg", None)
        if not isinstance(content, bytes):
            raise SinkError(f"{self._address}: it does not answer like a node; check the address")
        return content

    async def _sent(self, method: str, path: str, body: bytes | None) -> dict[str, Any] | bytes | None:
        import aiohttp  # noqa: PLC0415  # 15 MB that only who asks over HTTP needs

        parts = urlsplit(self._address)
        trusting = context_trusting(self._ca) if parts.scheme == "https" else None
        headers = {} if self._token is None else {"Authorization": f"Bearer {self._token}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            async with (
                asyncio.timeout(ANSWER_S),
                aiohttp.ClientSession(trust_env=not is_loopback(parts.hostname or "")) as session,
                session.request(
                    method,
                    self._address + path,
                    data=body,
                    headers=headers,
                    ssl=trusting if trusting is not None else True,
                    allow_redirects=False,  # the token is for this host alone
                ) as answer,
            ):
                return await self._read(answer)
        except TimeoutError:
            raise SinkError(f"{self._address}: no answer within {ANSWER_S:.0f} s; see its log") from None
        except (aiohttp.ClientError, OSError) as error:
            refused = await distrust(error, self._address, self._ca) if trusting is not None else None
            why = refused or "no connection; check host and port, and that the node runs"
            raise SinkError(f"{self._address}: {why}") from None

    async def _read(self, answer: "ClientResponse") -> dict[str, Any] | bytes | None:
        read = bytearray()
        async for piece in answer.content.iter_any():
            read += piece
            if len(read) > MOST_BYTES:
                raise SinkError(f"{self._address}: an answer of more than {MOST_BYTES} bytes is none of a node's")
        content = bytes(read)
        kind = answer.content_type
        if answer.status == 200 and kind == "image/jpeg":
            return content
        said = _json(content) if kind == "application/json" else None
        if answer.status == 200:
            return said
        why = said.get("error") if said is not None else None
        hint = HINTS.get(answer.status) or str(why or "it does not answer like a node of this version")[:200]
        raise SinkError(f"{self._address}: {hint} ({answer.status})")


def _json(content: bytes) -> dict[str, Any] | None:
    try:
        read = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return read if isinstance(read, dict) else None
