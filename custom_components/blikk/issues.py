"""The repair issues of the component: when they are raised and when they go by themselves."""

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from .const import DOMAIN
from .contract import Llm

PROTOCOL = "protocol_too_new"
PLAIN = "plain_entities"
LLM_REFUSED = "llm_refused"
AI_TASK_GONE = "ai_task_gone"
NOT_EXPOSED = "not_exposed"
AWAY = "node_away"
ALL = (PROTOCOL, PLAIN, LLM_REFUSED, AI_TASK_GONE, NOT_EXPOSED, AWAY)


def _issue_id(entry: ConfigEntry, key: str) -> str:
    return f"{key}_{entry.entry_id}"


@callback
def _raise(hass: HomeAssistant, entry: ConfigEntry, key: str, *, fixable: bool = False, **placeholders: str) -> None:
    ir.async_create_issue(
        hass,
        DOMAIN,
        _issue_id(entry, key),
        data={"entry_id": entry.entry_id, "key": key},
        is_fixable=fixable,
        severity=ir.IssueSeverity.ERROR if key in (PROTOCOL, PLAIN) else ir.IssueSeverity.WARNING,
        translation_key=key,
        translation_placeholders={"node": entry.title, **placeholders},
    )


@callback
def clear(hass: HomeAssistant, entry: ConfigEntry, *keys: str) -> None:
    """Whatever was wrong is right again, or nobody's concern any more."""
    for key in keys:
        ir.async_delete_issue(hass, DOMAIN, _issue_id(entry, key))


@callback
def raise_protocol(hass: HomeAssistant, entry: ConfigEntry, protocol: int) -> None:
    """The node is newer than this component can understand."""
    _raise(hass, entry, PROTOCOL, protocol=str(protocol))


@callback
def clear_protocol(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """The node can be understood."""
    clear(hass, entry, PROTOCOL)


@callback
def raise_plain(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """The entities of plain MQTT discovery do not go."""
    _raise(hass, entry, PLAIN, fixable=True)


@callback
def raise_ai_task_gone(hass: HomeAssistant, entry: ConfigEntry, entity_id: str) -> None:
    """The AI Task entity that is to write summaries is no more."""
    _raise(hass, entry, AI_TASK_GONE, fixable=True, entity_id=entity_id)


@callback
def raise_away(hass: HomeAssistant, entry: ConfigEntry, days: int) -> None:
    """The node has been away for so long that it may be no more."""
    _raise(hass, entry, AWAY, fixable=True, days=str(days))


@callback
def judge_exposed(hass: HomeAssistant, entry: ConfigEntry, *, unseen: bool) -> None:
    """Raise or clear that an assistant with a language model is there and sees none of the cameras."""
    if unseen:
        _raise(hass, entry, NOT_EXPOSED, fixable=True)
    else:
        clear(hass, entry, NOT_EXPOSED)


@callback
def judge_llm(hass: HomeAssistant, entry: ConfigEntry, llm: Llm | None) -> None:
    """Raise or clear what a user must mend at the node's language model."""
    if llm is not None and llm.phase == "refused":
        _raise(hass, entry, LLM_REFUSED, model=llm.model or "?")
    else:
        clear(hass, entry, LLM_REFUSED)


@callback
def placeholders(hass: HomeAssistant, issue_id: str) -> dict[str, str]:
    """What the text of an issue is filled with."""
    issue = ir.async_get(hass).async_get_issue(DOMAIN, issue_id)
    return dict(issue.translation_placeholders or {}) if issue else {}
