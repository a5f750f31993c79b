"""The actions of the component: asking a node about the past, searching it, describing, snoozing, forgetting."""

from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any, cast

import probatio as vol
from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse, callback
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.service import async_get_config_entry
from homeassistant.util import dt as dt_util

from . import devices
from .const import DOMAIN
from .contract import Json, Reply
from .labels import LABELS
from .node import BlikkNode

ATTR_DEVICE = "device_id"
MAX_EVENTS = 500
MAX_FOUND = 100
MAX_MARK = 60

_PERIOD = {vol.Optional("since"): cv.datetime, vol.Optional("until"): cv.datetime}
_ASK = vol.Schema(
    {
        vol.Optional(ATTR_DEVICE): cv.string,
        vol.Required("question"): vol.All(cv.string, vol.Length(min=1, max=500)),
        **_PERIOD,
    }
)
_GET_EVENTS = vol.Schema(
    {
        vol.Optional(ATTR_DEVICE): cv.string,
        vol.Optional("label"): vol.In(LABELS),
        vol.Optional("zone"): cv.string,
        vol.Optional("limit", default=100): vol.All(vol.Coerce(int), vol.Range(min=1, max=MAX_EVENTS)),
        **_PERIOD,
    }
)
_DESCRIBE = vol.Schema({vol.Optional(ATTR_DEVICE): cv.string, vol.Optional("event"): cv.string})
_SNOOZE = vol.Schema(
    {
        vol.Optional(ATTR_DEVICE): vol.All(cv.ensure_list, [cv.string]),
        vol.Required("duration"): cv.positive_time_period,
    }
)
_SEARCH = vol.Schema(
    {
        vol.Optional(ATTR_DEVICE): cv.string,
        vol.Required("query"): vol.All(cv.string, vol.Length(min=1, max=500)),
        vol.Optional("limit", default=10): vol.All(vol.Coerce(int), vol.Range(min=1, max=MAX_FOUND)),
        **_PERIOD,
    }
)
_MARK = vol.Schema(
    {
        vol.Optional(ATTR_DEVICE): cv.string,
        vol.Required("event"): cv.string,
        vol.Required("mark"): vol.All(cv.string, vol.Length(max=MAX_MARK)),
    }
)
_FORGET = vol.Schema({vol.Optional(ATTR_DEVICE): cv.string, vol.Optional("event"): cv.string, **_PERIOD})

type Perform = Callable[[ServiceCall], Coroutine[Any, Any, ServiceResponse]]


@callback
def async_register(hass: HomeAssistant) -> None:
    """Register all actions, once for the component."""
    actions: dict[str, tuple[Perform, vol.Schema, SupportsResponse]] = {
        "ask": (_ask, _ASK, SupportsResponse.ONLY),
        "get_events": (_get_events, _GET_EVENTS, SupportsResponse.ONLY),
        "describe": (_describe, _DESCRIBE, SupportsResponse.OPTIONAL),
        "snooze": (_snooze, _SNOOZE, SupportsResponse.OPTIONAL),
        "forget": (_forget, _FORGET, SupportsResponse.OPTIONAL),
        "search": (_search, _SEARCH, SupportsResponse.ONLY),
        "mark": (_mark, _MARK, SupportsResponse.OPTIONAL),
    }
    for name, (perform, schema, response) in actions.items():
        hass.services.async_register(DOMAIN, name, perform, schema, response)


async def _ask(call: ServiceCall) -> ServiceResponse:
    node, camera = _addressed(call.hass, call.data.get(ATTR_DEVICE))
    reply = await node.async_request("ask", question=call.data["question"], camera=camera, **_period(call))
    return _response(reply, "text", "count", "query", "events", "source", "model", "tokens")


async def _get_events(call: ServiceCall) -> ServiceResponse:
    node, camera = _addressed(call.hass, call.data.get(ATTR_DEVICE))
    reply = await node.async_request(
        "events",
        camera=camera,
        label=call.data.get("label"),
        zone=call.data.get("zone"),
        limit=call.data["limit"],
        **_period(call),
    )
    return _response(reply, "count", "events")


async def _search(call: ServiceCall) -> ServiceResponse:
    node, camera = _addressed(call.hass, call.data.get(ATTR_DEVICE))
    if "search" not in node.announce.capabilities:
        raise _invalid("cannot_search", node=node.announce.name)
    reply = await node.async_request(
        "search", query=call.data["query"], camera=camera, limit=call.data["limit"], **_period(call)
    )
    return _response(reply, "text", "count", "found", "model")


async def _describe(call: ServiceCall) -> ServiceResponse:
    node, camera = _addressed(call.hass, call.data.get(ATTR_DEVICE))
    event = call.data.get("event")
    if camera is None and event is None:
        raise _invalid("describe_what")
    reply = await node.async_request("describe", camera=camera, event=event)
    return _response(reply, "text", "summary")


async def _snooze(call: ServiceCall) -> ServiceResponse:
    duration = call.data["duration"]
    until = dt_util.utcnow() + duration if duration else None
    snoozed: dict[str, Json] = {}
    for device in call.data.get(ATTR_DEVICE) or (None,):
        node, camera = _addressed(call.hass, device)
        for camera_id in [camera] if camera else [each.id for each in node.announce.cameras]:
            node.snooze(camera_id, until)
            snoozed[camera_id] = until.isoformat() if until else None
    return cast("ServiceResponse", {"snoozed": snoozed})


async def _forget(call: ServiceCall) -> ServiceResponse:
    node, camera = _addressed(call.hass, call.data.get(ATTR_DEVICE))
    event = call.data.get("event")
    period = _period(call)
    if camera is None and event is None and not any(period.values()):
        raise _invalid("forget_what")
    reply = await node.async_request("forget", camera=camera, event=event, **period)
    node.forget_pictures(camera)
    node.forget_marks(event)
    return _response(reply, "count")


async def _mark(call: ServiceCall) -> ServiceResponse:
    node, _ = _addressed(call.hass, call.data.get(ATTR_DEVICE))
    reply = await node.async_mark(call.data["event"], call.data["mark"].strip())
    return _response(reply, "events", "rings")


def _addressed(hass: HomeAssistant, device_id: str | None) -> tuple[BlikkNode, str | None]:
    """The node, and the camera if it is one, of a device; without a device the only node there is."""
    entry_id, device = None, None
    if device_id is not None:
        device = dr.async_get(hass).async_get(device_id)
        if device is None or not any(domain == DOMAIN for domain, _ in device.identifiers):
            raise _invalid("unknown_device", device=device_id)
        entry_id = device.config_entry_id
    node: BlikkNode = async_get_config_entry(hass, DOMAIN, entry_id).runtime_data
    return node, devices.camera_of(node.announce, device) if device else None


def _period(call: ServiceCall) -> dict[str, Json]:
    return {key: _iso(call.data.get(key)) for key in ("since", "until")}


def _iso(time: datetime | None) -> str | None:
    return dt_util.as_utc(time).isoformat() if time else None


def _response(reply: Reply, *keys: str) -> ServiceResponse:
    return cast("ServiceResponse", {key: reply.content.get(key) for key in keys})


def _invalid(key: str, **placeholders: str) -> ServiceValidationError:
    return ServiceValidationError(
        translation_domain=DOMAIN, translation_key=key, translation_placeholders=placeholders or None
    )
