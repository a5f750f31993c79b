"""What Home Assistant did not receive: when the node is back, it asks what rang meanwhile, and which visits ended.

A node is back at its broker within a second, Home Assistant's client asks for the broker every ten, and is away itself
while it restarts. What rang then waits for nobody: the broker took it.
"""

import logging
from dataclasses import replace
from datetime import datetime, timedelta

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.util import dt as dt_util

from .node import BlikkConfigEntry, BlikkNode
from .past import async_past, async_period
from .state import Changed

_LOGGER = logging.getLogger(__name__)

MOST = 20
"""Rings asked for: more in a few minutes are a child at the button."""
_TICK = timedelta(milliseconds=1)


@callback
def watch(hass: HomeAssistant, entry: BlikkConfigEntry) -> CALLBACK_TYPE:
    """Ask after each time without the node's messages; returns how to stop.

    The last ring and when the node was added are remembered over a restart: nothing is announced twice, nor what rang
    before. Detections are not announced late: who was there an hour ago turns on no light now. What was going on is
    asked about: it may have ended.
    """
    node = entry.runtime_data
    owed = True

    async def ask() -> None:
        nonlocal owed
        known = _known(node)
        if not known or "ask" not in node.announce.capabilities:
            return
        try:
            past = await async_period(node, since=min(known.values()).isoformat(), limit=MOST)
        except HomeAssistantError as error:
            _LOGGER.debug("%s was not asked what rang meanwhile: %s", node.announce.name, error)
            owed = True
            return
        for ring in reversed(past.rings):
            if ring.camera in known and ring.time > known[ring.camera]:
                node.take_ring(ring.camera, replace(ring, camera=None, replayed=True))

    async def ask_all() -> None:
        await ask()
        await _ask_ended(node)

    @callback
    def look() -> None:
        nonlocal owed
        if not node.connected:
            owed = True
        elif owed and node.online:
            owed = False
            entry.async_create_background_task(hass, ask_all(), "blikk missed")

    stop = node.listen(None, Changed.STATUS, look)
    look()
    return stop


def _known(node: BlikkNode) -> dict[str, datetime]:
    """Up to when the rings of each doorbell are known, or are too old to be announced."""
    if (since := node.memory.rings_since) is None:
        node.memory.keep_rings_since(dt_util.utcnow())
    oldest = dt_util.utcnow() - timedelta(seconds=node.replay_limit_s)
    lasts = {each.id: node.memory.rang.get(each.id) or since for each in node.announce.cameras if each.ring}
    return {camera: max(last, oldest) for camera, last in lasts.items() if last is not None}


async def _ask_ended(node: BlikkNode) -> None:
    """Ask whether what was going on has ended meanwhile; that it did triggers nothing."""
    if "ask" not in node.announce.capabilities:
        return
    for camera in node.announce.cameras:
        now = node.camera(camera.id)
        event = now.event
        if event is None or event.phase == "ended":
            continue
        span = {"since": event.started.isoformat(), "until": (event.started + _TICK).isoformat()}
        try:
            past = await async_past(node, camera=camera.id, **span)
        except HomeAssistantError as error:
            _LOGGER.debug("%s was not asked what ended meanwhile: %s", node.announce.name, error)
            return
        ended = [each.event for each in past if each.event.id == event.id and each.event.phase == "ended"]
        if ended and now.event is event:
            now.event = replace(ended[0], replayed=True)
            node.update_listeners(camera.id, Changed.EVENT)
