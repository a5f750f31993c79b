"""Sensors: counts, texts about what happened, answers to questions, and how camera, node and language model do."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.components.sensor.const import DEVICE_CLASS_STATE_CLASSES, DEVICE_CLASS_UNITS
from homeassistant.const import (
    MATCH_ALL,
    PERCENTAGE,
    EntityCategory,
    Platform,
    UnitOfInformation,
    UnitOfTemperature,
    UnitOfTime,
)
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.typing import StateType

from .const import EVENT_SAME_SUMMARY
from .contract import Camera, CameraState, Health, Llm, Measure, Question
from .entity import BlikkEntity, answer_attributes, follow_announce, summary_attributes
from .labels import label_words
from .names import capital, short, slug, zone_keys
from .node import BlikkConfigEntry, BlikkNode
from .state import Changed

PARALLEL_UPDATES = 0

PHASES = ("ready", "resting", "over_budget", "refused")


@dataclass(frozen=True, kw_only=True)
class CameraFigure(SensorEntityDescription):
    """A figure from a camera's state; `object_id` is its part of the entity id."""

    value: Callable[[CameraState], StateType]
    object_id: str


@dataclass(frozen=True, kw_only=True)
class NodeFigure(SensorEntityDescription):
    """A figure from a node's health."""

    value: Callable[[Health], StateType]
    object_id: str


def _diagnostic(key: str, object_id: str, value: Callable[[CameraState], StateType], **more: Any) -> CameraFigure:
    return CameraFigure(
        key=key,
        translation_key=key,
        object_id=object_id,
        value=value,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        **{"state_class": SensorStateClass.MEASUREMENT, **more},
    )


def _health(key: str, value: Callable[[Health], StateType], object_id: str | None = None, **more: Any) -> NodeFigure:
    return NodeFigure(
        key=key,
        translation_key=key,
        object_id=object_id or key,
        value=value,
        entity_category=EntityCategory.DIAGNOSTIC,
        **{"state_class": SensorStateClass.MEASUREMENT, **more},
    )


def _llm(key: str, object_id: str, value: Callable[[Llm], StateType], **more: Any) -> NodeFigure:
    return _health(key, lambda health: value(health.llm) if health.llm else None, object_id, **more)


CAMERA_FIGURES = (
    _diagnostic("fps", "frame_rate", lambda state: state.fps, native_unit_of_measurement="fps"),
    _diagnostic(
        "inference",
        "inference_time",
        lambda state: state.inference_ms,
        native_unit_of_measurement=UnitOfTime.MILLISECONDS,
        device_class=SensorDeviceClass.DURATION,
    ),
    _diagnostic(
        "frame_age",
        "last_frame_age",
        lambda state: state.last_frame_age_s,
        native_unit_of_measurement=UnitOfTime.SECONDS,
        device_class=SensorDeviceClass.DURATION,
    ),
    _diagnostic(
        "dropped", "dropped_frames", lambda state: state.dropped, state_class=SensorStateClass.TOTAL_INCREASING
    ),
    _diagnostic("restarts", "restarts", lambda state: state.restarts, state_class=SensorStateClass.TOTAL_INCREASING),
)

NODE_FIGURES = (
    _health(
        "cpu", lambda health: health.cpu_percent, native_unit_of_measurement=PERCENTAGE, suggested_display_precision=0
    ),
    _health(
        "memory",
        lambda health: None if health.rss_bytes is None else round(health.rss_bytes / 2**20, 1),
        native_unit_of_measurement=UnitOfInformation.MEBIBYTES,
        device_class=SensorDeviceClass.DATA_SIZE,
        suggested_display_precision=0,
    ),
    _health(
        "temperature",
        lambda health: health.temperature_c,
        native_unit_of_measurement=UnitOfTemperature.CELSIUS,
        device_class=SensorDeviceClass.TEMPERATURE,
    ),
    _health(
        "inference",
        lambda health: health.inference_ms,
        "inference_time",
        native_unit_of_measurement=UnitOfTime.MILLISECONDS,
        device_class=SensorDeviceClass.DURATION,
    ),
    _health("outbox", lambda health: health.outbox),
    _health("lost", lambda health: health.lost, "lost_records", state_class=SensorStateClass.TOTAL_INCREASING),
)

LLM_FIGURES = (
    _llm(
        "llm",
        "language_model",
        lambda llm: llm.phase if llm.phase in PHASES else None,
        device_class=SensorDeviceClass.ENUM,
        options=list(PHASES),
        state_class=None,
    ),
    _llm("llm_calls", "llm_calls_today", lambda llm: llm.calls_today, state_class=SensorStateClass.TOTAL_INCREASING),
    _llm("llm_tokens", "llm_tokens_today", lambda llm: llm.tokens_today, state_class=SensorStateClass.TOTAL_INCREASING),
    _llm("llm_calls_left", "llm_calls_left", lambda llm: llm.calls_left),
    _llm("llm_tokens_left", "llm_tokens_left", lambda llm: llm.tokens_left),
)


async def async_setup_entry(
    hass: HomeAssistant, entry: BlikkConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Set up the sensors."""
    follow_announce(entry, Platform.SENSOR, async_add_entities, _build)


def _build(node: BlikkNode) -> Iterator[BlikkEntity]:
    for figure in NODE_FIGURES:
        yield NodeSensor(node, figure)
    if node.announce.has_model:
        for figure in LLM_FIGURES:
            yield NodeSensor(node, figure)
        yield CostSensor(node)
    if node.announce.summaries:
        yield DigestSensor(node, None)
    for camera in node.announce.cameras:
        yield from _camera(node, camera)


def _camera(node: BlikkNode, camera: Camera) -> Iterator[BlikkEntity]:
    for label in camera.labels:
        yield CountSensor.of_label(node, camera, label)
    for zone, key in zone_keys(camera.zones).items():
        yield CountSensor.of_zone(node, camera, zone, key)
    if node.announce.summaries:
        yield SummarySensor(node, camera)
        yield DigestSensor(node, camera)
    for question in camera.questions:
        if question.kind != "yes_no":
            yield AnswerSensor(node, camera, question)
    for measure in camera.measures:
        yield MeasureSensor(node, camera, measure)
    for figure in CAMERA_FIGURES:
        yield CameraSensor(node, camera, figure)


class NodeSensor(BlikkEntity, SensorEntity):
    """A figure of the node's health."""

    entity_description: NodeFigure
    updates_on = (Changed.HEALTH,)

    def __init__(self, node: BlikkNode, description: NodeFigure) -> None:
        super().__init__(Platform.SENSOR, node, None, description.key, description.object_id)
        self.entity_description = description

    @callback
    def take(self) -> None:
        """Take over the figure."""
        health = self.node.health
        self._attr_native_value = self.entity_description.value(health) if health else None


class CostSensor(BlikkEntity, SensorEntity):
    """What the language model cost today, in the currency that the node names."""

    updates_on = (Changed.HEALTH,)
    _attr_translation_key = "llm_cost"
    _attr_device_class = SensorDeviceClass.MONETARY
    _attr_entity_category = EntityCategory.DIAGNOSTIC
    _attr_entity_registry_enabled_default = False
    _attr_suggested_display_precision = 2

    def __init__(self, node: BlikkNode) -> None:
        super().__init__(Platform.SENSOR, node, None, "llm_cost", "llm_cost_today")

    @callback
    def take(self) -> None:
        """Take over cost and currency."""
        llm = self.node.health.llm if self.node.health else None
        self._attr_native_value = llm.cost_today if llm else None
        self._attr_native_unit_of_measurement = llm.currency if llm else None


class CameraSensor(BlikkEntity, SensorEntity):
    """A figure of a camera's state."""

    entity_description: CameraFigure
    updates_on = (Changed.STATE,)

    def __init__(self, node: BlikkNode, camera: Camera, description: CameraFigure) -> None:
        super().__init__(Platform.SENSOR, node, camera, description.key, description.object_id)
        self.entity_description = description

    @callback
    def take(self) -> None:
        """Take over the figure."""
        state = self.now.state
        self._attr_native_value = self.entity_description.value(state) if state else None


class CountSensor(CameraSensor):
    """How many are there, of a label or in a zone."""

    needs_stream = True

    def __init__(
        self, node: BlikkNode, camera: Camera, description: CameraFigure, placeholders: dict[str, str] | None
    ) -> None:
        super().__init__(node, camera, description)
        if placeholders:
            self._attr_translation_placeholders = placeholders

    @classmethod
    def of_label(cls, node: BlikkNode, camera: Camera, label: str) -> CountSensor:
        """How many of a label."""
        key, placeholders = label_words(label, "{}_count")
        description = CameraFigure(
            key=f"{slug(label)}_count",
            translation_key=key,
            object_id=f"{slug(label)}_count",
            state_class=SensorStateClass.MEASUREMENT,
            entity_registry_enabled_default=False,
            value=lambda state: state.counts.get(label, 0),
        )
        return cls(node, camera, description, placeholders)

    @classmethod
    def of_zone(cls, node: BlikkNode, camera: Camera, zone: str, key: str) -> CountSensor:
        """How many in a zone."""
        name = short(zone)
        description = CameraFigure(
            key=key,
            translation_key="zone_count",
            object_id=slug(f"{name} count"),
            state_class=SensorStateClass.MEASUREMENT,
            entity_registry_enabled_default=False,
            value=lambda state: state.zones.get(zone, 0),
        )
        return cls(node, camera, description, {"zone": capital(name)})


class SummarySensor(BlikkEntity, SensorEntity):
    """What happened last, in a sentence."""

    updates_on = (Changed.SUMMARY, Changed.MARK)
    _attr_translation_key = "last_summary"
    _unrecorded_attributes = frozenset({MATCH_ALL})

    def __init__(self, node: BlikkNode, camera: Camera) -> None:
        super().__init__(Platform.SENSOR, node, camera, "last_summary", "last_summary")
        self._event: str | None = None

    @callback
    def changed(self) -> None:
        """Show it. Where another visit has the same title the state stays, and there would be no line in Activity."""
        before, title = self._event, self._attr_native_value
        super().changed()
        another = before is not None and before != self._event
        if another and self.now.summary and title == self._attr_native_value:
            self.hass.bus.async_fire(EVENT_SAME_SUMMARY, {"entity_id": self.entity_id, "title": title})

    @callback
    def take(self) -> None:
        """Take over title and text."""
        summary = self.now.summary
        self._event = (summary.event if summary else None) or self._event
        self._attr_native_value = summary.title if summary else None
        mark = self.node.mark_of(summary.event) if summary else ""
        self._attr_extra_state_attributes = {**summary_attributes(summary), **({"mark": mark} if mark else {})}


class DigestSensor(BlikkEntity, SensorEntity):
    """What happened over a period, at the node or at a camera."""

    updates_on = (Changed.DIGEST,)
    _attr_translation_key = "digest"
    _unrecorded_attributes = frozenset({MATCH_ALL})

    def __init__(self, node: BlikkNode, camera: Camera | None) -> None:
        super().__init__(Platform.SENSOR, node, camera, "digest", "digest")
        self._attr_entity_registry_enabled_default = camera is None

    @callback
    def take(self) -> None:
        """Take over title and text."""
        digest = self.now.digest if self.camera else self.node.digest
        self._attr_native_value = digest.title if digest else None
        self._attr_extra_state_attributes = summary_attributes(digest)


class AnswerSensor(BlikkEntity, SensorEntity):
    """The answer, in words, to a watched question."""

    updates_on = (Changed.ANSWER,)
    needs_stream = True
    _attr_translation_key = "question"
    _unrecorded_attributes = frozenset({MATCH_ALL})

    def __init__(self, node: BlikkNode, camera: Camera, question: Question) -> None:
        name = short(question.question)
        super().__init__(Platform.SENSOR, node, camera, f"question_{question.id}", slug(name))
        self._attr_translation_placeholders = {"question": name}
        self._question = question.id

    @callback
    def take(self) -> None:
        """Take over the answer and what it rests on."""
        answer = self.now.answers.get(self._question)
        self._attr_native_value = answer.answer if answer else None
        self._attr_extra_state_attributes = answer_attributes(answer)


class MeasureSensor(BlikkEntity, SensorEntity):
    """A number that is read from the picture; unknown while it is not."""

    updates_on = (Changed.STATE, Changed.ANNOUNCE)
    needs_stream = True
    _attr_translation_key = "measure"
    _attr_state_class = SensorStateClass.MEASUREMENT

    def __init__(self, node: BlikkNode, camera: Camera, measure: Measure) -> None:
        super().__init__(Platform.SENSOR, node, camera, f"measure_{measure.name}", slug(measure.name))
        self._attr_translation_placeholders = {"measure": capital(measure.name.replace("_", " ").strip())}
        self._measure = measure.name
        self._declare(measure)

    @callback
    def take(self) -> None:
        """Take over the value, and as what the node declares it now."""
        for measure in self.announced.measures if self.announced else ():
            if measure.name == self._measure:
                self._declare(measure)
        reading = self.now.state.measures.get(self._measure) if self.now.state else None
        self._attr_native_value = reading.value if reading else None
        self._attr_extra_state_attributes = {"alert": reading.alert if reading else None}

    def _declare(self, measure: Measure) -> None:
        self._attr_native_unit_of_measurement = measure.unit
        self._attr_device_class = _device_class(measure)


def _device_class(measure: Measure) -> SensorDeviceClass | None:
    """The one it declares, where Home Assistant takes it for such a number; otherwise it would refuse the state."""
    try:
        device_class = SensorDeviceClass(measure.device_class or "")
    except ValueError:
        return None
    measured = SensorStateClass.MEASUREMENT in DEVICE_CLASS_STATE_CLASSES.get(device_class, ())
    return device_class if measured and measure.unit in DEVICE_CLASS_UNITS.get(device_class, ()) else None
