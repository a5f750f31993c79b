"""Forgets events wherever they are: in the history, the album, what others remember, and where the newest is shown."""

import asyncio
import math
import sys
from collections.abc import Iterator, Sequence
from typing import Final, Protocol

from blikk_edge.core.album import Album
from blikk_edge.core.inquiry import Forget
from blikk_edge.core.observation import Event, Ring, Shown, Withdrawn
from blikk_edge.core.picture import RING, SNAPSHOT
from blikk_edge.core.ports import History, Publish
from blikk_edge.core.recordings import Forgettable
from blikk_edge.core.sightings import Label
from blikk_edge.core.summary import Summary

RING_BEFORE_S: Final = 20.0
RING_AFTER_S: Final = 5.0
"""Whoever is there from so long after a ring, or until so long before it, can be in its Picture."""

VISIT_MAX_S: Final = 86400.0


class Rememberer(Protocol):
    """Whoever keeps something of events in memory."""

    def forget(self, request: Forget) -> None:
        """Drop it, at once."""
        ...


class Forgetter:
    """Carries out Forget: nothing that is shown, answered or written afterwards contains those events.

    What a place showed last is withdrawn by way of `publish` where it has to go; who comes after is shown there again.
    """

    def __init__(
        self,
        *,
        history: History,
        album: Album | None,
        rememberers: Sequence[Rememberer],
        publish: Publish,
        recordings: Forgettable | None = None,
    ) -> None:
        self._history = history
        self._album = album
        self._rememberers = tuple(rememberers)
        self._publish = publish
        self._recordings = recordings

    async def forget(self, request: Forget) -> int:
        """How many events went. Raises StoreError."""
        count, withdrawn = await asyncio.to_thread(self._remove, request)
        # after the history, out of which they may read again
        for each in self._rememberers:
            each.forget(request)
        for place in withdrawn:
            self._publish(place)
        return count

    def _remove(self, request: Forget) -> tuple[int, Sequence[Withdrawn]]:
        """Blocking."""
        shown = {(_place(record), _key(record)): record for record in self._history.newest()}
        rang = {place: there(self._history, ring) for (place, _), ring in shown.items() if isinstance(ring, Ring)}
        if self._album is not None:
            self._forget_pictures(self._album, request)
        if self._recordings is not None:
            self._forget_recordings(self._recordings, request)
        count = self._history.forget(
            camera=request.camera, event=request.event, since=request.since, until=request.until
        )
        left = {(_place(record), _key(record)) for record in self._history.newest()}
        gone = [place for place, key in shown if (place, key) not in left]
        gone += [place for place, there in rang.items() if self._some_gone(there)]
        cameras = {place.camera for place in gone if place.what is Shown.PICTURE}
        gone += [_picture(str(camera), SNAPSHOT) for camera in cameras]
        return count, tuple(dict.fromkeys(gone))

    def _some_gone(self, events: Sequence[Event]) -> bool:
        return any(self._history.event(event.id) is None for event in events)

    def _forget_pictures(self, album: Album, request: Forget) -> None:
        whole = frozenset(self._going_on(album, request))
        album.forget(camera=request.camera, event=request.event, since=request.since, until=request.until, whole=whole)
        event = None if request.event is None else self._history.event(request.event)
        if event is not None and request.covers(event.camera, event.id, event.started):
            until = math.inf if event.ended is None else event.ended + RING_AFTER_S
            album.forget(camera=event.camera, name=RING, since=event.started - RING_BEFORE_S, until=until)

    def _forget_recordings(self, recordings: Forgettable, request: Forget) -> None:
        if request.event is not None:
            event = self._history.event(request.event)
            covered = event is not None and request.covers(event.camera, event.id, event.started)
            if event is not None and covered:
                recordings.forget([event], camera=None, since=None, until=None)
            return
        events = self._history.events(
            camera=request.camera, since=request.since, until=request.until, limit=sys.maxsize
        )
        since = 0.0 if request.since is None and request.until is None else request.since
        recordings.forget(events, camera=request.camera, since=since, until=request.until)

    def _going_on(self, album: Album, request: Forget) -> Iterator[str]:
        """Those of the events to be forgotten that have Pictures from `until` on."""
        if request.until is None:
            return
        later = album.pictures(camera=request.camera, event=request.event, limit=sys.maxsize)
        for name in {each.event for each in later if each.event is not None and each.time >= request.until}:
            event = self._history.event(name)
            if event is not None and request.covers(event.camera, event.id, event.started):
                yield event.id


def there(history: History, ring: Ring, label: Label | None = None) -> Sequence[Event]:
    """Who was there when it rang, newest first. Blocking; raises StoreError."""
    since, until = ring.time - VISIT_MAX_S, ring.time + RING_BEFORE_S
    events = history.events(camera=ring.camera, label=label, since=since, until=until)
    return [event for event in events if (event.ended or math.inf) + RING_AFTER_S >= ring.time]


def _place(record: Event | Ring | Summary) -> Withdrawn:
    """Where a record, or the Picture that goes with it, is shown."""
    match record:
        case Event():
            return _picture(record.camera, record.label.value)
        case Ring():
            return _picture(record.camera, RING)
        case Summary():
            return Withdrawn(camera=record.camera, what=Shown.DIGEST if record.event is None else Shown.SUMMARY)


def _picture(camera: str, name: str) -> Withdrawn:
    return Withdrawn(camera=camera, what=Shown.PICTURE, name=name)


def _key(record: Event | Ring | Summary) -> str:
    """The same for all revisions."""
    return (record.event or record.id) if isinstance(record, Summary) else record.id
