"""What users had set on devices and entities: read from one set of them, and set on another that takes its place.

Names, ids, areas, labels, icons, what is disabled or hidden. Unique ids are the same in this component and in plain
MQTT discovery.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er

from .const import DOMAIN

type Customized = dict[str, dict[str, Any]]
"""As values for the storage, by `<domain> <unique id>` of an entity or `device <key>`."""

_BY_USER = ("user", "integration")
"""Who disables for good: what is disabled with its device or config entry is no wish for the entity itself."""


@callback
def read(entities: Iterable[er.RegistryEntry], devices: Mapping[str, dr.DeviceEntry]) -> Customized:
    """What is set on them; devices are given by what identifies them in this component."""
    found: Customized = {
        key_of(entity): {
            "entity_id": entity.entity_id,
            "name": entity.name,
            "icon": entity.icon,
            "area_id": entity.area_id,
            "labels": sorted(entity.labels),
            "categories": dict(entity.categories),
            "aliases": [None if alias is er.COMPUTED_NAME else alias for alias in entity.aliases],
            "disabled_by": entity.disabled_by if entity.disabled_by in _BY_USER else None,
            "hidden_by": entity.hidden_by,
            "options": {domain: dict(options) for domain, options in entity.options.items()},
        }
        for entity in entities
    }
    for key, device in devices.items():
        found[f"device {key}"] = {
            "name_by_user": device.name_by_user,
            "area_id": device.area_id,
            "labels": sorted(device.labels),
            "disabled_by": device.disabled_by if device.disabled_by in _BY_USER else None,
        }
    return found


def key_of(entity: er.RegistryEntry) -> str:
    """The key of an entity."""
    return f"{entity.domain} {entity.unique_id}"


@callback
def register(hass: HomeAssistant, entry: ConfigEntry, customized: Customized) -> None:
    """Register entities of an entry, ours or MQTT's, with all that is set, and set it on our devices that are there."""
    entities, devices = er.async_get(hass), dr.async_get(hass)
    for key, what in customized.items():
        domain, _, unique_id = key.partition(" ")
        if domain == "device":
            device = devices.async_get_device_by_identifier((DOMAIN, unique_id), entry.entry_id)
            if device is not None:
                set_on_device(hass, device, what)
            continue
        object_id = what["entity_id"].partition(".")[2]
        entity = entities.async_get_or_create(
            domain, entry.domain, unique_id, config_entry=entry, suggested_object_id=object_id
        )
        set_on_entity(hass, entity, what)


@callback
def set_on_device(hass: HomeAssistant, device: dr.DeviceEntry, what: Mapping[str, Any]) -> None:
    """Set what was set on a device."""
    disabled_by = dr.DeviceEntryDisabler(what["disabled_by"]) if what.get("disabled_by") else None
    dr.async_get(hass).async_update_device(
        device.id,
        name_by_user=what["name_by_user"],
        area_id=what["area_id"],
        labels=set(what["labels"]),
        disabled_by=disabled_by,
    )


@callback
def set_on_entity(hass: HomeAssistant, entity: er.RegistryEntry, what: Mapping[str, Any]) -> None:
    """Set what was set on an entity; its id where it is free."""
    entities = er.async_get(hass)
    disabled_by = er.RegistryEntryDisabler(what["disabled_by"]) if what["disabled_by"] else None
    entity = entities.async_update_entity(
        entity.entity_id,
        aliases=[er.COMPUTED_NAME if alias is None else alias for alias in what["aliases"]],
        area_id=what["area_id"],
        categories=what["categories"],
        disabled_by=disabled_by,
        hidden_by=er.RegistryEntryHider(what["hidden_by"]) if what["hidden_by"] else None,
        icon=what["icon"],
        labels=set(what["labels"]),
        name=what["name"],
    )
    for domain, options in what["options"].items():
        entities.async_update_entity_options(entity.entity_id, domain, options)
    wanted = what["entity_id"]
    if entity.entity_id != wanted and entities.async_get(wanted) is None and hass.states.async_available(wanted):
        entities.async_update_entity(entity.entity_id, new_entity_id=wanted)
