"""The conditions of a query: fixed clauses, bound values."""

from collections.abc import Mapping
from typing import TypeAlias

Value: TypeAlias = str | float | int | None


def where(conditions: Mapping[str, Value]) -> tuple[str, tuple[Value, ...]]:
    """The conditions that have a value, joined, and their values."""
    given = {clause: value for clause, value in conditions.items() if value is not None}
    return " AND ".join(given) or "1", tuple(given.values())
