"""What a chat.completions endpoint answered: read from any JSON at all, into what a model wrote and what it counted."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

MOST_TOKENS: Final = 10_000_000

_THOUGHTS: Final = ("reasoning_content", "reasoning")
_THOUGHT_PARTS: Final = ("think", "reason", "redacted")
_OTHER_ERRORS: Final = ("errors", "detail", "error_msg", "error_message", "err_msg", "errmsg", "fault")
_FIRST: Final = (0, None)
"""What an index is that is the first, or that is not said. No set: a service may send what cannot be looked up."""

_NO_ERROR: Final = (0, "0", 200, "200")
"""Codes with which some services say in every answer that there was no error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerAnswer:
    """What the first choice of an answer holds.

    Attributes:
        text: What it wrote, or the arguments of the call that it made of it; may be empty.
        thoughts: What a model wrote beside its answer, where the endpoint separates them.
        finish: Why it ended, in small letters; empty where that was not said.
        refusal: Why it would not answer, in its words; empty where it did.
        model: The name of who wrote it, as the service gives it; empty where it gives none.
        input_tokens: 0 where they were not counted.
        output_tokens: 0 where they were not counted.
    """

    text: str = field(repr=False)
    thoughts: str = field(repr=False)
    finish: str
    refusal: str
    model: str
    input_tokens: int
    output_tokens: int


def answer_of(bodies: Sequence[object]) -> ServerAnswer | None:
    """One answer out of its JSON, whole or in parts; None where there is no choice in it."""
    known = [inner for body in bodies for inner in _unwrapped(body)]
    choices = [choice for body in known for choice in _first_choice(body)]
    if not choices:
        return None
    said = [_mapping(choice.get("message")) or _mapping(choice.get("delta")) or choice for choice in choices]
    usage = next((_mapping(body.get("usage")) for body in reversed(known) if body.get("usage")), {})
    text = "".join(_text(part.get("content", part.get("text"))) for part in said)
    return ServerAnswer(
        text=text if text.strip() else "".join(_arguments(part) for part in said),
        thoughts="".join(_text(next((part[key] for key in _THOUGHTS if part.get(key)), "")) for part in said),
        finish=next((f.lower() for c in reversed(choices) if isinstance(f := c.get("finish_reason"), str)), ""),
        refusal="".join(_text(part.get("refusal")) for part in said),
        model=next((m for body in known if isinstance(m := body.get("model"), str)), ""),
        input_tokens=_count(usage.get("prompt_tokens", usage.get("input_tokens"))),
        output_tokens=_count(usage.get("completion_tokens", usage.get("output_tokens"))),
    )


def error_in(bodies: Sequence[object]) -> tuple[int, object] | None:
    """The status and body of an error that stands where an answer was promised; 500 where it has no status.

    It is `{"error": ...}`, also in a list or in a choice, or, where there is no choice, another form that services
    give their errors.
    """
    known = [inner for body in bodies for inner in _unwrapped(body)]
    answered = any(body.get("choices") for body in known)
    for body in known:
        content = _small(body)
        error = content.get("error") or next((c.get("error") for c in _first_choice(content)), None)
        if answered and _mapping(error).get("code") in _NO_ERROR:
            continue
        if error or (not answered and _is_error(content)):
            status = _status(error, content, _mapping(content.get("base_resp")))
            return status, body if not error or content.get("error") else {"error": error}
    return None


def _unwrapped(body: object) -> list[Mapping[str, Any]]:
    """The objects of a list, and an answer that gateways give within another object, as in `{"data": {...}}`."""
    if isinstance(body, list):
        return [inner for each in body if isinstance(each, Mapping) for inner in _unwrapped(each)]
    content = _mapping(body)
    if content.get("choices") or not content:
        return [content] if content else []
    return [next((below for below in content.values() if _mapping(below).get("choices")), content)]


def _is_error(content: Mapping[str, Any]) -> bool:
    """Whether a body without choices is one of the other forms of an error."""
    return (
        content.get("object") == "error"
        or any(isinstance(content.get(key), str) for key in ("message", "msg"))
        or any(content.get(key) for key in _OTHER_ERRORS)
        or bool(_mapping(content.get("base_resp")).get("status_code"))
    )


def _status(*places: object) -> int:
    for place in places:
        for key in ("code", "status", "status_code"):
            code = _mapping(place).get(key)
            number = int(code) if isinstance(code, str) and code.isdecimal() and len(code) == 3 else code
            if type(number) is int and 400 <= number < 600:
                return number
    return 500


def _first_choice(body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    choices = body.get("choices")
    if isinstance(choices, list):
        for choice in choices:
            if isinstance(choice, Mapping) and choice.get("index", 0) in _FIRST:
                yield choice
                return


def _arguments(part: Mapping[str, Any]) -> str:
    """What stands in a call of a function, by which some services have a schema kept to."""
    calls = part.get("tool_calls")
    first = next((c for c in calls if _mapping(c).get("index", 0) in _FIRST), None) if isinstance(calls, list) else None
    function = _mapping(_mapping(first).get("function")) or _mapping(part.get("function_call"))
    return _text(function.get("arguments"))


def _small(value: object) -> Mapping[str, Any]:
    """The fields of an object by their names in small letters."""
    return {key.lower(): below for key, below in _mapping(value).items() if isinstance(key, str)}


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(content: object) -> str:
    """A text, the texts of a list of parts without the thoughts among them, or an object that was read already."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(_part(part) for part in content)
    return json.dumps(content) if isinstance(content, Mapping) else ""


def _part(part: object) -> str:
    if isinstance(part, str):
        return part
    content = _mapping(part)
    if str(content.get("type", "")).startswith(_THOUGHT_PARTS):
        return ""
    text = content.get("text")
    return _text(text.get("value")) if isinstance(text, Mapping) else _text(text)


def _count(value: object) -> int:
    """A number of tokens, also as a text or with a point, as some gateways give it; 0 for what is none."""
    if isinstance(value, str) and len(value) <= 9 and value.isdecimal():
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 < value <= MOST_TOKENS else 0
