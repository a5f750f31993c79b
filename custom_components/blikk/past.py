"""Events of the past as their node kept them, each with the text about it: for calendars, cards and assistants."""

from contextlib import suppress
from dataclasses import dataclass

from . import reader
from .contract import ContractError, Event, Json, JsonObject, Summary
from .node import BlikkNode


@dataclass(frozen=True, slots=True, kw_only=True)
class PastEvent:
    """The newest revision of an event, and the newest text about it."""

    camera: str
    event: Event
    summary: Summary | None = None


async def async_past(node: BlikkNode, **query: Json) -> list[PastEvent]:
    """What matches the fields of an `events` request, newest first; what cannot be read is left out.

    Raises HomeAssistantError where the node does not answer.
    """
    reply = await node.async_request("events", **query)
    return [past for content in reply.events if (past := past_of(content)) is not None]


def past_of(content: JsonObject) -> PastEvent | None:
    """An event of a reply; None for one that cannot be read, and without a text that cannot be read."""
    camera = content.get("camera")
    if not isinstance(camera, str):
        return None
    with suppress(ContractError):
        return PastEvent(camera=camera, event=reader.event_of(content), summary=_summary_of(content.get("summary")))
    return None


def _summary_of(content: Json) -> Summary | None:
    with suppress(ContractError):
        return reader.summary_of(content) if isinstance(content, dict) else None
    return None
