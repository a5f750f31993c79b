"""What the broker keeps of a node that is no more, wired for the command line."""

import asyncio
from collections.abc import Sequence

from blikk_edge.app.identity import broker_address, topics_of
from blikk_edge.config.settings import Settings
from blikk_edge.sinks.mqtt.leftovers import Leftover, leftovers, remove


def kept_of(settings: Settings, node: str) -> tuple[Leftover, ...]:
    """All that the broker of these settings keeps of a node; raises SinkError, also where that node is online."""
    topics = topics_of(settings, node)
    find = leftovers(broker_address(settings.mqtt), topics, discovery_prefix=settings.home_assistant.prefix)
    return asyncio.run(find)


def purge(settings: Settings, kept: Sequence[Leftover]) -> None:
    """Empty those topics; raises SinkError."""
    asyncio.run(remove(broker_address(settings.mqtt), kept))
