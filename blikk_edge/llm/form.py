"""The form of an answer: whether a value has it, and a value brought into it where only its spelling is another."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final


def has_word(text: str) -> bool:
    """Whether there is a letter or a digit in it, of any script: without one it is no text."""
    return any(character.isalnum() for character in text)


def fits(value: object, schema: Mapping[str, Any]) -> bool:
    """Whether a value has the types, fields and choices of `schema`, and words where a text may not be empty.

    Lengths and bounds do not count: what is too long is cut by whoever asked.
    """
    if "const" in schema:
        return bool(value == schema["const"])
    if "enum" in schema:
        return value in schema["enum"]
    if "anyOf" in schema:
        return any(fits(value, one) for one in schema["anyOf"])
    kinds = schema.get("type")
    if kinds is None:
        return True
    return any(_is_of(value, str(kind), schema) for kind in (kinds if isinstance(kinds, list) else [kinds]))


def _is_of(value: object, kind: str, schema: Mapping[str, Any]) -> bool:
    match kind:
        case "object":
            return isinstance(value, dict) and _has_fields(value, schema)
        case "array":
            return isinstance(value, list) and all(fits(one, schema.get("items", {})) for one in value)
        case "string":
            return isinstance(value, str) and (has_word(value) or not schema.get("minLength"))
        case "boolean":
            return isinstance(value, bool)
        case "integer" | "number":
            return isinstance(value, int if kind == "integer" else int | float) and not isinstance(value, bool)
        case _:
            return value is None


def _has_fields(value: Mapping[str, Any], schema: Mapping[str, Any]) -> bool:
    properties: Mapping[str, Any] = schema.get("properties", {})
    if not set(schema.get("required", ())) <= set(value):
        return False
    if schema.get("additionalProperties") is False and not set(value) <= set(properties):
        return False
    return all(fits(value[name], below) for name, below in properties.items() if name in value)


def shaped(value: object, schema: Mapping[str, Any]) -> object:
    """`value` in the form of `schema`, where names and choices are only spelled otherwise and numbers are texts.

    Fields that were not asked for are left out, if the schema wants no others. What cannot be brought into it stays.
    """
    if fits(value, schema):
        return value
    if isinstance(value, list) and schema.get("type") != "array":
        return shaped(value[0], schema) if len(value) == 1 and not isinstance(value[0], list) else value
    if "enum" in schema:
        return _choice(value, schema["enum"])
    properties: Mapping[str, Any] = schema.get("properties", {})
    if isinstance(value, Mapping) and properties:
        return _with_fields(value, schema, properties)
    if isinstance(value, list):
        return [shaped(one, schema.get("items", {})) for one in value]
    return _scalar(value, schema.get("type"))


def _choice(value: object, choices: Sequence[object]) -> object:
    """The choice that is meant, where its case, blanks or a point behind it are other ones, or True stands for yes."""
    said = {True: "yes", False: "no"}[value] if isinstance(value, bool) else value
    if not isinstance(said, str):
        return value
    return next((one for one in choices if _plain(str(one)) == _plain(said.strip().rstrip(".!"))), value)


def _with_fields(value: Mapping[str, Any], schema: Mapping[str, Any], properties: Mapping[str, Any]) -> dict[str, Any]:
    names = {_plain(name): name for name in properties}
    brought = {name: value[name] for name in properties if name in value}
    for given, below in value.items():
        name = names.get(_plain(given))
        if name is not None:
            brought.setdefault(name, below)
        elif schema.get("additionalProperties") is not False:
            brought[given] = below
    return {name: shaped(below, properties.get(name, {})) for name, below in brought.items()}


def _scalar(value: object, kind: object) -> object:
    text = value.strip() if isinstance(value, str) else ""
    if kind == "boolean":
        return {"true": True, "false": False}.get(text.lower(), value)
    if kind == "integer" and isinstance(value, float) and value.is_integer():
        return int(value)
    if kind in {"integer", "number"} and _NUMBER.fullmatch(text):
        number = float(text.rstrip("% ")) / (100 if text.endswith("%") else 1)
        return int(number) if kind == "integer" and number.is_integer() else number
    return value


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]", "", name).lower()


_NUMBER: Final = re.compile(r"-?\d{1,9}(\.\d{1,9})?( ?%)?")
