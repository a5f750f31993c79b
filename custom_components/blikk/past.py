"""What happened as its node kept it, events each with the text about them: for calendars, cards and assistants."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from . import reader
from .contract import ContractError, Event, Gap, Json, JsonObject, Ring, Summary
from .node import BlikkNode

RING = "ring"
"""What takes the place of a label where a press of the doorbell is among events."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastEvent:
    """The newest revision of an event, and the newest text about it."""

    camera: str
    event: Event
    summary: Summary | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """A period: its events and presses of the doorbell, newest first, and of what time nothing is known."""

    events: tuple[PastEvent, ...] = ()
    rings: tuple[Ring, ...] = ()
    gaps: tuple[Gap, ...] = ()

    @staticmethod
    def of_all(periods: Iterable[Past]) -> Past:
        """Several as one."""
        periods = list(periods)
        events = [event for past in periods for event in past.events]
        rings = [ring for past in periods for ring in past.rings]
        return Past(
            events=tuple(sorted(events, key=lambda past: past.event.started, reverse=True)),
            rings=tuple(sorted(rings, key=lambda ring: ring.time, reverse=True)),
            gaps=tuple(gap for past in periods for gap in past.gaps),
        )


async def async_period(node: BlikkNode, **query: Json) -> Past:
    """As `async_past`, with the rings of that time and of what time nothing is known."""
    reply = await node.async_request("events", **query)
    events = [past for content in reply.events if (past := past_of(content)) is not None]
    return Past(events=tuple(events), rings=reader.rings_of(reply.content), gaps=reader.gaps_of(reply.content))


async def async_past(node: BlikkNode, **query: Json) -> list[PastEvent]:
    """What matches the fields of an `events` request, newest first; what cannot be read is left out.

    Raises HomeAssistantError where the node does not answer.
    """
    reply = await node.async_request("events", **query)
    return [past for content in reply.events if (past := past_of(content)) is not None]


def ring_as_event(camera: str, ring: Ring) -> PastEvent:
    """A press of the doorbell among the events of a timeline, as one that took no time."""
    event = Event(
        id=ring.id, event_type=RING, phase="ended", revision=1, label=RING, time=ring.time, started=ring.time,
        ended=ring.time, replayed=ring.replayed, mark=ring.mark,
    )  # fmt: skip
    return PastEvent(camera=camera, event=event)


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
