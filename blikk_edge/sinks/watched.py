"""Keeps the record of when each camera was watched, and reads it."""

import asyncio
import json
import logging
import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from blikk_edge.core.clock import Clock, steady
from blikk_edge.core.errors import StoreError
from blikk_edge.core.ports import History, Inbox, Item, Memory
from blikk_edge.core.status import CameraAvailability, CameraState
from blikk_edge.core.trouble import Trouble
from blikk_edge.core.watched import NODE, Span, Watched, WatchedAt

LOG = logging.getLogger("blikk.watched")

KEY: Final = "watched"
"""Under which name of the memory the record is kept."""

ELSEWHERE: Final = "watched/elsewhere"
"""Likewise, when other members of the site watched them: `members` by id, and `since` when that is known."""

ELSEWHERE_UNTIL: Final = "watched/elsewhere_until"
"""Likewise, until when that is known: seconds since 1970 UTC."""

WRITE_EVERY_S: Final = 300.0
"""What a power cut may cost; half of the shortest gap that counts."""

WRITE_S: Final = 0.5
"""How long the last writing may take when the node ends."""


class WatchRecord:
    """Writes down when each of `cameras` was watched, and when the node ran. A failure is logged once, and made up for.

    A camera counts as watched while it is online and its detection is on.
    """

    name = "watched"

    def __init__(self, *, cameras: Sequence[str], memory: Memory, history: History, clock: Clock) -> None:
        self._cameras = tuple(cameras)
        self._memory = memory
        self._history = history
        self._clock = steady(clock)
        self._online = dict.fromkeys(cameras, False)
        self._detects = dict.fromkeys(cameras, True)
        self._new: dict[str, list[Span]] = {camera: [] for camera in (NODE, *cameras)}
        self._counted = 0.0
        self._trouble = Trouble(LOG)

    async def run(self, inbox: Inbox[Item]) -> None:
        """Write every WRITE_EVERY_S, when a camera begins or ends to be watched, and at the end; until cancelled."""
        self._counted = self._clock.monotonic()
        taking: asyncio.Future[Item] | None = None
        waking: asyncio.Future[None] | None = None
        try:
            await self._write()
            while True:
                taking = taking or asyncio.ensure_future(inbox.get())
                waking = waking or asyncio.ensure_future(self._clock.sleep(WRITE_EVERY_S))
                await asyncio.wait((taking, waking), return_when=asyncio.FIRST_COMPLETED)
                changed = False
                if taking.done():
                    changed, taking = self._take(taking.result()), None
                if changed or waking.done():
                    waking.cancel()
                    waking = None
                    self._count()
                    await self._write()
        finally:
            for each in (taking, waking):
                if each is not None:
                    each.cancel()
            self._count()
            await asyncio.wait((asyncio.ensure_future(self._write()),), timeout=WRITE_S)

    def _take(self, item: Item) -> bool:
        """Take note of an item; whether a camera begins or ends to be watched with it."""
        if not isinstance(item, CameraAvailability | CameraState) or item.camera not in self._online:
            return False
        detects = item.detect if isinstance(item, CameraState) else self._detects[item.camera]
        before = self._online[item.camera] and self._detects[item.camera]
        if before != (item.online and detects):
            self._count()
        self._online[item.camera], self._detects[item.camera] = item.online, detects
        return before != (item.online and detects)

    def _count(self) -> None:
        """Write down, in memory, what was watched since this was last called."""
        monotonic, now = self._clock.monotonic(), self._clock.now()
        # backwards from now: whatever the clock said before it was set does not count
        span = now - max(0.0, monotonic - self._counted), now
        self._counted = monotonic
        newest = self._newest(now)
        watched = [camera for camera in self._cameras if self._online[camera] and self._detects[camera]]
        for camera in (NODE, *watched):
            self._new[camera] = list(Watched().with_spans([*self._new[camera], span], now=newest).spans)

    def _newest(self, now: float) -> float:
        """What lies after it was written by a clock that was wrong; unless it is wrong now, as at boot on a Pi."""
        return now if self._clock.settled else math.inf

    async def _write(self) -> None:
        new = {camera: tuple(spans) for camera, spans in self._new.items()}
        try:
            await asyncio.to_thread(self._merge, new, self._clock.now())
        except StoreError as error:
            self._trouble.start(f"when cameras were watched is not kept: {error}")
            return
        self._trouble.end("when cameras were watched is kept now")
        for camera, spans in new.items():
            self._new[camera] = [span for span in self._new[camera] if span not in spans]

    def _merge(self, new: Mapping[str, tuple[Span, ...]], now: float) -> None:
        """Blocking."""
        record = _record(self._memory.recall(KEY))
        for camera, spans in new.items():
            known = record.get(camera) or Watched(known_since=self._known_since(camera, now))
            record[camera] = known.with_spans(spans, now=self._newest(now))
        self._memory.remember(KEY, _text(record))

    def _known_since(self, camera: str, now: float) -> float:
        """From when on a new record is whole: always, but in a store that is older than it."""
        if camera == NODE:
            older = [*self._history.events(limit=1), *self._history.rings(limit=1)]
        else:
            older = [*self._history.events(camera=camera, limit=1)]
        return now if older else 0.0


def watched_in(memory: Memory, history: History) -> WatchedAt:
    """Reads the record. Without one nothing is known, but of a store without any event: nothing was watched then."""

    def watched(camera: str) -> Watched | None:
        known = _record(memory.recall(KEY)).get(camera)
        if (elsewhere := memory.recall(ELSEWHERE)) is not None:
            return _together(known, elsewhere, camera, until=_time(memory.recall(ELSEWHERE_UNTIL)))
        if known is not None:
            return known
        of = None if camera == NODE else camera
        stored = [*history.events(camera=of, limit=1), *history.rings(camera=of, limit=1)]
        return None if stored else Watched()

    return watched


def newest_spans(text: str, most: int) -> str:
    """A record with the newest `most` spans of each camera alone; of times before them nothing is known."""
    cut: dict[str, Watched] = {}
    for camera, each in _record(text).items():
        kept = each.spans[-most:]
        whole = len(kept) == len(each.spans)
        cut[camera] = each if whole else Watched(known_since=max(each.known_since, kept[0][0]), spans=kept)
    return _text(cut)


def _together(known: Watched | None, elsewhere: str, camera: str, *, until: float) -> Watched | None:
    """When any member of the site watched a camera; of a time of which one of them does not know, nobody does."""
    since, records = _elsewhere(elsewhere)
    several = [each for each in (known, *(record.get(camera) for record in records)) if each is not None]
    if not several:
        return None
    known_since = max(since, *(each.known_since for each in several))
    together = Watched(known_since=known_since, known_until=until)
    return together.with_spans([span for each in several for span in each.spans], now=math.inf)


@lru_cache(maxsize=2)
def _elsewhere(text: str) -> tuple[float, tuple[Mapping[str, Watched], ...]]:
    try:
        content = json.loads(text)
        members = content.get("members", {}).values()
        return float(content.get("since", 0.0)), tuple(_record(json.dumps(each)) for each in members)
    except (ValueError, TypeError, AttributeError, RecursionError):
        return 0.0, ()


def _time(text: str | None) -> float:
    """Infinity for what is no time."""
    try:
        return float(text or math.inf)
    except ValueError:
        return math.inf


def _text(record: Mapping[str, Watched]) -> str:
    cameras = {
        camera: {"known_since": int(each.known_since), "spans": [[int(a), math.ceil(b)] for a, b in each.spans]}
        for camera, each in record.items()
    }
    return json.dumps({"cameras": cameras}, separators=(",", ":"))


def _record(text: str | None) -> dict[str, Watched]:
    """What `_text` wrote; empty where it is something else."""
    try:
        cameras = json.loads(text or "{}").get("cameras", {})
        return {str(camera): _watched(each) for camera, each in cameras.items()}
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        return {}


def _watched(content: Any) -> Watched:
    """Raises ValueError, TypeError or KeyError for what is no record."""
    spans = [(float(since), float(until)) for since, until in content["spans"]]
    known_since = float(content["known_since"])
    if not all(map(math.isfinite, (known_since, *(end for span in spans for end in span)))):
        raise ValueError("a time that is none")
    return Watched(known_since=known_since).with_spans(spans, now=math.inf)
