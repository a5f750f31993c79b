"""The timeline of all nodes together, as the cards show it: which cameras there are, and pages of the past.

Nodes are asked for events and texts over MQTT and, where they offer them, for pictures over HTTP: once for each page.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import product

from homeassistant.auth.models import User
from homeassistant.auth.permissions.const import POLICY_READ
from homeassistant.components.http.auth import async_sign_path
from homeassistant.components.websocket_api.connection import ActiveConnection
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util

from . import pages
from .const import DOMAIN
from .contract import Camera, Event, JsonObject, Summary
from .media import KeptPicture, MediaError, MediaTokenError, NodeMedia, media_url
from .names import unique_id
from .node import BlikkConfigEntry, BlikkNode
from .past import RING, PastEvent, async_period, ring_as_event
from .pictures import PICTURES, EventPicture
from .views import picture_path

MAX_PICTURES = 6
"""Of one event."""
SIGNED_FOR = timedelta(hours=24)
"""As Home Assistant signs what its media browser plays; a page that is older is asked for again."""
MAX_BETWEEN = 500
"""How many events, wanted or not, between the first and the last of a page are looked through for pictures."""
_AT_ONCE = 4
_TICK = timedelta(milliseconds=1)
_TIES = 8
"""So many cameras of a node may see an event begin in the same millisecond."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A camera of a loaded node that may be looked at, with the id of its camera entity and its name there."""

    entry: BlikkConfigEntry
    camera: Camera
    entity_id: str
    name: str

    @property
    def node(self) -> BlikkNode:
        """Its node."""
        return self.entry.runtime_data

    @property
    def online(self) -> bool:
        """Whether broker, node and camera are there."""
        return bool(self.node.connected and self.node.online and self.node.camera(self.camera.id).online)

    def as_json(self) -> JsonObject:
        """What a card needs to know of it."""
        return {
            "entity_id": self.entity_id,
            "name": self.name,
            "node": self.node.announce.name,
            "labels": [*self.camera.labels, *([RING] if self.camera.ring else [])],
            "zones": list(self.camera.zones),
            "online": self.online,
            "live": self.node.live.offered,
            "page": pages.timeline_of(self.node, self.camera.id),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What is wanted of the timeline; what is empty does not restrict."""

    cameras: frozenset[str] = frozenset()
    labels: frozenset[str] = frozenset()
    zones: frozenset[str] = frozenset()

    def matches(self, past: PastEvent) -> bool:
        """Whether an event has one of the labels, and was in one of the zones."""
        event = past.event
        return (not self.labels or event.label in self.labels) and (
            not self.zones or not self.zones.isdisjoint(event.zones)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Events, newest first; `before` is where the next page begins, None after the last one.

    `missing` names nodes whose events are not among them, and why: the key of a translated exception.
    """

    events: list[JsonObject]
    before: str | None
    missing: dict[str, str]


@callback
def places(hass: HomeAssistant, user: User, wanted: Filter) -> list[Place]:
    """The cameras of all loaded nodes that a user may read, or those of them that are wanted."""
    registry = er.async_get(hass)
    found = []
    for entry in hass.config_entries.async_loaded_entries(DOMAIN):
        for camera in entry.runtime_data.announce.cameras:
            key = unique_id(entry.runtime_data.id, camera.id, "still")
            entity_id = registry.async_get_entity_id(Platform.CAMERA, DOMAIN, key)
            if entity_id is None or (wanted.cameras and entity_id not in wanted.cameras):
                continue
            if user.permissions.check_entity(entity_id, POLICY_READ):
                state = hass.states.get(entity_id)
                name = state.name if state else camera.name
                found.append(Place(entry=entry, camera=camera, entity_id=entity_id, name=name))
    return found


type Sign = Callable[[str], str]
"""Makes the path of a picture one that a browser can load without a token."""


def signer(hass: HomeAssistant, connection: ActiveConnection) -> Sign:
    """Signs for as long as the login of this connection is good, and for SIGNED_FOR at most."""
    return lambda path: async_sign_path(hass, path, SIGNED_FOR, refresh_token_id=connection.refresh_token_id)


async def async_page(
    hass: HomeAssistant, shown: list[Place], wanted: Filter, sign: Sign, *, before: str | None, limit: int
) -> Page:
    """A page of at most `limit` events that are older than `before`: what a page said, or a time in ISO 8601.

    Raises ValueError for a `before` that is neither.
    """
    end = None if before is None else _read_cursor(before)
    entries = {place.entry.entry_id: place.entry for place in shown}
    nodes = await asyncio.gather(
        *(
            _async_of_node(entry, [place for place in shown if place.entry is entry], wanted, end, limit)
            for entry in entries.values()
        )
    )
    found, missing, more = [], {}, False
    for entry, (past, full, error) in zip(entries.values(), nodes, strict=True):
        found += [(entry, each) for each in past]
        more = more or full
        if error is not None:
            missing[entry.runtime_data.announce.name] = error
    found.sort(key=lambda each: _order(each[1]), reverse=True)
    more = more or len(found) > limit
    found = found[:limit]
    pictures = await _async_pictures(hass, found)
    where = {(place.entry.entry_id, place.camera.id): place for place in shown}
    events = [
        event_json(
            hass, where[entry.entry_id, past.camera], past, sign, pictures.get((entry.entry_id, past.event.id), ())
        )
        for entry, past in found
    ]
    return Page(events=events, before=_cursor(found[-1][1]) if more and found else None, missing=missing)


@callback
def event_json(
    hass: HomeAssistant, place: Place, past: PastEvent, sign: Sign, pictures: Iterable[KeptPicture] = ()
) -> JsonObject:
    """An event as a card shows it."""
    event = past.event
    entry_id = place.entry.entry_id
    now = place.node.camera(place.camera.id).summary
    # what an AI Task of Home Assistant wrote, the node does not know
    summary = now if now is not None and now.event == event.id else past.summary
    named = sorted(pictures, key=lambda picture: picture.name != event.label)[:MAX_PICTURES]
    paths = [picture_path(entry_id, picture.id) for picture in named] or _of_today(hass, place, event)
    return {
        "id": event.id,
        "camera": place.entity_id,
        "name": place.name,
        "label": event.label,
        "loitering": event.loitering,
        "taken": event.taken,
        "interrupted": event.interrupted,
        "started": event.started.isoformat(timespec="milliseconds"),
        "ended": event.ended.isoformat(timespec="milliseconds") if event.ended else None,
        "zones": list(event.zones),
        "peak": event.peak,
        "mark": event.mark or place.node.mark_of(event.id) or None,
        **text_of(summary),
        "pictures": [sign(path) for path in paths],
    }


def _of_today(hass: HomeAssistant, place: Place, event: Event) -> list[str]:
    """The picture that came over MQTT, which is kept for a day; one that replaces it has another address."""
    picture = EventPicture(entry_id=place.entry.entry_id, camera=place.camera.id, event=event.id, name=event.label)
    time = hass.data[PICTURES].time(picture)
    return [] if time is None else [f"{picture.path}?at={time:.3f}"]


@callback
def text_of(summary: Summary | None) -> JsonObject:
    """What is written about an event, as a card shows it."""
    return {
        "title": summary.title if summary else None,
        "text": summary.text if summary else None,
        "importance": summary.importance if summary else None,
        "source": summary.source if summary else None,
    }


type _Asked = tuple[str | None, str | None, str | None]
"""Camera, label and zone of one request."""


async def _async_of_node(
    entry: BlikkConfigEntry, shown: list[Place], wanted: Filter, end: tuple[datetime, str] | None, limit: int
) -> tuple[list[PastEvent], bool, str | None]:
    """What a node reports of these cameras, whether there may be more of it, and why something is missing."""
    node, turn = entry.runtime_data, asyncio.Semaphore(_AT_ONCE)
    until = None if end is None else (end[0] + _TICK).isoformat()
    most = limit + _TIES

    async def ask(asked: _Asked) -> tuple[list[PastEvent], bool]:
        """What it reports, and whether there may be more."""
        camera, label, zone = asked
        only = None if label == RING else label  # rings come beside the events of whatever label
        async with turn:
            past = await async_period(node, camera=camera, label=only, zone=zone, until=until, limit=most)
        events = [] if label == RING else [*past.events]
        rings_too = label in (None, RING) and zone is None
        rings = [ring_as_event(ring.camera, ring) for ring in past.rings if ring.camera and rings_too]
        return events + rings, max(len(events), len(rings)) >= most

    answers = await asyncio.gather(*map(ask, _requests(node, shown, wanted)), return_exceptions=True)
    error, full = None, False
    found: dict[str, PastEvent] = {}
    cameras = {place.camera.id for place in shown}
    for answer in answers:
        if isinstance(answer, HomeAssistantError):
            error = answer.translation_key or "refused"
        elif isinstance(answer, BaseException):
            raise answer
        else:
            past_events, more = answer
            full = full or more
            found |= {past.event.id: past for past in past_events if past.camera in cameras}
    events = [past for past in found.values() if end is None or _order(past) < end]
    events.sort(key=_order, reverse=True)
    return events[: limit + 1], full, error


def _requests(node: BlikkNode, shown: list[Place], wanted: Filter) -> set[_Asked]:
    """What to ask a node for, so that each answer is exactly what is wanted; a node reads one value of each."""
    asked: set[_Asked] = set()
    everything = {place.camera.id for place in shown} == {camera.id for camera in node.announce.cameras}
    for place in shown:
        known = {*place.camera.labels, *([RING] if place.camera.ring and not wanted.zones else [])}
        labels: Iterable[str | None] = wanted.labels & known if wanted.labels else [None]
        zones: Iterable[str | None] = wanted.zones & set(place.camera.zones) if wanted.zones else [None]
        asked |= set(product([None if everything else place.camera.id], labels, zones))
    return asked


async def _async_pictures(
    hass: HomeAssistant, found: list[tuple[BlikkConfigEntry, PastEvent]]
) -> dict[tuple[str, str], tuple[KeptPicture, ...]]:
    """The pictures of these events, by entry and event: of each node that offers them, in one request."""
    events = [(entry, past) for entry, past in found if past.event.label != RING]  # of rings it has none
    entries = {entry.entry_id: entry for entry, _ in events if media_url(entry.runtime_data.announce, entry.data)}
    answers = await asyncio.gather(
        *(_async_kept(hass, entry, [past for each, past in events if each is entry]) for entry in entries.values())
    )
    return {key: pictures for answer in answers for key, pictures in answer}


async def _async_kept(
    hass: HomeAssistant, entry: BlikkConfigEntry, past: list[PastEvent]
) -> list[tuple[tuple[str, str], tuple[KeptPicture, ...]]]:
    times = [each.event.started for each in past]
    cameras, labels = {each.camera for each in past}, {each.event.label for each in past}
    try:
        media = NodeMedia(hass, entry.runtime_data.announce, entry.data)
        events = await media.async_events(
            cameras.pop() if len(cameras) == 1 else None,
            label=labels.pop() if len(labels) == 1 else None,
            since=min(times) - _TICK,  # the node keeps them finer than it reports them
            until=max(times) + _TICK,
            limit=MAX_BETWEEN,
        )
    except MediaError as error:  # the events are shown without pictures
        if isinstance(error, MediaTokenError):
            entry.async_start_reauth(hass)
        return []
    return [((entry.entry_id, event.id), event.pictures) for event in events]


def _order(past: PastEvent) -> tuple[datetime, str]:
    return past.event.started, past.event.id


def _cursor(past: PastEvent) -> str:
    return f"{past.event.started.isoformat(timespec='milliseconds')} {past.event.id}"


def _read_cursor(text: str) -> tuple[datetime, str]:
    words, _, event = text.partition(" ")
    time = dt_util.parse_datetime(words)
    if time is None:
        raise ValueError(text)
    return dt_util.as_utc(time), event
