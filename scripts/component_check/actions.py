"""Actions, triggers and conditions: that descriptions, translations, icons and code speak of the same ones."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import voluptuous as vol

from component_check.files import COMPONENT, load_json, load_yaml, modules
from component_check.translations import ENGLISH

ICONS = COMPONENT / "icons.json"
KINDS = {"services": "service", "triggers": "trigger", "conditions": "condition"}
_MODULES = {"services": "services", "triggers": "trigger", "conditions": "condition"}
_ICON = vol.Match(r"^mdi:[a-z0-9-]+$", msg="is no Material Design icon")
_FIELD = vol.Schema(
    {"required": bool, "example": object, "default": object, "filter": dict, "context": dict, "selector": {str: object}}
)
_SECTION = vol.Schema({"collapsed": bool, vol.Required("fields"): {str: _FIELD}})
_DESCRIPTION = vol.Any(None, vol.Schema({"target": vol.Any(None, dict), "fields": {str: vol.Any(_FIELD, _SECTION)}}))
_STATES = {str: _ICON}
_ICONS = vol.Schema(
    {
        "entity": {
            str: {
                str: {
                    "default": _ICON,
                    "state": _STATES,
                    "state_attributes": {str: {"default": _ICON, "state": _STATES}},
                }
            }
        },
        **{kind: {str: {word: _ICON, "sections": _STATES}} for kind, word in KINDS.items()},
    }
)


def check(root: Path) -> Iterator[str]:
    """Faults between descriptions, translations, icons and code."""
    english, icons = load_json(root, ENGLISH), load_json(root, ICONS)
    sources = modules(root)
    try:
        _ICONS(icons)
    except vol.MultipleInvalid as invalid:
        for error in invalid.errors:
            yield f"{ICONS}: {error}"
        return
    for domain, entities in icons.get("entity", {}).items():
        for key in entities.keys() - english.get("entity", {}).get(domain, {}).keys():
            yield f"{ICONS}: entity.{domain}.{key} is not in {ENGLISH}"
    for kind in KINDS:
        file = COMPONENT / f"{kind}.yaml"
        described = load_yaml(root, file) if (root / file).exists() else {}
        source = sources.get(_MODULES[kind], "")
        if bool(described) != bool(source):
            yield f"{file}: it must be there if {_MODULES[kind]}.py is, and only then"
        yield from _same_names(kind, described, english.get(kind, {}), icons.get(kind, {}))
        for name, description in described.items():
            if not re.search(rf'"{re.escape(name)}"', source):
                yield f"{file}: {name} is not in {_MODULES[kind]}.py"
            yield from _described(file, name, description, english, kind)


def _same_names(kind: str, described: dict[str, Any], texts: dict[str, Any], icons: dict[str, Any]) -> Iterator[str]:
    names = described.keys() | texts.keys() | icons.keys()
    files = {COMPONENT / f"{kind}.yaml": described, ENGLISH: texts, ICONS: icons}
    for file, content in files.items():
        for name in sorted(names - content.keys()):
            yield f"{file}: {kind[:-1]} {name} is missing"


def _described(file: Path, name: str, description: Any, english: dict[str, Any], kind: str) -> Iterator[str]:
    try:
        _DESCRIPTION(description)
    except vol.MultipleInvalid as invalid:
        yield from (f"{file}: {name}: {error}" for error in invalid.errors)
        return
    fields: dict[str, Any] = {}
    for key, field in ((description or {}).get("fields") or {}).items():
        fields |= field.get("fields", {key: field})
    texts = english.get(kind, {}).get(name, {}).get("fields", {})
    for key in sorted(fields.keys() - texts.keys()):
        yield f"{ENGLISH}: {kind}.{name}.fields.{key} is missing"
    for key in sorted(texts.keys() - fields.keys()):
        yield f"{ENGLISH}: {kind}.{name}.fields.{key} is no field of it"
    for key, field in fields.items():
        if "selector" not in field:
            yield f"{file}: {name}: field {key} has no selector"
            continue
        select = field["selector"].get("select") or {}
        if not (translation := select.get("translation_key")):
            continue
        options = english.get("selector", {}).get(translation, {}).get("options", {})
        if options.keys() != set(select.get("options", ())):
            yield f"{ENGLISH}: selector.{translation}.options are not those of {name}.{key}"
