"""The JSON object in what a model wrote: past its thoughts, drafts, fences and small talk, the last that fits."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

MOST_CHARACTERS: Final = 65_536
"""What is looked through, from the end: the answer comes last, and no answer of ours is longer than 1000 characters."""

MOST_BRACES: Final = 256
"""Places that look like the beginning of an object and are none, as in thoughts that hold code."""

DEEPEST: Final = 4
"""How far within other objects an answer is looked for."""

_THOUGHT: Final = (
    # within a longer word too: `<thought_process>`, `<deepThinking>`, `<reasoning_step>`
    r"(?!\w*(?:answer|final|output|result|response))"
    r"[a-z:_-]{0,24}?(?:think|thought|reason|reflect|rationale|monologue|scratch_?pad|deliberat|ponder)[a-z:_-]{0,24}"
    r"|(?:[a-z]+[:_-])?(?:analysis|cot)"
    r"|chain[ _-]of[ _-]thought|(?:inner|internal)[ ](?:monologue|thoughts?|reasoning)"
)
_TAG: Final = re.compile(
    r"[<\[◁][|｜]?\s*(?P<close>/?)[|｜]?\s*(?:(?P<edge>begin|start|end)[ _-](?:of[ _-])?)?"
    rf"(?P<name>{_THOUGHT})(?:\s[^<>\[\]]*)?[|｜]?[>\]▷]"
    r"|(?P<details><(?P<closed>/?)details(?:\s[^<>]*)?>)"
    r"|(?P<unused><unused(?P<number>94|95)>)"
    r"|<\|channel>\s*thought|(?P<after><channel\|>)",
    re.I,
)
"""Marks around thoughts: `<think>`, `</thought>`, `[THINK]`, `◁think▷`, `<seed:think>`, `<|begin_of_thought|>`,
`<|END_THINKING|>`, `<details type="reasoning">` of one chat interface, `<unused94>` and `<|channel>thought` of one
family of models."""

_EDGES: Final = re.compile(r"(?:^|[_-])end$", re.I)

_CHANNEL: Final = re.compile(r"<\|channel\|>\s*(\w*)", re.I)
"""Where gpt-oss begins one of its channels, of which `final` alone is its answer."""

_LAST_COMMA: Final = re.compile(r"(?<=[^\s\[{,:]),(?=\s*[}\]])")
_STRING_OR_LAST_COMMA: Final = re.compile(rf'"(?:[^"\\]|\\.)*"|{_LAST_COMMA.pattern}', re.DOTALL)
"""Strings too, so that a comma within one stays."""

_FINAL: Final = "final"
_ASIDE: Final = frozenset({"analysis", "commentary"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """An object in a text, as a value and as its own JSON."""

    value: Mapping[str, Any]
    text: str


def object_in(text: str, schema: Mapping[str, Any]) -> str | None:
    """The JSON of the last object in `text` that fits `schema`; None where there is no whole object.

    What stands between the marks of thoughts does not count; what follows a mark that is never closed does where
    nothing stands before it. Objects may stand in a list, in a field of another object, or in quotes. Where none fits,
    the last is given that has a field of the schema, or the last of all: whoever asked can say what is wrong with it.
    """
    answer = text.strip()[-MOST_CHARACTERS:]
    whole = _decoded(answer)
    if isinstance(whole, dict) and fits(whole, schema):
        return _strict(answer, whole)
    spoken, unclosed = _without_thoughts(answer)
    places = [[*_objects(spoken)], [*_objects(unclosed)]]
    for good in (fits, _is_about, _is_any):
        for found in places:
            for each in reversed(found):
                if good(each.value, schema):
                    return each.text
    return None


def whole_object(text: str, schema: Mapping[str, Any]) -> str | None:
    """`text` itself, where it is nothing but one object that fits."""
    value = _decoded(text.strip())
    return _strict(text.strip(), value) if isinstance(value, dict) and fits(value, schema) else None


def has_word(text: str) -> bool:
    """Whether there is a letter or a digit in it, of any script: without one it is no text."""
    return any(character.isalnum() for character in text)


def fits(value: object, schema: Mapping[str, Any]) -> bool:
    """Whether a value has the types, fields and choices of `schema`, and words where a text may not be empty.

    Lengths and bounds do not count: what is too long is cut by whoever asked.
    """
    if "const" in schema:
        return bool(value == schema["const"])
    if "enum" in schema:
        return value in schema["enum"]
    if "anyOf" in schema:
        return any(fits(value, one) for one in schema["anyOf"])
    kinds = schema.get("type")
    if kinds is None:
        return True
    return any(_is_of(value, str(kind), schema) for kind in (kinds if isinstance(kinds, list) else [kinds]))


def _is_of(value: object, kind: str, schema: Mapping[str, Any]) -> bool:
    match kind:
        case "object":
            return isinstance(value, dict) and _has_fields(value, schema)
        case "array":
            return isinstance(value, list) and all(fits(one, schema.get("items", {})) for one in value)
        case "string":
            return isinstance(value, str) and (has_word(value) or not schema.get("minLength"))
        case "boolean":
            return isinstance(value, bool)
        case "integer" | "number":
            return isinstance(value, int if kind == "integer" else int | float) and not isinstance(value, bool)
        case _:
            return value is None


def _has_fields(value: Mapping[str, Any], schema: Mapping[str, Any]) -> bool:
    properties: Mapping[str, Any] = schema.get("properties", {})
    if not set(schema.get("required", ())) <= set(value):
        return False
    if schema.get("additionalProperties") is False and not set(value) <= set(properties):
        return False
    return all(fits(value[name], below) for name, below in properties.items() if name in value)


def _is_about(value: Mapping[str, Any], schema: Mapping[str, Any]) -> bool:
    """Whether it has a field that was asked for, with something in it."""
    properties: Mapping[str, Any] = schema.get("properties", {})
    return any(fits(value[name], below) for name, below in properties.items() if name in value)


def _is_any(_value: Mapping[str, Any], _schema: Mapping[str, Any]) -> bool:
    return True


def _without_thoughts(text: str) -> tuple[str, str]:
    """What stands outside of thoughts, and what follows a mark that is never closed."""
    if "<|channel|>" in text.lower():
        return _of_channels(text)
    kept: list[str] = []
    depth, place, opened = 0, 0, 0
    for mark in _TAG.finditer(text):
        if not depth:
            kept.append(text[place : mark.start()])
        if _opens(mark):
            opened = opened if depth else mark.end()
            depth += 1
        elif depth:
            depth -= 1
        else:
            kept.clear()  # the beginning stood in the prompt's template
        place = mark.end()
    return ("".join(kept), text[opened:]) if depth else ("".join([*kept, text[place:]]), "")


def _opens(mark: re.Match[str]) -> bool:
    if mark["details"]:
        return not mark["closed"]
    if mark["unused"]:
        return mark["number"] == "94"
    ends = (mark["edge"] or "").lower() == "end" or _EDGES.search(mark["name"] or "")
    return not (mark["close"] or mark["after"] or ends)


def _of_channels(text: str) -> tuple[str, str]:
    """What stands in the final channel; without one, what stands in none that is known for thoughts."""
    begins = [*_CHANNEL.finditer(text)]
    ends = [each.start() for each in begins[1:]] + [len(text)]
    parts = [(each[1].lower(), text[each.end() : end]) for each, end in zip(begins, ends, strict=True)]
    if any(name == _FINAL for name, _ in parts):
        return "".join(part for name, part in parts if name == _FINAL), ""
    return "".join([text[: begins[0].start()], *(part for name, part in parts if name not in _ASIDE)]), ""


def _objects(text: str) -> Iterator[_Found]:
    """The objects in a text in their order, each after those within it that it is made of."""
    if text.strip().startswith('"'):
        quoted = _decoded(text.strip())  # the answer as JSON in JSON
        if isinstance(quoted, str):
            text = quoted
    decoder = json.JSONDecoder(**_READ)
    start, tries = text.find("{"), 0
    while start >= 0 and tries < MOST_BRACES:
        try:
            value, end = _raw_decoded(decoder, text, start)
        except (ValueError, RecursionError):
            tries += 1
            end = start + 1
        else:
            yield from _within(value, 0)
            yield _Found(value=value, text=_strict(text[start:end], value))
        start = text.find("{", end)


def _raw_decoded(decoder: json.JSONDecoder, text: str, start: int) -> tuple[Any, int]:
    """The object that begins at `start`, and where it ends."""
    try:
        return decoder.raw_decode(text, start)
    except ValueError:
        if (mended := _without_last_commas(text[start:])) is None:
            raise
        value, length = decoder.raw_decode(mended)
        return value, start + length


def _without_last_commas(text: str) -> str | None:
    """JSON with a blank for each comma that nothing follows in its object or list; None where there is none."""
    if _LAST_COMMA.search(text) is None:
        return None
    return _STRING_OR_LAST_COMMA.sub(lambda found: " " if found[0] == "," else found[0], text)


def _within(value: object, depth: int) -> Iterator[_Found]:
    if depth >= DEEPEST:
        return
    for below in _parts(value):
        yield from _within(below, depth + 1)
        if isinstance(below, dict):
            yield _Found(value=below, text=json.dumps(below, ensure_ascii=False))
        elif isinstance(below, str) and below.lstrip().startswith("{"):
            quoted = _decoded(below.strip())
            if isinstance(quoted, dict):
                yield _Found(value=quoted, text=_strict(below.strip(), quoted))


def _parts(value: object) -> list[Any]:
    if isinstance(value, dict):
        return [*value.values()]
    return value if isinstance(value, list) else []


def _decoded(text: str) -> object:
    """The value of a text that is JSON as a whole; None where it is not."""
    try:
        return json.loads(text, **_READ)
    except RecursionError:
        return None
    except ValueError:
        mended = _without_last_commas(text)
    try:
        return None if mended is None else json.loads(mended, **_READ)
    except (ValueError, RecursionError):
        return None


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text} is too large")
    return number


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _strict(text: str, value: object) -> str:
    """`text`, whose value this is; as JSON has it where there are raw line breaks in its strings, or last commas."""
    try:
        json.loads(text)
    except ValueError:
        return json.dumps(value, ensure_ascii=False)
    return text


_READ: Final[Mapping[str, Any]] = MappingProxyType(
    # models that are held to no form break lines within strings
    {"parse_constant": _refuse, "parse_float": _finite, "strict": False}
)
