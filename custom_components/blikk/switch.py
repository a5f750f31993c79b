"""Switches: detection of a camera."""

from collections.abc import Iterator
from typing import Any

from homeassistant.components.switch import SwitchEntity
from homeassistant.const import EntityCategory, Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .contract import Camera
from .entity import BlikkEntity, follow_announce
from .node import BlikkConfigEntry, BlikkNode
from .state import Changed

PARALLEL_UPDATES = 1


async def async_setup_entry(
    hass: HomeAssistant, entry: BlikkConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Set up the switches."""
    follow_announce(entry, Platform.SWITCH, async_add_entities, _build)


def _build(node: BlikkNode) -> Iterator[BlikkEntity]:
    for camera in node.announce.cameras:
        yield DetectSwitch(node, camera)


class DetectSwitch(BlikkEntity, SwitchEntity):
    """Whether a camera detects; the camera's next state is the answer."""

    updates_on = (Changed.STATE,)
    _attr_translation_key = "detect"
    _attr_entity_category = EntityCategory.CONFIG

    def __init__(self, node: BlikkNode, camera: Camera) -> None:
        super().__init__(Platform.SWITCH, node, camera, "detect", "detection")

    @callback
    def take(self) -> None:
        """Take over the setting."""
        self._attr_is_on = self.now.state.detect if self.now.state else None

    async def async_turn_on(self, **kwargs: Any) -> None:
        """Detect."""
        await self.node.async_set(str(self.camera), "detect", "ON")

    async def async_turn_off(self, **kwargs: Any) -> None:
        """Do not detect."""
        await self.node.async_set(str(self.camera), "detect", "OFF")
