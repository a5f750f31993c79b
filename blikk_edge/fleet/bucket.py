"""A key-value bucket of NATS that is listened to: its newest values, and whether all that is there has been seen."""

import asyncio
import contextlib
import json
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from blikk_edge.core.clock import Clock
from blikk_edge.fleet.link import Link

if TYPE_CHECKING:
    from nats.js.kv import KeyValue

BEHIND: Final = 2
"""After so many looks in which nothing came of what is there, it is listened to anew."""

END_S: Final = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """What stands below a key.

    Attributes:
        content: A JSON object.
        revision: Grows with every change of the bucket.
        heard_at: When it came, by the clock of who listens (monotonic seconds).
    """

    content: Mapping[str, Any]
    revision: int
    heard_at: float


async def opened(link: Link, name: str, *, history: int = 1) -> "KeyValue":
    """The bucket, which is made where it is not there, with copies on three servers where there are as many.

    One that somebody made otherwise stays as it is. Raises SinkError, and errors of NATS.
    """
    from nats.js.api import KeyValueConfig  # noqa: PLC0415  # only a node of a fleet needs it
    from nats.js.errors import BucketNotFoundError  # noqa: PLC0415

    jetstream = await link.open()
    try:
        return await jetstream.key_value(name)
    except BucketNotFoundError:
        config = KeyValueConfig(bucket=name, history=history, replicas=link.copies)
        return await jetstream.create_key_value(config)


class Bucket:
    """One bucket. `changed` is called with the key of each change that is heard.

    `open` raises SinkError; all of it raises errors of NATS, OSError and TimeoutError.
    """

    def __init__(
        self,
        link: Link,
        name: str,
        *,
        clock: Clock,
        history: int = 1,
        changed: Callable[[str], None] = lambda _key: None,
    ) -> None:
        self._link = link
        self._name = name
        self._clock = clock
        self._history = history
        self._changed = changed
        self._kv: KeyValue | None = None
        self._listening: asyncio.Task[None] | None = None
        self._values: dict[str, Value] = {}
        self._before: Mapping[str, Value] = {}  # the values of a bucket that was lost
        self._revisions: dict[str, int] = {}  # of every key, those that were removed included
        self._seen = 0
        self._looked = -1  # `_seen` at the last look
        self._behind = 0
        self._made_s = 0

    @property
    def made_s(self) -> int:
        """When it was made, by the clock of NATS (seconds since 1970 UTC); 0 before `current` was asked.

        One that was lost and made anew begins with low revisions.
        """
        return self._made_s

    @property
    def values(self) -> Mapping[str, Value]:
        """The newest values that were heard of, by key."""
        return self._values

    async def open(self) -> "KeyValue":
        """Have it, and listen to it."""
        if self._kv is None:
            self._kv = await opened(self._link, self._name, history=self._history)
        if self._listening is None or self._listening.done():
            self._seen, self._looked, self._behind = 0, -1, 0
            self._listening = asyncio.create_task(self._listen(self._kv), name=self._name)
        return self._kv

    async def current(self) -> bool:
        """Whether all that is there has been seen; where nothing comes for long, it is listened to anew."""
        from nats.js.errors import NotFoundError  # noqa: PLC0415  # as above

        kv = await self.open()
        try:
            stream = (await kv.status()).stream_info
        except NotFoundError:
            await self._lost()
            return False
        newest, made_s = stream.state.last_seq, int(stream.created.timestamp()) if stream.created else 0
        if self._made_s not in {0, made_s} or newest < self._seen:  # it was lost, and made anew
            self._before, self._values = self._values, {}
            self._revisions.clear()
            await self.close()
            self._made_s = made_s
            return False
        self._made_s = made_s
        if self._seen >= newest:
            self._behind = 0
            return True
        self._behind = self._behind + 1 if self._seen == self._looked else 0
        self._looked = self._seen
        if self._behind > BEHIND:
            await self.close()
        return False

    async def put(self, key: str, content: Mapping[str, Any]) -> None:
        """Write a key, whatever it holds."""
        from nats.js.errors import NoStreamResponseError  # noqa: PLC0415  # as above

        try:
            await (await self.open()).put(key, json.dumps(content).encode())
        except NoStreamResponseError:
            await self._lost()
            raise

    async def remove(self, key: str, *, revision: int | None = None) -> None:
        """Remove a key; with a revision only while it has this one, else an error of NATS is raised."""
        await (await self.open()).delete(key, last=revision)

    async def claim(self, key: str, content: Mapping[str, Any]) -> int | None:
        """Write a key that is as it was heard last: its revision; None where it was changed meanwhile."""
        from nats.js.errors import KeyWrongLastSequenceError  # noqa: PLC0415  # as above

        raw = json.dumps(content).encode()
        try:
            revision = await (await self.open()).update(key, raw, self._revisions.get(key, 0))
        except KeyWrongLastSequenceError:
            return None
        self._heard(key, raw, revision)
        return revision

    def refresh(self, keys: Container[str]) -> None:
        """Take what was heard of these for heard now: nobody is gone because we did not listen."""
        now = self._clock.monotonic()
        self._values = {
            key: replace(value, heard_at=now) if key in keys else value for key, value in self._values.items()
        }

    async def close(self) -> None:
        """Listen no longer."""
        task, self._listening = self._listening, None
        if task is not None:
            task.cancel()
            await asyncio.wait((task,), timeout=END_S)

    async def _lost(self) -> None:
        """NATS has it no more: it is made anew by the next who needs it."""
        self._kv = None
        await self.close()

    async def _listen(self, kv: "KeyValue") -> None:
        from nats.errors import Error  # noqa: PLC0415  # as above

        with contextlib.suppress(Error, OSError, TimeoutError):
            watcher = await kv.watchall()
            try:
                async for entry in watcher:
                    if entry is not None and entry.revision is not None:
                        self._seen = max(self._seen, entry.revision)
                        self._heard(entry.key, entry.value, entry.revision)
            finally:
                with contextlib.suppress(Error, OSError, TimeoutError):
                    await watcher.stop()  # type: ignore[no-untyped-call]  # of the library

    def _heard(self, key: str, raw: bytes | None, revision: int) -> None:
        if revision <= self._revisions.get(key, 0):
            return  # of the listening before
        self._revisions[key] = revision
        try:
            content = json.loads(raw or b"null")
        except (ValueError, RecursionError):
            content = None
        if isinstance(content, dict):
            known, now = self._before.get(key), self._clock.monotonic()
            # a server that died may have lost its last writes, and not these: nobody has said this once more
            heard_at = known.heard_at if known is not None and known.content == content else now
            self._values[key] = Value(content=content, revision=revision, heard_at=heard_at)
        else:
            self._values.pop(key, None)
        self._changed(key)
