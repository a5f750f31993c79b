"""Which cameras an assistant may be asked about: those that are exposed to it, of nodes whose options allow it."""

from dataclasses import dataclass

from homeassistant.components.homeassistant.exposed_entities import async_expose_entity, async_should_expose
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er

from .const import CONF_ASSISTANTS, DOMAIN
from .contract import Camera
from .names import unique_id
from .node import BlikkConfigEntry, BlikkNode

ASSIST = "conversation"
"""What Home Assistant calls its own assistant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposedCamera:
    """A camera that may be asked about; `names` are what it is called, the first one is used in answers."""

    node: BlikkNode
    camera: Camera
    entity_id: str
    names: tuple[str, ...]

    @property
    def name(self) -> str:
        """What it is called in answers."""
        return self.names[0]


@callback
def answering(hass: HomeAssistant) -> list[BlikkConfigEntry]:
    """The nodes that are loaded and whose options let assistants ask."""
    loaded: list[BlikkConfigEntry] = hass.config_entries.async_loaded_entries(DOMAIN)
    return [entry for entry in loaded if entry.options.get(CONF_ASSISTANTS, True)]


@callback
def camera_entities(hass: HomeAssistant, entry: BlikkConfigEntry) -> dict[str, tuple[Camera, er.RegistryEntry]]:
    """The camera entities of a node by entity id."""
    registry, node = er.async_get(hass), entry.runtime_data
    found = {}
    for camera in node.announce.cameras:
        entity_id = registry.async_get_entity_id(Platform.CAMERA, DOMAIN, unique_id(node.id, camera.id, "still"))
        entity = registry.async_get(entity_id) if entity_id else None
        if entity is not None:
            found[entity.entity_id] = (camera, entity)
    return found


@callback
def exposed(hass: HomeAssistant, assistant: str) -> list[ExposedCamera]:
    """The cameras that are exposed to an assistant, by name."""
    found = []
    for entry in answering(hass):
        for entity_id, (camera, entity) in camera_entities(hass, entry).items():
            state = hass.states.get(entity_id)
            if state is None or not async_should_expose(hass, assistant, entity_id):
                continue
            aliases = er.async_get_entity_aliases(hass, entity, allow_empty=True)
            names = tuple(dict.fromkeys(name for name in (state.name, *aliases) if name.strip()))
            found.append(ExposedCamera(node=entry.runtime_data, camera=camera, entity_id=entity_id, names=names))
    return sorted(found, key=lambda each: (each.name, each.entity_id))


@callback
def expose(hass: HomeAssistant, entry: BlikkConfigEntry) -> None:
    """Expose all cameras of a node to Assist."""
    for entity_id in camera_entities(hass, entry):
        async_expose_entity(hass, ASSIST, entity_id, True)
