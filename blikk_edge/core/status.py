"""What a node says of itself: who it is, how each camera and the machine are doing."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

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
    """One camera as the outside knows it; no source, no secret. `measures` are those that its added steps declare."""

    id: str
    name: str
    labels: tuple[Label, ...]
    zones: tuple[str, ...] = ()
    ring: bool = False
    questions: tuple[Question, ...] = ()
    measures: tuple[MeasureInfo, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeInfo:
    """The node as the outside knows it. `summaries` are the ways of writing them that may be switched to.

    `media_url` is where redacted Pictures of past events can be had over HTTP, if anywhere; `language` is the tag of
    that in which its entities are named, where nobody else names them.
    """

    id: str
    name: str
    version: str
    cameras: tuple[CameraInfo, ...]
    summaries: tuple[SummaryMode, ...] = ()
    media_url: str | None = None
    language: str = "en"


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraState:
    """How a camera is doing now, and the values of its switches and numbers.

    `counts`, `zones` and, of each label in a zone, `zone_counts` hold what is present now; `last_frame_age_s` is None
    before the first frame; `dropped` counts frames by reason since start; `skipped` counts, by added step, those that
    it was not given because it took too long; `measures` are the newest values; `problem` is a sentence while something
    is wrong.
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
    detect: bool = True
    threshold: float = 0.3
    summary: SummaryMode = SummaryMode.OFF
    problem: str | None = None


class LlmPhase(StrEnum):
    """Whether the language model is asked now."""

    READY = "ready"
    RESTING = "resting"  # it failed or asked for patience; the next try comes by itself
    OVER_BUDGET = "over_budget"
    REFUSED = "refused"  # wrong key, unknown model: needs the user


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmState:
    """The language model and its budget. Days are local ones; what has no limit has None left.

    `cost_today` is in `currency`, None without prices; `waiting` counts the work in the queue; `problem` is a sentence.
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
    """How process and machine are doing: percent of one core, bytes, degrees Celsius, seconds; frames/s by camera."""

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
    """The stream of a camera came or went."""

    camera: str
    online: bool


Status: TypeAlias = CameraState | Health | CameraAvailability
