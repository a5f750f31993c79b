"""What is sent to a chat.completions endpoint, and how that changes with what the endpoint turned out not to take."""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from blikk_edge.enrichers.models.gbnf import gbnf
from blikk_edge.enrichers.models.port import Prompt

AUTO: Final = "auto"
ADAPTABLE: Final = frozenset({400, 404, 415, 422, 500, 501})
"""Statuses with which endpoints refuse a field of the request; llama_cpp.server answers 500 to each."""


class Form(StrEnum):
    """How an answer is held to its schema: the endpoint's decoder is given it in one of three ways, or it is only told.

    STRICT_SUBSET is JSON_SCHEMA without the bounds that some services refuse in schemas.
    """

    JSON_SCHEMA = "json_schema"
    STRICT_SUBSET = "strict_subset"
    GRAMMAR = "grammar"
    JSON_OBJECT = "json_object"
    NONE = "none"


FORMS: Final = (AUTO, Form.JSON_SCHEMA, Form.JSON_OBJECT, Form.GRAMMAR, Form.NONE)
"""What a user may choose."""

_OBJECT_NEXT: Final[Mapping[Form, Form]] = {
    Form.JSON_SCHEMA: Form.JSON_OBJECT,
    Form.STRICT_SUBSET: Form.JSON_OBJECT,
    Form.GRAMMAR: Form.JSON_OBJECT,
    Form.JSON_OBJECT: Form.NONE,
}
_ABOUT_FORM: Final = re.compile(
    r"response_?format|json_?schema|json_?object|structured.output|grammar|guided"
    r"|requested parameters|['\"`]schema['\"`]",
    re.I,
)
_ABOUT_BOUNDS: Final = re.compile(
    r"not permitted|invalid schema|(min|max)(length|items|imum)[^.]{0,40}(not|un)[ -]?(support|allow)", re.I
)
_LLAMA_CPP_PYTHON: Final = re.compile(r"literal_error.*'json_object'|'json_object'.*literal_error", re.S)
"""Its json_object with a schema lets line breaks into strings; it keeps to a grammar."""

_BOUNDS: Final = frozenset({"minLength", "maxLength", "minItems", "maxItems", "minimum", "maximum"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """How one endpoint is asked. `auto` allows another `form` to be tried; `tokens_field` bounds the answer."""

    form: Form = Form.JSON_SCHEMA
    auto: bool = True
    tokens_field: str = "max_tokens"
    temperature: float | None = None
    stream: bool = False
    stream_usage: bool = True
    extra: Mapping[str, Any] = field(default_factory=dict)

    def after(self, said: str) -> "Manners | None":
        """What to try after a refusal that said this; None where it is not about anything that can be changed."""
        if "max_completion_tokens" in said and self.tokens_field == "max_tokens":
            return replace(self, tokens_field="max_completion_tokens")
        if "temperature" in said and self.temperature is not None:
            return replace(self, temperature=None)
        if self.stream and self.stream_usage and re.search("stream_options|include_usage", said):
            return replace(self, stream_usage=False)
        if self.form is Form.JSON_SCHEMA and _ABOUT_BOUNDS.search(said):
            return replace(self, form=Form.STRICT_SUBSET)
        return self.looser(said) if _ABOUT_FORM.search(said) else None

    def looser(self, said: str = "") -> "Manners | None":
        """The next form, where one may be tried."""
        if not self.auto or self.form not in _OBJECT_NEXT:
            return None
        if self.form is Form.JSON_SCHEMA and _LLAMA_CPP_PYTHON.search(said):
            return replace(self, form=Form.GRAMMAR)
        return replace(self, form=_OBJECT_NEXT[self.form])

    def __str__(self) -> str:
        return f"{self.form}, {self.tokens_field}, temperature {self.temperature}"

    @property
    def tells_schema(self) -> bool:
        """Whether the schema stands in the prompt."""
        return self.form in {Form.JSON_OBJECT, Form.NONE}


def manners(
    form: str, *, temperature: float | None, stream: bool, tokens_field: str, extra: Mapping[str, Any]
) -> Manners:
    """How an endpoint is asked at first; raises ValueError for a form or field that is none."""
    if tokens_field not in {AUTO, "max_tokens", "max_completion_tokens"}:
        raise ValueError(f"tokens_field is {tokens_field!r}; use auto, max_tokens or max_completion_tokens")
    if form not in FORMS:
        raise ValueError(f"structured is {form!r}; use {', '.join(FORMS)}")
    return Manners(
        form=Form.JSON_SCHEMA if form == AUTO else Form(form),
        auto=form == AUTO,
        tokens_field="max_tokens" if tokens_field == AUTO else tokens_field,
        temperature=temperature,
        stream=stream,
        extra=extra,
    )


def request(prompt: Prompt, *, model: str, manners: Manners) -> dict[str, Any]:
    """The body of one call. Pictures are sent as they are, in data URLs; an address is never sent."""
    body: dict[str, Any] = dict(manners.extra)
    body |= {"model": model, "messages": _messages(prompt, manners), manners.tokens_field: prompt.max_tokens}
    if manners.temperature is not None:
        body["temperature"] = manners.temperature
    if manners.stream:
        body["stream"] = True
        if manners.stream_usage:
            body["stream_options"] = {"include_usage": True}
    return body | _held_to(prompt, manners.form)


def _held_to(prompt: Prompt, form: Form) -> dict[str, Any]:
    match form:
        case Form.JSON_SCHEMA | Form.STRICT_SUBSET:
            schema = prompt.schema if form is Form.JSON_SCHEMA else without_bounds(prompt.schema)
            named = {"name": prompt.schema_name, "strict": True, "schema": schema}
            return {"response_format": {"type": "json_schema", "json_schema": named}}
        case Form.JSON_OBJECT:
            return {"response_format": {"type": "json_object", "schema": prompt.schema}}
        case Form.GRAMMAR:
            return {"grammar": gbnf(prompt.schema)}
        case Form.NONE:
            return {}


def _messages(prompt: Prompt, manners: Manners) -> list[dict[str, Any]]:
    system = prompt.system
    if manners.tells_schema:
        schema = json.dumps(prompt.schema, separators=(",", ":"))
        system += f"\nAnswer with one JSON object that fits this JSON Schema, and nothing else:\n{schema}"
    user: str | list[dict[str, Any]] = _whole(prompt.user)
    if prompt.pictures:
        user = [{"type": "text", "text": user}, *(_image(picture.jpeg) for picture in prompt.pictures)]
    return [{"role": "system", "content": _whole(system)}, {"role": "user", "content": user}]


def _image(jpeg: bytes) -> dict[str, Any]:
    url = "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")
    # our Pictures are small already: a finer look costs tokens and shows nothing more
    return {"type": "image_url", "image_url": {"url": url, "detail": "low"}}


def _whole(text: str) -> str:
    """Without halves of characters, which have no bytes."""
    return text.encode("utf-8", "replace").decode()


def without_bounds(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema without the lengths and bounds of its values."""
    slim: dict[str, Any] = {}
    for key, value in schema.items():
        if key in _BOUNDS:
            continue
        if key == "properties" and isinstance(value, Mapping):
            slim[key] = {name: without_bounds(below) for name, below in value.items()}
        elif key == "items" and isinstance(value, Mapping):
            slim[key] = without_bounds(value)
        elif key == "anyOf" and isinstance(value, list):
            slim[key] = [without_bounds(one) for one in value]
        else:
            slim[key] = value
    return slim
