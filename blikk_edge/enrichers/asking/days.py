"""Weeks, days and parts of days that a question names, as windows on the wall's calendar; what they mean: `times`."""

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final, TypeAlias

from blikk_edge.enrichers.asking.phrase import Phrase

Window: TypeAlias = tuple[datetime, datetime]
"""From the first on and before the second, without a zone."""

DAY: Final = timedelta(days=1)

_WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS: Final = (
    *("january", "february", "march", "april", "may", "june", "july", "august", "september"),
    *("october", "november", "december"),
)
_MONTH: Final = "|".join(f"{name[:3]}(?:{name[3:]})?" if name != "may" else "may" for name in _MONTHS)
_PARTS: Final = {"morning": (5, 12), "afternoon": (12, 18), "evening": (18, 24), "night": (18, 30)}
_PM: Final = {"afternoon", "evening", "night"}

_REL: Final = r"(?:(?P<rel>since|after|from|before|until|till|by|up to|on|for|during|of|in|over) (?:the )?)?"
_WEEK: Final = re.compile(rf"\b{_REL}(?P<which>this|last|the) (?P<span>week ?end|week|month)\b")
_DAYS: Final = re.compile(
    rf"\b{_REL}(?:(?P<iso>\d{{4}}-\d\d-\d\d)|"
    rf"(?P<name>(?:the )?day before yesterday|yesterday|(?:earlier )?today|all day)"
    rf"|(?:(?P<which>this|last|past) )?(?P<weekday>{'|'.join(_WEEKDAYS)})"
    rf"|(?P<month>{_MONTH}) (?:the )?(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\b"
    rf"|(?:the )?(?P<day2>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? (?P<month2>{_MONTH}))\b"
)
_PART: Final = re.compile(
    rf"\b{_REL}(?:earlier )?(?:(?P<which>this|last) )?(?P<part>morning|afternoon|evening|night)\b"
)
_TONIGHT: Final = re.compile(rf"\b{_REL}(?P<name>tonight|overnight|(?<=during the )night|(?<=at )night)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """What was named: a `window`, how it is meant (`since`, `before`, ...), and whether hours are those after noon.

    `none_such` says that a day was named that no calendar has.
    """

    window: Window | None
    rel: str | None
    afternoon: bool
    none_such: bool


def take_days(phrase: Phrase, here: datetime) -> Days:
    """What a question names of days, taken out of it, as seen from `here`."""
    week = phrase.take(_WEEK)
    day = phrase.take(_DAYS)
    tonight = phrase.take(_TONIGHT)
    part = phrase.take(_PART)
    named = _date(day, here) if day is not None else None
    rels = (match["rel"] for match in (week, day, tonight, part) if match is not None)
    return Days(
        window=_window(week, tonight, part, named, here),
        rel=next(filter(None, rels), None),
        afternoon=tonight is not None or (part is not None and part["part"] in _PM),
        none_such=day is not None and named is None,
    )


def _window(
    week: re.Match[str] | None,
    tonight: re.Match[str] | None,
    part: re.Match[str] | None,
    named: date | None,
    here: datetime,
) -> Window | None:
    """What is named without a clock."""
    if week is not None:
        return _week(week, here)
    if tonight is not None:
        return _tonight(tonight["name"], here)
    if part is not None:
        return _part(part, named, here)
    return _day(named) if named is not None else None


def _day(day: date) -> Window:
    start = datetime.combine(day, time())
    return start, start + DAY


def _date(found: re.Match[str], here: datetime) -> date | None:
    """The day; None for one that no calendar has."""
    today = here.date()
    try:
        if found["iso"]:
            day = date.fromisoformat(found["iso"])
            return day if 1970 < day.year < 9999 else None
        month = found["month"] or found["month2"]
        if month:
            number = [name[:3] for name in _MONTHS].index(month[:3]) + 1
            day = date(today.year, number, int(found["day"] or found["day2"]))
            return day if day <= today else day.replace(year=today.year - 1)
    except ValueError:
        return None
    if found["weekday"]:
        back = (today.weekday() - _WEEKDAYS.index(found["weekday"])) % 7
        return today - timedelta(days=back or (7 if found["which"] in {"last", "past"} else 0))
    names = {"yesterday": 1, "day before yesterday": 2}
    return today - timedelta(days=names.get(found["name"].removeprefix("the "), 0))


def _week(found: re.Match[str], here: datetime) -> Window:
    today = datetime.combine(here.date(), time())
    monday = today - timedelta(days=today.weekday())
    last = found["which"] == "last"
    if found["span"] == "month":
        first = today.replace(day=1)
        before = (first - DAY).replace(day=1)
        return (before, first) if last else (first, today + DAY)
    if found["span"] == "week":
        return (monday - timedelta(days=7), monday) if last else (monday, monday + timedelta(days=7))
    saturday = monday + timedelta(days=5)
    if today < saturday or last:
        saturday -= timedelta(days=7)
    return saturday, saturday + timedelta(days=2)


def _tonight(name: str, here: datetime) -> Window:
    """The night that is, or the one that was: after 18 (22) o'clock it is today's."""
    first = 18 if name == "tonight" else 22
    today = datetime.combine(here.date(), time())
    night = today - DAY if here.hour < 6 or (name != "tonight" and here.hour < first) else today
    return night + timedelta(hours=first), night + timedelta(hours=30)


def _part(found: re.Match[str], named: date | None, here: datetime) -> Window:
    first, last = _PARTS[found["part"]]
    day = datetime.combine(named or here.date(), time())
    if named is None:
        ahead = day + timedelta(hours=first) > here and found["which"] != "this"
        early = found["part"] == "night" and found["which"] == "this" and here.hour < 6
        if found["which"] == "last" or ahead or early:
            day -= DAY
    return day + timedelta(hours=first), day + timedelta(hours=last)
