"""The sentences that Home Assistant's own agent understands: made anew when cameras are named or exposed otherwise.

Where another agent is there, which has a language model, a repair says so when it sees none of a node's cameras.
"""

import logging
from typing import Any

import probatio as vol
from homeassistant.components.homeassistant.exposed_entities import async_listen_entity_updates
from homeassistant.config_entries import SIGNAL_CONFIG_ENTRY_CHANGED, ConfigEntry, ConfigEntryChange
from homeassistant.core import CALLBACK_TYPE, Context, Event, HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers import intent
from homeassistant.helpers.debounce import Debouncer
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.event import async_track_state_added_domain, async_track_state_removed_domain
from homeassistant.helpers.script import ScriptRunResult
from homeassistant.helpers.trigger import async_initialize_triggers, async_validate_trigger_config
from homeassistant.setup import async_when_setup

from . import issues
from .const import DOMAIN
from .exposure import ASSIST, answering, exposed
from .feed import is_of_camera
from .spoken import Language, Question, languages

_LOGGER = logging.getLogger(__name__)

_OWN_AGENT = "conversation.home_assistant"
SETTLE_S = 1.0
"""Names and exposures change many at once."""


@callback
def async_register(hass: HomeAssistant) -> None:
    """Register the sentences once Home Assistant has its conversation, and keep them in step with the cameras."""

    async def follow(_hass: HomeAssistant, _component: str) -> None:
        await hass.async_add_executor_job(languages)
        await Sentences(hass).async_follow()

    async_when_setup(hass, ASSIST, follow)


class Sentences:
    """The sentences of all languages; none while no node may be asked."""

    def __init__(self, hass: HomeAssistant) -> None:
        self._hass = hass
        self._names: list[str] | None = None
        self._remove: CALLBACK_TYPE | None = None
        self._later = Debouncer(
            hass, _LOGGER, cooldown=SETTLE_S, immediate=False, background=True, function=self._async_refresh
        )

    async def async_follow(self) -> None:
        """Register them, and again whenever nodes, cameras, their names or exposures change, for ever."""
        bus = self._hass.bus
        bus.async_listen(er.EVENT_ENTITY_REGISTRY_UPDATED, self._changed, is_of_camera)
        bus.async_listen(dr.EVENT_DEVICE_REGISTRY_UPDATED, self._changed)
        async_listen_entity_updates(self._hass, ASSIST, self._changed)
        async_dispatcher_connect(self._hass, SIGNAL_CONFIG_ENTRY_CHANGED, self._entry_changed)
        async_track_state_added_domain(self._hass, ASSIST, self._changed)
        async_track_state_removed_domain(self._hass, ASSIST, self._changed)
        await self._async_refresh()

    @callback
    def _changed(self, _event: Event[Any] | None = None) -> None:
        self._later.async_schedule_call()

    @callback
    def _entry_changed(self, _change: ConfigEntryChange, entry: ConfigEntry) -> None:
        if entry.domain == DOMAIN:
            self._changed()

    async def _async_refresh(self) -> None:
        entries, cameras = answering(self._hass), exposed(self._hass, ASSIST)
        agents = set(self._hass.states.async_entity_ids(ASSIST)) - {_OWN_AGENT}
        for entry in entries:
            seen = any(camera.node is entry.runtime_data for camera in cameras)
            issues.judge_exposed(self._hass, entry, unseen=bool(agents) and not seen)
        names = [name for camera in cameras for name in camera.names] if entries else None
        if names == self._names:
            return
        self._names = names
        if self._remove is not None:
            self._remove()
        self._remove = None if names is None else await self._async_register(names)

    async def _async_register(self, names: list[str]) -> CALLBACK_TYPE | None:
        questions = {
            f"{tag}-{number}": (language, question)
            for tag, language in languages().items()
            for number, question in enumerate(language.questions)
        }

        async def asked(variables: dict[str, Any], context: Context | None = None) -> ScriptRunResult:
            answer = await self._async_answer(
                *questions[variables["trigger"]["id"]], names, variables["trigger"], context
            )
            return ScriptRunResult(conversation_response=answer, service_response=None, variables={})

        triggers = [
            {"platform": ASSIST, "id": key, "command": list(language.templates(question, names))}
            for key, (language, question) in questions.items()
        ]
        try:
            valid = await async_validate_trigger_config(self._hass, triggers)
        except vol.Invalid as error:
            _LOGGER.warning("Assist cannot be asked with these names of cameras (%s): %s", ", ".join(names), error)
            return None
        return await async_initialize_triggers(self._hass, valid, asked, DOMAIN, "sentences", _LOGGER.log)

    async def _async_answer(
        self, language: Language, question: Question, names: list[str], trigger: dict[str, Any], context: Context | None
    ) -> str:
        sentence = trigger["sentence"]
        camera, door = language.place(sentence, names)
        slots = {
            **question.slots,
            "camera": camera,
            "door": "true" if door else None,
            "period": language.period(sentence),
        }
        response = await intent.async_handle(
            self._hass,
            DOMAIN,
            question.intent,
            {name: {"value": value, "text": value} for name, value in slots.items() if value is not None},
            sentence,
            context,
            language.tag,
            ASSIST,
            trigger["device_id"],
            trigger["satellite_id"],
        )
        return str(response.speech["plain"]["speech"])
