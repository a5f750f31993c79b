"""Sample values of every word that goes over the wire; the golden examples in `contract/examples` are made of them."""

import base64
from dataclasses import replace

from blikk_edge.core.appearance import Appearance, Colour, Embedding, FoundBy, StoredAppearance
from blikk_edge.core.concepts import Concept
from blikk_edge.core.geometry import Box
from blikk_edge.core.inquiry import (
    Aggregate,
    AskQuestion,
    CheckText,
    DescribeNow,
    EventWithText,
    Forget,
    Found,
    ListEvents,
    Mark,
    Query,
    Reply,
    Search,
    WriteDigest,
    refusal,
)
from blikk_edge.core.observation import Event, Near, Observation, Observed, Phase, Ring, Sighting
from blikk_edge.core.parcels import ParcelChange
from blikk_edge.core.picture import Picture
from blikk_edge.core.sightings import Label, Measure, MeasureInfo
from blikk_edge.core.status import (
    CameraAvailability,
    CameraInfo,
    CameraState,
    Health,
    LlmPhase,
    LlmState,
    NodeInfo,
    SummaryMode,
)
from blikk_edge.core.summary import Answer, Author, Checked, Importance, Question, Said, Summary
from blikk_edge.wire.topics import Topics

TOPICS = Topics("blikk", "porch-pi")
T0 = 1795262400.25  # 2026-11-21T12:00:00.250Z

FRONT = CameraInfo(
    id="front_door",
    name="Front door",
    labels=(Label.PERSON, Label.PACKAGE),
    zones=("porch", "path"),
    ring=True,
    questions=(Question(id="gate_open", camera="front_door", text="Is the gate open?"),),
)
YARD = CameraInfo(id="yard", name="Yard", labels=(Label.VEHICLE, Label.ANIMAL))
NODE = NodeInfo(
    id="porch-pi",
    name="Porch Pi",
    version="0.1.0",
    cameras=(FRONT, YARD),
    summaries=(SummaryMode.OFF, SummaryMode.TEMPLATE, SummaryMode.TEXT),
    media_url="http://127.0.0.1:8428",
    http_url="http://127.0.0.1:8428",
)

PERSON = Sighting(
    track=7,
    label=Label.PERSON,
    sub_label="person",
    score=0.87654321,
    box=Box(0.25, 0.1, 0.5, 0.912345),
    since=T0,
    dwell_s=4.2,
    zones=("porch",),
)
OBSERVATION = Observation(
    id="front_door-1795262400250-3",
    camera="front_door",
    kind=Observed.ENTERED_ZONE,
    time=T0 + 4.2,
    until=T0 + 5.0,
    score=0.41237,
    objects=(PERSON,),
    zones=("porch",),
    event="front_door-1795262400250",
    folded=2,
)
STARTED = Event(
    id="front_door-1795262400250",
    camera="front_door",
    phase=Phase.STARTED,
    revision=1,
    time=T0 + 0.4,
    started=T0,
    label=Label.PERSON,
    reason=Observed.APPEARED,
    objects=(PERSON,),
    zones=("porch",),
    picture="person",
)
LOITERING = Event(
    id="front_door-1795262400250",
    camera="front_door",
    phase=Phase.UPDATED,
    revision=3,
    time=T0 + 60.0,
    started=T0,
    label=Label.PERSON,
    reason=Observed.LOITERING,
    objects=(PERSON, PERSON),
    peak=2,
    zones=("porch", "path"),
    loitering=True,
    picture="person",
)
ENDED = Event(
    id="front_door-1795262400250",
    camera="front_door",
    phase=Phase.ENDED,
    revision=4,
    time=T0 + 75.5,
    started=T0,
    label=Label.PERSON,
    reason=Observed.LEFT,
    peak=2,
    zones=("porch", "path"),
    loitering=True,
    ended=T0 + 75.5,
)
INTERRUPTED = replace(ENDED, interrupted=True)
PARCEL = Sighting(
    track=1000001,
    label=Label.PACKAGE,
    sub_label="left_behind",
    score=0.72,
    box=Box(0.53, 0.72, 0.64, 0.88),
    since=T0 + 15.0,
    dwell_s=5.5,
    still=True,
)
LEFT_BEHIND = replace(
    STARTED,
    id="front_door-1795262415250",
    time=T0 + 20.5,
    started=T0 + 15.0,
    label=Label.PACKAGE,
    objects=(PARCEL,),
    zones=(),
    picture="package",
    change=ParcelChange.LEFT_BEHIND,
    near=Near(label=Label.PERSON, score=1.0, event="front_door-1795262400250"),
)
TAKEN = replace(
    LEFT_BEHIND,
    phase=Phase.ENDED,
    revision=2,
    time=T0 + 3600.0,
    reason=Observed.LEFT,
    ended=T0 + 3590.0,
    change=ParcelChange.TAKEN,
    near=None,
)
WAS_LEFT = Observation(
    id="front_door-1795262415250-2",
    camera="front_door",
    kind=Observed.APPEARED,
    time=T0 + 20.5,
    until=T0 + 20.5,
    score=0.0,
    objects=(PARCEL,),
    event="front_door-1795262415250",
    change=ParcelChange.LEFT_BEHIND,
)
RING = Ring(id="front_door-ring-1795262400250", camera="front_door", time=T0, via="gpio")
# 2 x 2 grey pixels with JFIF's header, as an encoder writes it
JPEG = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAFA3PEY8MlBGQUZaVVBfeMiCeG5uePWvuZHI////////////////////////////////////////////////"
    "////wAALCAACAAIBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAAAP/EABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAIAQEAAD8AP//Z"
)
PICTURE = Picture(
    camera="front_door", name="person", time=T0, jpeg=JPEG, width_px=2, height_px=2, event="front_door-1795262400250"
)
STILL = Picture(camera="front_door", name="snapshot", time=T0, jpeg=JPEG, width_px=2, height_px=2)
STATE = CameraState(
    camera="front_door",
    online=True,
    motion=True,
    score=0.41237,
    counts=((Label.PERSON, 2),),
    zones=(("porch", 2), ("path", 0)),
    zone_counts=(("porch", Label.PERSON, 2),),
    fps=4.987,
    inference_ms=61.27,
    last_frame_age_s=0.18,
    frames=1500,
    inferences=212,
    restarts=1,
    dropped=(("late", 3),),
    threshold=0.35,
    summary=SummaryMode.TEXT,
)
HEALTH = Health(
    time=T0,
    uptime_s=3600.4,
    cpu_percent=41.26,
    rss_bytes=171_966_464,
    temperature_c=52.3,
    inference_ms=61.27,
    fps=(("porch", 5.0),),
    outbox=2,
    dropped=(("late", 3),),
    problems=("yard: no frame for 10 s",),
    llm=LlmState(
        model="qwen3-vl-2b",
        phase=LlmPhase.READY,
        calls_today=41,
        tokens_today=18_204,
        calls_left=459,
        tokens_left=81_796,
        cost_today=0.01342,
        currency="EUR",
        waiting=1,
    ),
)
GONE = CameraAvailability(camera="yard", online=False)

SUMMARY = Summary(
    id=f"{STARTED.id}-summary",
    camera="front_door",
    event=STARTED.id,
    revision=2,
    time=T0 + 31.2,
    since=T0,
    until=T0 + 30.0,
    title="Two people at the front door",
    text="Two people came up the path, stood at the porch for 20 seconds and left.",
    importance=Importance.HIGH,
    labels=(Label.PERSON,),
    source=Author.LLM,
    model="qwen3-vl-2b",
    input_tokens=214,
    output_tokens=58,
)
DIGEST = Summary(
    id="digest-1795262400250",
    camera=None,
    event=None,
    revision=1,
    time=T0,
    since=T0 - 86400.0,
    until=T0,
    title="Quiet day",
    text="One visit of a person at the front door.",
    labels=(Label.PERSON,),
)
ANSWER = Answer(
    id="front_door-gate_open-1795262400250",
    camera="front_door",
    question="gate_open",
    asked="Is the gate open?",
    answer="yes",
    confidence=0.8,
    time=T0,
    since=T0 - 60.0,
    changed=True,
    evidence="The left wing stands away from the post.",
    source=Author.LLM,
    model="qwen3-vl-2b",
    input_tokens=310,
    output_tokens=24,
)

BOILER = CameraInfo(
    id="boiler",
    name="Boiler",
    labels=(Label.PERSON,),
    measures=(
        MeasureInfo(name="pressure", unit="bar", device_class="pressure", alerts=("too_high", "too_low")),
        MeasureInfo(name="needle_angle", unit="°"),
    ),
)
MEASURING = NodeInfo(id="porch-pi", name="Porch Pi", version="0.1.0", cameras=(BOILER,))
PRESSURE = Measure(name="pressure", value=2.6000000001, unit="bar", box=Box(0.4, 0.3, 0.6, 0.7), alert="too_high")
ANGLE = Measure(name="needle_angle", value=41.5, unit="°")
MEASURED = Observation(
    id="boiler-1795262400250-8",
    camera="boiler",
    kind=Observed.MEASURE,
    time=T0,
    until=T0,
    score=0.0,
    measures=(replace(PRESSURE, alert=None), ANGLE),
)
ALERT = replace(MEASURED, id="boiler-1795262400250-9", kind=Observed.ALERT, measures=(PRESSURE,))
ALERT_ENDED = replace(ALERT, id="boiler-1795262400250-10", kind=Observed.ALERT_ENDED, time=T0 + 90.0, until=T0 + 90.0)
ALERT_OF_ITEM = replace(
    ALERT,
    id="boiler-1795262400250-11",
    measures=(Measure(name="needle_angle", value=7.3, unit="°", box=Box(0.4, 0.3, 0.6, 0.7), alert="tilted", item=42),),
)
MEASURED_STATE = CameraState(
    camera="boiler", online=True, measures=(ANGLE, PRESSURE), skipped=(("needle", 12),), frames=1500
)
NOT_MEASURED = CameraState(camera="boiler", online=True)
MEASURED_HEALTH = Health(time=T0, uptime_s=3600.4, cpu_percent=41.26, rss_bytes=171_966_464, skipped=(("needle", 12),))

RED_CAR = Appearance(
    track=3,
    label=Label.VEHICLE,
    kind="car",
    colours=(Colour.RED, Colour.BLACK),
    embedding=Embedding.packed("tinyclip", bytes.fromhex("003a00b800340038")),
)
APPEARED = Observation(
    id="gate-1795262400250-2",
    camera="gate",
    kind=Observed.APPEARED,
    time=T0,
    until=T0,
    score=0.4,
    objects=(
        Sighting(
            track=3, label=Label.VEHICLE, sub_label="car", score=0.9, box=Box(0.2, 0.3, 0.6, 0.7), since=T0, dwell_s=0.0
        ),
    ),
    event="gate-1795262400250-1",
    appearances=(RED_CAR,),
)
OTHER_SCENE = replace(
    APPEARED,
    id="gate-1795262400250-3",
    kind=Observed.SCENE,
    objects=(),
    event=None,
    appearances=(Appearance(colours=(Colour.GREY,)),),
)
CONCEPT = Concept(id="parcel_person", text="person carrying a parcel")
SEARCHED = replace(
    NODE,
    cameras=(CameraInfo(id="gate", name="Gate", labels=(Label.VEHICLE,), concepts=(CONCEPT,)),),
    searched=True,
)
CONCEPT_STATE = CameraState(camera="gate", online=True, concepts=(("parcel_person", True),))

QUESTION = AskQuestion(question="How many people came to the front door this morning?", since=T0 - 36000.0, until=T0)
REQUESTS = {
    "ask": QUESTION,
    "ask-events": ListEvents(camera="front_door", label=Label.PERSON, zone="porch", since=T0 - 3600.0, limit=20),
    "ask-describe": DescribeNow(camera="front_door"),
    "ask-digest": WriteDigest(since=T0 - 86400.0, until=T0),
    "ask-forget": Forget(event=ENDED.id),
    "ask-search": Search(query="red car", camera="yard", since=T0 - 86400.0, limit=5),
    "ask-mark": Mark(event=ENDED.id, mark="Family"),
    "ask-check": CheckText(
        event=ENDED.id,
        title="Two people at the door",
        text="Two people stood at the porch.",
        pictures=True,
        said=Said(counts={Label.PERSON: 2}, times=("12:00",)),
        language="en",
    ),
}
"""As our own command line writes them; `ask-minimal.json` is written by hand."""

REPLIES = {
    "reply-search": Reply(
        count=2,
        model="tinyclip",
        found=(
            Found(
                what=StoredAppearance(
                    seq=7,
                    observation=APPEARED.id,
                    camera="gate",
                    event=APPEARED.event,
                    time=T0,
                    label=Label.VEHICLE,
                    kind="car",
                    colours=(Colour.RED, Colour.BLACK),
                ),
                by=FoundBy.CONCEPT,
                score=0.28714,
                pictures=("gate.2026-11-21.20261121T120000250.vehicle.gate-1795262400250-1",),
            ),
            Found(
                what=StoredAppearance(
                    seq=3,
                    observation="gate-1795262300000-1",
                    camera="gate",
                    event=None,
                    time=T0 - 100.25,
                    label=None,
                    kind="",
                    colours=(Colour.RED,),
                ),
                by=FoundBy.COLOUR,
            ),
        ),
    ),
    "reply": Reply(
        text="One person at the front door this morning, in one visit: at 12:00.",
        count=1,
        query=Query(
            measure=Aggregate.COUNT,
            labels=(Label.PERSON,),
            cameras=("front_door",),
            since=T0 - 25200.0,
            min_duration_s=0.0,
        ),
        events=(EventWithText(event=ENDED, summary=SUMMARY),),
        source=Author.LLM,
        model="qwen3-vl-2b",
        input_tokens=310,
        output_tokens=24,
    ),
    "reply-events": Reply(
        count=2,
        events=(EventWithText(event=LOITERING), EventWithText(event=STARTED)),
        rings=(RING,),
        gaps=(("", ((T0 - 7200.0, T0 - 5400.0),)), ("yard", ((T0 - 7200.0, T0 - 3600.0),))),
    ),
    "reply-mark": Reply(count=1, events=(EventWithText(event=replace(ENDED, mark="Family"), summary=SUMMARY),)),
    "reply-check": Reply(checked=Checked.WHOLE),
    "reply-check-refused": replace(refusal("it is not so"), unsupported=("burglars (a guess)",)),
    "reply-digest": Reply(text=DIGEST.text, summary=DIGEST),
    "reply-refused": refusal("there is no camera 'garage' on this node; there is front_door, yard"),
}
