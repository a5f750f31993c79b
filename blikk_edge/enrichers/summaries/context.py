"""What came before, as lines: the last texts, and who is here since when and where."""

from collections.abc import Sequence
from typing import Final

from blikk_edge.core.observation import Event
from blikk_edge.core.sightings import Label
from blikk_edge.core.summary import Summary
from blikk_edge.enrichers.summaries.lines import bounded, brief_duration, named
from blikk_edge.language.facts import Facts, Stay, stays_of
from blikk_edge.language.wording import kind_of
from blikk_edge.llm.quoting import quoted

RECENT_S: Final = 7200.0
"""Older text says nothing about what happens now, and costs tokens each time."""

SUMMARIES: Final = 2
MAX_BYTES: Final = 320

_TEXT_MAX: Final = 100


def earlier(facts: Facts, summaries: Sequence[Summary]) -> tuple[str, ...]:
    """The last few texts about the same place from before."""
    return text_lines(facts, [one for one in summaries if 0 <= facts.since - one.since <= RECENT_S])


def text_lines(
    facts: Facts, summaries: Sequence[Summary], *, most: int = SUMMARIES, most_bytes: int = MAX_BYTES
) -> tuple[str, ...]:
    """`08:02 "A car parked at the drive."`: the newest texts, by time."""
    newest = sorted(summaries, key=lambda one: one.since)[-most:]
    return bounded([f"{facts.local(one.since):%H:%M} {_text(one.text)}" for one in newest], most_bytes=most_bytes)


def here(facts: Facts, others: Sequence[Event], now: float) -> tuple[str, ...]:
    """`car since 08:00 (15min) "drive"`: everybody else who is there now."""
    stays = sorted(stays_of(others), key=lambda stay: stay.since)
    return bounded([_present(facts, stay, now) for stay in stays], most=6, most_bytes=MAX_BYTES)


def lingerers(
    events: Sequence[Event], *, at_least_s: float, now: float, label: Label | None = None
) -> tuple[Stay, ...]:
    """Who has been there for that long, of those who are there now: answered from tracks, the longest stay first.

    `events` are the newest revisions; those that have ended do not count. A stay lasts until `now`.
    """
    there = [event for event in events if event.ended is None and label in {None, event.label}]
    stays = [stay for stay in stays_of(there) if now - stay.since >= at_least_s]
    return tuple(sorted(stays, key=lambda stay: stay.since))


def _present(facts: Facts, stay: Stay, now: float) -> str:
    zones = f" {', '.join(named(zone) for zone in stay.zones[:3])}" if stay.zones else ""
    still = " still" if stay.still else ""
    return f"{kind_of(stay)}{still} since {facts.local(stay.since):%H:%M} ({brief_duration(now - stay.since)}){zones}"


def _text(text: str) -> str:
    return f'"{quoted(text, _TEXT_MAX)}"'
