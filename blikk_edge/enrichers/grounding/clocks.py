"""Times of the day in English text: what is claimed, and how exactly."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from blikk_edge.enrichers.grounding.numbers import DONE

_DAY_S: Final = 86400.0

_PART: Final = (
    r"\s*(a\.?m\.?(?![a-z])|p\.?m\.?(?![a-z])|o'clock|(?:in the|at|this) (?:morning|afternoon|evening|night))"
)
_QUALIFIER: Final = (
    r"(?:\b(about|around|approximately|roughly|near|nearly|almost|circa|shortly before|shortly after|just before"
    r"|just after|before|after|by|past)\s+)?"
)
_HH_MM: Final = r"(\d{1,2})[:.](\d{2})(?:[:.](\d{2}))?(?!\d|[:.]\d)"

_SPAN: Final = re.compile(rf"\bbetween {_HH_MM}{_PART}? and {_HH_MM}{_PART}?")
_HOURS: Final = re.compile(
    rf"(?:^|(?<=[.,] )|\b(between|from)\s+)(\d{{1,2}})\s+(?:and|to|until|till)\s+(\d{{1,2}}){_PART}?"
    r"(?=\s*(?:[.,;:!?§]|$))"
)
_CLOCK: Final = re.compile(rf"{_QUALIFIER}\b{_HH_MM}{_PART}?")
_HOUR: Final = re.compile(rf"{_QUALIFIER}\b(\d{{1,2}}){_PART}")
_BARE_HOUR: Final = re.compile(
    r"\b(at|since|until|till|around|by|before|after)\s+(\d{1,2})(?=\s*(?:[.,;!?]|$|and\b(?! a (?:half|quarter))|§))"
)
_WORDED: Final = re.compile(rf"{_QUALIFIER}\b(noon|midday|midnight)\b")
_PAST: Final = re.compile(
    rf"{_QUALIFIER}\b(half|quarter|\d{{1,2}}(?= past)|\d{{1,2}}(?= minutes? to)|(?<=\bat )\d0|(?<=\babout )\d0|25)"
    rf"(?: minutes?)? (past|to) (\d{{1,2}})\b(?!:){_PART}?"
)
_OFF: Final = re.compile(rf"\b(\d{{1,2}}) minutes? (before|after|past|to) (\d{{1,2}}):(\d{{2}})\b{_PART}?")

_LATE: Final = re.compile(r"\b(?:afternoon|evening|night|tonight)\b")
_ALWAYS: Final = re.compile(r"\b(?:always|only|all|every|each|both)\b[^.;]{0,30}$")


@dataclass(frozen=True, slots=True)
class Clock:
    """A claimed time of the day: `at_s` seconds after midnight, true from `before_s` earlier to `after_s` later.

    `twice` says that it comes twice a day: `half past two`.
    """

    words: str
    at_s: float
    before_s: float
    after_s: float
    twice: bool = False

    def fits(self, second_of_day: float) -> bool:
        """Whether it may mean this time."""
        turn_s = _DAY_S / 2 if self.twice else _DAY_S
        off = (second_of_day - self.at_s + turn_s / 2) % turn_s - turn_s / 2
        return -self.before_s <= off <= self.after_s


@dataclass(frozen=True, slots=True)
class Between:
    """A claimed span between two times of the day, in which something was; `always` says that everything was."""

    words: str
    first: Clock
    last: Clock
    always: bool = False

    def holds(self, second_of_day: float) -> bool:
        """Whether this time lies in it."""
        length = (self.last.at_s - self.first.at_s) % _DAY_S
        return (second_of_day - self.first.at_s) % _DAY_S <= length


_Claim: TypeAlias = Clock | Between

_Exact: TypeAlias = tuple[float, float]
_TO_SECOND: Final[_Exact] = (5.0, 5.0)
_TO_MINUTE: Final[_Exact] = (30.0, 60.0)
_TO_HOUR: Final[_Exact] = (120.0, 300.0)
_SPOKEN: Final[_Exact] = (90.0, 90.0)

_SLACK: Final[dict[str, _Exact]] = {
    **dict.fromkeys(("shortly before", "just before", "before"), (600.0, 0.0)),
    **dict.fromkeys(("shortly after", "just after", "after", "past"), (0.0, 600.0)),
    "by": (600.0, 60.0),
}


def clock_times(text: str) -> tuple[str, list[_Claim]]:
    """The times of the day in lower-case text with digits, and the text without them."""
    late = _LATE.search(text) is not None
    claims: list[_Claim] = []
    for pattern, read in _READERS:

        def take(match: re.Match[str], read: _Reader = read) -> str:
            found = read(match, late)
            claims.extend(found)
            return DONE if found else match[0]

        text = pattern.sub(take, text)
    return text, claims


def _span(match: re.Match[str], late: bool) -> tuple[_Claim, ...]:
    first, last = match.groups()[:4], match.groups()[4:]
    return _between(match, _hh_mm(match[0], *first, late=late), _hh_mm(match[0], *last, late=late))


def _hours(match: re.Match[str], late: bool) -> tuple[_Claim, ...]:
    word, first, last, part = match.groups()
    clocks = [_hour_clock(match[0], int(hour), None, part, late=late) for hour in (first, last)]
    return _between(match, *clocks) if word == "between" else tuple(clock for clock in clocks if clock)


def _clock(match: re.Match[str], late: bool) -> tuple[_Claim, ...]:
    qualifier, *digits = match.groups()
    clock = _hh_mm(match[0], *digits, late=late, qualifier=qualifier)
    return (clock,) if clock else ()


def _hour(match: re.Match[str], late: bool) -> tuple[_Claim, ...]:
    qualifier, hour, part = match.groups()
    clock = _hour_clock(match[0], int(hour), qualifier, part, late=late)
    return (clock,) if clock else ()


def _bare_hour(match: re.Match[str], late: bool) -> tuple[_Claim, ...]:
    word, hour = match.groups()
    qualifier = word if word in {"around", "by", "before", "after"} else None
    clock = _hour_clock(match[0], int(hour), qualifier, None, late=late)
    return (clock,) if clock else ()


def _worded(match: re.Match[str], _late: bool) -> tuple[_Claim, ...]:
    at_s = 0.0 if match[2] == "midnight" else _DAY_S / 2
    return (_slacked(match[0], at_s, match[1], (900.0, 900.0), about_s=1800.0),)


def _past(match: re.Match[str], late: bool) -> tuple[_Claim, ...]:
    qualifier, off, side, hour, part = match.groups()
    minutes = {"half": 30, "quarter": 15}.get(off) or int(off)
    at_s = _second_of_day(int(hour), part, late=late) + 60 * (minutes if side == "past" else -minutes)
    return (replace(_slacked(match[0], at_s, qualifier, _SPOKEN, about_s=300.0), twice=not part),)


def _off(match: re.Match[str], late: bool) -> tuple[_Claim, ...]:
    minutes, side, hour, minute, part = match.groups()
    off = int(minutes) if side in {"after", "past"} else -int(minutes)
    at_s = _second_of_day(int(hour), part, late=late) + 60 * (int(minute) + off)
    return (_slacked(match[0], at_s, None, _SPOKEN),)


_Reader: TypeAlias = Callable[[re.Match[str], bool], tuple[_Claim, ...]]

_READERS: Final[tuple[tuple[re.Pattern[str], _Reader], ...]] = (
    (_OFF, _off),
    (_PAST, _past),
    (_SPAN, _span),
    (_CLOCK, _clock),
    (_HOURS, _hours),
    (_HOUR, _hour),
    (_WORDED, _worded),
    (_BARE_HOUR, _bare_hour),
)


def _between(match: re.Match[str], first: Clock | None, last: Clock | None) -> tuple[_Claim, ...]:
    if first is None or last is None:
        return ()
    always = _ALWAYS.search(match.string[: match.start()]) is not None
    return (Between(match[0], first, last, always),)


def _hh_mm(
    words: str,
    hour: str,
    minute: str,
    second: str | None,
    part: str | None,
    *,
    late: bool,
    qualifier: str | None = None,
) -> Clock | None:
    """A time with minutes; None where the digits are none."""
    if int(hour) > 24 or int(minute) > 59:
        return None
    at_s = _second_of_day(int(hour), part, late=late and not hour.startswith("0")) + 60 * int(minute)
    exact = _TO_SECOND if second else _TO_MINUTE
    return _slacked(words, at_s + int(second or 0), qualifier, exact, about_s=300.0)


def _hour_clock(words: str, hour: int, qualifier: str | None, part: str | None, *, late: bool) -> Clock | None:
    if hour > 24:
        return None
    return _slacked(words, _second_of_day(hour, part, late=late), qualifier, _TO_HOUR, about_s=1800.0)


def _slacked(words: str, at_s: float, qualifier: str | None, exact: _Exact, *, about_s: float = 0.0) -> Clock:
    """A time with what the word before it allows."""
    before_s, after_s = exact if qualifier is None else _SLACK.get(qualifier) or (about_s, about_s)
    if qualifier in _SLACK and exact[0] < 60:
        before_s, after_s = max(before_s, exact[0]), max(after_s, exact[1])
    return Clock(words.strip(), at_s % _DAY_S, before_s, after_s)


def _second_of_day(hour: int, part: str | None, *, late: bool) -> float:
    part = (part or "").replace(".", "").strip()
    evening = part == "pm" or part.endswith(("afternoon", "evening")) or (part.endswith("night") and hour > 5)
    if hour == 12 and (part == "am" or part.endswith("night")):
        hour = 0
    elif hour < 12 and (evening or (late and not part)):
        hour += 12
    return 3600.0 * hour
