"""Purpose-specific triggers: somebody was seen, a parcel was left or taken, somebody loiters, a summary was written."""

from collections.abc import Mapping
from datetime import timedelta

import probatio as vol
from homeassistant.components.event import DOMAIN as EVENT_DOMAIN
from homeassistant.components.sensor import DOMAIN as SENSOR_DOMAIN
from homeassistant.const import ATTR_ENTITY_ID, CONF_OPTIONS, CONF_ZONE
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, State, callback
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.automation import DomainSpec
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.target import TargetSelection, async_extract_referenced_entity_ids
from homeassistant.helpers.trigger import (
    ENTITY_STATE_TRIGGER_SCHEMA,
    NotTriggeredReasonReporter,
    StatelessEntityTriggerBase,
    Trigger,
    TriggerActionRunner,
    TriggerNotTriggeredReporter,
)
from homeassistant.util import dt as dt_util

from .entity import own_entities
from .event import SIGNAL_IN_ZONES, InZones

RECENT = timedelta(minutes=5)
"""A summary that was written earlier is one that the broker had kept."""


class SeenTrigger(StatelessEntityTriggerBase):
    """A detection of one type; with a zone, the moment in which it is there, which may be later than the detection."""

    _domain_specs: Mapping[str, DomainSpec] = {EVENT_DOMAIN: DomainSpec()}
    _schema: vol.Schema = ENTITY_STATE_TRIGGER_SCHEMA.extend(
        {vol.Required(CONF_OPTIONS, default={}): {vol.Optional(CONF_ZONE): cv.string}}
    )
    event_type: str

    async def async_attach_runner(
        self, run_action: TriggerActionRunner, did_not_trigger: TriggerNotTriggeredReporter | None = None
    ) -> CALLBACK_TYPE:
        """Begin to hear; returns how to stop."""
        zone = str(self._options.get(CONF_ZONE, "")).strip().casefold()
        if not zone:
            return await super().async_attach_runner(run_action, did_not_trigger)
        selection = TargetSelection(self._target)

        @callback
        def crossed(entered: InZones) -> None:
            if entered.what != self.event_type or zone not in {each.casefold() for each in entered.zones}:
                return
            found = async_extract_referenced_entity_ids(self._hass, selection)
            if entered.entity_id in self.entity_filter(found.referenced | found.indirectly_referenced):
                seen = {ATTR_ENTITY_ID: entered.entity_id, "to_state": self._hass.states.get(entered.entity_id)}
                run_action({**seen, CONF_ZONE: zone}, f"{self.event_type} in {zone} of {entered.entity_id}", None)

        return async_dispatcher_connect(self._hass, SIGNAL_IN_ZONES, crossed)

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


class PackageTaken(SeenTrigger):
    """A parcel was taken."""

    event_type = "package_taken"


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
    "package_taken": PackageTaken,
    "someone_lingers": SomeoneLingers,
    "summary_written": SummaryWritten,
}


async def async_get_triggers(hass: HomeAssistant) -> dict[str, type[Trigger]]:
    """The triggers by name."""
    return TRIGGERS
