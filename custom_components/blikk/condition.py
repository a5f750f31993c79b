"""Purpose-specific conditions: somebody is there, nobody is there, a camera is snoozed."""

from collections.abc import Mapping

from homeassistant.components.binary_sensor.const import DOMAIN as BINARY_SENSOR_DOMAIN
from homeassistant.components.binary_sensor.const import BinarySensorDeviceClass
from homeassistant.const import STATE_OFF, STATE_ON
from homeassistant.core import HomeAssistant
from homeassistant.helpers.automation import DomainSpec
from homeassistant.helpers.condition import Condition, EntityStateConditionBase

from .entity import own_entities
from .labels import LABELS

_OCCUPANCY = [form.format(label) for form in ("{}", "zone_{}") for label in (*LABELS, "object")]
"""Anywhere before a camera, and in one of its zones."""


class Occupied(EntityStateConditionBase):
    """Somebody or something is there."""

    _domain_specs: Mapping[str, DomainSpec] = {
        BINARY_SENSOR_DOMAIN: DomainSpec(device_class=BinarySensorDeviceClass.OCCUPANCY)
    }
    _states = {STATE_ON}  # noqa: RUF012 - Home Assistant's own attribute

    def entity_filter(self, entities: set[str]) -> set[str]:
        """Occupancy of this component."""
        return own_entities(self._hass, super().entity_filter(entities), *_OCCUPANCY)


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


CONDITIONS: dict[str, type[Condition]] = {
    "is_occupied": Occupied,
    "is_not_occupied": NotOccupied,
    "is_snoozed": Snoozed,
}


async def async_get_conditions(hass: HomeAssistant) -> dict[str, type[Condition]]:
    """The conditions by name."""
    return CONDITIONS
