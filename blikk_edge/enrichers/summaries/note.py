"""A Note: what is written about facts, before it becomes a Summary; and a model's answer read as one."""

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from blikk_edge.core.sightings import Label
from blikk_edge.core.summary import TEXT_MAX, TITLE_MAX, Importance, Said
from blikk_edge.language.wording import clipped
from blikk_edge.llm.form import has_word
from blikk_edge.llm.port import GarbledError

COUNT_MAX: Final = 99
TIMES_MAX: Final = 6
ANSWER_TEXT_MAX: Final = 240
"""Characters that a model is asked to keep to: two sentences. More is cut at TEXT_MAX."""

SCHEMA_NAME: Final = "summary"

SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "minLength": 1, "maxLength": TITLE_MAX},
        "text": {"type": "string", "minLength": 1, "maxLength": ANSWER_TEXT_MAX},
        "importance": {"type": "string", "enum": [one.value for one in Importance]},
    },
    "required": ["title", "text", "importance"],
    "additionalProperties": False,
}
"""The form of an answer, small: where a service counts it as input it is paid with each call.

What it is about is not asked: that was observed, and 50 tokens a call would buy a chance to get it wrong.
"""

COUNTED: Final = (*Label, "rings")
"""What an account counts, in this order."""

_COUNTS: Final[Mapping[str, Any]] = {
    "type": "array",
    "items": {"type": "integer", "minimum": 0, "maximum": COUNT_MAX},
    "minItems": len(COUNTED),
    "maxItems": len(COUNTED),
}
SCHEMA_SAYING: Final[Mapping[str, Any]] = {
    **SCHEMA,
    "properties": {
        **SCHEMA["properties"],
        "counts": _COUNTS,
        "times": {"type": "array", "items": {"type": "string", "maxLength": 8}, "maxItems": TIMES_MAX},
    },
    "required": [*SCHEMA["required"], "counts", "times"],
}
"""With an account of what the text says, for languages whose words are less well known than those of English.

One list of counts: a field for each would cost a hundred tokens more, with each call.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A title and a text, as they were written.

    Attributes:
        title: At most TITLE_MAX characters.
        text: At most TEXT_MAX characters.
        importance: As its writer sees it.
        said: What a model says that title and text say; None where it was not asked to.
    """

    title: str
    text: str
    importance: Importance
    said: Said | None = None


def note_from_json(answer: str, *, saying: bool = False) -> Note:
    """A model's answer, which must be a JSON object of SCHEMA (SCHEMA_SAYING); GarbledError says what is wrong.

    Only lengths are mended: text that is too long is cut.
    """
    try:
        content = json.loads(answer)
    except (ValueError, RecursionError) as error:
        raise GarbledError("the answer is no JSON") from error
    if not isinstance(content, dict):
        raise GarbledError("the answer is no JSON object")
    if wrong := set(content) ^ set((SCHEMA_SAYING if saying else SCHEMA)["required"]):
        names = ", ".join(sorted(str(name)[:20] for name in wrong))
        raise GarbledError(f"the answer has other fields than asked for: {names[:80]}")
    return Note(
        title=_text(content, "title", TITLE_MAX),
        text=_text(content, "text", TEXT_MAX),
        importance=_importance(content["importance"]),
        said=_said(content) if saying else None,
    )


def _said(content: Mapping[str, Any]) -> Said:
    counts, times = content["counts"], content["times"]
    if not isinstance(times, list) or len(times) > TIMES_MAX or not all(isinstance(each, str) for each in times):
        raise GarbledError(f"`times` is no list of at most {TIMES_MAX} texts like 14:05")
    if not isinstance(counts, list) or len(counts) != len(COUNTED) or not all(map(_is_count, counts)):
        raise GarbledError(f"`counts` is no list of {len(COUNTED)} whole numbers from 0 to {COUNT_MAX}")
    return Said(counts=dict(zip(Label, counts, strict=False)), rings=counts[-1], times=tuple(times))


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= COUNT_MAX


def _text(content: Mapping[str, Any], name: str, limit: int) -> str:
    value = content[name]
    if not isinstance(value, str):
        raise GarbledError(f"`{name}` is no text")
    shown = "".join(" " if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"} else c for c in value[: 4 * limit])
    if not (text := clipped(shown, limit)):
        raise GarbledError(f"`{name}` is empty")
    if not has_word(text):
        raise GarbledError(f"`{name}` has no word in it")
    return text


def _importance(value: object) -> Importance:
    try:
        return Importance(str(value))
    except ValueError as error:
        raise GarbledError(f"`importance` is none of {', '.join(Importance)}") from error
