"""Whether the times of a text, and the lengths of time, are those that were observed."""

import re
from collections.abc import Iterable, Iterator
from itertools import combinations
from typing import Final

from blikk_edge.enrichers.facts import Facts
from blikk_edge.enrichers.grounding.claims import Claim, Violation
from blikk_edge.enrichers.grounding.clocks import Between, Clock, clock_times
from blikk_edge.enrichers.grounding.lengths import Length, lengths
from blikk_edge.enrichers.grounding.numbers import DONE

_PARTS_H: Final = {
    "morning": (4, 12),
    "forenoon": (6, 12),
    "afternoon": (12, 18.5),
    "evening": (16.5, 24),
    "night": (20, 30.5),
    "tonight": (17, 30.5),
    "overnight": (20, 32),
    "nighttime": (20, 30.5),
    "daytime": (6, 21),
    "dawn": (3, 9),
    "daybreak": (3, 9),
    "dusk": (15, 23),
    "lunchtime": (11, 14.5),
}
"""Local hours, generously; those beyond 24 are of the next day."""

_WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS: Final = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december"),
)
_ISO_DATE: Final = re.compile(r"\b(\d{4}) to (\d{1,2}) to (\d{1,2})\b|\b(\d{4}) (\d{2}) (\d{2})\b")
_DATE: Final = re.compile(
    rf"\b(?:(\d{{1,2}})(?:st|nd|rd|th)?(?: of)? ({'|'.join(_MONTHS)})"
    rf"|({'|'.join(_MONTHS)}) (\d{{1,2}})(?:st|nd|rd|th)?)(?:,? (\d{4}))?\b"
)
_OTHER_DAYS: Final = re.compile(r"\b(yesterday|tomorrow|last (?:week|month|year)|weekend|weekday)\b")


def mistimed(text: str, facts: Facts) -> tuple[str, list[Violation]]:
    """The text without its dates, times and lengths, and those of them that nothing supports."""
    text, wrong = _dates(text, facts)
    text, clocks = clock_times(text)
    text, claimed = lengths(text)
    seconds = _seconds_of_day(facts, facts.times)
    stays = (time for stay in facts.stays for time in (stay.since, stay.until))
    happenings = _seconds_of_day(facts, (*stays, *facts.rings, *facts.moments))
    ends = (seconds[0] - 300, seconds[0] + facts.duration_s + 300)
    for clock in clocks:
        if not _at(clock, seconds, happenings, ends):
            wrong.append(Violation(Claim.TIME, clock.words, "nothing was observed at that time"))
    for length in claimed:
        if not _lasted(length, facts):
            wrong.append(Violation(Claim.DURATION, length.words, "nothing that was observed took so long"))
    return text, [*wrong, *_parts(text, seconds)]


def _seconds_of_day(facts: Facts, times: Iterable[float]) -> list[int]:
    return [local.hour * 3600 + local.minute * 60 + local.second for local in map(facts.local, times)]


def _at(claim: Clock | Between, seconds: list[int], happenings: list[int], told: tuple[float, float]) -> bool:
    """Whether a time is one of those that may be named; a span within what is told may also just hold a happening."""
    if isinstance(claim, Clock):
        return any(claim.fits(second) for second in seconds)
    if all(any(clock.fits(second) for second in seconds) for clock in (claim.first, claim.last)):
        return True
    within = all(
        told[0] <= clock.at_s <= told[1] or clock.at_s + 86400 <= told[1] for clock in (claim.first, claim.last)
    )
    held = [claim.holds(second) for second in happenings]
    return within and (all(held) if claim.always else any(held))


def _lasted(claim: Length, facts: Facts) -> bool:
    if claim.whole:
        return claim.fits(facts.duration_s)
    gaps = [b - a for a, b in combinations(facts.times, 2)] if claim.gap else []
    return any(claim.fits(length) for length in (*facts.durations_s, *gaps))


def _parts(text: str, seconds: list[int]) -> Iterator[Violation]:
    """Parts of the day in which nothing was."""
    for match in re.finditer(r"\b(early |late )?(" + "|".join(_PARTS_H) + r")s?\b", text):
        first, last = _PARTS_H[match[2]]
        if not any(first * 3600 <= s <= last * 3600 or first * 3600 <= s + 86400 <= last * 3600 for s in seconds):
            yield Violation(Claim.TIME, match[0], "nothing was observed in that part of the day")


def _dates(text: str, facts: Facts) -> tuple[str, list[Violation]]:
    days = [facts.local(time) for time in facts.times]
    wrong: list[Violation] = []

    def date(match: re.Match[str]) -> str:
        day, month = match[1] or match[4], match[2] or match[3]
        right = any(d.day == int(day) and d.month == _MONTHS.index(month) + 1 for d in days)
        if not right or (match[5] and int(match[5]) not in {d.year for d in days}):
            wrong.append(Violation(Claim.TIME, match[0], "nothing was observed on that day"))
        return DONE

    def iso(match: re.Match[str]) -> str:
        year, month, day = (int(part) for part in match.groups() if part)
        if not any((d.year, d.month, d.day) == (year, month, day) for d in days):
            wrong.append(Violation(Claim.TIME, match[0], "nothing was observed on that day"))
        return DONE

    def weekday(match: re.Match[str]) -> str:
        if _WEEKDAYS.index(match[1]) not in {d.weekday() for d in days}:
            wrong.append(Violation(Claim.TIME, match[0], "nothing was observed on that day"))
        return DONE

    text = _DATE.sub(date, _ISO_DATE.sub(iso, text))
    text = re.sub(r"\b(" + "|".join(_WEEKDAYS) + r")s?\b", weekday, text)
    wrong += [Violation(Claim.TIME, m[0], "which day that is cannot be told") for m in _OTHER_DAYS.finditer(text)]
    return _OTHER_DAYS.sub(DONE, text), wrong
