"""The Home Assistant entities of the concepts that a camera watches for, as MQTT discovery components."""

from collections.abc import Iterator

from blikk_edge.core.status import CameraInfo
from blikk_edge.wire.entities_seen import on_off
from blikk_edge.wire.topics import Topics
from blikk_edge.wire.values import JsonObject


def concept_parts(camera: CameraInfo, topics: Topics) -> Iterator[tuple[str, JsonObject]]:
    """Whether each concept is there now."""
    state = topics.state(camera.id)
    for concept in camera.concepts:
        yield (
            f"concept_{concept.id}",
            {
                "platform": "binary_sensor",
                "name": concept.id.replace("_", " ").strip().capitalize() or concept.id,
                "icon": "mdi:image-search",
                "device_class": "occupancy",
                "state_topic": state,
                "value_template": on_off(f"(value_json.concepts | default({{}})).get('{concept.id}', false)"),
            },
        )
