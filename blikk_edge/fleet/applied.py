"""The cameras of a site, as they were applied: one text in a bucket, with a version that grows."""

import asyncio
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

ANSWER_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What was applied last.

    Attributes:
        version: Grows each time; 0: nothing was.
        text: The YAML with `cameras:`, its secrets as names.
    """

    version: int = 0
    text: str = field(default="", repr=False)


async def applied(link: Link, names: Names) -> Applied:
    """What was applied last. Raises SinkError."""
    return await _bounded(link, _read(await _bucket(link, names)))


async def apply(link: Link, names: Names, text: str, *, after: Applied) -> Applied:
    """Apply this text in place of `after`. Raises SinkError, also where another was applied since."""
    return await _bounded(link, _write(await _bucket(link, names), text, after))


async def _bucket(link: Link, names: Names) -> "KeyValue":
    return await _bounded(link, opened(link, names.cameras, history=HISTORY))


async def _read(kv: "KeyValue") -> Applied:
    from nats.js.errors import KeyNotFoundError  # noqa: PLC0415  # as above

    try:
        entry = await kv.get(KEY)
        text = json.loads(entry.value or b"null")["text"]
    except KeyNotFoundError:
        return Applied()
    except (ValueError, TypeError, KeyError) as error:
        raise SinkError(f"the bucket {KEY} holds something else; apply the cameras again") from error
    return Applied(version=entry.revision or 0, text=str(text))


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
