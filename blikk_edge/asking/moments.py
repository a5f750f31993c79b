"""Moments and periods in words, as one would say them now: at 14:02, yesterday at 08:10, on Monday 16 November."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from blikk_edge.asking.times import Wall
from blikk_edge.language.language import Language

SHOWN_MAX: Final = 6
"""Moments, or visits, that are named one by one."""


class Moments:
    """Times in words, seen from `now`, seconds since 1970 UTC as all times here."""

    def __init__(self, wall: Wall, now: float, spoken: Language) -> None:
        self._wall = wall
        self._now = wall.at(now)
        self._spoken = spoken
        self._say = spoken.say

    def at(self, time: float) -> str:
        """`at 14:02`, `yesterday at 14:02`."""
        moment = self._wall.at(time)
        today = moment.date() == self._now.date()
        return self._say("moment.at" if today else "moment.day_at", day=self._day(moment), time=_clock(moment))

    def since(self, time: float) -> str:
        """`since 14:02`, `since Monday 16 November 14:02`."""
        return self._say("moment.since", moment=self._moment(self._wall.at(time)))

    def several(self, times: Sequence[float]) -> str:
        """The first SHOWN_MAX, and how many more."""
        shown = [self.at(time) for time in times[:SHOWN_MAX]]
        left = len(times) - len(shown)
        return self._spoken.every([*shown, *([self._say("moment.more", left)] if left else [])])

    def period(self, since: float | None, until: float | None) -> str:
        """`today`, `yesterday from 08:00 to 10:00`, `since 08:00`; None does not restrict."""
        if since is None:
            if until is None:
                return self._say("moment.ever")
            return self._say("moment.before", moment=self._moment(self._wall.at(until)))
        start, end = self._wall.at(since), None if until is None else self._wall.at(until)
        midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
        if start == midnight and (
            end == midnight + timedelta(days=1) or (not end and start.date() == self._now.date())
        ):
            return self._day(start)
        if end is None:
            return self._say("moment.since", moment=self._moment(start))
        if end.date() == start.date():
            return self._say("moment.hours", day=self._day(start), since=_clock(start), until=_clock(end))
        return self._say("moment.span", since=self._moment(start), until=self._moment(end))

    def _day(self, moment: datetime) -> str:
        """`today`, `yesterday`, `on Monday 16 November`."""
        return self._near(moment) or self._say("moment.on", date=self._date(moment))

    def _moment(self, moment: datetime) -> str:
        """`14:02`, `yesterday 14:02`, `Monday 16 November 14:02`."""
        if moment.date() == self._now.date():
            return _clock(moment)
        return self._say("moment.day_time", day=self._near(moment) or self._date(moment), time=_clock(moment))

    def _near(self, moment: datetime) -> str:
        """The day where it has a name of its own."""
        days = (self._now.date() - moment.date()).days
        return self._say("moment.yesterday" if days else "moment.today") if days in {0, 1} else ""

    def _date(self, moment: datetime) -> str:
        year = None if moment.year == self._now.year else moment.year
        return self._spoken.date(moment.day, moment.month, moment.weekday(), year)


def _clock(moment: datetime) -> str:
    return f"{moment:%H:%M}"
