"""What is new at the cameras, sent to one subscriber while nodes come and go."""

from collections.abc import Callable
from functools import partial
from typing import Any

from homeassistant.auth.models import User
from homeassistant.config_entries import SIGNAL_CONFIG_ENTRY_CHANGED, ConfigEntry, ConfigEntryChange
from homeassistant.const import Platform
from homeassistant.core import CALLBACK_TYPE, Event, HomeAssistant, callback, split_entity_id
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.dispatcher import async_dispatcher_connect

from .const import DOMAIN
from .contract import JsonObject
from .past import RING, PastEvent, ring_as_event
from .state import Changed, Picture
from .timeline import Filter, Place, Sign, event_json, places, text_of


class Feed:
    """Sends `{"cameras": [...]}` first and when one comes, goes or changes; `{"event": {...}}` for each revision of an
    event, `{"text": {...}}` for what is written about one or said of it; `{"still": entity_id}` for each new picture of
    a camera; `{"forgotten": true}` when something of the past is no more.
    """

    def __init__(
        self, hass: HomeAssistant, user: User, wanted: Filter, sign: Sign, send: Callable[[dict[str, Any]], None]
    ) -> None:
        self._hass = hass
        self._user = user
        self._wanted = wanted
        self._sign = sign
        self._send = send
        self._undo: list[CALLBACK_TYPE] = []
        self._cameras: list[JsonObject] | None = None
        self._pictures: dict[tuple[str, str], Picture | None] = {}

    @callback
    def start(self) -> CALLBACK_TYPE:
        """Begin; returns how to stop."""
        self._follow()
        undo = (
            async_dispatcher_connect(self._hass, SIGNAL_CONFIG_ENTRY_CHANGED, self._entry_changed),
            self._hass.bus.async_listen(er.EVENT_ENTITY_REGISTRY_UPDATED, self._entity_changed, is_of_camera),
        )

        @callback
        def stop() -> None:
            for each in undo:
                each()
            self._unlisten()

        return stop

    @callback
    def _entry_changed(self, _change: ConfigEntryChange, entry: ConfigEntry) -> None:
        if entry.domain == DOMAIN:
            self._follow()

    @callback
    def _entity_changed(self, _event: Event[er.EventEntityRegistryUpdatedData]) -> None:
        self._follow()

    @callback
    def _follow(self) -> None:
        """Listen to the cameras as they are now: nodes were loaded, unloaded or announced anew."""
        self._unlisten()
        shown = places(self._hass, self._user, self._wanted)
        for node in {place.entry.entry_id: place.node for place in shown}.values():
            self._undo.append(node.listen(None, Changed.ANNOUNCE, self._follow))
            self._undo.append(node.listen(None, Changed.STATUS, self._send_cameras))
        for place in shown:
            pictures = place.node.camera(place.camera.id).pictures
            self._pictures |= {(place.entity_id, name): picture for name, picture in pictures.items()}
            for what, call in (
                (Changed.STATUS, self._send_cameras),
                (Changed.EVENT, partial(self._send_event, place)),
                (Changed.RING, partial(self._send_ring, place)),
                (Changed.MARK, partial(self._send_mark, place)),
                (Changed.SUMMARY, partial(self._send_text, place)),
                (Changed.PICTURE, partial(self._send_picture, place)),
                (Changed.FORGOTTEN, partial(self._send, {"forgotten": True})),
            ):
                self._undo.append(place.node.listen(place.camera.id, what, call))
        self._send_cameras()

    @callback
    def _unlisten(self) -> None:
        for undo in self._undo:
            undo()
        self._undo.clear()

    @callback
    def _send_cameras(self) -> None:
        cameras = [place.as_json() for place in places(self._hass, self._user, self._wanted)]
        if cameras != self._cameras:
            self._cameras = cameras
            self._send({"cameras": cameras})

    @callback
    def _send_event(self, place: Place) -> None:
        if (event := place.node.camera(place.camera.id).event) is not None:
            self._send_past(place, PastEvent(camera=place.camera.id, event=event))

    @callback
    def _send_ring(self, place: Place) -> None:
        if (ring := place.node.camera(place.camera.id).ring) is not None:
            self._send_past(place, ring_as_event(place.camera.id, ring))

    @callback
    def _send_past(self, place: Place, past: PastEvent) -> None:
        if self._wanted.matches(past):
            self._send({"event": event_json(self._hass, place, past, self._sign)})

    @callback
    def _send_text(self, place: Place) -> None:
        summary = place.node.camera(place.camera.id).summary
        if summary is not None and summary.event is not None:
            self._send({"text": {"id": summary.event, **text_of(summary)}})

    @callback
    def _send_mark(self, place: Place) -> None:
        if (marked := place.node.camera(place.camera.id).marked) is not None:
            self._send({"text": {"id": marked[0], "mark": marked[1] or None}})

    @callback
    def _send_picture(self, place: Place) -> None:
        """A picture came: the camera shows it, and so does its event or ring, if it is the last one."""
        self._send({"still": place.entity_id})
        now = place.node.camera(place.camera.id)
        if now.event and self._is_new(place, now.event.label, now.event.id):
            self._send_event(place)
        if now.ring and self._is_new(place, RING, now.ring.id):
            self._send_ring(place)

    def _is_new(self, place: Place, name: str, event: str) -> bool:
        """Whether a picture of that name has come since this was asked, and is of that event or ring."""
        picture = place.node.camera(place.camera.id).pictures.get(name)
        before = self._pictures.get((place.entity_id, name))
        self._pictures[place.entity_id, name] = picture
        return picture is not None and picture is not before and picture.event == event


@callback
def is_of_camera(change: er.EventEntityRegistryUpdatedData) -> bool:
    """Whether a change of the entity registry is one of a camera."""
    return split_entity_id(change["entity_id"])[0] == Platform.CAMERA
