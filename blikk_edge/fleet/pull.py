"""Messages of a stream, asked for in good time and taken in batches."""

import json
from typing import TYPE_CHECKING, Final

from blikk_edge.core.errors import SinkError, quote
from blikk_edge.fleet.link import Link

if TYPE_CHECKING:
    from nats.aio.msg import Msg
    from nats.aio.subscription import Subscription

ASKED: Final = 1000
"""Messages that are asked for at once; so many are on their way at most, while others are being written."""

EXPIRES_S: Final = 5.0
LINGER_S: Final = 0.02
"""For so long a batch waits for more once it has begun."""

_NOTHING: Final = frozenset({"404", "408"})


class Pull:
    """Takes the messages of a `consumer` of a `stream`, by way of `api`. `take` raises SinkError."""

    def __init__(self, link: Link, stream: str, consumer: str, *, api: str = "$JS.API") -> None:
        self._link = link
        self._stream = stream
        self._next_of = f"{api}.CONSUMER.MSG.NEXT.{stream}.{consumer}"
        self._sub: Subscription | None = None
        self._asked = 0

    async def open(self) -> None:
        """Listen to what will be asked for. Raises SinkError, and what the library raises."""
        client = await self._link.client()
        self._asked = 0
        self._sub = await client.subscribe(client.new_inbox())

    async def rest(self) -> "list[Msg]":
        """Ask for no more, until it is opened again; what came and was not taken. Raises what the library raises."""
        sub, left = self._sub, list["Msg"]()
        try:
            while sub is not None and self._link.connected and sub.pending_msgs:
                left += await self._next(LINGER_S)
            if sub is not None and self._link.connected:
                await sub.unsubscribe()
        finally:
            self._sub = None
        return left

    async def take(self, most: int) -> "list[Msg]":
        """The next messages, in their order, at least one unless EXPIRES_S pass without any."""
        assert self._sub is not None  # opened before
        try:
            if self._asked < ASKED // 2:
                await self._ask(ASKED - self._asked)
            batch = await self._next(EXPIRES_S + 1.0)
            while batch and len(batch) < most:
                more = await self._next(LINGER_S)
                if not more:
                    break
                batch += more
                if self._asked < ASKED // 2:
                    await self._ask(ASKED - self._asked)
        except SinkError:
            raise
        except Exception as error:
            raise self._link.error(error) from error
        return batch

    async def _ask(self, count: int) -> None:
        assert self._sub is not None
        client = await self._link.client()
        request = {"batch": count, "expires": int(EXPIRES_S * 1e9)}
        await client.publish(self._next_of, json.dumps(request).encode(), reply=self._sub.subject)
        self._asked += count

    async def _next(self, within_s: float) -> "list[Msg]":
        """One message, or none."""
        from nats.errors import TimeoutError as NatsTimeoutError  # noqa: PLC0415  # see Link

        assert self._sub is not None
        try:
            message = await self._sub.next_msg(within_s)
        except (NatsTimeoutError, TimeoutError):
            if within_s > EXPIRES_S:
                self._asked = 0  # who was asked does not know of it any more: it was started again, or another leads
            return []
        headers = message.headers or {}
        status = headers.get("Status")
        if status is None or message.data or message.reply:  # who answers for the stream names no reply
            self._asked = max(0, self._asked - 1)
            return [message]
        if status in _NOTHING:
            self._asked = 0
            return []
        raise SinkError(f"{self._link}: the stream {self._stream} answers {status}: {quote(str(headers))}")
