"""A node that could not be set up without the broker is tried again when it comes, not when a timer ends."""

from homeassistant.components import mqtt
from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.util.hass_dict import HassKey

from .const import DOMAIN

_WAITING: HassKey[dict[str, CALLBACK_TYPE]] = HassKey(f"{DOMAIN}_waiting")
"""How to stop waiting, by entry."""


@callback
def when_connected(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Set the entry up at the next connection, unless it is set up or removed by then.

    What an entry is to do when it is unloaded is done at each try that fails: this has to outlive it.
    """
    waiting = hass.data.setdefault(_WAITING, {})
    if entry.entry_id in waiting:
        return

    @callback
    def connection_changed(connected: bool) -> None:
        if not connected:
            return
        waiting.pop(entry.entry_id)()
        if entry.state is ConfigEntryState.SETUP_RETRY:
            hass.config_entries.async_schedule_reload(entry.entry_id)

    waiting[entry.entry_id] = mqtt.async_subscribe_connection_status(hass, connection_changed)
