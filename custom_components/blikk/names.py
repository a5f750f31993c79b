"""Where everything of a node lies on MQTT, and what its devices and entities are called in Home Assistant.

Entity ids and unique ids are those of the node's own MQTT discovery, so that either can follow the other.
"""

import re
import unicodedata
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of one node, `<prefix>/<node>/...`."""

    prefix: str
    node: str

    @property
    def base(self) -> str:
        """What every topic of this node begins with, without a slash at the end."""
        return f"{self.prefix}/{self.node}"

    def of(self, *words: str) -> str:
        """A topic below the node."""
        return "/".join((self.base, *words))

    @property
    def claim(self) -> str:
        """Retained there: this component makes the entities, the node shall not."""
        return self.of("ha", "claim")

    def set(self, camera: str, setting: str) -> str:
        """Where a setting of a camera is changed or something is asked for."""
        return self.of(camera, "set", setting)

    def reply(self, request: str) -> str:
        """Where the answer to one request comes."""
        return self.of("reply", request)

    def plain_config(self, discovery_prefix: str, device: str) -> str:
        """The topic of one device of the node's own MQTT discovery: `node` or `camera_<camera>`."""
        return self.plain_filter(discovery_prefix).replace("+", _discovery_id(device))

    def plain_filter(self, discovery_prefix: str) -> str:
        """The subscription for all devices of the node's own MQTT discovery."""
        return f"{discovery_prefix}/device/blikk_{_discovery_id(self.node)}/+/config"


def _discovery_id(text: str) -> str:
    return re.sub(r"[^a-zA-Z0-9_-]", "_", text)


def slug(text: str) -> str:
    """Text as part of an entity id: `a-z`, `0-9` and single `_`; `x` where nothing is left."""
    plain = unicodedata.normalize("NFKD", text.lower().replace("ß", "ss")).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", plain).strip("_") or "x"


def short(text: str, limit: int = 60) -> str:
    """Text as the name of an entity, cut where it is too long."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def capital(text: str) -> str:
    """Text with a capital at its beginning."""
    return f"{text[:1].upper()}{text[1:]}"


def device_key(node: str, camera: str | None = None) -> str:
    """What identifies a device of this component."""
    return node if camera is None else f"{node}.{camera}"


def plain_device_key(node: str, camera: str | None = None) -> str:
    """What identifies the same device of plain MQTT discovery."""
    return f"blikk.{device_key(node, camera)}"


def unique_id(node: str, camera: str | None, key: str) -> str:
    """What identifies an entity, in this component and in plain MQTT discovery."""
    return f"blikk.{device_key(node, camera)}.{key}"


def zone_keys(zones: tuple[str, ...]) -> dict[str, str]:
    """The key of each zone's entity; names that look alike as ids are counted up."""
    keys: dict[str, str] = {}
    for zone in zones:
        key, number = f"zone_{slug(zone)}", 2
        while key in keys.values():
            key, number = f"zone_{slug(zone)}_{number}", number + 1
        keys[zone] = key
    return keys


def in_zone_key(label: str, zone_key: str) -> str:
    """The key of the entity that tells whether a label is in a zone, `zone_key` being that of the zone's entity."""
    return f"{slug(label)}_in_{zone_key}"
