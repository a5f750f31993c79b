"""What a text says by its writer's own account, as numbers, held against the facts; and its digits, in any language."""

import re
from collections.abc import Iterator
from typing import Final

from blikk_edge.core.summary import Said
from blikk_edge.language.facts import Facts
from blikk_edge.language.grounding.claims import Claim, Violation

_CLOCK: Final = re.compile(r"(?<!\d)(\d{1,2})\s?[:.h]\s?(\d{2})(?:[:.](\d{2}))?(?!\d)")
_NUMBER: Final = re.compile(r"\d+")
_SECOND_S, _MINUTE_S, _HOUR_S, _DAY_S = 1.0, 60.0, 3600.0, 86400.0


def misstated(said: Said, facts: Facts) -> Iterator[Violation]:
    """What is said without support. Of what is named at all, as many are named as were seen."""
    for label, count in said.counts.items():
        peak = facts.peak.get(label, 0)
        if count and not peak <= count <= max(peak, facts.seen.get(label, 0)):
            claim = Claim.COUNT if peak else Claim.LABEL
            yield Violation(claim, f"{label}: {count}", f"seen: {peak} at once, {facts.seen.get(label, 0)} in all")
    if said.rings not in {0, len(facts.rings)}:
        yield Violation(Claim.RING, f"rings: {said.rings}", f"rings: {len(facts.rings)}")
    for time in said.times:
        found = _CLOCK.fullmatch(time.strip())
        if found is None or not _was_at(found, facts):
            yield Violation(Claim.TIME, time, "nothing was observed at that time")


def misnumbered(text: str, facts: Facts, names: tuple[str, ...]) -> Iterator[Violation]:
    """The digits of a text, by value alone: times of the day, and numbers that nothing supports."""
    for name in names:
        text = re.sub(re.escape(name), " ", text, flags=re.I)
    for found in _CLOCK.finditer(text):
        if not _was_at(found, facts):
            yield Violation(Claim.TIME, found[0], "nothing was observed at that time")
    allowed = _numbers(facts)
    for found in _NUMBER.finditer(_CLOCK.sub(" ", text)):
        if not found[0].isascii() or int(found[0][:9]) not in allowed:
            yield Violation(Claim.COUNT, found[0], "nothing was observed of that number")


def _was_at(found: re.Match[str], facts: Facts) -> bool:
    hour, minute, second = int(found[1]), int(found[2]), found[3]
    if hour > 23 or minute > 59:
        return False
    moments = [facts.local(time) for time in facts.times]
    return any(
        (at.hour, at.minute) == (hour, minute) and (second is None or abs(at.second - int(second)) <= 1)
        for at in moments
    )


def _numbers(facts: Facts) -> frozenset[int]:
    """Counts, lengths of time in any unit, and the parts of dates and hours."""
    counts = [*facts.peak.values(), *facts.seen.values(), *facts.visits.values(), len(facts.rings), len(facts.cameras)]
    counts += [sum(facts.visits.values()), sum(facts.peak.values()), sum(facts.seen.values())]
    lengths = [
        whole + up
        for length_s in facts.durations_s
        for unit_s in (_SECOND_S, _MINUTE_S, _HOUR_S, _DAY_S)
        for whole in (int(length_s / unit_s),)
        for up in (0, 1)
        if whole + up
    ]
    rests = [int(length_s % _HOUR_S / _MINUTE_S) for length_s in facts.durations_s]
    days = [part for at in map(facts.local, facts.times) for part in (at.day, at.month, at.year, at.hour)]
    return frozenset((*counts, *lengths, *rests, *days))
