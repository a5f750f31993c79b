"""The manifest: its keys and their order, the version, what it may depend on."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import voluptuous as vol

from component_check.files import COMPONENT, DOMAIN, load_json, modules, text

FILE = COMPONENT / "manifest.json"
_HTTPS = vol.Match(r"^https://[\w.-]+/", msg="is no https address")
_SCHEMA = vol.Schema(
    {
        vol.Required("domain"): DOMAIN,
        vol.Required("name"): vol.All(str, vol.Length(min=1)),
        vol.Required("codeowners"): vol.All([vol.Match(r"^@[\w-]+(/[\w-]+)?$")], vol.Length(min=1)),
        vol.Required("config_flow"): True,
        vol.Required("documentation"): _HTTPS,
        vol.Required("integration_type"): vol.In(["device", "helper", "hub", "service"]),
        vol.Required("iot_class"): vol.In(
            ["assumed_state", "calculated", "cloud_polling", "cloud_push", "local_polling", "local_push"]
        ),
        vol.Required("issue_tracker"): _HTTPS,
        vol.Required("requirements"): vol.All([str], vol.Length(max=0, msg="must stay empty")),
        vol.Required("version"): vol.Match(r"^\d+\.\d+\.\d+((a|b|rc|\.dev)\d+)?$", msg="is no version"),
        vol.Optional("after_dependencies"): [str],
        vol.Optional("dependencies"): [str],
        vol.Optional("loggers"): [str],
        vol.Optional("mqtt"): [vol.Match(r"^[^#]+$")],
        vol.Optional("quality_scale"): vol.In(["bronze", "silver", "gold", "platinum"]),
        vol.Optional("single_config_entry"): bool,
    }
)
_FREE = """
  ai_task alarm_control_panel alert assist_satellite automation binary_sensor button calendar camera climate
  conversation cover date datetime default_config device_automation device_tracker event fan frontend geo_location
  group homeassistant humidifier image image_processing input_boolean input_button input_datetime input_number
  input_select input_text lawn_mower light lock media_player media_source mjpeg notify number onboarding
  panel_custom persistent_notification person remote scene script select sensor shopping_list siren stream stt sun
  switch system_health system_log text time timer todo tts update vacuum valve wake_word water_heater weather
  webhook websocket_api zone
"""
"""Integrations that may be imported without being named; so may one of which the component has the platform."""


def check(root: Path) -> Iterator[str]:
    """Faults of the manifest."""
    manifest = load_json(root, FILE)
    try:
        _SCHEMA(manifest)
    except vol.MultipleInvalid as invalid:
        for error in invalid.errors:
            yield f"{FILE}: {error}"
    keys = list(manifest)
    wanted = ["domain", "name", *sorted(set(keys) - {"domain", "name"})]
    if keys != wanted:
        yield f"{FILE}: the keys are not in order: domain, name, then by the alphabet"
    project = tomllib.loads(text(root, "pyproject.toml"))["project"]["version"]
    if manifest.get("version") != project:
        yield f"{FILE}: version {manifest.get('version')} is not the project's, {project}"
    named = {*manifest.get("dependencies", ()), *manifest.get("after_dependencies", ())}
    if twice := set(manifest.get("dependencies", ())) & set(manifest.get("after_dependencies", ())):
        yield f"{FILE}: {', '.join(sorted(twice))} is in dependencies and in after_dependencies"
    sources = modules(root)
    for name, source in sources.items():
        for domain in sorted(_imported(source) - named - set(_FREE.split()) - sources.keys() - {DOMAIN}):
            yield f"{COMPONENT / name}.py: {domain} is imported but neither in dependencies nor in after_dependencies"


def _imported(source: str) -> set[str]:
    found = set(re.findall(r"^(?:from|import) homeassistant\.components\.(\w+)", source, re.MULTILINE))
    for one, many in re.findall(r"^from homeassistant\.components import (?:\(([^)]*)\)|(.*))$", source, re.MULTILINE):
        found |= {name.split()[0] for name in (one or many).split(",") if name.strip()}
    return found
