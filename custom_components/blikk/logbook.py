"""Lines of the logbook, which users know as Activity: a visit that has the title of the one before is a line, too."""

from collections.abc import Callable

from homeassistant.components.logbook.const import LOGBOOK_ENTRY_ENTITY_ID, LOGBOOK_ENTRY_MESSAGE, LOGBOOK_ENTRY_NAME
from homeassistant.components.logbook.models import LazyEventPartialState
from homeassistant.core import Event, HomeAssistant, callback

from .const import DOMAIN, EVENT_SAME_SUMMARY

type Describe = Callable[[Event | LazyEventPartialState], dict[str, str]]


@callback
def async_describe_events(hass: HomeAssistant, async_describe_event: Callable[[str, str, Describe], None]) -> None:
    """Say how our events are described."""

    @callback
    def describe(event: Event | LazyEventPartialState) -> dict[str, str]:
        entity_id = event.data["entity_id"]
        state = hass.states.get(entity_id)
        return {
            LOGBOOK_ENTRY_NAME: state.name if state else entity_id,
            LOGBOOK_ENTRY_MESSAGE: event.data["title"],
            LOGBOOK_ENTRY_ENTITY_ID: entity_id,
        }

    async_describe_event(DOMAIN, EVENT_SAME_SUMMARY, describe)
