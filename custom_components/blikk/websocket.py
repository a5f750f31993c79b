"""WebSocket commands for the cards: which cameras there are, pages of the timeline, what is new, and the live view."""

from typing import Any

import probatio as vol
from homeassistant.components.websocket_api import async_register_command
from homeassistant.components.websocket_api.connection import ActiveConnection
from homeassistant.components.websocket_api.const import ERR_INVALID_FORMAT, ERR_NOT_FOUND
from homeassistant.components.websocket_api.decorators import async_response, websocket_command
from homeassistant.components.websocket_api.messages import event_message
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import config_validation as cv

from .feed import Feed
from .live_feed import LiveFeed
from .timeline import Filter, async_page, places, signer

MAX_EVENTS = 100
_WANTED: dict[str | vol.Marker, Any] = {
    vol.Optional("cameras", default=[]): [cv.entity_id],
    vol.Optional("labels", default=[]): [cv.string],
    vol.Optional("zones", default=[]): [cv.string],
}


@callback
def async_register(hass: HomeAssistant) -> None:
    """Register all commands, once for the component."""
    async_register_command(hass, _cameras)
    async_register_command(hass, _timeline)
    async_register_command(hass, _subscribe)
    async_register_command(hass, _live)
    async_register_command(hass, _live_taken)


@websocket_command({vol.Required("type"): "blikk/cameras"})
@callback
def _cameras(hass: HomeAssistant, connection: ActiveConnection, message: dict[str, Any]) -> None:
    """The cameras that this user may look at."""
    shown = places(hass, connection.user, Filter())
    connection.send_result(message["id"], {"cameras": [place.as_json() for place in shown]})


@websocket_command(
    {
        vol.Required("type"): "blikk/timeline",
        **_WANTED,
        vol.Optional("before"): vol.All(cv.string, vol.Length(max=400)),
        vol.Optional("limit", default=20): vol.All(int, vol.Range(min=1, max=MAX_EVENTS)),
    }
)
@async_response
async def _timeline(hass: HomeAssistant, connection: ActiveConnection, message: dict[str, Any]) -> None:
    """A page of the past."""
    wanted = _wanted(message)
    shown = places(hass, connection.user, wanted)
    try:
        page = await async_page(
            hass, shown, wanted, signer(hass, connection), before=message.get("before"), limit=message["limit"]
        )
    except ValueError:
        connection.send_error(message["id"], ERR_INVALID_FORMAT, "`before` is no place in the timeline")
        return
    missing = [{"node": node, "reason": reason} for node, reason in page.missing.items()]
    connection.send_result(message["id"], {"events": page.events, "before": page.before, "missing": missing})


@websocket_command({vol.Required("type"): "blikk/timeline/subscribe", **_WANTED})
@callback
def _subscribe(hass: HomeAssistant, connection: ActiveConnection, message: dict[str, Any]) -> None:
    """What is new, until the connection ends: see `Feed`."""

    @callback
    def send(content: dict[str, Any]) -> None:
        connection.send_message(event_message(message["id"], content))

    connection.send_result(message["id"])
    feed = Feed(hass, connection.user, _wanted(message), signer(hass, connection), send)
    connection.subscriptions[message["id"]] = feed.start()


@websocket_command({vol.Required("type"): "blikk/live", vol.Required("entity_id"): cv.entity_id})
@callback
def _live(hass: HomeAssistant, connection: ActiveConnection, message: dict[str, Any]) -> None:
    """The live view of a camera, until the subscription ends: see `LiveFeed`. Each message names the subscription."""
    number = message["id"]
    shown = places(hass, connection.user, Filter(cameras=frozenset({message["entity_id"]})))
    if not shown or not shown[0].node.live.offered:
        connection.send_error(number, ERR_NOT_FOUND, "this camera has no live view")
        return

    @callback
    def send(content: dict[str, Any]) -> None:
        connection.send_message(event_message(number, {"subscription": number, **content}))

    connection.send_result(number)
    connection.subscriptions[number] = LiveFeed(hass, shown[0], send)


@websocket_command({vol.Required("type"): "blikk/live/taken", vol.Required("subscription"): int})
@callback
def _live_taken(hass: HomeAssistant, connection: ActiveConnection, message: dict[str, Any]) -> None:
    """The browser has taken a message of that live view: it may be sent another."""
    feed = connection.subscriptions.get(message["subscription"])
    if isinstance(feed, LiveFeed):
        feed.taken()
    connection.send_result(message["id"])


def _wanted(message: dict[str, Any]) -> Filter:
    return Filter(
        cameras=frozenset(message["cameras"]),
        labels=frozenset(message["labels"]),
        zones=frozenset(message["zones"]),
    )
