"""What the broker knows of nodes, whether or not they are set up here: who announced itself, and who is online."""

import asyncio
from collections.abc import Callable

from homeassistant.components import mqtt
from homeassistant.config_entries import SOURCE_MQTT
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers import discovery_flow
from homeassistant.helpers.service_info.mqtt import MqttServiceInfo
from homeassistant.util.hass_dict import HassKey

from . import reader
from .const import DOMAIN
from .contract import Announce, ContractError

PROBE_LIMIT_S = 5.0
QUIET_S = 0.5
"""What the broker keeps comes together; after such a pause there is no more."""

_AWAITED: HassKey[dict[str, CALLBACK_TYPE]] = HassKey(f"{DOMAIN}_awaited_nodes")


async def async_announces(hass: HomeAssistant, prefix: str, node: str) -> dict[str, Announce]:
    """The retained announces of nodes by id; `node` may be `+`."""
    found = await _async_kept(hass, prefix, node, "announce", reader.read_announce)
    return {where: announce for where, announce in found.items() if where == announce.id}


async def async_online(hass: HomeAssistant, prefix: str, node: str) -> set[str]:
    """The ids of the nodes that are online; `node` may be `+`. One whose status is not known is not."""
    found = await _async_kept(hass, prefix, node, "status", reader.read_status)
    return {where for where, online in found.items() if online}


async def _async_kept[T](
    hass: HomeAssistant, prefix: str, node: str, word: str, read: Callable[[bytes], T]
) -> dict[str, T]:
    """What nodes said last under one of their topics, by their ids; `read` raises ContractError for what is wrong."""
    found: dict[str, T] = {}
    came = asyncio.Event()

    @callback
    def received(message: mqtt.ReceiveMessage) -> None:
        where = message.topic.removeprefix(f"{prefix}/").removesuffix(f"/{word}")
        if message.topic != f"{prefix}/{where}/{word}":
            return
        try:
            found[where] = read(reader.as_bytes(message.payload))
        except ContractError:
            return
        came.set()

    unsubscribe = await mqtt.async_subscribe(hass, f"{prefix}/{node}/{word}", received, 1, None)
    try:
        async with asyncio.timeout(PROBE_LIMIT_S):
            await came.wait()
            while node == "+" and came.is_set():
                came.clear()
                await asyncio.sleep(QUIET_S)
    except TimeoutError:
        pass
    finally:
        unsubscribe()
    return found


async def async_offer_when_online(hass: HomeAssistant, found: MqttServiceInfo) -> None:
    """Find a node again when it is online.

    Home Assistant itself takes the same announce once only, so it would not be found when it is back.
    """
    no_more_awaited(hass, found.topic)

    @callback
    def received(message: mqtt.ReceiveMessage) -> None:
        try:
            online = reader.read_status(reader.as_bytes(message.payload))
        except ContractError:
            return
        if online and no_more_awaited(hass, found.topic):
            key = discovery_flow.DiscoveryKey(domain=mqtt.DOMAIN, key=found.topic, version=1)
            discovery_flow.async_create_flow(hass, DOMAIN, {"source": SOURCE_MQTT}, found, discovery_key=key)

    status = f"{found.topic.removesuffix('announce')}status"
    hass.data.setdefault(_AWAITED, {})[found.topic] = await mqtt.async_subscribe(hass, status, received, 1, None)


@callback
def no_more_awaited(hass: HomeAssistant, announce_topic: str) -> bool:
    """Wait for a node no longer; whether it was waited for."""
    stop = hass.data.get(_AWAITED, {}).pop(announce_topic, None)
    if stop is not None:
        stop()
    return stop is not None
