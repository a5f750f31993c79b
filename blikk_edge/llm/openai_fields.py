"""Further fields of each request to a language model, as they stand in `blikk.yaml`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import voluptuous as vol

from blikk_edge.grammar.leaf import Leaf
from blikk_edge.grammar.problem import Wrong
from blikk_edge.grammar.secrets import Secret
from blikk_edge.grammar.values import SLUG
from blikk_edge.llm.openai_request import MAX_COMPLETION_TOKENS, MAX_TOKENS

DEEPEST: Final = 4

_OWN_KEYS: Final = {
    "model": "model",
    "stream": "stream",
    "stream_options": "stream",
    "temperature": "temperature",
    MAX_TOKENS: "tokens_field",
    MAX_COMPLETION_TOKENS: "tokens_field",
    "response_format": "structured",
    "grammar": "structured",
}
_WORDS: Final = {"true": True, "false": False, "null": None, "~": None}
_WHOLE: Final = re.compile(r"-?[0-9]{1,15}")
_NUMBER: Final = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?(e[+-]?[0-9]{1,2})?", re.I)


@dataclass(frozen=True, slots=True)
class RequestFields:
    """A mapping of names to JSON values: `true`, `false`, `null`, numbers, text, and lists and mappings of them."""

    words: str = "a mapping, as the service describes it"

    def __call__(self, leaf: Leaf) -> Mapping[str, Any]:
        """The fields as they are sent."""
        if not isinstance(leaf, dict):
            raise Wrong("not a mapping", "Write the fields below it, indented.")
        wrongs: list[vol.Invalid] = []
        fields: dict[str, Any] = {}
        for name, below in leaf.items():
            try:
                fields[name] = _field(name, below)
            except vol.Invalid as wrong:
                wrong.prepend([name])
                wrongs.append(wrong)
        if wrongs:
            raise vol.MultipleInvalid(wrongs)
        return fields


def _field(name: str, leaf: Leaf) -> Any:
    SLUG.read(name)
    if name == "messages":
        raise Wrong("a field that Blikk Edge writes itself", "Remove it.")
    if name in _OWN_KEYS:
        raise Wrong("a field that has a key of its own", f"Write `summary: {_OWN_KEYS[name]}:` instead.")
    return _json(leaf, 1)


def _json(leaf: Leaf, depth: int) -> Any:
    if depth > DEEPEST:
        raise Wrong("a value that is nested too deeply", f"Nest at most {DEEPEST} deep.")
    if isinstance(leaf, Secret):
        raise Wrong("a `!secret` in a place that is sent as it is", "Write the value here, or use `api_key:`.")
    if isinstance(leaf, list):
        return [_json(each, depth + 1) for each in leaf]
    if isinstance(leaf, dict):
        return {name: _json(below, depth + 1) for name, below in leaf.items()}
    if leaf is None:
        return None
    text = leaf.strip()
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text
