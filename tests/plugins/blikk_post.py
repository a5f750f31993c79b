"""A sink like our webhook, as somebody else would write it: one file, one entry point."""

from collections.abc import Sequence
from dataclasses import dataclass

import aiohttp

from blikk_edge.core.errors import SinkError
from blikk_edge.core.ports import Pending
from blikk_edge.grammar.schema import Key, Section
from blikk_edge.grammar.secrets import Secret
from blikk_edge.grammar.values import SECRET, WEB_ADDRESS, duration
from blikk_edge.kinds.context import Context
from blikk_edge.kinds.kind import Kind
from blikk_edge.wire.messages import encode


@dataclass(frozen=True, slots=True, kw_only=True)
class PostOptions:
    """Where events are posted to."""

    url: str
    token: Secret | None = None
    timeout_s: float = 10.0


class PostSink:
    """Posts events, one at a time, in order."""

    name = "post"
    takes = ("event",)
    batch = 1

    def __init__(self, options: PostOptions, context: Context) -> None:
        self._options = options
        self._topics = context.topics
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Get ready to post."""
        token = self._options.token
        headers = {"Authorization": f"Bearer {token.reveal()}"} if token else {}
        limit = aiohttp.ClientTimeout(total=self._options.timeout_s)
        self._session = self._session or aiohttp.ClientSession(headers=headers, timeout=limit)

    async def send(self, batch: Sequence[Pending]) -> None:
        """Post one; raises SinkError where that failed."""
        assert self._session is not None
        (pending,) = batch
        payload = encode(pending.record, self._topics, replayed=pending.replayed).payload
        try:
            async with self._session.post(self._options.url, data=payload) as response:
                status = response.status
        except (aiohttp.ClientError, TimeoutError) as error:
            raise SinkError(f"post: {self._options.url} does not answer") from error
        if status >= 400:
            refused = (pending.seq,) if status < 500 else ()
            raise SinkError(f"post: {self._options.url} answers {status}", refused=refused)

    async def close(self) -> None:
        """Close the connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None


KIND = Kind(
    name="post",
    meaning="Posts events to a web address.",
    options=Section(
        of=PostOptions,
        plain="url",
        keys=(
            Key(name="url", value=WEB_ADDRESS, required=True, meaning="Where events are posted to."),
            Key(name="token", value=SECRET, meaning="Sent as `Authorization: Bearer`."),
            Key(name="timeout_s", value=duration(1, 60), meaning="How long an answer may take."),
        ),
    ),
    make=PostSink,
)
