"""A sink like our webhook, as somebody else would write it: one file, one entry point."""

from dataclasses import dataclass

import aiohttp

from blikk_edge.core.backoff import Backoff
from blikk_edge.core.observation import Event
from blikk_edge.core.ports import Inbox, Item
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

    def __init__(self, options: PostOptions, context: Context) -> None:
        self._options = options
        self._topics = context.topics
        self._clock = context.clock

    async def run(self, inbox: Inbox[Item]) -> None:
        """Post for ever; what cannot be posted is posted again."""
        token = self._options.token
        headers = {"Authorization": f"Bearer {token.reveal()}"} if token else {}
        limit = aiohttp.ClientTimeout(total=self._options.timeout_s)
        async with aiohttp.ClientSession(headers=headers, timeout=limit) as session:
            while True:
                item = await inbox.get()
                if isinstance(item, Event):
                    await self._post(session, encode(item, self._topics).payload)

    async def _post(self, session: aiohttp.ClientSession, payload: bytes) -> None:
        backoff = Backoff()
        while True:
            try:
                async with session.post(self._options.url, data=payload) as response:
                    if response.status < 500:
                        return
            except (aiohttp.ClientError, TimeoutError):
                pass
            await self._clock.sleep(backoff.next_s())


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
