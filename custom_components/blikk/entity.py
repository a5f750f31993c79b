"""What all entities share: names, ids, devices, availability, and how they come and go with the announce."""

from collections.abc import Callable, Iterable
from datetime import datetime

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import DOMAIN
from .contract import Answer, Camera, Summary
from .names import device_key, slug, unique_id
from .node import BlikkConfigEntry, BlikkNode
from .state import CameraNow, Changed


class BlikkEntity(Entity):
    """An entity of a node or, with `camera`, of one of its cameras.

    `key` never changes; `object_id` is what follows the device in the entity id (empty: nothing), as in the node's own
    MQTT discovery and independent of Home Assistant's language. `needs_stream` says that it is about what is seen now;
    what was reported, and what can be set, is there as long as the node is.
    """

    _attr_has_entity_name = True
    _attr_should_poll = False
    updates_on: tuple[Changed, ...] = ()
    needs_stream = False

    def __init__(self, domain: str, node: BlikkNode, camera: Camera | None, key: str, object_id: str) -> None:
        self.node = node
        self.camera = camera.id if camera else None
        self.key = key
        self._attr_unique_id = unique_id(node.id, self.camera, key)
        stem = slug(self.camera or node.id)
        self.entity_id = f"{domain}.{stem}_{object_id}" if object_id else f"{domain}.{stem}"
        self._attr_device_info = DeviceInfo(identifiers={(DOMAIN, device_key(node.id, self.camera))})

    async def async_added_to_hass(self) -> None:
        """Begin to hear."""
        await super().async_added_to_hass()
        self.async_on_remove(self.node.listen(None, Changed.STATUS, self.async_write_ha_state))
        if self.camera is not None:
            self.async_on_remove(self.node.listen(self.camera, Changed.STATUS, self.async_write_ha_state))
        for changed in self.updates_on:
            self.async_on_remove(self.node.listen(self.camera, changed, self.changed))
        self.take()

    @callback
    def changed(self) -> None:
        """Something of `updates_on` changed: take it over and write the state."""
        self.take()
        self.async_write_ha_state()

    @callback
    def take(self) -> None:
        """Take over what the node sent last; nothing by default."""

    @property
    def available(self) -> bool:
        """While broker and node are there, and the camera's stream where it is needed."""
        if not (self.node.connected and self.node.online):
            return False
        return not self.needs_stream or bool(self.now.online)

    @property
    def now(self) -> CameraNow:
        """What the camera sent last."""
        assert self.camera is not None
        return self.node.camera(self.camera)

    @property
    def announced(self) -> Camera | None:
        """The camera as it is announced at present."""
        return self.node.announce.camera(self.camera) if self.camera else None


class InLanguage(Entity):
    """An entity of which blueprints make notifications: it says in which language, which templates do not know."""

    _unrecorded_attributes = frozenset({"language"})

    @property
    def extra_state_attributes(self) -> dict[str, str]:
        """The tag of Home Assistant's language, as `de` or `pt-BR`."""
        return {"language": self.hass.config.language}


type Attributes = dict[str, str | float | list[str] | dict[str, int] | None]


def summary_attributes(summary: Summary | None) -> Attributes:
    """What a text about an event or a period says beside its title."""
    if summary is None:
        return {}
    return {
        "text": summary.text,
        "importance": summary.importance,
        "event": summary.event,
        "revision": summary.revision,
        "labels": list(summary.labels),
        "source": summary.source,
        "model": summary.model,
        "tokens": dict(summary.tokens),
        "pictures": summary.pictures,
        "checked": summary.checked,
        "time": _iso(summary.time),
        "since": _iso(summary.since),
        "until": _iso(summary.until),
    }


def answer_attributes(answer: Answer | None) -> Attributes:
    """What an answer rests on."""
    if answer is None:
        return {}
    return {
        "question": answer.asked,
        "confidence": answer.confidence,
        "since": _iso(answer.since),
        "evidence": answer.evidence,
        "event": answer.event,
        "source": answer.source,
        "model": answer.model,
    }


def _iso(time: datetime | None) -> str | None:
    return time.isoformat() if time else None


@callback
def follow_announce(
    entry: BlikkConfigEntry,
    domain: str,
    async_add_entities: AddConfigEntryEntitiesCallback,
    build: Callable[[BlikkNode], Iterable[BlikkEntity]],
) -> None:
    """Add what `build` makes now, and later what is new when the node announces itself anew."""
    node = entry.runtime_data
    known: set[str] = set()

    @callback
    def follow() -> None:
        entities = {str(entity.unique_id): entity for entity in build(node)}
        node.wanted[domain] = set(entities)
        new = [entity for key, entity in entities.items() if key not in known]
        known.clear()
        known.update(entities)
        if new:
            async_add_entities(new)

    entry.async_on_unload(node.listen(None, Changed.ANNOUNCE, follow))
    follow()


def own_entities(hass: HomeAssistant, entity_ids: set[str], *translation_keys: str) -> set[str]:
    """Those of the entities that are this component's, and of these kinds."""
    registry = er.async_get(hass)
    entries = {entity_id: registry.async_get(entity_id) for entity_id in entity_ids}
    return {
        entity_id
        for entity_id, entry in entries.items()
        if entry is not None and entry.platform == DOMAIN and entry.translation_key in translation_keys
    }
