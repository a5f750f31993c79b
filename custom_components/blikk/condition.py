"""Purpose-specific conditions: somebody is there, nobody is there, a camera is snoozed."""

from collections.abc import Mapping

import probatio as vol
from homeassistant.components.binary_sensor.const import DOMAIN as BINARY_SENSOR_DOMAIN
from homeassistant.components.binary_sensor.const import BinarySensorDeviceClass
from homeassistant.const import CONF_OPTIONS, CONF_ZONE, STATE_OFF, STATE_ON
from homeassistant.core import HomeAssistant, State
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.automation import DomainSpec
from homeassistant.helpers.condition import (
    ENTITY_STATE_CONDITION_SCHEMA_ANY_ALL,
    Condition,
    ConditionConfig,
    EntityStateConditionBase,
)

from . import reader
from .const import CONF_ANNOUNCE, DOMAIN
from .entity import own_entities
from .labels import LABELS
from .names import in_zone_key, unique_id, zone_keys

_OCCUPANCY = [form.format(label) for form in ("{}", "zone_{}") for label in (*LABELS, "object")]
"""Anywhere before a camera, and in one of its zones."""


class Occupied(EntityStateConditionBase):
    """Somebody or something is there; with a zone, in that zone, and where nothing tells that it is false."""

    _schema: vol.Schema = ENTITY_STATE_CONDITION_SCHEMA_ANY_ALL.extend(
        {vol.Required(CONF_OPTIONS, default={}): {vol.Optional(CONF_ZONE): cv.string}}
    )
    _domain_specs: Mapping[str, DomainSpec] = {
        BINARY_SENSOR_DOMAIN: DomainSpec(device_class=BinarySensorDeviceClass.OCCUPANCY)
    }
    _states = {STATE_ON}  # noqa: RUF012 - Home Assistant's own attribute

    def __init__(self, hass: HomeAssistant, config: ConditionConfig) -> None:
        super().__init__(hass, config)
        self._zone = str((config.options or {}).get(CONF_ZONE, "")).strip().casefold()

    def entity_filter(self, entities: set[str]) -> set[str]:
        """Occupancy of this component."""
        found = own_entities(self._hass, super().entity_filter(entities), *_OCCUPANCY)
        return _in_zone(self._hass, found, self._zone) if self._zone else found

    def _check_all_match_state(self, states: list[State]) -> bool:
        return bool(states or not self._zone) and super()._check_all_match_state(states)


class NotOccupied(Occupied):
    """Nobody and nothing is there."""

    _states = {STATE_OFF}  # noqa: RUF012 - Home Assistant's own attribute


class Snoozed(EntityStateConditionBase):
    """The events of a camera are silent."""

    _domain_specs: Mapping[str, DomainSpec] = {BINARY_SENSOR_DOMAIN: DomainSpec()}
    _states = {STATE_ON}  # noqa: RUF012 - Home Assistant's own attribute
    _primary_entities_only = False

    def entity_filter(self, entities: set[str]) -> set[str]:
        """The sensors of this component that show snoozing."""
        return own_entities(self._hass, super().entity_filter(entities), "snoozed")


def _in_zone(hass: HomeAssistant, entity_ids: set[str], zone: str) -> set[str]:
    """Those of the entities that tell what is in the zones of that name, which is given in small letters."""
    registry, wanted = er.async_get(hass), set[str]()
    for entry in hass.config_entries.async_entries(DOMAIN, include_ignore=False):
        announce = reader.announce_of(entry.data[CONF_ANNOUNCE])
        for camera in announce.cameras:
            keys = [key for name, key in zone_keys(camera.zones).items() if name.casefold() == zone]
            labels = [in_zone_key(label, key) for key in keys for label in camera.labels]
            wanted |= {unique_id(announce.id, camera.id, label) for label in labels}
    entries = {entity_id: registry.async_get(entity_id) for entity_id in entity_ids}
    return {entity_id for entity_id, entry in entries.items() if entry is not None and entry.unique_id in wanted}


CONDITIONS: dict[str, type[Condition]] = {
    "is_occupied": Occupied,
    "is_not_occupied": NotOccupied,
    "is_snoozed": Snoozed,
}


async def async_get_conditions(hass: HomeAssistant) -> dict[str, type[Condition]]:
    """The conditions by name."""
    return CONDITIONS
