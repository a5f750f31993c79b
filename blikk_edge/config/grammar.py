"""The grammar of `blikk.yaml`: every key, how it is read and what it means. Defaults are those of the Settings."""

from pathlib import Path
from types import MappingProxyType

from blikk_edge.config import build
from blikk_edge.config.detectors import detector_section
from blikk_edge.config.places import ARCHIVE, EventsIn, SourceIn, model_in
from blikk_edge.config.settings import (
    CameraSettings,
    ModelSettings,
    NodeSettings,
    PrivacySettings,
    RingSettings,
    SelectSettings,
    Settings,
    StoreSettings,
    Transport,
    ZoneSettings,
)
from blikk_edge.core.fields import Backpressure, Watch
from blikk_edge.core.sightings import Label
from blikk_edge.enrichers.kinds import ENRICHERS
from blikk_edge.enrichers.questions.kind import OPTIONS as QUESTIONS
from blikk_edge.enrichers.summaries.dispatch_kind import OPTIONS as DISPATCH
from blikk_edge.fleet.options import fleet_options
from blikk_edge.grammar.places import path_in
from blikk_edge.grammar.schema import ById, Gone, Key, Section
from blikk_edge.grammar.values import (
    FLAG,
    LANGUAGE,
    PLACE,
    POLYGON,
    POLYGONS,
    ROTATE,
    SLUG,
    TEXT,
    TIMEZONE,
    WEB_ADDRESS,
    ListOf,
    choice,
    duration,
    number,
    whole,
)
from blikk_edge.inputs.gpio_kind import OPTIONS as GPIO
from blikk_edge.inputs.kinds import INPUTS
from blikk_edge.kinds.chosen import KindList, KindMapping, OneKind
from blikk_edge.language.language import tags
from blikk_edge.net.http.options import http_options
from blikk_edge.net.options import TOKEN
from blikk_edge.recording.options import RECORD, recordings
from blikk_edge.sinks.kinds import SINKS
from blikk_edge.sinks.mqtt.kind import HOME_ASSISTANT
from blikk_edge.sinks.traces_options import traces
from blikk_edge.transforms.embedding.options import CONCEPTS, search
from blikk_edge.transforms.kinds import TRANSFORMS
from blikk_edge.transforms.models.registry import REGISTRY
from blikk_edge.web.kinds import SERVED

SHARE = number(0, 1)
LABELS = ListOf(choice(Label))
FACES = tuple(entry.name for entry in REGISTRY.values() if entry.finds_faces)
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0

# Ids that are topics of the node itself, `blikk/<node>/<here>`; a camera of that name would write into them.
RESERVED_CAMERAS = MappingProxyType(
    dict.fromkeys(("status", "announce", "health", "ask", "reply", "digest", "ha"), "it is a topic of the node itself")
)


def grammar(folder: Path) -> Section:
    """The whole file, whose relative paths start at `folder`."""
    return Section(
        of=Settings,
        make=build.settings,
        gone=(
            Gone(
                name="ring_hook",
                why="doorbells ring by `http` now, on its one port, at `/ring/<camera>`",
                mend="Remove this section, and write `http: {port: 8428}` at the top of the file.",
            ),
        ),
        keys=(
            Key(name="node", value=_NODE, required=True, meaning="Who this node is."),
            Key(
                name="mqtt",
                value=SINKS.get("mqtt").section(folder),
                required=True,
                meaning="The MQTT broker; `false` where there is none, and so no Home Assistant.",
            ),
            Key(
                name="cameras",
                value=ById(
                    section=_camera(folder),
                    given="id",
                    words="one entry for each camera",
                    reserved=RESERVED_CAMERAS,
                    least_one=True,
                ),
                default="**required**; beside `fleet` those of the site",
                meaning="The cameras, each below an id like `front_door`, which is its place on MQTT. These ids are "
                f"taken: {', '.join(f'`{name}`' for name in RESERVED_CAMERAS)}.",
            ),
            Key(
                name="detectors",
                value=ById(section=detector_section(folder), given="name", words="one entry for each detector"),
                meaning="Ways of looking for objects, each below a name that cameras refer to. "
                "`default` is always there; an entry of that name changes it.",
                default="`default`",
            ),
            Key(name="privacy", value=_privacy(folder), meaning="How faces are made unrecognisable."),
            Key(name="home_assistant", value=HOME_ASSISTANT, meaning="How Home Assistant gets its entities."),
            Key(name="store", value=_store(folder), meaning="The file that keeps events until they are delivered."),
            Key(name="models", value=_models(folder), meaning="Where model files are kept and come from."),
            Key(
                name="summary",
                value=ENRICHERS.get("summary").section(folder),
                meaning="Who writes a sentence about what happened.",
            ),
            Key(
                name="ingest",
                value=DISPATCH,
                meaning="What becomes of the frames that edge clients (`blikk push`) bring.",
            ),
            Key(
                name="media",
                value=SERVED.get("media").section(folder),
                meaning="Redacted pictures of past events, which `http` serves.",
                default="none are kept",
            ),
            Key(
                name="http",
                value=http_options(folder),
                meaning="The HTTP server: live pages and the API, on one port.",
                default="off",
            ),
            Key(
                name="recordings",
                value=recordings(folder),
                meaning="Where recordings lie of cameras with `record:`.",
            ),
            Key(
                name="fleet",
                value=fleet_options(folder),
                meaning="A site whose cameras several nodes share, over NATS.",
                default="it is on its own",
            ),
            Key(
                name="search",
                value=search(folder),
                meaning='How what was seen can be searched for: `blikk search "red car"`.',
                default="off",
            ),
            Key(
                name="webhook",
                value=SINKS.get("webhook").section(folder),
                meaning="A web address to which records are posted, besides MQTT.",
            ),
            Key(
                name="sinks",
                value=KindMapping(SINKS, folder),
                meaning="Where records go besides MQTT and the webhook, and what plug-ins bring there; `blikk plugins` "
                "lists all.",
            ),
            Key(
                name="enrichers",
                value=KindMapping(ENRICHERS, folder),
                meaning="Plug-ins that make texts and answers of records; `blikk plugins` lists them.",
            ),
            Key(
                name="inputs",
                value=KindMapping(INPUTS, folder),
                meaning="Plug-ins that bring commands to the node, as a button does; `blikk plugins` lists them.",
            ),
            Key(
                name="traces",
                value=traces(folder),
                meaning="Where OpenTelemetry traces of events go, from the frame to each sink.",
                default="off",
            ),
            Key(
                name="pages",
                value=KindMapping(SERVED, folder),
                meaning="Plug-ins that add pages and parts of the API to the server of `http`, below "
                "`/plugins/<name>`; `blikk plugins` lists them.",
            ),
            Key(
                name="timezone",
                value=TIMEZONE,
                meaning="The time zone in which texts and answers tell times, and in which days begin. The times of "
                "records are UTC.",
                default="Home Assistant's where its integration makes the entities, else this machine's",
            ),
            Key(
                name="language",
                value=LANGUAGE,
                meaning="The language of texts, answers and names of entities in plain discovery: "
                f"{', '.join(f'`{tag}`' for tag in tags())}. In any other a language model writes, "
                "whose words can then be checked in part only, and all else is English.",
                default="Home Assistant's where its integration makes the entities and it is one of these, else `en`",
            ),
            Key(name="workers", value=whole(1, 16), meaning="How many frames are looked at side by side."),
            Key(name="health_every_s", value=duration(1, HOUR), meaning="How often the node publishes its health."),
        ),
    )


_NODE = Section(
    of=NodeSettings,
    make=build.node,
    plain="name",
    keys=(
        Key(
            name="name",
            value=TEXT,
            meaning="Its name, as people read it. `hallway` is shown as `Hallway`.",
            default="made from the id",
        ),
        Key(name="id", value=SLUG, meaning="Its place on MQTT and in Home Assistant.", default="made from the name"),
    ),
)


def _camera(folder: Path) -> Section:
    wait = duration(1, 5 * MINUTE)
    return Section(
        of=CameraSettings,
        make=build.camera,
        plain="source",
        keys=(
            Key(
                name="source",
                value=SourceIn(folder),
                required=True,
                meaning="Where the picture comes from. Behind `http://` may be MJPEG, a still image (it is asked for "
                "again and again, at most five times a second), HLS, or live video.",
            ),
            Key(
                name="archive",
                value=ARCHIVE,
                meaning="The RTSP stream that is recorded, such as the camera's main stream in 4K; it is not decoded. "
                "`source: {watch: rtsp://..., archive: rtsp://...}` says both.",
                default="the stream that is watched",
            ),
            Key(
                name="record",
                value=RECORD,
                meaning="What of its stream is kept on this machine's disk; **faces in recordings are not blurred**.",
                default="off",
            ),
            Key(name="name", value=TEXT, meaning="Its name, as people read it.", default="made from the id"),
            Key(name="detector", value=SLUG, meaning="Which of the `detectors` looks at it."),
            Key(name="labels", value=LABELS, meaning="What is reported."),
            Key(name="transport", value=choice(Transport), meaning="How RTSP comes; `auto` tries TCP, then UDP."),
            Key(
                name="height_px",
                value=whole(120, 2160),
                meaning="The picture is made this small before it is looked at.",
            ),
            Key(
                name="rotate",
                value=ROTATE,
                meaning="By how many degrees the picture is turned clockwise before anything else, for a camera that "
                "is mounted sideways or upside down: faces are only found in an upright picture. It comes on top of "
                "what the stream itself asks for. Zones and private areas are places in the turned picture.",
            ),
            Key(name="fps", value=number(0.1, 60), meaning="How many frames a second are looked at, at most."),
            Key(name="connect_timeout_s", value=wait, meaning="How long to wait for the camera to answer."),
            Key(name="read_timeout_s", value=wait, meaning="How long a silent camera counts as alive."),
            Key(
                name="away_after_s",
                value=duration(0, HOUR),
                meaning="How long a stream that broke is waited for before the camera counts as away: one that is back "
                "sooner makes nothing unavailable and is no problem.",
            ),
            Key(
                name="event_threshold",
                value=SHARE,
                meaning="How much must change to be reported, from 0 (everything) to 1 (nothing).",
            ),
            Key(
                name="summary_window",
                value=whole(1, 1000),
                meaning="How many similar observations in a row are folded into one.",
            ),
            Key(
                name="backpressure_strategy",
                value=choice(Backpressure),
                meaning="What happens when frames come too fast: `drop` keeps the newest, `throttle` lowers the frame "
                "rate, `buffer` queues a few.",
            ),
            Key(
                name="watch",
                value=choice(Watch),
                meaning="How the stream is decoded. `full` decodes every frame. `eco` decodes no more than keyframes "
                "while nothing moves, and what came in between once something does: an event is reported up to a "
                "keyframe interval later, from its first frame. `auto` is `eco` where nobody can slip through between "
                "two keyframes, and `full` for doorbells. `keyframes` decodes nothing else: who comes and goes between "
                "two is missed. `measured` is `full` as long as this machine has the time for it, else `eco`, else "
                "keyframes and as much of what follows those that show motion as there is time for; the log says which "
                "and why.",
            ),
            Key(
                name="sleep_after_s",
                value=duration(1, HOUR),
                meaning="Where only keyframes are decoded while nothing moves: how long nothing must move before that.",
            ),
            Key(name="select", value=_SELECT, meaning="Which frames are worth a look."),
            Key(name="loiter_s", value=duration(1, DAY), meaning="How long someone stays before it is loitering."),
            Key(name="still_s", value=duration(1, DAY), meaning="How long something rests before it stands still."),
            Key(
                name="parcels",
                value=FLAG,
                meaning="Look for what somebody left behind, whatever it is, and for whether it was taken. Needs "
                "`person` and `package` in `labels`.",
            ),
            Key(
                name="zones",
                value=ById(section=_ZONE, given="name", words="one entry for each zone"),
                meaning="ById parts of the picture, each below an id like `path`.",
            ),
            Key(name="private", value=POLYGONS, meaning="Parts that are painted over before anything leaves."),
            Key(name="ring", value=_RING, meaning="This camera is a doorbell."),
            Key(
                name="onvif",
                value=EventsIn(),
                meaning="The camera's own events, by ONVIF: its button rings (with `ring`), its motion is a hint to "
                "look at once. A camera with an `onvif://` source is asked for them there, unless this is `false`; "
                "beside any other source this is the camera's `onvif://` address. Needs `blikk-edge[onvif]`.",
                default="`true` with an `onvif://` source",
            ),
            Key(
                name="transforms",
                value=KindList(OneKind(TRANSFORMS, folder)),
                meaning="What plug-ins measure in the picture, in their order; `blikk plugins` lists them.",
            ),
            Key(
                name="near",
                value=ListOf(PLACE),
                meaning="Labels of places that it is near to, where nodes share the cameras of a site: those with the "
                "same label in `fleet.near` have it first.",
            ),
            Key(
                name="push_token",
                value=TOKEN,
                meaning="What the edge client of a camera with `source: push` has to know. A camera with "
                "`source: whip` needs none for a phone; a program that sends to it shows this. Best `!secret name`.",
            ),
            CONCEPTS,
            *QUESTIONS.keys,
        ),
    )


_SELECT = Section(
    of=SelectSettings,
    keys=(
        Key(name="motion", value=FLAG, meaning="Look when something moves."),
        Key(name="scene_change", value=FLAG, meaning="Look when the whole picture is another one."),
        Key(
            name="every_s",
            value=duration(0, DAY),
            meaning="Look this often in any case, down to a fifth as often where nobody is; 0 is never.",
        ),
        Key(
            name="closer_looks",
            value=whole(0, 600),
            meaning="At most so many looks a minute at what moves and is small, magnified: who is far away or in the "
            "dark is found by them. 0 is none.",
        ),
    ),
)

_ZONE = Section(
    of=ZoneSettings,
    keys=(
        Key(
            name="polygon",
            value=POLYGON,
            required=True,
            meaning="Its corners. `[0, 0]` is the top left of the picture, `[1, 1]` the bottom right. An object is "
            "where its bottom centre is.",
        ),
        Key(name="labels", value=LABELS, meaning="What counts in it."),
        Key(
            name="loiter_s",
            value=duration(1, DAY),
            meaning="How long someone stays here before it is loitering.",
            default="the camera's",
        ),
    ),
)

_RING = Section(
    of=RingSettings,
    switch=True,
    keys=(
        *GPIO.keys,
        Key(name="http", value=FLAG, meaning="Ring on `POST /ring/<camera>`, which `http` serves."),
        Key(name="mqtt", value=FLAG, meaning="Ring on a message to `<prefix>/<node>/<camera>/set/ring`."),
        Key(name="onvif", value=FLAG, meaning="Ring when the camera reports by ONVIF that its button was pressed."),
    ),
)


def _privacy(folder: Path) -> Section:
    return Section(
        of=PrivacySettings,
        keys=(
            Key(name="blur", value=FLAG, meaning="Blur faces. `false` can only be set here, never over the network."),
            Key(name="model", value=model_in(folder, FACES), meaning="The model that finds faces."),
            Key(name="threshold", value=SHARE, meaning="How sure it must be; lower blurs more."),
            Key(name="jpeg_quality", value=whole(1, 100), meaning="The quality of the pictures."),
            Key(name="plates", value=FLAG, meaning="Blur number plates from 60 px of width on, too."),
        ),
    )


def _store(folder: Path) -> Section:
    return Section(
        of=StoreSettings,
        keys=(
            Key(name="path", value=path_in(folder), meaning="The file.", default="in the user's state folder"),
            Key(name="max_records", value=whole(100, 10**9), meaning="How many records are kept."),
            Key(
                name="outbox_records",
                value=whole(100, 10**8),
                meaning="How many may wait for a broker or web address that is away.",
            ),
        ),
    )


def _models(folder: Path) -> Section:
    return Section(
        of=ModelSettings,
        keys=(
            Key(name="cache", value=path_in(folder), meaning="The folder.", default="in the user's cache folder"),
            Key(name="mirror", value=WEB_ADDRESS, meaning="Fetch models from here instead of their own addresses."),
            Key(name="offline", value=FLAG, meaning="Never fetch."),
        ),
    )
