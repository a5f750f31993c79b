"""A time zone in which it is late morning: what is asked about today is not asked at midnight."""

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

MORNING: Final = f"Etc/GMT{datetime.now(UTC).hour - 11:+d}"
"""Where it was between eleven and twelve o'clock as the tests were loaded; `+5` in such a name is five hours behind."""


def now() -> datetime:
    """The time there."""
    return datetime.now(ZoneInfo(MORNING))
