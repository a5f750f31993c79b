"""Home Assistant's MQTT device discovery: one retained payload for the node and one for each camera."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from blikk_edge.core.status import CameraInfo, NodeInfo
from blikk_edge.wire.entities import camera_entities, node_entities
from blikk_edge.wire.messages import Message
from blikk_edge.wire.topics import Topics
from blikk_edge.wire.values import Json, JsonObject, json_bytes, truncate

ORIGIN = "blikk-edge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """One device as Home Assistant is given it.

    Attributes:
        topic: The config topic.
        payload: The content of its message.
        components: The platforms, by component id.
    """

    topic: str
    payload: JsonObject = field(repr=False)
    components: dict[str, str] = field(repr=False)

    def message(self) -> Message:
        """The payload, retained; the topics of its availability must be retained before."""
        return _config(self.topic, json_bytes(self.payload))


def devices(node: NodeInfo, topics: Topics, *, prefix: str = "homeassistant") -> tuple[Discovery, ...]:
    """The discovery of the node and then of its cameras, which name the node as the device they hang on."""
    return (_node(node, topics, prefix), *(_camera(node, camera, topics, prefix) for camera in node.cameras))


def split(discovery: Discovery, fits: Callable[[Message], bool]) -> tuple[Discovery, ...]:
    """The same device in as many payloads as it takes for each to fit; components that do not fit alone are left out.

    Home Assistant takes payloads on several topics for one device, by its identifiers. The first keeps the topic.
    """
    if fits(discovery.message()):
        return (discovery,)
    parts: list[Discovery] = []
    rest = discovery.payload["components"]
    assert isinstance(rest, dict)
    taken: JsonObject = {}
    for key, component in rest.items():
        grown = _part(discovery, len(parts), {**taken, key: component})
        if fits(grown.message()):
            taken = {**taken, key: component}
            continue
        if taken:
            parts.append(_part(discovery, len(parts), taken))
        alone = fits(_part(discovery, len(parts), {key: component}).message())
        taken = {key: component} if alone else {}
    if taken:
        parts.append(_part(discovery, len(parts), taken))
    return tuple(parts)


def config_filter(topics: Topics, *, prefix: str = "homeassistant") -> str:
    """The subscription for all config topics of this node, those of cameras that are no more among them."""
    return _config_topic(topics, "+", prefix)


def components_of(payload: bytes) -> dict[str, str]:
    """Component ids and platforms of a config payload found on the broker; none where it is not one."""
    try:
        content = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    components = content.get("components") if isinstance(content, dict) else None
    if not isinstance(components, dict):
        return {}
    platforms = {key: part.get("platform") for key, part in components.items() if isinstance(part, dict)}
    return {key: platform for key, platform in platforms.items() if isinstance(platform, str)}


def tombstones(old: dict[str, str], new: Discovery) -> Message | None:
    """The payload that makes Home Assistant remove components of `old` that are no more; None where there are none.

    To be followed by `new.message()`. A component that is just left out would live on in Home Assistant.
    """
    gone = {key: platform for key, platform in old.items() if new.components.get(key) != platform}
    if not gone:
        return None
    parts = new.payload["components"]
    assert isinstance(parts, dict)
    graves: dict[str, Json] = {key: {"platform": platform} for key, platform in gone.items()}
    return _config(new.topic, json_bytes({**new.payload, "components": {**parts, **graves}}))


def removal(topic: str) -> Message:
    """The empty payload that removes a device and its entities."""
    return _config(topic, b"")


def _config(topic: str, payload: bytes) -> Message:
    return Message(topic=topic, payload=payload, qos=1, retain=True)


def _config_topic(topics: Topics, device: str, prefix: str) -> str:
    return f"{prefix}/device/blikk_{_discovery_id(topics.node)}/{device}/config"


def _discovery_id(text: str) -> str:
    """Home Assistant takes letters, digits, `_` and `-` only and passes over other topics with a warning."""
    return re.sub(r"[^a-zA-Z0-9_-]", "_", text)


def _part(discovery: Discovery, number: int, components: JsonObject) -> Discovery:
    """`number` counts from 0. No camera's own topic begins like those of the later parts."""
    start, device, end = discovery.topic.rsplit("/", 2)
    topic = discovery.topic if number == 0 else f"{start}/part{number + 1}_{device}/{end}"
    return _discovery(topic, {**discovery.payload, "components": components})


def _node(node: NodeInfo, topics: Topics, prefix: str) -> Discovery:
    payload: JsonObject = {
        "device": {
            "identifiers": [_node_identifier(node)],
            "name": truncate(node.name),
            "manufacturer": "Blikk",
            "model": "Blikk Edge",
            "sw_version": node.version,
        },
        "origin": {"name": ORIGIN, "sw_version": node.version},
        "availability": [{"topic": topics.status}],
        "qos": 1,
        "components": dict(node_entities(node, topics)),
    }
    return _discovery(_config_topic(topics, "node", prefix), payload)


def _camera(node: NodeInfo, camera: CameraInfo, topics: Topics, prefix: str) -> Discovery:
    payload: JsonObject = {
        "device": {
            "identifiers": [f"{_node_identifier(node)}.{camera.id}"],
            "name": truncate(camera.name),
            "manufacturer": "Blikk",
            "model": "Camera",
            "sw_version": node.version,
            "via_device": _node_identifier(node),
        },
        "origin": {"name": ORIGIN, "sw_version": node.version},
        "availability": [{"topic": topics.status}],
        "qos": 1,
        "components": dict(camera_entities(node, camera, topics)),
    }
    return _discovery(_config_topic(topics, f"camera_{_discovery_id(camera.id)}", prefix), payload)


def _node_identifier(node: NodeInfo) -> str:
    return f"blikk.{node.id}"


def _discovery(topic: str, payload: JsonObject) -> Discovery:
    parts = payload["components"]
    assert isinstance(parts, dict)
    platforms = {key: str(part["platform"]) for key, part in parts.items() if isinstance(part, dict)}
    return Discovery(topic=topic, payload=payload, components=platforms)
