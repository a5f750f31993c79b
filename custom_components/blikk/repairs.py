"""What a click on a repair issue does."""

from typing import Any

from homeassistant.components.repairs import RepairsFlow, RepairsFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError

from . import exposure, gone, handover, issues, reader
from .const import CONF_AI_TASK, CONF_ANNOUNCE, SECTION_SUMMARIES
from .node import BlikkConfigEntry


async def async_create_fix_flow(
    hass: HomeAssistant, issue_id: str, data: dict[str, str | int | float | None] | None
) -> RepairsFlow:
    """The flow that mends an issue."""
    assert data is not None
    entry = hass.config_entries.async_get_entry(str(data["entry_id"]))
    assert entry is not None
    return _FLOWS[str(data["key"])](entry)


class _Confirmed(RepairsFlow):
    """One question, then the deed."""

    def __init__(self, entry: BlikkConfigEntry) -> None:
        self._entry = entry

    async def async_step_init(self, user_input: dict[str, str] | None = None) -> RepairsFlowResult:
        """The flow begins."""
        return await self.async_step_confirm()

    async def async_step_confirm(self, user_input: dict[str, str] | None = None) -> RepairsFlowResult:
        """Ask, and when it is confirmed mend."""
        if user_input is None:
            issue = issues.placeholders(self.hass, self.issue_id)
            return self.async_show_form(step_id="confirm", description_placeholders=issue)
        try:
            await self.async_mend()
        except HomeAssistantError:
            return self.async_abort(reason="broker_away")
        return self.async_create_entry(data={})

    async def async_mend(self) -> None:
        """Mend it; raises HomeAssistantError while the broker is away."""
        raise NotImplementedError


class TakeOver(_Confirmed):
    """Plain entities stand in the way: withdraw their discovery in the node's place, and try again."""

    async def async_mend(self) -> None:
        """Empty the node's config topics and set up anew."""
        announce = reader.announce_of(self._entry.data[CONF_ANNOUNCE])
        topics = handover.topics_of(self._entry)
        await handover.async_claim(self.hass, topics)
        await handover.async_withdraw(self.hass, announce, topics)
        self.hass.config_entries.async_schedule_reload(self._entry.entry_id)


class LetNodeWrite(_Confirmed):
    """The AI Task that wrote summaries is gone: the node shall write them again."""

    async def async_mend(self) -> None:
        """Take the AI Task out of the options."""
        section: dict[str, Any] = dict(self._entry.options.get(SECTION_SUMMARIES, {}))
        section.pop(CONF_AI_TASK, None)
        options = {**self._entry.options, SECTION_SUMMARIES: section}
        self.hass.config_entries.async_update_entry(self._entry, options=options)
        self.hass.config_entries.async_schedule_reload(self._entry.entry_id)


class ExposeCameras(_Confirmed):
    """An assistant with a language model sees none of the cameras: expose them."""

    async def async_mend(self) -> None:
        """Expose all cameras of the node to Assist."""
        exposure.expose(self.hass, self._entry)


class RemoveNode(_Confirmed):
    """The node has been away for a month: it goes, with all that the broker keeps of it."""

    async def async_mend(self) -> None:
        """Empty its topics and remove the entry."""
        await gone.async_remove(self.hass, self._entry)


_FLOWS = {
    issues.PLAIN: TakeOver,
    issues.AI_TASK_GONE: LetNodeWrite,
    issues.NOT_EXPOSED: ExposeCameras,
    issues.AWAY: RemoveNode,
}
