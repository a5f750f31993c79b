"""Everything there is, and that each of it has a name in every language, an icon and a place in the quality scale."""

import ast
import json
import re
import sys
from pathlib import Path

import homeassistant.components
import pytest
import yaml
from homeassistant.components.recorder.db_schema import StateAttributes
from homeassistant.const import EVENT_STATE_CHANGED
from homeassistant.core import Event
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity_platform import async_get_platforms
from homeassistant.helpers.translation import async_get_translations
from stage import DOMAIN, GOLDEN_JPEG, ROOT, announce, entry_of, golden, publish, set_up

from custom_components.blikk.const import PLATFORMS
from custom_components.blikk.entity import BlikkEntity
from custom_components.blikk.node import BlikkNode

STANDARD = {"friendly_name", "device_class", "state_class", "unit_of_measurement", "icon", "supported_features"}
COMPONENT = ROOT / "custom_components" / "blikk"
LANGUAGES = sorted(path.stem for path in (COMPONENT / "translations").glob("*.json"))
SOURCES = {path.name: path.read_text() for path in COMPONENT.glob("*.py")}
NAMED_BY_CLASS = {"motion", "problem"}
ICON_BY_CLASS = {"doorbell", "stream", "connection", "inference", "frame_age", "temperature", "llm_cost", "software"}


def texts(language):
    return json.loads((COMPONENT / "translations" / f"{language}.json").read_text())


def leaves(node, path=()):
    if isinstance(node, dict):
        for key, value in node.items():
            yield from leaves(value, (*path, key))
    else:
        yield path, node


def icons():
    return json.loads((COMPONENT / "icons.json").read_text())


def everything():
    """A node with one of each."""
    content = announce()
    camera = content["cameras"][0]
    camera["labels"] = ["person", "vehicle", "animal", "package", "drone"]
    camera["questions"].append({"id": "color", "question": "What color is the car?", "kind": "text"})
    camera["measures"] = golden("announce-measures")["cameras"][0]["measures"]
    camera["concepts"] = golden("announce-search")["cameras"][0]["concepts"]
    content["cameras"] = [camera]
    return content


@pytest.fixture
async def entities(hass, mqtt_mock, entity_registry):
    """All entities of that node."""
    entry = await set_up(hass, entry_of(everything()))
    return sorted(
        er.async_entries_for_config_entry(entity_registry, entry.entry_id), key=lambda entity: entity.entity_id
    )


async def test_the_inventory_of_entities(entities, snapshot):
    assert {
        entity.entity_id: {
            "unique_id": entity.unique_id,
            "name": entity.original_name,
            "translation_key": entity.translation_key,
            "category": entity.entity_category and str(entity.entity_category),
            "device_class": entity.original_device_class and str(entity.original_device_class),
            "unit": entity.unit_of_measurement,
            "state_class": (entity.capabilities or {}).get("state_class") and str(entity.capabilities["state_class"]),
            "enabled": not entity.disabled,
        }
        for entity in entities
    } == snapshot


async def test_nothing_is_recorded_but_states_what_happened_and_what_is_wrong(hass, entities, entity_registry):
    """A busy day is hundreds of summaries: what they say beside their title would be most of the database."""
    for entity in entities:
        entity_registry.async_update_entity(entity.entity_id, disabled_by=None)
    await hass.config_entries.async_reload(entities[0].config_entry_id)
    for topic, payload in {
        "status": "online",
        "health": golden("health"),
        "digest": golden("summary-digest"),
        "front_door/status": "online",
        "front_door/state": golden("state"),
        "front_door/event": golden("event-started"),
        "front_door/ring": golden("ring"),
        "front_door/observation": golden("observation-alert"),
        "front_door/summary": golden("summary"),
        "front_door/digest": golden("summary-digest"),
        "front_door/answer/gate_open": golden("answer"),
        "front_door/answer/color": golden("answer"),
        "front_door/picture/person": GOLDEN_JPEG,
    }.items():
        await publish(hass, topic, payload)
    recorded = {}
    for entity in entities:
        if entity.domain in ("camera", "update"):
            continue  # these have Home Assistant's own attributes alone
        attributes = json.loads(StateAttributes.shared_attrs_bytes_from_event(changed(hass, entity.entity_id), None))
        beside = attributes.keys() - STANDARD - (entity.capabilities or {}).keys()
        if beside:
            recorded[entity.entity_id] = beside
    happened = set(hass.states.get("event.front_door_detection").attributes) - STANDARD - {"event_types", "language"}
    assert recorded == {
        "binary_sensor.front_door_stream": {"problem"},
        "binary_sensor.porch_pi_problem": {"problems"},
        "event.front_door_alert": {"event_type", "measure", "alert", "value", "unit", "id", "camera", "time"},
        "event.front_door_detection": happened,
        "event.front_door_doorbell": {"event_type", "id", "camera", "time", "via", "replayed"},
        "sensor.front_door_needle_angle": {"alert"},
        "sensor.front_door_pressure": {"alert"},
    }


def changed(hass, entity_id):
    state = hass.states.get(entity_id)
    return Event(EVENT_STATE_CHANGED, {"entity_id": entity_id, "old_state": None, "new_state": state})


async def test_every_entity_has_a_name_in_every_language(entities):
    for language in LANGUAGES:
        known = texts(language)["entity"]
        for entity in entities:
            if entity.domain == "camera" or (entity.translation_key is None and entity.original_device_class):
                continue
            assert known[entity.domain][entity.translation_key]["name"], (language, entity.entity_id)
    named = {entity.original_device_class for entity in entities if entity.translation_key is None}
    assert named <= {None, *NAMED_BY_CLASS}


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_two_entities_have_the_same_name(language):
    """Two called *Detection* on one page; a question is called as the user asks it."""
    named = (entity.get("name") for entities in texts(language)["entity"].values() for entity in entities.values())
    names = [name.casefold() for name in named if name and name != "{question}"]
    assert [name for name in names if names.count(name) > 1] == []


async def test_every_entity_has_an_icon(entities):
    known = icons()["entity"]
    for entity in entities:
        if entity.domain == "camera" or entity.original_device_class in NAMED_BY_CLASS:
            continue
        if entity.translation_key not in ICON_BY_CLASS:
            assert known[entity.domain][entity.translation_key]["default"].startswith("mdi:"), entity.entity_id


async def test_no_name_and_no_icon_is_for_nothing(entities):
    used = {(entity.domain, entity.translation_key) for entity in entities}
    for known in (texts("en")["entity"], icons()["entity"]):
        assert {(domain, key) for domain, keys in known.items() for key in keys} - used == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_languages_say_the_same_things(language):
    english, other = dict(leaves(texts("en"))), dict(leaves(texts(language)))
    assert list(other) == list(english)
    for path, text in other.items():
        assert sorted(re.findall(r"\{\w+\}", text)) == sorted(re.findall(r"\{\w+\}", english[path])), path


@pytest.mark.parametrize("language", LANGUAGES)
def test_texts_are_as_home_assistant_wants_them(language):
    for path, text in leaves(texts(language)):
        assert text == text.strip() != "", path
        assert not re.search(r"<\w|https?://|\[%key|['\"]\{\w+\}['\"]", text), path


def test_the_languages_are_those_of_texts_and_notifications():
    assert LANGUAGES == ["de", "en", "es", "fr", "it", "nl"]


async def test_home_assistant_reads_the_translations(hass):
    for category, key in (
        ("config", "component.blikk.config.step.user.title"),
        ("triggers", "component.blikk.triggers.person_seen.name"),
        ("services", "component.blikk.services.ask.name"),
    ):
        read = await async_get_translations(hass, "de", category, [DOMAIN])
        assert read[key]


def test_every_error_that_is_raised_is_translated_and_the_other_way_round():
    raised = set()
    for source in SOURCES.values():
        raised |= set(re.findall(r'(?:self|node)\.error\(\s*"(\w+)"', source))
        raised |= set(re.findall(r'_invalid\(\s*"(\w+)"', source))
        raised |= set(re.findall(r'translation_domain=DOMAIN,\s*translation_key="(\w+)"', source))
    assert raised == texts("en")["exceptions"].keys()


def test_every_issue_is_translated():
    from custom_components.blikk import issues

    assert set(issues.ALL) == texts("en")["issues"].keys()


def test_every_step_error_and_abort_of_the_flow_is_translated():
    source, flow = SOURCES["config_flow.py"], texts("en")["config"]
    steps = set(re.findall(r'step_id="(\w+)"', source))
    assert steps == {*flow["step"], "init"}
    assert set(re.findall(r'reason="(\w+)"', source)) <= flow["abort"].keys()
    errors = set(re.findall(r'"(?:base)": "(\w+)"|return "(\w+)"|CONF_PREFIX: "(\w+)"', source))
    assert {word for found in errors for word in found if word} <= flow["error"].keys()
    for step in flow["step"].values():
        assert step.get("data", {}).keys() == step.get("data_description", {}).keys()
    for part in texts("en")["options"]["step"]["init"]["sections"].values():
        assert part["data"].keys() == part["data_description"].keys()


@pytest.mark.parametrize(("file", "section", "icon"), [
    ("services.yaml", "services", "service"),
    ("triggers.yaml", "triggers", "trigger"),
    ("conditions.yaml", "conditions", "condition"),
])  # fmt: skip
def test_actions_triggers_and_conditions_have_texts_and_icons(file, section, icon):
    described, named = yaml.safe_load((COMPONENT / file).read_text()), texts("en")[section]
    assert described.keys() == named.keys() == icons()[section].keys()
    for key, what in described.items():
        assert what.get("fields", {}).keys() == named[key].get("fields", {}).keys(), key
        assert icons()[section][key][icon].startswith("mdi:")
        assert named[key]["name"]
        assert named[key]["description"]


async def test_every_action_takes_what_its_description_says(hass, mqtt_mock):
    await set_up(hass)
    described = yaml.safe_load((COMPONENT / "services.yaml").read_text())
    registered = hass.services.async_services()[DOMAIN]
    for name, action in registered.items():
        assert {str(key) for key in action.schema.schema} == described[name]["fields"].keys(), name


def test_every_platform_says_how_many_commands_go_at_once():
    commanding = {"button", "number", "select", "switch"}
    for platform in PLATFORMS:
        found = re.search(r"^PARALLEL_UPDATES = (\d)$", SOURCES[f"{platform}.py"], re.MULTILINE)
        assert found[1] == ("1" if platform in commanding else "0"), platform


def test_the_component_stands_alone():
    brought = {"aiohttp", "awesomeversion", "certifi", "PIL", "probatio", "yarl"}  # by Home Assistant
    allowed = {"homeassistant", *brought, *sys.stdlib_module_names}
    for name, source in SOURCES.items():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                assert node.module.partition(".")[0] in allowed, name
            elif isinstance(node, ast.Import):
                assert {alias.name.partition(".")[0] for alias in node.names} <= allowed, name


def test_the_reader_of_the_contract_is_pure():
    for name in ("reader.py", "contract.py", "names.py", "state.py", "labels.py"):
        assert "homeassistant" not in re.findall(r"^(?:from|import) (\w+)", SOURCES[name], re.MULTILINE), name


async def test_a_node_is_kept_at_its_entry_and_its_entities_share_a_base_and_are_never_polled(hass, mqtt_mock):
    entry = await set_up(hass)
    assert isinstance(entry.runtime_data, BlikkNode)
    entities = [each for platform in async_get_platforms(hass, DOMAIN) for each in platform.entities.values()]
    assert len({entity.platform.domain for entity in entities}) > 8
    for entity in entities:
        assert isinstance(entity, BlikkEntity), entity.entity_id
        assert entity.node is entry.runtime_data, entity.entity_id
        assert not entity.should_poll, entity.entity_id


def test_every_session_is_home_assistants_own():
    asking = {name for name, source in SOURCES.items() if re.search(r"session\.(get|ws_connect)\(", source)}
    assert asking == {"media.py", "live.py"}
    for name, source in SOURCES.items():
        assert ("async_get_clientsession(" in source) == (name in asking), name
        assert "ClientSession(" not in source, name


# ---- quality scale


SCALE = yaml.safe_load((COMPONENT / "quality_scale.yaml").read_text())["rules"]


def test_the_quality_scale_has_all_rules_of_home_assistant():
    peer = Path(homeassistant.components.__file__).parent / "unifiprotect"
    theirs = yaml.safe_load((peer / "quality_scale.yaml").read_text())["rules"]
    assert len(theirs) == 54
    assert SCALE.keys() == theirs.keys()


@pytest.mark.parametrize("rule", SCALE)
def test_every_rule_names_where_it_is_kept_or_why_not(rule):
    status, comment = SCALE[rule]["status"], SCALE[rule]["comment"]
    assert status in ("done", "exempt")
    assert "test_" in comment, f"{rule}: no test is named"
    for test in re.findall(r"test_component_\w+", comment):
        assert list(ROOT.glob(f"tests/*/{test}.py")), comment
    for file in re.findall(r"(?<![\w/])\w+\.(?:py|json)\b", comment):
        assert (COMPONENT / file).exists(), comment
    for path in re.findall(r"\b(?:docs|tests|custom_components)/[\w/.-]*\w", comment):
        assert (ROOT / path).exists(), f"{rule}: there is no {path}"
