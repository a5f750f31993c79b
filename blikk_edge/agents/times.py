"""Times in what agents read and write: this machine's local time with its offset from UTC, as ISO 8601."""

from datetime import datetime

from blikk_edge.core.errors import BlikkError

EXAMPLE = "2026-11-21T08:15:07+01:00"


def written(time: float) -> str:
    """Seconds since 1970 UTC as a text like `2026-11-21T08:15:07+01:00`, to the second."""
    return datetime.fromtimestamp(round(time)).astimezone().isoformat()


def read(text: str, name: str) -> float:
    """Seconds since 1970 UTC of ISO 8601; without an offset it is local time. Raises BlikkError that names `name`."""
    try:
        return datetime.fromisoformat(text).astimezone().timestamp()
    except (ValueError, OverflowError, OSError):
        raise BlikkError(f"{name} is no time: write ISO 8601, for example {EXAMPLE}") from None
