"""One real Home Assistant with the component, one real `blikk run`, a real broker, and the doorbell's blueprint.

The tests tell one story in the order of the file: the node's plain entities are there, the component finds the node and
takes them over, a visitor comes, somebody rings, questions are asked, everything is restarted, the component goes.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import urlopen
from zoneinfo import ZoneInfo

import daytime
import pytest
from broker import Broker
from patience import PATIENCE, TRIES
from real_ha import RealHomeAssistant, wait_for
from rtsp_server import RtspServer
from staging import BlikkRun, Ears, kept

pytestmark = [pytest.mark.timeout(400), pytest.mark.random_order(disabled=True)]

ROOT = Path(__file__).parents[2]
BASE = "blikk/hallway_pi"
NODE = """\
node: {{id: hallway_pi, name: Hallway Pi}}
mqtt: {{host: 127.0.0.1, port: {port}}}
health_every_s: 1
store: {{path: {folder}/hallway.db}}
models: {{offline: true, cache: {folder}/models}}
cameras:
  front_door:
    source: {source}
    ring: true
    questions: {{someone: "Is someone at the door?"}}
"""
WHO = {f"{BASE}/announce", f"{BASE}/status"}
PARTS = ("broker", "node", "ha")
MORE = "automation: !include automations.yaml\nconversation:\n"


@dataclass
class Home:
    """Everything that runs."""

    ha: RealHomeAssistant
    ears: Ears
    broker: Broker
    server: RtspServer
    run: BlikkRun
    visit: str = ""
    """The id of the first visit."""

    def rows(self, platform: str) -> set[str]:
        """The entities of one integration."""
        return {entity for entity, row in self.ha.registry().items() if row["platform"] == platform}

    def state(self, entity: str) -> str | None:
        return self.ha.states().get(entity, {}).get("state")

    def best(self, event: str) -> bytes:
        """The newest picture of a person of that event, as the node published it."""
        heard = self.ears.on(f"{BASE}/front_door/picture/person")
        return [picture for picture in heard if event.encode() in picture[:300]][-1]

    def rang_s(self) -> float:
        """Seconds since the doorbell rang."""
        rang = datetime.fromisoformat(str(self.state("event.front_door_doorbell")))
        return (datetime.now(UTC) - rang).total_seconds()

    def until(self, entity: str, state: str, limit_s: float = 20.0) -> None:
        wait_for(f"{entity} is {state}", lambda: self.state(entity) == state, limit_s)

    def until_right(self, limit_s: float) -> float:
        """Until ours alone are there, all available, and occupancy is what the node said last; the seconds it took."""
        began = time.monotonic()
        while wrong := self.wrong():
            assert time.monotonic() - began < limit_s, f"after {limit_s:.0f} s: {wrong}"
            time.sleep(0.05)
        return time.monotonic() - began

    def wrong(self) -> dict[str, str | None]:
        states = self.ha.states()
        ours = {entity: states.get(entity, {}).get("state") for entity in self.rows("blikk") if entity in states}
        said = self.ears.json_on(f"{BASE}/front_door/state")[-1]
        wanted = {
            "binary_sensor.hallway_pi_connection": "on",
            "binary_sensor.front_door_stream": "on",
            "binary_sensor.front_door_person": "on" if said["counts"]["person"] else "off",
            "switch.front_door_detection": "on" if said["detect"] else "off",
        }
        wrong = {entity: ours.get(entity) for entity, state in wanted.items() if ours.get(entity) != state}
        plain = dict.fromkeys(self.rows("mqtt"), "plain")
        return wrong | plain | {entity: state for entity, state in ours.items() if state == "unavailable"}

    def forget(self) -> None:
        """The broker, which is down, loses all it retained."""
        (self.broker.folder / "mosquitto.db").unlink(missing_ok=True)

    def take_down(self, *, forget: bool) -> None:
        """End node, broker and Home Assistant."""
        self.run.kill()
        self.broker.stop()
        self.ha.stop()
        if forget:
            self.forget()

    def bring_up(self, part: str, *, settle: bool = False) -> None:
        """Start broker, node or Home Assistant; on return it listens, and has not yet found the others.

        With `settle` it has come as far as it can without those that are away.
        """
        {"broker": self.broker.start, "node": self.run.start, "ha": self.ha.start}[part]()
        if settle and part == "ha":
            self.ha.wait_until_running()

    def entry(self) -> dict[str, Any]:
        """The config entry of the node."""
        (entry,) = self.ha.command({"type": "config_entries/get", "domain": "blikk"})
        assert isinstance(entry, dict)
        return entry

    def reached(self) -> int:
        """How often Home Assistant's own MQTT client has reached the broker, which names the test's own `auto-...`."""
        came = [line for line in self.broker.log.splitlines() if "New client connected" in line]
        return sum(" as blikk-" not in line and " as auto-" not in line for line in came)

    def complaints(self) -> list[str]:
        """Warnings and errors about us, and whatever Home Assistant says of code that blocks or is outdated."""
        lines = [line for line in self.ha.log if " WARNING " in line or " ERROR " in line]
        own = (
            "We found a custom integration blikk which has not been tested",
            # of disabled entities that go with their device it empties the topic once more, and says so of itself
            "No device components to cleanup",
        )
        words = ("blikk", "blocking call", "deprecated", "will stop working")
        about_us = [line for line in lines if any(word in line.lower() for word in words)]
        return [line for line in about_us if not any(known in line for known in own)]


@pytest.fixture(scope="module")
def home(ha_python: str, data: Path, visit_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    folder = tmp_path_factory.mktemp("component")
    copies = {
        "custom_components/blikk": ROOT / "custom_components" / "blikk",
        "blueprints/automation/blikk": ROOT / "blueprints" / "automation" / "blikk",
    }
    with RtspServer(visit_clip) as server, Broker(folder, persistence=True) as broker, Ears(broker.port) as ears:
        node = NODE.format(port=broker.port, folder=folder, source=server.url)
        run = BlikkRun(folder, node, models=data / "models")
        port, zone = broker.port, daytime.MORNING
        ha = RealHomeAssistant(ha_python, folder, mqtt_port=port, copies=copies, more=MORE, zone=zone)
        (folder / "config").mkdir()
        (folder / "config" / "automations.yaml").write_text("[]\n")
        with ha, run:
            yield Home(ha, ears, broker, server, run)


def test_the_plain_entities_become_the_components_under_the_same_ids(home: Home) -> None:
    home.until("binary_sensor.front_door_stream", "on", 30)
    plain = home.rows("mqtt")
    assert "event.front_door_doorbell" in plain

    home.ha.add_node()
    wait_for("the component's entities", lambda: home.rows("blikk") >= plain, 30)

    assert home.rows("mqtt") == set()
    assert not [entity for entity in home.rows("blikk") if entity.endswith("_2")]
    home.until_right(20)


def test_devices_hang_together(home: Home) -> None:
    devices = home.ha.devices()
    assert devices["Front door"]["via_device_id"] == devices["Hallway Pi"]["id"]


def test_a_visitor_is_seen_and_the_picture_is_the_redacted_one(home: Home) -> None:
    home.until("binary_sensor.front_door_person", "on", 45)
    wait_for("the detection", lambda: home.ha.states()["event.front_door_detection"]["attributes"].get("event_type"))

    def same() -> bool:
        heard = home.ears.on(f"{BASE}/front_door/picture/person")
        return bool(heard) and home.ha.get("/api/image_proxy/image.front_door_last_person") == heard[-1]

    wait_for("the picture", same)
    home.until("binary_sensor.front_door_is_someone_at_the_door", "on")


def test_the_picture_of_an_event_has_an_address_of_its_own_for_who_is_logged_in(home: Home) -> None:
    home.visit = home.ears.json_on(f"{BASE}/front_door/event")[-1]["id"]
    path = home.ha.states()["image.front_door_last_person"]["attributes"]["path"]
    assert path.endswith(f"/front_door/{home.visit}/person.jpg")
    wait_for("its picture", lambda: home.ha.get(path) == home.best(home.visit))
    with pytest.raises(HTTPError, match="401") as refused:
        urlopen(home.ha.url + path, timeout=5 * PATIENCE)
    refused.value.close()


def test_the_summary_follows(home: Home) -> None:
    state = wait_for(
        "a text about the visit",
        lambda: next(
            (
                state
                for state in [home.ha.states()["sensor.front_door_last_summary"]]
                if "erson" in state["state"] and state["attributes"].get("revision") == 2
            ),
            None,
        ),
        45,
    )
    assert state["attributes"]["source"] == "template"


def test_the_blueprints_automation_fires_with_the_doorbell(home: Home) -> None:
    inputs = {"doorbells": ["event.front_door_doorbell"]}
    path = "blikk/doorbell.yaml"
    home.ha.post(
        "/api/config/automation/config/doorbell",
        {"alias": "Doorbell", "use_blueprint": {"path": path, "input": inputs}},
    )
    home.until("automation.doorbell", "on")
    before = home.ha.states()["automation.doorbell"]["attributes"]["last_triggered"]
    began = time.monotonic()
    home.ears.say(f"{BASE}/front_door/set/ring", "PRESS")
    wait_for(
        "the automation",
        lambda: home.ha.states()["automation.doorbell"]["attributes"]["last_triggered"] != before,
        5,
    )
    print("ring to automation, s:", round(time.monotonic() - began, 2))


def test_a_ring_that_is_heard_while_the_stream_is_away_fires_the_automation(home: Home) -> None:
    home.server.kill()
    home.until("binary_sensor.front_door_stream", "off", 40)
    assert home.state("binary_sensor.front_door_person") == "unavailable"
    before = home.ha.states()["automation.doorbell"]["attributes"]["last_triggered"]
    wait_for("the pause between rings", lambda: home.rang_s() > 10, 15)
    home.ears.say(f"{BASE}/front_door/set/ring", "PRESS")
    wait_for(
        "the automation",
        lambda: home.ha.states()["automation.doorbell"]["attributes"]["last_triggered"] != before,
        5,
    )
    home.server.start()
    home.until_right(40)


def test_actions_answer_from_the_node(home: Home) -> None:
    door = home.ha.devices()["Front door"]["id"]
    reported = home.ha.answer("blikk.get_events", device_id=door, limit=5)
    assert [event for event in reported["events"] if event["label"] == "person"]
    answer = home.ha.answer("blikk.ask", device_id=door, question="How many people came today?")
    assert answer["count"] >= 1


def test_who_was_family_is_marked_and_stays_so(home: Home) -> None:
    door = home.ha.devices()["Front door"]["id"]

    def marks() -> dict[str, str | None]:
        events = home.ha.answer("blikk.get_events", device_id=door, label="person")["events"]
        return {event["id"]: event.get("mark") for event in events}

    visit = next(iter(marks()))
    home.ha.answer("blikk.mark", device_id=door, event=visit, mark="Family")
    assert marks()[visit] == "Family"


ASKED = {
    "en": ("Who was at the door?", "visit", "The doorbell rang"),
    "de": ("Wer war heute an der Tür?", "Besuch", "Es hat"),
    "es": ("¿Quién estuvo hoy en la puerta?", "visita", "El timbre"),
}


@pytest.mark.parametrize("language", ASKED)
def test_assist_says_who_was_at_the_door(home: Home, language: str) -> None:
    question, visit, rang = ASKED[language]
    answer = home.ha.post("/api/conversation/process", {"text": question, "language": language})["response"]
    assert answer["response_type"] != "error", answer
    said = answer["speech"]["plain"]["speech"]
    assert visit in said
    assert rang in said
    assert len(said) < 250, "more than anybody wants to hear"
    print(said)


def test_switches_reach_the_node(home: Home) -> None:
    home.ha.call("select.select_option", "select.front_door_summaries", option="off")
    home.until("select.front_door_summaries", "off")
    assert home.ears.json_on(f"{BASE}/front_door/state")[-1]["summary"] == "off"
    home.ha.call("switch.turn_off", "switch.front_door_detection")
    home.until("switch.front_door_detection", "off")
    home.ha.call("switch.turn_on", "switch.front_door_detection")
    home.until("switch.front_door_detection", "on")


def test_nothing_so_far_was_worth_a_warning(home: Home) -> None:
    assert home.complaints() == []


def test_calendar_answers_and_today_are_of_one_clock(home: Home) -> None:
    """The node's machine may be in any zone; what it sends is in UTC, what it says is in the household's."""
    zone, door = ZoneInfo(daytime.MORNING), home.ha.devices()["Front door"]["id"]
    rings = [
        datetime.fromisoformat(ring["time"]).astimezone(zone) for ring in home.ears.json_on(f"{BASE}/front_door/ring")
    ]
    last = home.ha.answer("blikk.ask", device_id=door, question="When did the doorbell ring last?")
    assert f"{rings[-1]:%H:%M}" in last["text"], last
    today = home.ha.answer("blikk.ask", device_id=door, question="How often did the doorbell ring today?")
    assert today["count"] == sum(ring.date() == datetime.now(zone).date() for ring in rings), today

    calendar = "calendar.front_door_timeline"
    home.ha.command({"type": "config/entity_registry/update", "entity_id": calendar, "disabled_by": None})
    home.ha.post(f"/api/config/config_entries/entry/{home.entry()['entry_id']}/reload", {})
    wait_for("the calendar", lambda: home.state(calendar) not in (None, "unavailable"))
    day = datetime.combine(datetime.now(zone), datetime.min.time(), zone)
    period = urlencode({"start": day.isoformat(), "end": (day + timedelta(days=1)).isoformat()})
    shown = home.ha.get(f"/api/calendars/{calendar}?{period}")
    reported = home.ha.answer("blikk.get_events", device_id=door, limit=100)["events"]
    began = sorted(datetime.fromisoformat(event["started"]).astimezone(zone) for event in reported)
    assert sorted(entry["start"]["dateTime"][:19] for entry in shown) == [f"{each:%Y-%m-%dT%H:%M:%S}" for each in began]


def test_a_new_time_zone_and_language_reach_the_texts_without_a_restart(home: Home) -> None:
    period = {"since": "2026-07-01T10:00:00Z", "until": "2026-07-01T11:00:00Z"}

    def text() -> str:
        reply = f"{BASE}/reply/{len(home.ears.heard)}"
        home.ears.say(f"{BASE}/ask", json.dumps({"do": "digest", "response_topic": reply, **period}))
        home.ears.until(lambda: home.ears.on(reply), 10, "the digest")
        return str(home.ears.json_on(reply)[0]["text"])

    for zone, language, said in (("Europe/Berlin", "de", "12:00 bis 13:00"), ("UTC", "en", "from 10:00 to 11:00")):
        home.ha.command({"type": "config/core/update", "time_zone": zone, "language": language})
        wait_for(f"texts in {zone} and {language}", lambda said=said: said in text())


def test_a_killed_node_is_seen_and_comes_back(home: Home) -> None:
    home.run.kill()
    home.until("binary_sensor.hallway_pi_connection", "off")
    home.until("binary_sensor.front_door_person", "unavailable")
    home.run.start()
    home.until("binary_sensor.front_door_stream", "on", 30)
    home.until_right(10)


def test_home_assistant_starts_anew_and_all_is_right(home: Home) -> None:
    home.ha.restart()
    print("right after restart of Home Assistant, s:", round(home.until_right(15), 2))
    path = f"/api/blikk/events/{home.entry()['entry_id']}/front_door/{home.visit}/person.jpg"
    assert home.ha.get(path) == home.best(home.visit)


def test_a_broker_that_forgot_everything_costs_nothing(home: Home) -> None:
    home.broker.kill()
    home.forget()
    home.until("binary_sensor.hallway_pi_connection", "unavailable")
    home.broker.start()
    print("right after restart of broker, s:", round(home.until_right(20), 2))
    claim = [json.loads(payload) for payload in home.ears.on(f"{BASE}/ha/claim") if payload]
    assert claim[-1]["mode"] == "integration"


def test_home_assistant_is_up_long_before_the_broker(home: Home) -> None:
    home.take_down(forget=False)
    for part in ("node", "ha"):
        home.bring_up(part, settle=True)
    assert (home.entry()["state"], home.state("event.front_door_doorbell")) == ("loaded", "unavailable")

    home.bring_up("broker")
    home.until_right(30)  # its client tries again every 10 s
    before = home.state("event.front_door_doorbell")
    home.ears.say(f"{BASE}/front_door/set/ring", "PRESS")
    wait_for("the ring", lambda: home.state("event.front_door_doorbell") not in (before, "unavailable"))


# A broker that forgot is the harder one: the node makes plain entities before Home Assistant can claim it anew. Of one
# that remembers, Home Assistant must not take for the present what a dead node said; there each part settles before
# the next one is started.
@pytest.mark.parametrize("forgets", [True, False])
@pytest.mark.parametrize("order", list(permutations(PARTS)))
def test_all_is_right_by_itself_after_a_start_in_any_order(home: Home, order: tuple[str, ...], forgets: bool) -> None:
    """Each time, and within 10 s in one of some tries: a quiet machine needs no more."""
    ours = home.rows("blikk")
    took: list[float] = []
    while min(took, default=11) > 10 and len(took) < TRIES:
        took.append(right_after(home, order, forgets=forgets))
        assert home.rows("blikk") == ours
        before = home.state("event.front_door_doorbell")
        home.ears.say(f"{BASE}/front_door/set/ring", "PRESS")
        wait_for(
            "the ring", lambda before=before: home.state("event.front_door_doorbell") not in (before, "unavailable")
        )
    assert min(took) <= 10, took


def right_after(home: Home, order: tuple[str, ...], *, forgets: bool) -> float:
    """The seconds until all is right, from when the last of the three is up: the broker and the node when they are
    started, Home Assistant when the broker sees its client, which after a broker that was away tries again only
    every 10 s.
    """
    home.take_down(forget=forgets)
    reached, said = home.reached(), len(home.ears.on(f"{BASE}/health"))
    for part in order:
        home.bring_up(part, settle=not forgets)
    up = time.monotonic()
    wait_for("Home Assistant reaches the broker", lambda: home.reached() > reached)
    seen = time.monotonic()
    # retained ones may be of the run before; at least one of two was said by this one
    wait_for("the node's health", lambda: len(home.ears.on(f"{BASE}/health")) > said + 1)
    home.until_right(PATIENCE * 10)
    now = time.monotonic()
    memory = "forgot" if forgets else "remembers"
    print(f"{' '.join(order)}, broker {memory}: {now - up:.1f} s; from Home Assistant's connection {now - seen:.1f} s")
    return now - seen


def test_without_the_component_the_plain_entities_are_back(home: Home) -> None:
    ours = home.rows("blikk")
    home.ha.delete(f"/api/config/config_entries/entry/{home.entry()['entry_id']}")
    wait_for("the component's entities go", lambda: home.rows("blikk") == set())
    wait_for("the plain ones are back", lambda: "event.front_door_doorbell" in home.rows("mqtt"), 30)
    assert home.rows("mqtt") <= ours
    names = ("status", "state", "summary", "digest", "answer/someone")
    pictures = ("person", "animal", "vehicle", "package", "ring", "snapshot")
    camera = {f"{BASE}/front_door/{name}" for name in (*names, *(f"picture/{name}" for name in pictures))}
    assert kept(home.broker.port) - camera == WHO | {f"{BASE}/health"} | {
        f"homeassistant/device/blikk_hallway_pi/{device}/config" for device in ("node", "camera_front_door")
    }


def test_in_integration_mode_nothing_remains_but_announce_and_status(home: Home, data: Path) -> None:
    home.run.stop()
    node = (home.run.folder / "blikk.yaml").read_text() + "home_assistant: {mode: integration}\n"
    with BlikkRun(home.run.folder, node, models=data / "models"):
        wait_for("the rest goes", lambda: kept(home.broker.port) == WHO)
        heard = len(home.ears.on(f"{BASE}/front_door/state"))
        wait_for("it still speaks", lambda: len(home.ears.on(f"{BASE}/front_door/state")) > heard + 2)
        assert kept(home.broker.port) == WHO


def test_the_log_has_no_stack_trace_of_ours(home: Home) -> None:
    assert not [line for line in home.ha.log if "custom_components/blikk" in line]
    assert "Traceback" not in home.run.log
