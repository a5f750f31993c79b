"""How a node is added, reconfigured and set up: found over MQTT, announced by the Supervisor, or looked for."""

import asyncio
from collections.abc import Mapping
from typing import Any

import probatio as vol
from homeassistant.components import mqtt
from homeassistant.config_entries import SOURCE_MQTT, ConfigEntry, ConfigFlow, ConfigFlowResult, OptionsFlowWithReload
from homeassistant.core import callback
from homeassistant.data_entry_flow import section
from homeassistant.helpers import selector
from homeassistant.helpers.service_info.hassio import HassioServiceInfo
from homeassistant.helpers.service_info.mqtt import MqttServiceInfo

from . import reader, retract
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

PROBE_LIMIT_S = 5.0
QUIET_S = 0.5
"""Retained announces come together; after such a pause there are no more."""

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
        self._place: dict[str, str] = {}

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
            return self.async_abort(reason="node_gone")
        try:
            announce = reader.read_announce(discovery_info.payload)
        except ProtocolError:
            return self.async_abort(reason="protocol_too_new")
        except ContractError:
            return self.async_abort(reason="invalid_announce")
        if rest != f"{announce.id}/announce":
            return self.async_abort(reason="invalid_announce")
        return await self._async_found(prefix, announce)

    async def async_step_hassio(self, discovery_info: HassioServiceInfo) -> ConfigFlowResult:
        """The Supervisor app runs a node; what it announces is on the broker."""
        config = discovery_info.config
        prefix, node = str(config.get("prefix") or DEFAULT_PREFIX), str(config.get("node") or "")
        if not reader.is_topic_word(node):
            return self.async_abort(reason="invalid_announce")
        if not await mqtt.async_wait_for_mqtt_client(self.hass):
            return self.async_abort(reason="mqtt_unavailable")
        announce = (await self._async_probe(prefix, node)).get(node)
        if announce is None:
            return self.async_abort(reason="no_node")
        for key in (CONF_MEDIA_URL, CONF_TOKEN):
            if config.get(key):
                self._place[key] = str(config[key])
        self._place[CONF_APP] = discovery_info.slug
        return await self._async_found(prefix, announce)

    async def _async_found(self, prefix: str, announce: Announce) -> ConfigFlowResult:
        # what the Supervisor sends has a token; it goes beside the flow that MQTT started
        await self.async_set_unique_id(announce.id, raise_on_progress=self.source == SOURCE_MQTT)
        # a node that is set up receives its own announces; this is for one that could not be set up
        updates = {CONF_PREFIX: prefix, CONF_ANNOUNCE: announce.content, **self._place}
        self._abort_if_unique_id_configured(updates=updates, reload_on_update=False)
        self._prefix, self._announce = prefix, announce
        self.context["title_placeholders"] = {"name": announce.name}
        return await self.async_step_discovery_confirm()

    async def async_step_discovery_confirm(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask whether to add the node that was found."""
        assert self._announce is not None
        if user_input is not None:
            return self._created(user_input)
        return self.async_show_form(
            step_id="discovery_confirm",
            data_schema=vol.Schema(_ASSISTANTS),
            description_placeholders={
                "name": self._announce.name,
                "cameras": ", ".join(camera.name for camera in self._announce.cameras) or "-",
            },
        )

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
                found = await self._async_probe(prefix, "+")
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
            return self._created(user_input)
        options = [
            selector.SelectOptionDict(value=node, label=f"{announce.name} ({node})")
            for node, announce in sorted(self._found.items())
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
        announce = (await self._async_probe(prefix, node)).get(node)
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

    async def _async_probe(self, prefix: str, node: str) -> dict[str, Announce]:
        """The retained announces of nodes; `node` may be `+`."""
        found: dict[str, Announce] = {}
        came = asyncio.Event()

        @callback
        def received(message: mqtt.ReceiveMessage) -> None:
            try:
                announce = reader.read_announce(message.payload)
            except ContractError:
                return
            if message.topic == f"{prefix}/{announce.id}/announce":
                found[announce.id] = announce
                came.set()

        unsubscribe = await mqtt.async_subscribe(self.hass, f"{prefix}/{node}/announce", received, 1, None)
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
