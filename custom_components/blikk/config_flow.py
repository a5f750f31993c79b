"""How a node is added, reconfigured and set up: found over MQTT, announced by the Supervisor, or looked for."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

import probatio as vol
from homeassistant.components import mqtt
from homeassistant.components.binary_sensor.const import DOMAIN as BINARY_SENSOR
from homeassistant.components.binary_sensor.const import BinarySensorDeviceClass
from homeassistant.config_entries import SOURCE_MQTT, ConfigEntry, ConfigFlow, ConfigFlowResult, OptionsFlowWithReload
from homeassistant.const import STATE_OFF
from homeassistant.core import HomeAssistant, callback
from homeassistant.data_entry_flow import section
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import selector
from homeassistant.helpers.service_info.hassio import HassioServiceInfo
from homeassistant.helpers.service_info.mqtt import MqttServiceInfo
from homeassistant.helpers.translation import async_get_translations

from . import presence, reader, renamed, retract
from .const import (
    CONF_AI_TASK,
    CONF_ANNOUNCE,
    CONF_APP,
    CONF_ASSISTANTS,
    CONF_CALLS_PER_DAY,
    CONF_EXPOSE,
    CONF_INSTRUCTIONS,
    CONF_MEDIA_URL,
    CONF_NODE,
    CONF_PAUSE_S,
    CONF_PREFIX,
    CONF_REPLAY_LIMIT_S,
    CONF_TOKEN,
    CONF_VERIFY_SSL,
    DEFAULT_CALLS_PER_DAY,
    DEFAULT_PAUSE_S,
    DEFAULT_PREFIX,
    DEFAULT_REPLAY_LIMIT_S,
    DOMAIN,
    SECTION_EVENTS,
    SECTION_SUMMARIES,
)
from .contract import Announce, ContractError, ProtocolError
from .live import live_url
from .media import MediaError, MediaTokenError, NodeMedia, media_url

_ASSISTANTS: dict[vol.Marker, Any] = {vol.Required(CONF_ASSISTANTS, default=True): selector.BooleanSelector()}
_PASSWORD = selector.TextSelector(selector.TextSelectorConfig(type=selector.TextSelectorType.PASSWORD))
_URL = selector.TextSelector(selector.TextSelectorConfig(type=selector.TextSelectorType.URL))


class BlikkConfigFlow(ConfigFlow, domain=DOMAIN):
    """The flow that ends in one node's entry. `data` holds where it is and who it said it is."""

    VERSION = 1

    def __init__(self) -> None:
        self._prefix = DEFAULT_PREFIX
        self._announce: Announce | None = None
        self._found: dict[str, Announce] = {}
        self._online: set[str] = set()
        self._place: dict[str, str] = {}
        self._chosen: dict[str, Any] | None = None
        self._apart = False

    @staticmethod
    @callback
    def async_get_options_flow(config_entry: ConfigEntry) -> BlikkOptionsFlow:
        """The flow of the options."""
        return BlikkOptionsFlow()

    # ---- found

    async def async_step_mqtt(self, discovery_info: MqttServiceInfo) -> ConfigFlowResult:
        """A node announced itself, anew or with a change; an empty announce means that it is gone."""
        await retract.async_retract_owed(self.hass)
        prefix, _, rest = discovery_info.topic.partition("/")
        if not discovery_info.payload:
            presence.no_more_awaited(self.hass, discovery_info.topic)
            self._abort_other_flows(rest.removesuffix("/announce"))
            return self.async_abort(reason="node_gone")
        try:
            announce = reader.read_announce(discovery_info.payload)
        except ProtocolError:
            return self.async_abort(reason="protocol_too_new")
        except ContractError:
            return self.async_abort(reason="invalid_announce")
        if rest != f"{announce.id}/announce":
            return self.async_abort(reason="invalid_announce")
        await self._async_identify(prefix, announce)
        if announce.id not in await presence.async_online(self.hass, prefix, announce.id):
            await presence.async_offer_when_online(self.hass, discovery_info)
            return self.async_abort(reason="node_offline")
        return await self.async_step_discovery_confirm()

    async def async_step_hassio(self, discovery_info: HassioServiceInfo) -> ConfigFlowResult:
        """The Supervisor app runs a node; what it announces is on the broker."""
        config = discovery_info.config
        prefix, node = str(config.get("prefix") or DEFAULT_PREFIX), str(config.get("node") or "")
        if not reader.is_topic_word(node):
            return self.async_abort(reason="invalid_announce")
        if not await mqtt.async_wait_for_mqtt_client(self.hass):
            return self.async_abort(reason="mqtt_unavailable")
        announce = (await presence.async_announces(self.hass, prefix, node)).get(node)
        if announce is None:
            return self.async_abort(reason="no_node")
        for key in (CONF_MEDIA_URL, CONF_TOKEN):
            if config.get(key):
                self._place[key] = str(config[key])
        self._place[CONF_APP] = discovery_info.slug
        await self._async_identify(prefix, announce)
        return await self.async_step_discovery_confirm()

    async def _async_identify(self, prefix: str, announce: Announce) -> None:
        """Note which node was found; raises AbortFlow where it is set up already."""
        # what the Supervisor sends has a token; it goes beside the flow that MQTT started
        await self.async_set_unique_id(announce.id, raise_on_progress=self.source == SOURCE_MQTT)
        # a node that is set up receives its own announces; this is for one that could not be set up
        updates = {CONF_PREFIX: prefix, CONF_ANNOUNCE: announce.content, **self._place}
        self._abort_if_unique_id_configured(updates=updates, reload_on_update=False)
        self._prefix, self._announce = prefix, announce
        self.context["title_placeholders"] = {"name": announce.name}

    async def async_step_discovery_confirm(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask whether to add the node that was found."""
        if user_input is None:
            return self._confirm_form() if self._apart else await self.async_step_renamed()
        self._abort_if_unique_id_configured()
        return self._created(user_input)

    def _confirm_form(self) -> ConfigFlowResult:
        assert self._announce is not None
        return self.async_show_form(
            step_id="discovery_confirm",
            data_schema=vol.Schema(_ASSISTANTS),
            description_placeholders={
                "name": self._announce.name,
                "cameras": _listed(camera.name for camera in self._announce.cameras),
            },
        )

    # ---- found under another id

    async def async_step_renamed(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask whether the node is one that is away, under a new id; go on where there is no such node."""
        assert self._announce is not None
        if (old := await renamed.async_predecessor(self.hass, self._announce)) is None:
            return self._go_on()
        return self.async_show_menu(
            step_id="renamed",
            menu_options=["take_over", "apart"],
            description_placeholders={
                "name": self._announce.name,
                "old": old.title,
                "same": _listed(renamed.shared(old, self._announce)),
                "gone": _listed(renamed.missing(old, self._announce)),
            },
        )

    async def async_step_apart(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """It is a node of its own."""
        self._apart = True
        return self._go_on()

    async def async_step_take_over(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """It is the node that is away: give it that one's entry, unless that one came back."""
        assert self._announce is not None
        async with renamed.one_at_a_time(self.hass):
            self._abort_if_unique_id_configured()
            if (old := await renamed.async_predecessor(self.hass, self._announce)) is None:
                return self._go_on()
            names = {"name": self._announce.name, "old": old.title}
            try:
                await renamed.async_move(self.hass, old, self._prefix, self._announce, self._place)
            except HomeAssistantError:
                return self.async_abort(reason="broker_away")
        self._abort_other_flows(self._announce.id)
        return self.async_abort(reason="taken_over", description_placeholders=names)

    def _go_on(self) -> ConfigFlowResult:
        return self._created(self._chosen) if self._chosen is not None else self._confirm_form()

    @callback
    def _abort_other_flows(self, node: str) -> None:
        for flow in self._async_in_progress(include_uninitialized=True):
            if flow["context"].get("unique_id") == node:
                self.hass.config_entries.flow.async_abort(flow["flow_id"])

    # ---- by hand

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Look for nodes below a prefix."""
        errors: dict[str, str] = {}
        if user_input is not None:
            prefix = user_input[CONF_PREFIX].strip().strip("/")
            if not await mqtt.async_wait_for_mqtt_client(self.hass):
                return self.async_abort(reason="mqtt_unavailable")
            if not is_prefix(prefix):
                errors[CONF_PREFIX] = "invalid_prefix"
            else:
                known = self._async_current_ids(include_ignore=False)
                found, self._online = await asyncio.gather(
                    presence.async_announces(self.hass, prefix, "+"), presence.async_online(self.hass, prefix, "+")
                )
                self._found = {node: announce for node, announce in found.items() if node not in known}
                self._prefix = prefix
                if found and not self._found:
                    return self.async_abort(reason="already_configured")
                if self._found:
                    return await self.async_step_pick()
                errors["base"] = "no_node"
        schema = vol.Schema({vol.Required(CONF_PREFIX, default=self._prefix): selector.TextSelector()})
        return self.async_show_form(step_id="user", data_schema=schema, errors=errors)

    async def async_step_pick(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Choose one of the nodes that were found."""
        if user_input is not None:
            self._announce = self._found[user_input[CONF_NODE]]
            await self.async_set_unique_id(self._announce.id, raise_on_progress=False)
            self._abort_if_unique_id_configured()
            self._chosen = user_input
            return await self.async_step_renamed()
        away = f": {await _async_word_for_away(self.hass)}"
        options = [
            selector.SelectOptionDict(
                value=node, label=f"{self._found[node].name} ({node}){'' if node in self._online else away}"
            )
            for node in sorted(self._found, key=lambda node: (node not in self._online, node))
        ]
        choice = selector.SelectSelector(selector.SelectSelectorConfig(options=options))
        schema = vol.Schema({vol.Required(CONF_NODE, default=options[0]["value"]): choice, **_ASSISTANTS})
        return self.async_show_form(step_id="pick", data_schema=schema)

    def _created(self, chosen: dict[str, Any]) -> ConfigFlowResult:
        assert self._announce is not None
        assistants: bool = chosen[CONF_ASSISTANTS]
        return self.async_create_entry(
            title=self._announce.name,
            data={
                CONF_PREFIX: self._prefix,
                CONF_NODE: self._announce.id,
                CONF_ANNOUNCE: self._announce.content,
                **({CONF_EXPOSE: True} if assistants else {}),
                **self._place,
            },
            options={CONF_ASSISTANTS: assistants},
        )

    # ---- later

    async def async_step_reconfigure(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Change where the node is, and where its pictures of past events and its live view are."""
        entry = self._get_reconfigure_entry()
        errors: dict[str, str] = {}
        if user_input is not None:
            prefix = user_input[CONF_PREFIX].strip().strip("/")
            data = {key: value for key in (CONF_MEDIA_URL, CONF_TOKEN) if (value := user_input.get(key))}
            data[CONF_VERIFY_SSL] = user_input[CONF_VERIFY_SSL]
            if CONF_APP in entry.data:
                data[CONF_APP] = entry.data[CONF_APP]
            if not await mqtt.async_wait_for_mqtt_client(self.hass):
                return self.async_abort(reason="mqtt_unavailable")
            announce, errors = await self._async_look(prefix, entry.data[CONF_NODE], data)
            if announce is not None:
                data |= {CONF_PREFIX: prefix, CONF_NODE: announce.id, CONF_ANNOUNCE: announce.content}
                return self.async_update_reload_and_abort(entry, title=announce.name, data=data)
        schema = vol.Schema(
            {
                vol.Required(CONF_PREFIX): selector.TextSelector(),
                vol.Optional(CONF_MEDIA_URL): _URL,
                vol.Optional(CONF_TOKEN): _PASSWORD,
                vol.Required(CONF_VERIFY_SSL, default=True): selector.BooleanSelector(),
            }
        )
        filled = self.add_suggested_values_to_schema(schema, user_input or entry.data)
        return self.async_show_form(step_id="reconfigure", data_schema=filled, errors=errors)

    async def async_step_reauth(self, entry_data: Mapping[str, Any]) -> ConfigFlowResult:
        """The node wants another token for its pictures of past events and its live view."""
        return await self.async_step_reauth_confirm()

    async def async_step_reauth_confirm(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the token."""
        entry = self._get_reauth_entry()
        errors: dict[str, str] = {}
        if user_input is not None:
            announce = reader.announce_of(entry.data[CONF_ANNOUNCE])
            if not (error := await self._async_try(announce, {**entry.data, **user_input})):
                return self.async_update_reload_and_abort(entry, data_updates=user_input)
            errors["base"] = error
        return self.async_show_form(
            step_id="reauth_confirm",
            data_schema=vol.Schema({vol.Required(CONF_TOKEN): _PASSWORD}),
            description_placeholders={"name": entry.title},
            errors=errors,
        )

    async def _async_look(
        self, prefix: str, node: str, data: Mapping[str, Any]
    ) -> tuple[Announce | None, dict[str, str]]:
        """The node below another prefix, if its pictures can be had too; else what is wrong."""
        if not is_prefix(prefix):
            return None, {CONF_PREFIX: "invalid_prefix"}
        announce = (await presence.async_announces(self.hass, prefix, node)).get(node)
        if announce is None:
            return None, {"base": "no_node"}
        error = await self._async_try(announce, data)
        return (None, {"base": error}) if error else (announce, {})

    async def _async_try(self, announce: Announce, data: Mapping[str, Any]) -> str | None:
        """What is wrong with address and token of pictures and live view; nothing where none is given."""
        if not (data.get(CONF_TOKEN) or data.get(CONF_MEDIA_URL)):
            return None
        try:
            if (live := live_url(announce, data)) is not None:
                await NodeMedia(self.hass, announce, data, live).async_node()
            elif media_url(announce, data) is not None:
                await NodeMedia(self.hass, announce, data).async_days("")
            else:
                return "no_media"
        except MediaTokenError:
            return "invalid_auth"
        except MediaError:
            return "cannot_connect"
        return None


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "-"


async def _async_word_for_away(hass: HomeAssistant) -> str:
    """What Home Assistant itself calls a thing that is not connected, in its language."""
    states = await async_get_translations(hass, hass.config.language, "entity_component", {BINARY_SENSOR})
    key = f"component.{BINARY_SENSOR}.entity_component.{BinarySensorDeviceClass.CONNECTIVITY}.state.{STATE_OFF}"
    return states.get(key, "Disconnected")


def is_prefix(text: str) -> bool:
    """Whether a text can stand before the node's id in a topic."""
    return bool(text) and len(text) <= 200 and all(reader.is_topic_word(word) for word in text.split("/"))


class BlikkOptionsFlow(OptionsFlowWithReload):
    """What a user prefers: which events to announce, who may ask, who writes summaries."""

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """One form with sections."""
        if user_input is not None:
            return self.async_create_entry(data=user_input)
        schema = self.add_suggested_values_to_schema(_OPTIONS, self.config_entry.options)
        return self.async_show_form(step_id="init", data_schema=schema)


def _number(low: int, high: int, unit: str | None = None) -> vol.All[Any]:
    config = selector.NumberSelectorConfig(min=low, max=high, step=1, mode=selector.NumberSelectorMode.BOX)
    if unit:
        config["unit_of_measurement"] = unit
    return vol.All(selector.NumberSelector(config), vol.Coerce(int))


_OPTIONS = vol.Schema(
    {
        vol.Required(CONF_ASSISTANTS, default=True): selector.BooleanSelector(),
        vol.Required(SECTION_EVENTS): section(
            vol.Schema({vol.Required(CONF_REPLAY_LIMIT_S, default=DEFAULT_REPLAY_LIMIT_S): _number(0, 86400, "s")}),
            {"collapsed": True},
        ),
        vol.Required(SECTION_SUMMARIES): section(
            vol.Schema(
                {
                    vol.Optional(CONF_AI_TASK): selector.EntitySelector(
                        selector.EntitySelectorConfig(domain="ai_task")
                    ),
                    vol.Optional(CONF_INSTRUCTIONS): selector.TextSelector(selector.TextSelectorConfig(multiline=True)),
                    vol.Required(CONF_PAUSE_S, default=DEFAULT_PAUSE_S): _number(0, 86400, "s"),
                    vol.Required(CONF_CALLS_PER_DAY, default=DEFAULT_CALLS_PER_DAY): _number(0, 10000),
                }
            ),
            {"collapsed": True},
        ),
    }
)
