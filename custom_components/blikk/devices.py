"""The devices of a node and its cameras in Home Assistant's registry, kept in step with the announce."""

from homeassistant.components.camera.const import DOMAIN as CAMERA
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.translation import async_get_translations

from .const import DOMAIN, MANUFACTURER
from .contract import Announce
from .names import device_key
from .node import BlikkConfigEntry, BlikkNode


async def async_model(hass: HomeAssistant) -> str:
    """What a camera is called in Home Assistant's language, by Home Assistant's own translation."""
    titles = await async_get_translations(hass, hass.config.language, "title", {CAMERA})
    return titles.get(f"component.{CAMERA}.title", "Camera")


@callback
def register(hass: HomeAssistant, entry: BlikkConfigEntry, announce: Announce, model: str) -> str:
    """Create or update all devices, `model` being that of cameras; returns the id of the node's own."""
    registry = dr.async_get(hass)
    hub = registry.async_get_or_create(
        config_entry_id=entry.entry_id,
        identifiers={(DOMAIN, device_key(announce.id))},
        manufacturer=MANUFACTURER,
        model="Blikk Edge",
        name=announce.name,
        sw_version=announce.version,
    )
    for camera in announce.cameras:
        registry.async_get_or_create(
            config_entry_id=entry.entry_id,
            identifiers={(DOMAIN, device_key(announce.id, camera.id))},
            manufacturer=MANUFACTURER,
            model=model,
            name=camera.name,
            sw_version=announce.version,
            via_device_id=hub.id,
        )
    return hub.id


@callback
def prune(hass: HomeAssistant, entry: BlikkConfigEntry, node: BlikkNode) -> None:
    """Remove entities and devices of what the node no longer announces."""
    wanted = {(domain, unique_id) for domain, unique_ids in node.wanted.items() for unique_id in unique_ids}
    entities = er.async_get(hass)
    for entity in er.async_entries_for_config_entry(entities, entry.entry_id):
        if (entity.domain, entity.unique_id) not in wanted:
            entities.async_remove(entity.entity_id)
    devices = dr.async_get(hass)
    for device in dr.async_entries_for_config_entry(devices, entry.entry_id):
        if not is_announced(node.announce, device):
            devices.async_remove_device(device.id)


def is_announced(announce: Announce, device: dr.AnyDeviceEntry) -> bool:
    """Whether a device is the node's own or that of a camera it announces."""
    return (DOMAIN, device_key(announce.id)) in device.identifiers or camera_of(announce, device) is not None


def camera_of(announce: Announce, device: dr.AnyDeviceEntry) -> str | None:
    """The camera that a device is; None for the node itself."""
    for camera in announce.cameras:
        if (DOMAIN, device_key(announce.id, camera.id)) in device.identifiers:
            return camera.id
    return None
