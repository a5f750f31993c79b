"""When: the times that a question names, as seconds since 1970 UTC. Words of a day are those of the local calendar.

Morning is 5 to 12 o'clock, afternoon 12 to 18, evening 18 to 24, a night 18 to 6 of the next day, "during the night"
22 to 6. A week begins on Monday. An hour without am or pm is read from a 24-hour clock, unless a word (evening) or the
other hour of a pair says otherwise; what would lie ahead is of the day before. "At" and "around" an hour is half an
hour about it.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Final

from blikk_edge.enrichers.asking.days import DAY, Window, take_days
from blikk_edge.enrichers.asking.phrase import Phrase

ABOUT: Final = timedelta(minutes=30)
RECENT: Final = timedelta(hours=24)
_LATEST_S: Final = datetime(9999, 12, 30, tzinfo=UTC).timestamp()
"""In every zone this is still in the last year that there is a calendar of."""

NUMBERS: Final = {
    word: value
    for value, words in enumerate(
        ("", "one a an", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
    )
    for word in words.split()
} | {"couple of": 2, "couple": 2, "few": 3, "half an": 0.5, "half a": 0.5, "fifteen": 15, "twenty": 20, "thirty": 30}
UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}

AMOUNT: Final = rf"(?P<n>\d{{1,4}}|{'|'.join(sorted(NUMBERS, key=len, reverse=True))})"
UNIT: Final = r"(?P<unit>s(?:ec(?:ond)?s?)?|m(?:in(?:ute)?s?)?|h(?:(?:ou)?rs?)?|d(?:ays?)?|w(?:eeks?)?|months?)\b"

_CLOCK: Final = r"(?:\d{1,2}(?::\d\d)?(?: ?[ap]m\b| o'? ?clock)?|noon|midday|midnight)(?![\d:])"

_AGO: Final = re.compile(rf"\b(?:(?P<rel>since|after|until|before|within) )?(?:about |around )?{AMOUNT} {UNIT} ago\b")
_ROLLING: Final = re.compile(
    rf"\b(?:(?:in|over|during|within|for|since|from) )?(?P<the>the )?(?P<last>last|past|previous) (?:{AMOUNT} )?{UNIT}"
)
_SINCE_AMOUNT: Final = re.compile(rf"\b(?:since|within|in under) {AMOUNT} {UNIT}(?! ago)")
_JUST_NOW: Final = re.compile(r"\b(?:just now|(?:a moment|moments|a minute|a second|a little while) ago)\b")
_RECENT: Final = re.compile(r"\b(?:recently|lately)\b")
_EVER: Final = re.compile(r"\b(?:ever|at any time|of all time)\b")
_HALF: Final = re.compile(
    r"\b(?:a )?(?P<share>half past|quarter past|quarter to) "
    r"(?P<h>[1-9]|1\d|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)\b"
)
_PAIR: Final = re.compile(rf"\b(?:between|from) (?P<a>{_CLOCK}) (?:and|to|till|until|-) (?P<b>{_CLOCK})")
_ONE: Final = re.compile(
    rf"\b(?P<rel>since|after|from|before|until|till|by|up to|at|around|about) (?:about |around )?(?P<a>{_CLOCK})"
)


@dataclass(frozen=True, slots=True)
class Span:
    """From `since` on and before `until`; None does not restrict."""

    since: float | None
    until: float | None


class Wall:
    """The clock and calendar on the wall: times without a zone, in `timezone`; None: where this machine is."""

    def __init__(self, timezone: tzinfo | None) -> None:
        self._timezone = timezone

    def at(self, seconds: float) -> datetime:
        """Seconds since 1970 UTC as the wall shows them; what lies beyond the calendar is shown as its end."""
        within = min(max(seconds, 0.0), _LATEST_S)
        return datetime.fromtimestamp(within, UTC).astimezone(self._timezone).replace(tzinfo=None)

    def seconds(self, wall: datetime) -> float:
        """The other way; an hour that the clock skips or repeats is taken as before the change."""
        return (wall.replace(tzinfo=self._timezone) if self._timezone else wall.astimezone()).timestamp()


def take_times(phrase: Phrase, now: float, wall: Wall) -> Span | None:
    """The times a question names, taken out of it; None where it names none. `until` is None where that is now."""
    span = _relative(phrase, now, wall) or _calendar(phrase, now, wall)
    if span is not None and span.until is not None and span.until > now:
        return Span(span.since, None)
    return span


def seconds_of(match: re.Match[str]) -> float:
    """The length of time that AMOUNT and UNIT matched."""
    amount, unit = match["n"] or "one", match["unit"]
    count = float(amount) if amount.isdigit() else NUMBERS[amount]
    return count * (30 * UNITS["d"] if unit.startswith("mo") else UNITS[unit[0]])


def midnight(now: float, wall: Wall) -> float:
    """When today began."""
    return wall.seconds(datetime.combine(wall.at(now).date(), time()))


def _relative(phrase: Phrase, now: float, wall: Wall) -> Span | None:
    if phrase.take(_JUST_NOW):
        return Span(now - 600.0, None)
    if ago := phrase.take(_AGO):
        return _ago(ago, now, wall)
    rolling = _ROLLING.search(phrase.text)
    if rolling is not None and not _is_calendar(rolling):
        phrase.take(_ROLLING)
        return Span(max(0.0, now - seconds_of(rolling)), None)
    if amount := phrase.take(_SINCE_AMOUNT):
        return Span(max(0.0, now - seconds_of(amount)), None)
    if phrase.take(_RECENT):
        return Span(now - RECENT.total_seconds(), None)
    return Span(None, None) if phrase.take(_EVER) else None


def _is_calendar(rolling: re.Match[str]) -> bool:
    """Whether it is "last week", one of the calendar, and not "the last week", which is seven days."""
    alone = not rolling["n"] and not rolling["the"]
    return alone and rolling["last"] == "last" and rolling["unit"].startswith(("w", "mo"))


def _ago(ago: re.Match[str], now: float, wall: Wall) -> Span:
    seconds = seconds_of(ago)
    moment = max(0.0, now - seconds)
    match ago["rel"]:
        case "since" | "after" | "within":
            return Span(moment, None)
        case "until" | "before":
            return Span(None, moment)
    if seconds >= DAY.total_seconds():
        day = datetime.combine(wall.at(moment).date(), time())
        return _span((day, day + DAY), wall)
    about = 1800.0 if ago["unit"].startswith("h") else 300.0
    return Span(moment - about, moment + about)


def _calendar(phrase: Phrase, now: float, wall: Wall) -> Span | None:
    """None also for a date or an hour that there is none of; it stays in the phrase, where it will be noticed."""
    here, before = wall.at(now), phrase.text
    phrase.text = _HALF.sub(_half, phrase.text)
    days = take_days(phrase, here)
    pair = phrase.take(_PAIR)
    one = None if pair is not None else phrase.take(_ONE)
    span = None
    if days.none_such:
        pass
    elif pair is not None:
        span = _between(pair, days.window, here, wall, afternoon=days.afternoon)
    elif one is not None:
        span = _about(one, days.window, here, wall, afternoon=days.afternoon)
    elif days.window is not None:
        span = _related(days.rel, days.window, wall)
    else:
        return None
    if span is None:
        phrase.text = before
    return span


def _half(found: re.Match[str]) -> str:
    """`half past ten` as `10:30`, `quarter to ten` as `9:45`."""
    hour = int(found["h"]) if found["h"].isdigit() else int(NUMBERS[found["h"]])
    minute = {"half past": 30, "quarter past": 15, "quarter to": 45}[found["share"]]
    return f"{hour - 1 if minute == 45 else hour}:{minute}"


def _related(rel: str | None, window: Window, wall: Wall) -> Span:
    start, end = (wall.seconds(moment) for moment in window)
    match rel:
        case "since" | "from":
            return Span(start, None)
        case "after":
            return Span(end, None)
        case "before":
            return Span(None, start)
        case "until" | "till" | "by" | "up to":
            return Span(None, end)
        case _:
            return Span(start, end)


def _span(window: Window, wall: Wall) -> Span:
    return Span(wall.seconds(window[0]), wall.seconds(window[1]))


def _hour(text: str) -> tuple[timedelta, bool] | None:
    """The time of day, and whether it is certain; None for none."""
    if text in {"noon", "midday", "midnight"}:
        return timedelta(hours=0 if text == "midnight" else 12), True
    found = re.match(r"(\d{1,2})(?::(\d\d))?(?: ?([ap])m)?", text)
    assert found is not None  # _CLOCK has matched
    hour, minute = int(found[1]), int(found[2] or 0)
    if hour > (12 if found[3] else 24) or minute > 59:
        return None
    if found[3]:
        hour = hour % 12 + (12 if found[3] == "p" else 0)
    return timedelta(hours=hour, minutes=minute), bool(found[3]) or hour > 12 or found[1].startswith("0")


def _between(pair: re.Match[str], window: Window | None, here: datetime, wall: Wall, *, afternoon: bool) -> Span | None:
    first, last = _hour(pair["a"]), _hour(pair["b"])
    if first is None or last is None:
        return None
    half = timedelta(hours=12)
    (a, a_certain), (b, b_certain) = first, last
    if afternoon or (b_certain and not a_certain and b >= half and a < half and a + half < b):
        a = a if a_certain or a >= half else a + half
    if afternoon and not b_certain and b < half:
        b += half
    if b <= a:
        b += half if not b_certain and b + half > a else DAY
    day = datetime.combine((window[0] if window else here).date(), time())
    if window is None and day + a > here:
        day -= DAY
    return _span((day + a, day + b), wall)


def _about(one: re.Match[str], window: Window | None, here: datetime, wall: Wall, *, afternoon: bool) -> Span | None:
    found = _hour(one["a"])
    if found is None:
        return None
    hour, certain = found
    if afternoon and not certain and hour < timedelta(hours=12):
        hour += timedelta(hours=12)
    rel = one["rel"]
    if one["a"] == "midnight" and rel in {"before", "until", "till", "by", "up to"}:
        hour = DAY
    day = datetime.combine((window[0] if window else here).date(), time())
    if window is None and day + hour > here and hour < DAY:
        day -= DAY
    moment = day + hour
    if rel in {"since", "after", "from"}:
        past = window is not None and window[1] <= here and rel != "since"
        return Span(wall.seconds(moment), wall.seconds(window[1]) if past and window else None)
    if rel in {"before", "until", "till", "by", "up to"}:
        return Span(wall.seconds(window[0] if window else day), wall.seconds(moment))
    return _span((moment - ABOUT, moment + ABOUT), wall)
