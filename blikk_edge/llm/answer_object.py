"""The JSON object in what a model wrote: past its thoughts, drafts, fences and small talk, the last that fits."""

import html
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from blikk_edge.llm.form import fits, shaped
from blikk_edge.llm.loose_json import read_object

MOST_CHARACTERS: Final = 65_536
"""What is looked through, from the end: the answer comes last, and no answer of ours is longer than 1000 characters."""

MOST_BRACES: Final = 256
"""Places that look like the beginning of an object and are none, as in thoughts that hold code."""

LOOSE_CHARACTERS: Final = 8192
LOOSE_BRACES: Final = 32
"""The same for what is read that is no JSON, which takes longer."""

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

_BRACE: Final = re.compile(r"[{\uff5b]")
_FENCE: Final = re.compile(r"```\w*")
_ESCAPED_OBJECT: Final = re.compile(r'\{\s*\\"')

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
    one is taken that does but for the spelling of names, of choices or of JSON itself, and put right. Else the last is
    given that has a field of the schema, or the last of all: whoever asked can say what is wrong with it.
    """
    answer = text.strip()[-MOST_CHARACTERS:]
    whole = _decoded(answer)
    if isinstance(whole, dict) and fits(whole, schema):
        return _strict(answer, whole)
    spoken, unclosed = _without_thoughts(answer)
    places = [[*_objects(spoken)], [*_objects(unclosed)]]
    if (found := _last(places, fits, schema) or _last(places, _can_fit, schema)) is not None:
        return found
    loose = [[*_loose_objects(spoken)], [*_loose_objects(unclosed)]]
    return _last(loose, _can_fit, schema) or _last(places, _is_about, schema) or _last(places, _is_any, schema)


def whole_object(text: str, schema: Mapping[str, Any]) -> str | None:
    """`text` itself, where it is nothing but one object that fits."""
    value = _decoded(text.strip())
    return _strict(text.strip(), value) if isinstance(value, dict) and fits(value, schema) else None


def _last(
    places: Sequence[Sequence[_Found]], good: Callable[[Any, Mapping[str, Any]], bool], schema: Mapping[str, Any]
) -> str | None:
    """The last object that is good, of the first place with one; what `_can_fit` finds in the form of the schema."""
    for found in places:
        for each in reversed(found):
            if good(each.value, schema):
                if good is _can_fit:
                    return json.dumps(shaped(each.value, schema), ensure_ascii=False)
                return each.text
    return None


def _can_fit(value: Mapping[str, Any], schema: Mapping[str, Any]) -> bool:
    return fits(shaped(value, schema), schema)


def _loose_objects(text: str) -> Iterator[_Found]:
    """What may be meant as objects, of a text that holds no JSON that fits."""
    text = text[-LOOSE_CHARACTERS:]
    if "&quot;" in text:
        text = html.unescape(text)
    if _ESCAPED_OBJECT.search(text):
        text = text.replace('\\"', '"')
    tries = LOOSE_BRACES
    for piece in _FENCE.split(text)[-LOOSE_BRACES:]:
        for begin in _BRACE.finditer(piece):
            if (tries := tries - 1) < 0:
                return
            try:
                value, _ = read_object(piece, begin.start())
            except ValueError:
                continue
            yield _Found(value=value, text="")


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
