"""A node under another id: a new name in its `blikk.yaml`, or a new card for the same cameras.

The entry of the node that it was moves over: devices and entities stay the same ones for Home Assistant, with their
names, ids, areas, history and all that users set.
"""

import asyncio
from collections.abc import Mapping

from homeassistant.components import mqtt
from homeassistant.config_entries import SOURCE_IGNORE, ConfigEntryState
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er
from homeassistant.util.hass_dict import HassKey

from . import giveback, gone, handover, issues, presence, reader, retract
from .const import CONF_ANNOUNCE, CONF_NODE, CONF_PREFIX, DOMAIN
from .contract import Announce
from .names import device_key, unique_id
from .node import BlikkConfigEntry

_BETWEEN = "/"
"""In the place of a node's id while it is changed: none has a slash."""

_MOVES: HassKey[asyncio.Lock] = HassKey(f"{DOMAIN}_moves")


@callback
def one_at_a_time(hass: HomeAssistant) -> asyncio.Lock:
    """Held from the question which entry is to move until it is moved: a second flow may ask meanwhile."""
    return hass.data.setdefault(_MOVES, asyncio.Lock())


async def async_predecessor(hass: HomeAssistant, announce: Announce) -> BlikkConfigEntry | None:
    """The node that this one may have been: it has cameras of the same ids, and is away. Of several the most alike."""
    entries: list[BlikkConfigEntry] = [
        entry
        for entry in hass.config_entries.async_entries(DOMAIN, include_ignore=False, include_disabled=False)
        if entry.data[CONF_NODE] != announce.id
    ]
    alike = {entry.entry_id: len(shared(entry, announce)) for entry in entries}
    for entry in sorted(entries, key=lambda entry: alike[entry.entry_id], reverse=True):
        if alike[entry.entry_id] and not await _async_is_online(hass, entry):
            return entry
    return None


def shared(entry: BlikkConfigEntry, announce: Announce) -> list[str]:
    """The names of the cameras of an entry's node that another one has too, by their ids."""
    return [camera.name for camera in _announced(entry).cameras if announce.camera(camera.id) is not None]


def missing(entry: BlikkConfigEntry, announce: Announce) -> list[str]:
    """The names of the cameras of an entry's node that another one does not have."""
    return [camera.name for camera in _announced(entry).cameras if announce.camera(camera.id) is None]


async def async_move(
    hass: HomeAssistant, entry: BlikkConfigEntry, prefix: str, announce: Announce, place: Mapping[str, str]
) -> None:
    """Make an entry that of another node, which then has all that was the old one's; the broker forgets the old one.

    `place` is what else the entry's data shall hold. Raises HomeAssistantError while the broker is away, also where it
    goes meanwhile; then nothing is moved.
    """
    if not mqtt.is_connected(hass):
        raise HomeAssistantError("the broker is away")
    await hass.config_entries.async_unload(entry.entry_id)
    try:
        kept = await gone.async_kept(hass, handover.topics_of(entry))
        if not mqtt.is_connected(hass):
            raise HomeAssistantError("the broker is away")
    except HomeAssistantError:
        hass.config_entries.async_schedule_reload(entry.entry_id)
        raise
    # of an earlier time, when the new one was beside the old one and was removed
    await giveback.async_take_back(hass, announce)
    await _async_remove_ignored(hass, announce.id)
    _rename_entities(hass, entry, announce.id)
    _rename_devices(hass, entry, announce.id)
    data = {**entry.data, CONF_PREFIX: prefix, CONF_NODE: announce.id, CONF_ANNOUNCE: announce.content, **place}
    hass.config_entries.async_update_entry(entry, unique_id=announce.id, title=announce.name, data=data)
    issues.clear(hass, entry, *issues.ALL)
    for topic in sorted(kept):
        await retract.async_retract(hass, topic)
    hass.config_entries.async_schedule_reload(entry.entry_id)


def _announced(entry: BlikkConfigEntry) -> Announce:
    return reader.announce_of(entry.data[CONF_ANNOUNCE])


async def _async_is_online(hass: HomeAssistant, entry: BlikkConfigEntry) -> bool:
    if entry.state is ConfigEntryState.LOADED and entry.runtime_data.online is not None:
        return entry.runtime_data.online
    node: str = entry.data[CONF_NODE]
    return node in await presence.async_online(hass, entry.data[CONF_PREFIX], node)


async def _async_remove_ignored(hass: HomeAssistant, node: str) -> None:
    entry = hass.config_entries.async_entry_for_domain_unique_id(DOMAIN, node)
    if entry is not None and entry.source == SOURCE_IGNORE:
        await hass.config_entries.async_remove(entry.entry_id)


@callback
def _rename_entities(hass: HomeAssistant, entry: BlikkConfigEntry, node: str) -> None:
    """In two steps: with a dot in a node's id, a new unique id may be one that another entity has still."""
    entities = er.async_get(hass)
    before, after = (unique_id(each, None, "") for each in (entry.data[CONF_NODE], node))
    for start, end in ((before, _BETWEEN), (_BETWEEN, after)):
        for entity in er.async_entries_for_config_entry(entities, entry.entry_id):
            if entity.unique_id.startswith(start):
                moved = end + entity.unique_id.removeprefix(start)
                entities.async_update_entity(entity.entity_id, new_unique_id=moved)


@callback
def _rename_devices(hass: HomeAssistant, entry: BlikkConfigEntry, node: str) -> None:
    """In two steps, as entities."""
    devices = dr.async_get(hass)
    for before, after in ((entry.data[CONF_NODE], _BETWEEN), (_BETWEEN, node)):
        for device in dr.async_entries_for_config_entry(devices, entry.entry_id):
            identifiers = {
                (domain, _moved_key(key, before, after) if domain == DOMAIN else key)
                for domain, key in device.identifiers
            }
            devices.async_update_device(device.id, new_identifiers=identifiers)


def _moved_key(key: str, before: str, after: str) -> str:
    return device_key(after, key.removeprefix(f"{before}.") if key != before else None)
