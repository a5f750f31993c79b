"""A grammar in GBNF for the bounded JSON Schemas of our prompts.

A malformed grammar kills some servers, so text is built here from escaped literals and numbered rules alone; nothing of
a schema is ever copied into it as grammar. A schema that bounds less, or asks for more, than is known here raises.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from blikk_edge.core.errors import LlmError

MOST_REPEATS: Final = 1000
"""llama.cpp refuses repetitions beyond 2000, and each is a rule of its own in memory."""

MOST_RULES: Final = 200
DEEPEST: Final = 8
WIDEST: Final = 999_999_999

_ESCAPED: Final = {'"': '\\"', "\\": "\\\\"}
_CHAR: Final = r'char ::= [^"\\\x00-\x1F\x7F] | "\\" ["\\/bfnrt]'
_NOTES: Final = frozenset({"title", "description", "default", "examples"})
_KNOWN: Final[Mapping[str, frozenset[str]]] = {
    "object": frozenset({"type", "properties", "required", "additionalProperties"}),
    "array": frozenset({"type", "items", "minItems", "maxItems"}),
    "string": frozenset({"type", "minLength", "maxLength"}),
    "integer": frozenset({"type", "minimum", "maximum"}),
    "number": frozenset({"type", "minimum", "maximum"}),
    "boolean": frozenset({"type"}),
    "null": frozenset({"type"}),
}


class GrammarError(LlmError):
    """This schema cannot be written as a grammar."""


def gbnf(schema: Mapping[str, Any]) -> str:
    """The grammar of all JSON texts, in one fixed spacing, that fit `schema`.

    Known are objects (every property is written, in the order given), arrays and strings with an upper bound, integers,
    numbers (at most three decimals), booleans, null, `enum`, `const`, `anyOf` and lists of types. Numbers without
    bounds have at most nine digits before the point. Raises GrammarError for everything else.
    """
    if schema.get("type") != "object":
        raise GrammarError("a grammar needs a schema of an object")
    writer = _Writer()
    root = writer.value(schema, 0)
    return "\n".join([f"root ::= {root}", *writer.rules, _CHAR]) + "\n"


class _Writer:
    """Gathers rules; every method returns an expression that may stand anywhere."""

    def __init__(self) -> None:
        self.rules: list[str] = []

    def rule(self, body: str) -> str:
        if len(self.rules) >= MOST_RULES:
            raise GrammarError("the schema is too large for a grammar")
        name = f"r{len(self.rules)}"
        self.rules.append(f"{name} ::= {body}")
        return name

    def value(self, schema: object, depth: int) -> str:
        if not isinstance(schema, Mapping):
            raise GrammarError("a schema that is no object cannot be a grammar")
        if depth > DEEPEST:
            raise GrammarError("the schema is nested too deeply for a grammar")
        keys = set(schema) - _NOTES
        if "const" in schema:
            _only(keys, {"const", "type"})
            return literal(schema["const"])
        if "enum" in schema:
            _only(keys, {"enum", "type"})
            return self.rule(_either([literal(value) for value in _sequence(schema["enum"], "enum")]))
        if "anyOf" in schema:
            _only(keys, {"anyOf"})
            return self.rule(_either([self.value(one, depth + 1) for one in _sequence(schema["anyOf"], "anyOf")]))
        kind = schema.get("type")
        if isinstance(kind, list):
            return self._kinds(schema, kind, keys, depth)
        if not isinstance(kind, str) or kind not in _KNOWN:
            raise GrammarError(f"a schema of type {kind!r} cannot be a grammar")
        _only(keys, _KNOWN[kind])
        return self._of_kind(kind, schema, depth)

    def _kinds(self, schema: Mapping[str, Any], kinds: Sequence[object], keys: set[str], depth: int) -> str:
        known = {name: names for name, names in _KNOWN.items() if name in kinds}
        if not known or len(known) != len(kinds):
            raise GrammarError(f"a schema of types {kinds!r} cannot be a grammar")
        _only(keys, frozenset().union(*known.values()))
        each = [{key: schema[key] for key in names & keys} | {"type": kind} for kind, names in known.items()]
        return self.rule(_either([self.value(one, depth + 1) for one in each]))

    def _of_kind(self, kind: str, schema: Mapping[str, Any], depth: int) -> str:
        match kind:
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, depth)
            case "string":
                least, most = _lengths(schema, "minLength", "maxLength")
                body = rf'"\"" char{{{least},{most}}} "\""'
            case "integer" | "number":
                body = (_integers if kind == "integer" else _numbers)(*_bounds(schema))
            case _:
                body = '"true" | "false"' if kind == "boolean" else '"null"'
        return self.rule(body)

    def _object(self, schema: Mapping[str, Any], depth: int) -> str:
        properties = schema.get("properties")
        if not isinstance(properties, Mapping) or not properties:
            raise GrammarError("an object without properties cannot be a grammar")
        if not set(schema.get("required", ())) <= set(properties):
            raise GrammarError("an object that requires what it does not describe cannot be a grammar")
        parts: list[str] = []
        for name, below in properties.items():
            if not isinstance(name, str):
                raise GrammarError("a property's name is no text")
            parts += [_plain(", " if parts else "{"), literal(name), _plain(": "), self.value(below, depth + 1)]
        return self.rule(" ".join([*parts, _plain("}")]))

    def _array(self, schema: Mapping[str, Any], depth: int) -> str:
        least, most = _lengths(schema, "minItems", "maxItems")
        if most == 0:
            return _plain("[]")
        item = self.value(schema.get("items"), depth + 1)
        more = f"({_plain(', ')} {item}){{{max(0, least - 1)},{most - 1}}}" if most > 1 else ""
        some = f"{item} {more}".rstrip()
        return self.rule(f"{_plain('[')} {some if least else f'({some})?'} {_plain(']')}")


def literal(value: object) -> str:
    """A JSON value as the GBNF literal of its text; raises GrammarError for what JSON has no text for."""
    try:
        return _plain(json.dumps(value, ensure_ascii=False, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise GrammarError(f"a value of a schema is no JSON: {error}") from error


def _plain(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise GrammarError("a text of a schema holds half of a character") from error
    return '"' + "".join(_ESCAPED.get(c) or (c if " " <= c <= "~" else f"\\U{ord(c):08X}") for c in text) + '"'


def _either(parts: Sequence[str]) -> str:
    return " | ".join(parts)


def _only(keys: set[str], known: frozenset[str] | set[str]) -> None:
    if keys - known:
        raise GrammarError(f"a schema with {', '.join(sorted(map(str, keys - known)))} cannot be a grammar")


def _sequence(value: object, name: str) -> Sequence[object]:
    if not isinstance(value, list | tuple) or not 0 < len(value) <= MOST_REPEATS:
        raise GrammarError(f"`{name}` of a schema is not a list of 1 to {MOST_REPEATS}")
    return value


def _lengths(schema: Mapping[str, Any], least_key: str, most_key: str) -> tuple[int, int]:
    least, most = schema.get(least_key, 0), schema.get(most_key)
    if type(least) is not int or type(most) is not int or not 0 <= least <= most <= MOST_REPEATS:
        raise GrammarError(f"a schema without a usable `{most_key}` (at most {MOST_REPEATS}) cannot be a grammar")
    return least, most


def _bounds(schema: Mapping[str, Any]) -> tuple[int, int]:
    """The whole numbers at or within the bounds."""
    least, most = schema.get("minimum", -WIDEST), schema.get("maximum", WIDEST)
    for bound in (least, most):
        if isinstance(bound, bool) or not isinstance(bound, int | float) or not abs(bound) <= WIDEST:
            raise GrammarError(f"a schema with the bound {bound!r} cannot be a grammar")
    low, high = math.ceil(least), math.floor(most)
    if low > high:
        raise GrammarError(f"no whole number lies in {least}..{most}, so that it cannot be a grammar")
    return low, high


def _integers(low: int, high: int) -> str:
    parts = []
    if low < 0:
        parts += [f'"-" ({_either(_ranges(max(1, -high), -low))})']
    if high >= 0:
        parts += _ranges(max(0, low), high)
    return _either(parts)


def _numbers(low: int, high: int) -> str:
    """Whole numbers of the range, and decimals between them."""
    parts = []
    if low < 0:
        parts.append(f'"-" ({_sizes(max(0, -high), -low)})')
    if high >= 0:
        parts.append(_sizes(max(0, low), high))
    return _either(parts)


def _sizes(low: int, high: int) -> str:
    whole = f"({_either(_ranges(high, high))})"
    if low == high:
        return f'{whole} ("." "0"{{1,3}})?'
    return f'({_either(_ranges(low, high - 1))}) ("." [0-9]{{1,3}})? | {whole} ("." "0"{{1,3}})?'


def _ranges(low: int, high: int) -> list[str]:
    """Alternatives that match just the whole numbers low..high, 0 <= low <= high, without leading zeros."""
    parts = []
    for digits in range(len(str(low)), len(str(high)) + 1):
        first = max(low, 10 ** (digits - 1) if digits > 1 else 0)
        last = min(high, 10**digits - 1)
        parts += _same_length(str(first), str(last))
    return parts


def _same_length(low: str, high: str) -> list[str]:
    """The numbers between two of as many digits: by common beginnings, then digit classes."""
    if not low:
        return [""]
    if set(low) <= {"0"} and set(high) <= {"9"}:
        return [f"[0-9]{{{len(low)}}}"]
    if low[0] == high[0]:
        return [f'"{low[0]}" {rest}'.rstrip() for rest in _same_length(low[1:], high[1:])]
    rest = len(low) - 1
    start, end = int(low[0]), int(high[0])
    parts = []
    if set(low[1:]) - {"0"}:
        parts += [f'"{start}" {tail}'.rstrip() for tail in _same_length(low[1:], "9" * rest)]
        start += 1
    above: list[str] = []
    if set(high[1:]) - {"9"}:
        above = [f'"{end}" {tail}'.rstrip() for tail in _same_length("0" * rest, high[1:])]
        end -= 1
    if start <= end:
        parts.append(f"[{start}-{end}]" + (f" [0-9]{{{rest}}}" if rest else ""))
    return parts + above
