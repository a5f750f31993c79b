"""What is sent to a chat.completions endpoint, and in which manner."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from blikk_edge.llm.gbnf import gbnf
from blikk_edge.llm.port import Prompt

AUTO: Final = "auto"
USER: Final = "user"
MAX_TOKENS: Final = "max_tokens"
MAX_COMPLETION_TOKENS: Final = "max_completion_tokens"
NONE: Final = "none"

TOKENS_FIELDS: Final = (AUTO, MAX_TOKENS, MAX_COMPLETION_TOKENS, NONE)
STREAMS: Final = (AUTO, "always", "never")
SYSTEM_ROLES: Final = (AUTO, "system", "developer", USER)
"""What a user may choose, as for `FORMS`."""

OURS: Final = frozenset({"model", "messages"})
"""Fields without which there is no request."""


class Form(StrEnum):
    """How an answer is held to its schema: given to the endpoint's decoder in one of four ways, or only in the prompt.

    STRICT_SUBSET is JSON_SCHEMA without the bounds that some services refuse in schemas; ANY_OBJECT asks for any JSON
    object, for services that refuse a schema in it.
    """

    JSON_SCHEMA = "json_schema"
    STRICT_SUBSET = "strict_subset"
    GRAMMAR = "grammar"
    JSON_OBJECT = "json_object"
    ANY_OBJECT = "any_object"
    NONE = "none"


FORMS: Final = (AUTO, Form.JSON_SCHEMA, Form.JSON_OBJECT, Form.ANY_OBJECT, Form.GRAMMAR, Form.NONE)
"""What a user may choose."""

_BOUNDS: Final = frozenset({"minLength", "maxLength", "minItems", "maxItems", "minimum", "maximum"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """How one endpoint is asked: what was chosen, and what was learnt since.

    Attributes:
        form: How an answer is held to its schema.
        tokens_field: The field that bounds the answer; None where nothing does.
        temperature: 0..2; None: it is not sent.
        stream: Whether the answer is to come in parts.
        stream_usage: Whether a stream is asked to count its tokens.
        system_role: Whose words our instructions are; as USER they stand before the rest of the prompt.
        extra: Further fields of every request.
        left_out: The names of fields that are not sent.
        free: What may be changed when it is refused: `form`, `tokens_field`, `stream`, `system_role`.
        tried: The ways that were refused.
    """

    form: Form = Form.JSON_SCHEMA
    tokens_field: str | None = MAX_TOKENS
    temperature: float | None = None
    stream: bool = False
    stream_usage: bool = True
    system_role: str = "system"
    extra: Mapping[str, Any] = field(default_factory=dict)
    left_out: frozenset[str] = frozenset()
    free: frozenset[str] = frozenset({"form"})
    tried: frozenset[str] = frozenset()

    def __str__(self) -> str:
        parts = [
            str(self.form),
            self.tokens_field or "no limit of tokens",
            "no temperature" if self.temperature is None else f"temperature {self.temperature:g}",
            *(["in a stream"] if self.stream else []),
            *([f"instructions as {self.system_role}"] if self.system_role != "system" else []),
            *([f"without {', '.join(sorted(self.left_out))}"] if self.left_out else []),
        ]
        return ", ".join(parts)

    @property
    def schema_in_prompt(self) -> bool:
        """Whether the schema stands in the prompt."""
        return self.form in {Form.JSON_OBJECT, Form.ANY_OBJECT, Form.NONE}


def manners(
    form: str,
    *,
    temperature: float | None,
    stream: str | bool,
    tokens_field: str,
    system_role: str = AUTO,
    extra: Mapping[str, Any],
) -> Manners:
    """How an endpoint is asked at first; raises ValueError for a choice that is none."""
    streamed = {True: "always", False: AUTO}[stream] if isinstance(stream, bool) else stream
    chosen = (
        ("structured", form, FORMS),
        ("tokens_field", tokens_field, TOKENS_FIELDS),
        ("stream", streamed, STREAMS),
        ("system_role", system_role, SYSTEM_ROLES),
    )
    for name, value, choices in chosen:
        if value not in choices:
            raise ValueError(f"{name} is {value!r}; use {', '.join(choices)}")
    return Manners(
        form=Form.JSON_SCHEMA if form == AUTO else Form(form),
        tokens_field={AUTO: MAX_TOKENS, NONE: None}.get(tokens_field, tokens_field),
        temperature=temperature,
        stream=streamed == "always",
        system_role="system" if system_role == AUTO else system_role,
        extra=extra,
        free=frozenset("form" if name == "structured" else name for name, value, _ in chosen if value == AUTO),
    )


def request(prompt: Prompt, *, model: str, manners: Manners) -> dict[str, Any]:
    """The body of one call. Pictures are sent as they are, in data URLs; an address is never sent."""
    body: dict[str, Any] = dict(manners.extra)
    body |= {"model": model, "messages": _messages(prompt, manners)}
    if manners.tokens_field is not None:
        body[manners.tokens_field] = prompt.max_tokens
    if manners.temperature is not None:
        body["temperature"] = manners.temperature
    if manners.stream:
        body["stream"] = True
        if manners.stream_usage:
            body["stream_options"] = {"include_usage": True}
    body |= _held_to(prompt, manners.form)
    return {name: value for name, value in body.items() if name not in manners.left_out}


def _held_to(prompt: Prompt, form: Form) -> dict[str, Any]:
    match form:
        case Form.JSON_SCHEMA | Form.STRICT_SUBSET:
            schema = prompt.schema if form is Form.JSON_SCHEMA else without_bounds(prompt.schema)
            named = {"name": prompt.schema_name, "strict": True, "schema": schema}
            return {"response_format": {"type": "json_schema", "json_schema": named}}
        case Form.JSON_OBJECT:
            return {"response_format": {"type": "json_object", "schema": prompt.schema}}
        case Form.ANY_OBJECT:
            return {"response_format": {"type": "json_object"}}
        case Form.GRAMMAR:
            return {"grammar": gbnf(prompt.schema)}
        case Form.NONE:
            return {}


def _messages(prompt: Prompt, manners: Manners) -> list[dict[str, Any]]:
    system = prompt.system
    if manners.schema_in_prompt:
        schema = json.dumps(prompt.schema, separators=(",", ":"))
        system += f"\nAnswer with one JSON object that fits this JSON Schema, and nothing else:\n{schema}"
    asked = _whole(prompt.user if manners.system_role != USER else f"{system}\n\n{prompt.user}")
    user: str | list[dict[str, Any]] = asked
    if prompt.pictures:
        user = [{"type": "text", "text": asked}, *(_image(picture.jpeg) for picture in prompt.pictures)]
    instructions = [{"role": manners.system_role, "content": _whole(system)}] if manners.system_role != USER else []
    return [*instructions, {"role": "user", "content": user}]


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
