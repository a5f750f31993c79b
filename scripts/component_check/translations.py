"""The translations: their shape, what a text may hold, and that every language says the same."""

import re
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import voluptuous as vol

from component_check.files import COMPONENT, load_json

FOLDER = COMPONENT / "translations"
ENGLISH = FOLDER / "en.json"
_URL = re.compile(
    r"(((ftp|ftps|scp|https?|mqtts?|socket|socks5)://|www\.)[a-z0-9]+([-.][a-z0-9]+)*\.[a-z]{2,5})", re.IGNORECASE
)
_HTML = re.compile(r"<[a-z/!][^>]*>", re.IGNORECASE)
_QUOTED = re.compile(r"'\{\w+\}'")
_KEY = re.compile(r"^(?!.+[_-]{2})(?![_-])[a-z0-9-_]+(?<![_-])$")


def placeholders(value: str) -> set[str]:
    """The names in braces. Raises ValueError where braces do not match."""
    return {name for _, name, _, _ in string.Formatter().parse(value) if name is not None}


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise vol.Invalid("is no text")
    wrongs = {
        "holds HTML": _HTML.search(value),
        "holds an address: use a placeholder": _URL.search(value),
        "holds a placeholder in quotes": _QUOTED.search(value),
        "refers to another text": "[%" in value or "%]" in value,
        "begins or ends with a space": value != value.strip(),
    }
    if wrong := [what for what, found in wrongs.items() if found]:
        raise vol.Invalid("; ".join(wrong))
    try:
        odd = [name for name in placeholders(value) if not name.isidentifier()]
    except ValueError as error:
        raise vol.Invalid(f"has odd braces: {error}") from None
    if odd:
        raise vol.Invalid(f"has a placeholder that is no name: {odd}")
    return value


def _fixed(value: Any) -> str:
    if "{" in _text(value):
        raise vol.Invalid("cannot have a placeholder")
    return str(value)


def _by_key(value: Any) -> vol.All:
    def keys(content: dict[str, Any]) -> dict[str, Any]:
        for key in content:
            if not _KEY.match(key):
                raise vol.Invalid(f"{key!r} is no key: a-z, 0-9, - and _")
        return content

    return vol.All({str: value}, keys)


_FIELDS = {"data": {str: _text}, "data_description": {str: _text}, "description": _text}
_STEP = vol.Schema(
    {
        "title": _text,
        **_FIELDS,
        "menu_options": {str: _text},
        "submit": _text,
        "sections": {str: {"name": _text, **_FIELDS}},
    }
)
_FLOW = vol.Schema(
    {
        vol.Required("step"): {str: _STEP},
        "flow_title": _text,
        "initiate_flow": {vol.Required("user"): _text},
        **{key: {str: _text} for key in ("abort", "create_entry", "error", "progress")},
    }
)
_STATES = _by_key(_fixed)
_ATTRIBUTES = _by_key({"name": _fixed, "state": _STATES})
_ENTITY = {"name": _text, "state": _STATES, "state_attributes": _ATTRIBUTES, "unit_of_measurement": _fixed}
_FIX = vol.Any({vol.Required("title"): _text, vol.Required("description"): _text}, {"title": _text, "fix_flow": _FLOW})


def _described(description: type[vol.Marker]) -> vol.All:
    field = {vol.Required("name"): _text, description("description"): _text, "example": _text}
    return _by_key(
        {
            vol.Required("name"): _text,
            vol.Required("description"): _text,
            "fields": _by_key(field),
            "sections": _by_key({vol.Required("name"): _text, "description": _text}),
        }
    )


_SCHEMA = vol.Schema(
    {
        "config": _FLOW,
        "options": _FLOW,
        "entity": _by_key(_by_key(_ENTITY)),
        "device": _by_key({"name": _text}),
        "exceptions": _by_key({vol.Required("message"): _text}),
        "issues": _by_key(_FIX),
        "services": _described(vol.Required),
        "triggers": _described(vol.Optional),
        "conditions": _described(vol.Optional),
        "selector": _by_key({"options": _by_key(_text), "choices": _by_key(_text)}),
        "system_health": {"info": _by_key(_text)},
    }
)


def check(root: Path) -> Iterator[str]:
    """Faults of the translations."""
    if (root / COMPONENT / "strings.json").exists():
        yield f"{COMPONENT}/strings.json: a component of its own has none; use {ENGLISH}"
    english = load_json(root, ENGLISH)
    names = sorted(path.name for path in (root / FOLDER).glob("*.json"))
    if len(names) < 3:
        yield f"{FOLDER}: English and two more languages are wanted"
    for name in names:
        content = load_json(root, FOLDER / name)
        try:
            _SCHEMA(content)
        except vol.MultipleInvalid as invalid:
            for error in invalid.errors:
                yield f"{FOLDER / name}: {'.'.join(map(str, error.path))}: {error.msg}"
            continue
        yield from _steps(content, FOLDER / name)
        yield from _parity(english, content, FOLDER / name)


def _steps(content: dict[str, Any], file: Path) -> Iterator[str]:
    for flow in ("config", "options"):
        for step, parts in content.get(flow, {}).get("step", {}).items():
            for where, part in {step: parts, **parts.get("sections", {})}.items():
                data, described = set(part.get("data", ())), set(part.get("data_description", ()))
                if data != described:
                    odd = ", ".join(sorted(data ^ described))
                    yield f"{file}: {flow}.step.{where}: data and data_description differ: {odd}"


def _parity(english: dict[str, Any], other: dict[str, Any], file: Path) -> Iterator[str]:
    ours, theirs = leaves(english), leaves(other)
    for key in sorted(ours.keys() - theirs.keys()):
        yield f"{file}: {key} is missing"
    for key in sorted(theirs.keys() - ours.keys()):
        yield f"{file}: {key} is not in English"
    for key in sorted(ours.keys() & theirs.keys()):
        try:
            same = placeholders(ours[key]) == placeholders(theirs[key])
        except ValueError:
            continue  # told where it is wrong
        if not same:
            yield f"{file}: {key} has other placeholders than the English one"


def leaves(content: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """All texts by their dotted key."""
    found: dict[str, str] = {}
    for key, value in content.items():
        if isinstance(value, dict):
            found |= leaves(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = str(value)
    return found
