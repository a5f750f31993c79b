"""Weeks, days and parts of days that a question names, as windows on the wall's calendar; what they mean: `times`."""

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final, TypeAlias

from blikk_edge.asking.phrase import Phrase
from blikk_edge.language.reading import Reading

Window: TypeAlias = tuple[datetime, datetime]
"""From the first on and before the second, without a zone."""

DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """What a question names of weeks, days and parts of days.

    Attributes:
        window: From when until when on the wall's calendar; None where nothing was named.
        rel: How it is meant: `since`, `from`, `after`, `before`, `until` or `within`; None for the window itself.
        afternoon: Whether hours in the same question are those after noon.
        none_such: Whether a day was named that no calendar has.
    """

    window: Window | None
    rel: str | None
    afternoon: bool
    none_such: bool


def take_days(phrase: Phrase, here: datetime) -> Days:
    """What a question names of days, taken out of it, as seen from `here`."""
    reading = phrase.reading
    week = phrase.take("days.week")
    day = phrase.take("days.day")
    night = phrase.take("days.night")
    part = phrase.take("days.part")
    named = _date(day, here, reading) if day is not None else None
    rels = (reading.relation(match["rel"]) for match in (week, day, night, part) if match is not None)
    return Days(
        window=_window(week, night, part, named, here, reading),
        rel=next(filter(None, rels), None),
        afternoon=night is not None or (part is not None and _hours(part, reading)[0] >= 12),
        none_such=day is not None and named is None,
    )


def _window(
    week: re.Match[str] | None,
    night: re.Match[str] | None,
    part: re.Match[str] | None,
    named: date | None,
    here: datetime,
    reading: Reading,
) -> Window | None:
    """What is named without a clock."""
    if week is not None:
        return _week(week, here, reading)
    if night is not None:
        return _night(18 if reading.means(night["name"], "days.tonight") else 22, here)
    if part is not None:
        return _part(part, named, here, reading)
    return _day(named) if named is not None else None


def _day(day: date) -> Window:
    start = datetime.combine(day, time())
    return start, start + DAY


def _date(found: re.Match[str], here: datetime, reading: Reading) -> date | None:
    """The day; None for one that no calendar has."""
    said, today = found.groupdict(), here.date()
    try:
        if said["iso"]:
            day = date.fromisoformat(said["iso"])
            return day if 1970 < day.year < 9999 else None
        month = said["month"] or said.get("month2")
        if month:
            day = date(today.year, reading.month(month), int(said["day"] or said.get("day2") or 0))
            return day if day <= today else day.replace(year=today.year - 1)
    except ValueError:
        return None
    if said["weekday"]:
        back = (today.weekday() - reading.weekdays.index(said["weekday"])) % 7
        return today - timedelta(days=back or (7 if reading.means(said["which"], "days.last") else 0))
    names = ("days.yesterday", "days.before_yesterday")
    return today - timedelta(days=next((n for n, key in enumerate(names, 1) if reading.means(said["name"], key)), 0))


def _week(found: re.Match[str], here: datetime, reading: Reading) -> Window:
    today = datetime.combine(here.date(), time())
    monday = today - timedelta(days=today.weekday())
    last = reading.means(found["which"], "days.last")
    if reading.means(found["span"], "days.month"):
        first = today.replace(day=1)
        before = (first - DAY).replace(day=1)
        return (before, first) if last else (first, today + DAY)
    if not reading.means(found["span"], "days.weekend"):
        return (monday - timedelta(days=7), monday) if last else (monday, monday + timedelta(days=7))
    saturday = monday + timedelta(days=5)
    if today < saturday or last:
        saturday -= timedelta(days=7)
    return saturday, saturday + timedelta(days=2)


def _night(first: int, here: datetime) -> Window:
    """The night that is, or the one that was: after its first hour it is today's."""
    today = datetime.combine(here.date(), time())
    night = today - DAY if here.hour < 6 or (first > 18 and here.hour < first) else today
    return night + timedelta(hours=first), night + timedelta(hours=30)


def _part(found: re.Match[str], named: date | None, here: datetime, reading: Reading) -> Window:
    first, last = _hours(found, reading)
    day = datetime.combine(named or here.date(), time())
    if named is None:
        this, before = (reading.means(found["which"], f"days.{name}") for name in ("this", "last"))
        ahead = day + timedelta(hours=first) > here and not this
        early = last > 24 and this and here.hour < 6
        if before or ahead or early:
            day -= DAY
    return day + timedelta(hours=first), day + timedelta(hours=last)


def _hours(found: re.Match[str], reading: Reading) -> tuple[int, int]:
    return reading.parts[found["part"]]
