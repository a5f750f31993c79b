"""The frozen values that the rest of the program is built from. Defaults are written here, once."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from blikk_edge.core.concepts import Concept
from blikk_edge.core.fields import Backpressure, Watch
from blikk_edge.core.geometry import Polygon
from blikk_edge.core.ports import DurableSink, Enricher, Input, Sink
from blikk_edge.core.sightings import Label
from blikk_edge.enrichers.questions.kind import QuestionSettings
from blikk_edge.enrichers.summaries.dispatch_kind import IngestSettings
from blikk_edge.enrichers.summaries.kind import SummarySettings
from blikk_edge.fleet.options import FleetOptions
from blikk_edge.grammar.secrets import Secret, SourceUrl
from blikk_edge.kinds.chosen import Chosen
from blikk_edge.kinds.context import Context
from blikk_edge.net.http.options import HttpSettings
from blikk_edge.recording.options import RecordingsOptions, RecordMode, RecordOptions
from blikk_edge.sinks.mqtt.kind import HomeAssistantSettings, MqttSettings
from blikk_edge.sinks.traces_options import TracesOptions
from blikk_edge.sinks.webhook import WebhookOptions
from blikk_edge.transforms.embedding.options import SearchOptions
from blikk_edge.transforms.kinds import CameraContext, DetectorContext
from blikk_edge.transforms.models.tflite_kind import TfliteOptions
from blikk_edge.web.media_kind import MediaSettings

if TYPE_CHECKING:  # settings know no pixels
    from blikk_edge.core.stages import Detector, Source, Step
    from blikk_edge.sources.terms import Terms

PUSH: Final = "push"
"""The source of a camera whose frames an edge client brings."""

WHIP: Final = "whip"
"""The source of a camera whose picture a browser sends by WebRTC."""


class Transport(StrEnum):
    """How RTSP carries media; `auto` tries TCP first, then UDP."""

    AUTO = "auto"
    TCP = "tcp"
    UDP = "udp"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSettings:
    """Who this node is.

    Attributes:
        id: Its place on MQTT and in Home Assistant.
        name: Its name, as people read it.
    """

    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneSettings:
    """A named part of the picture.

    Attributes:
        name: Its id, the key in the file.
        polygon: Its corners, each x and y in 0..1 of the picture.
        labels: What counts in it.
        loiter_s: How long someone stays here before it is loitering; None: the camera's.
    """

    name: str
    polygon: Polygon
    labels: tuple[Label, ...] = tuple(Label)
    loiter_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorSettings:
    """One way of looking for objects.

    Attributes:
        name: By which cameras refer to it.
        model: A registry name, a path or an address.
        sha256: What the model file must be, 64 hex digits; needed where `model` is an address.
        labels_file: The class names of your own model, one in each line; None: those of the registry, or COCO's.
        decoder: How the output of your own model is read; None for a model of the registry.
        tflite: How TFLite runs it.
        thresholds: How sure it must be, 0..1, by label; a label without one is never reported.
        plugged: Another kind of detector, in whose place `model` serves where it cannot be had; None: TFLite.
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
    """Which frames are worth a look.

    Attributes:
        motion: Look when something moves.
        scene_change: Look when the whole picture is another one.
        every_s: Look this often in any case, down to a fifth as often where nobody is; 0 is never.
        closer_looks: At most so many looks a minute at what moves and is small, magnified; 0 is none.
    """

    motion: bool = True
    scene_change: bool = True
    every_s: float = 60.0
    closer_looks: int = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class RingSettings:
    """What rings this camera's doorbell.

    Attributes:
        gpio: The pin of a button between it and ground (BCM number); None: no button.
        http: Whether `POST /ring/<camera>` of the server of `http` rings it.
        mqtt: Ring on a message to `<prefix>/<node>/<camera>/set/ring`.
        onvif: Ring when the camera reports that its button was pressed, where its own events are asked for.
    """

    gpio: int | None = None
    http: bool = False
    mqtt: bool = True
    onvif: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraSettings:
    """One camera.

    Attributes:
        id: Its place on MQTT and in Home Assistant.
        name: Its name, as people read it.
        source: Where the picture comes from; where `plugged` is, it is only what is shown.
        detector: Which of the `detectors` looks at it, by name.
        labels: What is reported.
        transport: How RTSP comes; `auto` tries TCP, then UDP.
        height_px: The picture is made this small before it is looked at.
        rotate: By how many degrees the picture is turned clockwise before anything else: 0, 90, 180 or 270.
        fps: How many frames a second are looked at, at most.
        connect_timeout_s: How long to wait for the camera to answer.
        read_timeout_s: How long a silent camera counts as alive.
        away_after_s: How long a stream that broke is waited for before the camera counts as away.
        event_threshold: How much must change to be reported, from 0 (everything) to 1 (nothing).
        summary_window: How many similar observations in a row are folded into one.
        backpressure_strategy: What happens when frames come too fast.
        watch: How much of the stream is decoded while nothing moves.
        sleep_after_s: With `eco` and `auto`: how long nothing must move before only keyframes are decoded.
        select: Which frames are worth a look.
        loiter_s: How long someone stays before it is loitering.
        still_s: How long something rests before it stands still.
        parcels: Whether what somebody left behind is looked for, whatever it is, and whether it was taken.
        zones: Named parts of the picture.
        private: Parts that are painted over before anything leaves.
        ring: What rings it; None: it is no doorbell.
        onvif: Where the camera's own events are asked for, an `onvif://` address; None: nowhere.
        onvif_wanted: Whether that was written, and is not only what its source brings along.
        questions: Sentences that are watched.
        push_token: What the edge client of a camera with `source: push` has to know, or the program that sends to one
            with `source: whip`; None for any other.
        plugged: The source of a plug-in; None: one of ours, at the address `source`.
        archive: Which RTSP stream is recorded; None: the one that is watched.
        record: What is recorded; None: nothing.
        transforms: What plug-ins measure in the picture, in their order.
        concepts: Words that each object is compared with.
        near: Labels of places that it is near to, where nodes share it.
    """

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
    watch: Watch = Watch.MEASURED
    sleep_after_s: float = 10.0
    select: SelectSettings = field(default_factory=SelectSettings)
    loiter_s: float = 60.0
    still_s: float = 10.0
    parcels: bool = True
    zones: tuple[ZoneSettings, ...] = ()
    private: tuple[Polygon, ...] = ()
    ring: RingSettings | None = None
    onvif: SourceUrl | None = None
    onvif_wanted: bool = False
    questions: tuple[QuestionSettings, ...] = ()
    push_token: Secret | None = None
    plugged: "Chosen[Terms, Source] | None" = None
    archive: SourceUrl | None = None
    record: RecordOptions | None = None
    transforms: "tuple[Chosen[CameraContext, Step], ...]" = ()
    concepts: tuple[Concept, ...] = ()
    near: tuple[str, ...] = ()

    @property
    def pushed(self) -> bool:
        """Whether an edge client brings the frames."""
        return self.source.reveal() == PUSH

    @property
    def packets(self) -> bool:
        """Whether its source may bring packets of video, which can be recorded, and not pictures."""
        ours = self.plugged is None and not self.pushed and not self.by_whip
        return ours and not self.source.reveal().startswith("/dev/")

    @property
    def recorded(self) -> bool:
        """Whether anything of its stream is kept."""
        return self.record is not None and self.record.mode is not RecordMode.OFF

    @property
    def by_whip(self) -> bool:
        """Whether a browser sends the picture."""
        return self.source.reveal() == WHIP


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivacySettings:
    """How Pictures are redacted.

    Attributes:
        blur: Blur faces. `false` can only be set here, on the device; MQTT cannot reach it.
        model: The model that finds faces: a registry name, a path or an address.
        threshold: How sure it must be, 0..1; lower blurs more.
        jpeg_quality: The quality of the Pictures, 1..100.
        plates: Blur number plates too.
    """

    blur: bool = True
    model: str = "yunet"
    threshold: float = 0.4
    jpeg_quality: int = 85
    plates: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """The SQLite file with history and journal, bounded by both limits.

    Attributes:
        path: The file; None: in the user's state folder.
        max_records: How many records are kept.
        outbox_records: How many may wait for a broker or web address that is away.
    """

    path: Path | None = None
    max_records: int = 100_000
    outbox_records: int = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSettings:
    """Where models are kept and fetched from.

    Attributes:
        cache: The folder; None: in the user's cache folder.
        mirror: Fetch models from here instead of their own addresses; it replaces host and folder of each.
        offline: Never fetch.
    """

    cache: Path | None = None
    mirror: str | None = None
    offline: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the `blikk.yaml` of a node says.

    Attributes:
        node: Who this node is.
        mqtt: The MQTT broker; None: there is none, and so no Home Assistant.
        cameras: In the order of the file, at least one; of a node that `shares` those of its site, which are not there
            until they were applied.
        detectors: Ways of looking for objects; `default` is always among them.
        privacy: How faces are made unrecognisable.
        home_assistant: How Home Assistant gets its entities.
        store: The file that keeps events until they are delivered.
        models: Where model files are kept and come from.
        summary: Who writes a sentence about what happened; None: nobody.
        webhook: A web address to which records are posted, besides MQTT; None: none.
        sinks: Where plug-ins bring records and redacted pictures.
        enrichers: Plug-ins that make texts and answers of records.
        inputs: Plug-ins that bring commands to the node, as a button does.
        pages: Plug-ins that add pages and parts of the API to the server of `http`.
        media: Redacted pictures of past events, which `http` serves; None: none are kept.
        http: The HTTP server with pages and API; None: there is none.
        recordings: Where recordings of cameras lie.
        search: How what was seen can be searched for; None: not at all.
        fleet: The site that this node belongs to; None: it is on its own.
        shares: Whether its cameras are those of the site, which it shares with others.
        cameras_version: That of the site's cameras; 0 where none were applied, or where it does not share.
        ingest: What becomes of the frames that edge clients (`blikk push`) bring.
        traces: Where traces of events go; None: none are made.
        timezone: That of times in texts and answers, in which days begin: an IANA name; None: Home Assistant's.
        language: Of texts, answers and names of entities in plain discovery: a tag as `de`; None: Home Assistant's.
        workers: How many frames are looked at side by side.
        health_every_s: How often the node publishes its health.
    """

    node: NodeSettings
    mqtt: MqttSettings | None
    cameras: tuple[CameraSettings, ...] = ()
    detectors: tuple[DetectorSettings, ...] = (DetectorSettings(),)
    privacy: PrivacySettings = field(default_factory=PrivacySettings)
    home_assistant: HomeAssistantSettings = field(default_factory=HomeAssistantSettings)
    store: StoreSettings = field(default_factory=StoreSettings)
    models: ModelSettings = field(default_factory=ModelSettings)
    summary: SummarySettings | None = field(default_factory=SummarySettings)
    webhook: WebhookOptions | None = None
    sinks: tuple[Chosen[Context, Sink | DurableSink], ...] = ()
    enrichers: tuple[Chosen[Any, Enricher], ...] = ()
    inputs: tuple[Chosen[Any, Input], ...] = ()
    pages: tuple[Chosen[Any, Any], ...] = ()
    media: MediaSettings | None = None
    http: HttpSettings | None = None
    recordings: RecordingsOptions = field(default_factory=RecordingsOptions)
    search: SearchOptions | None = None
    fleet: FleetOptions | None = None
    shares: bool = False
    cameras_version: int = 0
    ingest: IngestSettings = field(default_factory=IngestSettings)
    traces: TracesOptions | None = None
    timezone: str | None = None
    language: str | None = None
    workers: int = 1
    health_every_s: float = 30.0

    def detector_of(self, camera: CameraSettings) -> DetectorSettings:
        """The detector this camera names; the grammar has checked that it exists."""
        return next(d for d in self.detectors if d.name == camera.detector)
