"""Everything a node says, as MQTT messages. Retain and QoS are those of the table in `contract/topics.md`."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import assert_never

from blikk_edge.core.appearance import Appearance
from blikk_edge.core.geometry import Box
from blikk_edge.core.observation import Event, Observation, Observed, Ring, Sighting, Withdrawn
from blikk_edge.core.parcels import ParcelChange
from blikk_edge.core.picture import Picture
from blikk_edge.core.ports import Item
from blikk_edge.core.sightings import Label, Measure
from blikk_edge.core.status import CameraAvailability, CameraInfo, CameraState, Health, LlmState, NodeInfo, Status
from blikk_edge.core.summary import Answer, Summary
from blikk_edge.wire.commands import decode_command
from blikk_edge.wire.pictures import commented
from blikk_edge.wire.records import record_from_text, record_kind, record_to_text
from blikk_edge.wire.texts import place_topic, text_content, text_topic
from blikk_edge.wire.topics import Topics
from blikk_edge.wire.values import Json, JsonObject, figure, iso_time, json_bytes, number, truncate

__all__ = [
    "LOITERING",
    "PACKAGE_TAKEN",
    "PICTURE_EXPIRY_S",
    "PROTOCOL",
    "Message",
    "Topics",
    "announce",
    "availability",
    "decode_command",
    "encode",
    "record_from_text",
    "record_kind",
    "record_to_text",
]

PROTOCOL = 1
PICTURE_EXPIRY_S = 24 * 3600
LOITERING = "loitering"
"""The `event_type` of an Event's revision that reports loitering; all others but `PACKAGE_TAKEN` carry the label."""

PACKAGE_TAKEN = "package_taken"
"""The `event_type` of an Event's revision that reports that a parcel was taken."""

# Home Assistant drops attributes of more than 16384 bytes (recorder, MAX_STATE_ATTRS_BYTES); an object takes about 250
MAX_EVENT_OBJECTS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One MQTT publish.

    Attributes:
        topic: Where it is published.
        payload: Empty to take back what is retained.
        qos: MQTT's quality of service, 0..2.
        retain: Whether the broker keeps it for those who subscribe later.
        expiry_s: How long the broker keeps it (MQTT v5); goes with `retain`: without v5 such a message must not be
            retained. None: for ever.
        content_type: A media type (MQTT v5); None: none is given.
        correlation: The correlation data of an answer (MQTT v5); None: none.
    """

    topic: str
    payload: bytes = field(repr=False)
    qos: int
    retain: bool
    expiry_s: int | None = None
    content_type: str | None = None
    correlation: bytes | None = field(default=None, repr=False)


def encode(item: Item, topics: Topics, *, replayed: bool = False) -> Message:
    """The message of one item; `replayed` marks a record that waited through an outage."""
    match item:
        case Observation():
            return _record(topics.observation(item.camera), observation_content(item), replayed)
        case Event():
            # the end of what was cut off is published late, like what waited through an outage
            return _record(topics.event(item.camera), event_content(item), replayed or item.interrupted)
        case Ring():
            return _record(topics.ring(item.camera), _ring(item), replayed)
        case Summary() | Answer():
            return _record(text_topic(item, topics), {"v": PROTOCOL, **text_content(item)}, replayed, retain=True)
        case Picture() | Withdrawn():
            return _shown(item, topics)
        case _:
            return _how(item, topics)


def _shown(item: Picture | Withdrawn, topics: Topics) -> Message:
    if isinstance(item, Withdrawn):
        # MQTT's way to take back what is retained; whoever subscribes learns that there is nothing now
        return Message(topic=place_topic(item, topics), payload=b"", qos=1, retain=True)
    return Message(
        topic=topics.picture(item.camera, item.name),
        payload=commented(item),
        qos=1,
        retain=True,
        expiry_s=PICTURE_EXPIRY_S,
        content_type="image/jpeg",
    )


def announce(node: NodeInfo, topics: Topics, *, listens: bool = True) -> Message:
    """Who the node is and what its cameras can do; no address, no secret.

    `listens`: whether it takes commands where this is published.
    """
    content: JsonObject = {
        "v": PROTOCOL,
        "protocol": PROTOCOL,
        "id": node.id,
        "name": node.name,
        "version": node.version,
        "cameras": [_camera_info(camera) for camera in node.cameras],
        "capabilities": [
            *("observation", "event", "picture"),
            *(("set", "snapshot", "ask", "mark") if listens else ()),
            "zone_counts",
            *(("summary",) if node.summaries else ()),
            *(("describe", "check") if node.summaries and listens else ()),
            *(("media",) if node.media_url else ()),
            *(("live",) if node.http_url else ()),
            *(("search",) if node.searched else ()),
        ],
        "summaries": _names(node.summaries),
        "urls": {name: url for name, url in (("media", node.media_url), ("http", node.http_url)) if url},
    }
    return _json(topics.announce, content, qos=1, retain=True)


def availability(topics: Topics, *, online: bool) -> Message:
    """The node's `online` or `offline`; the latter is its last will too."""
    return _status(topics.status, online=online)


def _how(status: Status, topics: Topics) -> Message:
    match status:
        case CameraState():
            return _json(topics.state(status.camera), _camera_state(status), qos=0, retain=True)
        case Health():
            return _json(topics.health, _health(status), qos=0, retain=True)
        case CameraAvailability():
            return _status(topics.camera_status(status.camera), online=status.online)
        case _ as never:
            assert_never(never)


def _status(topic: str, *, online: bool) -> Message:
    return Message(topic=topic, payload=b"online" if online else b"offline", qos=1, retain=True)


def _json(topic: str, content: JsonObject, *, qos: int, retain: bool) -> Message:
    return Message(topic=topic, payload=json_bytes(content), qos=qos, retain=retain, content_type="application/json")


def _record(topic: str, content: JsonObject, replayed: bool, *, retain: bool = False) -> Message:
    if replayed:
        content["replayed"] = True
    return _json(topic, content, qos=1, retain=retain)


def _names(names: Iterable[str]) -> list[Json]:
    return [str(name) for name in names]


def _counts(counts: Iterable[tuple[str, int]]) -> JsonObject:
    return {str(name): count for name, count in counts}


def _camera_info(camera: CameraInfo) -> JsonObject:
    content: JsonObject = {
        "id": camera.id,
        "name": camera.name,
        "labels": _names(camera.labels),
        "zones": _names(camera.zones),
        "ring": camera.ring,
        "questions": [{"id": q.id, "question": q.text, "kind": q.kind.value} for q in camera.questions],
    }
    if camera.measures:
        content["measures"] = [
            {"name": m.name, "unit": m.unit, "device_class": m.device_class, "alerts": _names(m.alerts)}
            for m in camera.measures
        ]
    if camera.concepts:
        content["concepts"] = [{"id": concept.id, "text": concept.text} for concept in camera.concepts]
    return content


def _box(box: Box) -> list[Json]:
    return [number(value, 4) for value in (box.x1, box.y1, box.x2, box.y2)]


def _measure(measure: Measure) -> JsonObject:
    return {
        "name": measure.name,
        "value": figure(measure.value),
        "unit": measure.unit,
        "box": None if measure.box is None else _box(measure.box),
        "alert": measure.alert,
        **({} if measure.item is None else {"item": measure.item}),
    }


def _appearance(seen: Appearance) -> JsonObject:
    content: JsonObject = {
        "track": seen.track,
        "label": None if seen.label is None else seen.label.value,
        "sub_label": seen.kind,
        "colours": [colour.value for colour in seen.colours],
    }
    if seen.embedding is not None:
        content["embedding"] = {"model": seen.embedding.model, "float16": seen.embedding.float16}
    return content


def _sighting(sighting: Sighting) -> JsonObject:
    return {
        "track": sighting.track,
        "label": sighting.label.value,
        "sub_label": sighting.sub_label,
        "score": number(sighting.score, 4),
        "box": _box(sighting.box),
        "since": iso_time(sighting.since),
        "dwell_s": number(sighting.dwell_s, 1),
        "still": sighting.still,
        "zones": _names(sighting.zones),
    }


def observation_content(observation: Observation) -> JsonObject:
    """The fields of an observation, without `replayed`."""
    content: JsonObject = {
        "v": PROTOCOL,
        "id": observation.id,
        "camera": observation.camera,
        "kind": observation.kind.value,
        "time": iso_time(observation.time),
        "until": iso_time(observation.until),
        "score": number(observation.score, 4),
        "objects": [_sighting(sighting) for sighting in observation.objects],
        "zones": _names(observation.zones),
        "event": observation.event,
        "folded": observation.folded,
    }
    if observation.embedding is not None:
        content["embedding"] = [number(value, 4) for value in observation.embedding]
    if observation.change is not None:
        content["change"] = observation.change.value
    if observation.measures:
        content["measures"] = [_measure(measure) for measure in observation.measures]
    if observation.appearances:
        content["appearances"] = [_appearance(each) for each in observation.appearances]
    return content


def event_content(event: Event) -> JsonObject:
    """The fields of one revision of an event, without `replayed`."""
    counts = Counter(sighting.label for sighting in event.objects)
    content: JsonObject = {
        "v": PROTOCOL,
        "event_type": _event_type(event),
        "id": event.id,
        "camera": event.camera,
        "phase": event.phase.value,
        "revision": event.revision,
        "label": event.label.value,
        "reason": event.reason.value,
        "time": iso_time(event.time),
        "started": iso_time(event.started),
        "ended": None if event.ended is None else iso_time(event.ended),
        "duration_s": number(event.duration_s, 1),
        "counts": _counts((label, counts[label]) for label in Label if counts[label]),
        "peak": event.peak,
        "zones": _names(event.zones),
        "loitering": event.loitering,
        "picture": event.picture,
        "objects": [_sighting(sighting) for sighting in event.objects[:MAX_EVENT_OBJECTS]],
    }
    if event.interrupted:
        content["interrupted"] = True
    if event.mark:
        content["mark"] = event.mark
    if event.change is not None:
        near = event.near
        content["change"] = event.change.value
        content["near"] = (
            None if near is None else {"label": near.label.value, "score": number(near.score, 2), "event": near.event}
        )
    return content


def _event_type(event: Event) -> str:
    if event.change is ParcelChange.TAKEN:
        return PACKAGE_TAKEN
    return LOITERING if event.reason is Observed.LOITERING else event.label.value


def _ring(ring: Ring) -> JsonObject:
    return {
        "v": PROTOCOL,
        "event_type": "ring",
        "id": ring.id,
        "camera": ring.camera,
        "time": iso_time(ring.time),
        "via": ring.via,
    }


def _camera_state(state: CameraState) -> JsonObject:
    present = dict(state.counts)
    content: JsonObject = {
        "v": PROTOCOL,
        "online": state.online,
        "motion": state.motion,
        "score": number(state.score, 4),
        "counts": _counts((label, present.get(label, 0)) for label in Label),
        "zones": _counts(state.zones),
        "zone_counts": _zone_counts(state),
        "fps": number(state.fps, 2),
        "inference_ms": _optional(state.inference_ms, 1),
        "last_frame_age_s": _optional(state.last_frame_age_s, 1),
        "frames": state.frames,
        "inferences": state.inferences,
        "restarts": state.restarts,
        "dropped": _counts(state.dropped),
        "detect": state.detect,
        "threshold": number(state.threshold, 4),
        "summary": state.summary.value,
        "problem": None if state.problem is None else truncate(state.problem),
    }
    if state.address is not None:
        content["address"] = truncate(state.address)
    if state.measures:
        content["measures"] = {
            m.name: {"value": figure(m.value), "unit": m.unit, "alert": m.alert} for m in state.measures
        }
    if state.concepts:
        content["concepts"] = dict(state.concepts)
    if state.skipped:
        content["skipped"] = _counts(state.skipped)
    return content


def _zone_counts(state: CameraState) -> JsonObject:
    zones = dict.fromkeys(zone for zone, _, _ in state.zone_counts)
    return {zone: _counts((label, count) for at, label, count in state.zone_counts if at == zone) for zone in zones}


def _health(health: Health) -> JsonObject:
    content: JsonObject = {
        "v": PROTOCOL,
        "time": iso_time(health.time),
        "uptime_s": number(health.uptime_s, 0),
        "cpu_percent": number(health.cpu_percent, 1),
        "rss_bytes": health.rss_bytes,
        "temperature_c": _optional(health.temperature_c, 1),
        "inference_ms": _optional(health.inference_ms, 1),
        "fps": {camera: number(fps, 1) for camera, fps in health.fps},
        "outbox": health.outbox,
        "lost": health.lost,
        "dropped": _counts(health.dropped),
        "problems": [truncate(problem) for problem in health.problems],
        "llm": None if health.llm is None else _llm(health.llm),
    }
    if health.skipped:
        content["skipped"] = _counts(health.skipped)
    return content


def _llm(llm: LlmState) -> JsonObject:
    return {
        "model": truncate(llm.model),
        "phase": llm.phase.value,
        "calls_today": llm.calls_today,
        "tokens_today": llm.tokens_today,
        "calls_left": llm.calls_left,
        "tokens_left": llm.tokens_left,
        "cost_today": _optional(llm.cost_today, 4),
        "currency": llm.currency,
        "waiting": llm.waiting,
        "problem": None if llm.problem is None else truncate(llm.problem),
    }


def _optional(value: float | None, digits: int) -> float | None:
    return None if value is None else number(value, digits)
