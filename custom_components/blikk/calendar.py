"""Calendars: the timeline of a camera's events, read from its node."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from homeassistant.components.calendar import CalendarEntity, CalendarEvent
from homeassistant.components.http.auth import async_sign_path
from homeassistant.const import MATCH_ALL, Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.util import dt as dt_util

from .contract import Camera, Event, Summary
from .entity import BlikkEntity, follow_announce
from .node import BlikkConfigEntry, BlikkNode
from .past import async_past
from .pictures import EventPicture
from .state import Changed

PARALLEL_UPDATES = 0

MAX_EVENTS = 500
SIGNED_FOR = timedelta(hours=24)
_STEP_S = 900
"""What goes on is shown to the next full quarter of an hour: each other end is a new state."""


async def async_setup_entry(
    hass: HomeAssistant, entry: BlikkConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Set up the calendars."""
    follow_announce(entry, Platform.CALENDAR, async_add_entities, _build)


def _build(node: BlikkNode) -> Iterator[BlikkEntity]:
    if "ask" in node.announce.capabilities:
        for camera in node.announce.cameras:
            yield Timeline(node, camera)


class Timeline(BlikkEntity, CalendarEntity):
    """The events of a camera; on while one goes on."""

    updates_on = (Changed.EVENT, Changed.SUMMARY, Changed.MARK, Changed.PICTURE, Changed.FORGOTTEN)
    _unrecorded_attributes = frozenset({MATCH_ALL})
    _attr_translation_key = "timeline"
    _attr_entity_registry_enabled_default = False

    def __init__(self, node: BlikkNode, camera: Camera) -> None:
        super().__init__(Platform.CALENDAR, node, camera, "timeline", "timeline")
        self._picture: EventPicture | None = None

    @property
    def event(self) -> CalendarEvent | None:
        """What goes on, or was last."""
        event, summary = self.now.event, self.now.summary
        if event is None:
            return None
        return _entry(event, summary if summary and summary.event == event.id else None, self.node.mark_of(event.id))

    @callback
    def take(self) -> None:
        """Take over the picture of what goes on or was last, signed for a day: who looks at it brings no login."""
        event, before = self.now.event, self._picture
        self._picture = self.node.picture_of(str(self.camera), event.id, event.label) if event else None
        if self._picture != before:
            path = self._picture.path if self._picture else None
            self._attr_entity_picture = async_sign_path(self.hass, path, SIGNED_FOR) if path else None

    async def async_get_events(
        self, hass: HomeAssistant, start_date: datetime, end_date: datetime
    ) -> list[CalendarEvent]:
        """The events of a period as the node kept them. Raises HomeAssistantError when it does not answer."""
        events = await async_past(
            self.node,
            camera=self.camera,
            since=dt_util.as_utc(start_date).isoformat(),
            until=dt_util.as_utc(end_date).isoformat(),
            limit=MAX_EVENTS,
        )
        return [_entry(past.event, past.summary, past.event.mark) for past in events]


def _next_step() -> datetime:
    return dt_util.utc_from_timestamp((dt_util.utcnow().timestamp() // _STEP_S + 1) * _STEP_S)


def _entry(event: Event, summary: Summary | None, mark: str) -> CalendarEvent:
    end = event.ended or (event.time if event.phase == "ended" else _next_step())
    return CalendarEvent(
        start=event.started,
        end=max(end, event.started),
        summary=" · ".join(filter(None, (summary.title if summary else event.label.capitalize(), mark))),
        description=summary.text if summary else None,
        location=", ".join(event.zones) or None,
        uid=event.id,
    )
