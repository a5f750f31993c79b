"""Says what changed: Scenes in, Observations and Events out. Pure: the same Scenes give the same records."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from blikk_edge.core.appearance import Appearance, Embedding
from blikk_edge.core.fold import Folder
from blikk_edge.core.ids import Ids
from blikk_edge.core.observation import Event, Near, Observation, Observed, Phase, Sighting
from blikk_edge.core.parcels import Parcel, ParcelChange
from blikk_edge.core.parked import Parked, ParkedVehicles
from blikk_edge.core.placed import Packages
from blikk_edge.core.scene import Scene
from blikk_edge.core.sightings import Label, Motion, Track, View, moves
from blikk_edge.core.visit import Change, Loiter, Visit

PARCEL_KINDS = frozenset({Observed.APPEARED, Observed.LEFT})
MOTION_EVERY_S = 2.0  # one candidate for an observation in so much lasting motion
VISITORS = 64  # of so many tracks it is remembered in which event they were
MOTION_GAP_S = 4.0  # motion after so long a calm is a new episode


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRules:
    """When something is reported.

    Attributes:
        event_threshold: How much must change, 0..1: the motion score, or the cosine distance between embeddings. An
            object that comes, goes or changes its state always counts.
        summary_window: How many similar Observations one may stand for (core.fold).
        loiter_s: The dwell that counts as loitering; 0: never.
        zone_loiter_s: The limit that holds in a zone instead, by the zone's name, for the time spent in it.
        update_every_s: The least time between revisions of an open Event.
        park_s: How long a vehicle stands still until it is parked.
        package_still_s: How long a package must stand on its own.
        labels: What is reported.
    """

    event_threshold: float = 0.3
    summary_window: int = 5
    loiter_s: float = 60.0
    zone_loiter_s: tuple[tuple[str, float], ...] = ()
    update_every_s: float = 2.0
    park_s: float = 30.0
    package_still_s: float = 3.0
    labels: tuple[Label, ...] = tuple(Label)

    def __post_init__(self) -> None:
        if not 0.0 <= self.event_threshold <= 1.0:
            raise ValueError(f"event_threshold must lie in 0..1, got {self.event_threshold}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """The records of one Scene.

    Attributes:
        observations: In the order in which they happened.
        events: Revisions, in the order in which they happened.
    """

    observations: tuple[Observation, ...] = ()
    events: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """What happened in one Scene, before similar Observations are folded.

    Attributes:
        scene: Where it happened.
        made: An Observation of each change, in the order in which they happened.
        events: Revisions, in the order in which they happened.
    """

    scene: Scene
    made: tuple[Observation, ...]
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _There:
    """Who counts in a scene, by label and id; since when, where not since first seen; who just moved off or parked.

    `seen` is whether the scene was looked at: a track that nobody sees now, such as one from before detection was
    switched off, starts nothing and joins nothing.
    """

    seen: bool
    tracks: Mapping[Label, Mapping[int, Track]]
    since: Mapping[int, float]
    moved: frozenset[int]
    parked: frozenset[int]


class EventReporter:
    """What there is to say about one camera.

    An **Event** is a visit: the confirmed tracks of one Label that are there at the same time. It is `started` in the
    scene in which the first is confirmed, `updated` on real change only and at most every `update_every_s` (what
    changed meanwhile is reported together), and `ended` once, when the last has gone. Someone who just stands there is
    a visit that stays open and quiet.

    - A vehicle that has stood still for `park_s` is parked: its Event ends with reason `still`, and neither it nor a
      later track at its place is reported again until it drives off, which is an Event with reason `moving`. Keep
      `parked` over restarts and hand it in again.
    - A package is reported when it stands on its own for `package_still_s`, a parcel (`Scene.parcels`) at once. What
      happened to a parcel is the `change` of the revision that reports it. One that was `known` before the stream began
      is no news; that it was taken is an Event of one revision, which ended.
    - Motion without any open Event gives Observations of kind `motion`, at the start of an episode and then folded, and
      no Event. Another view altogether, or an embedding farther than the threshold from the last one reported, gives
      `scene`.

    An Observation that starts an Event is never held back for folding.
    """

    def __init__(self, camera: str, rules: ReportRules | None = None, *, parked: Iterable[Parked] = ()) -> None:
        self._camera = camera
        self._rules = rules or ReportRules()
        self._loiter = Loiter(camera_s=self._rules.loiter_s, zones_s=dict(self._rules.zone_loiter_s))
        self._ids = Ids(camera)
        self._folder = Folder(self._rules.summary_window)
        self._vehicles = ParkedVehicles(parked)
        self._packages = Packages(self._rules.package_still_s)
        self._visits: dict[Label, Visit] = {}
        self._visitors: dict[int, str] = {}  # the event of each of the last tracks, by id
        self._changed: tuple[ParcelChange, Near | None] | None = None  # of a parcel, until a revision says so
        self._view: View | None = None
        self._last_motion: float | None = None
        self._last_motion_reported = -math.inf
        self._embedding: tuple[float, ...] | None = None
        self._pictured: Embedding | None = None
        self._time = -math.inf

    @property
    def event_threshold(self) -> float:
        """How much must change, 0..1; may be set while running. Raises ValueError outside 0..1."""
        return self._rules.event_threshold

    @event_threshold.setter
    def event_threshold(self, value: float) -> None:
        self._rules = replace(self._rules, event_threshold=value)

    @property
    def ids(self) -> Ids:
        """Where the ids of this camera's records come from."""
        return self._ids

    @property
    def parked(self) -> tuple[Parked, ...]:
        """The vehicles that are parked now; equal to the last value unless one came or went."""
        return self._vehicles.parked

    @property
    def open(self) -> tuple[tuple[str, float], ...]:
        """The id of each open Event, and when the last of it was seen."""
        return tuple((visit.id, visit.seen) for visit in self._visits.values())

    @property
    def members(self) -> Mapping[str, frozenset[int]]:
        """The ids of the tracks that are in each open Event now, by its id."""
        return {visit.id: visit.members for visit in self._visits.values()}

    def report(self, scene: Scene) -> Reported:
        """What this scene adds. Scenes come in capture order; a time that steps back counts as the latest one."""
        changed = self.changed(scene)
        return Reported(observations=self.folded(changed), events=changed.events)

    def changed(self, scene: Scene) -> Changed:
        """What happened in this scene; `folded` has to follow."""
        time = self._time = max(self._time, scene.frame.time)
        made: list[Observation] = list(self._scene_changes(scene, time))
        events: list[Event] = []
        there = self._sort(scene, time)
        parcels = {parcel.track.id: parcel.change for parcel in scene.parcels if parcel.change is not None}
        for label in Label:
            changes, event = self._step(label, there, time)
            if label is Label.PACKAGE:
                event = self._with_changes(event, scene.parcels, time)
            for change, event_id in changes:
                observed = self._observation(change.kind, scene, time, change.objects, change.zones, event_id)
                if label is Label.PACKAGE and change.kind in PARCEL_KINDS:
                    what = next((parcels[o.track] for o in change.objects if o.track in parcels), None)
                    observed = replace(observed, change=what)
                made.append(observed)
            events += event
            if (visit := self._visits.get(label)) is not None:
                self._remember(visit)
        return Changed(scene=scene, made=tuple(made), events=tuple(events))

    def folded(
        self, changed: Changed, appearances: Mapping[str, tuple[Appearance, ...]] = MappingProxyType({})
    ) -> tuple[Observation, ...]:
        """The Observations that come out now; `appearances` go with those made in this scene, by their ids."""
        observations: list[Observation] = []
        for made in changed.made:
            looks = appearances.get(made.id, ())
            observations += self._folder.add(replace(made, appearances=looks) if looks else made)
        if any(event.phase is Phase.ENDED for event in changed.events):
            observations += self._folder.flush()  # nothing similar can follow
        observations += self._motion(changed.scene, self._time)
        observations += self._folder.due(self._time)
        return tuple(observations)

    def pictured(self, scene: Scene, appearance: Appearance) -> tuple[Observation, ...]:
        """What the look of a whole picture adds: one that is far from the last one reported is another scene."""
        known, new = self._pictured, appearance.embedding
        if new is None:
            return ()
        if known is None or known.model != new.model:
            self._pictured = new
            return ()
        if distance(known.numbers, new.numbers) < max(1e-6, self._rules.event_threshold):
            return ()
        self._pictured = new
        made = self._observation(Observed.SCENE, scene, self._time)
        return self._folder.add(replace(made, appearances=(appearance,)))

    def end(self, time: float | None = None) -> Reported:
        """The stream is gone for long, or the node stops: what was held is reported, and every open Event ends.

        Without a `time` that is the time of the last scene.
        """
        time = self._time = max(self._time, self._time if time is None else time)
        events = tuple(visit.end(time) for visit in self._visits.values())
        self._visits.clear()
        self._changed = None
        self._view = None
        self._last_motion = None
        return Reported(observations=self._folder.flush(), events=events)

    def end_timeline(self) -> Reported:
        """The wall clock was set: as `end`, and the times of what follows have nothing to do with those before."""
        reported = self.end()
        self._time = self._last_motion_reported = -math.inf
        self._folder = Folder(self._rules.summary_window)
        self._vehicles = ParkedVehicles(self._vehicles.parked)
        self._packages = Packages(self._rules.package_still_s)
        return reported

    def _step(self, label: Label, there: "_There", time: float) -> tuple[list[tuple[Change, str]], list[Event]]:
        visit = self._visits.get(label)
        present = {
            key: track
            for key, track in there.tracks.get(label, {}).items()
            if (there.seen and not track.missed) or (visit is not None and visit.has(track))
        }
        if visit is None:
            if not present:
                return [], []
            started = min(time, *(there.since.get(track.id, track.first_seen) for track in present.values()))
            visit = self._visits[label] = Visit(
                event_id=self._ids.next(started),
                camera=self._camera,
                label=label,
                started=started,
                loiter=self._loiter,
            )
            changes = [(change, visit.id) for change in visit.step(present, moved=there.moved)]
            return changes, [visit.start(time, changes[0][0].kind)]
        changes = [(change, visit.id) for change in visit.step(present, moved=there.moved, parked=there.parked)]
        if visit.empty:
            del self._visits[label]
            return changes, [visit.end(time)]
        update = visit.update(time, self._rules.update_every_s)
        return changes, [] if update is None else [update]

    def _remember(self, visit: Visit) -> None:
        for track in visit.members:
            self._visitors.pop(track, None)
            self._visitors[track] = visit.id
        while len(self._visitors) > VISITORS:
            del self._visitors[next(iter(self._visitors))]

    def _with_changes(self, events: list[Event], parcels: Sequence[Parcel], time: float) -> list[Event]:
        """The revisions, the first of which says what happened to a parcel; it waits where there is none yet."""
        for parcel in parcels:
            if parcel.change is None or Label.PACKAGE not in self._rules.labels:
                continue
            near = self._near(parcel)
            if parcel.known:
                events = [*events, self._taken(parcel, near, time)]
            else:
                self._changed = parcel.change, near
        if self._changed is None:
            return events
        for index, event in enumerate(events):
            if event.change is None:
                change, near = self._changed
                self._changed = None
                return [*events[:index], replace(event, change=change, near=near), *events[index + 1 :]]
        if Label.PACKAGE not in self._visits:
            self._changed = None
        return events

    def _near(self, parcel: Parcel) -> Near | None:
        near = parcel.near
        if near is None:
            return None
        return Near(label=near.label, score=near.score, event=self._visitors.get(near.track))

    def _taken(self, parcel: Parcel, near: Near | None, time: float) -> Event:
        """That a parcel was taken of which no Event said that it was left."""
        visit = Visit(
            event_id=self._ids.next(time), camera=self._camera, label=Label.PACKAGE, started=time, loiter=self._loiter
        )
        visit.step({parcel.track.id: parcel.track}, moved=frozenset())
        visit.step({}, moved=frozenset())
        return replace(visit.end(time), change=parcel.change, near=near)

    def _sort(self, scene: Scene, time: float) -> "_There":
        by_label: dict[Label, list[Track]] = {label: [] for label in Label}
        for track in scene.tracks:
            if track.confirmed:
                by_label[track.label].append(track)
        off = self._vehicles.look(scene.tracks, scene.detections, time) if scene.analysed else ()
        moved = {one.track.id: one.since for one in off}
        driving, parked = self._driving(by_label[Label.VEHICLE], moved)
        parcels = {parcel.track.id: parcel for parcel in scene.parcels}
        others = [track for track in by_label[Label.PACKAGE] if track.id not in parcels]
        placed = self._packages.placed(others, by_label[Label.PERSON])
        placed |= {key: parcel.track.first_seen for key, parcel in parcels.items() if not parcel.known}
        packages = [track for track in by_label[Label.PACKAGE] if track.id in placed]
        counted = {**by_label, Label.VEHICLE: driving, Label.PACKAGE: packages}
        return _There(
            seen=scene.analysed,
            tracks={label: {track.id: track for track in counted[label]} for label in self._rules.labels},
            since={**moved, **placed},
            moved=frozenset(moved),
            parked=frozenset(parked),
        )

    def _driving(self, vehicles: Sequence[Track], moved: Mapping[int, float]) -> tuple[list[Track], set[int]]:
        """The vehicles that are not parked, and the ids of those that have just become so."""
        visit = self._visits.get(Label.VEHICLE)
        driving: list[Track] = []
        parked: set[int] = set()
        for track in vehicles:
            if self._vehicles.holds(track):
                continue
            known = visit is not None and visit.has(track)
            if not known and track.id not in moved and self._vehicles.adopt(track):
                continue
            rested_s = track.last_seen - track.still_since if track.still_since is not None else 0.0
            if known and track.still_since is not None and rested_s >= self._rules.park_s:
                self._vehicles.park(track, track.still_since)
                parked.add(track.id)
                continue
            driving.append(track)
        return driving, parked

    def _motion(self, scene: Scene, time: float) -> tuple[Observation, ...]:
        if not moves(scene.motion.view, scene.motion.score, self._rules.event_threshold):
            if self._last_motion is not None and time - self._last_motion >= MOTION_GAP_S and not self._visits:
                self._last_motion = None
                return self._folder.flush()
            return ()
        begins = self._last_motion is None or time - self._last_motion >= MOTION_GAP_S
        self._last_motion = time
        if self._visits or not (begins or time - self._last_motion_reported >= MOTION_EVERY_S):
            return ()
        self._last_motion_reported = time
        return self._folder.add(self._observation(Observed.MOTION, scene, time))

    def _scene_changes(self, scene: Scene, time: float) -> tuple[Observation, ...]:
        other_view = scene.motion.view is View.NEW_SCENE and self._view is not View.NEW_SCENE
        self._view = scene.motion.view
        other_meaning = False
        if scene.embedding is not None:
            if self._embedding is not None:
                other_meaning = distance(self._embedding, scene.embedding) >= max(1e-6, self._rules.event_threshold)
            if self._embedding is None or other_meaning or other_view:
                self._embedding = scene.embedding
        if not (other_view or other_meaning):
            return ()
        return (self._observation(Observed.SCENE, scene, time),)

    def _observation(
        self,
        kind: Observed,
        scene: Scene,
        time: float,
        objects: tuple[Sighting, ...] = (),
        zones: tuple[str, ...] = (),
        event: str | None = None,
    ) -> Observation:
        return Observation(
            id=self._ids.next(time),
            camera=self._camera,
            kind=kind,
            time=time,
            until=time,
            score=score_of(scene.motion),
            objects=objects,
            zones=zones,
            event=event,
            embedding=scene.embedding,
        )


def distance(a: Sequence[float], b: Sequence[float]) -> float:
    """Cosine distance `1 - cos` of two embeddings, at most 1; 1 as well where lengths differ or one is all zeros."""
    if len(a) != len(b):
        return 1.0
    norm = math.hypot(*a) * math.hypot(*b)
    if not norm > 0.0 or not math.isfinite(norm):
        return 1.0
    cosine = math.fsum(x * y for x, y in zip(a, b, strict=True)) / norm
    return min(1.0, max(0.0, 1.0 - cosine))


def score_of(motion: Motion) -> float:
    """The motion score as an Observation has it: 0..1, 0 for what is no number."""
    return min(1.0, max(0.0, motion.score)) if math.isfinite(motion.score) else 0.0
