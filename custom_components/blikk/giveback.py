"""Giving the entities back to the node's own MQTT discovery when the integration is removed, with all that users set.

The plain ones come a while later, or when the node is there again. Until then it is kept, also for who adds the
integration again before: then it counts more than what the plain ones have. Where Home Assistant was started anew by
then, it sets what it remembers itself of the plain ones: all but renamed ids, in whose place MQTT puts the node's.
"""

from homeassistant.components import mqtt
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import CALLBACK_TYPE, Event, HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.event import async_call_later
from homeassistant.helpers.storage import Store
from homeassistant.util.hass_dict import HassKey

from . import customized, reader, retract
from .const import CONF_ANNOUNCE, DOMAIN
from .contract import Announce
from .customized import Customized
from .names import Topics, device_key, plain_device_key
from .node import BlikkConfigEntry
from .plain import plain_devices, plain_entities

SETTLE_S = 1.0
"""Home Assistant is still adding an entity when the registry reports it."""

_RETURNS: HassKey[dict[str, CALLBACK_TYPE]] = HassKey(f"{DOMAIN}_returns")


def _store(hass: HomeAssistant, node: str) -> Store[Customized]:
    return Store(hass, 1, f"{DOMAIN}.removed.{node}")


async def async_give_back(hass: HomeAssistant, entry: BlikkConfigEntry, topics: Topics) -> None:
    """Say that the node shall make the entities again, and set on them what is set on ours."""
    announce = reader.announce_of(entry.data[CONF_ANNOUNCE])
    entities = er.async_get(hass)
    ours = er.async_entries_for_config_entry(entities, entry.entry_id)
    kept = customized.read(ours, _own_devices(hass, entry, announce))
    await _store(hass, announce.id).async_save(kept)
    for entity in ours:  # the plain ones get their ids
        entities.async_remove(entity.entity_id)
    if brokers := hass.config_entries.async_entries(mqtt.DOMAIN):
        _remember(hass, brokers[0], announce, kept)
    hass.data.setdefault(_RETURNS, {})[announce.id] = _Return(hass, announce, kept).start()
    await retract.async_retract(hass, topics.claim)


async def async_take_back(hass: HomeAssistant, announce: Announce) -> Customized:
    """What was kept of a node whose plain entities have not been seen since it was removed; it is kept no longer."""
    if stop := hass.data.get(_RETURNS, {}).pop(announce.id, None):
        stop()
    store = _store(hass, announce.id)
    kept = await store.async_load() or {}
    await store.async_remove()
    return kept


def _own_devices(hass: HomeAssistant, entry: BlikkConfigEntry, announce: Announce) -> dict[str, dr.DeviceEntry]:
    registry = dr.async_get(hass)
    keys = [device_key(announce.id, camera) for camera in (None, *(camera.id for camera in announce.cameras))]
    found = {key: registry.async_get_device_by_identifier((DOMAIN, key), entry.entry_id) for key in keys}
    return {key: device for key, device in found.items() if isinstance(device, dr.DeviceEntry)}


@callback
def _remember(hass: HomeAssistant, broker: ConfigEntry, announce: Announce, kept: Customized) -> None:
    """Register the plain ones for a moment: Home Assistant remembers what was set on what it removes."""
    devices, entities = dr.async_get(hass), er.async_get(hass)
    there = {device.id for device in dr.async_entries_for_config_entry(devices, broker.entry_id)}
    there |= {entity.id for entity in er.async_entries_for_config_entry(entities, broker.entry_id)}
    for camera in (None, *(camera.id for camera in announce.cameras)):
        identifiers = {(mqtt.DOMAIN, plain_device_key(announce.id, camera))}
        devices.async_get_or_create(config_entry_id=broker.entry_id, identifiers=identifiers)
    _set_on_plain_devices(hass, announce, kept)
    customized.register(hass, broker, kept)
    for entity in er.async_entries_for_config_entry(entities, broker.entry_id):
        if entity.id not in there:
            entities.async_remove(entity.entity_id)
    for device in dr.async_entries_for_config_entry(devices, broker.entry_id):
        if device.id not in there:
            devices.async_remove_device(device.id)


@callback
def _set_on_plain_devices(hass: HomeAssistant, announce: Announce, kept: Customized) -> None:
    for key, device in plain_devices(hass, announce).items():
        if what := kept.get(f"device {key}"):
            customized.set_on_device(hass, device, what)


class _Return:
    """Waits for the plain entities of a node while Home Assistant runs; sets on them what was set on ours, once."""

    def __init__(self, hass: HomeAssistant, announce: Announce, kept: Customized) -> None:
        self._hass = hass
        self._announce = announce
        self._kept = kept
        self._undo: list[CALLBACK_TYPE] = []
        self._later: CALLBACK_TYPE | None = None

    @callback
    def start(self) -> CALLBACK_TYPE:
        """Begin to wait; returns how to stop."""
        self._undo = [self._hass.bus.async_listen(er.EVENT_ENTITY_REGISTRY_UPDATED, self._changed)]
        return self._stop

    @callback
    def _stop(self) -> None:
        for undo in (*self._undo, self._later):
            if undo is not None:
                undo()
        self._undo, self._later = [], None

    @callback
    def _changed(self, event: Event[er.EventEntityRegistryUpdatedData]) -> None:
        if event.data["action"] == "create":
            if self._later is not None:
                self._later()
            self._later = async_call_later(self._hass, SETTLE_S, self._async_set)

    async def _async_set(self, _now: object) -> None:
        self._later = None
        plain = plain_entities(self._hass, self._announce)
        if not plain:
            return
        self._stop()
        _set_on_plain_devices(self._hass, self._announce, self._kept)
        for entity in plain:
            if what := self._kept.get(customized.key_of(entity)):
                customized.set_on_entity(self._hass, entity, what)
        # what plain discovery does not make, Home Assistant itself remembers
        self._hass.data[_RETURNS].pop(self._announce.id, None)
        await _store(self._hass, self._announce.id).async_remove()
