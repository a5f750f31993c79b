"""The devices and entities that the node's own MQTT discovery makes, as Home Assistant's registries know them."""

from homeassistant.components import mqtt
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er

from .contract import Announce
from .names import plain_device_key


@callback
def plain_entities(hass: HomeAssistant, announce: Announce) -> list[er.RegistryEntry]:
    """The entities that plain MQTT discovery made for this node and its cameras."""
    entities = er.async_get(hass)
    return [
        entity
        for device in plain_devices(hass, announce).values()
        for entity in er.async_entries_for_device(entities, device.id, include_disabled_entities=True)
        if entity.platform == mqtt.DOMAIN
    ]


@callback
def plain_devices(hass: HomeAssistant, announce: Announce) -> dict[str, dr.DeviceEntry]:
    """Its devices, by what identifies the same one of this component."""
    cameras = (None, *(camera.id for camera in announce.cameras))
    keys = {(mqtt.DOMAIN, plain_device_key(announce.id, camera)) for camera in cameras}
    return {
        key.removeprefix(plain_device_key("")): device
        for device in dr.async_get(hass).async_get_devices(identifiers=keys)
        for domain, key in device.identifiers
        if domain == mqtt.DOMAIN
    }
