"""Answers a Query by counting, filtering and arithmetic over stored events; no words."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from blikk_edge.core.inquiry import Aggregate, Query
from blikk_edge.core.observation import Event, Phase, Ring, Sighting
from blikk_edge.core.parcels import ParcelChange
from blikk_edge.core.sightings import Label
from blikk_edge.core.status import CameraState
from blikk_edge.core.watched import Span
from blikk_edge.language.facts import only_taken, taken
from blikk_edge.language.wording import kind_of

ONE = frozenset({Aggregate.FIRST, Aggregate.LAST, Aggregate.LONGEST, Aggregate.STAYING})
"""Measures that pick one visit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What a Query is put to.

    Attributes:
        events: The newest revision of each event, newest event first.
        rings: The presses of doorbells, newest first.
        states: The cameras as they are now, by id; None where nobody knows.
        now: When it is, seconds since 1970 UTC.
        complete: False where more was stored than is given here.
    """

    events: Sequence[Event]
    rings: Sequence[Ring]
    states: Mapping[str, CameraState] | None
    now: float
    complete: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The answer to a Query in figures.

    Attributes:
        query: What was asked.
        now: When it was answered, seconds since 1970 UTC.
        events: Those that match, newest first; of a measure that picks one, that one.
        rings: As `events`, where presses of the doorbell were asked about.
        count: What was counted; None where nothing is to count.
        visits: How many events match, also where a measure picks one; 0 for rings and for what is there now.
        present: What is there now: the camera's id, the label, how many. None of them is 0.
        known: False where it depends on what is there now, and nobody knows that.
        seconds: The length of the visit that was picked; for DURATION, the time in which at least one went on.
        still: The ids of events that go on.
        complete: False where more was stored than was looked at.
        gaps: Cameras, by id, that were not watched all the time, and when not.
        watched: False where none of those asked about was watched at any time, so that nothing is known.
    """

    query: Query
    now: float
    events: tuple[Event, ...] = ()
    rings: tuple[Ring, ...] = ()
    count: int | None = None
    visits: int = 0
    present: tuple[tuple[str, Label, int], ...] = ()
    known: bool = True
    seconds: float = 0.0
    still: frozenset[str] = frozenset()
    complete: bool = True
    gaps: tuple[tuple[str, tuple[Span, ...]], ...] = ()
    watched: bool = True

    def end(self, event: Event) -> float:
        """When a visit ended, or until when it is known to have lasted."""
        return _end(event, self.still, self.now)

    def moment(self, event: Event) -> float:
        """When what was asked about happened: that it came, or that it was taken."""
        return self.end(event) if self.query.change is ParcelChange.TAKEN else event.started

    def lasted_s(self, event: Event) -> float:
        """How long a visit took."""
        return max(0.0, self.end(event) - event.started)


def tally(query: Query, past: Past) -> Finding:
    """Answer a Query.

    COUNT adds up the most that each visit had at once: who comes twice counts twice, two who come together count two.
    """
    still = ongoing(past.events, past.states)
    if query.rings:
        return _ringing(query, past)
    if query.measure is Aggregate.PRESENT:
        return _present(query, past, still)
    events = tuple(event for event in past.events if _matches(event, query, past.now, still))
    if query.change is ParcelChange.TAKEN:
        events = tuple(sorted(events, key=lambda event: event.ended or 0.0, reverse=True))
    finding = Finding(
        query=query,
        now=past.now,
        events=_picked(query, events, past.now, still),
        visits=len(events),
        still=still,
        known=past.states is not None or not query.ongoing,
        complete=past.complete,
    )
    return _measured(finding, events)


def ongoing(events: Iterable[Event], states: Mapping[str, CameraState] | None) -> frozenset[str]:
    """The ids of visits that go on: the newest of its camera and label, not ended, and somebody is seen there now.

    An event whose end was lost (the power went) does not go on for ever; nothing is known to without the states.
    """
    newest: dict[tuple[str, Label], Event] = {}
    for event in events:
        known = newest.setdefault((event.camera, event.label), event)
        if event.started > known.started:
            newest[event.camera, event.label] = event
    here = {(state.camera, label) for state in (states or {}).values() for label, count in state.counts if count > 0}
    return frozenset(e.id for place, e in newest.items() if place in here and e.phase is not Phase.ENDED)


def objects_of(event: Event, query: Query) -> int:
    """How many the most of a visit were, of those asked about."""
    if not query.kinds:
        return event.peak
    return max(1, sum(_is_asked(one, query) for one in event.objects))


def _matches(event: Event, query: Query, now: float, still: frozenset[str]) -> bool:
    end = _end(event, still, now)
    return (
        (not query.labels or event.label in query.labels)
        and (not query.cameras or event.camera in query.cameras)
        and (query.zone is None or query.zone in event.zones)
        and (query.until is None or event.started < query.until)
        and (query.since is None or end >= query.since)
        and _has_changed(event, query)
        and (not query.loitering or event.loitering)
        and (not query.ongoing or event.id in still)
        and end - event.started >= query.min_duration_s
        and (not _kinds_of(event.label, query) or any(_is_asked(one, query) for one in event.objects))
    )


def _has_changed(event: Event, query: Query) -> bool:
    """Whether that happened to a parcel which was asked about, in that time."""
    match query.change:
        case ParcelChange.LEFT_BEHIND:
            return not only_taken(event) and (query.since is None or event.started >= query.since)
        case ParcelChange.TAKEN:
            in_time = event.ended is not None and (query.until is None or event.ended < query.until)
            return taken(event) and in_time
        case None:
            return True


def _kinds_of(label: Label, query: Query) -> bool:
    """Whether the classes asked about restrict this label."""
    return bool(query.kinds) and label in {Label.VEHICLE, Label.ANIMAL}


def _is_asked(one: Sighting, query: Query) -> bool:
    return kind_of(one) in query.kinds or not _kinds_of(one.label, query)


def _end(event: Event, still: frozenset[str], now: float) -> float:
    if event.id in still:
        return max(now, event.started)
    return event.ended if event.ended is not None else max(event.time, event.started)


def _picked(query: Query, events: tuple[Event, ...], now: float, still: frozenset[str]) -> tuple[Event, ...]:
    if not events or query.measure not in ONE:
        return events
    match query.measure:
        case Aggregate.FIRST | Aggregate.LAST if query.change is ParcelChange.TAKEN:
            return (events[0] if query.measure is Aggregate.LAST else events[-1],)
        case Aggregate.FIRST:
            return (min(events, key=lambda event: event.started),)
        case Aggregate.LONGEST:
            return (max(events, key=lambda event: _end(event, still, now) - event.started),)
        case _:
            return (max(events, key=lambda event: event.started),)


def _measured(finding: Finding, events: tuple[Event, ...]) -> Finding:
    query = finding.query
    match query.measure:
        case Aggregate.COUNT:
            return replace(finding, count=sum(objects_of(event, query) for event in events))
        case Aggregate.VISITS | Aggregate.LIST | Aggregate.ANY:
            return replace(finding, count=len(events))
        case Aggregate.MOST_AT_ONCE:
            return replace(finding, count=max((objects_of(event, query) for event in events), default=0))
        case Aggregate.DURATION:
            return replace(finding, seconds=_covered(finding, events))
        case _:
            picked = finding.events[:1]
            return replace(finding, seconds=sum(finding.lasted_s(event) for event in picked))


def _covered(finding: Finding, events: Iterable[Event]) -> float:
    """Seconds of the period in which at least one visit went on."""
    since = finding.query.since if finding.query.since is not None else 0.0
    until = finding.query.until if finding.query.until is not None else finding.now
    covered, reached = 0.0, since
    for event in sorted(events, key=lambda event: event.started):
        end = min(finding.end(event), until)
        covered += max(0.0, end - max(event.started, reached))
        reached = max(reached, end)
    return covered


def _ringing(query: Query, past: Past) -> Finding:
    rings = tuple(
        ring
        for ring in past.rings
        if (not query.cameras or ring.camera in query.cameras)
        and (query.since is None or ring.time >= query.since)
        and (query.until is None or ring.time < query.until)
    )
    if rings and query.measure in ONE:
        rings = rings[-1:] if query.measure is Aggregate.FIRST else rings[:1]
        return Finding(query=query, now=past.now, rings=rings, complete=past.complete)
    return Finding(query=query, now=past.now, rings=rings, count=len(rings), complete=past.complete)


def _present(query: Query, past: Past, still: frozenset[str]) -> Finding:
    """What is seen now; where a zone or a class is asked about, by the newest revision of the visits that go on."""
    here = tuple(
        event
        for event in past.events
        if event.id in still and (not query.cameras or event.camera in query.cameras)
        if not query.labels or event.label in query.labels
    )
    present = []
    for state in (past.states or {}).values():
        if query.cameras and state.camera not in query.cameras:
            continue
        for label, count in state.counts:
            if query.labels and label not in query.labels:
                continue
            close = query.zone is not None or _kinds_of(label, query)
            seen = sum(
                _is_asked(one, query) and (query.zone is None or query.zone in one.zones)
                for event in here
                if event.camera == state.camera and event.label is label
                for one in event.objects
            )
            present.append((state.camera, label, min(count, seen) if close else count))
    found = tuple(each for each in present if each[2] > 0)
    shown = {(camera, label) for camera, label, _ in found}
    return Finding(
        query=query,
        now=past.now,
        events=tuple(event for event in here if (event.camera, event.label) in shown),
        count=sum(count for _, _, count in found) if past.states is not None else None,
        present=found,
        known=past.states is not None,
        still=still,
        complete=past.complete,
    )
