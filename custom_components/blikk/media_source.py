"""The media browser: redacted pictures of the past, by camera and day, from the node that keeps them."""

from homeassistant.components.media_player.const import MediaClass
from homeassistant.components.media_player.errors import BrowseError
from homeassistant.components.media_source import (
    BrowseMediaSource,
    MediaSource,
    MediaSourceItem,
    PlayMedia,
    Unresolvable,
)
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .contract import Camera
from .media import MediaError, MediaTokenError, NodeMedia, is_day, is_picture_id, media_url
from .node import BlikkConfigEntry, BlikkNode
from .views import picture_path

JPEG = "image/jpeg"


async def async_get_media_source(hass: HomeAssistant) -> MediaSource:
    """The media source of the component."""
    return Pictures(hass)


class Pictures(MediaSource):
    """`<entry>/<camera>/<day>/<picture>`, from left to right as deep as one has looked."""

    name = "Blikk Edge"

    def __init__(self, hass: HomeAssistant) -> None:
        super().__init__(DOMAIN)
        self.hass = hass

    async def async_resolve_media(self, item: MediaSourceItem) -> PlayMedia:
        """The address of a picture in this Home Assistant."""
        entry_id, *rest = item.identifier.split("/")
        if len(rest) != 3 or not is_picture_id(rest[2]) or _loaded(self.hass, entry_id) is None:
            raise Unresolvable(translation_domain=DOMAIN, translation_key="no_picture")
        return PlayMedia(picture_path(entry_id, rest[2]), JPEG)

    async def async_browse_media(self, item: MediaSourceItem) -> BrowseMediaSource:
        """Cameras, then days, then pictures."""
        if not item.identifier:
            return _folder(None, "Blikk Edge", [child for entry in _with_media(self.hass) for child in _cameras(entry)])
        entry_id, *rest = item.identifier.split("/")
        entry = _loaded(self.hass, entry_id)
        camera = entry.runtime_data.announce.camera(rest[0]) if entry and rest else None
        if entry is None or camera is None or len(rest) > 2 or not all(is_day(day) for day in rest[1:]):
            raise BrowseError(translation_domain=DOMAIN, translation_key="no_picture")
        node = entry.runtime_data
        try:
            media = NodeMedia(self.hass, node.announce, entry.data)
            if len(rest) == 1:
                return await self._async_days(entry, camera, media)
            return await self._async_pictures(entry, camera, rest[1], media)
        except MediaTokenError as error:
            entry.async_start_reauth(self.hass)
            raise _error(node, error) from None
        except MediaError as error:
            raise _error(node, error) from None

    async def _async_days(self, entry: BlikkConfigEntry, camera: Camera, media: NodeMedia) -> BrowseMediaSource:
        where = f"{entry.entry_id}/{camera.id}"
        days = [_folder(f"{where}/{day}", day, None) for day in await media.async_days(camera.id)]
        return _folder(where, camera.name, days)

    async def _async_pictures(
        self, entry: BlikkConfigEntry, camera: Camera, day: str, media: NodeMedia
    ) -> BrowseMediaSource:
        where = f"{entry.entry_id}/{camera.id}/{day}"
        pictures = [
            BrowseMediaSource(
                domain=DOMAIN,
                identifier=f"{where}/{picture.id}",
                media_class=MediaClass.IMAGE,
                media_content_type=JPEG,
                title=f"{dt_util.as_local(picture.time):%H:%M:%S} {picture.name}" if picture.time else picture.name,
                can_play=True,
                can_expand=False,
                thumbnail=picture_path(entry.entry_id, picture.id),
            )
            for picture in await media.async_pictures(camera.id, day)
        ]
        return _folder(where, f"{camera.name} {day}", pictures)


def _with_media(hass: HomeAssistant) -> list[BlikkConfigEntry]:
    entries = [_loaded(hass, entry.entry_id) for entry in hass.config_entries.async_entries(DOMAIN)]
    return [entry for entry in entries if entry and media_url(entry.runtime_data.announce, entry.data)]


def _loaded(hass: HomeAssistant, entry_id: str) -> BlikkConfigEntry | None:
    entry: BlikkConfigEntry | None = hass.config_entries.async_get_entry(entry_id)
    return entry if entry and entry.domain == DOMAIN and entry.state is ConfigEntryState.LOADED else None


def _cameras(entry: BlikkConfigEntry) -> list[BrowseMediaSource]:
    return [
        _folder(f"{entry.entry_id}/{camera.id}", camera.name, None) for camera in entry.runtime_data.announce.cameras
    ]


def _folder(identifier: str | None, title: str, children: list[BrowseMediaSource] | None) -> BrowseMediaSource:
    folder = BrowseMediaSource(
        domain=DOMAIN,
        identifier=identifier,
        media_class=MediaClass.DIRECTORY,
        media_content_type="",
        title=title,
        can_play=False,
        can_expand=True,
        children_media_class=MediaClass.IMAGE if identifier and identifier.count("/") == 2 else MediaClass.DIRECTORY,
    )
    folder.children = children
    return folder


def _error(node: BlikkNode, error: MediaError) -> BrowseError:
    return BrowseError(
        translation_domain=DOMAIN,
        translation_key="media_unavailable",
        translation_placeholders={"node": node.announce.name, "error": str(error)},
    )
