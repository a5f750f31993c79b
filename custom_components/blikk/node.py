"""One node at run time: keeps what it said last, calls the entities whose part changed, asks and sets for them."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial
from uuid import uuid4

from homeassistant.components import mqtt
from homeassistant.components.mqtt import ReceiveMessage
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.event import async_track_point_in_utc_time
from homeassistant.helpers.json import json_dumps
from homeassistant.util import dt as dt_util

from . import reader
from .const import (
    CONF_ANNOUNCE,
    CONF_NODE,
    CONF_PREFIX,
    CONF_REPLAY_LIMIT_S,
    DEFAULT_REPLAY_LIMIT_S,
    DOMAIN,
    SECTION_EVENTS,
)
from .contract import Alert, Announce, Event, Health, Json, Reply, Ring, Summary
from .live import Live
from .memory import Memory
from .names import Topics
from .pictures import PICTURES, EventPicture
from .state import CameraNow, Changed, Picture

REQUEST_LIMITS_S = {
    "ask": 60.0,
    "check": 15.0,
    "describe": 120.0,
    "digest": 120.0,
    "events": 15.0,
    "forget": 30.0,
    "mark": 15.0,
    "search": 50.0,
}
_REMEMBERED = 256


class RefusedError(HomeAssistantError):
    """The node refuses a request; `reply` says why."""

    def __init__(self, node: str, reply: Reply) -> None:
        super().__init__(
            translation_domain=DOMAIN,
            translation_key="refused",
            translation_placeholders={"node": node, "error": reply.error or "?"},
        )
        self.reply = reply


type BlikkConfigEntry = ConfigEntry[BlikkNode]


class BlikkNode:
    """The run-time data of a config entry."""

    def __init__(self, hass: HomeAssistant, entry: BlikkConfigEntry, memory: Memory, device_id: str) -> None:
        self.hass = hass
        self.entry = entry
        self.memory = memory
        self.device_id = device_id
        self.announce: Announce = reader.announce_of(entry.data[CONF_ANNOUNCE])
        self.topics = Topics(entry.data[CONF_PREFIX], entry.data[CONF_NODE])
        self.live = Live(hass, entry)
        self.connected = False
        self.online: bool | None = None
        self.health: Health | None = None
        self.digest: Summary | None = None
        self.wanted: dict[str, set[str]] = {}
        self._snoozed: dict[str, datetime] = memory.snoozed
        self._cameras: dict[str, CameraNow] = {}
        self._listeners: dict[tuple[str | None, Changed], list[Callable[[], None]]] = {}
        self._undo: list[CALLBACK_TYPE] = []
        self._alarms: dict[str, CALLBACK_TYPE] = {}
        self._requests: dict[str, asyncio.Future[Reply]] = {}
        self._seen: OrderedDict[tuple[str, str, int], None] = OrderedDict()

    @property
    def id(self) -> str:
        """The node's id, part of every topic."""
        return self.topics.node

    def camera(self, camera: str) -> CameraNow:
        """What a camera of the announce sent last."""
        return self._cameras.setdefault(camera, CameraNow())

    # ---- start and stop

    async def async_start(self, subscriptions: Iterable[tuple[str, Callable[[ReceiveMessage], None]]]) -> None:
        """Subscribe to what `subscriptions` names; raises HomeAssistantError when MQTT is not set up."""
        self.connected = mqtt.is_connected(self.hass)
        self._undo.append(mqtt.async_subscribe_connection_status(self.hass, self._connection_changed))
        for topic, received in subscriptions:
            self._undo.append(await mqtt.async_subscribe(self.hass, topic, received, 1, None))
        for camera in list(self._snoozed):
            self._set_alarm(camera)

    @callback
    def stop(self) -> None:
        """Give back subscriptions and alarms; whoever waits for an answer gets an error."""
        for undo in (*self._undo, *self._alarms.values()):
            undo()
        self._undo.clear()
        self._alarms.clear()
        self.live.stop()
        for request in (request for request in self._requests.values() if not request.done()):
            request.set_exception(self.error("node_offline"))
        self._requests.clear()

    @callback
    def listen(self, camera: str | None, changed: Changed, call: Callable[[], None]) -> CALLBACK_TYPE:
        """Call back when a camera, or with None the node, sent something; returns how to stop it."""
        listeners = self._listeners.setdefault((camera, changed), [])
        listeners.append(call)
        return partial(listeners.remove, call)

    @callback
    def update_listeners(self, camera: str | None, changed: Changed) -> None:
        """Call who listens."""
        for call in list(self._listeners.get((camera, changed), ())):
            call()

    @callback
    def update_all_listeners(self, changed: Changed) -> None:
        """Call who listens to the node or to any camera."""
        for camera in (None, *(camera.id for camera in self.announce.cameras)):
            self.update_listeners(camera, changed)

    @callback
    def introduce(self, announce: Announce) -> None:
        """The node announces itself anew: keep it for the next start, and let devices and entities follow."""
        self.announce = announce
        for camera in self._cameras.keys() - {camera.id for camera in announce.cameras}:
            del self._cameras[camera]
        data = {**self.entry.data, CONF_ANNOUNCE: announce.content}
        self.hass.config_entries.async_update_entry(self.entry, data=data, title=announce.name)
        self.update_all_listeners(Changed.ANNOUNCE)

    @callback
    def _connection_changed(self, connected: bool) -> None:
        self.connected = connected
        if not connected:
            self.online = None  # until it is received again: Home Assistant subscribes a while after it is connected
        self.update_all_listeners(Changed.STATUS)

    # ---- records

    def is_fresh(self, record: Event | Ring | Alert) -> bool:
        """Whether a record is worth a notification; one that waited through a long outage is not."""
        return not record.replayed or self.is_recent(record.time)

    def is_recent(self, time: datetime) -> bool:
        """Whether that was less than the limit for late events ago."""
        return (dt_util.utcnow() - time).total_seconds() < self.replay_limit_s

    @property
    def replay_limit_s(self) -> float:
        """How old a record may be that waited."""
        options = self.entry.options.get(SECTION_EVENTS, {})
        return float(options.get(CONF_REPLAY_LIMIT_S, DEFAULT_REPLAY_LIMIT_S))

    @callback
    def take_ring(self, camera: str, ring: Ring) -> None:
        """A doorbell rang; each ring counts once."""
        if not self.is_repeated(camera, ring.id, 0):
            self.memory.keep_rang(camera, ring.time)
            self.camera(camera).ring = ring
            self.update_listeners(camera, Changed.RING)

    @callback
    def is_repeated(self, camera: str, record: str, revision: int) -> bool:
        """Whether a record came before; records come at least once."""
        key = (camera, record, revision)
        if key in self._seen:
            return True
        self._seen[key] = None
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        return False

    @callback
    def set_summary(self, camera: str, summary: Summary | None) -> None:
        """Replace a camera's summary: an early one never follows the final one, nor the node's that of an AI Task."""
        now = self.camera(camera)
        if summary is not None and now.summary is not None and summary.event == now.summary.event is not None:
            overtaken = (summary.revision or 0) < (now.summary.revision or 0)
            if overtaken or (now.summary.source == "ai_task" and summary.source != "ai_task"):
                return
        now.summary = summary
        self.update_listeners(camera, Changed.SUMMARY)

    # ---- pictures of events

    def event_picture(self, camera: str, name: str) -> EventPicture | None:
        """Which event's picture is the last one of that name; None where it says of none."""
        picture = self.camera(camera).pictures.get(name)
        if picture is None or picture.event is None:
            return None
        return EventPicture(entry_id=self.entry.entry_id, camera=camera, event=picture.event, name=name)

    def picture_of(self, camera: str, event: str, name: str) -> EventPicture | None:
        """The picture of an event that is kept for a day; None where there is none, or no more."""
        picture = EventPicture(entry_id=self.entry.entry_id, camera=camera, event=event, name=name)
        return picture if picture in self.hass.data[PICTURES] else None

    @callback
    def set_picture(self, camera: str, name: str, picture: Picture | None) -> None:
        """Replace a camera's last picture of a name. None: what it showed was forgotten, so all of that name go."""
        now, kept = self.camera(camera), self.hass.data[PICTURES]
        if picture is None:
            gone = now.pictures.pop(name, None)
            now.still = None if now.still is gone else now.still
            kept.forget(self.entry.entry_id, camera, name)
            self.update_listeners(camera, Changed.FORGOTTEN)
        else:
            now.pictures[name] = picture
            if not picture.kept or name == "snapshot" or now.still is None:
                now.still = picture
            shows = self.event_picture(camera, name)
            if shows is not None and not (picture.kept and shows in kept):
                kept.keep(shows, picture.content)
        self.update_listeners(camera, Changed.PICTURE)

    @callback
    def forget_pictures(self, camera: str | None) -> None:
        """Some of the past was forgotten: of a camera, or of all, no pictures stay but the last ones.

        Which events they belong to is not known here; what the last ones show the node takes back by itself.
        """
        last = [(each.id, name) for each in self.announce.cameras for name in self.camera(each.id).pictures]
        shown = frozenset(shows for each, name in last if (shows := self.event_picture(each, name)))
        self.hass.data[PICTURES].forget(self.entry.entry_id, camera, but=shown)
        for each in [camera] if camera else [each.id for each in self.announce.cameras]:
            self.update_listeners(each, Changed.FORGOTTEN)

    # ---- marks

    async def async_mark(self, event: str, mark: str) -> Reply:
        """Keep a mark with an event, with the visit in which a ring was, or with a ring of which none was seen.

        The reply has it as its node has it now. An empty mark takes it away. Raises HomeAssistantError.
        """
        if "mark" not in self.announce.capabilities:
            raise self.error("cannot_mark")
        reply = await self.async_request("mark", event=event, mark=mark)
        events = [(str(content.get("id")), str(content.get("camera"))) for content in reply.events]
        rings = [(ring.id, ring.camera or "") for ring in reader.rings_of(reply.content)]
        for marked, camera in events + rings:
            marks = self.memory.marks
            marks.pop(marked, None)
            self.memory.keep_marks({**marks, marked: mark} if mark else marks)
            if self.announce.camera(camera) is not None:
                self.camera(camera).marked = (marked, mark)
                self.update_listeners(camera, Changed.MARK)
        return reply

    def mark_of(self, event: str | None) -> str:
        """What the household said of an event, as far as it was said here lately; empty where nothing was."""
        return self.memory.marks.get(event or "", "")

    @callback
    def forget_marks(self, event: str | None) -> None:
        """Events were forgotten: this one, or some of which it is not known here which."""
        self.memory.keep_marks({known: mark for known, mark in self.memory.marks.items() if event and known != event})
        for camera in self.announce.cameras:
            self.camera(camera.id).marked = None
            self.update_listeners(camera.id, Changed.MARK)

    # ---- asking and setting

    async def async_set(self, camera: str, setting: str, value: str) -> None:
        """Send a command; its answer is the camera's next state. Raises HomeAssistantError."""
        self._refuse_when_away()
        await mqtt.async_publish(self.hass, self.topics.set(camera, setting), value, 1, False)

    async def async_request(self, do: str, **fields: Json) -> Reply:
        """Ask the node and wait for its reply; HomeAssistantError where none comes, RefusedError where it refuses."""
        if "ask" not in self.announce.capabilities:
            raise self.error("cannot_answer")
        self._refuse_when_away()
        request = uuid4().hex
        content = {key: value for key, value in fields.items() if value is not None}
        content |= {"do": do, "correlation": request, "response_topic": self.topics.reply(request)}
        reply: asyncio.Future[Reply] = self.hass.loop.create_future()
        self._requests[request] = reply
        try:
            async with asyncio.timeout(REQUEST_LIMITS_S[do]):
                await mqtt.async_publish(self.hass, self.topics.of("ask"), json_dumps(content), 1, False)
                answer = await reply
        except TimeoutError:
            raise self.error("no_reply") from None
        finally:
            self._requests.pop(request, None)
        if not answer.ok:
            raise RefusedError(self.announce.name, answer)
        return answer

    @callback
    def answered(self, reply: Reply) -> None:
        """A reply came; one that nobody waits for any more is dropped."""
        waiting = self._requests.get(reply.correlation or "")
        if waiting and not waiting.done():
            waiting.set_result(reply)

    def error(self, key: str, **placeholders: str) -> HomeAssistantError:
        """A translated error that names the node."""
        return HomeAssistantError(
            translation_domain=DOMAIN,
            translation_key=key,
            translation_placeholders={"node": self.announce.name, **placeholders},
        )

    def _refuse_when_away(self) -> None:
        if not (self.connected and self.online):
            raise self.error("node_offline")

    # ---- snooze

    def snoozed_until(self, camera: str) -> datetime | None:
        """Until when a camera's events are silent, or None."""
        until = self._snoozed.get(camera)
        return until if until is not None and until > dt_util.utcnow() else None

    @callback
    def snooze(self, camera: str, until: datetime | None) -> None:
        """Keep a camera's events silent until then; None wakes it."""
        if until is None:
            self._snoozed.pop(camera, None)
        else:
            self._snoozed[camera] = until
        self._set_alarm(camera)
        self.memory.keep_snoozed(self._snoozed)
        self.update_listeners(camera, Changed.SNOOZE)

    @callback
    def _set_alarm(self, camera: str) -> None:
        if alarm := self._alarms.pop(camera, None):
            alarm()
        if until := self._snoozed.get(camera):
            self._alarms[camera] = async_track_point_in_utc_time(self.hass, partial(self._wake, camera), until)

    @callback
    def _wake(self, camera: str, _now: datetime) -> None:
        self._alarms.pop(camera, None)
        self.snooze(camera, None)
