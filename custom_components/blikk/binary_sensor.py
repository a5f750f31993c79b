"""Binary sensors: motion, who is there, yes-or-no questions, snooze, and whether stream and node are well."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from homeassistant.components.binary_sensor import BinarySensorEntity, BinarySensorEntityDescription
from homeassistant.components.binary_sensor.const import BinarySensorDeviceClass
from homeassistant.const import MATCH_ALL, EntityCategory, Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .contract import Camera, Concept, Question
from .entity import BlikkEntity, InLanguage, answer_attributes, follow_announce
from .labels import label_words
from .names import capital, in_zone_key, short, slug, zone_keys
from .node import BlikkConfigEntry, BlikkNode
from .state import CameraNow, Changed

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class CameraBinary(BinarySensorEntityDescription):
    """A fact of a camera that is on or off."""

    is_on: Callable[[CameraNow], bool | None]


def _sees(label: str) -> Callable[[CameraNow], bool | None]:
    return lambda now: now.state.counts.get(label, 0) > 0 if now.state else None


def _sees_in(label: str, zone: str) -> Callable[[CameraNow], bool | None]:
    return lambda now: now.state.zone_counts.get(zone, {}).get(label, 0) > 0 if now.state else None


MOTION = CameraBinary(
    key="motion",
    device_class=BinarySensorDeviceClass.MOTION,
    is_on=lambda now: now.state.motion if now.state else None,
)


async def async_setup_entry(
    hass: HomeAssistant, entry: BlikkConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Set up the binary sensors."""
    follow_announce(entry, Platform.BINARY_SENSOR, async_add_entities, _build)


def _build(node: BlikkNode) -> Iterator[BlikkEntity]:
    yield ConnectionSensor(node)
    yield ProblemSensor(node)
    for camera in node.announce.cameras:
        yield CameraBinarySensor(node, camera, MOTION, "motion")
        for label in camera.labels:
            key, placeholders = label_words(label)
            description = CameraBinary(
                key=slug(label),
                translation_key=key,
                device_class=BinarySensorDeviceClass.OCCUPANCY,
                is_on=_sees(label),
            )
            yield _sensor_of(label)(node, camera, description, slug(label), placeholders)
        if "zone_counts" in node.announce.capabilities:
            yield from _in_zones(node, camera)
        for question in camera.questions:
            if question.kind == "yes_no":
                yield QuestionSensor(node, camera, question)
        for concept in camera.concepts:
            yield ConceptSensor(node, camera, concept)
        yield SnoozedSensor(node, camera)
        yield StreamSensor(node, camera)


def _in_zones(node: BlikkNode, camera: Camera) -> Iterator[BlikkEntity]:
    for zone, zone_key in zone_keys(camera.zones).items():
        name = short(zone)
        for label in camera.labels:
            key, placeholders = label_words(label, "zone_{}")
            description = CameraBinary(
                key=in_zone_key(label, zone_key),
                translation_key=key,
                device_class=BinarySensorDeviceClass.OCCUPANCY,
                entity_registry_enabled_default=label == "person",
                is_on=_sees_in(label, zone),
            )
            words = {"zone": capital(name), **(placeholders or {})}
            yield _sensor_of(label)(node, camera, description, slug(f"{name} {label}"), words)


class CameraBinarySensor(BlikkEntity, BinarySensorEntity):
    """A fact from a camera's state."""

    entity_description: CameraBinary
    updates_on = (Changed.STATE,)
    needs_stream = True

    def __init__(
        self,
        node: BlikkNode,
        camera: Camera,
        description: CameraBinary,
        object_id: str,
        placeholders: dict[str, str] | None = None,
    ) -> None:
        super().__init__(Platform.BINARY_SENSOR, node, camera, description.key, object_id)
        self.entity_description = description
        if placeholders:
            self._attr_translation_placeholders = placeholders

    @callback
    def take(self) -> None:
        """Take over the state."""
        self._attr_is_on = self.entity_description.is_on(self.now)


class ParcelSensor(InLanguage, CameraBinarySensor):
    """Whether a parcel is there."""


def _sensor_of(label: str) -> type[CameraBinarySensor]:
    return ParcelSensor if label == "package" else CameraBinarySensor


class QuestionSensor(BlikkEntity, BinarySensorEntity):
    """The answer to a watched question: on for yes, off for no, unknown for anything else."""

    updates_on = (Changed.ANSWER,)
    needs_stream = True
    _attr_translation_key = "question"
    _unrecorded_attributes = frozenset({MATCH_ALL})

    def __init__(self, node: BlikkNode, camera: Camera, question: Question) -> None:
        name = short(question.question)
        super().__init__(Platform.BINARY_SENSOR, node, camera, f"question_{question.id}", slug(name))
        self._attr_translation_placeholders = {"question": name}
        self._question = question.id

    @callback
    def take(self) -> None:
        """Take over the answer and what it rests on."""
        answer = self.now.answers.get(self._question)
        self._attr_is_on = {"yes": True, "no": False}.get(answer.answer) if answer else None
        self._attr_extra_state_attributes = answer_attributes(answer)


class ConceptSensor(BlikkEntity, BinarySensorEntity):
    """Whether something is there that fits words which a camera watches for."""

    updates_on = (Changed.STATE,)
    needs_stream = True
    _attr_translation_key = "concept"
    _attr_device_class = BinarySensorDeviceClass.OCCUPANCY
    _unrecorded_attributes = frozenset({MATCH_ALL})

    def __init__(self, node: BlikkNode, camera: Camera, concept: Concept) -> None:
        super().__init__(Platform.BINARY_SENSOR, node, camera, f"concept_{concept.id}", slug(concept.id))
        self._attr_translation_placeholders = {"concept": capital(concept.id.replace("_", " ").strip() or concept.id)}
        self._attr_extra_state_attributes = {"text": concept.text}
        self._concept = concept.id

    @callback
    def take(self) -> None:
        """Take over whether it is there; a node that has not looked yet says nothing of it."""
        self._attr_is_on = self.now.state.concepts.get(self._concept, False) if self.now.state else None


class SnoozedSensor(BlikkEntity, BinarySensorEntity):
    """Whether the events of a camera are silent, and until when."""

    updates_on = (Changed.SNOOZE,)
    _unrecorded_attributes = frozenset({MATCH_ALL})
    _attr_translation_key = "snoozed"
    _attr_entity_category = EntityCategory.DIAGNOSTIC

    def __init__(self, node: BlikkNode, camera: Camera) -> None:
        super().__init__(Platform.BINARY_SENSOR, node, camera, "snoozed", "snoozed")

    @property
    def available(self) -> bool:
        """Always: this component itself keeps it."""
        return True

    @callback
    def take(self) -> None:
        """Take over until when."""
        assert self.camera is not None
        until = self.node.snoozed_until(self.camera)
        self._attr_is_on = until is not None
        self._attr_extra_state_attributes = {"until": until}


class StreamSensor(BlikkEntity, BinarySensorEntity):
    """Whether the camera's stream gives frames; it says so while the camera is away."""

    updates_on = (Changed.STATE,)
    _attr_translation_key = "stream"
    _attr_device_class = BinarySensorDeviceClass.CONNECTIVITY
    _attr_entity_category = EntityCategory.DIAGNOSTIC

    def __init__(self, node: BlikkNode, camera: Camera) -> None:
        super().__init__(Platform.BINARY_SENSOR, node, camera, "stream", "stream")

    @property
    def is_on(self) -> bool | None:
        """What the stream's own status says."""
        return self.now.online

    @callback
    def take(self) -> None:
        """Take over what is wrong."""
        self._attr_extra_state_attributes = {"problem": self.now.state.problem if self.now.state else None}


class ConnectionSensor(BlikkEntity, BinarySensorEntity):
    """Whether the node is connected; it says so while the node is away."""

    _attr_translation_key = "connection"
    _attr_device_class = BinarySensorDeviceClass.CONNECTIVITY
    _attr_entity_category = EntityCategory.DIAGNOSTIC

    def __init__(self, node: BlikkNode) -> None:
        super().__init__(Platform.BINARY_SENSOR, node, None, "connection", "connection")

    @property
    def available(self) -> bool:
        """While the broker is there."""
        return self.node.connected

    @property
    def is_on(self) -> bool | None:
        """What the node's own status says."""
        return self.node.online


class ProblemSensor(BlikkEntity, BinarySensorEntity):
    """Whether the node says that something is wrong, and what."""

    updates_on = (Changed.HEALTH,)
    _attr_device_class = BinarySensorDeviceClass.PROBLEM
    _attr_entity_category = EntityCategory.DIAGNOSTIC

    def __init__(self, node: BlikkNode) -> None:
        super().__init__(Platform.BINARY_SENSOR, node, None, "problem", "problem")

    @callback
    def take(self) -> None:
        """Take over the problems."""
        problems = self.node.health.problems if self.node.health else None
        self._attr_is_on = None if problems is None else bool(problems)
        self._attr_extra_state_attributes = {"problems": list(problems or ())}
