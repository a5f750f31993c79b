"""How texts for a household are written: in which time zone and which language. What is recorded knows neither."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo, available_timezones

_ZONE: Final = re.compile(r"[A-Za-z0-9_+-]{1,32}(?:/[A-Za-z0-9_+-]{1,32}){0,3}", re.ASCII)
_TAG: Final = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{1,8}){0,4}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Locale:
    """The time zone and the language in which texts are written.

    Attributes:
        timezone: None for the machine's own.
        language: Its short tag in small letters, as `de`.
    """

    timezone: tzinfo | None = None
    language: str = "en"


LocaleNow: TypeAlias = Callable[[], Locale]
"""The locale as it is now: it may change while the node runs. Safe from any thread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a Home Assistant component that makes the entities says of its household.

    Attributes:
        timezone: An IANA name; None: nothing, or none that is known here.
        language: A short tag; None: nothing, or none that is one.
    """

    timezone: str | None = None
    language: str | None = None


def zone_like(name: str) -> bool:
    """Whether it is written like the name of a time zone, known or not."""
    return _ZONE.fullmatch(name) is not None


def zone_named(name: str) -> ZoneInfo | None:
    """The time zone of an IANA name (`Europe/Berlin`); None where this machine knows none of that name."""
    if not zone_like(name):
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # OSError: a folder, like `Europe`
        return None


def zone_names() -> frozenset[str]:
    """All that this machine knows; none where it has neither the system's zones nor the package `tzdata`."""
    return frozenset(available_timezones())


def language_of(tag: str) -> str | None:
    """The language of a tag: `de` of `de-AT`; None of what is no tag."""
    return re.split("[-_]", tag)[0].lower() if _TAG.fullmatch(tag) else None
