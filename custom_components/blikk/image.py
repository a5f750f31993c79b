"""Image entities: the last redacted picture of each label and of the last ring."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from homeassistant.components.image import ImageEntity
from homeassistant.const import MATCH_ALL, Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.restore_state import ExtraStoredData, RestoreEntity
from homeassistant.util import dt as dt_util

from .contract import Camera
from .entity import BlikkEntity, follow_announce
from .labels import label_words
from .names import slug
from .node import BlikkConfigEntry, BlikkNode
from .state import Changed

PARALLEL_UPDATES = 0

SHOWN_FROM_THE_START = ("person", "package")
"""The labels whose last picture is enabled by default: most cameras wait long for one of an animal."""
_NO_PICTURE = Path(__file__).parent / "brand" / "icon.png"


async def async_setup_entry(
    hass: HomeAssistant, entry: BlikkConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Set up the images."""
    follow_announce(entry, Platform.IMAGE, async_add_entities, _build)


def _build(node: BlikkNode) -> Iterator[BlikkEntity]:
    for camera in node.announce.cameras:
        for label in camera.labels:
            key, placeholders = label_words(label, "last_{}")
            yield LastPicture(
                node, camera, label, f"last_{slug(label)}", key, placeholders, shown=label in SHOWN_FROM_THE_START
            )
        if camera.ring:
            yield LastPicture(node, camera, "ring", "last_ring", "last_ring", None)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPicture(ExtraStoredData):
    """What is remembered of a picture over a restart: which it was, and when it came."""

    digest: str
    time: str

    def as_dict(self) -> dict[str, Any]:
        """As values for the storage."""
        return asdict(self)


class LastPicture(BlikkEntity, ImageEntity, RestoreEntity):
    """The last picture of one name; a picture that the broker kept from before is not taken for a new one."""

    updates_on = (Changed.PICTURE,)
    needs_stream = True
    _unrecorded_attributes = frozenset({MATCH_ALL})

    def __init__(
        self,
        node: BlikkNode,
        camera: Camera,
        picture: str,
        key: str,
        translation_key: str,
        placeholders: dict[str, str] | None,
        *,
        shown: bool = True,
    ) -> None:
        BlikkEntity.__init__(self, Platform.IMAGE, node, camera, key, key)
        ImageEntity.__init__(self, node.hass)
        self._attr_translation_key = translation_key
        self._attr_entity_registry_enabled_default = shown
        if placeholders:
            self._attr_translation_placeholders = placeholders
        self._picture = picture
        self._digest: str | None = None
        self._known: tuple[str, datetime] | None = None

    async def async_added_to_hass(self) -> None:
        """Remember when the picture that may be kept by the broker came."""
        if stored := await self.async_get_last_extra_data():
            values = stored.as_dict()
            time = dt_util.parse_datetime(str(values.get("time")))
            if time is not None:
                self._known = (str(values.get("digest")), time)
        await super().async_added_to_hass()

    @property
    def extra_restore_state_data(self) -> ExtraStoredData | None:
        """Which picture is shown."""
        if self._digest is None or self._attr_image_last_updated is None:
            return None
        return KnownPicture(digest=self._digest, time=self._attr_image_last_updated.isoformat())

    @callback
    def changed(self) -> None:
        """Some picture of the camera came; write the state if it is this one."""
        before = self._attr_image_last_updated
        self.take()
        if self._attr_image_last_updated != before:
            self.async_write_ha_state()

    @callback
    def take(self) -> None:
        """Take over when the picture came; unknown where there is none, or no more."""
        picture = self.now.pictures.get(self._picture)
        shows = self.node.event_picture(str(self.camera), self._picture)
        self._attr_extra_state_attributes = {"event": shows.event, "path": shows.path} if shows else {}
        if picture is None:
            self._digest = self._attr_image_last_updated = None
            return
        digest = sha256(picture.content).hexdigest()
        if picture.kept and digest == self._digest:
            return
        self._digest = digest
        known = picture.kept and self._known is not None and self._known[0] == digest
        self._attr_image_last_updated = self._known[1] if known and self._known else picture.time

    @property
    def entity_picture(self) -> str | None:
        """Where the picture is; nowhere before the first, so that the icon is shown and not an empty place."""
        return super().entity_picture if self._attr_image_last_updated else None

    @property
    def content_type(self) -> str:
        """That of what `async_image` gives."""
        return "image/jpeg" if self._picture in self.now.pictures else "image/png"

    async def async_image(self) -> bytes | None:
        """The JPEG's bytes, as the node made them; before the first a sign that stands for none."""
        picture = self.now.pictures.get(self._picture)
        return picture.content if picture else await self.hass.async_add_executor_job(_NO_PICTURE.read_bytes)
