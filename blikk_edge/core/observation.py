"""What is reported, without pixels: Observation, Event, Ring and texts about them; records that must never be lost."""

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, TypeAlias

from blikk_edge.core.appearance import Appearance
from blikk_edge.core.geometry import Box
from blikk_edge.core.parcels import ParcelChange
from blikk_edge.core.sightings import Label, Measure
from blikk_edge.core.summary import Answer, Summary


class Observed(StrEnum):
    """What changed."""

    MOTION = "motion"
    SCENE = "scene"  # another view altogether
    APPEARED = "appeared"
    LEFT = "left"
    ENTERED_ZONE = "entered_zone"
    LEFT_ZONE = "left_zone"
    LOITERING = "loitering"
    STILL = "still"
    MOVING = "moving"  # moves again after standing still
    RECOUNT = "recount"  # the number of objects of an event changed while it went on
    MEASURE = "measure"  # what is measured has new values
    ALERT = "alert"  # something is wrong with a measure
    ALERT_ENDED = "alert_ended"


MEASURED: Final = frozenset({Observed.MEASURE, Observed.ALERT, Observed.ALERT_ENDED})
"""What is about measures: after it everybody and everything is where it was."""


class Phase(StrEnum):
    """Where an Event stands between start and end."""

    STARTED = "started"
    UPDATED = "updated"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One tracked object as it is reported.

    Attributes:
        track: The number of its Track; numbers start anew with each start of a camera.
        label: What it is to the user.
        sub_label: The detector's own class.
        score: The detector's confidence, 0..1.
        box: Where it is.
        since: When it was first seen, seconds since 1970 UTC.
        dwell_s: Seconds from when it was first seen to when it was last seen.
        still: Whether it stands still.
        zones: The names of the zones it is in.
    """

    track: int
    label: Label
    sub_label: str
    score: float
    box: Box
    since: float
    dwell_s: float
    still: bool = False
    zones: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """Who was at a parcel when it was left or taken. Not that they did it.

    Attributes:
        label: What they are.
        score: How near they were in place and time, 0..1: 1 where they covered it just then.
        event: The id of the Event that they belong to, where one was reported.
    """

    label: Label
    score: float
    event: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What changed in front of one camera.

    Attributes:
        id: Unique.
        camera: The camera's id.
        kind: What changed.
        time: Capture time of the (first) frame, seconds since 1970 UTC.
        until: Capture time of the last frame folded in, seconds since 1970 UTC.
        score: The motion score, 0..1.
        objects: Whom or what it is about.
        zones: The names of the zones it is about.
        event: The id of the Event it belongs to, if any.
        folded: How many similar observations this one stands for.
        embedding: The vector of the frame, where a step makes one.
        measures: Those it is about, where `kind` is MEASURE or one of an alert (`core.measures`).
        appearances: What its objects, or the whole picture, looked like, where that is searched for; of several
            observations folded into one those of all.
        change: What happened to its objects, where they are parcels that were left behind or taken.
        fence: The fence of the lease under which it was made, where nodes share cameras; else None.
    """

    id: str
    camera: str
    kind: Observed
    time: float
    until: float
    score: float
    objects: tuple[Sighting, ...] = ()
    zones: tuple[str, ...] = ()
    event: str | None = None
    folded: int = 1
    embedding: tuple[float, ...] | None = None
    measures: tuple[Measure, ...] = ()
    appearances: tuple[Appearance, ...] = ()
    change: ParcelChange | None = None
    fence: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One happening from start to end: a visit, a delivery. The same `id` in every revision.

    Attributes:
        id: The same in every revision.
        camera: The camera's id.
        phase: Whether it started, was updated or ended.
        revision: Counts from 1.
        time: The capture time behind this revision, seconds since 1970 UTC.
        started: When it started, seconds since 1970 UTC.
        label: What it is about.
        reason: What changed since the revision before.
        objects: Its members, as of now.
        peak: The most objects seen at once.
        zones: All zones touched so far.
        loitering: Whether somebody stayed long.
        ended: When it ended, seconds since 1970 UTC; None while it goes on.
        picture: The name of the Picture that goes with it.
        interrupted: The node ended while it went on: it `ended` when it was last seen, as far as is known.
        mark: What the household said of it; only the history knows it.
        change: What was found to have happened to a parcel since the revision before: left behind or taken.
        near: Who was near then, where somebody was seen.
        fence: The fence of the lease under which it was made, where nodes share cameras; else None.
    """

    id: str
    camera: str
    phase: Phase
    revision: int
    time: float
    started: float
    label: Label
    reason: Observed
    objects: tuple[Sighting, ...] = ()
    peak: int = 1
    zones: tuple[str, ...] = ()
    loitering: bool = False
    ended: float | None = None
    picture: str | None = None
    interrupted: bool = False
    mark: str = ""
    change: ParcelChange | None = None
    near: Near | None = None
    fence: int | None = None

    @property
    def duration_s(self) -> float:
        """Seconds from start to this revision, or to the end."""
        return (self.ended if self.ended is not None else self.time) - self.started

    def cut_off(self, seen: float | None = None) -> "Event":
        """The last revision of one that went on when the node ended; `seen` is when it was seen last, where known."""
        sights = [sighting.since + sighting.dwell_s for sighting in self.objects] or [self.time]
        ended = max(self.started, *sights, -math.inf if seen is None or not math.isfinite(seen) else seen)
        return replace(
            self,
            phase=Phase.ENDED,
            revision=self.revision + 1,
            time=max(self.time, ended),
            reason=Observed.LEFT,
            ended=ended,
            interrupted=True,
            change=None,
            near=None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ring:
    """Somebody pressed the doorbell.

    Attributes:
        id: Unique.
        camera: The camera's id.
        time: When, seconds since 1970 UTC.
        via: `mqtt`, `http`, `gpio` or `onvif`.
        mark: What the household said of it, where no visit was seen that would have it; only the history knows it.
        fence: The fence of the lease under which it was made, where nodes share cameras; else None.
    """

    id: str
    camera: str
    time: float
    via: str
    mark: str = ""
    fence: int | None = None


class Shown(StrEnum):
    """Where the newest of its kind is shown until a newer one comes."""

    SUMMARY = "summary"
    DIGEST = "digest"
    ANSWER = "answer"
    PICTURE = "picture"


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """What one place shows was forgotten: it is to show nothing until something new comes.

    Attributes:
        camera: The camera's id; None for the digest of the node.
        what: The kind of place.
        name: The name of the Picture, or the id of the Question.
        fence: The fence of the lease under which it was made, where nodes share cameras; else None.
    """

    camera: str | None
    what: Shown
    name: str = ""
    fence: int | None = None


Record: TypeAlias = Observation | Event | Ring | Summary | Answer | Withdrawn
