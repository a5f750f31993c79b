"""Times of the day in a text: what is claimed, and how exactly."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from blikk_edge.language.grounding.lexicon import Lexicon
from blikk_edge.language.grounding.numbers import DONE

_DAY_S: Final = 86400.0
SPOKEN: Final = "·"
"""Stands between hour and minutes of a time that was written in words, which comes twice a day."""


@dataclass(frozen=True, slots=True)
class ClaimedTime:
    """A claimed time of the day.

    Attributes:
        words: Those that claim it.
        at_s: Seconds after midnight.
        before_s: How much earlier it is still true, in seconds.
        after_s: How much later it is still true, in seconds.
        twice: Whether it comes twice a day, as `half past two` does.
    """

    words: str
    at_s: float
    before_s: float
    after_s: float
    twice: bool = False

    @property
    def later(self) -> bool:
        """Whether it is `after` a time."""
        return self.before_s < self.after_s == _SLACK["after"][1]

    def fits(self, second_of_day: float) -> bool:
        """Whether it may mean this time."""
        turn_s = _DAY_S / 2 if self.twice else _DAY_S
        off = (second_of_day - self.at_s + turn_s / 2) % turn_s - turn_s / 2
        return -self.before_s <= off <= self.after_s


@dataclass(frozen=True, slots=True)
class Between:
    """A claimed span between two times of the day, in which something was.

    Attributes:
        words: Those that claim it.
        first: Where it begins.
        last: Where it ends; before `first` where midnight lies in it.
        always: Whether everything was in it.
    """

    words: str
    first: ClaimedTime
    last: ClaimedTime
    always: bool = False

    def holds(self, second_of_day: float) -> bool:
        """Whether this time lies in it."""
        length = (self.last.at_s - self.first.at_s) % _DAY_S
        return (second_of_day - self.first.at_s) % _DAY_S <= length


ClockClaim: TypeAlias = ClaimedTime | Between

_Exact: TypeAlias = tuple[float, float]
_TO_SECOND: Final[_Exact] = (5.0, 5.0)
_TO_MINUTE: Final[_Exact] = (30.0, 59.9)
_TO_HOUR: Final[_Exact] = (120.0, 300.0)
_SPOKEN: Final[_Exact] = (90.0, 90.0)


def clock_times(
    text: str, lexicon: Lexicon, mark: Callable[[ClockClaim], str] = lambda _: DONE
) -> tuple[str, list[ClockClaim]]:
    """The times of the day in lower-case text with digits, and the text with the `mark` of each instead."""
    reader = _Reader(
        lexicon,
        late=lexicon.pattern("clocks.late").search(text),
        halves=lexicon.pattern("clocks.halves").search(text) is not None,
    )
    claims: list[ClockClaim] = []
    for name in ("off", "past", "span", "clock", "hours", "hour", "worded", "bare_hour"):

        def take(match: re.Match[str], name: str = name) -> str:
            found = reader.read(name, match)
            claims.extend(found)
            return "".join(map(mark, found)) if found else match[0]

        text = lexicon.pattern(f"clocks.{name}").sub(take, text)
    return text, claims


class _Reader:
    """Reads what the patterns of a language match; `late` is where it speaks of an afternoon, evening or night, and
    `halves` says that it names the half of the day with a time, which then counts for the others too.
    """

    def __init__(self, lexicon: Lexicon, *, late: re.Match[str] | None, halves: bool) -> None:
        self._lexicon = lexicon
        self._halves = halves
        self._late = late is not None
        self._night = late is not None and lexicon.pattern("clocks.night").search(late[0]) is not None

    def read(self, name: str, match: re.Match[str]) -> tuple[ClockClaim, ...]:
        """What a match of this pattern claims; nothing where its digits are no time."""
        said = match.groupdict()
        qualifier, part = said.get("q"), said.get("part")
        match name:
            case "span":
                first = self._hh_mm(match[0], said["h"], said["m"], said["s"], part)
                last = self._hh_mm(match[0], said["h2"], said["m2"], said["s2"], said.get("part2"))
                return self._between(match, first, last)
            case "hours":
                clocks = [self._hour(match[0], int(said[hour] or 0), None, part) for hour in ("h", "h2")]
                if said["word"] is not None and self._is("between", said["word"]):
                    return self._between(match, *clocks)
                return tuple(clock for clock in clocks if clock)
            case "clock":
                clock = self._hh_mm(match[0], said["h"], said["m"], said["s"], part, qualifier=qualifier)
            case "worded":
                at_s = 0.0 if self._is("midnight", said["word"]) else _DAY_S / 2
                clock = self._slacked(match[0], at_s, qualifier, (900.0, 900.0), about_s=1800.0)
            case "past":
                off = self._lexicon.content["clocks"]["shares"].get(said["off"])
                minutes = int(said["off"] or 0) if off is None else off
                sign = 1 if self._is("later", said["side"]) else -1
                at_s = self._second_of_day(int(said["h"] or 0), part) + 60 * sign * minutes
                clock = replace(self._slacked(match[0], at_s, qualifier, _SPOKEN, about_s=300.0), twice=not part)
            case "off":
                sign = 1 if self._is("later", said["side"]) else -1
                at_s = self._second_of_day(int(said["h"] or 0), part)
                at_s += 60 * (int(said["m"] or 0) + sign * int(said["off"] or 0))
                clock = self._slacked(match[0], at_s, None, _SPOKEN)
            case _:
                bare = name == "bare_hour" and not any(self._is(key, qualifier) for key in _QUALIFIERS)
                clock = self._hour(match[0], int(said["h"] or 0), None if bare else qualifier, part)
        return (clock,) if clock else ()

    def _between(
        self, match: re.Match[str], first: ClaimedTime | None, last: ClaimedTime | None
    ) -> tuple[ClockClaim, ...]:
        if first is None or last is None:
            return ()
        always = self._lexicon.pattern("clocks.always").search(match.string[: match.start()]) is not None
        return (Between(match[0], first, last, always),)

    def _hh_mm(
        self,
        words: str,
        hour: str | None,
        minute: str | None,
        second: str | None,
        part: str | None,
        *,
        qualifier: str | None = None,
    ) -> ClaimedTime | None:
        """A time with minutes; None where the digits are none."""
        if hour is None or minute is None or int(hour) > 24 or int(minute) > 59:
            return None
        at_s = self._second_of_day(int(hour), part, sure=hour.startswith("0")) + 60 * int(minute)
        exact = _TO_SECOND if second else _TO_MINUTE
        clock = self._slacked(words, at_s + int(second or 0), qualifier, exact, about_s=300.0)
        spoken = len(hour) == 1 or ((self._halves or SPOKEN in words) and int(hour) <= 12)
        return replace(clock, twice=spoken and not self._is_sure(part))

    def _hour(self, words: str, hour: int, qualifier: str | None, part: str | None) -> ClaimedTime | None:
        """A whole hour; one up to 12 comes twice a day, where nothing says which half of it is meant."""
        if hour > 24:
            return None
        clock = self._slacked(words, self._second_of_day(hour, part), qualifier, _TO_HOUR, about_s=1800.0)
        return replace(clock, twice=0 < hour <= 12 and not self._is_sure(part))

    def _is_sure(self, part: str | None) -> bool:
        """Whether it is said which half of the day is meant."""
        said = (part or "").strip()
        halves = (self._lexicon.pattern(f"clocks.{name}") for name in ("am", "pm", "night"))
        return (self._late and not said) or any(half.search(said) for half in halves)

    def _slacked(
        self, words: str, at_s: float, qualifier: str | None, exact: _Exact, *, about_s: float = 0.0
    ) -> ClaimedTime:
        """A time with what the word before it allows."""
        before_s, after_s = exact
        if qualifier is not None:
            slack = next((slack for key, slack in _SLACK.items() if self._is(key, qualifier)), None)
            before_s, after_s = slack or (about_s, about_s)
            if slack is not None and exact[0] < 60:
                before_s, after_s = max(before_s, exact[0]), max(after_s, exact[1])
        return ClaimedTime(words.strip(), at_s % _DAY_S, before_s, after_s)

    def _second_of_day(self, hour: int, part: str | None, *, sure: bool = False) -> float:
        """`sure` says that the hour cannot be one after noon."""
        said = (part or "").strip()
        am, pm, night = (bool(self._lexicon.pattern(f"clocks.{name}").search(said)) for name in ("am", "pm", "night"))
        small = self._night and hour <= 5
        if hour == 12 and (am or night):
            hour = 0
        elif hour < 12 and (pm or (hour > 5 and night) or (self._late and not said and not sure and not small)):
            hour += 12
        return 3600.0 * hour

    def _is(self, key: str, word: str | None) -> bool:
        return self._lexicon.has(word, f"clocks.{key}")


_SLACK: Final[Mapping[str, _Exact]] = {"before": (600.0, -1.0), "after": (0.0, 600.0), "by": (600.0, 60.0)}
_QUALIFIERS: Final = (*_SLACK, "about")
