"""The cameras of a site, as they were applied: one text in a bucket, with a version that grows."""

import asyncio
import contextlib
import json
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from blikk_edge.core.errors import SinkError
from blikk_edge.fleet.bucket import opened
from blikk_edge.fleet.link import Link
from blikk_edge.fleet.names import Names

if TYPE_CHECKING:
    from nats.js.kv import KeyValue

T = TypeVar("T")

KEY: Final = "cameras"
HISTORY: Final = 10
"""Versions that the bucket keeps, so that what was applied by mistake can be had again."""

DELETED: Final = "KV-Operation"
"""The header of a message that says that somebody deleted the key; no version."""

ANSWER_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What was applied last.

    Attributes:
        version: Grows each time; 0: nothing was.
        text: The YAML with `cameras:`, its secrets as names.
        at_s: When it was applied, by the clock of NATS (seconds since 1970 UTC); 0 where that was not asked.
    """

    version: int = 0
    text: str = field(default="", repr=False)
    at_s: float = 0.0


async def applied(link: Link, names: Names) -> Applied:
    """What was applied last. Raises SinkError."""
    return await _bounded(link, _read(await _bucket(link, names)))


async def apply(link: Link, names: Names, text: str, *, after: Applied) -> Applied:
    """Apply this text in place of `after`. Raises SinkError, also where another was applied since."""
    return await _bounded(link, _write(await _bucket(link, names), text, after))


async def versions(link: Link, names: Names) -> tuple[Applied, ...]:
    """What was applied, as far as the bucket keeps it, the newest first. Raises SinkError."""
    return await _bounded(link, _read_all(link, await _bucket(link, names)))


async def _bucket(link: Link, names: Names) -> "KeyValue":
    return await _bounded(link, opened(link, names.cameras, history=HISTORY))


async def _read(kv: "KeyValue") -> Applied:
    from nats.js.errors import KeyNotFoundError  # noqa: PLC0415  # as above

    try:
        entry = await kv.get(KEY)
    except KeyNotFoundError:
        return Applied()
    return Applied(version=entry.revision or 0, text=_text(entry.value))


async def _read_all(link: Link, kv: "KeyValue") -> tuple[Applied, ...]:
    from nats.js.errors import NotFoundError  # noqa: PLC0415  # as above

    stream = (await kv.status()).stream_info
    jetstream = await link.open()
    found = []
    for version in range(stream.state.last_seq, max(0, stream.state.first_seq - 1), -1):
        with contextlib.suppress(NotFoundError):  # the bucket has one key: each message is a version
            message = await jetstream.get_msg(stream.config.name or "", seq=version)
            if DELETED in (message.headers or {}):
                continue
            at_s = message.time.timestamp() if message.time else 0.0
            found.append(Applied(version=version, text=_text(message.data), at_s=at_s))
    return tuple(found)


def _text(value: bytes | None) -> str:
    try:
        return str(json.loads(value or b"null")["text"])
    except (ValueError, TypeError, KeyError) as error:
        raise SinkError(f"the bucket {KEY} holds something else; apply the cameras again") from error


async def _write(kv: "KeyValue", text: str, after: Applied) -> Applied:
    from nats.js.errors import KeyWrongLastSequenceError  # noqa: PLC0415  # as above

    try:
        version = await kv.update(KEY, json.dumps({"text": text}).encode(), after.version)
    except KeyWrongLastSequenceError as error:
        raise SinkError(
            "somebody else applied cameras at the same time; look at the changes and apply again"
        ) from error
    return Applied(version=version, text=text)


async def _bounded(link: Link, work: Coroutine[Any, Any, T]) -> T:
    try:
        async with asyncio.timeout(ANSWER_S):
            return await work
    except Exception as error:
        raise link.error(error) from error
