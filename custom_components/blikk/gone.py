"""A node that has been away for a month: it is offered for removal, with all that it left on the broker."""

import asyncio
from datetime import datetime, timedelta

from homeassistant.components import mqtt
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.event import async_track_time_interval
from homeassistant.util import dt as dt_util

from . import handover, issues
from .names import Topics
from .node import BlikkConfigEntry
from .state import Changed

AWAY_FOR = timedelta(days=30)
LOOK_EVERY = timedelta(hours=6)
FIRST_S = 3.0
QUIET_S = 1.0
"""The broker hands over what it keeps in one go, once Home Assistant has asked for it: after such a pause it is all."""


@callback
def watch(hass: HomeAssistant, entry: BlikkConfigEntry) -> CALLBACK_TYPE:
    """Remember since when the node has been away, and raise the repair issue when that is long; returns how to stop.

    While the broker is away nothing is known of the node.
    """
    node = entry.runtime_data

    @callback
    def look(_now: datetime | None = None) -> None:
        since = node.memory.away_since
        if node.online:
            issues.clear(hass, entry, issues.AWAY)
            if since is not None:
                node.memory.keep_away_since(None)
        elif node.connected and since is None:
            node.memory.keep_away_since(dt_util.utcnow())
        elif node.connected and since is not None and dt_util.utcnow() - since >= AWAY_FOR:
            issues.raise_away(hass, entry, (dt_util.utcnow() - since).days)

    unlisten = node.listen(None, Changed.STATUS, look)
    untrack = async_track_time_interval(hass, look, LOOK_EVERY, cancel_on_shutdown=True)

    @callback
    def stop() -> None:
        unlisten()
        untrack()

    return stop


async def async_remove(hass: HomeAssistant, entry: BlikkConfigEntry) -> None:
    """Empty all topics of a node and remove its entry. Raises HomeAssistantError while the broker is away."""
    if not mqtt.is_connected(hass):
        raise HomeAssistantError("the broker is away")
    await hass.config_entries.async_unload(entry.entry_id)
    try:
        for topic in await async_kept(hass, handover.topics_of(entry)):
            await mqtt.async_publish(hass, topic, "", 1, True)
    except HomeAssistantError:
        hass.config_entries.async_schedule_reload(entry.entry_id)
        raise
    await hass.config_entries.async_remove(entry.entry_id)


async def async_kept(hass: HomeAssistant, topics: Topics) -> set[str]:
    """The topics on which the broker keeps something of a node."""
    kept = set[str]()
    limit = asyncio.timeout(FIRST_S)

    @callback
    def received(message: mqtt.ReceiveMessage) -> None:
        if message.retain and message.payload:
            kept.add(message.topic)
            if not limit.expired():
                limit.reschedule(hass.loop.time() + QUIET_S)

    filters = (topics.of("#"), topics.plain_filter(handover.discovery_prefix(hass)))
    try:
        async with limit:
            undo = [await mqtt.async_subscribe(hass, each, received, 1, None) for each in filters]
            await asyncio.Event().wait()
    except TimeoutError:
        pass
    for each in undo:
        each()
    return kept
