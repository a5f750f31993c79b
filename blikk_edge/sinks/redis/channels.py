"""Pub/Sub of Redis: each record goes to who listens just then, in an envelope whose number shows what was missed."""

import asyncio
import logging
from typing import Final

from blikk_edge.core.backoff import Backoff
from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import SinkError
from blikk_edge.core.ports import Inbox, Item
from blikk_edge.core.trouble import Trouble
from blikk_edge.sinks.recent import Recent
from blikk_edge.sinks.redis.client import RedisClient
from blikk_edge.sinks.redis.kind import RedisOptions
from blikk_edge.wire.envelope import kind_of
from blikk_edge.wire.topics import Topics

LOG = logging.getLogger("blikk.redis")

KEPT: Final = 200
"""Records that wait for a slow server; of more the oldest are left out, and their numbers show it."""


class RedisChannels:
    """Publishes records on the channels `<topic of MQTT>`, each in an envelope (contract/schemas/envelope.json).

    While the server is away, nothing waits for it but the newest KEPT.
    """

    name = "redis"

    def __init__(self, options: RedisOptions, *, topics: Topics, clock: Clock) -> None:
        self._client = RedisClient(options)
        self._kinds = frozenset(options.kinds)
        self._clock = clock
        self._recent = Recent(topics, clock, records=KEPT, cursors=False)
        self._trouble = Trouble(LOG)

    @property
    def problem(self) -> str | None:
        """What is wrong now; None while all is well."""
        return self._trouble.now

    async def run(self, inbox: Inbox[Item]) -> None:
        """Publish until cancelled; a server that is away is tried again after a pause."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._take_all(inbox), name="redis.take")
            group.create_task(self._publish_all(), name="redis.publish")

    async def _take_all(self, inbox: Inbox[Item]) -> None:
        while True:
            item = await inbox.get()
            if kind_of(item) in self._kinds:  # what is not published has no number either
                self._recent.add(item)

    async def _publish_all(self) -> None:
        backoff, position = Backoff(), 0
        while True:
            try:
                redis = await self._client.open()
                self._trouble.end(f"{self._client} works again")
                backoff.reset()
                while True:
                    position = max(position, self._recent.oldest - 1)
                    if position == self._recent.newest:
                        await self._recent.more()
                        continue
                    sent = self._recent.record(position + 1)
                    position += 1  # one that the server may have had is not published twice
                    try:
                        await redis.publish(sent.topic, sent.text)
                    except Exception as error:
                        raise self._client.error(error) from error
            except SinkError as error:
                self._trouble.start(str(error))
            finally:
                await self._client.close()
            await self._clock.sleep(backoff.next_s())
