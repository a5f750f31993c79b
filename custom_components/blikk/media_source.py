"""The media browser: redacted pictures and recordings of the past, by camera and day, from the node that keeps them."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

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
from homeassistant.const import ATTR_ENTITY_PICTURE
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .contract import Camera
from .exposure import camera_entities
from .media import (
    KeptEvent,
    KeptPicture,
    MediaError,
    MediaGoneError,
    MediaTokenError,
    NodeMedia,
    is_day,
    is_event_id,
    is_picture_id,
    media_url,
)
from .node import BlikkConfigEntry, BlikkNode
from .spoken import Language, known_language, languages
from .views import clip_path, picture_path

JPEG = "image/jpeg"
MP4 = "video/mp4"
CLIP = "clip:"  # before the id of an event: no id of a picture has that sign
MAX_FOUND = 100


async def async_get_media_source(hass: HomeAssistant) -> MediaSource:
    """The media source of the component."""
    return Pictures(hass)


class Pictures(MediaSource):
    """`<entry>/<camera>/<day>/<picture>` or `.../clip:<event>`, from left to right as deep as one has looked."""

    name = "Blikk Edge"

    def __init__(self, hass: HomeAssistant) -> None:
        super().__init__(DOMAIN)
        self.hass = hass

    async def async_resolve_media(self, item: MediaSourceItem) -> PlayMedia:
        """The address of a picture or a recording in this Home Assistant."""
        entry_id, *rest = item.identifier.split("/")
        if len(rest) == 3 and rest[2].startswith(CLIP) and _loaded(self.hass, entry_id) is not None:
            event = rest[2].removeprefix(CLIP)
            if is_event_id(event):
                return PlayMedia(clip_path(entry_id, event), MP4)
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
        found.sort(key=lambda each: each[0], reverse=True)
        return SearchMedia(result=[picture for _, picture in found[:MAX_FOUND]])

    async def _async_search(
        self, entry: BlikkConfigEntry, where: list[str], words: list[str]
    ) -> list[tuple[datetime, BrowseMediaSource]] | BrowseError:
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
        illustrated = [(event.title, event.words, one) for event in events for one in event.pictures]
        known = {one.id for _, _, one in illustrated}
        alone = [("", "", one) for one in pictures if one.id not in known]
        inside = [each for each in (*illustrated, *alone) if day is None or each[2].id in of_day]
        return list(_found(entry, inside, words, await self._async_titles()))

    async def async_browse_media(self, item: MediaSourceItem) -> BrowseMediaSource:
        """Cameras, then days, then pictures."""
        if not item.identifier:
            return _folder(
                None, "Blikk Edge", [child for entry in _with_media(self.hass) for child in _cameras(self.hass, entry)]
            )
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
        where, titles = f"{entry.entry_id}/{camera.id}", await self._async_titles()
        newest: dict[str, KeptPicture] = {}
        for picture in await media.async_pictures(camera.id):
            if picture.time is not None:
                newest.setdefault(f"{dt_util.as_local(picture.time):%Y-%m-%d}", picture)
        days = [
            _folder(f"{where}/{day}", titles.day(day), None, _thumbnail(entry, newest.get(day)))
            for day in await media.async_days(camera.id)
        ]
        return _folder(where, camera.name, days)

    async def _async_pictures(
        self, entry: BlikkConfigEntry, camera: Camera, day: str, media: NodeMedia
    ) -> BrowseMediaSource:
        where, titles = f"{entry.entry_id}/{camera.id}/{day}", await self._async_titles()
        pictures = await media.async_pictures(camera.id, day)
        events = await _async_events(camera.id, pictures, media)
        said = {picture.id: event.title for event in events if event.title for picture in event.pictures}
        clips = [_clip(entry, f"{where}/{CLIP}{each.id}", each, titles) for each in events if _is_of(each, day)]
        leaves = clips + [
            _leaf(entry, f"{where}/{each.id}", each, titles.picture(each, said.get(each.id))) for each in pictures
        ]
        return _folder(where, f"{camera.name}, {titles.day(day)}", leaves)

    async def _async_titles(self) -> Titles:
        await self.hass.async_add_executor_job(languages)
        return Titles(known_language(self.hass.config.language), dt_util.now().date())


@dataclass(frozen=True, slots=True)
class Titles:
    """What days and pictures are called in the household's language; in one that we have not, as the node says."""

    language: Language | None
    today: date

    def day(self, day: str) -> str:
        """`Today`, `Saturday, 21 November`."""
        return self.language.day(date.fromisoformat(day), self.today) if self.language else day

    def picture(self, picture: KeptPicture, said: str | None) -> str:
        """`07:00 · A parcel was left`, in a folder of its day."""
        title = said or (self.language.picture(picture.name) if self.language else picture.name)
        return f"{dt_util.as_local(picture.time):%H:%M} · {title}" if picture.time else title

    def clip(self, event: KeptEvent) -> str:
        """`▶ 07:00 · A parcel was left`."""
        label = next(iter(event.pictures), None)
        title = event.title or (self.picture_name(label.name) if label else "")
        time = f"{dt_util.as_local(event.started):%H:%M}" if event.started else ""
        return " · ".join(part for part in (f"▶ {time}", title) if part)

    def picture_name(self, name: str) -> str:
        """What a picture is called that has no other title."""
        return self.language.picture(name) if self.language else name


def _is_of(event: KeptEvent, day: str) -> bool:
    """Whether there is a recording of an event of this day."""
    if event.started is None or not event.clip or not is_event_id(event.id):
        return False
    return f"{dt_util.as_local(event.started):%Y-%m-%d}" == day


def _clip(entry: BlikkConfigEntry, identifier: str, event: KeptEvent, titles: Titles) -> BrowseMediaSource:
    picture = next(iter(event.pictures), None)
    return _leaf(entry, identifier, picture, titles.clip(event), media=(MediaClass.VIDEO, MP4))


async def _async_events(camera: str, pictures: list[KeptPicture], media: NodeMedia) -> list[KeptEvent]:
    """The events that the pictures are of, and others of that time."""
    newest = max((picture.time for picture in pictures if picture.time), default=None)
    if newest is None:
        return []
    try:
        return await media.async_events(camera, until=newest + timedelta(seconds=1))
    except MediaGoneError:  # a node that has no texts: its pictures are there all the same
        return []


def _is_folder(entry: BlikkConfigEntry, where: list[str]) -> bool:
    """Whether this is a camera of the node, or a day of it."""
    known = bool(where) and entry.runtime_data.announce.camera(where[0]) is not None
    return known and len(where) <= 2 and all(is_day(day) for day in where[1:])


def _found(
    entry: BlikkConfigEntry, illustrated: list[tuple[str, str, KeptPicture]], words: list[str], titles: Titles
) -> Iterator[tuple[datetime, BrowseMediaSource]]:
    """The pictures of which all words are said, of an event the first; each comes with its title and text."""
    events: set[str] = set()
    for title, text, picture in illustrated:
        camera = entry.runtime_data.announce.camera(picture.camera)
        if camera is None or picture.time is None or picture.event in events:
            continue
        time = f"{dt_util.as_local(picture.time):%Y-%m-%d %H:%M:%S}"
        shown = f"{titles.day(time[:10])} {titles.picture(picture, title)}"
        said = f"{camera.name} {picture.name} {time} {shown} {text}".casefold()
        if all(word in said for word in words):
            events |= {picture.event} if picture.event else set()
            place, day = f"{entry.entry_id}/{camera.id}/{time[:10]}/{picture.id}", titles.day(time[:10])
            name = f"{day} · {titles.picture(picture, title)}"
            yield picture.time, _leaf(entry, place, picture, name if title else f"{name} · {camera.name}")


def _leaf(
    entry: BlikkConfigEntry,
    identifier: str,
    picture: KeptPicture | None,
    title: str,
    *,
    media: tuple[MediaClass, str] = (MediaClass.IMAGE, JPEG),
) -> BrowseMediaSource:
    media_class, media_content_type = media
    return BrowseMediaSource(
        domain=DOMAIN,
        identifier=identifier,
        media_class=media_class,
        media_content_type=media_content_type,
        title=title,
        can_play=True,
        can_expand=False,
        thumbnail=_thumbnail(entry, picture),
    )


def _thumbnail(entry: BlikkConfigEntry, picture: KeptPicture | None) -> str | None:
    return picture_path(entry.entry_id, picture.id) if picture else None


def _with_media(hass: HomeAssistant) -> list[BlikkConfigEntry]:
    entries = [_loaded(hass, entry.entry_id) for entry in hass.config_entries.async_entries(DOMAIN)]
    return [entry for entry in entries if entry and media_url(entry.runtime_data.announce, entry.data)]


def _loaded(hass: HomeAssistant, entry_id: str) -> BlikkConfigEntry | None:
    entry: BlikkConfigEntry | None = hass.config_entries.async_get_entry(entry_id)
    return entry if entry and entry.domain == DOMAIN and entry.state is ConfigEntryState.LOADED else None


def _cameras(hass: HomeAssistant, entry: BlikkConfigEntry) -> Iterator[BrowseMediaSource]:
    entities = {camera.id: entity_id for entity_id, (camera, _) in camera_entities(hass, entry).items()}
    for camera in entry.runtime_data.announce.cameras:
        state = hass.states.get(entities.get(camera.id, ""))
        newest = state.attributes.get(ATTR_ENTITY_PICTURE) if state else None
        yield _folder(f"{entry.entry_id}/{camera.id}", camera.name, None, newest)


def _folder(
    identifier: str | None, title: str, children: list[BrowseMediaSource] | None, thumbnail: str | None = None
) -> BrowseMediaSource:
    folder = BrowseMediaSource(
        domain=DOMAIN,
        identifier=identifier,
        media_class=MediaClass.DIRECTORY,
        media_content_type="",
        title=title,
        can_play=False,
        can_expand=True,
        can_search=True,
        thumbnail=thumbnail,
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
