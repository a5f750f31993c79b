"""The media browser: redacted pictures of the past, by camera and day, from the node that keeps them."""

import asyncio
from collections.abc import Iterator

from homeassistant.components.media_player.browse_media import SearchMedia, SearchMediaQuery
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
from .media import KeptPicture, MediaError, MediaTokenError, NodeMedia, is_day, is_picture_id, media_url
from .node import BlikkConfigEntry, BlikkNode
from .views import picture_path

JPEG = "image/jpeg"
MAX_FOUND = 100


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

    async def async_search_media(self, item: MediaSourceItem, query: SearchMediaQuery) -> SearchMedia:
        """Pictures of which all words are said: by summary, label, zones, camera, day and time; of an event the newest.

        As much of the past is searched as a node gives at once. A node that is away hides no other one's pictures.
        """
        entry_id, *rest = (item.identifier or "").split("/")  # of the whole source there is none
        entry = _loaded(self.hass, entry_id)
        if item.identifier and (entry is None or not _is_folder(entry, rest)):
            raise BrowseError(translation_domain=DOMAIN, translation_key="no_picture")
        words = query.search_query.casefold().split()
        if not words or (query.media_filter_classes and MediaClass.IMAGE not in query.media_filter_classes):
            return SearchMedia(result=[])
        entries = [entry] if entry else _with_media(self.hass)
        answers = await asyncio.gather(*(self._async_search(each, rest, words) for each in entries))
        found = [picture for answer in answers if not isinstance(answer, BrowseError) for picture in answer]
        errors = [answer for answer in answers if isinstance(answer, BrowseError)]
        if errors and not found:
            raise errors[0]
        found.sort(key=lambda each: each.title, reverse=True)
        return SearchMedia(result=found[:MAX_FOUND])

    async def _async_search(
        self, entry: BlikkConfigEntry, where: list[str], words: list[str]
    ) -> list[BrowseMediaSource] | BrowseError:
        camera, day = where[0] if where else None, where[1] if len(where) > 1 else None
        node = entry.runtime_data
        try:
            media = NodeMedia(self.hass, node.announce, entry.data)
            events = await media.async_events(camera)
            pictures = await media.async_pictures(camera, day)
        except MediaError as error:
            if isinstance(error, MediaTokenError):
                entry.async_start_reauth(self.hass)
            return _error(node, error)
        of_day = {picture.id for picture in pictures}
        told = [(event.title, event.words, one) for event in events for one in event.pictures]
        known = {one.id for _, _, one in told}
        alone = [("", "", one) for one in pictures if one.id not in known]
        inside = [each for each in (*told, *alone) if day is None or each[2].id in of_day]
        return list(_found(entry, inside, words))

    async def async_browse_media(self, item: MediaSourceItem) -> BrowseMediaSource:
        """Cameras, then days, then pictures."""
        if not item.identifier:
            return _folder(None, "Blikk Edge", [child for entry in _with_media(self.hass) for child in _cameras(entry)])
        entry_id, *rest = item.identifier.split("/")
        entry = _loaded(self.hass, entry_id)
        camera = entry.runtime_data.announce.camera(rest[0]) if entry and rest else None
        if entry is None or camera is None or not _is_folder(entry, rest):
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
            _leaf(
                entry,
                f"{where}/{picture.id}",
                picture,
                f"{dt_util.as_local(picture.time):%H:%M:%S} {picture.name}" if picture.time else picture.name,
            )
            for picture in await media.async_pictures(camera.id, day)
        ]
        return _folder(where, f"{camera.name} {day}", pictures)


def _is_folder(entry: BlikkConfigEntry, where: list[str]) -> bool:
    """Whether this is a camera of the node, or a day of it."""
    known = bool(where) and entry.runtime_data.announce.camera(where[0]) is not None
    return known and len(where) <= 2 and all(is_day(day) for day in where[1:])


def _found(
    entry: BlikkConfigEntry, told: list[tuple[str, str, KeptPicture]], words: list[str]
) -> Iterator[BrowseMediaSource]:
    """The pictures of which all words are said, of an event the first; `told` is its title and text, and a picture."""
    events: set[str] = set()
    for title, text, picture in told:
        camera = entry.runtime_data.announce.camera(picture.camera)
        if camera is None or picture.time is None or picture.event in events:
            continue
        time = f"{dt_util.as_local(picture.time):%Y-%m-%d %H:%M:%S}"
        said = f"{camera.name} {picture.name} {time} {text}".casefold()
        if all(word in said for word in words):
            events |= {picture.event} if picture.event else set()
            place = f"{entry.entry_id}/{camera.id}/{time[:10]}/{picture.id}"
            yield _leaf(entry, place, picture, f"{time} {title or f'{camera.name}: {picture.name}'}")


def _leaf(entry: BlikkConfigEntry, identifier: str, picture: KeptPicture, title: str) -> BrowseMediaSource:
    return BrowseMediaSource(
        domain=DOMAIN,
        identifier=identifier,
        media_class=MediaClass.IMAGE,
        media_content_type=JPEG,
        title=title,
        can_play=True,
        can_expand=False,
        thumbnail=picture_path(entry.entry_id, picture.id),
    )


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
        can_search=True,
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
