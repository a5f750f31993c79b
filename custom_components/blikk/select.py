"""Selects: what a camera's summaries are made of."""

from collections.abc import Iterator

from homeassistant.components.select import SelectEntity
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
    """Set up the selects."""
    follow_announce(entry, Platform.SELECT, async_add_entities, _build)


def _build(node: BlikkNode) -> Iterator[BlikkEntity]:
    if node.announce.summaries:
        for camera in node.announce.cameras:
            yield SummarySelect(node, camera)


class SummarySelect(BlikkEntity, SelectEntity):
    """What summaries are made of; the camera's next state is the answer."""

    updates_on = (Changed.STATE, Changed.ANNOUNCE)
    _attr_translation_key = "summaries"
    _attr_entity_category = EntityCategory.CONFIG

    def __init__(self, node: BlikkNode, camera: Camera) -> None:
        super().__init__(Platform.SELECT, node, camera, "summaries", "summaries")
        self._attr_options = list(node.announce.summaries)

    @callback
    def take(self) -> None:
        """Take over the ways there are, and the one that is set."""
        self._attr_options = list(self.node.announce.summaries)
        mode = self.now.state.summary if self.now.state else None
        self._attr_current_option = mode if mode in self._attr_options else None

    async def async_select_option(self, option: str) -> None:
        """Set it."""
        await self.node.async_set(str(self.camera), "summary", option)
