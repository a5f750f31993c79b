"""Assist: what is asked of Home Assistant's own agent in sentences of ours, and what it answers."""

import json
import re

import pytest
from homeassistant.components import conversation
from homeassistant.components.homeassistant.exposed_entities import async_expose_entity, async_should_expose
from homeassistant.config_entries import SOURCE_MQTT
from homeassistant.core import Context
from homeassistant.helpers import intent
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.service_info.mqtt import MqttServiceInfo
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import async_fire_mqtt_message, async_fire_time_changed
from stage import BASE, announce, click, entry_of, golden, publish, set_up

from custom_components.blikk.spoken import PERIODS, languages, span

NOT_OURS = "an error of Home Assistant's own agent"
NOW = "2026-11-21 15:30:00+00:00"  # a Saturday


@pytest.fixture
async def assist(hass, mqtt_mock, freezer):
    """Home Assistant's own agent; a household in Berlin."""
    freezer.move_to(NOW)
    await hass.config.async_set_time_zone("Europe/Berlin")
    for component in ("homeassistant", "conversation"):
        assert await async_setup_component(hass, component, {})

    async def ask(text, language="en"):
        await settle(hass, freezer)
        answer = (await conversation.async_converse(hass, text, None, Context(), language)).response
        return NOT_OURS if answer.error_code else answer.speech["plain"]["speech"]

    return ask


async def settle(hass, freezer):
    """Let the sentences follow what changed."""
    freezer.tick(2)
    async_fire_time_changed(hass)
    await hass.async_block_till_done(wait_background_tasks=True)


def event(started, label="person", *, camera="front_door", title=None, source="template", **more):
    """An event as a node reports it in a reply; `started` is local."""
    time = dt_util.as_utc(dt_util.parse_datetime(f"2026-11-{started}:00+01:00")).isoformat()
    summary = {**golden("summary"), "title": title, "source": source} if title else None
    content = {"event_type": label, "label": label, "id": f"{camera}-{started}-{label}", "camera": camera}
    ended = {"phase": "ended", "revision": 2, "time": time, "started": time, "ended": time}
    return {"v": 1, **content, **ended, "peak": 1, "zones": [], "summary": summary, **more}


@pytest.fixture
def house(hass, mqtt_client_mock):
    """A node that knows these events, rings and gaps, and filters them as it is asked to; keeps what it was asked."""

    class House:
        def __init__(self):
            self.asked, self.events, self.rings, self.gaps = [], [], [], []

        def reply(self, request):
            def inside(item, time):
                when = dt_util.parse_datetime(item[time])
                since, until = (dt_util.parse_datetime(request.get(key, "")) for key in ("since", "until"))
                here = request.get("camera") in (None, item["camera"])
                return here and (since is None or when >= since) and (until is None or when < until)

            events = [e for e in self.events if inside(e, "started") and request.get("label") in (None, e["label"])]
            rings = [ring for ring in self.rings if inside(ring, "time")]
            limit = request["limit"]
            return {"events": events[:limit], "rings": rings[:limit], "gaps": self.gaps if "since" in request else []}

    house = House()
    publish = mqtt_client_mock.publish.side_effect

    def passed_on(topic, payload, qos, retain, properties=None):
        done = publish(topic, payload, qos, retain, properties)
        if topic == f"{BASE}/ask":
            request = json.loads(payload)
            house.asked.append(request)
            reply = {"v": 1, "ok": True, "correlation": request["correlation"], **house.reply(request)}
            hass.loop.call_soon(async_fire_mqtt_message, hass, request["response_topic"], json.dumps(reply))
        return done

    mqtt_client_mock.publish.side_effect = passed_on
    return house


def expose(hass, *entity_ids):
    for entity_id in entity_ids:
        async_expose_entity(hass, "conversation", entity_id, True)


@pytest.fixture
async def home(hass, assist, house):
    """The golden node with both cameras exposed: a doorbell at the front door, and a yard."""
    entry = await set_up(hass)
    expose(hass, "camera.front_door", "camera.yard")
    return entry


VISITS = [
    event("21 14:05", title="A courier left a parcel", source="llm"),
    event("21 10:20", peak=2),
    event("21 09:00", "vehicle", camera="yard"),
    event("20 18:30", "package"),
    event("16 12:00", "animal", camera="yard"),
]
RINGS = [{"id": "r2", "camera": "front_door", "time": "2026-11-21T13:05:10Z"}]

ASKED = {
    "en": {
        "Who was at the door?": "2 visits today. The last at 14:05: A courier left a parcel. Before that, at 10:20: "
        "2 people. The doorbell rang once.",
        "who was at the front door this morning": "One visit this morning, at 10:20: 2 people.",
        "Has anyone been in the yard yesterday?": "Nobody came yesterday.",
        "Did anyone come today": "2 visits today. ",
        "Was there a parcel?": "No parcel came today. The last was yesterday at 18:30: a parcel, Front door.",
        "Has a package been delivered yesterday": "One parcel yesterday, at 18:30: a parcel, Front door.",
        "How many cars were in the yard today": "One vehicle today, at 09:00: a vehicle.",
        "Were there any animals in the yard this week": "One animal in the last seven days, on Monday at 12:00: ",
        "What happened today?": "3 events today. The last at 14:05: A courier left a parcel. Before that, at 10:20: ",
        "When was someone last at the door": "The last was at 14:05: A courier left a parcel.",
        "Did anyone ring?": "The doorbell rang once today, at 14:05.",
        "Did the doorbell ring yesterday": "The doorbell did not ring yesterday.",
        "When did the doorbell last ring?": "It rang last at 14:05.",
        "Is anyone at the door?": "2 people.",
        "What is at the front door": "Front door: 2 people.",
        "Is there someone in the yard": "Yard cannot be seen just now.",
    },
    "de": {
        "Wer war an der Tür?": "2 Besuche heute. Zuletzt um 14:05 Uhr: eine Person. Davor um 10:20 Uhr: 2 Personen. "
        "Es hat einmal geklingelt.",
        "Wer war heute Morgen an der Haustür?": "Ein Besuch heute Morgen, um 10:20 Uhr: 2 Personen.",
        "War gestern jemand da?": "Gestern war niemand da.",
        "Ist ein Paket gekommen?": "Heute kam kein Paket. Zuletzt gestern um 18:30 Uhr: ein Paket, Front door.",
        "Wann kam das letzte Paket?": "Zuletzt gestern um 18:30 Uhr: ein Paket, Front door.",
        "Was war diese Woche im Yard los": "2 Ereignisse in den letzten sieben Tagen. Zuletzt um 09:00 Uhr: ein ",
        "Hat es geklingelt?": "Es hat heute einmal geklingelt, um 14:05 Uhr.",
        "Wann hat es zuletzt geklingelt": "Zuletzt hat es um 14:05 Uhr geklingelt.",
        "Ist jemand an der Tür?": "2 Personen.",
        "Was ist im Yard los": "Yard ist gerade nicht zu sehen.",
    },
    "es": {
        "¿Quién estuvo en la puerta?": "2 visitas hoy. La última vez a las 14:05: una persona. Antes, a las 10:20: 2 ",
        "¿Ha venido alguien esta mañana?": "Una visita esta mañana, a las 10:20: 2 personas, Front door.",
        "¿Ha llegado un paquete?": "Hoy no llegó ningún paquete. La última vez fue ayer a las 18:30: un paquete",
        "¿Ha sonado el timbre hoy?": "El timbre sonó una vez hoy, a las 14:05.",
        "¿Cuándo llamaron por última vez?": "La última vez sonó a las 14:05.",
        "¿Hay alguien en la puerta?": "2 personas.",
        "¿Qué pasó en Yard esta semana?": "2 sucesos en los últimos siete días. La última vez a las 09:00: un ",
    },
}


@pytest.mark.parametrize("language", ASKED)
async def test_what_is_asked_is_answered_in_its_language(hass, home, assist, house, language):
    house.events, house.rings = VISITS, RINGS
    await publish(hass, "front_door/state", golden("state"))
    await publish(hass, "yard/status", "offline")
    answers = {sentence: await assist(sentence, language) for sentence in ASKED[language]}
    assert {sentence: answers[sentence][: len(begin)] for sentence, begin in ASKED[language].items()} == ASKED[language]


async def test_of_many_visits_two_are_reported_and_the_number(hass, home, assist, house):
    house.events = [event(f"21 {15 - n // 6:02}:{50 - n % 6 * 10}") for n in range(55)]
    answer = await assist("Who was at the door?")
    assert answer == "55 visits today. The last at 15:50: a person. Before that, at 15:40: a person."
    house.events = [event(f"21 {n // 60:02}:{n % 60:02}") for n in range(510)][::-1]
    assert (await assist("Who was at the door?")).startswith("At least 500 visits today.")


async def test_a_camera_is_asked_about_by_its_name_and_its_aliases_also_after_a_change(
    hass, home, assist, house, entity_registry, device_registry
):
    assert await assist("Who was at the gate?") == NOT_OURS
    entity_registry.async_update_entity("camera.yard", name="Back: Mom's (gate)", aliases=["Gate", "Garden"])
    assert await assist("Who was at the gate?") == "Nobody came today."
    assert house.asked[0]["camera"] == "yard"
    assert await assist("Who was at the back mom's gate yesterday") == "Nobody came yesterday."
    assert house.asked[-1]["camera"] == "yard"
    device = device_registry.async_get_device_by_identifier(("blikk", "porch-pi.front_door"), home.entry_id)
    device_registry.async_update_device(device.id, name_by_user="Portal")
    assert await assist("Wer war gestern am Portal?", "de") == "Gestern war niemand da."
    assert house.asked[-1]["camera"] == "front_door"


async def test_a_household_s_own_words_are_reported_where_they_say_more(hass, assist, house):
    await hass.config.async_update(language="de")
    await set_up(hass)
    expose(hass, "camera.front_door", "camera.yard")
    house.events = [event("21 14:05", title="Ein Bote an der Haustür."), event("21 10:20", camera="yard")]
    reported = "2 Besuche heute. Zuletzt um 14:05 Uhr: Ein Bote an der Haustür. Davor um 10:20 Uhr: eine Person, Yard."
    assert await assist("Wer war da?", "de") == reported
    assert await assist("Wer war an der Tür?", "de") == "Ein Besuch heute, um 14:05 Uhr: eine Person."
    assert "Bote" not in await assist("Who was here?", "en")


async def test_whom_the_household_knows_is_reported_by_its_own_word(hass, home, assist, house):
    house.events = [event("21 14:05", title="A man in a hat", source="llm", mark="the postman"), event("21 10:20")]
    answer = await assist("Who was at the door?")
    assert answer == "2 visits today. The last at 14:05: the postman. Before that, at 10:20: a person."


async def test_what_nobody_watched_is_not_denied(hass, home, assist, house):
    day = {"since": "2026-11-20T23:00:00Z", "until": "2026-11-21T15:30:10Z"}
    house.gaps = [{"camera": None, **day}, {"camera": "front_door", **day}, {"camera": "yard", **day}]
    assert await assist("Who was at the door?") == "Today nobody watched, so I cannot tell."
    assert await assist("Did anyone ring") == "Today nobody watched, so I cannot tell."
    house.gaps = [{"camera": "front_door", "since": "2026-11-21T07:00:00Z", "until": "2026-11-21T08:30:00Z"}]
    assert await assist("Who was at the door?") == "Nobody came today. Nobody watched from 08:00 to 09:30."
    assert await assist("Who was here?") == "Nobody came today. Not all of that time was watched."
    assert await assist("Did anyone ring") == "The doorbell did not ring today."


async def test_a_node_that_does_not_answer_is_named(hass, home, assist, house):
    await set_up(hass, entry_of(announce(id="shed", name="Shed")))
    expose(hass, "camera.front_door_2")
    house.events = [event("21 14:05")]
    answer = await assist("Who was at the door?")
    assert answer == "One visit today, at 14:05: a person, Front door. Shed does not answer just now."
    await publish(hass, "status", "offline")
    both = "Porch Pi does not answer just now. Shed does not answer just now."
    for question in ("Who was here?", "Did anyone ring?", "When was the last ring?", "When was the last visit?"):
        assert await assist(question) == both


async def test_of_a_place_without_doorbells_the_door_is_every_camera(hass, assist, house):
    plain = [{**camera, "ring": False} for camera in announce()["cameras"]]
    await set_up(hass, entry_of(announce(cameras=plain)))
    expose(hass, "camera.front_door", "camera.yard")
    await assist("Who was at the door?")
    assert [request.get("camera") for request in house.asked] == [None, None]  # today, and when last


async def test_only_cameras_that_are_exposed_are_asked_about(hass, assist, house):
    await set_up(hass)
    assert (await assist("Who was at the door?")).startswith("No camera may be asked about yet.")
    assert (await assist("Wer war an der Tür?", "de")).startswith("Noch darf nach keiner Kamera gefragt werden.")
    expose(hass, "camera.yard")
    assert await assist("Who was at the front door?") == "Nobody came today."
    assert {request["camera"] for request in house.asked} == {"yard"}


async def test_where_assistants_may_not_ask_the_sentences_are_not_ours(hass, assist, house):
    await set_up(hass, entry_of(options={"assistants": False}))
    expose(hass, "camera.front_door")
    assert await assist("Who was at the door?") == NOT_OURS
    assert house.asked == []


async def test_sentences_go_with_the_last_node(hass, home, assist, house):
    assert await assist("Who was at the door?") != NOT_OURS
    await hass.config_entries.async_unload(home.entry_id)
    assert await assist("Who was at the door?") == NOT_OURS


async def test_what_is_not_ours_is_left_to_others(hass, home, assist):
    for sentence in ("Who was at the party?", "Who was Napoleon?", "What happened in 1789?", "Turn on the light"):
        assert await assist(sentence) == NOT_OURS


async def test_sentences_of_others_may_name_our_intents(hass, home, assist, house):
    slots = {name: {"value": value} for name, value in {"camera": "YARD", "label": "vehicle", "period": "week"}.items()}
    house.events = VISITS
    answer = await intent.async_handle(hass, "test", "BlikkVisits", slots, language="fr", assistant="conversation")
    assert answer.speech["plain"]["speech"] == "One vehicle in the last seven days, at 09:00: a vehicle."
    slots["camera"]["value"] = "Attic"
    answer = await intent.async_handle(hass, "test", "BlikkVisits", slots, language="en")
    assert answer.speech["plain"]["speech"] == "There is no camera called Attic."
    with pytest.raises(intent.InvalidSlotInfo):
        await intent.async_handle(hass, "test", "BlikkVisits", {"period": {"value": "never"}})


# ---- a language model beside it


async def test_an_assistant_with_a_model_that_sees_no_camera_is_a_repair(hass, mqtt_mock, assist, hass_client, freezer):
    entry = await set_up(hass)
    await settle(hass, freezer)
    issues, key = ir.async_get(hass), f"not_exposed_{entry.entry_id}"
    assert issues.async_get_issue("blikk", key) is None
    hass.states.async_set("conversation.model", "unknown")
    await settle(hass, freezer)
    issue = issues.async_get_issue("blikk", key)
    flow, done = await click(hass, hass_client, issue)
    assert (flow["step_id"], done["type"]) == ("confirm", "create_entry")
    await settle(hass, freezer)
    assert issues.async_get_issue("blikk", key) is None
    assert async_should_expose(hass, "conversation", "camera.front_door")
    async_expose_entity(hass, "conversation", "camera.front_door", False)
    async_expose_entity(hass, "conversation", "camera.yard", False)
    await settle(hass, freezer)
    assert issues.async_get_issue("blikk", key)
    hass.states.async_remove("conversation.model")
    await settle(hass, freezer)
    assert issues.async_get_issue("blikk", key) is None


@pytest.mark.parametrize("wanted", [True, False])
async def test_whoever_adds_a_node_says_whether_assistants_may_ask(hass, mqtt_mock, assist, statuses, wanted):
    info = MqttServiceInfo(
        topic=f"{BASE}/announce", payload=json.dumps(announce()), qos=1, retain=True, subscribed_topic="", timestamp=0.0
    )
    flow = await hass.config_entries.flow.async_init("blikk", context={"source": SOURCE_MQTT}, data=info)
    done = await hass.config_entries.flow.async_configure(flow["flow_id"], {"assistants": wanted})
    await hass.async_block_till_done()
    entry = done["result"]
    assert entry.options == {"assistants": wanted}
    assert "expose" not in entry.data
    assert async_should_expose(hass, "conversation", "camera.yard") is wanted
    async_expose_entity(hass, "conversation", "camera.yard", False)  # asked once, not at each start
    await hass.config_entries.async_reload(entry.entry_id)
    assert not async_should_expose(hass, "conversation", "camera.yard")


# ---- the data


def keys(content, where=""):
    if not isinstance(content, dict):
        return {
            where: set(re.findall(r"\{(\w+)\}", str(content))) - {"When"}
            | ({"when"} if "{When}" in str(content) else set())
        }
    return {name: found for key, value in content.items() for name, found in keys(value, f"{where}.{key}").items()}


def test_every_language_says_the_same():
    english = keys({key: value for key, value in languages()["en"]._content.items() if key != "words"})
    for tag, language in languages().items():
        theirs = keys({key: value for key, value in language._content.items() if key != "words"})
        assert theirs.keys() == english.keys(), tag
        assert {key: found for key, found in theirs.items() if key.startswith((".answers", ".none", ".counted"))} == {
            key: found for key, found in english.items() if key.startswith((".answers", ".none", ".counted"))
        }, tag
        assert language._content["periods"].keys() == set(PERIODS)
        assert {(q.intent, *sorted(q.slots.items())) for q in language.questions} == {
            (q.intent, *sorted(q.slots.items())) for q in languages()["en"].questions
        }


@pytest.mark.parametrize(
    ("now", "period", "expected"),
    [
        ("11-21 16:30", "today", ("11-21 00:00", None)),
        ("11-21 16:30", "yesterday", ("11-20 00:00", "11-21 00:00")),
        ("11-21 16:30", "morning", ("11-21 05:00", "11-21 12:00")),
        ("11-21 04:00", "morning", ("11-20 05:00", "11-20 12:00")),
        ("11-21 01:00", "evening", ("11-20 18:00", "11-21 00:00")),
        ("11-21 16:30", "night", ("11-20 22:00", "11-21 06:00")),
        ("11-21 16:30", "hour", ("11-21 15:30", None)),
        ("11-21 16:30", "week", ("11-14 16:30", None)),
        ("10-25 12:00", "morning", ("10-25 05:00", "10-25 12:00")),  # the clock went back in that night
        ("10-26 12:00", "yesterday", ("10-25 00:00", "10-26 00:00")),
        ("03-29 12:00", "night", ("03-28 22:00", "03-29 06:00")),  # and forward in that one
    ],
)
async def test_periods_are_of_the_household_s_day(hass, now, period, expected):
    await hass.config.async_set_time_zone("Europe/Berlin")

    def local(text):
        return dt_util.parse_datetime(f"2026-{text}:00").replace(tzinfo=dt_util.get_default_time_zone())

    since, until = span(period, dt_util.as_utc(local(now)))
    assert f"{dt_util.as_local(since):%m-%d %H:%M}" == expected[0]
    assert (until and f"{dt_util.as_local(until):%m-%d %H:%M}") == expected[1]
