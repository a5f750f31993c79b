"""Purpose-specific triggers: somebody was seen, a parcel was left, somebody lingers, a summary was written."""

from collections.abc import Mapping
from datetime import timedelta

from homeassistant.components.event import DOMAIN as EVENT_DOMAIN
from homeassistant.components.sensor import DOMAIN as SENSOR_DOMAIN
from homeassistant.core import HomeAssistant, State
from homeassistant.helpers.automation import DomainSpec
from homeassistant.helpers.trigger import NotTriggeredReasonReporter, StatelessEntityTriggerBase, Trigger
from homeassistant.util import dt as dt_util

from .entity import own_entities

RECENT = timedelta(minutes=5)
"""A summary that was written earlier is one that the broker had kept."""


class SeenTrigger(StatelessEntityTriggerBase):
    """A detection of one type."""

    _domain_specs: Mapping[str, DomainSpec] = {EVENT_DOMAIN: DomainSpec()}
    event_type: str

    def entity_filter(self, entities: set[str]) -> set[str]:
        """Detections of this component."""
        return own_entities(self._hass, super().entity_filter(entities), "detection")

    def is_valid_state(self, state: State, report_not_triggered: NotTriggeredReasonReporter) -> bool:
        """Whether it is of the type."""
        return state.attributes.get("event_type") == self.event_type


class PersonSeen(SeenTrigger):
    """A person appeared."""

    event_type = "person"


class VehicleSeen(SeenTrigger):
    """A vehicle appeared."""

    event_type = "vehicle"


class AnimalSeen(SeenTrigger):
    """An animal appeared."""

    event_type = "animal"


class PackageDelivered(SeenTrigger):
    """A parcel was left."""

    event_type = "package"


class SomeoneLingers(SeenTrigger):
    """Somebody stays for long."""

    event_type = "loitering"


class SummaryWritten(StatelessEntityTriggerBase):
    """A sentence about an event was written."""

    _domain_specs: Mapping[str, DomainSpec] = {SENSOR_DOMAIN: DomainSpec()}

    def entity_filter(self, entities: set[str]) -> set[str]:
        """Summaries of this component."""
        return own_entities(self._hass, super().entity_filter(entities), "last_summary")

    def is_valid_transition(self, from_state: State, to_state: State) -> bool:
        """Whether it is another text than before."""
        return any(
            from_state.attributes.get(key) != to_state.attributes.get(key) for key in ("event", "revision", "text")
        )

    def is_valid_state(self, state: State, report_not_triggered: NotTriggeredReasonReporter) -> bool:
        """Whether it was written just now."""
        time = dt_util.parse_datetime(str(state.attributes.get("time")))
        return time is not None and dt_util.utcnow() - time < RECENT


TRIGGERS: dict[str, type[Trigger]] = {
    "person_seen": PersonSeen,
    "vehicle_seen": VehicleSeen,
    "animal_seen": AnimalSeen,
    "package_delivered": PackageDelivered,
    "someone_lingers": SomeoneLingers,
    "summary_written": SummaryWritten,
}


async def async_get_triggers(hass: HomeAssistant) -> dict[str, type[Trigger]]:
    """The triggers by name."""
    return TRIGGERS
