"""The Home Assistant entities of what is seen now, by label and zone, as MQTT discovery components."""

import json
import re
import unicodedata
from collections.abc import Iterator

from blikk_edge.core.sightings import Label
from blikk_edge.core.status import CameraInfo
from blikk_edge.wire.topics import Topics
from blikk_edge.wire.values import Json, JsonObject, truncate

QUIET: dict[str, Json] = {"enabled_by_default": False}
_PICTURED = {Label.PERSON, Label.PACKAGE}
"""Whose last picture is there from the start: an image entity without a picture is an empty place in Home Assistant."""

_ICONS = {
    Label.PERSON: "mdi:walk",
    Label.VEHICLE: "mdi:car",
    Label.ANIMAL: "mdi:paw",
    Label.PACKAGE: "mdi:package-variant-closed",
}


def slug(text: str) -> str:
    """Text as part of an entity or component id: `a-z`, `0-9` and single `_`; `x` where nothing is left."""
    plain = unicodedata.normalize("NFKD", text.lower().replace("ß", "ss")).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", plain).strip("_") or "x"


def label_parts(label: Label, camera: CameraInfo, topics: Topics, *, language: str) -> Iterator[tuple[str, JsonObject]]:
    """Whether one is there, how many, and the last picture; a parcel's says in which language to tell it."""
    name, state = label.value.capitalize(), topics.state(camera.id)
    count = f"value_json.counts.get('{label.value}', 0)"
    yield label.value, _occupancy(name, label, state, f"{count} > 0", language)
    yield f"{label.value}_count", {**_count(f"{name} count", "mdi:counter", state, count), **QUIET}
    picture = image(f"Last {label.value}", topics.picture(camera.id, label.value), _ICONS[label])
    yield f"last_{label.value}", picture if label in _PICTURED else {**picture, **QUIET}


def zone_parts(camera: CameraInfo, topics: Topics, *, language: str) -> Iterator[tuple[str, JsonObject]]:
    """How many are in each zone, and of which label somebody or something is."""
    state = topics.state(camera.id)
    for key, zone in _zone_keys(camera.zones):
        yield key, _zone(zone, state)
        for label in camera.labels:
            yield f"{label.value}_in_{key}", _label_in_zone(label, zone, state, language)


def _zone_keys(zones: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Component ids of zones; names that look alike as ids are counted up."""
    taken: set[str] = set()
    for zone in zones:
        key, number = f"zone_{slug(zone)}", 2
        while key in taken:
            key, number = f"zone_{slug(zone)}_{number}", number + 1
        taken.add(key)
        yield key, zone


def _zone(zone: str, state: str) -> JsonObject:
    # a JSON string is a Jinja string too, as long as it stays unescaped beyond ASCII
    literal = json.dumps(zone, ensure_ascii=False)
    name = f"{zone[:1].upper()}{truncate(zone, 60)[1:]} count"
    return {**_count(name, "mdi:vector-polygon", state, f"value_json.zones.get({literal}, 0)"), **QUIET}


def _label_in_zone(label: Label, zone: str, state: str, language: str) -> JsonObject:
    expression = f"value_json.zone_counts.get({json.dumps(zone, ensure_ascii=False)}, {{}}).get('{label.value}', 0) > 0"
    name = f"{zone[:1].upper()}{truncate(zone, 60)[1:]}: {label.value}"
    entity = _occupancy(name, label, state, expression, language)
    return entity if label is Label.PERSON else {**entity, **QUIET}


def _occupancy(name: str, label: Label, state: str, expression: str, language: str) -> JsonObject:
    told: JsonObject = {
        "json_attributes_topic": state,
        "json_attributes_template": f"{{{{ {{'language': {json.dumps(language)}}} | tojson }}}}",
    }
    return {
        "platform": "binary_sensor",
        "name": name,
        "icon": _ICONS[label],  # occupancy's own is a house
        "device_class": "occupancy",
        "state_topic": state,
        "value_template": on_off(expression),
        **(told if label is Label.PACKAGE else {}),
    }


def _count(name: str, icon: str, state: str, expression: str) -> JsonObject:
    return {
        "platform": "sensor",
        "name": name,
        "icon": icon,
        "state_class": "measurement",
        "state_topic": state,
        "value_template": f"{{{{ {expression} }}}}",
    }


def image(name: str, topic: str, icon: str) -> JsonObject:
    """An image entity."""
    return {"platform": "image", "name": name, "icon": icon, "content_type": "image/jpeg", "image_topic": topic}


def on_off(expression: str) -> str:
    """The template of a binary sensor that is on while an expression is true."""
    return f"{{{{ 'ON' if {expression} else 'OFF' }}}}"
