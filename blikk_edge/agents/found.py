"""What can be found out about a node: who is there, who came, what happened; as text, with the records behind it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from blikk_edge.agents.digest import line, present
from blikk_edge.agents.hub import Hub
from blikk_edge.agents.link import Link
from blikk_edge.agents.times import read, written
from blikk_edge.core.commands import Snapshot
from blikk_edge.core.errors import BlikkError
from blikk_edge.core.inquiry import EVENTS_MAX as EVENTS_PAGE
from blikk_edge.core.inquiry import AskQuestion, ListEvents, Reply, Request, Search
from blikk_edge.core.observation import Event, Observation, Observed, Sighting
from blikk_edge.core.picture import SNAPSHOT
from blikk_edge.core.sightings import Label
from blikk_edge.core.status import CameraInfo, CameraState

ANSWER_S: Final = 120.0
"""So long an answer may take; the node has limits of its own, which are shorter."""

PICTURE_S: Final = 10.0

EVENTS_MAX: Final = 50
"""So many events in one answer: about 2500 tokens."""

ID_MAX: Final = 200
"""Characters of an id of an event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An answer.

    Attributes:
        text: In words, for a language model.
        observations: On which it rests.
        events: Likewise.
        count: As a number, where one was asked for.
        states: The cameras, where it is about now.
    """

    text: str
    observations: tuple[Observation, ...] = ()
    events: tuple[Event, ...] = ()
    count: int | None = None
    states: tuple[CameraState, ...] = ()

    def __str__(self) -> str:
        return self.text


class Finder:
    """Asks a node. Blocking; every method raises BlikkError."""

    def __init__(self, link: Link, hub: Hub) -> None:
        self._link = link
        self._hub = hub

    def cameras(self) -> tuple[CameraInfo, ...]:
        """Its cameras."""
        return self._link.cameras

    def picture(self, camera: str, timeout_s: float = PICTURE_S) -> bytes:
        """What a camera sees now: a JPEG with every face blurred."""
        self.known(camera)
        before = self._hub.picture(camera, SNAPSHOT)
        if self._hub.ended.is_set():
            found = before
        else:
            self._link.order(Snapshot(camera=camera))
            with self._hub.moving():
                found = self._hub.newer_picture(camera, SNAPSHOT, before, timeout_s)
            if found is None and self._hub.ended.is_set():
                found = before
        if found is None:
            state = self.now(camera).states[0]
            raise BlikkError(f"no picture came: {state.problem or 'the camera shows nothing now'}")
        return found.jpeg

    def now(self, camera: str | None = None) -> Found:
        """Who and what is there now."""
        states = tuple(state for state in self._link.states() if camera in {None, state.camera})
        if not states:
            raise BlikkError(self._unknown(camera))
        return Found(text="\n".join(present(state) for state in states), states=states)

    def search(
        self,
        *,
        camera: str | None = None,
        label: str | None = None,
        zone: str | None = None,
        last_s: float | None = None,
        before: str | None = None,
        limit: int = 20,
    ) -> Found:
        """Events that match everything given, newest first.

        `last_s` counts back from now. `before` is a time in ISO 8601: those that began earlier.
        """
        since = None if last_s is None else self._link.now() - last_s
        until = None if before is None else read(before, "before")
        if since is not None and until is not None and since >= until:
            raise BlikkError("before lies further back than the period that is searched: make that longer")
        request = ListEvents(
            camera=self.known(camera),
            label=None if label is None else Label(label),
            zone=zone,
            since=since,
            until=until,
            limit=max(1, min(limit, EVENTS_MAX)),
        )
        listed = self._reply(request).events
        lines = [
            line(replace(each.event, time=each.event.started)) + (f": {each.summary.text}" if each.summary else "")
            for each in listed
        ]
        if not listed:
            self.known_zone(zone, camera)  # one that is no more may have events
        text = "\n".join(lines) or f"no {label or 'event'} found"
        return Found(text=text, events=tuple(each.event for each in listed), count=len(listed))

    def look(self, words: str, *, camera: str | None = None, last_s: float | None = None, limit: int = 10) -> Found:
        """What looked like these words, the best first; `events` are those it belongs to."""
        since = None if last_s is None else self._link.now() - last_s
        request = Search(query=words, camera=self.known(camera), since=since, limit=max(1, min(limit, EVENTS_MAX)))
        reply = self._reply(request)
        found = reply.found or ()
        lines = []
        for each in found:
            seen = " ".join(["/".join(each.what.colours), each.what.kind or "whole picture"]).strip()
            how = f"by {each.by}" if each.score is None else f"by {each.by} {each.score:.2f}"
            lines.append(f"{written(each.what.time)} {each.what.camera}: {seen}, {how}, event {each.what.event}")
        events = tuple(each.event for each in reply.events)
        return Found(text="\n".join(lines) or reply.text or "nothing looked like it", events=events, count=len(found))

    def event(self, name: str) -> Found:
        """One event, by its id."""
        if 0 < len(name.strip()) <= ID_MAX:
            for found in self._reply(ListEvents(event=name, limit=EVENTS_PAGE)).events:
                if found.event.id == name:  # a node of an earlier version lists all of them
                    text = line(found.event) + (f": {found.summary.text}" if found.summary else "")
                    return Found(text=text, events=(found.event,))
        raise BlikkError(f"there is no event {name[:80]!r} in the store (any more)")

    def count(self, label: str, last_s: float, *, camera: str | None = None, zone: str | None = None) -> Found:
        """How many came (into the zone) in the last `last_s` seconds.

        Each object counts once as far back as Observations are kept; before that each visit with the most it had at
        once.
        """
        since = self._link.now() - last_s
        self.known(camera)
        self.known_zone(zone, camera)
        what = f"{label} came{f' into {zone}' if zone else ''} in the last {_lasting(last_s)}"
        if since >= self._hub.known_since:
            return self._counted(label, since, camera, zone, what)
        listed = list(self._every(ListEvents(camera=camera, label=Label(label), zone=zone, since=since)))
        number = sum(event.peak for event in listed)
        return Found(text=f"{number} {what}, in {len(listed)} visits", events=tuple(listed), count=number)

    def ask(self, question: str, *, camera: str | None = None) -> Found:
        """The answer to a question in words."""
        reply = self._reply(AskQuestion(question=question, camera=self.known(camera)))
        events = tuple(each.event for each in reply.events)
        return Found(text=reply.text or "there is no answer", events=events, count=reply.count)

    # -- helpers -------------------------------------------------------------------------------------------------

    def _every(self, request: ListEvents) -> Iterator[Event]:
        """All events that match, newest first, however many they are."""
        known: set[str] = set()
        while True:
            reply = self._reply(replace(request, limit=EVENTS_PAGE))
            new = [each.event for each in reply.events if each.event.id not in known]
            yield from new
            known.update(event.id for event in new)
            if not new or (len(reply.events) == reply.count and len(reply.events) < EVENTS_PAGE):
                return
            # those that began with the last one come once more: times are sent in milliseconds
            request = replace(request, until=new[-1].started + 0.002)

    def _counted(self, label: str, since: float, camera: str | None, zone: str | None, what: str) -> Found:
        seen = [
            (each, who)
            for each in tuple(self._hub.recent)
            if each.until >= since and camera in {None, each.camera} and (who := arrived(each, label, zone))
        ]
        tracks = {(each.camera, one.track) for each, who in seen for one in who}
        return Found(text=f"{len(tracks)} {what}", observations=tuple(each for each, _ in seen), count=len(tracks))

    def known(self, camera: str | None) -> str | None:
        """This id of a camera, or None for all; raises where there is no such camera."""
        if camera is not None and camera not in {each.id for each in self._link.cameras}:
            raise BlikkError(self._unknown(camera))
        return camera

    def known_zone(self, zone: str | None, camera: str | None = None) -> None:
        """Raises where no camera, or not this one, has such a zone."""
        if zone is None:
            return
        infos = [each for each in self._link.cameras if camera in {None, each.id}]
        zones = {each for info in infos for each in info.zones}
        if not all(info.labels for info in infos):  # at its WebSocket a node says of zones who is there, and no more
            zones |= {
                name for state in self._link.states() for name, _ in state.zones if camera in {None, state.camera}
            }
        if zone not in zones:
            raise BlikkError(f"there is no zone {zone[:80]!r}; there is {', '.join(sorted(zones)) or 'none'}")

    def _unknown(self, camera: str | None) -> str:
        return f"there is no camera {str(camera)[:80]!r}; there is {', '.join(each.id for each in self._link.cameras)}"

    def _reply(self, request: Request) -> Reply:
        try:
            reply = self._link.ask(request).result(ANSWER_S)
        except TimeoutError:
            raise BlikkError(f"no answer within {ANSWER_S:.0f} s") from None
        if not reply.ok:
            raise BlikkError(reply.error or "the question could not be answered")
        return reply


def arrived(observation: Observation, label: str | None, zone: str | None) -> tuple[Sighting, ...]:
    """Who came (into the zone). Who comes into view within a zone does not enter it as well."""
    appeared = observation.kind is Observed.APPEARED
    if not appeared and (zone is None or observation.kind is not Observed.ENTERED_ZONE):
        return ()
    return tuple(
        one
        for one in observation.objects
        if label in {None, one.label} and (zone is None or zone in (one.zones if appeared else observation.zones))
    )


def _lasting(seconds: float) -> str:
    for unit, length in (("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length and seconds % length == 0:
            return f"{seconds / length:g} {unit}"
    return f"{seconds:g} s"
