"""What the refusals of an OpenAI-compatible endpoint mean, whoever wrote it."""

import email.utils
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC
from http import HTTPStatus
from itertools import islice
from typing import Final

from blikk_edge.core.errors import LlmError, quote
from blikk_edge.llm.port import AwayError, BlindError, BusyError, GarbledError, RefusedError, TooLongError

WAIT_MOST_S: Final = 86_400.0

DEEPEST: Final = 6
SAID_MOST: Final = 24
SAID_CHARACTERS: Final = 2000
"""Of one text in an error."""

_SAYING: Final = (
    *("error", "errors", "message", "msg", "detail", "details", "title", "description", "error_description", "reason"),
    *("error_msg", "error_message", "err_msg", "errmsg", "status_msg", "fault", "faultstring"),
    *("code", "error_code", "errorcode", "status_code", "status", "type", "param", "loc", "field", "fieldviolations"),
    *("retrydelay", "metadata", "raw", "base_resp"),
)
"""In small letters, as keys are compared."""

_NAMED: Final = frozenset({"retrydelay"})
_WEB_PAGE: Final = re.compile(r"<(!doctype|html|head|body|title|h1|center|\?xml)\b", re.I)

_TOO_LONG: Final = re.compile(
    r"context_length_exceeded|exceed_context_size|context (length|size|window)|maximum context|too many tokens"
    r"|(prompt|input) is too long|reduce the length|(input|prompt|token count)[^.]{0,40} exceeds?\b",
    re.I,
)
_ABOUT_PICTURES: Final = re.compile(r"image|vision|multi-?modal|mmproj", re.I)
_NOT_TAKEN: Final = re.compile(
    r"(not|n't|un|only|no \w+( \w+)?) ?(support|accept|found that support|allow)|not multimodal"
    r"|unknown variant|unexpected|text[- ]only",
    re.I,
)
_OF_ONE_PICTURE: Final = re.compile(
    r"too (large|big|small|many|wide|high)|size|dimension|resolution|pixels|corrupt|truncated|format|base64"
    r"|invalid image|(fail\w* to|can ?not|could not|unable to|error) (be )?(process|read|decod|pars|load|identif)\w*"
    r"|at most [1-9]",
    re.I,
)
_ONLY_TEXT: Final = re.compile(
    r"(content|sequence|array|list)\b.*\bstring\b|\bstring\b.*\b(content|sequence|array|list)\b|only text"
    r"|content (part )?type",
    re.I | re.S,
)
_REFUSES_TO_WRITE: Final = re.compile(r"content_filter|content_policy|content management policy|responsibleai", re.I)
_NO_CREDIT: Final = re.compile(r"insufficient[_. ](quota|balance|credit|funds)|billing|payment required|arrears", re.I)
_UNPAID: Final = re.compile(r"insufficient|payment required|arrears", re.I)
_WRONG_KEY: Final = re.compile(
    r"api[_ -]?key[_ -]?(invalid|expired|missing|not[_ -]found|service_blocked)"
    r"|(api|access|auth\w*|bearer)[ _-]?(key|token)\b[^.]{0,60}?(not valid|invalid|incorrect|wrong|expired|missing"
    r"|not found|revoked|required|disabled|unauthori[sz]ed)"
    r"|\b(invalid|incorrect|wrong|missing|expired|malformed|no)[ _-]*(\w+[ _-])?(api|access|auth\w*|bearer)"
    r"[ _-]?(key|token)\b(?! count| limit| length)"
    r"|invalidapikey|invalid_authentication|authentication[_ ](error|failed|fails)|unauthenticated|login fail",
    re.I,
)
_GARBLED: Final = re.compile(
    # codes of Groq, of llama.cpp's server (about what its model wrote, not about us), and of others like them
    r"json_\w+_fail|incomplete_json|tool_use_failed|output_parse_failed|failed_generation|invalid_json_output"
    r"|malformed_(function_call|response)|does not match the expected [\w-]+ format"
    r"|failed to parse (the )?(input|output)"
    # it tried to write JSON
    r"|(fail\w*|unable|(could|can|did|was|does) ?n[o']t( \w+)?|can't|not able)( to)?"
    r" (generat|produc|creat|mak|writ|return|output|emit|yield|get|obtain)\w*( \w+){0,4}"
    r" (json|structured (output|answer))(?!\w)(?! ?(schema|body|grammar|request))"
    r"|failed to validate (the )?(generated )?json\b(?! ?(schema|body|request))"
    # what it wrote is not as it should be
    r"|\b(generated|model'?s?|llm'?s?|assistant'?s?) (\w+ ){0,2}?"
    r"(json|output|response|answer|completion|content|text|message)\b"
    r"[^.]{0,40}?(\bnot|n't|\bin|\bun|fail\w* to|malform)[ -]?(be |a )?"
    r"(valid|match|conform|validat|pars|decod|fit|json|ed\b)"
    r"|\b(model|llm) (\w+ ){0,2}?(generated|produced|returned|wrote|emitted|outputs?)( \w+){0,2} "
    r"(invalid|malformed|incomplete|broken|no valid|not valid|unparsable|non-json)"
    r"|(fail\w*|unable|(could|can) ?n[o']t|cannot|error)( to)? (validat|pars|decod)\w*( \w+){0,2}? "
    r"(model|generated|generation|llm|completion|response|output|answer)\b"
    r"|invalid json ((was|is|has been) )?(generated|produced|returned|written|in the (response|output|answer))",
    re.I,
)
"""What a model wrote was not what it was held to, which is no fault of the request: another try may do better."""

_RETRY_IN: Final = re.compile(
    r"(?:retry ?delay|retry|try again|wait)\W*(?:in|after|for)?\W*(?:(\d+) ?h)?(?:(\d+) ?m(?:in\w*)?(?![a-z]))?"
    r"(?:(\d+(?:\.\d+)?) ?(ms|s(?:ec\w*)?)\b)?",
    re.I,
)
"""How long to wait, as services say it in words: `Please try again in 6m0.5s`, `retryDelay: 34s`."""

_UNWORKABLE: Final = frozenset({400, 404, 413, 415, 422, 500, 501})
_NO_ENTRY: Final = frozenset({401, 403})
_KEY_STATUS: Final = frozenset({400, 422, 500})
"""With which some services (Gemini) and gateways refuse a key."""
_NO_CREDIT_STATUS: Final = frozenset({400, 429})
_OVERLOADED: Final = frozenset({503, 529})
_LATER: Final = frozenset({408, 409, 425, 444, 460, 498, 499})
"""The last ones are of no standard: Groq's where a tier is full, and those of proxies whose connection ended."""

_NOT_LOADED: Final = re.compile(
    r"no models? (is |are )?(currently )?loaded|model (is |was |has been )?(un|re)?load(ed|ing)\b(?! with)"
    r"|model (is |was )?not (yet )?(loaded|ready)|model (has )?crashed|load was cancel|fail\w* to load"
    r"|\bload(ing)? (the )?model|warming up",
    re.I,
)
"""What LM Studio and others say with 400 or 404 of a model that may be there again in a moment."""

_NO_SUCH_PLACE: Final = re.compile(r"unexpected endpoint|unknown (endpoint|path|route|url)|invalid url\b", re.I)
_MEND_PLACE: Final = "check model and base_url, which mostly ends in /v1"


def fault(
    who: str, status: int, text: str, *, headers: Mapping[str, str], now: float, pictures: bool = False
) -> LlmError:
    """The error that an answer of `status` (no 2xx) with `text` in it means.

    `who` names model and endpoint; `text` must not hold the key; `headers` have lower-case names; `now` is seconds
    since 1970 UTC; `pictures` is whether some were sent.
    """
    said = f"{who}: {_words(status)}" + (f": {quote(text)}" if text.strip() else "")
    wait_s = retry_after_s(headers, now=now) or (_said_wait_s(text) if status in {429, *_OVERLOADED} else None)
    if 300 <= status < 400:
        return RefusedError(f"{who}: it redirects elsewhere, which is not followed; set its final address as base_url")
    if is_about_key(status, text):
        # such texts like to repeat parts of the key
        return RefusedError(f"{who}: {_words(status)}; check api_key and what it may use")
    if is_about_bill(status, text) and (
        wait_s is None or status == HTTPStatus.PAYMENT_REQUIRED or "insufficient" in text.lower()
    ):
        # Gemini says `check your plan and billing` also where a minute is full, and then how long to wait
        return RefusedError(f"{who}: there is no credit left for this key ({_words(status)})")
    by_text = _by_text(said, status, text, pictures=pictures) if status in _UNWORKABLE else None
    return by_text or _by_status(said, status, wait_s)


def is_about_key(status: int, text: str) -> bool:
    """Whether a refusal is about the key, and no other way of asking may do better."""
    return status in _NO_ENTRY or (status in _KEY_STATUS and _WRONG_KEY.search(text) is not None)


def is_about_bill(status: int, text: str) -> bool:
    """Whether a refusal speaks of what is to be paid."""
    unpaid = status in _NO_CREDIT_STATUS and _NO_CREDIT.search(text) is not None
    return unpaid or status == HTTPStatus.PAYMENT_REQUIRED


def is_garbled(text: str) -> bool:
    """Whether an error says that the model did not keep to the form that it was held to."""
    return _GARBLED.search(text) is not None


def _by_text(said: str, status: int, text: str, *, pictures: bool) -> LlmError | None:
    if _TOO_LONG.search(text) or status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return TooLongError(said)
    if pictures and _is_blind(text):
        return BlindError(said)
    if _REFUSES_TO_WRITE.search(text) or is_garbled(text):
        return GarbledError(said)
    if _NO_SUCH_PLACE.search(text):
        return RefusedError(f"{said}; {_MEND_PLACE}")
    return AwayError(said) if _NOT_LOADED.search(text) else None


def _is_blind(text: str) -> bool:
    """Whether a refusal of a prompt with pictures says that none are taken, not that one of ours is wrong."""
    if _ABOUT_PICTURES.search(text):
        return _NOT_TAKEN.search(text) is not None or _OF_ONE_PICTURE.search(text) is None
    return _ONLY_TEXT.search(text) is not None


def _by_status(said: str, status: int, wait_s: float | None) -> LlmError:
    if status == HTTPStatus.TOO_MANY_REQUESTS or (status in _OVERLOADED and wait_s is not None):
        return BusyError(said, retry_after_s=wait_s)
    if status >= 500 or status in _LATER:
        return AwayError(said)
    if status == HTTPStatus.NOT_FOUND:
        return RefusedError(f"{said}; {_MEND_PLACE}")
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
    """All that an error body says: a text, or any nesting of lists and objects, also as JSON in a text.

    Read are the fields in which services say something; what they repeat of our request (`input`), and what their
    model wrote (`failed_generation`), is not.
    """
    return " ".join(islice(_saying(body, 0), SAID_MOST))


def _saying(value: object, depth: int) -> Iterator[str]:
    if depth > DEEPEST:
        return
    if isinstance(value, str):
        yield from _saying_text(value.strip(), depth)
    elif isinstance(value, Mapping):
        fields = {key.lower(): below for key, below in value.items() if isinstance(key, str)}
        for key in _SAYING:
            for part in _saying(fields.get(key), depth + 1):
                # a delay or a status alone would mean nothing
                yield f"{key}: {part}" if key in _NAMED else part
    elif isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        for each in value[:SAID_MOST]:
            yield from _saying(each, depth + 1)
    elif isinstance(value, int) and not isinstance(value, bool) and depth:
        yield str(value)


def _saying_text(text: str, depth: int) -> Iterator[str]:
    inner: object = None
    if text[:1] in {"{", "["}:
        try:
            inner = json.loads(text)
        except (ValueError, RecursionError):
            inner = None
    if inner is not None:
        yield from _saying(inner, depth + 1)
    elif text and not _WEB_PAGE.search(text[:500]):
        yield text[:SAID_CHARACTERS]


def _said_wait_s(text: str) -> float | None:
    """Seconds that a refusal asks to wait in words, at most a day; None where it does not."""
    for found in _RETRY_IN.finditer(text):
        hours, minutes, amount, unit = found.groups()
        seconds = float(amount or 0) * (0.001 if unit == "ms" else 1.0)
        seconds += 3600 * int((hours or "0")[:4]) + 60 * int((minutes or "0")[:6])
        if seconds > 0:
            return min(seconds, WAIT_MOST_S)
    return None


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
