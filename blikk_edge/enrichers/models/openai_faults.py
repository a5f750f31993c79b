"""What the refusals of an OpenAI-compatible endpoint mean, whoever wrote it."""

import email.utils
import math
import re
from collections.abc import Mapping
from datetime import UTC
from http import HTTPStatus
from typing import Any, Final

from blikk_edge.core.errors import LlmError
from blikk_edge.enrichers.models.port import AwayError, BlindError, BusyError, GarbledError, RefusedError, TooLongError

QUOTE: Final = 160
WAIT_MOST_S: Final = 86_400.0

_TOO_LONG: Final = re.compile(
    r"context_length_exceeded|exceed_context_size|context (length|size|window)|maximum context|too many tokens"
    r"|(prompt|input) is too long|reduce the length",
    re.I,
)
_ABOUT_PICTURES: Final = re.compile(r"image|vision|multimodal|mmproj", re.I)
_NOT_TAKEN: Final = re.compile(
    r"(not|n't|un|only|no \w+( \w+)?) ?(support|accept|found that support|allow)|not multimodal"
    r"|unknown variant|unexpected|text[- ]only",
    re.I,
)
_ONLY_TEXT: Final = re.compile(r"content\W? (must|should) be a (valid )?string", re.I)
_REFUSES_TO_WRITE: Final = re.compile(r"content_filter|content_policy|content management policy|responsibleai", re.I)
_NO_CREDIT: Final = re.compile(r"insufficient_quota|insufficient.balance|billing", re.I)
_GARBLED: Final = re.compile(r"does not match the expected [\w-]+ format|failed to parse (the )?(input|output)", re.I)
"""llama.cpp's server, about what its model wrote, not about us."""

_UNWORKABLE: Final = frozenset({400, 404, 413, 415, 422, 500, 501})
_NO_ENTRY: Final = frozenset({401, 402, 403})
_NO_CREDIT_STATUS: Final = frozenset({400, 429})
_OVERLOADED: Final = frozenset({503, 529})
_LATER: Final = frozenset({408, 409, 425})


def fault(
    who: str, status: int, text: str, *, headers: Mapping[str, str], now: float, pictures: bool = False
) -> LlmError:
    """The error that an answer of `status` (no 2xx) with `text` in it means.

    `who` names model and endpoint; `text` must not hold the key; `headers` have lower-case names; `now` is seconds
    since 1970 UTC; `pictures` is whether some were sent.
    """
    said = f"{who}: {_words(status)}" + (f": {quote(text)}" if text.strip() else "")
    if 300 <= status < 400:
        return RefusedError(f"{who}: it redirects elsewhere, which is not followed; set its final address as base_url")
    if status in _NO_ENTRY:
        # such texts like to repeat parts of the key
        return RefusedError(f"{who}: {_words(status)}; check api_key and what it may use")
    if status in _NO_CREDIT_STATUS and _NO_CREDIT.search(text):
        return RefusedError(f"{who}: there is no credit left for this key ({_words(status)})")
    by_text = _by_text(said, status, text, pictures=pictures) if status in _UNWORKABLE else None
    return by_text or _by_status(said, status, retry_after_s(headers, now=now))


def _by_text(said: str, status: int, text: str, *, pictures: bool) -> LlmError | None:
    if _TOO_LONG.search(text) or status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return TooLongError(said)
    if pictures and ((_ABOUT_PICTURES.search(text) and _NOT_TAKEN.search(text)) or _ONLY_TEXT.search(text)):
        return BlindError(said)
    if _REFUSES_TO_WRITE.search(text) or _GARBLED.search(text):
        return GarbledError(said)
    return None


def _by_status(said: str, status: int, wait_s: float | None) -> LlmError:
    if status == HTTPStatus.TOO_MANY_REQUESTS or (status in _OVERLOADED and wait_s is not None):
        return BusyError(said, retry_after_s=wait_s)
    if status >= 500 or status in _LATER:
        return AwayError(said)
    if status == HTTPStatus.NOT_FOUND:
        return RefusedError(f"{said}; check model and base_url, which mostly ends in /v1")
    return RefusedError(said)


def retry_after_s(headers: Mapping[str, str], *, now: float) -> float | None:
    """Seconds to wait by `retry-after-ms` or `retry-after` (seconds or a date), at most a day.

    None where neither says a time still to come. `headers` have lower-case names.
    """
    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        seconds = _number(headers.get(name, "")) * unit_s
        if 0 < seconds < math.inf:
            return min(seconds, WAIT_MOST_S)
    try:
        date = email.utils.parsedate_to_datetime(headers.get("retry-after", ""))
        seconds = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return min(seconds, WAIT_MOST_S) if seconds > 0 else None


def said_in(body: object) -> str:
    """All that an error body says, in the shapes that are about: OpenAI's, FastAPI's, a text."""
    if isinstance(body, str):
        return body
    if not isinstance(body, Mapping):
        return ""
    error = body.get("error", body)
    if not isinstance(error, Mapping):
        return str(error)
    named: list[Any] = [error.get(key) for key in ("message", "detail", "code", "type", "param")]
    metadata = error.get("metadata")
    if isinstance(metadata, Mapping):  # what stands behind a gateway said this
        named.append(metadata.get("raw"))
    return " ".join(str(part) for part in named if part)


def quote(text: str) -> str:
    """What somebody else said, as one short line."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * QUOTE]).split())
    return line if len(line) <= QUOTE else line[: QUOTE - 1] + "…"


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _words(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
