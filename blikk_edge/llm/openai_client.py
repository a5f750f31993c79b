"""The only door to the network of a language model: one POST to chat.completions, its reply taken as untrusted bytes.

Over httpx2, with which the `openai` package itself sends; docs/design/slow-loop.md says why not by that package.
"""

import codecs
import json
import os
import re
import ssl
import zlib
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Final

import httpx2

from blikk_edge.core.errors import quote
from blikk_edge.llm.openai_address import endpoint
from blikk_edge.llm.port import AwayError, GarbledError
from blikk_edge.net.certificates import untrusted_by_system
from blikk_edge.net.tls import client_context

REPLY_BYTES: Final = 2_000_000
CONNECT_S: Final = 10.0
DONE: Final = "[DONE]"
"""What the last part of a stream is."""

TRIES: Final = 32
"""How often a part of many lines is looked at as it grows; after that an empty line must end it."""

_STREAM: Final = re.compile(r"(?:data|event|id|retry)?:", re.I)
_COMMENTS: Final = re.compile(r"\A(?::[^\r\n]*[\r\n]+)+")
_LINE_END: Final = re.compile(r"\r\n|\n|\r")
_AROUND: Final = " \t\r\n\0\ufeff"
"""What servers put around JSON, to keep a connection awake or by mistake."""

_BLANKS: Final = re.compile(f"[{_AROUND}]*")
_DECODER: Final = json.JSONDecoder(strict=False)


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
        self._url = endpoint(base_url)
        headers = {"User-Agent": "blikk-edge", "Accept": "application/json", "Accept-Encoding": "identity"}
        if api_key is not None:
            headers["Authorization"] = f"Bearer {api_key}"
            if "?api-version=" in self._url:
                headers["api-key"] = api_key  # these take no other
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
            raise AwayError(f"{self._who}: {await untrusted_by_system(error, self._url) or _reason(error)}") from error

    async def _read(self, response: httpx2.Response) -> ServerReply:
        headers = response.headers
        if not response.is_success:
            said = _said(_text(await response.aread(), response))
            return ServerReply(status=response.status_code, headers=headers, bodies=(said,))
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "text/event-stream":
            return self._stream(headers, [part async for part in _parts_of(response)])
        text = _text(await response.aread(), response).strip(_AROUND)
        if kind.endswith("html") and text[:1] not in {"{", "["}:
            raise GarbledError(f"{self._who}: it answered with a web page; check base_url, which mostly ends in /v1")
        if _STREAM.match(text):  # one that is not called so
            parts = list(_parts_in(_LINE_END.split(text)))
            if parts:
                return self._stream(headers, parts)
            text = _COMMENTS.sub("", text)
        return ServerReply(status=200, headers=headers, bodies=tuple(self._values(text)))

    def _stream(self, headers: Mapping[str, str], parts: list[str]) -> ServerReply:
        whole = DONE in parts
        bodies = tuple(value for part in parts if part != DONE for value in self._values(part))
        return ServerReply(status=200, headers=headers, bodies=bodies, streamed=True, whole=whole)

    def _values(self, text: str) -> Iterator[object]:
        """The JSON values of a text: one, or, of some servers, several one behind the other."""
        at = 0
        try:
            while at < len(text):
                value, at = _DECODER.raw_decode(text, at)
                yield value
                if (blanks := _BLANKS.match(text, at)) is not None:
                    at = blanks.end()
        except (ValueError, RecursionError) as error:
            raise GarbledError(f"{self._who}: its answer is no JSON, or was cut off") from error
        if not text:
            raise GarbledError(f"{self._who}: its answer is no JSON, or was cut off")

    async def close(self) -> None:
        """Close every connection."""
        await self._http.aclose()


def _text(raw: bytes, response: httpx2.Response) -> str:
    """UTF-8 as JSON has it, or what the server says, or the code of a machine that never heard of either."""
    for charset in (json.detect_encoding(raw), response.charset_encoding or ""):
        try:
            return raw.decode(charset)
        except (UnicodeDecodeError, LookupError):
            continue
    return raw.decode("cp1252", "replace")


def _said(text: str) -> object:
    """What an error of any form says; nothing, where it is a web page."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return "" if "<" in text[:20] else text


async def _parts_of(response: httpx2.Response) -> AsyncIterator[str]:
    """The parts of a stream up to `DONE`, behind which some servers keep the connection."""
    parts = _Parts()
    async for line in _lines(response):
        for value in parts.take(line):
            yield value
            if value == DONE:
                return
    for value in parts.take(""):
        yield value


async def _lines(response: httpx2.Response) -> AsyncIterator[str]:
    """Lines as event streams have them. The library's end at every sign that Unicode calls so, within texts too."""
    decoder, rest = codecs.getincrementaldecoder("utf-8-sig")("replace"), ""
    async for raw in response.aiter_bytes():
        rest += decoder.decode(raw)
        *lines, rest = _LINE_END.split(rest)
        for line in lines:
            yield line
    yield rest


def _parts_in(lines: Iterable[str]) -> Iterator[str]:
    parts = _Parts()
    for line in (*lines, ""):
        yield from parts.take(line)


class _Parts:
    """Puts the parts of a stream together, of which one may have several lines."""

    def __init__(self) -> None:
        self._begun: list[str] = []
        self._tries = 0

    def take(self, line: str) -> Iterator[str]:
        """The parts that this line ends; an empty one ends what was begun."""
        name, _, value = line.partition(":")
        value = value.strip()
        if name == "data" and value:  # an empty one keeps the connection awake
            if value.strip('"').upper() == DONE:
                yield from self.take("")
                yield DONE
                return
            self._begun.append(value)
            if not self._is_whole():
                return
        elif line:
            return
        if self._begun:
            yield "\n".join(self._begun)
        self._begun, self._tries = [], 0

    def _is_whole(self) -> bool:
        """Whether what was begun is JSON; some servers put no empty line behind it."""
        goes_on = self._begun[0][0] in "{[" and self._begun[-1][-1] not in "}]"
        if goes_on or self._tries == TRIES:
            return False
        self._tries += 1
        try:
            json.loads("\n".join(self._begun))
        except (ValueError, RecursionError):
            return False
        return True


async def _bound(response: httpx2.Response) -> None:
    """Called by httpx2 before a body is read."""
    coding = response.headers.get("content-encoding", "identity").strip().lower()
    if coding not in {"identity", "", "gzip", "x-gzip", "deflate"}:
        raise httpx2.DecodingError("it compresses unasked", request=response.request)
    stream = response.stream
    if isinstance(stream, httpx2.AsyncByteStream):
        response.stream = _Bounded(stream, inflates=coding not in {"identity", ""})
        # here, where it is bounded, and not by the library
        response.headers.pop("content-encoding", None)


class _Bounded(httpx2.AsyncByteStream):
    """At most REPLY_BYTES, also of what a proxy has compressed though nobody asked for that."""

    def __init__(self, stream: httpx2.AsyncByteStream, *, inflates: bool) -> None:
        self._stream = stream
        self._inflates = inflates

    async def __aiter__(self) -> AsyncIterator[bytes]:
        total, inflate = 0, zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
        async for raw in self._stream:
            try:
                part = inflate.decompress(raw, REPLY_BYTES + 1) if self._inflates else raw
            except zlib.error as error:
                raise httpx2.ReadError("what it compressed is damaged") from error
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
