"""What a node says of itself: who it is, how each camera and the machine are doing."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from blikk_edge.core.concepts import Concept
from blikk_edge.core.sightings import Label, Measure, MeasureInfo
from blikk_edge.core.summary import Question


class SummaryMode(StrEnum):
    """What a summary is made of."""

    OFF = "off"
    TEMPLATE = "template"  # no model is asked
    TEXT = "text"  # a model is given lines of observations
    VISION = "vision"  # and redacted Pictures


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraInfo:
    """One camera as the outside knows it; no source, no secret.

    Attributes:
        id: The camera's id.
        name: What the user calls it.
        labels: What is reported.
        zones: The names of its zones.
        ring: Whether it has a doorbell.
        questions: Those that are watched at it.
        measures: Those that its added steps declare.
        concepts: Those that it watches for.
    """

    id: str
    name: str
    labels: tuple[Label, ...]
    zones: tuple[str, ...] = ()
    ring: bool = False
    questions: tuple[Question, ...] = ()
    measures: tuple[MeasureInfo, ...] = ()
    concepts: tuple[Concept, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeInfo:
    """The node as the outside knows it.

    Attributes:
        id: The node's id.
        name: What the user calls it.
        version: That of this program.
        cameras: Its cameras.
        summaries: The ways of writing them that may be switched to.
        searched: Whether what was seen can be searched for.
        media_url: Where redacted Pictures of past events can be had over HTTP, if anywhere.
        http_url: Where its pages, API and live view are, if anywhere.
        language: The tag of the language in which its entities are named, where nobody else names them.
    """

    id: str
    name: str
    version: str
    cameras: tuple[CameraInfo, ...]
    summaries: tuple[SummaryMode, ...] = ()
    searched: bool = False
    media_url: str | None = None
    http_url: str | None = None
    language: str = "en"


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraState:
    """How a camera is doing now, and the values of its switches and numbers.

    Attributes:
        camera: The camera's id.
        online: Whether its stream is there.
        motion: Whether something moves.
        score: The motion score, 0..1.
        counts: How many are present now, by label.
        zones: How many are present now, by zone.
        zone_counts: How many are present now, by zone and label.
        fps: Frames per second that arrive.
        inference_ms: What one look of the detector takes; None before the first.
        last_frame_age_s: Seconds since the last frame; None before the first.
        frames: How many came since start.
        inferences: How often the detector looked since start.
        restarts: How often its reader or its pipeline was started anew since start.
        dropped: Frames that were not looked at since start, by reason.
        skipped: Frames that an added step was not given because it took too long, by step; `search`: looks at what
            appeared for which there was no time.
        measures: The newest values.
        concepts: Whether each is there now, by id.
        detect: Whether the detector looks (a switch).
        threshold: How much must change to be reported, 0..1 (a number).
        summary: How summaries are made (a select).
        problem: What is wrong, in a sentence; None while nothing is.
        address: Host and port where it was found, where that is elsewhere than was configured; else None.
    """

    camera: str
    online: bool
    motion: bool = False
    score: float = 0.0
    counts: tuple[tuple[Label, int], ...] = ()
    zones: tuple[tuple[str, int], ...] = ()
    zone_counts: tuple[tuple[str, Label, int], ...] = ()
    fps: float = 0.0
    inference_ms: float | None = None
    last_frame_age_s: float | None = None
    frames: int = 0
    inferences: int = 0
    restarts: int = 0
    dropped: tuple[tuple[str, int], ...] = ()
    skipped: tuple[tuple[str, int], ...] = ()
    measures: tuple[Measure, ...] = ()
    concepts: tuple[tuple[str, bool], ...] = ()
    detect: bool = True
    threshold: float = 0.3
    summary: SummaryMode = SummaryMode.OFF
    problem: str | None = None
    address: str | None = None


class LlmPhase(StrEnum):
    """Whether the language model is asked now."""

    READY = "ready"
    RESTING = "resting"  # it failed or asked for patience; the next try comes by itself
    OVER_BUDGET = "over_budget"
    REFUSED = "refused"  # wrong key, unknown model: needs the user


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmState:
    """The language model and its budget. Days are local ones; what has no limit has None left.

    Attributes:
        model: Its name.
        phase: Whether it is asked now.
        calls_today: Calls since midnight.
        tokens_today: Tokens since midnight.
        calls_left: Calls until the day's limit.
        tokens_left: Tokens until the day's limit.
        cost_today: In `currency`; None without prices.
        currency: Of the prices.
        waiting: How many jobs wait in the queue.
        problem: What is wrong, in a sentence; None while nothing is.
    """

    model: str
    phase: LlmPhase
    calls_today: int = 0
    tokens_today: int = 0
    calls_left: int | None = None
    tokens_left: int | None = None
    cost_today: float | None = None
    currency: str | None = None
    waiting: int = 0
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How process and machine are doing.

    Attributes:
        time: When this was measured, seconds since 1970 UTC.
        uptime_s: Seconds since the node started.
        cpu_percent: Percent of one core.
        rss_bytes: Memory of the process.
        temperature_c: Of the machine, degrees Celsius; None where it has no sensor.
        inference_ms: What one look of the detector takes; None before the first.
        fps: Frames per second that arrive, by camera.
        outbox: How many records wait to be delivered.
        lost: How many records some sink will never have, since start.
        dropped: Frames that were not looked at since start, by reason.
        skipped: Frames that an added step was not given because it took too long, by step.
        problems: What is wrong, a sentence each.
        llm: The language model; None without one.
    """

    time: float
    uptime_s: float
    cpu_percent: float
    rss_bytes: int
    temperature_c: float | None = None
    inference_ms: float | None = None
    fps: tuple[tuple[str, float], ...] = ()
    outbox: int = 0
    lost: int = 0
    dropped: tuple[tuple[str, int], ...] = ()
    skipped: tuple[tuple[str, int], ...] = ()
    problems: tuple[str, ...] = field(default=())
    llm: LlmState | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraAvailability:
    """The stream of a camera came or went.

    Attributes:
        camera: The camera's id.
        online: Whether its stream is there.
    """

    camera: str
    online: bool


Status: TypeAlias = CameraState | Health | CameraAvailability
