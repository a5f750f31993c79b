"""An OpenAI-compatible server with faults to order: it keeps what it was asked and says what the test wants."""

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

GOOD = {"title": "A person came", "count": 2}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request as it came."""

    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Say:
    """One answer. `text` is what the model wrote; `body` is sent instead of a completion."""

    text: str = json.dumps(GOOD)
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    kind: str = "application/json"
    finish: str | None = "stop"
    done: bool = True
    """Whether a stream says that it is at its end."""
    usage: Any = field(default_factory=lambda: {"prompt_tokens": 40, "completion_tokens": 9, "total_tokens": 49})
    more: Mapping[str, Any] = field(default_factory=dict)
    delay_s: float = 0.0
    drip_s: float = 0.0
    keep: float = 1.0
    """The share of the body after which the connection is closed."""
    stall: float | None = None
    """The share of the body after which nothing comes any more."""
    hang_up: bool = False


def refusal(status: int, message: str, **more: Any) -> Say:
    """An error in the shape of OpenAI's."""
    headers = more.pop("headers", {})
    return Say(status=status, headers=headers, body={"error": {"message": message, "type": "error", **more}})


Answers = Callable[[Asked], Say]


class LlmServer:
    """Runs on a free loopback port; each request takes the next of what `say` was given, then `always` answers."""

    def __init__(self, always: Answers | None = None) -> None:
        self.asked: list[Asked] = []
        self.cut_off = 0
        """How many answers the client did not wait for."""
        self._always = always or (lambda _: Say())
        self._next: deque[Say] = deque()
        self._connections: dict[asyncio.StreamWriter, asyncio.Task[Any] | None] = {}

    def say(self, *answers: Say) -> None:
        """Answer so, in this order."""
        self._next.extend(answers)

    def forget(self) -> None:
        """What was to be said next is said no more."""
        self._next.clear()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def base_url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}/v1"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=10_000_000)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        serving = [task for task in self._connections.values() if task]
        for writer in self._connections:
            writer.transport.abort()
        if serving:
            await asyncio.wait(serving, timeout=5)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections[writer] = asyncio.current_task()
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._answer(reader, writer)
        finally:
            del self._connections[writer]
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        body = json.loads(await reader.readexactly(int(headers.get("content-length", "0"))) or b"{}")
        asked = Asked(path=head[0].split(" ")[1], headers=headers, body=body)
        self.asked.append(asked)
        say = self._next.popleft() if self._next else self._always(asked)
        answering = asyncio.ensure_future(self._write(say, bool(body.get("stream")), writer))
        leaving = asyncio.ensure_future(reader.read(1))
        await asyncio.wait((answering, leaving), return_when=asyncio.FIRST_COMPLETED)
        self.cut_off += not answering.done()
        answering.cancel()
        leaving.cancel()
        await asyncio.wait((answering, leaving))

    async def _write(self, say: Say, stream: bool, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(say.delay_s)
        if say.hang_up:
            return
        kind, raw = say.kind, self._raw(say)
        if stream and say.body is None:
            kind, raw = "text/event-stream", self._events(say)
        reported = {"Content-Type": kind, "Content-Length": len(raw), "Connection": "close", **say.headers}
        lines = [f"HTTP/1.1 {say.status} Some", *(f"{name}: {value}" for name, value in reported.items())]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        if say.stall is not None:
            writer.write(raw[: int(len(raw) * say.stall)])
            await asyncio.Event().wait()
        raw = raw[: int(len(raw) * say.keep)]
        step = 8 if say.drip_s else len(raw) or 1
        for start in range(0, len(raw), step):
            writer.write(raw[start : start + step])
            await writer.drain()
            await asyncio.sleep(say.drip_s)

    def _raw(self, say: Say) -> bytes:
        if isinstance(say.body, bytes):
            return say.body
        if say.body is not None:
            return say.body.encode() if isinstance(say.body, str) else json.dumps(say.body).encode()
        message = {"role": "assistant", "content": say.text, **say.more}
        answer = {
            "id": "1",
            "object": "chat.completion",
            "created": 1,
            "model": "tiny-1",
            "choices": [{"index": 0, "message": message, "finish_reason": say.finish}],
        }
        return json.dumps(answer | ({} if say.usage is None else {"usage": say.usage})).encode()

    def _events(self, say: Say) -> bytes:
        deltas = [{"role": "assistant", "content": ""}, *({"content": c} for c in say.text)]
        chunks: list[Any] = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
        if say.finish is not None:
            chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": say.finish}]})
        if say.usage is not None:
            chunks.append({"choices": [], "usage": say.usage})
        lines = [f"data: {json.dumps({'model': 'tiny-1', **chunk})}\n\n" for chunk in chunks]
        return "".join([": hello\n\n", *lines, *(["data: [DONE]\n\n"] if say.done else [])]).encode()
