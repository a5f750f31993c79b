"""Buttons: a picture of now, a sentence about now."""

from collections.abc import Iterator

from homeassistant.components.button import ButtonEntity
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .contract import Camera
from .entity import BlikkEntity, follow_announce
from .node import BlikkConfigEntry, BlikkNode

PARALLEL_UPDATES = 1


async def async_setup_entry(
    hass: HomeAssistant, entry: BlikkConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Set up the buttons."""
    follow_announce(entry, Platform.BUTTON, async_add_entities, _build)


def _build(node: BlikkNode) -> Iterator[BlikkEntity]:
    for camera in node.announce.cameras:
        yield PressButton(node, camera, "snapshot")
        if node.announce.summaries:
            yield PressButton(node, camera, "describe")


class PressButton(BlikkEntity, ButtonEntity):
    """Asks a camera for something: `snapshot` or `describe`."""

    def __init__(self, node: BlikkNode, camera: Camera, setting: str) -> None:
        super().__init__(Platform.BUTTON, node, camera, setting, setting)
        self._attr_translation_key = setting

    async def async_press(self) -> None:
        """Ask."""
        await self.node.async_set(str(self.camera), self.key, "PRESS")
