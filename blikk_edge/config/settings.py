"""The frozen values that the rest of the program is built from. Defaults are written here, once."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from blikk_edge.core.fields import Backpressure, Watch
from blikk_edge.core.geometry import Polygon
from blikk_edge.core.ports import DurableSink, Enricher, Input, Sink
from blikk_edge.core.sightings import Label
from blikk_edge.enrichers.questions.kind import QuestionSettings
from blikk_edge.enrichers.summaries.kind import SummarySettings
from blikk_edge.grammar.secrets import Secret, SourceUrl
from blikk_edge.inputs.http_kind import RingHookSettings
from blikk_edge.inputs.ingest_kind import IngestSettings
from blikk_edge.kinds.chosen import Chosen
from blikk_edge.kinds.context import Context
from blikk_edge.sinks.mqtt.kind import HomeAssistantSettings, MqttSettings
from blikk_edge.sinks.webhook import WebhookOptions
from blikk_edge.transforms.kinds import CameraContext, DetectorContext
from blikk_edge.transforms.models.tflite_kind import TfliteOptions
from blikk_edge.web.media_kind import MediaSettings

if TYPE_CHECKING:  # settings know no pixels
    from blikk_edge.core.stages import Detector, Source, Step
    from blikk_edge.sources.terms import Terms

PUSH: Final = "push"
"""The source of a camera whose frames an edge client brings."""


class Transport(StrEnum):
    """How RTSP carries media; `auto` tries TCP first, then UDP."""

    AUTO = "auto"
    TCP = "tcp"
    UDP = "udp"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSettings:
    """Who this node is. `id` is its place on MQTT."""

    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneSettings:
    """A named part of the picture. Only `labels` count in it; `loiter_s` overrides the camera's."""

    name: str
    polygon: Polygon
    labels: tuple[Label, ...] = tuple(Label)
    loiter_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorSettings:
    """One way of looking.

    `model` is a registry name, a path or a URL (then with `sha256`, `labels_file`, `decoder`). It runs by `tflite`.
    `plugged` is another kind of detector, in whose place `model` serves where it cannot be had.
    """

    name: str = "default"
    model: str = "yolox-nano"
    sha256: str | None = None
    labels_file: Path | None = None
    decoder: str | None = None
    tflite: TfliteOptions = field(default_factory=TfliteOptions)
    thresholds: tuple[tuple[Label, float], ...] = (
        (Label.PERSON, 0.45),
        (Label.VEHICLE, 0.5),
        (Label.ANIMAL, 0.5),
        (Label.PACKAGE, 0.5),
    )
    plugged: "Chosen[DetectorContext, Detector] | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectSettings:
    """Which frames are worth a look: with motion, with a new scene, and one every `every_s` in any case (0: never).

    Where such looks find nobody they become rarer, down to a fifth.
    """

    motion: bool = True
    scene_change: bool = True
    every_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RingSettings:
    """What rings this camera's doorbell. MQTT always does; `gpio` is a BCM pin, `http` opens the hook on loopback."""

    gpio: int | None = None
    http: bool = False
    mqtt: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraSettings:
    """One camera. `plugged` is the source of a plug-in, which `source` then only shows."""

    id: str
    name: str
    source: SourceUrl
    detector: str = "default"
    labels: tuple[Label, ...] = tuple(Label)
    transport: Transport = Transport.AUTO
    height_px: int = 480
    rotate: int = 0
    fps: float = 5.0
    connect_timeout_s: float = 10.0
    read_timeout_s: float = 10.0
    away_after_s: float = 10.0
    event_threshold: float = 0.3
    summary_window: int = 5
    backpressure_strategy: Backpressure = Backpressure.DROP
    watch: Watch = Watch.FULL
    sleep_after_s: float = 10.0
    select: SelectSettings = field(default_factory=SelectSettings)
    loiter_s: float = 60.0
    still_s: float = 10.0
    zones: tuple[ZoneSettings, ...] = ()
    private: tuple[Polygon, ...] = ()
    ring: RingSettings | None = None
    questions: tuple[QuestionSettings, ...] = ()
    push_token: Secret | None = None
    plugged: "Chosen[Terms, Source] | None" = None
    transforms: "tuple[Chosen[CameraContext, Step], ...]" = ()

    @property
    def pushed(self) -> bool:
        """Whether an edge client brings the frames."""
        return self.source.reveal() == PUSH


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivacySettings:
    """How Pictures are redacted. `blur: false` can only be set here, on the device; MQTT cannot reach it."""

    blur: bool = True
    model: str = "yunet"
    threshold: float = 0.4
    jpeg_quality: int = 85


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """The SQLite file with history and journal; None: the user's state folder. Bounded by both limits."""

    path: Path | None = None
    max_records: int = 100_000
    outbox_records: int = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSettings:
    """Where models are kept and fetched from. `mirror` replaces the host and folder of every registry URL."""

    cache: Path | None = None
    mirror: str | None = None
    offline: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the `blikk.yaml` of a node says. Without `mqtt` there is no broker. `timezone` is an IANA name,
    `language` a tag; None: Home Assistant's.
    """

    node: NodeSettings
    mqtt: MqttSettings | None
    cameras: tuple[CameraSettings, ...]
    detectors: tuple[DetectorSettings, ...] = (DetectorSettings(),)
    privacy: PrivacySettings = field(default_factory=PrivacySettings)
    home_assistant: HomeAssistantSettings = field(default_factory=HomeAssistantSettings)
    store: StoreSettings = field(default_factory=StoreSettings)
    models: ModelSettings = field(default_factory=ModelSettings)
    ring_hook: RingHookSettings = field(default_factory=RingHookSettings)
    summary: SummarySettings | None = field(default_factory=SummarySettings)
    webhook: WebhookOptions | None = None
    sinks: tuple[Chosen[Context, Sink | DurableSink], ...] = ()
    enrichers: tuple[Chosen[Any, Enricher], ...] = ()
    inputs: tuple[Chosen[Any, Input], ...] = ()
    media: MediaSettings | None = None
    ingest: IngestSettings = field(default_factory=IngestSettings)
    timezone: str | None = None
    language: str | None = None
    workers: int = 1
    health_every_s: float = 30.0

    def detector_of(self, camera: CameraSettings) -> DetectorSettings:
        """The detector this camera names; the grammar has checked that it exists."""
        return next(d for d in self.detectors if d.name == camera.detector)
