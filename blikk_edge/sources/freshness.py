"""What a web server says of when to ask again: once something has changed, and not before some time has passed."""

import email.utils
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

# A server that wants to be left alone for longer is asked again then all the same.
RETRY_MOST_S: Final = 3600.0
# What changed so long ago, by the server's own clock, does not change within the same second once more.
SETTLED_S: Final = 2.0
# Longer marks are none.
MARK_MOST: Final = 512
_ASKING = MappingProxyType({"If-None-Match": "ETag", "If-Modified-Since": "Last-Modified"})


def conditions(header: Callable[[str], str | None]) -> Mapping[str, str]:
    """The headers of a request for what has changed since an answer with these ones; none where it has no marks.

    Nor are there any where it changed a moment ago: times have whole seconds, and it may change once more within this
    one (RFC 9110, 8.8.2.2).
    """
    changed = header("Last-Modified")
    if changed and (_seconds_between(changed, header("Date")) or 0.0) < SETTLED_S:
        return {}
    marks = {asking: header(saying) for asking, saying in _ASKING.items()}
    return {asking: mark for asking, mark in marks.items() if mark and mark.isprintable() and len(mark) <= MARK_MOST}


def retry_after_s(text: str | None, date: str | None = None) -> float:
    """For how long a server wants to be left alone, within an hour; 0 where it does not say (RFC 9110, 10.2.3).

    It may say until when; `date` is what it takes for now, as a camera's clock may be wrong.
    """
    said = (text or "").strip()
    seconds = float(said) if said.isascii() and said.isdigit() else _seconds_between(date, said)
    return min(max(seconds or 0.0, 0.0), RETRY_MOST_S)


def _seconds_between(early: str | None, late: str | None) -> float | None:
    try:
        first, last = (email.utils.parsedate_to_datetime(each or "") for each in (early, late))
        return (last - first).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
