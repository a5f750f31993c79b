"""What is measured on the way from frame to sink, without pixels: for metrics, the debugger and traces."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol, TypeAlias

from blikk_edge.core.live import LIVE
from blikk_edge.core.observation import Event, Record
from blikk_edge.core.sightings import Reason, View, moves
from blikk_edge.core.status import CameraState, LlmState

Span: TypeAlias = tuple[float, float]
"""When something began and ended, in seconds of the stopwatch (`time.perf_counter` in a running node)."""

RUN_GAP_S: Final = 1.0
"""Motion after a longer calm is another run (`transforms.motion.select`)."""


class Stage(StrEnum):
    """What takes time on the way from frame to sink. An added step is a stage too: `step.` and its name."""

    DECODE = "decode"  # all pictures of the stream since the frame before, scaling not included
    GATE = "gate"
    SELECT = "select"
    WAIT = "wait"  # in the lane, until a vision worker takes it
    DETECT = "detect"  # with the conversion to colour
    TRACK = "track"
    PARCELS = "parcels"
    ZONES = "zones"
    REPORT = "report"
    REDACT = "redact"
    JOURNAL = "journal"  # writing a record to disk
    PUBLISH = "publish"  # until the sink has taken a batch of records


class Why(StrEnum):
    """Why the detector was to look at a frame, or why not."""

    FIRST = "first"
    SCENE = "scene"  # another view, or the light has just changed
    MOTION = "motion"
    SMALL = "small"  # motion below the threshold, of somebody small or far away
    FOLLOW = "follow"  # a known object moves or was missed
    SAMPLE = "sample"
    HINT = "hint"  # somebody else saw something, as the camera itself
    PICTURE = "picture"  # somebody asked for a Picture
    LIVE = "live"  # somebody looks at the live view

    QUIET = "quiet"  # nothing moves; the light changed, or the background is being learnt: its view says so
    BELOW = "below"  # less moves than the threshold
    NOT_DUE = "not_due"  # it moves where it just did, or where a track is expected, or motion is no reason here
    OFF = "off"  # detection is switched off

    @property
    def looks(self) -> bool:
        """Whether it is a reason to look."""
        return self not in (Why.QUIET, Why.BELOW, Why.NOT_DUE, Why.OFF)


class Outcome(StrEnum):
    """What became of a frame."""

    SPARED = "spared"  # there was nothing to do with it
    WAITING = "waiting"  # for a vision worker, or it is being looked at
    LOOKED = "looked"  # the detector has looked at it
    PASSED = "passed"  # it went through the pipeline without a look: time goes on
    NEWER = "newer"  # dropped for a newer one
    DROPPED_QUIET = "quiet"  # dropped for one that shows more
    FULL = "full"  # dropped because too many wait
    THROTTLED = "throttled"  # dropped because nobody came for the one before
    PAUSED = "paused"  # the pipeline rests after a failure
    FAILED = "failed"  # the pipeline, or the model, failed with it

    @property
    def dropped(self) -> bool:
        """Whether it was dropped on its way to a vision worker."""
        return self in (Outcome.NEWER, Outcome.DROPPED_QUIET, Outcome.FULL, Outcome.THROTTLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameNote:
    """What is known of one frame.

    Attributes:
        seq: Its number, as its source counts.
        time: Capture time, seconds since 1970 UTC.
        timeline: Another number begins when the wall clock is set.
        view: What the motion gate made of it.
        score: The motion score, 0..1.
        threshold: The one that held then, 0..1.
        why: Why the detector was to look at it, or why not.
        outcome: What became of it, as far as is known.
    """

    seq: int
    time: float
    timeline: int = 0
    view: View
    score: float
    threshold: float
    why: Why
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long something took, since start and lately.

    Attributes:
        count: How often it was measured since start.
        total_s: How long in all.
        buckets: How often it took at most so many seconds; the last bound is infinity and has all of them.
        p50_s: The median of the last few hundred; None before the first.
        p95_s: So long took at most 95 of 100 of those.
        last_s: How long the last one took.
    """

    count: int
    total_s: float
    buckets: tuple[tuple[float, int], ...]
    p50_s: float | None
    p95_s: float | None
    last_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneNote:
    """The way of one camera's scenes to the vision workers, now.

    Attributes:
        camera: The camera's id.
        waiting: How many scenes wait.
        busy: Whether a worker looks at one.
        dropped: How many were dropped since start, by reason.
    """

    camera: str
    waiting: int
    busy: bool
    dropped: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxNote:
    """What waits for one sink, enricher or the delivery, now.

    Attributes:
        consumer: Its name; `delivery` brings records to the journal.
        waiting: How many items wait.
        lost: How many records found no room since start.
    """

    consumer: str
    waiting: int
    lost: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkNote:
    """How one sink is doing now.

    Attributes:
        name: Its name.
        backlog: How many records wait for it in the journal; None where it gets only what flows now.
        problem: What is wrong, in a sentence; None while nothing is.
    """

    name: str
    backlog: int | None
    problem: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeNote:
    """Everything about a node that can be asked for now and need not be measured on the way.

    Attributes:
        cameras: Their states.
        lanes: Scenes on their way to the vision workers.
        mailboxes: Items on their way to sinks and enrichers.
        sinks: The sinks.
        lost: How many records some sink will never have, since start.
        unsaved: How many records are in memory only.
        llm: The language model; None without one.
        temperature_c: Of the machine, degrees Celsius; None where it has no sensor.
        problems: What is wrong, a sentence each.
    """

    cameras: tuple[CameraState, ...]
    lanes: tuple[LaneNote, ...]
    mailboxes: tuple[MailboxNote, ...]
    sinks: tuple[SinkNote, ...]
    lost: int
    unsaved: int
    llm: LlmState | None
    temperature_c: float | None
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Frames that count as moving, with no longer calm than `RUN_GAP_S` between them. What begins one is looked at.

    Attributes:
        began: Capture time of its first frame, seconds since 1970 UTC.
        ended: That of its last one.
        frames: How many of its frames count as moving.
        peak: The highest motion score among them, 0..1.
    """

    began: float
    ended: float
    frames: int
    peak: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraFigures:
    """What was measured of one camera's frames since start.

    Attributes:
        camera: The camera's id.
        frames: How many frames there were.
        outcomes: How many frames had each outcome; those that still wait are left out.
        reasons: How many frames the detector was to look at, or not, by the reason.
        stages: How long each stage takes, in the order of the way; added steps stand between zones and report.
        failures: How often a stage failed.
    """

    camera: str
    frames: int
    outcomes: Mapping[Outcome, int]
    reasons: Mapping[Why, int]
    stages: Mapping[str, Timing]
    failures: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFigures:
    """What was measured in a node since start.

    Attributes:
        cameras: Of each camera's frames.
        journal: How long a record takes until it is on disk.
        publish: By sink: how long a batch of records takes until it was taken.
        to_sinks: By camera and sink: from the capture of the first frame that shows what a new Event is about until
            the sink was given the Event.
        to_acknowledgements: The same until a durable sink had it: over MQTT until the broker has acknowledged it.
    """

    cameras: tuple[CameraFigures, ...]
    journal: Timing
    publish: Mapping[str, Timing]
    to_sinks: Mapping[tuple[str, str], Timing]
    to_acknowledgements: Mapping[tuple[str, str], Timing]


class Readings(Protocol):
    """What can be read of a probe, in any thread. Raises KeyError where there is no such camera."""

    def figures(self) -> NodeFigures:
        """What was measured since start."""
        ...

    def frames(self, camera: str, *, since: float | None = None) -> Sequence[FrameNote]:
        """The frames of the last ten minutes, oldest first; those captured at `since` or later, where it is given.

        After the wall clock was set, `since` leaves out what was captured before that.
        """
        ...

    def would_move(self, camera: str, threshold: float) -> Sequence[Run]:
        """The runs of motion that the frames of the last ten minutes would have made with this threshold."""
        ...


class CameraProbe(Protocol):
    """Sees what happens to the frames of one camera. Costs little, never waits, raises nothing.

    `glanced`, `dropped` and `decoded` are called in the camera's reader thread, all else in that of a vision worker.
    """

    def decoded(self, spent_s: float) -> None:
        """The pictures of the stream since the frame before took so long to decode; called before `glanced`."""
        ...

    def glanced(self, note: FrameNote, gate: Span, select: Span) -> None:
        """The cheap half of the pipeline is done with a frame; its `outcome` is SPARED or WAITING."""
        ...

    def dropped(self, seq: int, outcome: Outcome) -> None:
        """A frame that was passed on is dropped."""
        ...

    def taken(self, seq: int, at: float) -> None:
        """A vision worker begins to look at a frame (seconds of the stopwatch); what follows is about it."""
        ...

    def spent(self, stage: str, span: Span) -> None:
        """A `Stage`, or an added step, is done with the frame."""
        ...

    def failed(self, stage: str) -> None:
        """A stage could not do its work with the frame: REDACT where faces could not be looked for, DETECT where the
        model failed.
        """
        ...

    def reported(self, event: Event) -> None:
        """The frame has brought this revision of an Event."""
        ...

    def done(self, seq: int, outcome: Outcome) -> None:
        """The pipeline is done with a frame."""
        ...


class Probe(Protocol):
    """Sees what happens on the way from frame to sink; a node without one pays nothing.

    `camera` may be called in any thread, all else in the event loop.
    """

    def camera(self, camera: str) -> CameraProbe:
        """Who is notified of this camera's frames."""
        ...

    def journaled(self, record: Record, span: Span) -> None:
        """A record was written to the journal."""
        ...

    def handed(self, sink: str, record: Record) -> None:
        """A sink has been given a record that has not been through an outage."""
        ...

    def acknowledged(self, sink: str, records: Sequence[Record], span: Span) -> None:
        """A durable sink has taken a batch of records, of which these have not been through an outage."""
        ...


def begins_run(time: float, moved: float | None, gap_s: float = RUN_GAP_S) -> bool:
    """Whether motion at this time is a new run, after motion at `moved` (None: never)."""
    return moved is None or time - moved > gap_s


def runs(notes: Iterable[FrameNote], threshold: float, gap_s: float = RUN_GAP_S) -> tuple[Run, ...]:
    """The runs that these frames, in capture order, would have made with this threshold."""
    found: list[Run] = []
    moved: float | None = None
    timeline: int | None = None
    for note in notes:
        if note.timeline != timeline:
            timeline, moved = note.timeline, None
        if not moves(note.view, note.score, threshold):
            continue
        if begins_run(note.time, moved, gap_s):
            found.append(Run(began=note.time, ended=note.time, frames=1, peak=note.score))
        else:
            last = found[-1]
            found[-1] = Run(began=last.began, ended=note.time, frames=last.frames + 1, peak=max(last.peak, note.score))
        moved = note.time
    return tuple(found)


def why(
    reason: Reason | None, *, view: View, score: float, threshold: float, selecting: bool, wanted: Iterable[str]
) -> Why:
    """Why the detector is to look at a frame, or why not, after what the Selector said (`selecting`: it was asked).

    `wanted` are the names of the Pictures that were asked for, that of the live view last.
    """
    if reason is not None:
        return Why(reason.value)
    for name in wanted:
        return Why.LIVE if name == LIVE else Why.PICTURE
    if not selecting:
        return Why.OFF
    if view is not View.MOVING:
        return Why.QUIET
    return Why.NOT_DUE if moves(view, score, threshold) else Why.BELOW


def first_seen(record: Record) -> float | None:
    """Capture time of the first frame that shows what a new Event is about, seconds since 1970 UTC; else None."""
    if not isinstance(record, Event) or record.revision != 1:
        return None
    return record.started
