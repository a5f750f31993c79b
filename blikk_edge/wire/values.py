"""How single values are written on the wire: times, numbers, JSON."""

import json
import math
from datetime import UTC, datetime
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
JsonObject: TypeAlias = dict[str, Json]

YEAR_9999 = 253402300799.0


def iso_time(seconds: float) -> str:
    """Seconds since 1970 UTC as ISO 8601 in UTC with milliseconds: `2026-11-21T12:00:00.250Z`.

    What no calendar holds (before 1970, after 9999, NaN) becomes the nearest that it does, so that it blocks no record.
    """
    within = min(max(seconds, 0.0), YEAR_9999) if not math.isnan(seconds) else 0.0
    whole, milliseconds = divmod(round(within * 1000), 1000)
    return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}.{milliseconds:03d}Z"


def number(value: float, digits: int) -> float | None:
    """The value rounded; None for what JSON cannot say (NaN, infinity), so that one odd figure blocks no record."""
    return round(float(value), digits) if math.isfinite(value) else None


def figure(value: float) -> float:
    """A measured value with the ten digits that mean something, whatever its size."""
    return float(f"{value:.10g}")


def json_bytes(content: JsonObject) -> bytes:
    """Compact UTF-8 in the order given: the same content gives the same bytes."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8", "replace")


def truncate(text: str, limit: int = 255) -> str:
    """At most `limit` characters, the last one `…` where something was cut. Home Assistant refuses longer states."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
