"""What can be found out about a node: who is there, who came, what happened; as text, with the records behind it."""

from dataclasses import dataclass, replace
from typing import Final

from blikk_edge.agents.digest import line, present
from blikk_edge.agents.hub import Hub
from blikk_edge.agents.link import Link
from blikk_edge.core.errors import BlikkError
from blikk_edge.core.inquiry import AskQuestion, ListEvents, Reply, Request
from blikk_edge.core.observation import Event, Observation, Observed
from blikk_edge.core.sightings import Label
from blikk_edge.core.status import CameraState

ANSWER_S: Final = 120.0
"""So long an answer may take; the node has limits of its own, which are shorter."""

EVENTS_MAX: Final = 50
"""So many events in one answer: about 1500 tokens."""


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
        since: float | None = None,
        until: float | None = None,
        limit: int = 20,
    ) -> Found:
        """Events that match everything given, newest first; `last_s` counts back from now."""
        if last_s is not None:
            since = self._link.now() - last_s
        request = ListEvents(
            camera=self._known(camera),
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
        text = "\n".join(lines) or f"no {label or 'event'} found"
        return Found(text=text, events=tuple(each.event for each in listed), count=len(listed))

    def event(self, name: str) -> Found:
        """One event, by its id."""
        for found in self._reply(ListEvents(limit=500)).events:
            if found.event.id == name:
                text = line(found.event) + (f": {found.summary.text}" if found.summary else "")
                return Found(text=text, events=(found.event,))
        raise BlikkError(f"there is no event {name[:80]!r} among the newest 500")

    def count(self, label: str, last_s: float, *, camera: str | None = None, zone: str | None = None) -> Found:
        """How many came (into the zone) in the last `last_s` seconds.

        Each object counts once as far back as Observations are kept; before that each visit with the most it had at
        once.
        """
        since = self._link.now() - last_s
        self._known(camera)
        what = f"{label} came{f' into {zone}' if zone else ''} in the last {_lasting(last_s)}"
        if since >= self._hub.known_since:
            return self._counted(label, since, camera, zone, what)
        listed = [each.event for each in self._reply(_starts(label, since, camera, zone)).events]
        number = sum(event.peak for event in listed)
        return Found(text=f"{number} {what}, in {len(listed)} visits", events=tuple(listed), count=number)

    def ask(self, question: str, *, camera: str | None = None) -> Found:
        """The answer to a question in words."""
        reply = self._reply(AskQuestion(question=question, camera=self._known(camera)))
        events = tuple(each.event for each in reply.events)
        return Found(text=reply.text or "there is no answer", events=events, count=reply.count)

    # -- helpers -------------------------------------------------------------------------------------------------

    def _counted(self, label: str, since: float, camera: str | None, zone: str | None, what: str) -> Found:
        kind = Observed.APPEARED if zone is None else Observed.ENTERED_ZONE
        seen = [
            each
            for each in tuple(self._hub.recent)
            if each.kind is kind
            and each.until >= since
            and camera in {None, each.camera}
            and (zone is None or zone in each.zones)
        ]
        tracks = {(each.camera, one.track) for each in seen for one in each.objects if one.label == label}
        fitting = tuple(each for each in seen if any(one.label == label for one in each.objects))
        return Found(text=f"{len(tracks)} {what}", observations=fitting, count=len(tracks))

    def _known(self, camera: str | None) -> str | None:
        if camera is not None and camera not in {each.id for each in self._link.cameras}:
            raise BlikkError(self._unknown(camera))
        return camera

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


def _starts(label: str, since: float, camera: str | None, zone: str | None) -> ListEvents:
    return ListEvents(camera=camera, label=Label(label), zone=zone, since=since, limit=500)


def _lasting(seconds: float) -> str:
    for unit, length in (("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length and seconds % length == 0:
            return f"{seconds / length:g} {unit}"
    return f"{seconds:g} s"
