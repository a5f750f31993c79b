"""The cameras of a site, as they were applied: one text in a bucket, with a version that grows."""

import asyncio
import json
from collections.abc import Coroutine, Mapping
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
TEXT: Final = "text"
HISTORY: Final = 10
"""Versions that the bucket keeps, so that what was applied by mistake can be had again."""

ANSWER_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What was applied last.

    Attributes:
        version: Grows each time; 0: nothing was, or it was deleted.
        text: The YAML with `cameras:`, its secrets as names.
        at_s: When it was applied, by the clock of NATS (seconds since 1970 UTC); 0 where that was not asked.
        revision: What the next is written after: the version, or what somebody has put in its place.
    """

    version: int = 0
    text: str = field(default="", repr=False)
    at_s: float = 0.0
    revision: int = 0


async def applied(link: Link, names: Names) -> Applied:
    """What was applied last. Raises SinkError, also where something else stands there."""
    found, other = await _bounded(link, _read(await _bucket(link, names)))
    if other:
        raise SinkError(f"the bucket {names.cameras} holds something else; apply the cameras again")
    return found


async def replaceable(link: Link, names: Names) -> Applied:
    """What another is to be applied in place of: as `applied`, but nothing where something else stands there."""
    return (await _bounded(link, _read(await _bucket(link, names))))[0]


async def apply(link: Link, names: Names, text: str, *, after: Applied) -> Applied:
    """Apply this text in place of `after`. Raises SinkError, also where another was applied since."""
    return await _bounded(link, _write(await _bucket(link, names), text, after))


async def versions(link: Link, names: Names) -> tuple[Applied, ...]:
    """What was applied, as far as the bucket keeps it, the newest first. Raises SinkError."""
    kv = await _bucket(link, names)
    state = (await _bounded(link, kv.status())).stream_info.state
    # the bucket has one key, so each message is a version
    numbers = range(state.last_seq, max(0, state.first_seq - 1), -1)
    found = [await _bounded(link, _read_version(link, names, number)) for number in numbers]
    return tuple(each for each in found if each is not None)


async def _bucket(link: Link, names: Names) -> "KeyValue":
    return await _bounded(link, opened(link, names.cameras, history=HISTORY))


async def _read(kv: "KeyValue") -> tuple[Applied, bool]:
    """What was applied last, and whether something else stands there."""
    from nats.js.errors import KeyNotFoundError  # noqa: PLC0415  # as above

    try:
        entry = await kv.get(KEY)
    except KeyNotFoundError as error:  # with an entry: it was deleted
        return Applied(revision=error.entry.revision or 0 if error.entry is not None else 0), False
    revision, text = entry.revision or 0, _text(entry.value)
    if text is None:
        return Applied(revision=revision), True
    return Applied(version=revision, text=text, revision=revision), False


async def _read_version(link: Link, names: Names, number: int) -> Applied | None:
    """One version; None where it is gone by now, or is none."""
    from nats.js.errors import NotFoundError  # noqa: PLC0415  # as above

    try:
        message = await (await link.open()).get_msg(f"KV_{names.cameras}", seq=number)
    except NotFoundError:
        return None
    if (text := _text(message.data)) is None:
        return None
    at_s = message.time.timestamp() if message.time else 0.0
    return Applied(version=number, text=text, at_s=at_s, revision=number)


def is_version(content: object) -> bool:
    """Whether this stands for applied cameras, and is nothing else that somebody has written there."""
    return isinstance(content, Mapping) and isinstance(content.get(TEXT), str)


def _text(raw: bytes | None) -> str | None:
    """The text of a version; None where it is none."""
    try:
        content = json.loads(raw or b"null")
    except (ValueError, RecursionError):
        return None
    return str(content[TEXT]) if is_version(content) else None


async def _write(kv: "KeyValue", text: str, after: Applied) -> Applied:
    from nats.js.errors import KeyWrongLastSequenceError  # noqa: PLC0415  # as above

    try:
        version = await kv.update(KEY, json.dumps({TEXT: text}).encode(), after.revision)
    except KeyWrongLastSequenceError as error:
        raise SinkError(
            "somebody else applied cameras at the same time; look at the changes and apply again"
        ) from error
    return Applied(version=version, text=text, revision=version)


async def _bounded(link: Link, work: Coroutine[Any, Any, T]) -> T:
    try:
        async with asyncio.timeout(ANSWER_S):
            return await work
    except Exception as error:
        raise link.error(error) from error
