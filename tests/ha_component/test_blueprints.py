"""The blueprints as automations of a real Home Assistant: a phone that is a real mobile app, and a fake clock."""

import asyncio
import json
import shutil
from datetime import timedelta

import pytest
from homeassistant.components.blueprint import BLUEPRINT_SCHEMA, Blueprint
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
from homeassistant.util.yaml import load_yaml
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_mqtt_message,
    async_fire_time_changed_exact,
    async_mock_service,
)
from pytest_homeassistant_custom_component.test_util.aiohttp import AiohttpClientMockResponse
from stage import EXAMPLES, NODE, ROOT, announce, entry_of, golden, jpeg_of, publish, set_up
from yarl import URL

from custom_components.blikk.node import BlikkNode

BLUEPRINTS = ROOT / "blueprints" / "automation" / "blikk"
NAMES = sorted(path.stem for path in BLUEPRINTS.glob("*.yaml"))
BELL = "event.front_door_doorbell"
PUSH = "https://push.example.com/"
IMAGES = {"plain": "/api/image_proxy/image.front_door_last_{}?at=", "component": "/api/blikk/events/"}
VISIT = golden("event-loitering")["id"]


# ---- the stage: a house with a phone, a node, and a clock that the test sets


@pytest.fixture
async def house(hass, hass_config, freezer, tmp_path, mqtt_mock):
    """A Home Assistant whose folder has our blueprints, at noon of a dark day."""
    shutil.copytree(BLUEPRINTS, tmp_path / "blueprints" / "automation" / "blikk")
    hass.config.config_dir = str(tmp_path)
    await hass.config.async_set_time_zone("UTC")
    freezer.move_to("2026-11-21T12:00:00+00:00")
    hass_config |= {
        "homeassistant": {},
        "person": [{"id": "ann", "name": "Ann"}],
        "input_boolean": {"lamp": None},
        "input_datetime": {"snoozed": {"has_date": True, "has_time": True}},
    }
    for domain in hass_config:
        assert await async_setup_component(hass, domain, hass_config)
    hass.states.async_set("sun.sun", "below_horizon")
    return hass


@pytest.fixture
def automate(house, hass_config):
    """Make an automation of a blueprint and its inputs."""

    async def make(name, **inputs):
        use = {"path": f"blikk/{name}.yaml", "input": inputs}
        hass_config["automation"] = [{"alias": "Door", "id": "door", "use_blueprint": use}]
        assert await async_setup_component(house, "automation", hass_config)
        await house.async_block_till_done()
        assert state(house, "automation.door") == "on"

    return make


@pytest.fixture
async def phone(house, aioclient_mock):
    """What comes to Ann's phone: the bodies that go to the push service."""
    sent = []

    async def push(method, url, body):
        sent.append(body)
        return AiohttpClientMockResponse(method, url, status=201, json={})

    aioclient_mock.post(PUSH, side_effect=push)
    await add_phone(house, "Ann's phone")
    return sent


async def add_phone(hass, name):
    """Register the app of one phone, as the phone itself does."""
    entry = MockConfigEntry(
        domain="mobile_app",
        title=name,
        data={
            "app_data": {"push_token": "token", "push_url": PUSH},
            "app_id": "io.homeassistant.companion",
            "app_name": "Home Assistant",
            "app_version": "2026.10",
            "device_id": name,
            "device_name": name,
            "manufacturer": "Maker",
            "model": "One",
            "os_name": "Android",
            "os_version": "17",
            "supports_encryption": False,
            "user_id": "1",
            "webhook_id": f"hook-{name}",
        },
    )
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()


async def plain(hass, language="en"):
    """The node through plain MQTT discovery, in a language."""
    config = f"homeassistant/device/blikk_{NODE}/camera_front_door/config"
    content = (EXAMPLES / "discovery-camera.json").read_text().replace(r"\"en\"", rf"\"{language}\"")
    async_fire_mqtt_message(hass, config, content, retain=True)
    await hass.async_block_till_done()
    for topic in ("status", "front_door/status"):
        await publish(hass, topic, "online", retain=True)


async def component(hass, language="en"):
    """The node through our component, in a language of Home Assistant."""
    await hass.config.async_update(language=language)
    await set_up(hass, entry_of({**announce(), "cameras": announce()["cameras"][:1]}))


@pytest.fixture
async def node(house, phone):
    """The node through plain MQTT discovery; the component's entities have the same ids and attributes."""
    await plain(house)


@pytest.fixture(params=[plain, component], ids=["plain", "component"])
async def either(request, house, phone):
    """The node in either way, and which."""
    await request.param(house)
    return request.param.__name__


@pytest.fixture
def marked(monkeypatch):
    """What the node is asked to keep with which event or ring."""
    kept = []

    async def mark(node, event, mark):
        kept.append((event, mark))
        return []

    monkeypatch.setattr(BlikkNode, "async_mark", mark)
    return kept


WAYS = pytest.mark.parametrize("way", [plain, component], ids=["plain", "component"])


async def settle():
    """Let what is ready run; runs that wait for the clock stay where they are."""
    for _ in range(100):
        await asyncio.sleep(0)


async def later(hass, freezer, **time):
    """Move the clock on."""
    freezer.tick(timedelta(**time))
    async_fire_time_changed_exact(hass, dt_util.utcnow())
    await settle()


def say(hass, topic, payload):
    """A message of the camera, without waiting for what comes of it."""
    content = json.dumps(payload) if isinstance(payload, dict) else payload
    async_fire_mqtt_message(hass, f"blikk/{NODE}/front_door/{topic}", content, qos=1)


async def ring(hass, number=1, *, ago_s=0):
    """The doorbell is pressed now, or was so long ago and is reported now."""
    time = (dt_util.utcnow() - timedelta(seconds=ago_s)).isoformat()
    late = {"replayed": True} if ago_s else {}
    say(hass, "ring", {**golden("ring"), "id": f"front_door-ring-{number}", "time": time, **late})
    await settle()


async def photograph(hass, event="front_door-ring-1", name="ring"):
    """The picture of a ring or an event comes."""
    say(hass, f"picture/{name}", jpeg_of(event))
    await settle()


async def summarise(hass, text="A courier left a parcel.", *, since="2026-11-21T11:59:50Z", until=None, **changes):
    """The node writes about a visit, by default of all the time so far."""
    time = dt_util.utcnow().isoformat()
    of = {"time": time, "since": since, "until": until or time}
    say(hass, "summary", {**golden("summary"), "text": text, **of, **changes})
    await settle()


async def press(hass, notification, title):
    """A button of a notification is pressed on the phone."""
    button = next(button for button in notification["data"]["actions"] if title in button["title"])
    hass.bus.async_fire("mobile_app_notification_action", {"action": button["action"], "title": button["title"]})
    await settle()


async def reload(hass):
    """What a restart is for automations and helpers: runs end, states come back from the storage."""
    for domain in ("automation", "input_datetime"):
        await hass.services.async_call(domain, "reload", blocking=True)
    await settle()


def state(hass, entity_id):
    return hass.states.get(entity_id).state


# ---- all of them


@pytest.mark.parametrize("name", NAMES)
def test_a_blueprint_needs_one_choice_and_little_else(name):
    content = load_yaml(str(BLUEPRINTS / f"{name}.yaml"))
    blueprint = Blueprint(content, expected_domain="automation", schema=BLUEPRINT_SCHEMA)
    assert blueprint.validate() is None
    assert blueprint.metadata["homeassistant"]["min_version"] == "2026.10.0"
    assert blueprint.metadata["source_url"].endswith(f"/blueprints/automation/blikk/{name}.yaml")
    assert len(blueprint.inputs) <= 25
    assert [key for key, value in blueprint.inputs.items() if "default" not in value] == [next(iter(blueprint.inputs))]
    assert all(value["selector"] and value["name"] for value in blueprint.inputs.values())


def test_there_are_three():
    assert NAMES == ["doorbell", "parcel_left", "someone_lingers"]


@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("doorbell", {"doorbells": [BELL]}),
        ("parcel_left", {"parcels": ["binary_sensor.front_door_package"]}),
        ("someone_lingers", {"detections": ["event.front_door_detection"]}),
    ],
)
async def test_run_by_hand_it_shows_what_it_does(house, phone, either, freezer, caplog, name, inputs, automate):
    await automate(name, **inputs)
    await house.services.async_call("automation", "trigger", {"entity_id": "automation.door"})
    await settle()
    await later(house, freezer, seconds=1)
    assert [(body["title"], "image" in body["data"]) for body in phone] == [("Front door", False)]
    assert "rror" not in caplog.text


TEXTS = {name: load_yaml(str(BLUEPRINTS / f"{name}.yaml"))["variables"]["texts"] for name in NAMES}
LANGUAGES = ["en", "de", "es", "fr", "it", "nl"]


@pytest.mark.parametrize("name", NAMES)
def test_every_language_says_the_same(name):
    texts = TEXTS[name]
    assert list(texts) == LANGUAGES
    assert {tag: said.keys() for tag, said in texts.items()} == dict.fromkeys(LANGUAGES, texts["en"].keys())
    assert all("{{ snooze_minutes }}" in said["snooze"] for said in texts.values())
    words = [text for said in texts.values() for text in said.values()]
    assert all(isinstance(text, str) and text == text.strip() != "" for text in words)
    assert not texts["en"].keys() & set(dir(dict))  # templates would find these instead


@pytest.mark.parametrize("name", NAMES)
def test_every_word_is_used_and_said_in_english_where_it_can_be_changed(name):
    text = (BLUEPRINTS / f"{name}.yaml").read_text()
    said = TEXTS[name]["en"]
    assert {key for key in said if f"words.{key}" in text} == said.keys()
    inputs = Blueprint(load_yaml(str(BLUEPRINTS / f"{name}.yaml")), schema=BLUEPRINT_SCHEMA).inputs.values()
    defaults = {each["default"]: each["description"] for each in inputs if "words." in str(each.get("default"))}
    assert len(defaults) > 4
    for default, description in defaults.items():
        words = said[default.strip("{} ").removeprefix("words.")].replace("{{ snooze_minutes }}", "30")
        assert description.startswith(f"By default, in the household's language: {words.rstrip('.')}.")


async def show(hass, name, freezer, automate, **inputs):
    """One of the blueprints tells what it is for."""
    if name == "doorbell":
        await automate(name, doorbells=[BELL], **inputs)
        await ring(hass)
        await photograph(hass)
    elif name == "parcel_left":
        await leave_parcel(hass, freezer, automate, **inputs)
    else:
        await automate(name, detections=["event.front_door_detection"], **inputs)
        await linger(hass, freezer)


FIRST = {
    "doorbell": {
        "en": "Somebody rang.",
        "de": "Es hat geklingelt.",
        "es": "Han llamado al timbre.",
        "fr": "On a sonné.",
        "it": "Hanno suonato il campanello.",
        "nl": "Er is aangebeld.",
    },
    "parcel_left": {
        "en": "A parcel was left.",
        "de": "Ein Paket wurde abgelegt.",
        "es": "Han dejado un paquete.",
        "fr": "Un colis a été déposé.",
        "it": "È stato lasciato un pacco.",
        "nl": "Er is een pakket neergelegd.",
    },
    "someone_lingers": {
        "en": "Someone is lingering.",
        "de": "Jemand hält sich hier länger auf.",
        "es": "Alguien lleva un rato ahí.",
        "fr": "Quelqu’un est là depuis un moment.",
        "it": "Qualcuno si trattiene a lungo.",
        "nl": "Er blijft iemand rondhangen.",
    },
}


@WAYS
@pytest.mark.parametrize(("name", "tag"), [(name, tag) for name, said in FIRST.items() for tag in said])
async def test_a_notification_is_in_the_language_of_the_household(house, phone, freezer, automate, way, name, tag):
    await way(house, tag)
    await show(house, name, freezer, automate)
    assert [body["message"] for body in phone] == [FIRST[name][tag]]


@WAYS
@pytest.mark.parametrize(
    ("name", "channel", "buttons"),
    [
        ("doorbell", "Türklingel", ["Livebild", "30 Min. stumm", "Das war Familie"]),
        ("parcel_left", "Pakete", ["Zur Zeitleiste", "30 Min. stumm", "Erwartet"]),
        ("someone_lingers", "Verweilen", ["Livebild", "30 Min. stumm", "Das war Familie"]),
    ],
)
async def test_all_of_a_notification_is_in_german(house, phone, freezer, automate, way, name, channel, buttons):
    await way(house, "de")
    await show(house, name, freezer, automate)
    (body,) = phone
    assert body["data"]["channel"] == channel
    assert titles(body) == (buttons if way is component else ["Livebild"])


@WAYS
async def test_in_quiet_hours_the_doorbell_has_the_quiet_channel_of_its_language(house, phone, automate, way):
    await way(house, "de")
    await automate("doorbell", doorbells=[BELL], quiet_from="11:00:00", quiet_to="13:00:00")
    await ring(house)
    await photograph(house)
    assert phone[0]["data"]["channel"] == "Türklingel, leise"


@WAYS
async def test_the_button_of_the_timeline_is_in_german(house, phone, freezer, automate, way):
    await way(house, "de")
    await show(house, "doorbell", freezer, automate)
    await later(house, freezer, seconds=20)
    await summarise(house)
    assert titles(phone[1])[0] == ("Zur Zeitleiste" if way is component else "Livebild")


@WAYS
async def test_the_reminder_is_in_german(house, phone, freezer, automate, way):
    await way(house, "de")
    await show(house, "parcel_left", freezer, automate)
    await later(house, freezer, minutes=121)
    assert [body["message"] for body in phone] == ["Ein Paket wurde abgelegt.", "Das Paket liegt noch da."]


OWN = {"message": "Hey, {{ 1 + 1 }}!", "live_words": "See", "snooze_words": "Hush", "timeline_words": ""}
MARK_WORDS = {"doorbell": "known_words", "parcel_left": "expected_words", "someone_lingers": "known_words"}


@WAYS
@pytest.mark.parametrize("name", NAMES)
async def test_ones_own_words_stay_in_any_language(house, phone, freezer, automate, way, name):
    await way(house, "de")
    await show(house, name, freezer, automate, **OWN, **{MARK_WORDS[name]: "Ours"})
    (body,) = phone
    assert body["message"] == "Hey, 2!"
    assert titles(body) == (["See", "Hush", "Ours"] if way is component else ["See"])


@WAYS
@pytest.mark.parametrize("tag", ["pt-BR", "de-CH"])
@pytest.mark.parametrize("name", NAMES)
async def test_a_language_that_it_does_not_speak_is_english_and_one_of_a_country_is_its_language(
    house, phone, freezer, automate, way, name, tag
):
    await way(house, tag)
    await show(house, name, freezer, automate)
    assert [body["message"] for body in phone] == [FIRST[name]["en" if tag == "pt-BR" else "de"]]


@pytest.mark.parametrize("name", NAMES)
async def test_the_texts_of_a_node_that_does_not_say_its_language_are_english(house, phone, freezer, automate, name):
    config = golden("discovery-camera")
    for part in config["components"].values():
        if "dict(value_json, language=" in part.get("value_template", ""):
            part["value_template"] = part["value_template"].replace('dict(value_json, language="en")', "value_json")
        if "'language'" in part.get("json_attributes_template", ""):
            del part["json_attributes_topic"], part["json_attributes_template"]
    assert "language" not in json.dumps(config)
    topic = f"homeassistant/device/blikk_{NODE}/camera_front_door/config"
    async_fire_mqtt_message(house, topic, json.dumps(config), retain=True)
    await house.async_block_till_done()
    for status in ("status", "front_door/status"):
        await publish(house, status, "online", retain=True)
    await show(house, name, freezer, automate)
    assert [body["message"] for body in phone] == [FIRST[name]["en"]]


# ---- doorbell


async def test_the_phone_knows_within_a_second_and_has_the_picture(house, phone, either, freezer, automate):
    await automate("doorbell", doorbells=[BELL])
    await ring(house)
    await later(house, freezer, milliseconds=400)
    assert phone == []  # the picture is on its way
    await photograph(house)
    (body,) = phone
    assert (body["title"], body["message"]) == ("Front door", "Somebody rang.")
    assert body["data"]["image"].startswith(IMAGES[either].format("ring"))
    assert body["data"]["push"]["interruption-level"] == "time-sensitive"
    assert body["data"]["url"] == body["data"]["clickAction"] == "/?more-info-entity-id=camera.front_door"


async def test_the_picture_in_a_notification_is_the_redacted_one_and_no_token_is(
    house, phone, either, hass_client, automate
):
    await automate("doorbell", doorbells=[BELL])
    await ring(house)
    await photograph(house)
    image = phone[0]["data"]["image"]
    client = await hass_client()
    answer = await client.get(image)
    assert (answer.status, await answer.read()) == (200, jpeg_of("front_door-ring-1"))
    token = house.states.get("image.front_door_last_ring").attributes["access_token"]
    assert token not in json.dumps(phone)
    assert "token=" not in image


async def test_a_second_ring_does_not_change_what_the_first_notification_shows(
    house, phone, freezer, hass_client, automate
):
    await component(house)
    await automate("doorbell", doorbells=[BELL])
    await ring(house)
    await photograph(house)
    await later(house, freezer, seconds=30)
    await ring(house, 2)
    await photograph(house, "front_door-ring-2")
    await later(house, freezer, seconds=30)
    await summarise(house)
    first, second, *rewritten = phone
    client = await hass_client()
    pictures = [await (await client.get(body["data"]["image"])).read() for body in (first, second)]
    assert pictures == [jpeg_of("front_door-ring-1"), jpeg_of("front_door-ring-2")]
    assert [(body["data"]["tag"], body["data"]["image"]) for body in rewritten] == [
        (second["data"]["tag"], second["data"]["image"])
    ]


async def test_of_two_rings_in_one_visit_only_the_last_notification_is_rewritten(
    house, phone, either, freezer, automate
):
    await automate("doorbell", doorbells=[BELL])
    await ring(house)
    await photograph(house)
    await later(house, freezer, seconds=15)
    await summarise(house, "Someone is at the door.", revision=1)
    await ring(house, 2)
    await later(house, freezer, seconds=25)
    await summarise(house, "A courier rang twice.")
    first, early, second, final = phone
    assert [body["message"] for body in phone[1:]] == [
        "Someone is at the door.",
        "Somebody rang.",
        "A courier rang twice.",
    ]
    assert early["data"]["tag"] == first["data"]["tag"]
    assert final["data"]["tag"] == second["data"]["tag"] != first["data"]["tag"]


async def test_two_visits_that_follow_each_other_rewrite_the_notification_of_their_own_ring(
    house, phone, either, freezer, automate
):
    await automate("doorbell", doorbells=[BELL])
    await ring(house)
    await photograph(house)
    await later(house, freezer, seconds=40)
    await ring(house, 2)
    await later(house, freezer, seconds=10)
    await summarise(house, "A courier.", since="2026-11-21T11:59:58Z", until="2026-11-21T12:00:20Z", event="one")
    await later(house, freezer, seconds=10)
    await summarise(house, "A neighbour.", since="2026-11-21T12:00:38Z", until="2026-11-21T12:00:55Z", event="two")
    first, second, *rewritten = phone
    assert [(body["message"], body["data"]["tag"]) for body in rewritten] == [
        ("A courier.", first["data"]["tag"]),
        ("A neighbour.", second["data"]["tag"]),
    ]


async def test_a_text_about_now_is_no_summary_of_a_ring(house, phone, either, freezer, automate):
    await automate("doorbell", doorbells=[BELL])
    await ring(house)
    await photograph(house)
    await later(house, freezer, seconds=20)
    await summarise(house, "An empty porch.", event=None)
    assert len(phone) == 1


@pytest.mark.parametrize(("ago_s", "title"), [(0, "Front door"), (5, "Front door"), (42, "Front door · 12:59")])
async def test_a_ring_that_is_reported_late_says_when_it_was(house, phone, either, freezer, automate, ago_s, title):
    await house.config.async_set_time_zone("Europe/Berlin")
    await automate("doorbell", doorbells=[BELL])
    await ring(house, ago_s=ago_s)
    await photograph(house)
    await later(house, freezer, seconds=20)
    await summarise(house, since="2026-11-21T11:59:00Z")
    assert [body["title"] for body in phone] == [title, title]
    assert ("entity_id" in phone[0]["data"]) == (title == "Front door")  # what is over is not shown live


async def test_two_rings_of_an_outage_that_are_reported_at_once_are_two(house, phone, either, freezer, automate):
    await automate("doorbell", doorbells=[BELL])
    await ring(house, ago_s=120)
    await ring(house, 2, ago_s=60)
    await later(house, freezer, seconds=1)
    assert sorted(body["title"] for body in phone) == ["Front door · 11:58", "Front door · 11:59"]


async def test_the_picture_of_a_notification_outlasts_twenty_others(house, phone, freezer, hass_client, automate):
    await component(house)
    await automate("doorbell", doorbells=[BELL])
    await ring(house)
    await photograph(house)
    for number in range(2, 22):
        await photograph(house, f"front_door-ring-{number}")
    await later(house, freezer, seconds=20)
    await summarise(house)
    first, rewritten = phone
    assert first["data"]["image"] == rewritten["data"]["image"]
    answer = await (await hass_client()).get(first["data"]["image"])
    assert (answer.status, await answer.read()) == (200, jpeg_of("front_door-ring-1"))


async def test_through_plain_discovery_a_rewritten_notification_has_no_picture_of_the_next_ring(
    house, phone, node, freezer, automate
):
    await automate("doorbell", doorbells=[BELL])
    await ring(house)
    await photograph(house)
    await later(house, freezer, seconds=30)
    await photograph(house)
    await summarise(house)
    assert ["image" in body["data"] for body in phone] == [True, False]


async def test_a_picture_that_comes_late_is_of_the_ring_or_left_out(house, phone, either, freezer, automate):
    await automate("doorbell", doorbells=[BELL])
    await ring(house)
    await later(house, freezer, seconds=3)
    await photograph(house)
    await later(house, freezer, seconds=17)
    await summarise(house, revision=1)
    assert ["image" in body["data"] for body in phone] == [False, True]
    await later(house, freezer, minutes=9)
    await ring(house, 2)
    await later(house, freezer, seconds=6)
    await photograph(house)
    await later(house, freezer, seconds=10)
    await summarise(house, event="front_door-9")
    assert ["image" in body["data"] for body in phone[2:]] == [False, False]


async def test_without_a_picture_the_phone_still_knows_within_a_second(house, phone, node, freezer, automate):
    await automate("doorbell", doorbells=[BELL])
    await photograph(house)  # of an older ring
    await later(house, freezer, minutes=1)
    await ring(house)
    assert phone == []
    await later(house, freezer, milliseconds=750)
    assert [body["message"] for body in phone] == ["Somebody rang."]
    assert "image" not in phone[0]["data"]


async def test_a_ring_that_is_heard_while_the_stream_is_away_reaches_the_phone(house, phone, either, freezer, automate):
    await automate("doorbell", doorbells=[BELL])
    await publish(house, "front_door/status", "offline", retain=True)
    await ring(house)
    await later(house, freezer, milliseconds=750)
    assert [(body["message"], "image" in body["data"]) for body in phone] == [("Somebody rang.", False)]


async def test_the_summary_rewrites_the_notification_without_a_sound(house, phone, either, freezer, automate):
    await automate("doorbell", doorbells=[BELL])
    await ring(house)
    await photograph(house)
    await later(house, freezer, seconds=20)
    await summarise(house, "Someone is at the door.", revision=1)
    await later(house, freezer, seconds=20)
    await summarise(house, "Somebody passed by.", revision=2, event="front_door-2")
    await later(house, freezer, seconds=1)
    await summarise(house, "A courier left a parcel.", revision=2)
    first, early, final = phone
    assert [early["message"], final["message"]] == ["Someone is at the door.", "A courier left a parcel."]
    assert first["data"]["tag"] == early["data"]["tag"] == final["data"]["tag"]
    assert (first["data"]["alert_once"], final["data"]["alert_once"]) == (False, True)
    assert final["data"]["push"] == {"sound": "none", "interruption-level": "passive"}
    assert final["data"]["image"] == first["data"]["image"]
    assert timelines(first) == []  # which visit it is comes with the summary
    assert timelines(final) == ([golden("summary")["event"]] if either == "component" else [])
    assert [body["data"].get("entity_id") for body in phone] == ["camera.front_door", None, None]
    await later(house, freezer, seconds=20)
    await summarise(house, "The next visitor came.", revision=1, event="front_door-3")
    assert len(phone) == 3


@pytest.mark.parametrize(
    ("changes", "delay_s"),
    [({"time": "2026-11-21T11:59:00Z"}, 20), ({"labels": ["vehicle"]}, 20), ({}, 400)],
    ids=["from before", "of a car", "too late"],
)
async def test_other_summaries_leave_it_as_it_is(house, phone, node, freezer, changes, delay_s, automate):
    await automate("doorbell", doorbells=[BELL])
    await ring(house)
    await photograph(house)
    await later(house, freezer, seconds=delay_s)
    await summarise(house, **changes)
    assert len(phone) == 1


async def test_each_ring_has_a_notification_of_its_own_but_not_each_press(house, phone, node, freezer, automate):
    await automate("doorbell", doorbells=[BELL])
    for number, pause_s in enumerate((0, 3, 3, 60)):
        await later(house, freezer, seconds=pause_s)
        await ring(house, number)
        await photograph(house)
    assert len(phone) == 2
    assert len({body["data"]["tag"] for body in phone}) == 2
    buttons = [button["action"] for body in phone for button in body["data"]["actions"] if button["action"] != "URI"]
    assert len(set(buttons)) == len(buttons)


async def test_what_is_ready_again_after_a_restart_does_not_ring(house, phone, either, freezer, automate):
    await automate("doorbell", doorbells=[BELL])
    await ring(house)
    await photograph(house)
    for status, shown in (("offline", "unavailable"), ("online", "2026-11-21T12:00:00.000+00:00")):
        async_fire_mqtt_message(house, f"blikk/{NODE}/status", status, qos=1)
        await settle()
        assert state(house, BELL) == shown
    await later(house, freezer, seconds=1)
    assert len(phone) == 1


async def test_only_the_chosen_phones_are_reported(house, phone, node, freezer, device_registry, automate):
    await add_phone(house, "Tablet")
    (tablet,) = device_registry.async_get_devices(identifiers={("mobile_app", "Tablet")})
    await automate("doorbell", doorbells=[BELL], phones=[tablet.id])
    await ring(house)
    await photograph(house)
    assert [body["registration_info"]["webhook_id"] for body in phone] == ["hook-Tablet"]


async def test_all_phones_are_reported_if_none_is_chosen(house, phone, node, freezer, automate):
    await add_phone(house, "Tablet")
    await automate("doorbell", doorbells=[BELL])
    await ring(house)
    await photograph(house)
    assert len(phone) == 2


async def test_own_words_and_page_are_used(house, phone, node, automate):
    words = {
        "title": "{{ place }}!",
        "message": "Ding {{ '%d' % 2 }}",
        "live_words": "See",
        "live_path": "/lovelace/door",
    }
    await automate("doorbell", doorbells=[BELL], snooze_words="Hush {{ snooze_minutes }}", snooze_minutes=5, **words)
    await ring(house)
    await photograph(house)
    (body,) = phone
    assert (body["title"], body["message"]) == ("Front door!", "Ding 2")
    assert body["data"]["actions"][0] == {"action": "URI", "title": "See", "uri": "/lovelace/door"}


async def test_snooze_of_a_plain_doorbell_outlives_a_restart(house, phone, freezer, automate):
    await plain(house)
    await automate("doorbell", doorbells=[BELL], snooze_helper="input_datetime.snoozed")
    await ring(house)
    await photograph(house)
    await press(house, phone[0], "Snooze 30 min")
    assert state(house, "input_datetime.snoozed") == "2026-11-21 12:30:00"

    await reload(house)
    await later(house, freezer, minutes=29)
    await ring(house, 2)
    await photograph(house)
    await later(house, freezer, seconds=1)
    assert len(phone) == 1
    await later(house, freezer, minutes=2)
    await ring(house, 3)
    await photograph(house)
    assert len(phone) == 2


async def test_the_snooze_button_works_after_a_restart_of_the_automation(house, phone, freezer, automate):
    await plain(house)
    await automate("doorbell", doorbells=[BELL], snooze_helper="input_datetime.snoozed")
    await ring(house)
    await photograph(house)
    await reload(house)
    await press(house, phone[0], "Snooze")
    assert state(house, "input_datetime.snoozed") == "2026-11-21 12:30:00"


async def test_without_a_helper_a_plain_doorbell_has_no_snooze_button(house, phone, automate):
    await plain(house)
    await automate("doorbell", doorbells=[BELL])
    await ring(house)
    await photograph(house)
    assert [button["title"] for button in phone[0]["data"]["actions"]] == ["Live view"]


async def test_buttons_of_others_do_nothing(house, phone, freezer, caplog, automate):
    await plain(house)
    await automate("doorbell", doorbells=[BELL], snooze_helper="input_datetime.snoozed")
    before = state(house, "input_datetime.snoozed")
    for action in ("SNOOZE", "7", "blikk_snooze:automation.other:event.front_door_doorbell:1", "", None):
        house.bus.async_fire("mobile_app_notification_action", {"action": action})
    house.bus.async_fire("mobile_app_notification_action", {})
    await settle()
    assert state(house, "input_datetime.snoozed") == before
    assert house.states.get("automation.door").attributes["last_triggered"] is None
    assert "rror" not in caplog.text


async def test_snooze_through_the_component_outlives_a_restart(house, phone, freezer, automate):
    await component(house)
    await automate("doorbell", doorbells=[BELL])
    await ring(house)
    await photograph(house)
    await press(house, phone[0], "Snooze 30 min")
    assert state(house, "binary_sensor.front_door_snoozed") == "on"
    await later(house, freezer, seconds=2)  # it is written
    (entry,) = house.config_entries.async_entries("blikk")
    await house.config_entries.async_reload(entry.entry_id)
    for topic in ("status", "front_door/status"):
        async_fire_mqtt_message(house, f"blikk/{NODE}/{topic}", "online", retain=True)
    await settle()
    await ring(house, 2)
    await photograph(house)
    await later(house, freezer, seconds=1)
    assert len(phone) == 1
    await later(house, freezer, minutes=31)
    await ring(house, 3)
    await photograph(house)
    assert len(phone) == 2


@pytest.mark.parametrize(
    ("time", "silent"), [("21:59:59", False), ("22:00:00", True), ("06:59:59", True), ("07:00:00", False)]
)
async def test_quiet_hours_go_over_midnight(house, phone, node, freezer, time, silent, automate):
    chimes = async_mock_service(house, "test", "chime")
    quiet = {"quiet_from": "22:00:00", "quiet_to": "07:00:00"}
    await automate("doorbell", doorbells=[BELL], chime=[{"action": "test.chime"}], **quiet)
    freezer.move_to(f"2026-11-22T{time}+00:00")
    await ring(house)
    await photograph(house)
    (body,) = phone
    assert (body["data"]["push"]["sound"] == "none") == silent
    assert (body["data"]["importance"] == "low") == silent
    assert len(chimes) == (not silent)


async def test_in_quiet_hours_nothing_may_be_reported(house, phone, node, freezer, automate):
    lamp = {"lamps": ["input_boolean.lamp"]}
    quiet = {"quiet_from": "11:00:00", "quiet_to": "13:00:00", "quiet_tells": False}
    await automate("doorbell", doorbells=[BELL], **quiet, **lamp)
    house.states.async_set("zone.home", "0")
    await ring(house)
    await photograph(house)
    await later(house, freezer, seconds=1)
    assert phone == []
    assert state(house, "input_boolean.lamp") == "on"


async def test_a_lamp_is_lit_while_nobody_is_home_and_goes_out(house, phone, node, freezer, automate):
    await automate("doorbell", doorbells=[BELL], lamps=["input_boolean.lamp"], lamp_minutes=5)
    house.states.async_set("zone.home", "0")
    await ring(house)
    assert state(house, "input_boolean.lamp") == "on"
    await later(house, freezer, minutes=4)
    assert state(house, "input_boolean.lamp") == "on"
    await later(house, freezer, minutes=2)
    assert state(house, "input_boolean.lamp") == "off"


@pytest.mark.parametrize("why", ["somebody is home", "day", "lit already"])
async def test_a_lamp_is_left_alone(house, phone, node, freezer, why, automate):
    await automate("doorbell", doorbells=[BELL], lamps=["input_boolean.lamp"])
    house.states.async_set("zone.home", "1" if why == "somebody is home" else "0")
    house.states.async_set("sun.sun", "above_horizon" if why == "day" else "below_horizon")
    before = "on" if why == "lit already" else "off"
    await house.services.async_call(
        "input_boolean", f"turn_{before}", {"entity_id": "input_boolean.lamp"}, blocking=True
    )
    await ring(house)
    assert state(house, "input_boolean.lamp") == before
    await later(house, freezer, minutes=6)
    assert state(house, "input_boolean.lamp") == before


async def test_a_phone_that_cannot_be_reached_does_not_keep_the_others_waiting(
    house, phone, node, freezer, aioclient_mock, automate
):
    await add_phone(house, "Tablet")
    aioclient_mock.clear_requests()
    sent = []

    async def push(method, url, body):
        if body["registration_info"]["webhook_id"] != "hook-Tablet":
            raise TimeoutError
        sent.append(body)
        return AiohttpClientMockResponse(method, url, status=201, json={})

    aioclient_mock.post(PUSH, side_effect=push)
    await automate("doorbell", doorbells=[BELL])
    await ring(house)
    await photograph(house)
    assert len(sent) == 1


async def test_the_button_of_the_timeline_can_be_left_out(house, phone, freezer, automate):
    await component(house)
    await automate("doorbell", doorbells=[BELL], timeline_words="")
    await ring(house)
    await photograph(house)
    await later(house, freezer, seconds=20)
    await summarise(house)
    assert [timelines(body) for body in phone] == [[], []]


def titles(body):
    return [button["title"] for button in body["data"]["actions"]]


async def test_its_buttons_open_snooze_and_mark_the_visit_and_are_three(house, phone, freezer, marked, automate):
    await component(house)
    await automate("doorbell", doorbells=[BELL])
    await ring(house)
    await photograph(house)
    await later(house, freezer, seconds=20)
    await summarise(house)
    first, final = phone
    assert titles(first) == ["Live view", "Snooze 30 min", "That was family"]
    assert titles(final) == ["View in timeline", "Snooze 30 min", "That was family"]
    for notification in phone:
        await press(house, notification, "family")
    assert marked == [("front_door-ring-1", "That was family"), (golden("summary")["event"], "That was family")]
    await reload(house)
    await press(house, first, "Snooze")
    assert state(house, "binary_sensor.front_door_snoozed") == "on"


async def test_a_visit_is_marked_in_ones_own_words_or_not_at_all(house, phone, marked, automate):
    await component(house)
    await automate("doorbell", doorbells=[BELL], known_words="Familie")
    await ring(house)
    await photograph(house)
    await press(house, phone[0], "Familie")
    assert marked == [("front_door-ring-1", "Familie")]


async def test_without_words_or_without_the_integration_nothing_is_marked(house, phone, either, automate):
    await automate("doorbell", doorbells=[BELL], known_words="" if either == "component" else "Family")
    await ring(house)
    await photograph(house)
    assert "Family" not in titles(phone[0])


CRITICAL = {"sound": {"name": "default", "critical": 1, "volume": 1.0}, "interruption-level": "critical"}


async def test_a_critical_ring_sounds_once_on_a_silent_phone_but_not_in_quiet_hours(
    house, phone, node, freezer, automate
):
    quiet = {"quiet_from": "13:00:00", "quiet_to": "14:00:00"}
    await automate("doorbell", doorbells=[BELL], critical=True, **quiet)
    await ring(house)
    await photograph(house)
    await later(house, freezer, seconds=20)
    await summarise(house)
    first, final = (body["data"] for body in phone)
    assert (first["push"], first["channel"], first["importance"]) == (CRITICAL, "alarm_stream", "max")
    assert (final["push"]["sound"], final["alert_once"], final["channel"]) == ("none", True, "alarm_stream")
    freezer.move_to("2026-11-21T13:30:00+00:00")
    await ring(house, 2)
    await photograph(house, "front_door-ring-2")
    assert (phone[2]["data"]["push"]["sound"], phone[2]["data"]["channel"]) == ("none", "Doorbell, quiet")


@pytest.mark.parametrize("car", [True, False])
@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("doorbell", {"doorbells": [BELL]}),
        ("parcel_left", {"parcels": ["binary_sensor.front_door_package"]}),
        ("someone_lingers", {"detections": ["event.front_door_detection"]}),
    ],
)
async def test_what_is_reported_in_the_car_is_a_choice(house, phone, node, freezer, automate, name, inputs, car):
    await automate(name, **inputs, car=car)
    await house.services.async_call("automation", "trigger", {"entity_id": "automation.door"})
    await settle()
    await later(house, freezer, seconds=1)
    assert [body["data"]["car_ui"] for body in phone] == [car]


LIVE = "/?more-info-entity-id=camera.front_door"


def lives(body):
    """Where the buttons of a notification lead that open the camera with its live view."""
    return [action["uri"] for action in body["data"].get("actions", ()) if "more-info" in action.get("uri", "")]


def timelines(body):
    """The events that a notification leads to in the timeline, each with a time of today."""
    found = [URL(action["uri"]) for action in body["data"].get("actions", ()) if "timeline" in action.get("uri", "")]
    assert all(url.path == "/blikk-timeline" for url in found)
    assert all(dt_util.parse_datetime(url.query["blikk_time"]).year == 2026 for url in found)
    return [url.query["blikk_event"] for url in found]


# ---- parcel left


async def parcels(hass, count):
    say(hass, "state", {**golden("state"), "counts": {"person": 0, "package": count}})
    await settle()


async def test_a_parcel_is_reported_reminded_of_and_taken_back(house, phone, either, freezer, automate):
    await parcels(house, 0)
    await automate("parcel_left", parcels=["binary_sensor.front_door_package"])
    await parcels(house, 1)
    await photograph(house, "front_door-5", "package")
    assert phone == []
    await later(house, freezer, seconds=11)
    await later(house, freezer, minutes=121)
    await parcels(house, 0)
    await later(house, freezer, seconds=61)
    assert [body["message"] for body in phone] == [
        "A parcel was left.",
        "The parcel is still there.",
        "clear_notification",
    ]
    assert len({body["data"]["tag"] for body in phone}) == 1
    assert phone[0]["data"]["image"].startswith(IMAGES[either].format("package"))
    ours = either == "component"
    assert (lives(phone[0]), timelines(phone[0])) == (([], ["front_door-5"]) if ours else ([LIVE], []))
    assert (lives(phone[1]), timelines(phone[1])) == ([LIVE], [])


async def leave_parcel(hass, freezer, automate, **inputs):
    """A parcel is left, and the blueprint tells it."""
    await parcels(hass, 0)
    await automate("parcel_left", parcels=["binary_sensor.front_door_package"], **inputs)
    await parcels(hass, 1)
    await photograph(hass, "front_door-5", "package")
    await later(hass, freezer, seconds=11)


async def test_the_buttons_of_a_parcel_snooze_and_mark_and_are_three(house, phone, freezer, marked, automate):
    await component(house)
    await leave_parcel(house, freezer, automate)
    (body,) = phone
    assert titles(body) == ["View in timeline", "Snooze 30 min", "Expected"]
    await reload(house)
    await press(house, body, "Expected")
    assert marked == [("front_door-5", "Expected")]
    await press(house, body, "Snooze")
    assert state(house, "binary_sensor.front_door_snoozed") == "on"
    assert len(phone) == 1


async def test_the_buttons_of_a_parcel_can_be_left_out(house, phone, freezer, automate):
    await component(house)
    await leave_parcel(house, freezer, automate, timeline_words="", live_words="", expected_words="", snooze_minutes=0)
    assert [titles(body) for body in phone] == [[]]


async def test_a_parcel_is_marked_in_ones_own_words_and_snoozed_as_long_as_wanted(
    house, phone, freezer, marked, automate
):
    await component(house)
    await leave_parcel(house, freezer, automate, expected_words="Bestellt", snooze_minutes=5)
    await press(house, phone[0], "Bestellt")
    await press(house, phone[0], "Snooze 5 min")
    assert marked == [("front_door-5", "Bestellt")]
    await later(house, freezer, minutes=6)
    assert state(house, "binary_sensor.front_door_snoozed") == "off"


async def test_an_older_picture_is_of_no_parcel_that_could_be_marked(house, phone, freezer, automate):
    await component(house)
    await photograph(house, "front_door-4", "package")
    await later(house, freezer, minutes=5)
    await parcels(house, 0)
    await automate("parcel_left", parcels=["binary_sensor.front_door_package"])
    await parcels(house, 1)
    await later(house, freezer, seconds=11)
    assert titles(phone[0]) == ["Live view", "Snooze 30 min"]
    assert "image" not in phone[0]["data"]


async def test_buttons_of_others_do_nothing_to_parcels(house, phone, freezer, marked, caplog, automate):
    await component(house)
    await leave_parcel(house, freezer, automate)
    before = house.states.get("automation.door").attributes["last_triggered"]
    for action in ("SNOOZE", "", None, "blikk_expected:automation.other:binary_sensor.front_door_package:1"):
        house.bus.async_fire("mobile_app_notification_action", {"action": action})
    house.bus.async_fire("mobile_app_notification_action", {})
    await settle()
    assert house.states.get("automation.door").attributes["last_triggered"] == before
    assert (marked, len(phone)) == ([], 1)
    assert "rror" not in caplog.text


async def snooze(hass, minutes):
    (entry,) = hass.config_entries.async_entries("blikk")
    entry.runtime_data.snooze("front_door", dt_util.utcnow() + timedelta(minutes=minutes))
    await settle()


async def test_a_snoozed_camera_tells_of_no_parcel_and_takes_back_what_it_told(house, phone, freezer, automate):
    await component(house)
    await leave_parcel(house, freezer, automate, remind_minutes=60)
    await snooze(house, 90)
    await later(house, freezer, minutes=61)
    assert len(phone) == 1
    await parcels(house, 0)
    await later(house, freezer, seconds=61)
    assert [body["message"] for body in phone[1:]] == ["clear_notification"]
    await parcels(house, 1)
    await later(house, freezer, seconds=11)
    assert len(phone) == 2
    await later(house, freezer, minutes=40)
    assert state(house, "binary_sensor.front_door_snoozed") == "off"
    await later(house, freezer, minutes=20)
    assert [body["message"] for body in phone[2:]] == ["The parcel is still there."]


@pytest.mark.parametrize("name", ["doorbell", "someone_lingers"])
async def test_a_snoozed_camera_tells_of_no_ring_and_of_nobody(house, phone, freezer, automate, name):
    await component(house)
    await snooze(house, 30)
    await show(house, name, freezer, automate)
    await later(house, freezer, seconds=1)
    assert phone == []


@pytest.mark.parametrize("critical", [True, False])
async def test_a_critical_parcel_sounds_on_a_silent_phone_and_its_reminder_does_not(
    house, phone, either, freezer, automate, critical
):
    await leave_parcel(house, freezer, automate, critical=critical)
    await later(house, freezer, minutes=121)
    first, reminder = ({"push": None, "importance": None, **body["data"]} for body in phone)
    told = ("alarm_stream", CRITICAL, "max") if critical else ("Parcels", None, None)
    assert (first["channel"], first["push"], first["importance"]) == told
    assert (reminder["channel"], reminder["push"], reminder["importance"]) == ("Parcels", None, None)


async def test_a_parcel_that_is_carried_past_is_not_reported(house, phone, node, freezer, automate):
    await parcels(house, 0)
    await automate("parcel_left", parcels=["binary_sensor.front_door_package"], remind_minutes=0)
    await parcels(house, 1)
    await later(house, freezer, seconds=5)
    await parcels(house, 0)
    await later(house, freezer, seconds=30)
    assert phone == []


async def test_a_parcel_is_not_reminded_of_if_that_is_not_wanted(house, phone, node, freezer, automate):
    await parcels(house, 0)
    await automate("parcel_left", parcels=["binary_sensor.front_door_package"], remind_minutes=0)
    await parcels(house, 1)
    await later(house, freezer, seconds=11)
    await later(house, freezer, hours=9)
    assert [body["message"] for body in phone] == ["A parcel was left."]


# ---- someone lingers


async def linger(hass, freezer, **late):
    """Someone has been there for a minute; the picture was made when they came."""
    await photograph(hass, VISIT, "person")
    await later(hass, freezer, seconds=60)
    time = dt_util.utcnow().isoformat()
    say(hass, "event", {**golden("event-loitering"), "time": time, **late})
    await settle()


async def test_who_lingers_is_reported_with_the_picture_and_then_the_summary(house, phone, either, freezer, automate):
    await automate("someone_lingers", detections=["event.front_door_detection"])
    await linger(house, freezer)
    await later(house, freezer, seconds=30)
    await summarise(house, "The early one.", revision=1)
    await summarise(house, "Another visit.", event="front_door-2")
    await photograph(house, "front_door-2", "person")
    await summarise(house, "A man waited for two minutes.")
    assert [body["message"] for body in phone] == ["Someone is lingering.", "A man waited for two minutes."]
    assert len({body["data"]["tag"] for body in phone}) == 1
    assert phone[0]["data"]["image"].startswith(IMAGES[either].format("person"))
    kept = phone[0]["data"]["image"] if either == "component" else None  # plain MQTT has the next visitor's by now
    assert phone[1]["data"].get("image") == kept
    assert lives(phone[0]) == [LIVE]
    assert (lives(phone[1]), timelines(phone[1])) == (([], [VISIT]) if either == "component" else ([LIVE], []))
    assert phone[1]["data"]["alert_once"]
    assert [body["data"].get("entity_id") for body in phone] == ["camera.front_door", None]


async def test_who_lingered_during_an_outage_is_reported_with_the_time(house, phone, either, freezer, automate):
    await automate("someone_lingers", detections=["event.front_door_detection"])
    await linger(house, freezer, time="2026-11-21T11:58:00.000Z", replayed=True)
    assert [body["title"] for body in phone] == ["Front door · 11:58"]


async def test_who_only_appears_does_not_linger(house, phone, node, freezer, automate):
    await automate("someone_lingers", detections=["event.front_door_detection"])
    say(house, "event", {**golden("event-started"), "time": dt_util.utcnow().isoformat()})
    await settle()
    assert state(house, "event.front_door_detection") != "unknown"
    assert phone == []


@pytest.mark.parametrize(
    ("sun", "home", "reported"), [("above_horizon", "0", 0), ("below_horizon", "1", 0), ("below_horizon", "0", 1)]
)
async def test_lingering_can_be_reported_only_at_night_and_when_away(
    house, phone, node, freezer, sun, home, reported, automate
):
    await automate("someone_lingers", detections=["event.front_door_detection"], only_away=True, only_dark=True)
    house.states.async_set("sun.sun", sun)
    house.states.async_set("zone.home", home)
    await linger(house, freezer)
    assert len(phone) == reported


async def test_only_who_lingers_in_the_zone_is_reported(house, phone, either, freezer, automate):
    await automate("someone_lingers", detections=["event.front_door_detection"], zone="Porch")
    await linger(house, freezer, zones=["path"], id="elsewhere")
    assert phone == []
    await linger(house, freezer, zones=["path", "porch"])
    assert len(phone) == 1


async def test_the_buttons_of_who_lingers_snooze_and_mark(house, phone, freezer, marked, automate):
    await component(house)
    await automate("someone_lingers", detections=["event.front_door_detection"], critical=True)
    await linger(house, freezer)
    (body,) = phone
    assert titles(body) == ["Live view", "Snooze 30 min", "That was family"]
    assert (body["data"]["push"], body["data"]["channel"]) == (CRITICAL, "alarm_stream")
    await press(house, body, "family")
    assert marked == [(VISIT, "That was family")]
    await press(house, body, "Snooze")
    assert state(house, "binary_sensor.front_door_snoozed") == "on"
    assert len(phone) == 1


@pytest.mark.parametrize("critical", [True, False])
async def test_who_lingers_sounds_once_on_a_silent_phone_if_that_is_wanted(
    house, phone, either, freezer, automate, critical
):
    await automate("someone_lingers", detections=["event.front_door_detection"], critical=critical)
    await linger(house, freezer)
    await later(house, freezer, seconds=30)
    await summarise(house, "A man waited for two minutes.")
    first, final = (body["data"] for body in phone)
    told = ("alarm_stream", CRITICAL, "max") if critical else ("Lingering", {}, "high")
    assert (first["channel"], first["push"], first["importance"]) == told
    assert (final["push"], final["alert_once"]) == ({"interruption-level": "passive"}, True)


async def test_who_lingers_at_a_plain_node_has_the_live_view_only_or_no_button(house, phone, node, freezer, automate):
    await automate("someone_lingers", detections=["event.front_door_detection"])
    await linger(house, freezer)
    assert titles(phone[0]) == ["Live view"]


async def test_the_live_view_can_be_left_out(house, phone, node, freezer, automate):
    await automate("someone_lingers", detections=["event.front_door_detection"], live_words="")
    await linger(house, freezer)
    assert titles(phone[0]) == []
    assert "entity_id" not in phone[0]["data"]
