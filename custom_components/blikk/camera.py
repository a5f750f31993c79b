"""Camera entities: the newest redacted still of each camera. Nodes offer no stream, so there is none."""

from collections.abc import Iterator

from homeassistant.components.camera import Camera as CameraEntity
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import MANUFACTURER
from .contract import Camera
from .entity import BlikkEntity, follow_announce
from .node import BlikkConfigEntry, BlikkNode

PARALLEL_UPDATES = 0


async def async_setup_entry(
    hass: HomeAssistant, entry: BlikkConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Set up the cameras."""
    follow_announce(entry, Platform.CAMERA, async_add_entities, _build)


def _build(node: BlikkNode) -> Iterator[BlikkEntity]:
    for camera in node.announce.cameras:
        yield StillCamera(node, camera)


class StillCamera(BlikkEntity, CameraEntity):
    """The newest redacted picture of a camera."""

    needs_stream = True
    _attr_name = None
    _attr_brand = MANUFACTURER

    def __init__(self, node: BlikkNode, camera: Camera) -> None:
        BlikkEntity.__init__(self, Platform.CAMERA, node, camera, "still", "")
        CameraEntity.__init__(self)

    async def async_camera_image(self, width: int | None = None, height: int | None = None) -> bytes | None:
        """The JPEG's bytes, as the node made them."""
        return self.now.still.content if self.now.still else None
