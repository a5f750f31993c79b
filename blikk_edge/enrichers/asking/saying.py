"""Puts a Finding into words without a model: short, with the period it is about, and honest about what is not known."""

from collections.abc import Mapping, Sequence
from typing import Final

from blikk_edge.core.house import CameraInfo, CameraState
from blikk_edge.core.inquiry import Measure, Query
from blikk_edge.core.observation import Event, Sighting
from blikk_edge.core.sightings import Label
from blikk_edge.core.summary import TEXT_MAX
from blikk_edge.enrichers.asking.moments import SHOWN_MAX, Moments
from blikk_edge.enrichers.asking.reader import Puzzle
from blikk_edge.enrichers.asking.tally import Finding, objects_of
from blikk_edge.enrichers.asking.times import Wall
from blikk_edge.enrichers.asking.unwatched import say_gaps, say_unwatched
from blikk_edge.enrichers.summaries.wording import (
    clipped,
    duration,
    kind_of_all,
    listed,
    number,
    plural,
    sentence,
    some,
    the,
    times,
)

EXAMPLES: Final = (
    "How many people came to the front door this morning?",
    "When was the last delivery?",
    "Is anyone there now?",
)
_UNKNOWN: Final = "Only a running node knows what is there now, and none was asked"


def say(finding: Finding, cameras: Sequence[CameraInfo], wall: Wall, states: Sequence[CameraState] = ()) -> str:
    """The answer, at most TEXT_MAX characters; `states` are the cameras as they are now, where that is known."""
    query = finding.query
    if query.since is not None and query.since > finding.now:
        return "That time has not come yet."
    names = {camera.id: camera.name for camera in cameras}
    moments = Moments(wall, finding.now)
    parts = [_Saying(finding, names, moments).text(), *say_gaps(finding, names, moments)]
    if query.doubt and (finding.events or finding.rings):
        parts.append(_doubt(query.doubt))
    if not finding.complete:
        parts.append("There is more than could be looked through: ask about a shorter time")
    if query.measure is Measure.PRESENT or query.ongoing:
        parts += _blind([each for each in states if not query.cameras or each.camera in query.cameras], names)
    return clipped(" ".join(sentence(part) for part in parts), TEXT_MAX)


def say_puzzled(puzzle: Puzzle, cameras: Sequence[CameraInfo]) -> str:
    """That a question was not understood, and what could be asked."""
    if puzzle.place:
        zones = dict.fromkeys(zone for camera in cameras for zone in camera.zones)
        places = listed([*(camera.name for camera in cameras), *zones])
        why = f'There is no camera and no zone called "{puzzle.place}", there is {places}'
    elif puzzle.words:
        why = "I did not understand " + listed([f'"{word}"' for word in puzzle.words[:5]])
    else:
        why = "I did not understand what you ask about"
    asked = " ".join(f'"{example}"' for example in EXAMPLES)
    return clipped(f"{sentence(clipped(why, 300))} You can ask: {asked}", TEXT_MAX)


def lines(finding: Finding, cameras: Sequence[CameraInfo], wall: Wall) -> tuple[str, ...]:
    """What matched, one line each, newest first; at most twice SHOWN_MAX."""
    names = {camera.id: camera.name for camera in cameras}
    saying = _Saying(finding, names, Moments(wall, finding.now))
    return saying.lines()[: 2 * SHOWN_MAX]


class _Saying:
    """One answer in the making."""

    def __init__(self, finding: Finding, names: Mapping[str, str], moments: Moments) -> None:
        self._finding = finding
        self._query = finding.query
        self._names = names
        self._moments = moments
        self._when = moments.period(finding.query.since, finding.query.until)
        self._where = self._place()

    def text(self) -> str:
        """The answer without a full stop."""
        query, finding = self._query, self._finding
        if not finding.watched:
            return say_unwatched(self._query, self._where, self._when)
        if query.rings:
            return self._rings()
        if not finding.known:
            return _UNKNOWN
        if query.measure is Measure.PRESENT:
            return self._present()
        if not finding.events:
            return f"No, {_lower(self._none())}" if query.measure is Measure.ANY else self._none()
        ways = {
            Measure.COUNT: self._count,
            Measure.VISITS: self._visits,
            Measure.LIST: self._list,
            Measure.ANY: self._yes,
            Measure.DURATION: self._in_all,
            Measure.MOST_AT_ONCE: self._most,
        }
        return ways.get(query.measure, self._one)()

    def lines(self) -> tuple[str, ...]:
        """What matched, one line each."""
        rings = [f"{self._moments.at(ring.time)}: doorbell {self._at(ring.camera)}" for ring in self._finding.rings]
        visits = [f"{self._moments.at(e.started)}: {self._visit(e)} {self._at(e.camera)}" for e in self._finding.events]
        return (*rings, *visits)

    def _count(self) -> str:
        count, visits, query = self._finding.count or 0, self._finding.visits, self._query
        last = self._moments.at(self._finding.events[0].started)
        if not query.labels:
            return f"{number(visits)} {'events were' if visits > 1 else 'event was'} seen {self._where} {self._when}"
        were = "was" if count == 1 else "were"
        start = f"{self._things(count)} {were} seen {self._where} {self._when}"
        if visits == 1:
            return f"{start}, {last}" if count == 1 else f"{start}, in one visit {last}"
        twice = " (who came twice counts twice)" if Label.PERSON in query.labels else ""
        return f"{start}, in {_visits(visits)}, the last {last}{twice}"

    def _visits(self) -> str:
        when = self._moments.several([event.started for event in self._finding.events])
        of = f" of {_any(self._query)}" if self._query.labels else ""
        return f"{_visits(self._finding.visits)}{of} {self._where} {self._when}: {when}"

    def _list(self) -> str:
        shown = self._finding.events[:SHOWN_MAX]
        everywhere = len(self._query.cameras) != 1
        visits = [
            f"{self._moments.at(e.started)} {self._visit(e)}{f' {self._at(e.camera)}' if everywhere else ''}"
            for e in shown
        ]
        left = self._finding.visits - len(shown)
        return f"Seen {self._where} {self._when}: {listed([*visits, *([f'{number(left)} more'] if left else [])])}"

    def _yes(self) -> str:
        event = self._finding.events[0]
        if self._query.ongoing:
            return f"Yes, {self._visit(event)} {self._at(event.camera)}, {self._moments.since(event.started)}"
        last = f"{self._visit(event)} {self._moments.at(event.started)}"
        if self._finding.visits == 1:
            return f"Yes, {last} {self._at(event.camera)}"
        return f"Yes, {times(self._finding.visits)} {self._where} {self._when}, the last: {last}"

    def _one(self) -> str:
        """The visit that was picked."""
        event = self._finding.events[0]
        visit, at, when = self._visit(event), self._at(event.camera), self._moments.at(event.started)
        match self._query.measure:
            case Measure.STAYING:
                are = "is" if objects_of(event, self._query) == 1 else "are"
                since = f"{self._moments.since(event.started)} ({duration(self._finding.seconds)})"
                return f"{self._who(event)} {are} {at} {since}"
            case Measure.LONGEST:
                return f"The longest took {duration(self._finding.seconds)}: {self._who(event)} {when} {at}"
        stays = ", and still goes on" if event.id in self._finding.still else ""
        return f"The {self._query.measure.value} was {when}: {visit} {at}{stays}"

    def _in_all(self) -> str:
        in_all = f"{duration(self._finding.seconds)} in all, in {_visits(self._finding.visits)}"
        return f"{plural(self._noun())} were seen {self._where} {self._when} for {in_all}"

    def _most(self) -> str:
        count = self._finding.count or 0
        event = next(each for each in self._finding.events if objects_of(each, self._query) == count)
        when = f"{self._moments.at(event.started)} {self._at(event.camera)}"
        return f"At most {some(count, self._noun())} at once {self._where} {self._when}, in a visit {when}"

    def _present(self) -> str:
        if not self._finding.present:
            query = self._query
            return f"No {_any(query)} {'are' if query.labels else 'is'} seen {self._where} now"
        zone = f" in {the(self._query.zone)}" if self._query.zone else ""
        here = []
        for camera in dict.fromkeys(camera for camera, _, _ in self._finding.present):
            seen = [one for event in self._finding.events if event.camera == camera for one in event.objects]
            things = [
                some(count, kind_of_all(label, seen)) for at, label, count in self._finding.present if at == camera
            ]
            here.append(f"{listed(things)} {self._at(camera)}{zone}")
        return f"Now there {'is' if self._finding.count == 1 else 'are'} {listed(here)}"

    def _rings(self) -> str:
        query, rings = self._query, self._finding.rings
        the_bell = {True: "Yes, the doorbell", False: "No, the doorbell"}[bool(rings)]
        bell = the_bell if query.measure is Measure.ANY else "The doorbell"
        if not rings:
            return f"{bell} did not ring {self._where} {self._when}"
        if query.measure in {Measure.FIRST, Measure.LAST}:
            return (
                f"The doorbell rang {query.measure.value} {self._moments.at(rings[0].time)} {self._at(rings[0].camera)}"
            )
        moments = self._moments.several([ring.time for ring in rings])
        return f"{bell} rang {times(len(rings))} {self._where} {self._when}: {moments}"

    def _none(self) -> str:
        query = self._query
        how = " loitering" if query.loitering else ""
        if query.min_duration_s:
            how += f" for {duration(query.min_duration_s)} or longer"
        were, when = ("are" if query.labels else "is", "now") if query.ongoing else ("were", self._when)
        if not query.labels and not query.ongoing:
            were = "was"
        return f"No {_any(query)} {were} seen{how} {self._where} {when}"

    def _visit(self, event: Event) -> str:
        lasted_s = self._finding.lasted_s(event)
        return (
            f"{self._who(event)}{' loitering' if event.loitering else ''}"
            f"{f' for {duration(lasted_s)}' if lasted_s >= 1 else ''}"
        )

    def _who(self, event: Event) -> str:
        """Of the objects of a visit those asked about."""
        asked = [one for one in event.objects if not self._query.kinds or one.sub_label in self._query.kinds]
        return some(objects_of(event, self._query), kind_of_all(event.label, asked))

    def _noun(self) -> str:
        """What all that is asked about is called."""
        query = self._query
        if len(query.labels) != 1:
            return "visitor"
        return query.kinds[0] if len(query.kinds) == 1 else query.labels[0].value

    def _things(self, count: int) -> str:
        """`three people`; of several labels each: `three people and a car`."""
        if len(self._query.labels) == 1 and len(self._query.kinds) <= 1:
            return f"one {self._noun()}" if count == 1 else some(count, self._noun())
        parts = []
        for label in self._query.labels:
            events = [event for event in self._finding.events if event.label is label]
            objects: list[Sighting] = [one for event in events for one in event.objects]
            total = sum(objects_of(event, self._query) for event in events)
            parts += [some(total, kind_of_all(label, objects))] if events else []
        return listed(parts)

    def _place(self) -> str:
        zone = f"in {the(self._query.zone)}" if self._query.zone else ""
        names = [the(self._names.get(camera, camera)) for camera in self._query.cameras]
        return f"{zone} {f'at {listed(names)}' if names else ''}".strip()

    def _at(self, camera: str) -> str:
        return f"at {the(self._names.get(camera, camera))}"


def _any(query: Query) -> str:
    """`people`, `cats or dogs`, `people or cars`; of nothing in particular `activity`."""
    wide = [label.value for label in query.labels if not (query.kinds and label in {Label.VEHICLE, Label.ANIMAL})]
    return " or ".join(plural(noun) for noun in (*wide, *query.kinds)) or "activity"


def _visits(count: int) -> str:
    return "one visit" if count == 1 else f"{number(count)} visits"


def _doubt(word: str) -> str:
    if word == "who":
        return "Who it was cannot be told"
    return f'Whether "{word}" is right cannot be told: who people are is not looked at'


def _blind(states: Sequence[CameraState], names: Mapping[str, str]) -> list[str]:
    """What cannot be seen just now."""
    away = [names.get(state.camera, state.camera) for state in states if not state.online]
    off = [names.get(state.camera, state.camera) for state in states if state.online and not state.detect]
    return [
        *([f"{listed(away)} {'is' if len(away) == 1 else 'are'} offline"] if away else []),
        *([f"Detection is off at {listed(off)}"] if off else []),
    ]


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
