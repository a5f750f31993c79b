"""What a broker keeps of a node that is no more, and its removal."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from blikk_edge.core.errors import SinkError
from blikk_edge.sinks.mqtt.address import Address
from blikk_edge.sinks.mqtt.connection import Connection, Outcome
from blikk_edge.sinks.mqtt.login import visit
from blikk_edge.wire.discovery import config_filter, removal
from blikk_edge.wire.topics import Topics

PATIENCE_S: Final = 20.0
FIRST_S: Final = 2.0
QUIET_S: Final = 0.5
"""A broker hands over what it keeps in one go: after such a pause there is no more."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Leftover:
    """A message that the broker keeps.

    Attributes:
        topic: Where it is retained.
        size_bytes: The size of its payload.
    """

    topic: str
    size_bytes: int


async def leftovers(address: Address, topics: Topics, *, discovery_prefix: str) -> tuple[Leftover, ...]:
    """All that the broker keeps of a node, by topic. Raises SinkError: no broker, or the node is online."""

    async def look(connection: Connection) -> tuple[Leftover, ...]:
        kept: dict[str, bytes] = {}
        for each in (f"{topics.base}/#", config_filter(topics, prefix=discovery_prefix)):
            await connection.subscribe(each)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(FIRST_S) as limit:
                async for message in connection.client.messages:
                    if message.retain:
                        kept[str(message.topic)] = bytes(message.payload)
                        limit.reschedule(loop.time() + QUIET_S)
        except TimeoutError:
            pass
        if kept.get(topics.status) == b"online":
            raise SinkError(f"node {topics.node} is online and would say it all again; stop it first")
        return tuple(Leftover(topic, len(kept[topic])) for topic in sorted(kept))

    return await _visit(address, look)


async def remove(address: Address, kept: Sequence[Leftover]) -> None:
    """Empty those topics. Raises SinkError where the broker does not let us."""

    async def empty(connection: Connection) -> None:
        for each in kept:
            if await connection.publish(removal(each.topic)) is not Outcome.TAKEN:
                raise SinkError(f"broker {address} does not let {each.topic} be emptied; see its access list")

    await _visit(address, empty)


async def _visit(address: Address, work: Callable[[Connection], Awaitable[T]]) -> T:
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await visit(address, identifier=f"blikk-purge-{secrets.token_hex(8)}", work=work)
    except TimeoutError:
        raise SinkError(f"broker {address}: not done within {PATIENCE_S:.0f} s") from None
