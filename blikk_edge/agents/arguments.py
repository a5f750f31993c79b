"""What a language model reads about arguments that cannot be used: in plain words, with an example."""

import json
from collections.abc import Collection, Mapping
from typing import Any, Final

from pydantic import ValidationError

from blikk_edge.agents import times

EXAMPLES: Final[Mapping[str, str | int]] = {
    "before": times.EXAMPLE,
    "camera": "front_door",
    "id": "front_door-1795262400250",
    "label": "person",
    "last_hours": 24,
    "last_minutes": 60,
    "last_seconds": 10,
    "limit": 20,
    "looks_like": "red car",
    "question": "How many people came this morning?",
    "seconds": 10,
    "zone": "porch",
}

_UNKNOWN: Final = frozenset({"extra_forbidden", "unexpected_keyword_argument", "unexpected_positional_argument"})

_WHAT: Final[Mapping[str, str]] = {
    "missing": "is missing",
    "missing_argument": "is missing",
    "literal_error": "is none of {expected}",
    "greater_than": "must be above {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than": "must be below {lt:g}",
    "less_than_equal": "must be at most {le:g}",
    "string_too_long": "has more than {max_length} characters",
    "string_type": "is no text",
    "float_type": "is no number",
    "float_parsing": "is no number",
    "finite_number": "is no number",
    "int_type": "is no whole number",
    "int_parsing": "is no whole number",
    "int_from_float": "is no whole number",
}


def unusable(error: ValidationError, known: Collection[str]) -> str:
    """Which arguments are wrong, why, and an example of each; without their values. `known` are those there are."""
    wrong = dict.fromkeys(
        _said(each["type"], str(each["loc"][0]), each.get("ctx", {}), known) for each in error.errors()
    )
    return f"These arguments cannot be used: {'; '.join(wrong)}"


def no_such(name: str, known: Collection[str]) -> str:
    """That there is no argument of this name, and which there are."""
    return f"there is no argument {name[:40]!r}; there is {', '.join(known) or 'none'}"


def _said(kind: str, name: str, context: Mapping[str, Any], known: Collection[str]) -> str:
    if kind in _UNKNOWN or name not in known:
        return no_such(name, known)
    what = _WHAT.get(kind, "cannot be used").format(**context)
    return f"{name} {what}; for example {json.dumps({name: EXAMPLES[name]})}"
