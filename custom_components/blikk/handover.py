"""Taking the entities over from plain MQTT discovery, under the same entity ids; `giveback.py` is the way back.

The claim makes the node withdraw its discovery; Home Assistant then removes the plain entities, and only when they are
gone ours are made: beside them they would be named `..._2`. What users had set on the plain ones is set on ours.
"""

import asyncio
import logging

from homeassistant.components import mqtt
from homeassistant.const import EVENT_CORE_CONFIG_UPDATE
from homeassistant.core import CALLBACK_TYPE, Event, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers import instance_id
from homeassistant.helpers.event import async_call_later
from homeassistant.helpers.json import json_dumps

from . import customized, giveback, issues
from .const import CONF_NODE, CONF_PREFIX, DOMAIN
from .contract import PROTOCOL, Announce
from .customized import Customized
from .memory import Memory
from .names import Topics, device_key
from .node import BlikkConfigEntry
from .plain import plain_devices, plain_entities

_LOGGER = logging.getLogger(__name__)

CLAIM_LIMIT_S = 1.0
"""How long the broker has to hand over the claim it remembers."""
QUIET_S = 0.3
QUIET_LIMIT_S = 5.0
WITHDRAW_LIMIT_S = 1.5
"""How long after a claim the plain entities have to go before their discovery is withdrawn in the node's place: the
node may be away, and Home Assistant overlooks entities that it was still adding when the withdrawal came."""
REMOVE_LIMIT_S = 2.0
SETTLE_S = 3.0
"""A node that was configured to publish discovery whatever happens does so again after two seconds."""


def topics_of(entry: BlikkConfigEntry) -> Topics:
    """The topics of an entry's node."""
    return Topics(entry.data[CONF_PREFIX], entry.data[CONF_NODE])


async def async_claim(hass: HomeAssistant, topics: Topics) -> None:
    """Say that this component makes the entities, and where the household is and in which language.

    Raises HomeAssistantError when MQTT is not set up.
    """
    claim = {
        "v": PROTOCOL,
        "by": await instance_id.async_get(hass),
        "mode": "integration",
        "timezone": hass.config.time_zone,
        "language": hass.config.language,
    }
    await mqtt.async_publish(hass, topics.claim, json_dumps(claim), 1, True)


async def async_take_over(hass: HomeAssistant, entry: BlikkConfigEntry, announce: Announce, memory: Memory) -> bool:
    """Claim the node and wait until its plain entities are gone; False when they do not go.

    Raises HomeAssistantError while the broker is away.
    """
    if not mqtt.is_connected(hass):
        raise HomeAssistantError("the broker is away")
    topics = topics_of(entry)
    if not await _async_is_claimed(hass, entry, topics):
        await _async_quiet(hass)
    # what a user had set on ours when they were removed counts more, unless the plain ones were given it since
    if legacy := {**_legacy(hass, announce), **await giveback.async_take_back(hass, announce)}:
        await memory.async_keep_legacy({**memory.legacy, **legacy})
    await async_claim(hass, topics)
    if not await _async_gone(hass, announce, WITHDRAW_LIMIT_S) and not _any_live(hass, announce):
        _remove_orphans(hass, announce)
    if plain_entities(hass, announce):
        await async_withdraw(hass, announce, topics)
        if not await _async_gone(hass, announce, REMOVE_LIMIT_S):
            _remove_orphans(hass, announce)
        await asyncio.sleep(SETTLE_S)
    return not plain_entities(hass, announce)


@callback
def was_taken_over(hass: HomeAssistant, entry: BlikkConfigEntry) -> bool:
    """Whether entities of ours are there from an earlier set-up: then the plain ones are gone."""
    return bool(er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id))


@callback
def keep_claim(hass: HomeAssistant, entry: BlikkConfigEntry, *, claimed: bool) -> CALLBACK_TYPE:
    """Claim at each new connection: the broker may have forgotten, or be there for the first time. Returns how to stop.

    Also when the household's time zone or language changes. `claimed` says whether that was done for the connection
    that there is now.
    """

    async def claim() -> None:
        try:
            await async_claim(hass, topics_of(entry))
            await asyncio.sleep(WITHDRAW_LIMIT_S)
            announce = entry.runtime_data.announce
            if _any_live(hass, announce):
                await async_withdraw(hass, announce, topics_of(entry))
            else:
                _remove_orphans(hass, announce)
        except HomeAssistantError as error:
            _LOGGER.debug("%s is claimed when the broker is back: %s", entry.title, error)

    @callback
    def connection_changed(connected: bool) -> None:
        if connected:
            entry.async_create_background_task(hass, claim(), "blikk claim")

    @callback
    def config_changed(event: Event) -> None:
        if event.data.keys() & {"time_zone", "language"}:
            connection_changed(mqtt.is_connected(hass))

    unlisten = [
        mqtt.async_subscribe_connection_status(hass, connection_changed),
        hass.bus.async_listen(EVENT_CORE_CONFIG_UPDATE, config_changed),
    ]
    connection_changed(not claimed and mqtt.is_connected(hass))

    @callback
    def stop() -> None:
        for each in unlisten:
            each()

    return stop


@callback
def watch(hass: HomeAssistant, entry: BlikkConfigEntry) -> CALLBACK_TYPE:
    """Raise the repair issue while plain entities stand beside ours; returns how to stop watching."""
    check: CALLBACK_TYPE | None = None

    @callback
    def judge(_now: object = None) -> None:
        nonlocal check
        check = None
        if plain_entities(hass, entry.runtime_data.announce):
            issues.raise_plain(hass, entry)
        else:
            issues.clear(hass, entry, issues.PLAIN)

    @callback
    def changed(event: Event[er.EventEntityRegistryUpdatedData]) -> None:
        nonlocal check
        if check is None and event.data["action"] != "update":
            check = async_call_later(hass, SETTLE_S, judge)

    @callback
    def stop() -> None:
        unlisten()
        if check is not None:
            check()

    unlisten = hass.bus.async_listen(er.EVENT_ENTITY_REGISTRY_UPDATED, changed)
    judge()
    return stop


def _legacy(hass: HomeAssistant, announce: Announce) -> Customized:
    """What users had set on the plain entities and devices.

    Where ours are there already nothing is followed: a broker that forgot the claim let the plain ones come back beside
    them for a moment, as `..._2` and with nothing set.
    """
    entities, devices = er.async_get(hass), dr.async_get(hass)
    return customized.read(
        [
            entity
            for entity in plain_entities(hass, announce)
            if entities.async_get_entity_id(entity.domain, DOMAIN, entity.unique_id) is None
        ],
        {
            key: device
            for key, device in plain_devices(hass, announce).items()
            if not devices.async_get_devices(identifiers={(DOMAIN, key)})
        },
    )


async def _async_is_claimed(hass: HomeAssistant, entry: BlikkConfigEntry, topics: Topics) -> bool:
    """Whether the broker remembers a claim: then the node has withdrawn its discovery already."""
    claimed = asyncio.Event()

    @callback
    def received(message: mqtt.ReceiveMessage) -> None:
        if message.payload:
            claimed.set()

    # not given back at once: Home Assistant forgets all that waits to be subscribed when one of it is given back
    entry.async_on_unload(await mqtt.async_subscribe(hass, topics.claim, received, 1))
    try:
        async with asyncio.timeout(CLAIM_LIMIT_S):
            await claimed.wait()
    except TimeoutError:
        return False
    return True


async def _async_quiet(hass: HomeAssistant) -> None:
    """Wait until no entity comes or goes: of a withdrawn device Home Assistant keeps those it was still adding."""
    changed = asyncio.Event()
    unlisten = hass.bus.async_listen(er.EVENT_ENTITY_REGISTRY_UPDATED, callback(lambda _event: changed.set()))
    end = hass.loop.time() + QUIET_LIMIT_S
    try:
        while hass.loop.time() < end:
            changed.clear()
            async with asyncio.timeout(QUIET_S):
                await changed.wait()
    except TimeoutError:
        return
    finally:
        unlisten()


async def _async_gone(hass: HomeAssistant, announce: Announce, limit_s: float) -> bool:
    """Wait until the plain entities are gone; False when the time is up."""
    changed = asyncio.Event()
    unlisten = hass.bus.async_listen(er.EVENT_ENTITY_REGISTRY_UPDATED, callback(lambda _event: changed.set()))
    try:
        async with asyncio.timeout(limit_s):
            while plain_entities(hass, announce):
                changed.clear()
                await changed.wait()
    except TimeoutError:
        return False
    finally:
        unlisten()
    return True


async def async_withdraw(hass: HomeAssistant, announce: Announce, topics: Topics) -> None:
    """Empty the config topics in the place of a node that is away."""
    prefix = discovery_prefix(hass)
    keys = plain_devices(hass, announce)
    for camera in (None, *(camera.id for camera in announce.cameras)):
        if device_key(announce.id, camera) in keys:
            topic = topics.plain_config(prefix, f"camera_{camera}" if camera else "node")
            await mqtt.async_publish(hass, topic, "", 1, True)


def discovery_prefix(hass: HomeAssistant) -> str:
    """Below which topic Home Assistant discovers what is on MQTT."""
    entry = hass.config_entries.async_entries(mqtt.DOMAIN)[0]
    return str({**entry.data, **entry.options}.get(mqtt.CONF_DISCOVERY_PREFIX, "homeassistant"))


@callback
def _remove_orphans(hass: HomeAssistant, announce: Announce) -> None:
    """Remove plain entities that exist in the registry only.

    Their discovery went while Home Assistant was away, or it could not add them beside ours.
    """
    entities = er.async_get(hass)
    for entity in plain_entities(hass, announce):
        if not _is_live(hass, entity):
            entities.async_remove(entity.entity_id)


@callback
def _any_live(hass: HomeAssistant, announce: Announce) -> bool:
    """Whether discovery holds any of the plain entities at present."""
    return any(_is_live(hass, entity) for entity in plain_entities(hass, announce))


def _is_live(hass: HomeAssistant, entity: er.RegistryEntry) -> bool:
    state = hass.states.get(entity.entity_id)
    return state is not None and not state.attributes.get("restored")
