"""What a chat.completions endpoint answered: read from any JSON at all, into what a model wrote and what it counted."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

MOST_TOKENS: Final = 10_000_000
MOST_TRIES: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the first choice of an answer holds; `finish` is why it ended, empty where that was not said."""

    text: str = field(repr=False)
    finish: str
    refusal: str
    model: str
    input_tokens: int
    """0 where they were not counted."""
    output_tokens: int


def answer_of(bodies: Sequence[object]) -> Answer | None:
    """One answer out of its JSON, whole or in parts; None where there is no choice in it."""
    known = [body for body in bodies if isinstance(body, Mapping)]
    choices = [choice for body in known for choice in _first_choice(body)]
    if not choices:
        return None
    said = [_mapping(choice.get("message")) or _mapping(choice.get("delta")) for choice in choices]
    usage = next((_mapping(body.get("usage")) for body in reversed(known) if body.get("usage")), {})
    return Answer(
        text="".join(_text(part.get("content")) for part in said),
        finish=next((f for c in reversed(choices) if isinstance(f := c.get("finish_reason"), str)), ""),
        refusal="".join(_text(part.get("refusal")) for part in said),
        model=next((m for body in known if isinstance(m := body.get("model"), str)), ""),
        input_tokens=_count(usage.get("prompt_tokens")),
        output_tokens=_count(usage.get("completion_tokens")),
    )


def error_in(bodies: Sequence[object]) -> tuple[int, object] | None:
    """The status and body of an error that stands where an answer was promised; 500 where it has no status."""
    for body in bodies:
        error = _mapping(body).get("error")
        if error:
            code = _mapping(error).get("code")
            return code if type(code) is int and 400 <= code < 600 else 500, body
    return None


def json_object_in(text: str) -> str | None:
    """The text of the first whole JSON object in what a model wrote, past its thoughts, fences and small talk."""
    text = text.rpartition("</think>")[2]
    decoder = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite)
    start = -1
    for _ in range(MOST_TRIES):
        start = text.find("{", start + 1)
        if start < 0:
            return None
        try:
            _, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            continue
        return text[start:end]
    return None


def _first_choice(body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    choices = body.get("choices")
    if isinstance(choices, list):
        for choice in choices:
            if isinstance(choice, Mapping) and choice.get("index", 0) in {0, None}:
                yield choice
                return


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(content: object) -> str:
    """A text, or the texts of a list of parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(_text(_mapping(part).get("text")) for part in content)
    return ""


def _count(value: object) -> int:
    return value if type(value) is int and 0 < value <= MOST_TOKENS else 0


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text} is too large")
    return number


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is no JSON")
