"""Durations and moments as a program writes them: seconds, `"10s"`, `"500ms"`, a timedelta."""

import math
import re
from datetime import timedelta
from typing import Final, TypeAlias

from blikk_edge.core.errors import ConfigError

Duration: TypeAlias = float | str | timedelta

_UNITS: Final = {"ms": 0.001, "s": 1.0, "sec": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "": 1.0}
_TEXT: Final = re.compile(r"([0-9]*\.?[0-9]+)\s*([a-z]*)")


def seconds(value: Duration, name: str, *, least: float = 0.0) -> float:
    """The seconds; raises ConfigError, in which `name` says which parameter it is, for what is no duration."""
    if isinstance(value, timedelta):
        found = value.total_seconds()
    elif isinstance(value, str):
        match = _TEXT.fullmatch(value.strip().lower())
        if match is None or match[2] not in _UNITS:
            raise ConfigError(
                f"{name} is no duration: write seconds as a number, or a text like '10s', '500ms', '2min'"
            )
        found = float(match[1]) * _UNITS[match[2]]
    elif isinstance(value, int | float) and not isinstance(value, bool):
        found = float(value)
    else:
        raise ConfigError(f"{name} is no duration: write seconds as a number, or a text like '10s', '500ms', '2min'")
    if not math.isfinite(found) or found < least:
        raise ConfigError(f"{name} is no duration of {least:g} s or more")
    return found


def moment(value: object, name: str) -> float | None:
    """Seconds since 1970 UTC, or None; raises ConfigError for what is neither."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ConfigError(f"{name} is no time: write seconds since 1970 UTC, as time.time() - 3600")
    return float(value)


def whole(value: object, name: str) -> int:
    """A whole number above 0; raises ConfigError for what is none."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**63:
        raise ConfigError(f"{name} is no whole number above 0")
    return value
