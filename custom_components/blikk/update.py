"""Update entities: whether a node is older than this component, with which it is released."""

from collections.abc import Iterator

from awesomeversion import AwesomeVersion, AwesomeVersionException
from homeassistant.components.update import UpdateDeviceClass, UpdateEntity
from homeassistant.const import EntityCategory, Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.loader import async_get_loaded_integration

from .const import DOMAIN
from .entity import BlikkEntity, follow_announce
from .node import BlikkConfigEntry, BlikkNode
from .state import Changed

PARALLEL_UPDATES = 0


async def async_setup_entry(
    hass: HomeAssistant, entry: BlikkConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Set up the update entity."""
    own = str(async_get_loaded_integration(hass, DOMAIN).version)

    def build(node: BlikkNode) -> Iterator[BlikkEntity]:
        yield SoftwareUpdate(node, own)

    follow_announce(entry, Platform.UPDATE, async_add_entities, build)


class SoftwareUpdate(BlikkEntity, UpdateEntity):
    """The node's software. Node and component are released together: the newer of both is the latest known."""

    updates_on = (Changed.ANNOUNCE,)
    _attr_translation_key = "software"
    _attr_device_class = UpdateDeviceClass.FIRMWARE
    _attr_entity_category = EntityCategory.DIAGNOSTIC
    _attr_title = "Blikk Edge"

    def __init__(self, node: BlikkNode, own_version: str) -> None:
        super().__init__(Platform.UPDATE, node, None, "software", "software")
        self._own_version = own_version

    @callback
    def take(self) -> None:
        """Compare the versions."""
        installed = self.node.announce.version
        self._attr_installed_version = installed
        self._attr_latest_version = self._own_version if _is_newer(self._own_version, installed) else installed


def _is_newer(version: str, other: str | None) -> bool:
    if other is None:
        return False
    try:
        return bool(AwesomeVersion(version) > AwesomeVersion(other))
    except AwesomeVersionException:
        return False
