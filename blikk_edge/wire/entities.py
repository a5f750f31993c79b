"""The Home Assistant entities of a camera and of the node, as MQTT discovery components.

Only facts of Home Assistant's own schemas are used (2026.10); `tests/ha` feeds every component to them. States come
from retained topics and go stale only with their availability, so nothing needs `off_delay` or `expire_after`.
"""

import json
from collections.abc import Iterator

from blikk_edge.core.sightings import Label
from blikk_edge.core.status import CameraInfo, NodeInfo
from blikk_edge.wire.entities_concepts import concept_parts
from blikk_edge.wire.entities_measured import alert_part, measure_parts
from blikk_edge.wire.entities_seen import QUIET, image, label_parts, on_off, slug, zone_parts
from blikk_edge.wire.entities_texts import LLM_FIGURES, asks_a_model, digest_sensor, question_parts, summary_parts
from blikk_edge.wire.entity_names import name_in
from blikk_edge.wire.messages import LOITERING, PACKAGE_TAKEN
from blikk_edge.wire.topics import Topics
from blikk_edge.wire.values import Json, JsonObject

REPLAY_LIMIT_S = 300
"""A record that was replayed after an outage rings and reports in Home Assistant only when it is younger than this."""

# An empty result is passed over in silence by Home Assistant's event platform; anything else without a known
# event_type would be a warning in its log for every message.
_YOUNG = f"as_timestamp(value_json.time) > now().timestamp() - {REPLAY_LIMIT_S}"
_FRESH = f"(not value_json.replayed | default(false) or {_YOUNG})"
_TELLING = f"(value_json.phase == 'started' or value_json.event_type in ['{LOITERING}', '{PACKAGE_TAKEN}'])"
_OBJECT_IDS = {"detect": "detection", "last_summary": "last_summary", "outbox": "outbox"}
"""What follows the device in an entity id, where the name says it in other words, by component id."""


_OWN_NAMES = ("question_", "measure_", "concept_")
"""How the ids of components begin that users named."""


def camera_entities(node: NodeInfo, camera: CameraInfo, topics: Topics) -> dict[str, JsonObject]:
    """All components of one camera's device, by component id.

    What is seen now needs node and stream; what was reported, and what can be set, only the node, as the device says.
    """
    stream: JsonObject = {
        "availability": [{"topic": topics.status}, {"topic": topics.camera_status(camera.id)}],
        "availability_mode": "all",
    }
    parts = [(key, {**entity, **stream}) for key, entity in _seen_parts(camera, topics, node.language)]
    parts += _record_parts(node, camera, topics)
    unique, stem = f"{node.id}.{camera.id}", slug(camera.id)
    return {key: _named(entity, key, unique=unique, stem=stem, language=node.language) for key, entity in parts}


def node_entities(node: NodeInfo, topics: Topics) -> dict[str, JsonObject]:
    """All components of the node's own device, by component id."""
    unique, stem, parts = node.id, slug(node.id), _node_parts(node, topics)
    return {key: _named(entity, key, unique=unique, stem=stem, language=node.language) for key, entity in parts}


def _named(entity: JsonObject, key: str, *, unique: str, stem: str, language: str) -> JsonObject:
    """With a `unique_id` that never changes and the entity id that our component would give it too.

    The name is that of the language, but for what users named themselves.
    """
    name = entity["name"]
    tail = "" if name is None else "_" + _OBJECT_IDS.get(key, slug(str(name)))
    own = name is None or key.startswith(_OWN_NAMES)
    return {
        **entity,
        "name": name if own else name_in(language, str(name)),
        "unique_id": f"blikk.{unique}.{key}",
        "default_entity_id": f"{entity['platform']}.{stem}{tail}",
    }


def _seen_parts(camera: CameraInfo, topics: Topics, language: str) -> Iterator[tuple[str, JsonObject]]:
    state = topics.state(camera.id)
    yield "still", {"platform": "camera", "name": None, "topic": topics.picture(camera.id, "snapshot")}
    yield (
        "motion",
        {
            "platform": "binary_sensor",
            "name": "Motion",
            "device_class": "motion",
            "state_topic": state,
            "value_template": on_off("value_json.motion"),
        },
    )
    for label in camera.labels:
        yield from label_parts(label, camera, topics, language=language)
    if camera.ring:
        yield "last_ring", image("Last ring", topics.picture(camera.id, "ring"), "mdi:doorbell-video")
    yield from zone_parts(camera, topics, language=language)
    yield from question_parts(camera, topics)
    yield from measure_parts(camera, topics)
    yield from concept_parts(camera, topics)


def _record_parts(node: NodeInfo, camera: CameraInfo, topics: Topics) -> Iterator[tuple[str, JsonObject]]:
    if camera.ring:
        yield "doorbell", _doorbell(topics.ring(camera.id), node.language)
    yield "detected", _detected(camera, topics.event(camera.id), node.language)
    yield from alert_part(camera, topics, fresh=_FRESH)
    if node.summaries:
        yield from summary_parts(camera, node.summaries, topics, node.language)
    yield from _settings(camera, topics)
    yield from _camera_diagnostics(camera, topics)


def _doorbell(topic: str, language: str) -> JsonObject:
    return {
        "platform": "event",
        "name": "Doorbell",
        "device_class": "doorbell",
        "event_types": ["ring"],
        "state_topic": topic,
        "value_template": _told(_FRESH, language),
    }


def _detected(camera: CameraInfo, topic: str, language: str) -> JsonObject:
    types: list[Json] = [label.value for label in camera.labels]
    return {
        "platform": "event",
        "name": "Detection",
        "icon": "mdi:eye-check",
        "event_types": [*types, LOITERING, *([PACKAGE_TAKEN] if Label.PACKAGE in camera.labels else [])],
        "state_topic": topic,
        "value_template": _told(f"{_TELLING} and {_FRESH}", language),
    }


def _told(condition: str, language: str) -> str:
    """The template of a record that is an event under a condition; the language is what a notification of it is in."""
    return f"{{{{ dict(value_json, language={json.dumps(language)}) | tojson if {condition} else '' }}}}"


def _settings(camera: CameraInfo, topics: Topics) -> Iterator[tuple[str, JsonObject]]:
    state = topics.state(camera.id)
    yield (
        "detect",
        {
            "platform": "switch",
            "name": "Detect",
            "icon": "mdi:eye",
            "entity_category": "config",
            "command_topic": topics.set(camera.id, "detect"),
            "state_topic": state,
            "value_template": on_off("value_json.detect"),
        },
    )
    yield (
        "threshold",
        {
            "platform": "number",
            "name": "Threshold",
            "icon": "mdi:tune-variant",
            "entity_category": "config",
            "min": 0,
            "max": 1,
            "step": 0.05,
            "command_topic": topics.set(camera.id, "threshold"),
            "state_topic": state,
            "value_template": "{{ value_json.threshold }}",
        },
    )
    yield (
        "snapshot",
        {
            "platform": "button",
            "name": "Snapshot",
            "icon": "mdi:camera",
            "command_topic": topics.set(camera.id, "snapshot"),
        },
    )


def _camera_diagnostics(camera: CameraInfo, topics: Topics) -> Iterator[tuple[str, JsonObject]]:
    state = topics.state(camera.id)
    yield (
        "stream",
        {
            "platform": "binary_sensor",
            "name": "Stream",
            "device_class": "connectivity",
            "entity_category": "diagnostic",
            "state_topic": topics.camera_status(camera.id),
            "payload_on": "online",
            "payload_off": "offline",
            "json_attributes_topic": state,
            "json_attributes_template": "{{ {'problem': value_json.problem} | tojson }}",
        },
    )
    for key, entity in {
        "fps": _gauge("Frame rate", state, "value_json.fps", unit="fps", icon="mdi:filmstrip"),
        "inference": _gauge("Inference time", state, "value_json.inference_ms", unit="ms", device_class="duration"),
        "frame_age": _gauge("Last frame age", state, "value_json.last_frame_age_s", unit="s", device_class="duration"),
        "dropped": _total("Dropped frames", state, "value_json.dropped.values() | sum", icon="mdi:filmstrip-off"),
        "restarts": _total("Restarts", state, "value_json.restarts", icon="mdi:restart"),
    }.items():
        yield key, {**entity, **QUIET}


def _node_parts(node: NodeInfo, topics: Topics) -> Iterator[tuple[str, JsonObject]]:
    health = topics.health
    yield (
        "connection",
        {
            "platform": "binary_sensor",
            "name": "Connection",
            "device_class": "connectivity",
            "entity_category": "diagnostic",
            "state_topic": topics.status,
            "payload_on": "online",
            "payload_off": "offline",
            "availability": [],  # it shall say "off" while the node is away
        },
    )
    yield (
        "problem",
        {
            "platform": "binary_sensor",
            "name": "Problem",
            "device_class": "problem",
            "entity_category": "diagnostic",
            "state_topic": health,
            "value_template": on_off("value_json.problems"),
            "json_attributes_topic": health,
            "json_attributes_template": "{{ {'problems': value_json.problems} | tojson }}",
        },
    )
    cpu = _gauge("CPU", health, "value_json.cpu_percent", unit="%", icon="mdi:cpu-64-bit")
    yield "cpu", {**cpu, "suggested_display_precision": 0}
    rss = "(value_json.rss_bytes / 1048576) | round(1)"
    memory = _gauge("Memory", health, rss, unit="MiB", device_class="data_size", icon="mdi:memory")
    yield "memory", {**memory, "suggested_display_precision": 0}
    yield (
        "temperature",
        _gauge("Temperature", health, "value_json.temperature_c", unit="°C", device_class="temperature"),
    )
    yield "inference", _gauge("Inference time", health, "value_json.inference_ms", unit="ms", device_class="duration")
    yield "outbox", _gauge("Waiting records", health, "value_json.outbox", icon="mdi:tray-full")
    yield "lost", _total("Lost records", health, "value_json.lost", icon="mdi:tray-remove")
    if node.summaries:
        yield "digest", digest_sensor(topics)
    if asks_a_model(node):
        for key, (name, expression, icon) in LLM_FIGURES.items():
            yield key, _gauge(name, health, expression, icon=icon)


def _gauge(name: str, topic: str, expression: str, **more: str) -> JsonObject:
    """A diagnostic figure that goes up and down; null on the wire is unknown in Home Assistant."""
    return _diagnostic(name, topic, expression, "measurement", more)


def _total(name: str, topic: str, expression: str, **more: str) -> JsonObject:
    """A diagnostic figure that only grows until the next start."""
    return _diagnostic(name, topic, expression, "total_increasing", more)


def _diagnostic(name: str, topic: str, expression: str, state_class: str, more: dict[str, str]) -> JsonObject:
    unit: JsonObject = {"unit_of_measurement": more["unit"]} if "unit" in more else {}
    return {
        "platform": "sensor",
        "name": name,
        "entity_category": "diagnostic",
        "state_class": state_class,
        **unit,
        **{key: value for key, value in more.items() if key != "unit"},
        "state_topic": topic,
        "value_template": f"{{{{ {expression} }}}}",
    }
