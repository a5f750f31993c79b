"""Whether the times of a text, and the lengths of time, are those that were observed."""

import re
from collections.abc import Iterable, Iterator
from itertools import combinations
from typing import Final

from blikk_edge.language.facts import Facts
from blikk_edge.language.grounding.claimed import ring_times
from blikk_edge.language.grounding.claims import Claim, Violation
from blikk_edge.language.grounding.clocks import Between, ClaimedTime, clock_times
from blikk_edge.language.grounding.lengths import Length, lengths
from blikk_edge.language.grounding.lexicon import Lexicon
from blikk_edge.language.grounding.numbers import DONE
from blikk_edge.language.grounding.tokens import tokens_of

_PERIOD_S: Final = 1800.0
"""Facts of so long a time are a digest's, which names its beginning and end."""


def mistimed(text: str, facts: Facts, lexicon: Lexicon) -> tuple[str, list[Violation]]:
    """The text without its dates, times and lengths, and those of them that nothing supports."""
    text, wrong = _dates(text, facts, lexicon)
    whole = text
    text, clocks = clock_times(text, lexicon)
    text, claimed = lengths(text, lexicon)
    seconds = _seconds_of_day(facts, facts.times)
    stays = (time for stay in facts.stays for time in (stay.since, stay.until))
    happenings = _seconds_of_day(facts, (*stays, *facts.rings, *facts.moments))
    ends = (seconds[0] - 300, seconds[0] + facts.duration_s + 300)
    for clock in clocks:
        if not _at(clock, seconds, happenings, ends):
            wrong.append(Violation(Claim.TIME, clock.words, "nothing was observed at that time"))
    wrong += misrung(whole, facts, lexicon)
    if sum(facts.visits.values()) > 1:
        wrong += _of_all(whole, lexicon)
    for length in claimed:
        if not _lasted(length, facts):
            wrong.append(Violation(Claim.DURATION, length.words, "nothing that was observed took so long"))
    return text, [*wrong, *_parts(text, seconds, lexicon)]


def _of_all(text: str, lexicon: Lexicon) -> Iterator[Violation]:
    """How long all of several took: `all visits lasted 2 minutes`."""
    for sentence in re.split(r"[.;,!?](?!\d)", text):
        words = set(sentence.split()) & lexicon.chunk_words("all")
        found = lengths(sentence, lexicon)[1] if words else []
        if any(not length.whole for length in found):
            yield Violation(Claim.DURATION, min(words), "how long each took is not compared")


def misrung(text: str, facts: Facts, lexicon: Lexicon) -> Iterator[Violation]:
    """The times of clauses that speak of a ring and of nothing else, where none was then."""
    breaks = rf"[.;:,!?](?!\d)|\b{lexicon.content['lengths']['and']}\b"
    ends = (facts.since, facts.until) if facts.duration_s >= _PERIOD_S else ()
    rings = _seconds_of_day(facts, (*ring_times(facts), *ends))
    bells = lexicon.chunk_words("bell")
    for clause in re.split(breaks, text) if facts.rings else ():
        tokens = tokens_of(clause, lexicon)
        watched = any({token.text, token.base} & lexicon.words("words.watched") for token in tokens)
        begins = lexicon.chunk_words("clause") | lexicon.chunk_words("order")
        joined = any(token.labels for token in tokens) and any(token.text in begins for token in tokens)
        others = joined or any(token.text in lexicon.chunk_words("not") for token in tokens)
        rest, found = clock_times(clause, lexicon) if watched and not others else ("", [])
        clocks = [clock for clock in found if isinstance(clock, ClaimedTime)]
        if clocks and not any(clock.fits(ring) for clock in clocks for ring in rings):
            yield Violation(Claim.RING, clocks[0].words, "no ring was then")
        if not any(token.labels or token.text in lexicon.chunk_words("happening") - bells for token in tokens):
            for length in lengths(rest, lexicon)[1]:
                if not (length.gap or length.whole or length.long):
                    yield Violation(Claim.RING, length.words, "how long it rang is not known")


def _seconds_of_day(facts: Facts, times: Iterable[float]) -> list[int]:
    return [local.hour * 3600 + local.minute * 60 + local.second for local in map(facts.local, times)]


def _at(claim: ClaimedTime | Between, seconds: list[int], happenings: list[int], span: tuple[float, float]) -> bool:
    """Whether a time is one of those that may be named; a span in what is reported may also just hold a happening."""
    if isinstance(claim, ClaimedTime):
        return any(claim.fits(second) for second in seconds)
    if all(any(clock.fits(second) for second in seconds) for clock in (claim.first, claim.last)):
        return True
    within = all(
        span[0] <= clock.at_s <= span[1] or clock.at_s + 86400 <= span[1] for clock in (claim.first, claim.last)
    )
    held = [claim.holds(second) for second in happenings]
    return within and (all(held) if claim.always else any(held))


def _lasted(claim: Length, facts: Facts) -> bool:
    if claim.whole:
        return claim.fits(facts.duration_s)
    if claim.long and facts.loitering:  # long by the camera's own measure
        return True
    gaps = [b - a for a, b in combinations(facts.times, 2)] if claim.gap else []
    return any(claim.fits(length) for length in (*facts.durations_s, *gaps))


def _parts(text: str, seconds: list[int], lexicon: Lexicon) -> Iterator[Violation]:
    """Parts of the day in which nothing was."""
    for match in lexicon.pattern("days.part").finditer(text):
        first, last = lexicon.content["parts"][match["part"]]
        if not any(first * 3600 <= s <= last * 3600 or first * 3600 <= s + 86400 <= last * 3600 for s in seconds):
            yield Violation(Claim.TIME, match[0], "nothing was observed in that part of the day")


def _dates(text: str, facts: Facts, lexicon: Lexicon) -> tuple[str, list[Violation]]:
    days = [facts.local(time) for time in facts.times]
    wrong: list[Violation] = []

    def taken(match: re.Match[str], *, right: bool) -> str:
        if not right:
            wrong.append(Violation(Claim.TIME, match[0], "nothing was observed on that day"))
        return DONE

    def date(match: re.Match[str]) -> str:
        said = match.groupdict()
        day, month = said["day"] or said.get("day2"), said["month"] or said.get("month2")
        named = (int(day or 0), lexicon.months.index(month or "") + 1)
        year = {int(said["year"])} if said.get("year") else {d.year for d in days}
        return taken(match, right=any((d.day, d.month) == named and d.year in year for d in days))

    def iso(match: re.Match[str]) -> str:
        named = tuple(int(part) for part in match.groups() if part)
        return taken(match, right=any((d.year, d.month, d.day) == named for d in days))

    def weekday(match: re.Match[str]) -> str:
        named = lexicon.weekdays.index(match["weekday"])
        return taken(match, right=any(d.weekday() == named for d in days))

    to = lexicon.content["days"]["to"]
    text = re.sub(rf"\b(\d{{4}}) {to} (\d{{1,2}}) {to} (\d{{1,2}})\b|\b(\d{{4}}) (\d{{2}}) (\d{{2}})\b", iso, text)
    text = lexicon.pattern("days.weekday").sub(weekday, lexicon.pattern("days.date").sub(date, text))
    others = lexicon.pattern("days.others")
    wrong += [Violation(Claim.TIME, m[0], "which day that is cannot be known") for m in others.finditer(text)]
    return others.sub(DONE, text), wrong
