"""Blikk Edge: cameras that report what happened, over MQTT."""

from pathlib import Path

from homeassistant.components import mqtt
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryNotReady, HomeAssistantError
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.device_registry import AnyDeviceEntry
from homeassistant.helpers.typing import ConfigType

from . import (
    cards,
    customized,
    devices,
    exposure,
    giveback,
    gone,
    handover,
    issues,
    missed,
    presence,
    reader,
    retry,
    sentences,
    services,
    websocket,
)
from .ai_task_summaries import SummaryWriter
from .const import CONF_ANNOUNCE, CONF_EXPOSE, DOMAIN, PLATFORMS
from .contract import Announce
from .memory import Memory
from .node import BlikkConfigEntry, BlikkNode
from .pictures import PICTURES, EventPictures
from .state import Changed
from .subscriptions import subscriptions_of
from .views import ClipView, EventPictureView, PictureView

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Set up what does not belong to one node."""
    services.async_register(hass)
    websocket.async_register(hass)
    sentences.async_register(hass)
    hass.http.register_view(PictureView())
    hass.http.register_view(ClipView())
    hass.http.register_view(EventPictureView())
    pictures = hass.data[PICTURES] = EventPictures(hass, Path(hass.config.cache_path(DOMAIN, "events")))
    await pictures.async_load()
    await cards.async_serve(hass)
    return True


async def async_setup_entry(hass: HomeAssistant, entry: BlikkConfigEntry) -> bool:
    """Set up one node."""
    await cards.async_show(hass)
    if not await mqtt.async_wait_for_mqtt_client(hass):
        raise ConfigEntryNotReady(translation_domain=DOMAIN, translation_key="mqtt_unavailable")
    presence.no_more_awaited(hass, handover.topics_of(entry).of("announce"))
    announce = reader.announce_of(entry.data[CONF_ANNOUNCE])
    memory = Memory(hass, entry.entry_id)
    await memory.async_load()
    entry.async_on_unload(memory.async_flush)
    claimed = await _async_take_over(hass, entry, announce, memory)
    model = await devices.async_model(hass)
    node = entry.runtime_data = BlikkNode(hass, entry, memory, devices.register(hass, entry, announce, model))
    if memory.legacy:
        customized.register(hass, entry, memory.legacy)
        await memory.async_keep_legacy({})

    @callback
    def register_devices() -> None:
        devices.register(hass, entry, node.announce, model)

    @callback
    def prune_devices() -> None:
        devices.prune(hass, entry, node)

    # first the devices, then the platforms add to them, then what is left over goes
    entry.async_on_unload(node.listen(None, Changed.ANNOUNCE, register_devices))
    entry.async_on_unload(node.stop)
    await node.async_start(subscriptions_of(node))
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    entry.async_on_unload(node.listen(None, Changed.ANNOUNCE, prune_devices))
    prune_devices()
    if entry.data.get(CONF_EXPOSE):
        exposure.expose(hass, entry)
        data = {key: value for key, value in entry.data.items() if key != CONF_EXPOSE}
        hass.config_entries.async_update_entry(entry, data=data)
    entry.async_on_unload(SummaryWriter(hass, entry).start())
    entry.async_on_unload(handover.keep_claim(hass, entry, claimed=claimed))
    entry.async_on_unload(handover.watch(hass, entry))
    entry.async_on_unload(gone.watch(hass, entry))
    entry.async_on_unload(missed.watch(hass, entry))
    return True


async def _async_take_over(hass: HomeAssistant, entry: BlikkConfigEntry, announce: Announce, memory: Memory) -> bool:
    """Take the node over; False when it is yet to be claimed, as the broker is away.

    That is no hindrance where the entities were taken over before: after a power cut Home Assistant is up first.
    """
    try:
        gone = await handover.async_take_over(hass, entry, announce, memory)
    except HomeAssistantError as error:
        if handover.was_taken_over(hass, entry):
            return False
        retry.when_connected(hass, entry)
        raise ConfigEntryNotReady(
            translation_domain=DOMAIN,
            translation_key="broker_away",
            translation_placeholders={"node": announce.name},
        ) from error
    if not gone:
        issues.raise_plain(hass, entry)
        raise ConfigEntryNotReady(
            translation_domain=DOMAIN,
            translation_key="plain_entities",
            translation_placeholders={"node": announce.name},
        )
    return True


async def async_unload_entry(hass: HomeAssistant, entry: BlikkConfigEntry) -> bool:
    """Unload one node; its claim stays, so that its entities are not made twice meanwhile."""
    return await hass.config_entries.async_unload_platforms(entry, PLATFORMS)


async def async_remove_entry(hass: HomeAssistant, entry: BlikkConfigEntry) -> None:
    """Give the entities back to plain MQTT discovery, and forget the node."""
    await giveback.async_give_back(hass, entry, handover.topics_of(entry))
    await Memory(hass, entry.entry_id).async_remove()
    hass.data[PICTURES].forget(entry.entry_id)
    issues.clear(hass, entry, *issues.ALL)
    if all(other.entry_id == entry.entry_id for other in hass.config_entries.async_entries(DOMAIN)):
        cards.hide(hass)


async def async_remove_config_entry_device(
    hass: HomeAssistant, entry: BlikkConfigEntry, device: AnyDeviceEntry
) -> bool:
    """Whether a user may remove a device: one that is no longer announced."""
    return not devices.is_announced(reader.announce_of(entry.data[CONF_ANNOUNCE]), device)
