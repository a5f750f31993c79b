"""A stream of Redis: each record is an entry, added once also where the answer to it was lost."""

import hashlib
import logging
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, Final

from blikk_edge.core.errors import SinkError
from blikk_edge.core.observation import Record
from blikk_edge.core.ports import Pending
from blikk_edge.sinks.redis.client import RedisClient
from blikk_edge.sinks.redis.kind import RedisOptions
from blikk_edge.wire.messages import encode
from blikk_edge.wire.records import record_kind, record_to_text
from blikk_edge.wire.topics import Topics

if TYPE_CHECKING:
    from redis.asyncio import Redis

LOG = logging.getLogger("blikk.redis")

BATCH: Final = 100
LOOKED_BACK: Final = 1000
"""Entries that are looked through after an outage, for those whose answer was lost: others may write there as well."""


class RedisStream:
    """Adds records to `options.stream`, with the fields `node`, `kind`, `camera`, `topic`, `content` and `record`.

    `content` is the JSON of MQTT, `record` a mark by which one is known again. What was under way when the connection
    broke may be in the stream: the newest entries are read before anything is sent again.
    """

    name = "redis"
    batch = BATCH

    def __init__(self, options: RedisOptions, *, topics: Topics) -> None:
        self.takes: Collection[str] | None = frozenset(options.kinds)
        self._stream = options.stream or f"blikk:{topics.node}"
        self._most = options.max_entries
        self._topics = topics
        self._client = RedisClient(options)
        self._redis: Redis | None = None
        self._there: frozenset[str] = frozenset()
        self._said = False

    async def open(self) -> None:
        """Connect, and read which records are there; raises SinkError."""
        self._redis = redis = await self._client.open()
        try:
            entries = await redis.xrevrange(self._stream, count=LOOKED_BACK)
        except Exception as error:
            await self._client.close()
            raise self._client.error(error) from error
        marks = (fields.get(b"record") for _, fields in entries or () if fields)
        self._there = frozenset(mark.decode() for mark in marks if isinstance(mark, bytes))
        await self._say_how_durable(redis)

    async def send(self, batch: Sequence[Pending]) -> None:
        """Add each in order; raises SinkError, with those that are there (`taken`)."""
        assert self._redis is not None  # opened before
        marks = {pending.seq: mark_of(pending.record) for pending in batch}
        new = [pending for pending in batch if marks[pending.seq] not in self._there]
        pipeline = self._redis.pipeline(transaction=False)
        for pending in new:
            pipeline.xadd(self._stream, self._fields(pending, marks[pending.seq]), maxlen=self._most, approximate=True)
        try:
            answers = await pipeline.execute(raise_on_error=False) if new else []
        except Exception as error:
            raise self._client.error(error) from error
        failed = [error for error in answers if isinstance(error, Exception)]
        if failed:
            refused = {each.seq for each, answer in zip(new, answers, strict=True) if isinstance(answer, Exception)}
            taken = [pending.seq for pending in batch if pending.seq not in refused]
            raise SinkError(str(self._client.error(failed[0])), taken=taken) from failed[0]
        self._there = frozenset()  # only what was under way at an outage can be there already

    async def close(self) -> None:
        """Close the connection."""
        self._redis = None
        await self._client.close()

    def _fields(self, pending: Pending, mark: str) -> dict[Any, Any]:
        message = encode(pending.record, self._topics, replayed=pending.replayed)
        return {
            "node": self._topics.node,
            "kind": record_kind(pending.record),
            "camera": pending.record.camera or "",
            "topic": message.topic,
            "record": mark,
            "content": message.payload or b"null",
        }

    async def _say_how_durable(self, redis: "Redis") -> None:
        """Once: a server that writes nothing to its disk loses what it has taken when it is killed."""
        if self._said:
            return
        self._said = True
        try:
            kept = (await redis.info("persistence")).get("aof_enabled")
        except Exception as error:  # noqa: BLE001 - a user that may not ask is no trouble; anything else shows elsewhere
            LOG.debug("%s does not say how it keeps its data: %s", self._client, type(error).__name__)
            return
        if kept == 0:
            LOG.info(
                "%s has no append-only file: what it has taken since its last snapshot is gone when it is killed; "
                "`appendonly yes` there mends that",
                self._client,
            )


def mark_of(record: Record) -> str:
    """By what a record is known again, whatever it is and in whichever process."""
    return hashlib.blake2b(record_to_text(record).encode(), digest_size=12).hexdigest()
