import json
import re
from pathlib import Path

import pytest
import yaml

from blikk_edge.config import load

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "guide" / "home-assistant.md").read_text()
COMPONENT = ROOT / "custom_components" / "blikk"
SETTINGS = re.findall(r"```yaml\n# blikk.yaml\n(.*?)```", GUIDE, re.DOTALL)
FRAME = "node: hallway\nmqtt: broker.local\ncameras: {front_door: {source: 'rtsp://cam/1'}}\n"

SECTIONS = {
    "docs-actions": "Actions",
    "docs-conditions": "Conditions",
    "docs-configuration-parameters": "Configuration parameters",
    "docs-data-update": "Data updates",
    "docs-examples": "Examples",
    "docs-high-level-description": "Home Assistant",
    "docs-installation-instructions": "Installation",
    "docs-installation-parameters": "Installation",
    "docs-known-limitations": "Known limitations",
    "docs-removal-instructions": "Removal",
    "docs-supported-devices": "Supported devices",
    "docs-supported-functions": "Supported functions",
    "docs-triggers": "Triggers",
    "docs-troubleshooting": "Troubleshooting",
    "docs-use-cases": "Use cases",
}


def sections():
    """The text below each heading of the first two levels."""
    parts = re.split(r"(?m)^##? (.+)\n", GUIDE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_rule_about_documentation_has_its_section():
    rules = yaml.safe_load((COMPONENT / "quality_scale.yaml").read_text())["rules"]
    assert {rule for rule in rules if rule.startswith("docs-")} == SECTIONS.keys()
    assert [title for title in SECTIONS.values() if len(sections().get(title, "").strip()) < 200] == []


@pytest.mark.parametrize("name", yaml.safe_load((COMPONENT / "services.yaml").read_text()))
def test_every_action_and_field_is_described(name):
    fields = yaml.safe_load((COMPONENT / "services.yaml").read_text())[name]["fields"]
    text = re.search(rf"### `blikk\.{name}`\n(.*?)(?=\n##)", GUIDE, re.DOTALL).group(1)
    assert [field for field in fields if f"`{field}`" not in text] == []


@pytest.mark.parametrize(("kind", "title"), [("triggers", "Triggers"), ("conditions", "Conditions")])
def test_every_trigger_and_condition_is_described(kind, title):
    names = yaml.safe_load((COMPONENT / f"{kind}.yaml").read_text())
    assert [name for name in names if f"`blikk.{name}`" not in sections()[title]] == []


def test_every_option_is_described():
    step = json.loads((COMPONENT / "translations" / "en.json").read_text())["options"]["step"]["init"]
    words = [*step["data"].values()] + [word for part in step["sections"].values() for word in part["data"].values()]
    assert [word for word in words if f"| {word} |" not in sections()["Configuration parameters"]] == []


def test_every_repair_is_explained():
    issues = json.loads((COMPONENT / "translations" / "en.json").read_text())["issues"]
    rows = len(re.findall(r"\(repair\)", sections()["Troubleshooting"]))
    assert rows == len(issues)


@pytest.mark.parametrize("text", SETTINGS)
def test_settings_of_the_node_are_valid(tmp_path, text):
    (tmp_path / "blikk.yaml").write_text(FRAME + text)
    (tmp_path / "secrets.yaml").write_text("http_view_token: 0123456789abcdef0123\n")
    for name in ("hallway.pem", "hallway.key"):
        (tmp_path / name).touch()
    load(tmp_path / "blikk.yaml", environ={})


def test_there_are_settings_and_the_blueprints_can_be_imported():
    assert len(SETTINGS) == 2
    for path in (ROOT / "blueprints" / "automation" / "blikk").glob("*.yaml"):
        assert f"%2Fblueprints%2Fautomation%2Fblikk%2F{path.name})" in GUIDE
