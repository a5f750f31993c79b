"""A household's days in a real Home Assistant: what stays quiet, what reaches a phone or an assistant, what is kept.

One Home Assistant with recorder, Activity, a phone and an assistant with a language model; one real `blikk run` with
two cameras that look at one stream in which nothing moves, and a real broker. Visits and most pictures come from the
test, as messages of the node; rings, streams and everything else are the node's own. The tests tell one story in the
order of the file: the stream breaks, a ring is told late, pictures come, somebody rings twice, Home Assistant restarts,
much happens in a minute, the assistant is asked, a second node comes, the integration goes and comes again.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import daytime
import numpy as np
import pytest
from broker import Broker
from card_stage import jpeg
from diary import Diary
from patience import PATIENCE
from phone import Phone
from real_ha import RealHomeAssistant, wait_for
from rtsp_server import RtspServer
from staging import BlikkRun, Ears, write_clip

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
  front_door: {{source: "{source}", ring: true, away_after_s: 10min}}
  yard: {{source: "{source}", away_after_s: 1s}}
"""
SHED = """\
node: {{id: shed_pi, name: Shed Pi}}
mqtt: {{host: 127.0.0.1, port: {port}}}
store: {{path: {folder}/shed.db}}
models: {{offline: true, cache: {folder}/models}}
cameras:
  shed: {{source: "{folder}/shed.jpg"}}
"""
MORE = """\
automation: !include automations.yaml
conversation:
history:
language_model:
logbook:
mobile_app:
recorder: {commit_interval: 1}
repairs:
"""
DOORBELL = {
    "alias": "Doorbell",
    "use_blueprint": {
        "path": "blikk/doorbell.yaml",
        "input": {"doorbells": ["event.front_door_doorbell"], "pause_seconds": 0},
    },
}
BELL, RUNG, TITLE = "event.front_door_doorbell", "image.front_door_last_ring", "sensor.front_door_last_summary"
CALENDAR = "calendar.front_door_timeline"
ZONE = daytime.MORNING


@dataclass
class Home:
    """Everything that runs."""

    ha: RealHomeAssistant
    ears: Ears
    broker: Broker
    server: RtspServer
    run: BlikkRun
    kept: dict[str, bytes] = field(default_factory=dict)
    """Pictures by their address."""

    def state(self, entity: str) -> str | None:
        return self.ha.states().get(entity, {}).get("state")

    def attribute(self, entity: str, name: str) -> Any:
        return self.ha.states().get(entity, {}).get("attributes", {}).get(name)

    def until(self, entity: str, state: str) -> None:
        wait_for(f"{entity} is {state}", lambda: self.state(entity) == state)

    def rows(self, platform: str) -> dict[str, Any]:
        """The registry's entities of one integration."""
        return {entity: row for entity, row in self.ha.registry().items() if row["platform"] == platform}

    def of_camera(self, camera: str) -> list[str]:
        """The entities of a camera that are enabled."""
        return sorted(entity for entity in self.ha.states() if entity.partition(".")[2].startswith(camera))

    def health(self) -> None:
        """Until the node has reported its health twice more: what it said before is heard by now."""
        reported = len(self.ears.on(f"{BASE}/health"))
        wait_for("the node's health", lambda: len(self.ears.on(f"{BASE}/health")) > reported + 1)

    def press(self) -> dict[str, Any]:
        """Press the doorbell; the ring, as its node published it."""
        rung = len(self.ears.json_on(f"{BASE}/front_door/ring"))
        self.ears.say(f"{BASE}/front_door/set/ring", "PRESS")
        return wait_for("the ring", lambda: self.ears.json_on(f"{BASE}/front_door/ring")[rung:])[0]

    def picture_of(self, ring: str) -> tuple[str, bytes]:
        """The address and the bytes of the newest picture of a ring."""

        def heard() -> list[bytes]:
            pictures = self.ears.on(f"{BASE}/front_door/picture/ring")
            return [picture for picture in pictures if ring.encode() in picture[:300]]

        wait_for("its picture is shown", lambda: self.attribute(RUNG, "event") == ring)
        return self.attribute(RUNG, "path"), wait_for("its picture is heard", heard)[-1]

    def say(self, what: str, content: dict[str, Any]) -> None:
        """A message of the camera at the front door."""
        self.ears.say(f"{BASE}/front_door/{what}", json.dumps(content))

    def visit(
        self,
        name: str,
        titles: tuple[str, ...],
        *,
        began: datetime | None = None,
        revisions: int = 2,
        in_real_time: bool = False,
    ) -> None:
        """Somebody comes, goes on to be seen and goes; each title is a summary, the last one after she has gone.

        A revision is a second later than the one before, by what it says and with `in_real_time` by the clock too.
        """
        began = began or datetime.now(UTC)
        for revision in range(1, revisions + 1):
            if in_real_time:
                due = began + timedelta(seconds=revision)
                wait_for("its time", lambda due=due: datetime.now(UTC) >= due)
            ended = revision == revisions
            now = stamp(began + timedelta(seconds=revision))
            phase = {"phase": "ended" if ended else "started" if revision == 1 else "updated"}
            end = {"ended": now, "reason": "left"} if ended else {}
            of = {"id": name, "time": now, "started": stamp(began), "revision": revision}
            self.say("event", {**golden("event-started"), **of, **phase, **end})
        for revision, title in enumerate(titles, 3 - len(titles)):
            now = stamp(began + timedelta(seconds=revisions))
            of = {"id": f"{name}-summary", "event": name, "revision": revision, "title": title}
            self.say("summary", {**golden("summary"), **of, "time": now, "since": stamp(began), "until": now})
        wait_for("its last text", lambda: self.attribute(TITLE, "event") == name)

    def lines(self, since: datetime, *entities: str) -> list[dict[str, Any]]:
        """What Activity says of entities, and whatever is recorded by now."""
        ask = {"type": "logbook/get_events", "start_time": since.isoformat(), "entity_ids": list(entities)}
        lines = self.ha.command(ask)
        assert isinstance(lines, list)
        return lines

    def recorded(self, since: datetime) -> list[tuple[str, str, dict[str, Any]]]:
        """The rows of states in the recorder's database: entity, state, attributes."""
        question = """
            SELECT states_meta.entity_id, state, shared_attrs FROM states JOIN states_meta USING (metadata_id)
            LEFT JOIN state_attributes USING (attributes_id) WHERE last_updated_ts > ? ORDER BY state_id
        """
        path = self.ha.folder / "config" / "home-assistant_v2.db"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            rows = database.execute(question, [since.timestamp()]).fetchall()
        return [(entity, state, json.loads(attributes or "{}")) for entity, state, attributes in rows]

    def until_recorded(self, since: datetime, entity: str, state: str) -> None:
        wait_for(f"{state} of {entity} is recorded", lambda: (entity, state) in {r[:2] for r in self.recorded(since)})

    def add(self) -> str:
        """Add the node as soon as it is found; the id of its entry."""
        entry = self.ha.add_node("Hallway Pi")
        wait_for("its entities", lambda: self.rows("blikk"), 30)
        return entry


def golden(name: str) -> dict[str, Any]:
    content = json.loads((ROOT / "contract" / "examples" / f"{name}.json").read_text())
    assert isinstance(content, dict)
    return content


def stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")


@pytest.fixture(scope="module")
def home(ha_python: str, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    folder = tmp_path_factory.mktemp("household")
    clip = folder / "still.mp4"
    write_clip(clip, [np.full((480, 640, 3), 120, np.uint8)] * 50)
    (folder / "config").mkdir()
    (folder / "config" / "automations.yaml").write_text("[]\n")
    own = ("custom_components/blikk", "blueprints/automation/blikk")
    copies = {name: ROOT / name for name in own} | {
        "custom_components/language_model": Path(__file__).with_name("language_model")
    }
    with RtspServer(clip) as server, Broker(folder, persistence=True) as broker, Ears(broker.port) as ears:
        node = NODE.format(port=broker.port, folder=folder, source=server.url)
        ha = RealHomeAssistant(ha_python, folder, mqtt_port=broker.port, copies=copies, more=MORE, zone=ZONE)
        with ha, BlikkRun(folder, node, models=data / "models") as run:
            made = Home(ha, ears, broker, server, run)
            entry = made.add()
            enabled = {"type": "config/entity_registry/update", "entity_id": CALENDAR, "disabled_by": None}
            ha.command(enabled)
            ha.post(f"/api/config/config_entries/entry/{entry}/reload", {})
            for entity in ("binary_sensor.front_door_stream", "binary_sensor.yard_stream"):
                made.until(entity, "on")
            made.until(CALENDAR, "off")
            made.until("binary_sensor.hallway_pi_problem", "off")
            yield made


@pytest.fixture(scope="module")
def phone(home: Home) -> Iterator[Phone]:
    """A phone that is told of rings."""
    with Phone(home.ha) as phone:
        home.ha.post("/api/config/automation/config/doorbell", DOORBELL)
        home.until("automation.doorbell", "on")
        yield phone


def test_a_stream_that_breaks_is_missed_only_by_the_camera_whose_patience_it_exceeds(home: Home) -> None:
    """Both cameras have the same stream: of the yard a second is waited for it, of the front door ten minutes."""
    home.health()
    began, before = datetime.now(UTC), home.ha.states()
    with Diary(home.ha) as diary:
        home.server.kill()
        home.until("binary_sensor.yard_stream", "off")
        home.until("binary_sensor.hallway_pi_problem", "on")
        problems = home.attribute("binary_sensor.hallway_pi_problem", "problems")
        home.server.start()
        for camera in ("front_door", "yard"):
            wait_for(f"the stream of {camera}", partial(works_again, home.run, camera))
        home.until("binary_sensor.yard_stream", "on")
        home.until("binary_sensor.hallway_pi_problem", "off")
        home.health()
        front_door, yard = home.of_camera("front_door"), home.of_camera("yard")
        states = {entity: diary.states(entity) for entity in (*front_door, *yard, "binary_sensor.hallway_pi_problem")}

    assert {entity: states[entity] for entity in front_door if states[entity]} == {}
    assert [problem for problem in problems if "yard" in problem]
    assert not [problem for problem in problems if "front_door" in problem]
    turns = {entity: turned(before[entity]["state"], states[entity]) for entity in states if states[entity]}
    assert turns.pop("binary_sensor.hallway_pi_problem") == ["on", "off"]
    assert turns.pop("binary_sensor.yard_stream") == ["off", "on"]
    assert {"binary_sensor.yard_motion", "binary_sensor.yard_person", "camera.yard"} <= turns.keys()
    assert turns == {entity: ["unavailable", before[entity]["state"]] for entity in turns}
    assert {entity.partition(".")[0] for entity in turns} <= {"binary_sensor", "camera", "image"}

    home.until_recorded(began, "binary_sensor.hallway_pi_problem", "off")
    assert home.lines(began, *home.of_camera("front_door")) == []
    lines = [line["entity_id"] for line in home.lines(began, *home.of_camera("yard"))]
    print("lines of an outage in Activity:", len(lines))
    assert max(Counter(lines).values()) == 2, "more than that it went and came back"


def turned(before: str, states: list[str]) -> list[str]:
    """What it became, where at first it may have been written again as it was."""
    return states[1:] if states[0] == before else states


def works_again(run: BlikkRun, camera: str) -> bool:
    return any("works again" in line and camera in line for line in run.log.splitlines())


def test_a_ring_that_waited_in_the_node_says_when_it_was(home: Home, phone: Phone) -> None:
    rang = datetime.now(UTC) - timedelta(minutes=2)
    late = {**golden("ring"), "id": "front_door-ring-late", "time": stamp(rang), "replayed": True}
    home.say("ring", late)
    (shown,) = wait_for("the notification", lambda: phone.shown)
    assert shown["title"] == f"Front door · {rang.astimezone(daytime.now().tzinfo):%H:%M}"
    assert home.attribute(BELL, "replayed") is True
    assert datetime.fromisoformat(home.attribute(BELL, "time")) == datetime.fromisoformat(stamp(rang))


def test_five_pictures_later_the_address_of_the_first_still_has_its_bytes_for_who_is_logged_in(home: Home) -> None:
    path, picture = home.picture_of(home.press()["id"])
    home.kept[path] = picture
    for number in range(5):
        ring = f"front_door-ring-of-before-{number}"
        home.ears.say(f"{BASE}/front_door/picture/ring", jpeg(40 * number, 120, 60, event=ring), retain=True)
        another, content = home.picture_of(ring)
        home.kept[another] = content
    assert len(set(home.kept.values())) == len(home.kept) == 6
    assert {path: home.ha.get(path) for path in home.kept} == home.kept
    with pytest.raises(HTTPError, match="401") as refused:
        urlopen(home.ha.url + path, timeout=5 * PATIENCE)
    refused.value.close()
    signed = home.ha.command({"type": "auth/sign_path", "path": path})["path"]
    with urlopen(home.ha.url + signed, timeout=5 * PATIENCE) as answer:
        assert answer.read() == picture


def test_each_of_two_rings_in_a_visit_has_a_notification_and_the_text_rewrites_the_last(
    home: Home, phone: Phone
) -> None:
    rings, told = [], len(phone.shown)
    for number in (1, 2):
        rings.append(home.press()["id"])
        wait_for("the notification", lambda n=number: len(phone.shown) == told + n)
        path, picture = home.picture_of(rings[-1])
        home.kept[path] = picture
    first, second = phone.shown[told:]
    assert [shown["title"] for shown in (first, second)] == ["Front door"] * 2
    assert first["data"]["tag"] != second["data"]["tag"]
    assert [ring for ring in rings if ring in str(first["data"])] == rings[:1]
    assert [ring for ring in rings if ring in str(second["data"])] == rings[1:]

    home.visit("front_door-visit", ("Two rings",), began=datetime.now(UTC) - timedelta(seconds=9), revisions=9)
    (third,) = wait_for("the text", lambda: phone.shown[told + 2 :])
    assert (third["data"]["tag"], third["data"]["image"]) == (second["data"]["tag"], path)
    assert third["message"] == golden("summary")["text"]


def test_a_ring_while_home_assistant_restarts_is_reported_with_its_time_and_pictures_outlast_it(home: Home) -> None:
    home.ha.stop()
    ring = home.press()
    home.ha.start()
    home.ha.wait_until_running()
    wait_for("the ring is reported", lambda: home.attribute(BELL, "id") == ring["id"], 30)
    assert home.attribute(BELL, "replayed") is True
    assert datetime.fromisoformat(home.attribute(BELL, "time")) == datetime.fromisoformat(ring["time"])
    assert datetime.fromisoformat(str(home.state(BELL))) > datetime.fromisoformat(ring["time"])
    assert {path: home.ha.get(path) for path in home.kept} == home.kept


def test_two_visits_with_the_same_title_are_two_lines_in_activity(home: Home) -> None:
    began = datetime.now(UTC)
    for number in range(2):
        home.visit(f"front_door-same-{number}", ("A courier", "A courier"))

    def lines() -> list[str]:
        return [str(line.get("message") or line.get("state")) for line in home.lines(began, TITLE)]

    wait_for("two lines", lambda: lines().count("A courier") == 2)
    home.visit("front_door-another", ("Somebody else",))
    wait_for("the next line", lambda: "Somebody else" in lines())
    assert lines() == ["A courier", "A courier", "Somebody else"]


KEPT_BY_THE_NODE = {"tokens", "pictures", "model", "since", "until", "text", "evidence", "description", "message"}


def test_of_a_busy_minute_the_database_has_states_and_no_texts(home: Home) -> None:
    """Thirteen visits, of ten revisions each and with two texts; the last one takes its time."""
    home.until(CALENDAR, "off")
    began = datetime.now(UTC)
    for number in range(13):
        texts = (f"Visitor {number} comes", f"Visitor {number} left")
        home.visit(f"front_door-busy-{number}", texts, revisions=10, in_real_time=number == 12)
    assert home.attribute(TITLE, "tokens")
    assert home.attribute(CALENDAR, "description")
    home.until_recorded(began, TITLE, "Visitor 12 left")
    rows = home.recorded(began)
    titles = [state for entity, state, _ in rows if entity == TITLE]
    assert titles == [f"Visitor {number} {what}" for number in range(13) for what in ("comes", "left")]
    calendar = [state for entity, state, _ in rows if entity == CALENDAR]
    print("rows of the calendar:", len(calendar), "of all:", len(rows))
    # a visit begins, ends, and has two titles; a quarter of an hour may begin meanwhile
    assert len(calendar) <= 4 * 13 + 1

    names = {name for _, _, attributes in home.recorded(datetime.fromtimestamp(0, UTC)) for name in attributes}
    assert {"friendly_name", "event_type"} <= names
    assert not names & KEPT_BY_THE_NODE


def unexposed(home: Home) -> list[str]:
    """Repairs that say that an assistant sees no camera."""
    issues = home.ha.command({"type": "repairs/list_issues"})["issues"]
    return [issue["issue_id"] for issue in issues if issue["translation_key"] == "not_exposed"]


def expose(home: Home, *, wanted: bool) -> None:
    cameras = ["camera.front_door", "camera.yard"]
    command = {"type": "homeassistant/expose_entity", "assistants": ["conversation"], "entity_ids": cameras}
    home.ha.command({**command, "should_expose": wanted})


def tools(home: Home) -> list[str]:
    """Those of ours that the language model may use."""
    asked = {"text": "Who was at the door?", "agent_id": "conversation.language_model", "language": "en"}
    said = home.ha.post("/api/conversation/process", asked)["response"]["speech"]["plain"]["speech"]
    return [tool for tool in said.split() if tool.startswith("blikk__")]


@pytest.mark.parametrize("how", ["by hand", "by the repair"])
def test_a_language_model_that_sees_no_camera_is_a_repair_until_one_is_exposed(home: Home, how: str) -> None:
    wait_for("the model is given the cameras", lambda: "blikk__list_cameras" in tools(home))
    assert unexposed(home) == []
    expose(home, wanted=False)
    (issue,) = wait_for("the repair", lambda: unexposed(home))
    assert tools(home) == []
    if how == "by hand":
        expose(home, wanted=True)
    else:
        begun = home.ha.post("/api/repairs/issues/fix", {"handler": "blikk", "issue_id": issue})
        assert home.ha.post(f"/api/repairs/issues/fix/{begun['flow_id']}", {})["type"] == "create_entry"
    wait_for("the repair goes", lambda: not unexposed(home))
    assert "blikk__list_cameras" in tools(home)


def test_a_node_that_is_new_to_the_broker_is_found_without_a_reload(home: Home) -> None:
    (entry,) = home.ha.command({"type": "config_entries/get", "domain": "blikk"})
    folder = home.run.folder / "shed"
    folder.mkdir()
    (folder / "shed.jpg").write_bytes(jpeg(20, 120, 60))
    assert home.ha.found("Shed Pi") is None
    with BlikkRun(folder, SHED.format(port=home.broker.port, folder=folder), models=None):
        shed = home.ha.add_node("Shed Pi")
        home.until("binary_sensor.shed_pi_connection", "on")
        home.until("binary_sensor.shed_stream", "on")
        home.ha.delete(f"/api/config/config_entries/entry/{shed}")
    assert entry in home.ha.command({"type": "config_entries/get", "domain": "blikk"})


def test_removed_and_added_again_ids_names_and_what_is_disabled_are_as_they_were(home: Home) -> None:
    changes: dict[str, dict[str, object]] = {
        BELL: {"new_entity_id": "event.gate_bell", "name": "Gate bell"},
        "binary_sensor.front_door_motion": {"disabled_by": "user"},
        "binary_sensor.front_door_person": {"new_entity_id": "binary_sensor.visitor"},
        "sensor.yard_last_summary": {"disabled_by": "user"},
        "camera.yard": {"hidden_by": "user"},
    }
    for entity, change in changes.items():
        home.ha.command({"type": "config/entity_registry/update", "entity_id": entity, **change})

    def settings(platform: str) -> dict[str, tuple[object, ...]]:
        looked_at = ("entity_id", "name", "disabled_by", "hidden_by")
        return {row["unique_id"]: tuple(row[name] for name in looked_at) for row in home.rows(platform).values()}

    before = settings("blikk")
    assert len({entity for entity, *_ in before.values()} & {"event.gate_bell", "binary_sensor.visitor"}) == 2
    (entry,) = home.ha.command({"type": "config_entries/get", "domain": "blikk"})
    home.ha.delete(f"/api/config/config_entries/entry/{entry['entry_id']}")
    wait_for("the plain entities", lambda: "event.gate_bell" in home.rows("mqtt"), 30)
    wait_for("what a user set is set on them", lambda: different(settings("mqtt"), before) == {}, 30)
    home.add()
    wait_for("all is as it was", lambda: settings("blikk") == before, 30)
    home.until("binary_sensor.visitor", "off")


def different(now: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """What is not as it was, of what is there."""
    return {key: (before[key], value) for key, value in now.items() if key in before and before[key] != value}


def test_the_logs_have_no_stack_trace(home: Home) -> None:
    assert not [line for line in home.ha.log if "custom_components/blikk" in line or "Traceback" in line]
    assert "Traceback" not in home.run.log
