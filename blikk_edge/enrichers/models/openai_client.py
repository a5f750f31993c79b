"""The only door to the `openai` package: one POST to chat.completions, whose reply is taken as untrusted bytes.

Imported when the first call is made: the package takes 0.7 s and 50 MB.
"""

import json
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx2
import openai

from blikk_edge.enrichers.models.openai_faults import quote
from blikk_edge.enrichers.models.port import AwayError, GarbledError

REPLY_BYTES: Final = 2_000_000
CONNECT_S: Final = 10.0
RAW_RESPONSE: Final = "x-stainless-raw-response"
"""The package looks at this one of its headers again when the answer is there; it says nothing of us."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer of any status, 200 for every success.

    `bodies` are its JSON values, one, or one for each part of a stream; of an error also its text.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    bodies: tuple[object, ...] = field(repr=False)
    streamed: bool = False


class Client:
    """Connections to one endpoint. No redirect is followed; `proxied` is whether environment proxies may serve."""

    def __init__(self, *, base_url: str, api_key: str | None, who: str, proxied: bool) -> None:
        self._who = who
        self._headers: dict[str, str | openai.Omit] = {"User-Agent": "blikk-edge", "Accept-Encoding": "identity"}
        if api_key is None:
            self._headers["Authorization"] = openai.Omit()
        self._openai = openai.AsyncOpenAI(
            base_url=base_url,
            api_key=api_key or "none",
            max_retries=0,
            http_client=openai.DefaultAsyncHttpx2Client(
                follow_redirects=False,
                # a call a minute finds an idle connection dead more often than a new one costs
                limits=httpx2.Limits(max_keepalive_connections=0),
                trust_env=proxied,
                event_hooks={"request": [_discreet], "response": [_bound]},
            ),
        )

    async def post(self, body: Mapping[str, Any], *, timeout_s: float) -> Reply:
        """Send `body`; `timeout_s` bounds each wait, not all of them.

        Raises AwayError where no whole reply came, GarbledError where a success is no JSON.
        """
        rest = {key: value for key, value in body.items() if key not in {"model", "messages"}}
        try:
            async with self._openai.chat.completions.with_streaming_response.create(
                model=body["model"],
                messages=body["messages"],
                extra_body=rest,
                extra_headers=self._headers,
                timeout=httpx2.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s)),
            ) as response:
                return await self._read(response)
        except openai.APIStatusError as error:
            page = "<" in error.response.text[:20]
            said = "" if isinstance(error.body, str) and page else error.body
            return Reply(status=error.status_code, headers=error.response.headers, bodies=(said,))
        except openai.APITimeoutError as error:
            raise AwayError(f"{self._who}: it does not answer") from error
        except (openai.APIConnectionError, httpx2.HTTPError, httpx2.StreamError) as error:
            raise AwayError(f"{self._who}: {_reason(error)}") from error
        except openai.OpenAIError as error:
            raise GarbledError(f"{self._who}: {quote(str(error))}") from error

    async def _read(self, response: Any) -> Reply:
        headers = response.headers
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "text/event-stream":
            parts = [self._json(line) async for line in _data_lines(response)]
            return Reply(status=200, headers=headers, bodies=tuple(parts), streamed=True)
        raw = await response.read()
        if kind.endswith("html"):
            raise GarbledError(f"{self._who}: it answered with a web page; check base_url, which mostly ends in /v1")
        return Reply(status=200, headers=headers, bodies=(self._json(raw),))

    def _json(self, raw: bytes | str) -> object:
        try:
            return json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise GarbledError(f"{self._who}: its answer is no JSON, or was cut off") from error

    async def close(self) -> None:
        """Close every connection."""
        await self._openai.close()


async def _data_lines(response: Any) -> AsyncIterator[str]:
    async for line in response.iter_lines():
        name, _, value = line.partition(":")
        if name == "data":
            value = value.removeprefix(" ")
            if value.strip() == "[DONE]":
                return
            yield value


async def _discreet(request: httpx2.Request) -> None:
    """Leave out what the package tells of this machine and takes from its environment."""
    for name in [name for name in request.headers if name.startswith(("x-stainless-", "openai-"))]:
        if name != RAW_RESPONSE:
            del request.headers[name]


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
    if isinstance(cause, OSError) and cause.errno and cause.errno > 0:
        said = os.strerror(cause.errno)  # asyncio's own words for these repeat address and number
    return quote(said) or type(cause).__name__
