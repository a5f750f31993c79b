"""Days, hours and months as the node's calendar has them; a day has 23 or 25 hours where the clocks change."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final

from blikk_edge.net.http.answers import BadParameterError

DAY: Final = timedelta(days=1)
_CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]", re.ASCII)
_STEP_S: Final = 1800.0
"""Clocks are changed by an hour, on Lord Howe Island by half of one."""


def wall(seconds: float, zone: tzinfo | None) -> datetime:
    """The wall clock at a time, in seconds since 1970 UTC; without a `zone` that of this machine."""
    return datetime.fromtimestamp(seconds, UTC).astimezone(zone)


def day_span(day: date, zone: tzinfo | None) -> tuple[float, float]:
    """From midnight to midnight, in seconds since 1970 UTC."""
    return _midnight(day, zone), _midnight(day + DAY, zone)


def clock_named(query: Mapping[str, str], name: str, day: date, zone: tzinfo | None) -> float | None:
    """The moment of a day at which the parameter `name` has its clock, as `08:30`; raises BadParameterError."""
    if not (text := query.get(name, "")):
        return None
    if not _CLOCK.fullmatch(text):
        raise BadParameterError(f"`{name}` must be like 08:30")
    moment = datetime.combine(day, time.fromisoformat(text))
    return (moment.replace(tzinfo=zone) if zone else moment.astimezone()).timestamp()


def hours_of(day: date, zone: tzinfo | None) -> list[float]:
    """When each full hour of a day begins, in seconds since 1970 UTC."""
    since, until = day_span(day, zone)
    steps = int((until - since) // _STEP_S) + 1
    times = (since + step * _STEP_S for step in range(steps))
    return [each for each in times if each < until and wall(each, zone).minute == 0]


def days_of(month: date, zone: tzinfo | None) -> tuple[list[date], list[float]]:
    """The days of the month that begins with `month`, and the midnights around them."""
    days = [month]
    while (after := days[-1] + DAY).month == month.month:
        days.append(after)
    return days, [_midnight(day, zone) for day in (*days, after)]


def day_named(query: Mapping[str, str], today: date) -> date:
    """The parameter `day`, `today` without it; raises BadParameterError."""
    return _date(query.get("day", today.isoformat()), "day", "2026-11-21")


def month_named(query: Mapping[str, str], today: date) -> date:
    """The first day of the parameter `month`; raises BadParameterError."""
    return _date(f"{query.get('month', today.isoformat()[:7])}-01", "month", "2026-11")


def _date(text: str, name: str, like: str) -> date:
    try:
        found = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        found = date.min
    if not 1971 <= found.year <= 2200:
        raise BadParameterError(f"`{name}` must be like {like}")
    return found


def _midnight(day: date, zone: tzinfo | None) -> float:
    """Where the clock skips midnight, the first moment of the day."""
    midnight = datetime.combine(day, time.min)
    return (midnight.replace(tzinfo=zone) if zone else midnight.astimezone()).timestamp()
