"""Moments and periods in words, as one would say them now: at 14:02, yesterday at 08:10, on Monday 16 November."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from blikk_edge.enrichers.asking.times import Wall
from blikk_edge.enrichers.summaries.wording import listed, number

SHOWN_MAX: Final = 6
"""Moments, or visits, that are named one by one."""


class Moments:
    """Times in words, seen from `now`, seconds since 1970 UTC as all times here."""

    def __init__(self, wall: Wall, now: float) -> None:
        self._wall = wall
        self._now = wall.at(now)

    def at(self, time: float) -> str:
        """`at 14:02`, `yesterday at 14:02`."""
        moment = self._wall.at(time)
        clock = f"at {moment:%H:%M}"
        return clock if moment.date() == self._now.date() else f"{self._day(moment)} {clock}"

    def since(self, time: float) -> str:
        """`since 14:02`, `since Monday 16 November 14:02`."""
        return f"since {self._day_time(self._wall.at(time))}"

    def several(self, times: Sequence[float]) -> str:
        """The first SHOWN_MAX, and how many more."""
        shown = [self.at(time) for time in times[:SHOWN_MAX]]
        left = len(times) - len(shown)
        more = [f"{number(left)} more {'time' if left == 1 else 'times'}"] if left else []
        return listed([*shown, *more])

    def period(self, since: float | None, until: float | None) -> str:
        """`today`, `yesterday from 08:00 to 10:00`, `since 08:00`; None does not restrict."""
        if since is None:
            return "in all that is stored" if until is None else f"before {self._day_time(self._wall.at(until))}"
        start, end = self._wall.at(since), None if until is None else self._wall.at(until)
        midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
        if start == midnight and (
            end == midnight + timedelta(days=1) or (not end and start.date() == self._now.date())
        ):
            return self._day(start)
        if end is None:
            return f"since {self._day_time(start)}"
        if end.date() == start.date():
            return f"{self._day(start)} from {start:%H:%M} to {end:%H:%M}"
        return f"from {self._day_time(start)} to {self._day_time(end)}"

    def _day(self, moment: datetime) -> str:
        match (self._now.date() - moment.date()).days:
            case 0:
                return "today"
            case 1:
                return "yesterday"
        year = "" if moment.year == self._now.year else f" {moment.year}"
        return f"on {moment:%A} {moment.day} {moment:%B}{year}"

    def _day_time(self, moment: datetime) -> str:
        clock = f"{moment:%H:%M}"
        return clock if moment.date() == self._now.date() else f"{self._day(moment).removeprefix('on ')} {clock}"
