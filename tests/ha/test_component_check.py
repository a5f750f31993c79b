import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from component_check.__main__ import faults  # noqa: E402

COMPONENT = Path("custom_components/blikk")
EN, DE = COMPONENT / "translations/en.json", COMPONENT / "translations/de.json"
MANIFEST, ICONS, QUALITY = COMPONENT / "manifest.json", COMPONENT / "icons.json", COMPONENT / "quality_scale.yaml"
NAMED = {"name": "x", "description": "y"}
SERVICES, DOORBELL = COMPONENT / "services.yaml", Path("blueprints/automation/blikk/doorbell.yaml")


@pytest.fixture
def copy(tmp_path):
    no_cache = shutil.ignore_patterns("__pycache__")
    for folder in ("custom_components", "blueprints", "tests/ha", "tests/ha_component"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=no_cache)
    for name in ("hacs.json", "README.md", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def swap(file, old, new):
    """A fault that changes text; it must be there."""

    def plant(root):
        text = (root / file).read_text()
        assert re.search(old, text), f"{old} is not in {file}"
        (root / file).write_text(re.sub(old, new, text, count=1))

    return plant


def put(file, keys, value):
    """A fault at a dotted key of a JSON file; None takes it away."""

    def plant(root):
        content = json.loads((root / file).read_text())
        *way, last = keys.split(".")
        place = content
        for key in way:
            place = place.setdefault(key, {})
        if value is None:
            del place[last]
        else:
            place[last] = value
        (root / file).write_text(json.dumps(content, indent=2))

    return plant


def resize(name, width, height, colour=6):
    def plant(root):
        path = root / COMPONENT / "brand" / name
        head = path.read_bytes()
        size = width.to_bytes(4, "big") + height.to_bytes(4, "big")
        path.write_bytes(head[:16] + size + head[24:25] + bytes([colour]) + head[26:])

    return plant


def write(file, text):
    def plant(root):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(text)

    return plant


def remove(file):
    return lambda root: (root / file).unlink()


def keep_languages(*tags):
    def plant(root):
        for path in (root / EN).parent.iterdir():
            if path.stem not in tags:
                path.unlink()

    return plant


FAULTS = {
    # the manifest
    "order": (swap(MANIFEST, r'"codeowners"', '"zcodeowners"'), "not in order"),
    "unknown key": (put(MANIFEST, "zip", True), "extra keys not allowed"),
    "no version": (put(MANIFEST, "version", None), "required key not provided @ data['version']"),
    "odd version": (put(MANIFEST, "version", "one"), "is no version"),
    "other version": (put(MANIFEST, "version", "9.9.9"), "is not the project's"),
    "other domain": (put(MANIFEST, "domain", "blink"), "domain"),
    "requirement": (put(MANIFEST, "requirements", ["blikk-edge"]), "must stay empty"),
    "no owner": (put(MANIFEST, "codeowners", []), "codeowners"),
    "no https": (put(MANIFEST, "documentation", "http://example.com/"), "is no https address"),
    "dependency": (put(MANIFEST, "dependencies", ["http"]), "mqtt is imported but neither in dependencies"),
    "half a manifest": (write(MANIFEST, '{"domain": "blikk",'), "manifest.json: "),
    "key twice": (write(MANIFEST, '{"domain": "blikk", "domain": "blikk"}'), "is there twice"),
    # translations
    "html": (put(EN, "issues.llm_refused.title", "<b>Refused</b>"), "en.json: issues.llm_refused.title: holds HTML"),
    "url": (put(DE, "config.abort.no_node", "Siehe https://example.com/x"), "config.abort.no_node: holds an address"),
    "quotes": (put(EN, "config.step.discovery_confirm.title", "Add '{name}'"), "holds a placeholder in quotes"),
    "space": (put(EN, "entity.switch.detect.name", "Detection "), "begins or ends with a space"),
    "reference": (put(EN, "entity.switch.detect.name", "[%key:common::x%]"), "refers to another text"),
    "brace": (put(EN, "entity.switch.detect.name", "Detection {"), "odd braces"),
    "placeholder name": (put(EN, "exceptions.refused.message", "{0} refuses"), "a placeholder that is no name"),
    "placeholder in state": (put(EN, "entity.select.summaries.state.off", "{x}"), "cannot have a placeholder"),
    "schema": (put(EN, "config.step.user.titel", "x"), "en.json: config.step.user.titel: extra keys"),
    "section": (put(EN, "strings", {"x": "y"}), "extra keys"),
    "issue": (put(EN, "issues.plain_entities.description", "x"), "en.json: issues.plain_entities"),
    "key": (put(EN, "exceptions.No-Such", {"message": "x"}), "is no key"),
    "field without description": (
        put(EN, "config.step.user.data_description.prefix", None),
        "config.step.user: data and data_description differ: prefix",
    ),
    "other language lacks": (put(DE, "exceptions.no_reply", None), "de.json: exceptions.no_reply.message is missing"),
    "other language more": (put(DE, "exceptions.more", {"message": "x"}), "exceptions.more.message is not in English"),
    "other placeholders": (put(DE, "exceptions.no_reply.message", "Nichts."), "exceptions.no_reply.message has other"),
    "two languages": (keep_languages("de", "en"), "two more languages"),
    "strings.json": (write(COMPONENT / "strings.json", "{}"), "a component of its own has none"),
    "unused": (put(EN, "exceptions.never", {"message": "x"}), "exceptions.never is never used"),
    "unused entity": (put(EN, "entity.switch.never", {"name": "x"}), "entity.switch.never is never used"),
    "exception not there": (put(EN, "exceptions.node_offline", None), "exceptions.node_offline is missing; custom"),
    "abort not there": (put(EN, "config.abort.node_gone", None), "config.abort.node_gone is missing; custom"),
    "error not there": (put(EN, "config.error.invalid_prefix", None), "config.error.invalid_prefix is missing; custom"),
    "step not there": (put(EN, "config.step.pick", None), "config.step.pick is missing; custom"),
    "option not there": (put(EN, "options.step", {}), "options.step.init is missing; custom"),
    "entity not there": (put(EN, "entity.switch.detect", None), "entity.switch.detect is missing; custom"),
    # actions, triggers, conditions, icons
    "action not translated": (put(EN, "services.snooze", None), "en.json: service snooze is missing"),
    "action without icon": (put(ICONS, "services.snooze", None), "icons.json: service snooze is missing"),
    "trigger without icon": (put(ICONS, "triggers.person_seen", None), "icons.json: trigger person_seen is missing"),
    "condition not described": (put(EN, "conditions.is_new", NAMED), "condition is_new is missing"),
    "action not in code": (swap(SERVICES, "(?m)^snooze:", "doze:"), "doze is not in services.py"),
    "field not translated": (put(EN, "services.ask.fields.question", None), "services.ask.fields.question is missing"),
    "field that is none": (put(EN, "services.ask.fields.x", NAMED), "x is no field of it"),
    "field schema": (swap(SERVICES, "required: true", "required: perhaps"), "services.yaml: ask"),
    "field without selector": (
        swap(SERVICES, r"(    question:\n(?:      \w.*\n)*?)      selector:\n        text:\n", r"\1"),
        "field question has no selector",
    ),
    "selector options": (put(EN, "selector.label.options.person", None), "selector.label.options are not those"),
    "no services.yaml": (remove(SERVICES), "it must be there if services.py is"),
    "broken yaml": (write(SERVICES, "ask: ["), "services.yaml: while parsing"),
    "icon": (put(ICONS, "entity.binary_sensor.person.default", "walk"), "is no Material Design icon"),
    "icon of nothing": (put(ICONS, "entity.switch.never", {"default": "mdi:eye"}), "entity.switch.never is not in"),
    # the quality scale
    "rule missing": (swap(QUALITY, r"(?m)^  brands:\n(    .*\n)+", ""), "brands is missing"),
    "rule of nothing": (swap(QUALITY, r"(?m)^  brands:", "  brand:"), "brand is no rule"),
    "todo": (swap(QUALITY, "status: done", "status: todo"), "neither done nor exempt"),
    "exempt without reason": (
        swap(QUALITY, r"appropriate-polling:\n(    .*\n)+", "appropriate-polling: exempt\n"),
        "appropriate-polling is exempt without a comment",
    ),
    "test not there": (swap(QUALITY, r"comment: .*", "comment: test_component_no"), "which is not in tests"),
    # around it
    "hacs key": (put("hacs.json", "domains", ["sensor"]), "hacs.json: extra keys"),
    "hacs name": (put("hacs.json", "name", None), "hacs.json: required key"),
    "hacs zip": (put("hacs.json", "filename", None), "go together"),
    "two integrations": (write("custom_components/blink/manifest.json", "{}"), "one integration is wanted"),
    "no icon": (remove(COMPONENT / "brand/icon.png"), "icon.png: it is missing"),
    "icon size": (resize("icon.png", 200, 200), "200 x 200 pixels, 256 x 256 are wanted"),
    "icon@2x size": (resize("icon@2x.png", 256, 256), "512 x 512 are wanted"),
    "logo size": (resize("logo.png", 400, 100), "it must be wide, and 128 to 256 high"),
    "opaque": (resize("icon.png", 256, 256, colour=2), "no transparency"),
    "no picture": (write(COMPONENT / "brand/icon.png", "<svg/>"), "it is no PNG"),
    "config.yaml": (write("docs/guide/config.yaml", "a: 1"), "docs/guide/config.yaml: the Supervisor would take it"),
    # blueprints
    "input not declared": (swap(DOORBELL, "!input lamps", "!input lanterns"), "!input lanterns is not declared"),
    "input not used": (swap(DOORBELL, "!input lamp_dark", "true"), "input lamp_dark is never used"),
    "input twice": (swap(DOORBELL, "(?m)^        lamp_dark:", "        lamps:"), "is there twice"),
    "source": (swap(DOORBELL, "blikk/doorbell.yaml", "blikk/bell.yaml"), "source_url does not name this file"),
    "min version": (swap(DOORBELL, "min_version: 2026.10.0", "min_version: 2025.1.0"), "min_version is not that of"),
    "broken blueprint": (swap(DOORBELL, "mode: parallel", "mode: ["), "doorbell.yaml: while parsing"),
}  # fmt: skip


def test_nothing_is_refused(copy):
    assert faults(copy) == []


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_refused(copy, name):
    plant, reported = FAULTS[name]
    plant(copy)
    found = faults(copy)
    assert [fault for fault in found if reported in fault], found


def test_an_app_may_have_its_config(copy):
    write("app/config.yaml", "name: Blikk Edge")(copy)
    write("app/Dockerfile", "FROM scratch")(copy)
    assert faults(copy) == []


def test_the_supervisor_does_not_look_into_hidden_folders(copy):
    write(".github/ISSUE_TEMPLATE/config.yml", "blank_issues_enabled: false")(copy)
    assert faults(copy) == []


def test_the_command_says_what_is_wrong_and_fails(copy):
    put(MANIFEST, "version", None)(copy)
    done = subprocess.run(
        [sys.executable, "-m", "component_check", copy],
        check=False, capture_output=True, text=True, timeout=60, cwd=ROOT / "scripts",
    )  # fmt: skip
    assert done.returncode == 1
    assert "required key not provided @ data['version']" in done.stderr


def test_the_brand_pictures_are_as_they_are_drawn():
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "brand.py", "--check"],
        check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
