"""The words of a node's MQTT contract (protocol 1) as frozen values; `None` is what a node did not send."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

PROTOCOL = 1

type Json = bool | int | float | str | list[Json] | dict[str, Json] | None
type JsonObject = dict[str, Json]


class ContractError(Exception):
    """A payload is not what the contract says; the text says what is wrong with it."""


class ProtocolError(ContractError):
    """A payload speaks a newer protocol than this component."""

    def __init__(self, protocol: int) -> None:
        super().__init__(f"protocol {protocol} is newer than {PROTOCOL}")
        self.protocol = protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A sentence that is watched at a camera. `kind` is `yes_no` or `text`."""

    id: str
    question: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A number that is read from a camera's picture; `alerts` are the words for what may be wrong with it."""

    name: str
    unit: str | None = None
    device_class: str | None = None
    alerts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Concept:
    """Words that a camera watches for."""

    id: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """One camera as its node announces it."""

    id: str
    name: str
    labels: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    ring: bool = False
    questions: tuple[Question, ...] = ()
    measures: tuple[Measure, ...] = ()
    concepts: tuple[Concept, ...] = ()

    @property
    def alerts(self) -> list[str]:
        """Everything that may be wrong with its measures, as `Alert.event_type` says it."""
        return [f"{measure.name}_{alert}" for measure in self.measures for alert in measure.alerts]


@dataclass(frozen=True, slots=True, kw_only=True)
class Announce:
    """Who a node is. `left_out` names cameras that cannot be addressed; `content` is what was read, for the storage."""

    id: str
    name: str
    version: str | None = None
    cameras: tuple[Camera, ...] = ()
    capabilities: frozenset[str] = frozenset()
    summaries: tuple[str, ...] = ()
    media_url: str | None = None
    http_url: str | None = None
    left_out: tuple[str, ...] = ()
    content: JsonObject = field(default_factory=dict, repr=False, compare=False)

    def camera(self, camera_id: str) -> Camera | None:
        """The camera of that id."""
        return next((camera for camera in self.cameras if camera.id == camera_id), None)

    @property
    def live_url(self) -> str | None:
        """Where the node's live view is, if it has one."""
        return self.http_url if "live" in self.capabilities else None

    @property
    def has_model(self) -> bool:
        """Whether a language model belongs to the node."""
        return bool({"text", "vision"} & set(self.summaries))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The newest value of a measure, and what is wrong with it now."""

    value: float
    alert: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraState:
    """What one camera sees now, and the values of its settings.

    `zone_counts` by zone and label, of what is there; `measures` by name, of what is measured now; `concepts` by id.
    """

    motion: bool | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    zones: Mapping[str, int] = field(default_factory=dict)
    zone_counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    measures: Mapping[str, Reading] = field(default_factory=dict)
    concepts: Mapping[str, bool] = field(default_factory=dict)
    fps: float | None = None
    inference_ms: float | None = None
    last_frame_age_s: float | None = None
    dropped: int | None = None
    restarts: int | None = None
    detect: bool | None = None
    threshold: float | None = None
    summary: str | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Llm:
    """How the node's language model is doing and what is left of its budget today; `None` left is without limit."""

    model: str | None = None
    phase: str | None = None
    calls_today: int | None = None
    tokens_today: int | None = None
    calls_left: int | None = None
    tokens_left: int | None = None
    cost_today: float | None = None
    currency: str | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How the process and the machine of a node are doing."""

    cpu_percent: float | None = None
    rss_bytes: int | None = None
    temperature_c: float | None = None
    inference_ms: float | None = None
    outbox: int | None = None
    lost: int | None = None
    problems: tuple[str, ...] = ()
    llm: Llm | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One revision of one event of a camera; `content` holds everything that was reported of it.

    `peak` is how many were there at once at most; `interrupted` says that its end was not seen; `mark` is what the
    household said of it, in replies only.
    """

    id: str
    event_type: str
    phase: str
    revision: int
    label: str
    time: datetime
    started: datetime
    ended: datetime | None = None
    zones: tuple[str, ...] = ()
    peak: int | None = None
    loitering: bool = False
    interrupted: bool = False
    replayed: bool = False
    mark: str = ""
    content: JsonObject = field(default_factory=dict, repr=False)

    @property
    def taken(self) -> bool:
        """Whether it ended with a parcel that was taken."""
        return self.event_type == "package_taken" and self.phase == "ended"

    @property
    def is_news(self) -> bool:
        """Whether this revision is news: it began, somebody loiters, or a parcel was taken."""
        return self.phase == "started" or self.event_type in {"loitering", "package_taken"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ring:
    """Somebody pressed the doorbell. `camera` is None where the topic names it."""

    id: str
    time: datetime
    camera: str | None = None
    via: str | None = None
    replayed: bool = False
    mark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Something is wrong with a measure, of the `item`th thing, since `time`: with the value it had then."""

    id: str
    time: datetime
    measure: str
    alert: str
    value: float | None = None
    unit: str | None = None
    item: int | None = None
    replayed: bool = False

    @property
    def event_type(self) -> str:
        """Measure and alert in one word."""
        return f"{self.measure}_{self.alert}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A time of which nothing is known: a camera was not watched or, with `camera` None, the node did not run."""

    camera: str | None
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Text about one event, or about a period when `event` is None.

    `checked` is whether the whole of it was checked against what was seen, or only what is the same in all languages.
    """

    title: str
    text: str
    id: str | None = None
    event: str | None = None
    revision: int | None = None
    time: datetime | None = None
    since: datetime | None = None
    until: datetime | None = None
    importance: str | None = None
    labels: tuple[str, ...] = ()
    source: str | None = None
    model: str | None = None
    tokens: Mapping[str, int] = field(default_factory=dict)
    pictures: int | None = None
    checked: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The present answer to a watched question."""

    answer: str
    asked: str | None = None
    confidence: float | None = None
    time: datetime | None = None
    since: datetime | None = None
    evidence: str | None = None
    event: str | None = None
    source: str | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The answer to a request; `content` is the whole of it."""

    ok: bool
    error: str | None = None
    correlation: str | None = None
    text: str | None = None
    checked: str | None = None
    content: JsonObject = field(default_factory=dict, repr=False)

    @property
    def unsupported(self) -> list[str]:
        """The words of a text that nothing observed supports."""
        words = self.content.get("unsupported")
        return [str(each) for each in words] if isinstance(words, list) else []

    @property
    def events(self) -> list[JsonObject]:
        """The events it rests on, newest first."""
        events = self.content.get("events")
        return [event for event in events if isinstance(event, dict)] if isinstance(events, list) else []
