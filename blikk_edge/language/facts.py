"""What is known of an event or a period, as plain values: prompts, templates and grounding draw on nothing else."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, TypeAlias

from blikk_edge.core.locale import Locale
from blikk_edge.core.observation import Event, Observation, Observed, Phase, Ring, Sighting
from blikk_edge.core.parcels import ParcelChange
from blikk_edge.core.sightings import Label

MAX_STAYS = 24
"""Objects that are remembered one by one; the first ones and the newest are kept, those between only counted."""

MAX_TIMES = 40

_LAST_S: Final = 250_000_000_000.0

_LOCALE: Final = Locale()

_Who: TypeAlias = tuple[str, int, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """One object that was there.

    Attributes:
        track: The number of its Track.
        label: What it is to the user.
        sub_label: The detector's own class (`car`, `dog`).
        since: When it was first seen, seconds since 1970 UTC.
        until: When it was last seen, seconds since 1970 UTC.
        zones: All that it was seen in.
        still: Whether it stood still when last seen.
    """

    track: int
    label: Label
    sub_label: str
    since: float
    until: float
    zones: tuple[str, ...] = ()
    still: bool = False

    @property
    def dwell_s(self) -> float:
        """Seconds from when it was first seen to when it was last seen."""
        return max(0.0, self.until - self.since)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What may be said; whatever is not here was not observed. Times are seconds since 1970 UTC.

    Attributes:
        camera: The camera's id; None where it is about the whole node.
        name: What the user calls the camera, or the node.
        since: Where the time that it is about begins.
        until: Where the time that it is about ends.
        ended: False while it goes on.
        peak: The most seen at once, by label.
        seen: The different tracks of all visits, by label: at least the peak; one person may have been lost and found
            again, so the truth lies between.
        visits: How many Events, by label.
        cameras: The names of all cameras that were asked; untrusted text.
        zones: The names of all zones that were touched; untrusted text.
        stays: Who was there.
        about: The label of the event; None for a period.
        loitering: Whether somebody stayed long.
        parked: Whether a vehicle parked.
        drove_off: Whether a parked vehicle drove off.
        put_down: How many visits of parcels began with one that was put down.
        taken: How many ended with one that was taken.
        rings: When the doorbell was pressed.
        moments: The times that may be named beside since, until and those of the stays and rings.
        locale: How it is written.
    """

    camera: str | None
    name: str
    since: float
    until: float
    ended: bool
    peak: Mapping[Label, int]
    seen: Mapping[Label, int]
    visits: Mapping[Label, int]
    cameras: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    stays: tuple[Stay, ...] = ()
    about: Label | None = None
    loitering: bool = False
    parked: bool = False
    drove_off: bool = False
    put_down: int = 0
    taken: int = 0
    rings: tuple[float, ...] = ()
    moments: tuple[float, ...] = ()
    locale: Locale = _LOCALE

    @property
    def labels(self) -> tuple[Label, ...]:
        """Everything that was seen, in the order of Label."""
        return tuple(label for label in Label if self.peak.get(label, 0) > 0)

    @property
    def duration_s(self) -> float:
        """Seconds from `since` to `until`."""
        return max(0.0, self.until - self.since)

    @property
    def times(self) -> tuple[float, ...]:
        """Every time that may be named, sorted."""
        of_stays = (time for stay in self.stays for time in (stay.since, stay.until))
        return tuple(sorted({self.since, self.until, *of_stays, *self.rings, *self.moments}))

    @property
    def durations_s(self) -> tuple[float, ...]:
        """Every length of time that may be named: of the whole, and of each stay."""
        return (self.duration_s, *(stay.dwell_s for stay in self.stays))

    def local(self, time: float) -> datetime:
        """A time as the clock on the wall shows it; the nearest that a calendar knows."""
        return datetime.fromtimestamp(min(max(0.0, time), _LAST_S), UTC).astimezone(self.locale.timezone)


def stays_of(events: Iterable[Event], observations: Iterable[Observation] = ()) -> tuple[Stay, ...]:
    """Who was there according to these, each object once, by when it was first seen; at most MAX_STAYS."""
    found: dict[_Who, Stay] = {}
    records: list[Event | Observation] = [*observations, *events]
    for record in records:
        for sighting in record.objects:
            who, stay = _who(record, sighting), _stay(sighting)
            found[who] = stay if (known := found.get(who)) is None else _longer(known, stay)
    stays = sorted(found.values(), key=lambda stay: (stay.since, stay.track))
    half = MAX_STAYS // 2
    return tuple(stays if len(stays) <= MAX_STAYS else (*stays[:half], *stays[-half:]))


def event_facts(
    event: Event,
    *,
    name: str,
    observations: Sequence[Observation] = (),
    others: Sequence[Event] = (),
    rings: Sequence[Ring] = (),
    now: float | None = None,
    locale: Locale = _LOCALE,
) -> Facts:
    """Of one event, from its newest revision, the observations that belong to it, and what else was there meanwhile.

    While it goes on it reaches until `now`, or until it was last reported.
    """
    every = (event, *others)
    latest = max([event.time, *(seen.until for seen in observations)])
    until = event.ended if event.ended is not None else max(latest, latest if now is None else now)
    return _facts(
        every,
        camera=event.camera,
        name=name,
        cameras=(name,),
        about=event.label,
        since=event.started,
        until=max(event.started, until),
        ended=event.phase is Phase.ENDED,
        observations=observations,
        rings=rings,
        locale=locale,
    )


def period_facts(
    events: Sequence[Event],
    *,
    camera: str | None,
    name: str,
    since: float,
    until: float,
    cameras: Sequence[str] = (),
    rings: Sequence[Ring] = (),
    locale: Locale = _LOCALE,
) -> Facts:
    """Of a period, from the newest revision of each event in it; `cameras` are the names of those asked."""
    return _facts(
        events,
        camera=camera,
        name=name,
        cameras=tuple(cameras) or (name,),
        about=None,
        since=since,
        until=until,
        ended=True,
        observations=(),
        rings=rings,
        locale=locale,
    )


def present_facts(
    events: Sequence[Event],
    counts: Mapping[Label, int],
    *,
    camera: str,
    name: str,
    now: float,
    locale: Locale = _LOCALE,
) -> Facts:
    """Of this moment at one camera: the events that go on, and how many are there of each label, parked ones too."""
    facts = period_facts(events, camera=camera, name=name, since=now, until=now, locale=locale)
    peak = {label: max(counts.get(label, 0), facts.peak.get(label, 0)) for label in Label}
    there = {label: count for label, count in peak.items() if count > 0}
    return replace(facts, ended=False, peak=there, seen={**there, **facts.seen})


def _facts(
    events: Sequence[Event],
    *,
    camera: str | None,
    name: str,
    cameras: tuple[str, ...],
    about: Label | None,
    since: float,
    until: float,
    ended: bool,
    observations: Sequence[Observation],
    rings: Sequence[Ring],
    locale: Locale,
) -> Facts:
    records: list[Event | Observation] = [*events, *observations]
    tracks = {_who(record, one): one.label for record in records for one in record.objects}
    labels = [label for label in Label if any(event.label is label for event in events)]
    peaks = {label: [event.peak for event in events if event.label is label] for label in labels}
    times = {time for event in events for time in (event.started, event.ended) if time is not None}
    times |= {time for seen in observations for time in (seen.time, seen.until)}
    zones = dict.fromkeys(zone for record in records for zone in record.zones)
    return Facts(
        camera=camera,
        name=name,
        cameras=cameras,
        about=about,
        since=since,
        until=until,
        ended=ended,
        peak={label: max(peaks[label]) for label in labels},
        seen={label: max(sum(peaks[label]), sum(one is label for one in tracks.values())) for label in labels},
        visits={label: len(peaks[label]) for label in labels},
        zones=tuple(zones),
        stays=stays_of(events, observations),
        loitering=any(event.loitering for event in events),
        parked=any(parked(event) for event in events),
        drove_off=_drove_off(events, observations),
        put_down=sum(event.label is Label.PACKAGE and not only_taken(event) for event in events),
        taken=sum(taken(event) for event in events),
        rings=tuple(ring.time for ring in rings),
        moments=tuple(sorted(times)[-MAX_TIMES:]),
        locale=locale,
    )


def parked(event: Event) -> bool:
    """Whether this event ended with a vehicle that stayed."""
    return event.label is Label.VEHICLE and event.phase is Phase.ENDED and event.reason is Observed.STILL


def taken(event: Event) -> bool:
    """Whether this event ended with a parcel that was taken."""
    return event.phase is Phase.ENDED and event.change is ParcelChange.TAKEN


def only_taken(event: Event) -> bool:
    """Whether all that this event says is that a parcel was taken: when it was put down is not known."""
    return taken(event) and event.ended == event.started


def _who(record: Event | Observation, sighting: Sighting) -> _Who:
    """An object, apart from others: the numbers of tracks start anew with each start of a camera."""
    return record.camera, sighting.track, sighting.since


def _drove_off(events: Sequence[Event], observations: Sequence[Observation]) -> bool:
    """Whether a vehicle moved before it was ever reported as come: it had been parked."""
    firsts: dict[_Who, Observed] = {}
    for seen in observations:
        for one in seen.objects:
            if one.label is Label.VEHICLE:
                firsts.setdefault(_who(seen, one), seen.kind)
    started = any(e.label is Label.VEHICLE and e.phase is Phase.STARTED and e.reason is Observed.MOVING for e in events)
    return started or Observed.MOVING in firsts.values()


def _stay(sighting: Sighting) -> Stay:
    return Stay(
        track=sighting.track,
        label=sighting.label,
        sub_label=sighting.sub_label,
        since=sighting.since,
        until=sighting.since + max(0.0, sighting.dwell_s),
        zones=sighting.zones,
        still=sighting.still,
    )


def _longer(known: Stay, stay: Stay) -> Stay:
    last = stay if stay.until >= known.until else known
    return replace(
        last,
        since=min(known.since, stay.since),
        until=max(known.until, stay.until),
        zones=tuple(dict.fromkeys((*known.zones, *stay.zones))),
    )
