"""One open Event: its members, what changes about them, and its revisions."""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field

from blikk_edge.core.observation import Event, Observed, Phase, Sighting
from blikk_edge.core.sightings import Label, Track

# What an update is named after when several things changed: the one that a user would want to hear of.
WEIGHT = (
    Observed.LOITERING,
    Observed.ENTERED_ZONE,
    Observed.RECOUNT,
    Observed.MOVING,
    Observed.LEFT_ZONE,
    Observed.STILL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loiter:
    """How long is loitering.

    Attributes:
        camera_s: In the picture; 0 is never.
        zones_s: In a zone that has a limit of its own, by its name; 0 is never.
    """

    camera_s: float
    zones_s: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """Something that happened to some members in one frame.

    Attributes:
        kind: What happened.
        objects: The members to whom it happened, as they are now; at least one.
        zones: The names of those entered or left; else of those the objects are in.
    """

    kind: Observed
    objects: tuple[Sighting, ...]
    zones: tuple[str, ...]


@dataclass(slots=True)
class _Member:
    track: Track
    entered: dict[str, float]
    loitering: bool = False


class Visit:
    """The revisions of one Event, from `start` over any number of `update` to one `end`.

    `step` takes in each frame. An `update` is given at most every `every_s` seconds of capture time and only where
    something differs from what was reported last: the number of members, the zones occupied or touched, loitering, how
    many stand still, the peak. Whatever changed meanwhile is in it.
    """

    def __init__(self, *, event_id: str, camera: str, label: Label, started: float, loiter: Loiter) -> None:
        self.id = event_id
        self._camera = camera
        self._label = label
        self._started = started
        self._loiter = loiter
        self._members: dict[int, _Member] = {}
        self._departed: tuple[Track, ...] = ()
        self._parked = False
        self._peak = 1
        self._zones: list[str] = []
        self._loitering = False
        self._revision = 0
        self._reported_time = 0.0
        self._reported_state: object = None
        self._reasons: set[Observed] = set()

    @property
    def empty(self) -> bool:
        """Whether the last member is gone."""
        return not self._members

    @property
    def members(self) -> frozenset[int]:
        """The ids of the tracks that are in it now."""
        return frozenset(self._members)

    @property
    def seen(self) -> float:
        """When one of its members was seen last."""
        return max((member.track.last_seen for member in self._members.values()), default=self._started)

    def has(self, track: Track) -> bool:
        """Whether this track is a member."""
        return track.id in self._members

    def step(
        self, present: Mapping[int, Track], *, moved: Container[int] = (), parked: Container[int] = ()
    ) -> list[Change]:
        """Take in the members of one frame, by track id; says what changed.

        Who is new has appeared, or is moving where in `moved`; who is no longer present has left, unless in `parked`.
        """
        departed = [self._members.pop(key).track for key in list(self._members) if key not in present]
        if departed:
            self._departed = tuple(departed)
        self._parked = any(track.id in parked for track in departed)
        joined = [track for key, track in present.items() if key not in self._members]
        changes = [
            *self._watch(present),
            *_changes(Observed.APPEARED, [track for track in joined if track.id not in moved]),
            *_changes(Observed.MOVING, [track for track in joined if track.id in moved]),
            *_changes(Observed.LEFT, [track for track in departed if track.id not in parked]),
        ]
        for track in joined:
            self._members[track.id] = _Member(track, dict.fromkeys(track.zones, track.first_seen))
        changes += self._loiterers()
        self._peak = max(self._peak, sum(not m.track.missed for m in self._members.values()))
        self._zones += [z for m in self._members.values() for z in m.track.zones if z not in self._zones]
        self._reasons |= {Observed.RECOUNT if c.kind in {Observed.APPEARED, Observed.LEFT} else c.kind for c in changes}
        return changes

    def start(self, time: float, reason: Observed) -> Event:
        """The first revision."""
        self._note_reported(time)
        return self._event(Phase.STARTED, time, reason)

    def update(self, time: float, every_s: float) -> Event | None:
        """The next revision, where there is news and it is time for it."""
        if self._state() == self._reported_state:
            self._reasons.clear()
            return None
        if time - self._reported_time < every_s:
            return None
        reason = next((kind for kind in WEIGHT if kind in self._reasons), Observed.RECOUNT)
        self._note_reported(time)
        return self._event(Phase.UPDATED, time, reason)

    def end(self, time: float) -> Event:
        """The last revision, of whoever was there last.

        `ended` is when they were last seen and the reason `left`; where the last one has parked, it is `time` and
        `still`.
        """
        last = tuple(m.track for m in self._members.values()) or self._departed
        seen = max((track.last_seen for track in last), default=time)
        ended = time if self._parked else min(time, max(seen, self._started))
        self._note_reported(time)
        return self._event(Phase.ENDED, time, Observed.STILL if self._parked else Observed.LEFT, last, ended)

    def _watch(self, present: Mapping[int, Track]) -> list[Change]:
        changes: list[Change] = []
        stopped, moving = [], []
        entered: dict[str, list[Track]] = {}
        left: dict[str, list[Track]] = {}
        for key, member in self._members.items():
            before, now = member.track, present[key]
            for zone in now.zones:
                if zone not in before.zones:
                    entered.setdefault(zone, []).append(now)
                    member.entered[zone] = now.last_seen
            for zone in before.zones:
                if zone not in now.zones:
                    left.setdefault(zone, []).append(now)
            if before.still_since is None and now.still_since is not None:
                stopped.append(now)
            elif before.still_since is not None and now.still_since is None:
                moving.append(now)
            member.track = now
        changes += _changes(Observed.STILL, stopped) + _changes(Observed.MOVING, moving)
        for kind, zones in ((Observed.LEFT_ZONE, left), (Observed.ENTERED_ZONE, entered)):
            for zone, tracks in zones.items():
                changes += _changes(kind, tracks, (zone,))
        return changes

    def _loiterers(self) -> list[Change]:
        if self._label is Label.PACKAGE:
            return []
        found = [m for m in self._members.values() if not m.loitering and self._loiters(m)]
        for member in found:
            member.loitering = self._loitering = True
        return _changes(Observed.LOITERING, [m.track for m in found])

    def _loiters(self, member: _Member) -> bool:
        track = member.track
        limited = [z for z in track.zones if z in self._loiter.zones_s]
        stays = [(track.last_seen - member.entered.get(z, track.first_seen), self._loiter.zones_s[z]) for z in limited]
        return any(stay >= limit > 0 for stay, limit in stays or [(track.dwell_s, self._loiter.camera_s)])

    def _state(self) -> object:
        tracks = [m.track for m in self._members.values()]
        occupied = frozenset(zone for track in tracks for zone in track.zones)
        still = sum(track.still_since is not None for track in tracks)
        return len(tracks), occupied, len(self._zones), self._loitering, still, self._peak

    def _note_reported(self, time: float) -> None:
        self._revision += 1
        self._reported_time = time
        self._reported_state = self._state()
        self._reasons.clear()

    def _event(
        self,
        phase: Phase,
        time: float,
        reason: Observed,
        tracks: Iterable[Track] | None = None,
        ended: float | None = None,
    ) -> Event:
        shown = [m.track for m in self._members.values()] if tracks is None else tracks
        return Event(
            id=self.id,
            camera=self._camera,
            phase=phase,
            revision=self._revision,
            time=time,
            started=self._started,
            label=self._label,
            reason=reason,
            objects=tuple(sighting(track) for track in shown),
            peak=self._peak,
            zones=tuple(self._zones),
            loitering=self._loitering,
            ended=ended,
        )


def sighting(track: Track) -> Sighting:
    """A track as it is reported."""
    return Sighting(
        track=track.id,
        label=track.label,
        sub_label=track.sub_label,
        score=track.score,
        box=track.box,
        since=track.first_seen,
        dwell_s=track.dwell_s,
        still=track.still_since is not None,
        zones=track.zones,
    )


def _changes(kind: Observed, tracks: list[Track], zones: tuple[str, ...] | None = None) -> list[Change]:
    """One change of all these tracks; none for none. Without `zones`, those the tracks are in."""
    if not tracks:
        return []
    where = tuple(dict.fromkeys(z for track in tracks for z in track.zones)) if zones is None else zones
    return [Change(kind, tuple(sighting(track) for track in tracks), where)]
