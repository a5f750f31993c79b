"""Puts a Finding into words without a model: short, with the period it is about, and honest about what is not known."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from blikk_edge.asking.moments import SHOWN_MAX, Moments
from blikk_edge.asking.reader import Puzzle
from blikk_edge.asking.tally import Finding, objects_of
from blikk_edge.asking.times import Wall
from blikk_edge.core.inquiry import Aggregate
from blikk_edge.core.observation import Event, Sighting
from blikk_edge.core.parcels import ParcelChange
from blikk_edge.core.sightings import Label
from blikk_edge.core.status import CameraInfo, CameraState
from blikk_edge.core.summary import TEXT_MAX
from blikk_edge.core.watched import NODE, Span
from blikk_edge.language.language import Language
from blikk_edge.language.wording import clipped, kind_of_all, sentence

GROUPS_MAX: Final = 3
GAPS_MAX: Final = 3
"""Gaps that are named one by one."""


def say(
    finding: Finding, cameras: Sequence[CameraInfo], wall: Wall, spoken: Language, states: Sequence[CameraState] = ()
) -> str:
    """The answer, at most TEXT_MAX characters; `states` are the cameras as they are now, where that is known."""
    query = finding.query
    if query.since is not None and query.since > finding.now:
        return sentence(spoken.say("answer.ahead"))
    saying = _Saying(finding, cameras, wall, spoken)
    parts = [saying.text(), *saying.gaps()]
    if query.doubt and (finding.events or finding.rings):
        doubt = "answer.doubt_who" if query.doubt == "who" else "answer.doubt"
        parts.append(spoken.say(doubt, word=query.doubt))
    if not finding.complete:
        parts.append(spoken.say("answer.too_much"))
    if query.measure is Aggregate.PRESENT or query.ongoing:
        parts += saying.blind([each for each in states if not query.cameras or each.camera in query.cameras])
    return clipped(" ".join(sentence(part) for part in parts), TEXT_MAX)


def say_puzzled(puzzle: Puzzle, cameras: Sequence[CameraInfo], spoken: Language, *, hint: str = "") -> str:
    """That a question was not understood, and what could be asked; a `hint` says why better than its words do."""
    if hint:
        why = hint
    elif puzzle.place and cameras:
        zones = dict.fromkeys(zone for camera in cameras for zone in camera.zones)
        places = spoken.every([*(camera.name for camera in cameras), *zones])
        why = spoken.say("answer.strange_place", word=puzzle.place, places=places)
    elif puzzle.words:
        why = spoken.say(
            "answer.strange_words",
            words=spoken.every([spoken.say("answer.word", word=word) for word in puzzle.words[:5]]),
        )
    else:
        why = spoken.say("answer.strange")
    return clipped(f"{sentence(clipped(why, 300))} {spoken.say('answer.examples')}", TEXT_MAX)


def lines(finding: Finding, cameras: Sequence[CameraInfo], wall: Wall, spoken: Language) -> tuple[str, ...]:
    """What matched, one line each, newest first; at most twice SHOWN_MAX."""
    return _Saying(finding, cameras, wall, spoken).lines()[: 2 * SHOWN_MAX]


class _Saying:
    """One answer in the making."""

    def __init__(self, finding: Finding, cameras: Sequence[CameraInfo], wall: Wall, spoken: Language) -> None:
        self._finding = finding
        self._query = finding.query
        self._names: Mapping[str, str] = {camera.id: camera.name for camera in cameras}
        self._spoken = spoken
        self._say = spoken.say
        self._moments = Moments(wall, finding.now, spoken)
        self._when = self._moments.period(finding.query.since, finding.query.until)
        self._where = self._cameras_and_zone()
        self._scope = self._all(self._when)
        self._now = self._all(self._say("moment.now"))

    def text(self) -> str:
        """The answer without a full stop."""
        query, finding = self._query, self._finding
        if not finding.watched:
            return self._unwatched()
        if query.rings:
            return self._rings()
        if not finding.known:
            return self._say("answer.unknown_now")
        if query.measure is Aggregate.PRESENT:
            return self._present()
        if not finding.events:
            none = self._none()
            return self._say("answer.no", text=none) if query.measure is Aggregate.ANY else none
        ways = {
            Aggregate.COUNT: self._count,
            Aggregate.VISITS: self._visits,
            Aggregate.LIST: self._list,
            Aggregate.ANY: self._yes,
            Aggregate.DURATION: self._in_all,
            Aggregate.MOST_AT_ONCE: self._most,
        }
        return ways.get(query.measure, self._one)()

    def lines(self) -> tuple[str, ...]:
        """What matched, one line each."""
        say, at = self._say, self._moments.at
        rings = [say("answer.line_ring", moment=at(r.time), place=self._at(r.camera)) for r in self._finding.rings]
        return (*rings, *(say("answer.line_visit", **self._visit_words(event)) for event in self._finding.events))

    def gaps(self) -> list[str]:
        """A sentence for all cameras that missed the same."""
        finding = self._finding
        asked = len(finding.query.cameras) or len(self._names)
        alike: dict[tuple[Span, ...], list[str]] = {}
        for camera, gaps in finding.gaps:
            alike.setdefault(gaps, []).append(camera)
        parts = []
        for gaps, cameras in [*alike.items()][:GROUPS_MAX]:
            when = self._spoken.every([self._moments.period(*gap) for gap in gaps])
            if len(gaps) > GAPS_MAX:
                missed = self._spoken.duration(sum(until - since for since, until in gaps))
                when = self._say("answer.gap_long", duration=missed)
            every = len(cameras) == asked
            key = "answer.gap_run" if NODE in cameras else "answer.gap" if every else "answer.gap_at"
            parts.append(
                self._say(key, len(cameras), when=when, places=self._spoken.every(list(map(self._at, cameras))))
            )
        return parts + ([self._say("answer.gap_others")] if len(alike) > GROUPS_MAX else [])

    def blind(self, states: Sequence[CameraState]) -> list[str]:
        """What cannot be seen just now."""
        names = self._names
        away = [names.get(state.camera, state.camera) for state in states if not state.online]
        off = [names.get(state.camera, state.camera) for state in states if state.online and not state.detect]
        return [
            self._say(key, len(cameras), places=self._spoken.every(cameras))
            for key, cameras in (("answer.offline", away), ("answer.detection_off", off))
            if cameras
        ]

    # -- what was asked ------------------------------------------------------------------------------------------

    def _unwatched(self) -> str:
        """That nothing is known of the whole time."""
        query = self._query
        key = f"answer.not_{'run' if query.rings else 'watched'}"
        key += "_yet" if query.since is None and query.until is None else ""
        return self._say(key, when=self._when, scope=self._scope)

    def _count(self) -> str:
        count, visits, query = self._finding.count or 0, self._finding.visits, self._query
        if not query.labels:
            return self._say("answer.events", visits, scope=self._scope)
        text = self._say("answer.count", count, things=self._things(count), scope=self._scope)
        key = "visits" if visits > 1 else "once" if count == 1 else "visit"
        last = self._moments.at(self._finding.moment(self._finding.events[0]))
        text = self._say(f"answer.count_{key}", text=text, moment=last, visits=self._say("answer.visits", visits))
        return self._say("answer.twice", text=text) if visits > 1 and Label.PERSON in query.labels else text

    def _visits(self) -> str:
        return self._say(
            "answer.visits_of" if self._query.labels else "answer.visits_at",
            visits=self._say("answer.visits", self._finding.visits),
            any=self._any(),
            scope=self._scope,
            moments=self._moments.several([self._finding.moment(event) for event in self._finding.events]),
        )

    def _list(self) -> str:
        shown = self._finding.events[:SHOWN_MAX]
        key = "answer.item" if len(self._query.cameras) == 1 else "answer.item_at"
        items = [self._say(key, **self._visit_words(event)) for event in shown]
        left = self._finding.visits - len(shown)
        items += [self._say("answer.more", left)] if left else []
        return self._say("answer.list", scope=self._scope, text=self._spoken.every(items))

    def _yes(self) -> str:
        event, visits = self._finding.events[0], self._finding.visits
        key = "goes_on" if self._query.ongoing else "once" if visits == 1 else "several"
        times = self._spoken.times(visits)
        text = self._say(f"answer.{key}", **self._visit_words(event), times=times, scope=self._scope)
        return self._say("answer.yes", text=text)

    def _one(self) -> str:
        """The visit that was picked."""
        event, measure = self._finding.events[0], self._query.measure
        lasted = self._spoken.duration(self._finding.seconds)
        count = objects_of(event, self._query) if measure is Aggregate.STAYING else 1
        text = self._say(f"answer.{measure.value}", count, **self._visit_words(event), duration=lasted)
        goes_on = event.id in self._finding.still and measure in {Aggregate.FIRST, Aggregate.LAST}
        return self._say("answer.still", text=text) if goes_on else text

    def _in_all(self) -> str:
        return self._say(
            "answer.in_all",
            any=self._spoken.things(self._noun()),
            scope=self._scope,
            duration=self._spoken.duration(self._finding.seconds),
            visits=self._say("answer.visits", self._finding.visits),
        )

    def _most(self) -> str:
        count = self._finding.count or 0
        event = next(each for each in self._finding.events if objects_of(each, self._query) == count)
        things = self._spoken.thing(self._noun(), count)
        return self._say("answer.most", things=things, scope=self._scope, **self._visit_words(event))

    def _present(self) -> str:
        query = self._query
        if not self._finding.present:
            return self._say("answer.none_now", self._plural(), any=self._nothing(), how="", scope=self._now)
        here = []
        for camera in dict.fromkeys(camera for camera, _, _ in self._finding.present):
            seen = [one for event in self._finding.events if event.camera == camera for one in event.objects]
            things = [
                self._spoken.thing(kind_of_all(label, seen), count)
                for at, label, count in self._finding.present
                if at == camera
            ]
            here.append(
                self._say(
                    "answer.present_in" if query.zone else "answer.present_at",
                    things=self._spoken.every(things),
                    place=self._at(camera),
                    zone=self._spoken.place(query.zone or ""),
                )
            )
        return self._say("answer.present", self._finding.count or 0, text=self._spoken.every(here))

    def _rings(self) -> str:
        query, rings = self._query, self._finding.rings
        if query.measure in {Aggregate.FIRST, Aggregate.LAST} and rings:
            moment, place = self._moments.at(rings[0].time), self._at(rings[0].camera)
            return self._say(f"answer.{query.measure.value}_ring", moment=moment, place=place)
        times = self._spoken.times(len(rings))
        moments = self._moments.several([ring.time for ring in rings])
        key = "answer.rings" if rings else "answer.no_ring"
        text = self._say(key, scope=self._scope, times=times, moments=moments)
        if query.measure is not Aggregate.ANY:
            return text
        return self._say("answer.yes" if rings else "answer.no", text=text)

    def _none(self) -> str:
        query = self._query
        how = self._say("answer.how_long") if query.loitering else ""
        how += self._say(f"answer.how_{query.change.value}") if query.change is not None else ""
        if query.min_duration_s:
            how += self._say("answer.how_lasted", duration=self._spoken.duration(query.min_duration_s))
        key, scope = ("answer.none_now", self._now) if query.ongoing else ("answer.none", self._scope)
        return self._say(key, self._plural(), any=self._nothing(), how=f" {how}" if how else "", scope=scope)

    # -- words ---------------------------------------------------------------------------------------------------

    def _visit_words(self, event: Event) -> Mapping[str, Any]:
        """What sentences say of a visit."""
        lasted_s = self._finding.lasted_s(event)
        key = f"answer.visit{'_long' if event.loitering else ''}{'_lasted' if lasted_s >= 1 else ''}"
        if self._query.change is ParcelChange.TAKEN:
            key = "answer.visit_taken"
        who = self._who(event)
        return {
            "who": who,
            "visit": self._say(key, who=who, duration=self._spoken.duration(lasted_s)),
            "place": self._at(event.camera),
            "moment": self._moments.at(self._finding.moment(event)),
            "since": self._moments.since(event.started),
        }

    def _who(self, event: Event) -> str:
        """Of the objects of a visit those asked about."""
        asked = [one for one in event.objects if not self._query.kinds or one.sub_label in self._query.kinds]
        return self._spoken.thing(kind_of_all(event.label, asked), objects_of(event, self._query))

    def _noun(self) -> str:
        """What all that is asked about is called."""
        query = self._query
        if len(query.labels) != 1:
            return "visitor"
        return query.kinds[0] if len(query.kinds) == 1 else query.labels[0].value

    def _things(self, count: int) -> str:
        """`three people`; of several labels each: `three people and a car`."""
        if len(self._query.labels) == 1 and len(self._query.kinds) <= 1:
            return self._spoken.counted(self._noun(), count)
        parts = []
        for label in self._query.labels:
            events = [event for event in self._finding.events if event.label is label]
            objects: list[Sighting] = [one for event in events for one in event.objects]
            total = sum(objects_of(event, self._query) for event in events)
            parts += [self._spoken.thing(kind_of_all(label, objects), total)] if events else []
        return self._spoken.every(parts)

    def _any(self) -> str:
        """`people`, `cats or dogs`, `people or cars`; of nothing in particular `activity`."""
        return self._spoken.either(self._nouns()) or self._say("answer.activity")

    def _nothing(self) -> str:
        """The same after `no`."""
        return self._spoken.neither(self._nouns()) or self._say("answer.activity")

    def _nouns(self) -> Sequence[str]:
        query = self._query
        wide = [label.value for label in query.labels if not (query.kinds and label in {Label.VEHICLE, Label.ANIMAL})]
        return [self._spoken.things(kind) for kind in (*wide, *query.kinds)]

    def _plural(self) -> int:
        """In which number `_any` stands."""
        return 2 if self._query.labels else 1

    def _cameras_and_zone(self) -> str:
        zone = self._spoken.place(self._query.zone or "")
        places = self._spoken.every([self._at(camera) for camera in self._query.cameras])
        if not zone and not places:
            return ""
        key = "both" if zone and places else "zone" if zone else "cameras"
        return self._say(f"scope.{key}", zone=zone, places=places)

    def _all(self, when: str) -> str:
        return self._say("scope.all", where=self._where, when=when) if self._where else when

    def _at(self, camera: str) -> str:
        return self._spoken.place(self._names.get(camera, camera))


def denied(finding: Finding) -> bool:
    """Whether the answer is that there was nothing."""
    return not (finding.present or finding.events or finding.rings)
