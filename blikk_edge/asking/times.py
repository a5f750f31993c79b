"""When: the times that a question names, as seconds since 1970 UTC. Words of a day are those of the local calendar.

In English morning is 5 to 12 o'clock, afternoon 12 to 18, evening 18 to 24, a night 18 to 6 of the next day; every
language says so for itself. "During the night" is 22 to 6. A week begins on Monday. An hour without am or pm is read
from a 24-hour clock, unless a word (evening) or the other hour of a pair says otherwise; what would lie ahead is of the
day before. "At" and "around" an hour is half an hour about it.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Final

from blikk_edge.asking.days import DAY, Days, Window, take_days
from blikk_edge.asking.phrase import Phrase
from blikk_edge.language.reading import Reading

ABOUT: Final = timedelta(minutes=30)
RECENT: Final = timedelta(hours=24)
_LATEST_S: Final = datetime(9999, 12, 30, tzinfo=UTC).timestamp()
"""In every zone this is still in the last year that there is a calendar of."""


@dataclass(frozen=True, slots=True)
class Span:
    """A period on the clock, in seconds since 1970 UTC.

    Attributes:
        since: From then on; None does not restrict.
        until: Before then; None does not restrict.
    """

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


def seconds_of(match: re.Match[str], reading: Reading) -> float:
    """The length of time that an amount and a unit name."""
    amount = match["n"] or "1"
    count = float(amount) if amount.isdigit() else reading.numbers[amount]
    return count * reading.unit_s(match["unit"])


def midnight(now: float, wall: Wall) -> float:
    """When today began."""
    return wall.seconds(datetime.combine(wall.at(now).date(), time()))


def _relative(phrase: Phrase, now: float, wall: Wall) -> Span | None:
    if phrase.take("times.just_now"):
        return Span(now - 600.0, None)
    if ago := phrase.take("times.ago"):
        return _ago(ago, now, wall, phrase.reading)
    if span := phrase.take("times.rolling") or phrase.take("times.since_amount"):
        return Span(max(0.0, now - seconds_of(span, phrase.reading)), None)
    if phrase.take("times.recently"):
        return Span(now - RECENT.total_seconds(), None)
    return Span(None, None) if phrase.take("times.ever") else None


def _ago(ago: re.Match[str], now: float, wall: Wall, reading: Reading) -> Span:
    seconds = seconds_of(ago, reading)
    moment = max(0.0, now - seconds)
    match reading.relation(ago["rel"]):
        case "since" | "after" | "within":
            return Span(moment, None)
        case "until" | "before":
            return Span(None, moment)
    if seconds >= DAY.total_seconds():
        day = datetime.combine(wall.at(moment).date(), time())
        return _span((day, day + DAY), wall)
    about = 1800.0 if reading.unit_s(ago["unit"]) == 3600.0 else 300.0
    return Span(moment - about, moment + about)


def _calendar(phrase: Phrase, now: float, wall: Wall) -> Span | None:
    """None also for a date or an hour that there is none of; it stays in the phrase, where it will be noticed."""
    here, before, reading = wall.at(now), phrase.text, phrase.reading
    phrase.text = reading.pattern("times.share").sub(lambda found: _shared(found, reading), phrase.text)
    days = take_days(phrase, here)
    pair = phrase.take("times.pair")
    one = None if pair is not None else phrase.take("times.one")
    span = None
    if days.none_such:
        pass
    elif pair is not None:
        span = _between(pair, days, here, wall, reading)
    elif one is not None:
        span = _about(one, days, here, wall, reading)
    elif days.window is not None:
        span = _related(days.rel, days.window, wall)
    else:
        return None
    if span is None:
        phrase.text = before
    return span


def _shared(found: re.Match[str], reading: Reading) -> str:
    """`half past ten` as `10:30`, `quarter to ten` as `9:45`."""
    hour = int(found["h"]) if found["h"].isdigit() else int(reading.numbers[found["h"]])
    minutes = 60 * hour + reading.share_min(found["share"])
    return f"{minutes // 60}:{minutes % 60:02}"


def _related(rel: str | None, window: Window, wall: Wall) -> Span:
    start, end = (wall.seconds(moment) for moment in window)
    match rel:
        case "since" | "from":
            return Span(start, None)
        case "after":
            return Span(end, None)
        case "before":
            return Span(None, start)
        case "until":
            return Span(None, end)
        case _:
            return Span(start, end)


def _span(window: Window, wall: Wall) -> Span:
    return Span(wall.seconds(window[0]), wall.seconds(window[1]))


def _hour(text: str, reading: Reading) -> tuple[timedelta, bool] | None:
    """The time of day, and whether it is certain; None for none."""
    if reading.means(text, "times.noon") or reading.means(text, "times.midnight"):
        return timedelta(hours=0 if reading.means(text, "times.midnight") else 12), True
    found = re.search(r"(\d{1,2})(?::(\d\d))?(?: ?([ap])m)?", text)
    assert found is not None  # the pattern of a clock has matched
    hour, minute = int(found[1]), int(found[2] or 0)
    if hour > (12 if found[3] else 24) or minute > 59:
        return None
    if found[3]:
        hour = hour % 12 + (12 if found[3] == "p" else 0)
    return timedelta(hours=hour, minutes=minute), bool(found[3]) or hour > 12 or found[1].startswith("0")


def _between(pair: re.Match[str], days: Days, here: datetime, wall: Wall, reading: Reading) -> Span | None:
    first, last = _hour(pair["a"], reading), _hour(pair["b"], reading)
    if first is None or last is None:
        return None
    half = timedelta(hours=12)
    (a, a_certain), (b, b_certain) = first, last
    if days.afternoon or (b_certain and not a_certain and b >= half and a < half and a + half < b):
        a = a if a_certain or a >= half else a + half
    if days.afternoon and not b_certain and b < half:
        b += half
    if b <= a:
        b += half if not b_certain and b + half > a else DAY
    day = datetime.combine((days.window[0] if days.window else here).date(), time())
    if days.window is None and day + a > here:
        day -= DAY
    return _span((day + a, day + b), wall)


def _about(one: re.Match[str], days: Days, here: datetime, wall: Wall, reading: Reading) -> Span | None:
    found = _hour(one["a"], reading)
    if found is None:
        return None
    (hour, certain), window = found, days.window
    if days.afternoon and not certain and hour < timedelta(hours=12):
        hour += timedelta(hours=12)
    rel = reading.relation(one["rel"])
    if reading.means(one["a"], "times.midnight") and rel in {"before", "until"}:
        hour = DAY
    day = datetime.combine((window[0] if window else here).date(), time())
    if window is None and day + hour > here and hour < DAY:
        day -= DAY
    moment = day + hour
    if rel in {"since", "after", "from"}:
        past = window is not None and window[1] <= here and rel != "since"
        return Span(wall.seconds(moment), wall.seconds(window[1]) if past and window else None)
    if rel in {"before", "until"}:
        return Span(wall.seconds(window[0] if window else day), wall.seconds(moment))
    return _span((moment - ABOUT, moment + ABOUT), wall)
