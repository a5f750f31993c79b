"""Numbers: how much must change at a camera to be reported."""

from collections.abc import Iterator

from homeassistant.components.number import NumberEntity
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
    """Set up the numbers."""
    follow_announce(entry, Platform.NUMBER, async_add_entities, _build)


def _build(node: BlikkNode) -> Iterator[BlikkEntity]:
    for camera in node.announce.cameras:
        yield ThresholdNumber(node, camera)


class ThresholdNumber(BlikkEntity, NumberEntity):
    """How much must change to be reported; the camera's next state is the answer."""

    updates_on = (Changed.STATE,)
    _attr_translation_key = "threshold"
    _attr_entity_category = EntityCategory.CONFIG
    _attr_native_min_value = 0.0
    _attr_native_max_value = 1.0
    _attr_native_step = 0.05

    def __init__(self, node: BlikkNode, camera: Camera) -> None:
        super().__init__(Platform.NUMBER, node, camera, "threshold", "threshold")

    @callback
    def take(self) -> None:
        """Take over the setting."""
        self._attr_native_value = self.now.state.threshold if self.now.state else None

    async def async_set_native_value(self, value: float) -> None:
        """Set it."""
        await self.node.async_set(str(self.camera), "threshold", f"{value:.3f}")
