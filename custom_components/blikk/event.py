"""Event entities: the doorbell, what was detected, what is wrong. Silent while their camera is snoozed."""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

from homeassistant.components.event import DoorbellEventType, EventDeviceClass, EventEntity
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.dispatcher import async_dispatcher_send
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.util.signal_type import SignalType

from .contract import Camera, Event
from .entity import BlikkEntity, InLanguage, follow_announce
from .node import BlikkConfigEntry, BlikkNode
from .state import Changed

PARALLEL_UPDATES = 0

LOITERING = "loitering"
PACKAGE_TAKEN = "package_taken"
SIGNAL_IN_ZONES: SignalType[InZones] = SignalType("blikk_in_zones")
_NOT_ATTRIBUTES = frozenset({"v", "event_type", "objects", "entity_id", "friendly_name", "icon", "device_class"})
_MAX_ATTRIBUTES = 32
_MAX_EVENTS = 16
"""Of one camera, that go on at a time."""


@dataclass(frozen=True, slots=True)
class InZones:
    """At a detection one of a label is newly in these zones, or with `what` being LOITERING one stays there.

    With PACKAGE_TAKEN a parcel was taken from one of them.
    """

    entity_id: str
    what: str
    zones: frozenset[str]


async def async_setup_entry(
    hass: HomeAssistant, entry: BlikkConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Set up the event entities."""
    follow_announce(entry, Platform.EVENT, async_add_entities, _build)


def _build(node: BlikkNode) -> Iterator[BlikkEntity]:
    for camera in node.announce.cameras:
        if camera.ring:
            yield Doorbell(node, camera)
        yield Detection(node, camera)
        if camera.alerts:
            yield Alarm(node, camera)


class Doorbell(InLanguage, BlikkEntity, EventEntity):
    """Somebody rang."""

    updates_on = (Changed.RING,)
    _attr_translation_key = "doorbell"
    _attr_device_class = EventDeviceClass.DOORBELL
    _attr_event_types = [DoorbellEventType.RING]  # noqa: RUF012 - Home Assistant's own attribute

    def __init__(self, node: BlikkNode, camera: Camera) -> None:
        super().__init__(Platform.EVENT, node, camera, "doorbell", "doorbell")

    @callback
    def changed(self) -> None:
        """Ring, unless it rang long ago or is not to be reported."""
        ring = self.now.ring
        if ring is None or not self.node.is_fresh(ring) or self.node.snoozed_until(str(self.camera)):
            return
        attributes = {
            "id": ring.id,
            "camera": self.camera,
            "time": ring.time.isoformat(),
            "via": ring.via,
            "replayed": ring.replayed,
        }
        self._trigger_event(DoorbellEventType.RING, attributes)
        self.async_write_ha_state()


class OfAnnounce(BlikkEntity, EventEntity):
    """An event entity whose types change with the announce."""

    async def async_added_to_hass(self) -> None:
        """Begin to hear; what can happen changes with the announce."""
        await super().async_added_to_hass()
        self.async_on_remove(self.node.listen(self.camera, Changed.ANNOUNCE, self._announced))

    @callback
    def _announced(self) -> None:
        if self.announced:
            self._attr_event_types = self.types_of(self.announced)
            self.async_write_ha_state()

    @staticmethod
    @abstractmethod
    def types_of(camera: Camera) -> list[str]:
        """What can happen at a camera."""


class Detection(InLanguage, OfAnnounce):
    """Somebody or something appeared, or loiters; a parcel was taken."""

    updates_on = (Changed.EVENT,)
    _attr_translation_key = "detection"

    def __init__(self, node: BlikkNode, camera: Camera) -> None:
        super().__init__(Platform.EVENT, node, camera, "detected", "detection")
        self._attr_event_types = self.types_of(camera)
        self._zones: dict[str, tuple[int, frozenset[str]]] = {}  # by event: its revision, and where it was up to then

    @staticmethod
    def types_of(camera: Camera) -> list[str]:
        """What can be detected."""
        return [*camera.labels, LOITERING, *([PACKAGE_TAKEN] if "package" in camera.labels else [])]

    @callback
    def changed(self) -> None:
        """Trigger on what began, unless it began long ago, is not to be reported or is new to this component."""
        event = self.now.event
        if event is None or event.event_type not in self.event_types:
            return
        if event.phase == "ended" and event.event_type != PACKAGE_TAKEN:
            return
        if not self.node.is_fresh(event) or self.node.snoozed_until(str(self.camera)):
            return
        if event.is_news:
            self._trigger(event)
        if event.event_type != PACKAGE_TAKEN:
            self._send_zones(event)
        elif event.zones:
            taken = InZones(self.entity_id, PACKAGE_TAKEN, frozenset(event.zones))
            async_dispatcher_send(self.hass, SIGNAL_IN_ZONES, taken)

    @callback
    def _trigger(self, event: Event) -> None:
        content = [(key, value) for key, value in event.content.items() if key not in _NOT_ATTRIBUTES]
        self._trigger_event(event.event_type, dict(content[:_MAX_ATTRIBUTES]))
        self.async_write_ha_state()

    @callback
    def _send_zones(self, event: Event) -> None:
        """Send which zones it is newly in; the state stays, that is only of what was triggered.

        Where a revision was missed it may have been there for long: then only of an event that began lately.
        """
        revision, known = self._zones.pop(event.id, (0, frozenset()))
        self._zones[event.id] = (event.revision, known | frozenset(event.zones))
        while len(self._zones) > _MAX_EVENTS:
            del self._zones[next(iter(self._zones))]
        missed = event.revision > revision + 1
        news = {}
        if not missed or self.node.is_recent(event.started):
            news[event.label] = frozenset(event.zones) - known
        if event.event_type == LOITERING:
            news[LOITERING] = frozenset(event.zones)
        for what, zones in news.items():
            if zones:
                async_dispatcher_send(self.hass, SIGNAL_IN_ZONES, InZones(self.entity_id, what, zones))


class Alarm(OfAnnounce):
    """Something is wrong with what is measured."""

    updates_on = (Changed.ALERT,)
    _attr_translation_key = "alert"

    def __init__(self, node: BlikkNode, camera: Camera) -> None:
        super().__init__(Platform.EVENT, node, camera, "alert", "alert")
        self._attr_event_types = self.types_of(camera)

    @staticmethod
    def types_of(camera: Camera) -> list[str]:
        """What can be wrong."""
        return camera.alerts

    @callback
    def changed(self) -> None:
        """Trigger it, unless it began long ago, is not to be reported or is new to this component."""
        alert = self.now.alert
        if alert is None or alert.event_type not in self.event_types:
            return
        if not self.node.is_fresh(alert) or self.node.snoozed_until(str(self.camera)):
            return
        attributes = {
            "measure": alert.measure,
            "alert": alert.alert,
            "value": alert.value,
            "unit": alert.unit,
            "id": alert.id,
            "camera": self.camera,
            "time": alert.time.isoformat(),
            **({} if alert.item is None else {"item": alert.item}),
        }
        self._trigger_event(alert.event_type, attributes)
        self.async_write_ha_state()
