"""Tells a whole period: each hour, each day, or when asked. Where nothing happened that costs no tokens."""

import asyncio
import contextlib
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Final

from blikk_edge.core.clock import Clock, steady
from blikk_edge.core.errors import StoreError
from blikk_edge.core.locale import Locale, LocaleNow
from blikk_edge.core.observation import Event
from blikk_edge.core.ports import History, Inbox, Item, Publish
from blikk_edge.core.status import SummaryMode
from blikk_edge.core.summary import Importance, Summary
from blikk_edge.core.watched import Span, WatchedAt
from blikk_edge.enrichers.summaries.context import MAX_BYTES, text_lines
from blikk_edge.enrichers.summaries.lines import visit_lines
from blikk_edge.enrichers.summaries.prompts import Brief
from blikk_edge.enrichers.summaries.template import importance, quiet, with_gaps
from blikk_edge.enrichers.summaries.text_writer import CallLimits, TextWriter
from blikk_edge.language.facts import Facts, period_facts
from blikk_edge.llm.queue.port import Priority

LOG = logging.getLogger("blikk.summary")

MAX_EVENTS: Final = 2000
"""Events of one period that are read; of a busier one the newest."""

MAX_RINGS: Final = 200
USEFUL_S: Final = 120.0
USER_USEFUL_S: Final = 30.0

_MODEL: Final = frozenset({SummaryMode.TEXT, SummaryMode.VISION})


class Every(StrEnum):
    """How often a period is summed up."""

    HOURLY = "hourly"
    DAILY = "daily"


_LENGTH_S: Final = {Every.HOURLY: 3600.0, Every.DAILY: 86400.0}


class Digester:
    """Tells what happened at all cameras together each hour or day, and answers for any period.

    A camera of mode OFF is left out; a model is asked where one of the others has a mode that asks one. Events and
    doorbells come from the `history`. `every` None tells nothing by itself. `watched` says when a camera was: of a time
    in which it was not, nothing is known. Times are those of `locale`, or of `timezone` where that is given.
    """

    name = "digest"

    def __init__(
        self,
        *,
        writer: TextWriter,
        publish: Publish,
        clock: Clock,
        mode_of: Callable[[str], SummaryMode],
        names: Mapping[str, str],
        node_name: str,
        history: History,
        every: Every | None = None,
        locale: LocaleNow = Locale,
        timezone: tzinfo | None = None,
        watched: WatchedAt | None = None,
    ) -> None:
        self._writer = writer
        self._publish = publish
        self._clock = steady(clock)
        self._mode_of = mode_of
        self._names = names
        self._node_name = node_name
        self._history = history
        self._every = every
        self._locale = locale if timezone is None else lambda: Locale(timezone=timezone)
        self._watched = watched
        self._serial = 0

    async def run(self, inbox: Inbox[Item]) -> None:
        """Publish each period when it is over, until cancelled; one that the store cannot give is left out."""
        async with asyncio.TaskGroup() as group:
            group.create_task(_pass_over(inbox), name="digest.inbox")
            if self._every is not None:
                group.create_task(self._publish_each(self._every), name="digest.clock")

    async def digest(
        self, camera: str | None, since: float, until: float, *, priority: Priority = Priority.USER
    ) -> Summary:
        """What happened at a camera, or at all, from `since` to `until`; not published. Raises StoreError."""
        events = await asyncio.to_thread(
            self._history.events, camera=camera, since=since, until=until, limit=MAX_EVENTS
        )
        rings = await asyncio.to_thread(self._history.rings, camera=camera, since=since, until=until, limit=MAX_RINGS)
        # who asks for one camera is answered, also where nothing is published by itself
        cameras = (
            [one for one in self._names if self._mode_of(one) is not SummaryMode.OFF] if camera is None else [camera]
        )
        chosen = [event for event in events if event.camera in cameras]
        facts = period_facts(
            chosen,
            camera=camera,
            name=self._node_name if camera is None else self._names.get(camera, camera),
            cameras=[self._names.get(one, one) for one in cameras],
            since=since,
            until=until,
            rings=[ring for ring in rings if ring.camera in cameras],
            locale=self._locale(),
        )
        limits = CallLimits(
            key=("digest", camera, since, until),
            camera=camera,
            priority=priority,
            useful_s=USER_USEFUL_S if priority is Priority.USER else USEFUL_S,
        )
        draft = None
        worth = importance(facts) is not Importance.LOW or (priority is Priority.USER and not quiet(facts))
        if worth and any(self._mode_of(one) in _MODEL for one in cameras):
            draft = await self._writer.write(await self._brief(facts, chosen, camera), limits)
        draft = draft or self._writer.plain(facts)
        gaps = await asyncio.to_thread(self._gaps, cameras, since, until)
        draft = replace(draft, note=with_gaps(draft.note, facts, gaps, len(cameras)))
        self._serial += 1
        now = self._clock.now()
        summary_id = f"{camera or 'node'}-digest-{round(now * 1000)}-{self._serial}"
        return draft.summary(id=summary_id, facts=facts, time=now)

    def _gaps(self, cameras: Sequence[str], since: float, until: float) -> Mapping[str, Sequence[Span]]:
        """What of a period was not watched, by the camera's name; blocking."""
        if self._watched is None:
            return {}
        known = {camera: self._watched(camera) for camera in cameras}
        until = min(until, self._clock.now())
        gaps = {self._names.get(camera, camera): each.gaps(since, until) for camera, each in known.items() if each}
        return {name: spans for name, spans in gaps.items() if spans}

    async def _brief(self, facts: Facts, events: Sequence[Event], camera: str | None) -> Brief:
        kept: Sequence[Summary] = ()
        with contextlib.suppress(StoreError):
            kept = await asyncio.to_thread(
                self._history.summaries, camera=camera, since=facts.since, until=facts.until, limit=50
            )
        matter = [one for one in kept if one.event is not None and one.importance is Importance.HIGH]
        rings = [f"{facts.local(time):%H:%M} doorbell rings" for time in facts.rings[-8:]]
        return Brief(
            facts=facts,
            lines=(*visit_lines(facts, events, self._names), *rings),
            earlier=text_lines(facts, matter, most=4, most_bytes=2 * MAX_BYTES),
        )

    async def _publish_each(self, every: Every) -> None:
        published, published_at = (
            -math.inf,
            -math.inf,
        )  # the end of the last period that was published, and when that was
        while True:
            ends = await self._end_of_period(every)
            again = ends == published and self._clock.monotonic() - published_at < _LENGTH_S[every] / 2
            if again:  # the clock was set back over the end of a period
                continue
            published, published_at = ends, self._clock.monotonic()
            if any(self._mode_of(camera) is not SummaryMode.OFF for camera in self._names):
                since = period_start(ends, every, self._locale().timezone)
                try:
                    self._publish(await self.digest(None, since, ends, priority=Priority.DIGEST))
                except StoreError as error:
                    LOG.warning("no %s digest this time: %s", every, error)

    async def _end_of_period(self, every: Every) -> float:
        """Wait for the end of the period that now lies in, and say when that was.

        Where the clock is set meanwhile it is the period of the new time; but one that is over since less than its own
        length ago has come to its end. Where the time zone is, it is the first to end there since the wait began.
        """
        timeline, began = self._clock.timeline, self._clock.now()
        while True:
            if self._clock.timeline != timeline:
                timeline, began = self._clock.timeline, self._clock.now()
            timezone = self._locale().timezone
            ends = next_end(began, every, timezone)
            # the wall clock may be set meanwhile, and a long sleep would not notice
            while (left_s := ends - self._clock.now()) > 0 and self._same(timeline, timezone):
                await self._clock.sleep(min(left_s, 60.0))
            same = self._clock.timeline == timeline
            if left_s <= 0 and (same or left_s > -_LENGTH_S[every]):
                return ends

    def _same(self, timeline: int, timezone: tzinfo | None) -> bool:
        return self._clock.timeline == timeline and self._locale().timezone == timezone


async def _pass_over(inbox: Inbox[Item]) -> None:
    """A digest waits for time alone."""
    while True:
        await inbox.get()


def next_end(time: float, every: Every, timezone: tzinfo | None = None) -> float:
    """When the period ends that `time` lies in: the next full hour, or the next midnight of local time."""
    begin = _local(_start(time, every, timezone), timezone)
    if every is Every.HOURLY:
        return begin.timestamp() + 3600.0
    return _midnight(begin + timedelta(hours=36), timezone).timestamp()


def period_start(end: float, every: Every, timezone: tzinfo | None = None) -> float:
    """When the period began that ends at `end`. A day of a change to or from summer time has 23 or 25 hours."""
    return _start(end - 1.0, every, timezone)


def _start(time: float, every: Every, timezone: tzinfo | None) -> float:
    local = _local(time, timezone)
    if every is Every.HOURLY:
        return time - (local.minute * 60 + local.second + local.microsecond / 1e6)
    return _midnight(local, timezone).timestamp()


def _midnight(local: datetime, timezone: tzinfo | None) -> datetime:
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=timezone)
    return midnight if timezone is not None else midnight.astimezone()


def _local(time: float, timezone: tzinfo | None) -> datetime:
    return datetime.fromtimestamp(time, timezone).astimezone(timezone)
