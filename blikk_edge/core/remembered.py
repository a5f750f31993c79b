"""JSON lists that are kept over restarts; what was damaged meanwhile is left out."""

import json
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def remembered(text: str | None, entry_of: Callable[[Any], T | None]) -> tuple[T, ...]:
    """The values of a JSON list; whatever cannot be read (None, damaged text, a strange entry) is left out.

    `entry_of` gives that of an entry, or None, or raises KeyError, TypeError, ValueError or OverflowError.
    """
    try:
        entries = json.loads(text or "[]")
    except (ValueError, RecursionError):
        return ()
    found = []
    for entry in entries if isinstance(entries, list) else ():
        try:
            value = entry_of(entry)
        except (KeyError, TypeError, ValueError, OverflowError):
            continue
        if value is not None:
            found.append(value)
    return tuple(found)
