"""An integration for tests: an agent with a language model, which answers with the tools that it is given."""

from typing import Literal

from homeassistant.components import conversation
from homeassistant.components.conversation.const import DATA_COMPONENT
from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers import intent
from homeassistant.helpers.llm import LLM_API_ASSIST
from homeassistant.helpers.typing import ConfigType

DOMAIN = "language_model"
CONFIG_SCHEMA = cv.empty_config_schema(DOMAIN)


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Add the agent."""
    await hass.data[DATA_COMPONENT].async_add_entities([Agent()])
    return True


class Agent(conversation.ConversationEntity):
    """Says which tools it may use, by name, separated by spaces."""

    _attr_name = "Language model"
    _attr_unique_id = DOMAIN

    @property
    def supported_languages(self) -> list[str] | Literal["*"]:
        """All."""
        return "*"

    async def _async_handle_message(
        self, user_input: conversation.ConversationInput, chat_log: conversation.ChatLog
    ) -> conversation.ConversationResult:
        await chat_log.async_provide_llm_data(user_input.as_llm_context(DOMAIN), LLM_API_ASSIST)
        response = intent.IntentResponse(language=user_input.language)
        response.async_set_speech(" ".join(tool.name for tool in chat_log.llm_api.tools))
        return conversation.ConversationResult(response, chat_log.conversation_id)
