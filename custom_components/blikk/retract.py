"""Emptying topics of a removed node: at once or, where the broker is away, as soon as it is there.

What is owed is kept over a restart of Home Assistant, and paid when MQTT connects or the node announces itself: without
a node of ours nothing else of this integration runs.
"""

import logging

from homeassistant.components import mqtt
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.storage import Store
from homeassistant.util.hass_dict import HassKey

from .const import CONF_NODE, CONF_PREFIX, DOMAIN
from .names import Topics

_LOGGER = logging.getLogger(__name__)

_WATCH: HassKey[CALLBACK_TYPE] = HassKey(f"{DOMAIN}_owed_claims")


def _store(hass: HomeAssistant) -> Store[list[str]]:
    return Store(hass, 1, f"{DOMAIN}.owed_claims")


async def async_retract(hass: HomeAssistant, topic: str) -> None:
    """Empty this topic, the claim or another one of a node that is no more, now or later."""
    try:
        await mqtt.async_publish(hass, topic, "", 1, True)
    except HomeAssistantError as error:
        _LOGGER.info("%s is emptied when the broker is there: %s", topic, error)
        owed = await _store(hass).async_load() or []
        await _store(hass).async_save(sorted({*owed, topic}))
        _watch(hass)


async def async_retract_owed(hass: HomeAssistant) -> None:
    """Empty what is owed, but for nodes that were added again."""
    owed = await _store(hass).async_load()
    if not owed:
        return
    entries = hass.config_entries.async_entries(DOMAIN, include_ignore=False)
    held = tuple(Topics(entry.data[CONF_PREFIX], entry.data[CONF_NODE]).of("") for entry in entries)
    try:
        for topic in owed:
            if not topic.startswith(held):
                await mqtt.async_publish(hass, topic, "", 1, True)
    except HomeAssistantError as error:
        _LOGGER.debug("Topics are emptied later: %s", error)
        _watch(hass)
        return
    await _store(hass).async_remove()
    if stop := hass.data.pop(_WATCH, None):
        stop()


@callback
def _watch(hass: HomeAssistant) -> None:
    """Look again at the next connection."""

    @callback
    def changed(connected: bool) -> None:
        if connected:
            hass.async_create_background_task(async_retract_owed(hass), "blikk owed claims")

    if _WATCH not in hass.data:
        hass.data[_WATCH] = mqtt.async_subscribe_connection_status(hass, changed)
