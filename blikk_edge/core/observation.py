"""What is told, without pixels: Observation, Event, Ring, and the texts about them: records that must never be lost."""

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, TypeAlias

from blikk_edge.core.geometry import Box
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
    """Where an Event stands in its life."""

    STARTED = "started"
    UPDATED = "updated"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One tracked object as it is told. `since` is its first sight, seconds since 1970 UTC."""

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
class Observation:
    """What changed in front of one camera.

    `time` is the capture time of the (first) frame, `until` that of the last one folded in, both seconds since 1970
    UTC; `folded` counts the similar observations that this one stands for; `score` is the motion score 0..1.
    `measures` are those that it is about, where `kind` is MEASURE or one of an alert (core.measures).
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One happening with a life: a visit, a delivery. The same `id` in every revision.

    `revision` counts from 1; `time` is the capture time behind this revision; `peak` the most objects seen at once;
    `reason` what changed; `zones` all zones touched so far; `picture` the name of the Picture that goes with it;
    `interrupted` says that the node ended while it went on: it `ended` when it was last seen, as far as is known.
    `mark` is what the household said of it; only the history knows it.
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
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ring:
    """Somebody pressed the doorbell. `via` is mqtt, http or gpio.

    `mark` is what the household said of it, where no visit was seen that would have it; only the history knows it.
    """

    id: str
    camera: str
    time: float
    via: str
    mark: str = ""


class Shown(StrEnum):
    """Where the newest of its kind is shown until a newer one comes."""

    SUMMARY = "summary"
    DIGEST = "digest"
    ANSWER = "answer"
    PICTURE = "picture"


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """What one place shows was forgotten: it is to show nothing until something new comes.

    `camera` is None for the digest of the node; `name` is that of the Picture or the Question.
    """

    camera: str | None
    what: Shown
    name: str = ""


Record: TypeAlias = Observation | Event | Ring | Summary | Answer | Withdrawn
