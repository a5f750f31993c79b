"""The only door to the network of a language model: one POST to chat.completions, its reply taken as untrusted bytes.

Over httpx2, with which the `openai` package itself sends; docs/design/slow-loop.md says why not by that package.
"""

import json
import os
import ssl
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Final

import httpx2

from blikk_edge.core.errors import quote
from blikk_edge.llm.port import AwayError, GarbledError
from blikk_edge.net.certificates import OF_SYSTEM, Server, machine_time, untrusted
from blikk_edge.net.tls import client_context

REPLY_BYTES: Final = 2_000_000
CONNECT_S: Final = 10.0
DONE: Final = "[DONE]"
"""What the last part of a stream is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerReply:
    """An answer of any status.

    Attributes:
        status: Of HTTP; 200 for every success.
        headers: By name, whatever its case.
        bodies: Its JSON values: one, or one for each part of a stream; of an error also its text.
        streamed: Whether it came as a stream.
        whole: Whether a stream said that it was at its end.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    bodies: tuple[object, ...] = field(repr=False)
    streamed: bool = False
    whole: bool = False


class Client:
    """Connections to one endpoint. No redirect is followed; `proxied` is whether environment proxies may serve."""

    def __init__(self, *, base_url: str, api_key: str | None, who: str, proxied: bool) -> None:
        self._who = who
        self._url = f"{base_url.rstrip('/')}/chat/completions"
        headers = {"User-Agent": "blikk-edge", "Accept": "application/json", "Accept-Encoding": "identity"}
        if api_key is not None:
            headers["Authorization"] = f"Bearer {api_key}"
        # Without TLS the authorities need not be loaded, which takes 1.2 MB; a context without any trusts nobody.
        plain = base_url.lower().startswith("http:")
        self._http = httpx2.AsyncClient(
            headers=headers,
            verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if plain else client_context(),
            follow_redirects=False,
            # a call a minute finds an idle connection dead more often than a new one costs
            limits=httpx2.Limits(max_keepalive_connections=0),
            trust_env=proxied,
            # nobody shall recognise one of our requests by another
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            event_hooks={"response": [_bound]},
        )

    async def post(self, body: Mapping[str, Any], *, timeout_s: float) -> ServerReply:
        """Send `body`; `timeout_s` bounds each wait, not all of them.

        Raises AwayError where no whole reply came, GarbledError where a success is no JSON.
        """
        timeout = httpx2.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s))
        try:
            async with self._http.stream("POST", self._url, json=body, timeout=timeout) as response:
                return await self._read(response)
        except httpx2.TimeoutException as error:
            raise AwayError(f"{self._who}: it does not answer") from error
        except (httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL, OSError) as error:
            raise AwayError(f"{self._who}: {await self._certificate_problem(error) or _reason(error)}") from error

    async def _read(self, response: httpx2.Response) -> ServerReply:
        headers = response.headers
        if not response.is_success:
            return ServerReply(status=response.status_code, headers=headers, bodies=(_said(await response.aread()),))
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "text/event-stream":
            return self._stream(headers, [part async for part in _data_lines(response)])
        raw = await response.aread()
        if kind.endswith("html"):
            raise GarbledError(f"{self._who}: it answered with a web page; check base_url, which mostly ends in /v1")
        if raw.lstrip()[:5] == b"data:":  # a stream that is not called one
            return self._stream(headers, list(_data_in(raw.decode("utf-8", "replace").splitlines())))
        return ServerReply(status=200, headers=headers, bodies=(self._json(raw),))

    def _stream(self, headers: Mapping[str, str], parts: list[str]) -> ServerReply:
        whole = DONE in parts
        bodies = tuple(self._json(part) for part in parts if part != DONE)
        return ServerReply(status=200, headers=headers, bodies=bodies, streamed=True, whole=whole)

    def _json(self, raw: bytes | str) -> object:
        try:
            return json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise GarbledError(f"{self._who}: its answer is no JSON, or was cut off") from error

    async def _certificate_problem(self, error: Exception) -> str | None:
        address = httpx2.URL(self._url)
        server = Server(host=address.host, port=address.port or 443, trusting=client_context)
        return await untrusted(error, server, mend=OF_SYSTEM, now=machine_time)

    async def close(self) -> None:
        """Close every connection."""
        await self._http.aclose()


def _said(raw: bytes) -> object:
    """What an error of any form says; nothing, where it is a web page."""
    text = raw.decode("utf-8", "replace")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return "" if "<" in text[:20] else text


async def _data_lines(response: httpx2.Response) -> AsyncIterator[str]:
    """The parts of a stream up to `DONE`, behind which some servers keep the connection."""
    async for line in response.aiter_lines():
        for value in _data_in((line,)):
            yield value
            if value == DONE:
                return


def _data_in(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        name, _, value = line.partition(":")
        if name == "data" and value.strip():  # an empty one keeps the connection awake
            yield value.strip()


async def _bound(response: httpx2.Response) -> None:
    """Called by httpx2 before a body is read."""
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise httpx2.DecodingError("it compresses unasked", request=response.request)
    stream = response.stream
    if isinstance(stream, httpx2.AsyncByteStream):
        response.stream = _Bounded(stream)


class _Bounded(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        total = 0
        async for part in self._stream:
            total += len(part)
            if total > REPLY_BYTES:
                raise httpx2.ReadError(f"its answer is longer than {REPLY_BYTES} bytes")
            yield part

    async def aclose(self) -> None:
        await self._stream.aclose()


def _reason(error: BaseException) -> str:
    """What the innermost cause says."""
    said = str(error)
    cause = error
    while (below := cause.__cause__ or cause.__context__) is not None:
        cause = below
        said = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(cause) or said
    if isinstance(cause, ssl.SSLError):
        said = f"no TLS with it: {(cause.reason or said).lower().replace('_', ' ')}; does it serve https?"
    elif isinstance(cause, OSError) and cause.errno and cause.errno > 0:
        said = os.strerror(cause.errno)  # asyncio's own words for these repeat address and number
    return quote(said) or type(cause).__name__
