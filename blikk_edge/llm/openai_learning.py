"""What is learnt from the refusals of a chat.completions endpoint: in which manner it may be asked with success."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from blikk_edge.llm.openai_request import (
    MAX_COMPLETION_TOKENS,
    MAX_TOKENS,
    OURS,
    USER,
    Form,
    Manners,
)

ADAPTABLE: Final = frozenset({400, 404, 405, 406, 415, 422, 500, 501})
"""Statuses with which endpoints refuse a field of the request; llama_cpp.server answers 500 to each."""

_OBJECT_NEXT: Final[Mapping[Form, Form]] = {
    Form.JSON_SCHEMA: Form.JSON_OBJECT,
    Form.STRICT_SUBSET: Form.JSON_OBJECT,
    Form.GRAMMAR: Form.JSON_OBJECT,
    Form.JSON_OBJECT: Form.NONE,
    Form.ANY_OBJECT: Form.NONE,
}
_ABOUT_FORM: Final = re.compile(
    r"response[_ ]?(format|schema|mime)|(output|json)[_ -]?(format|mode|object|output)|\b\w*schema\b|structured.output"
    r"|grammar|guided|constrained decoding|logits? processor|additionalProperties|(?<!\w)strict(?!\w)"
    r"|requested parameters",
    re.I,
)
_ABOUT_BOUNDS: Final = re.compile(
    r"not permitted|invalid schema|(min|max)(length|items|imum)[^.]{0,40}(not|un)[ -]?(support|allow)", re.I
)
_SCHEMA_IN_OBJECT: Final = re.compile(r"response_?format\W{1,4}schema|['\"`]schema['\"`]", re.I)
_LLAMA_CPP_PYTHON: Final = re.compile(r"literal_error.*'json_object'|'json_object'.*literal_error", re.S)
"""Its json_object with a schema lets line breaks into strings; it keeps to a grammar."""

_NOT_TAKEN: Final = re.compile(
    r"unknown|unsupported|unrecogni[sz]ed|unexpected|un(allowed|permitted)|extra|invalid|illegal|deprecated|removed"
    r"|cannot find|forbid|no such|must not|(do|should) not (be )?(use|send|sen|set)|instead|replaced|only"
    r"|can[' ]?(no)?t be"
    r"|(not|n't) (a )?(be )?(\w+ )?(support|permit|allow|accept|recogni|known|valid|available|exist|found|implement"
    r"|enabled|used)",
    re.I,
)
_STREAM: Final = re.compile(r"(?<![a-z])(non|a)?[ -]?stream|\bsse\b|server-sent|流式", re.I)
_ROLE: Final = re.compile(
    r"\broles?\b|(first message|(start|begin)s? with)[^.]{0,20} user"
    r"|\b(system|developer)[_ ]?(message|prompt|instruction)|['\"`](system|developer)['\"`]",
    re.I,
)
"""A request without a word on streams is not refused for them but where they are wanted, and none of ours has roles but
`user` and that of its instructions: that a refusal speaks of it is enough."""


def after(manners: Manners, said: str, sent: frozenset[str]) -> Manners | None:
    """The manner to try after a refusal that said this; None where it is not about anything that can be changed.

    `sent` are the fields of the request. What was refused once is not tried again.
    """
    for learn in _LESSONS:
        better = learn(manners, said, sent)
        if better is not None:
            return better
    return None


def looser(manners: Manners, said: str = "") -> Manners | None:
    """The next form, where one may be tried."""
    if "form" not in manners.free or manners.form not in _OBJECT_NEXT:
        return None
    if manners.form is Form.JSON_SCHEMA and _LLAMA_CPP_PYTHON.search(said):
        return replace(manners, form=Form.GRAMMAR)
    if manners.form is Form.JSON_OBJECT and _SCHEMA_IN_OBJECT.search(said):
        return replace(manners, form=Form.ANY_OBJECT)
    return replace(manners, form=_OBJECT_NEXT[manners.form])


def _stream(manners: Manners, said: str, _sent: frozenset[str]) -> Manners | None:
    if not _STREAM.search(said) and "include_usage" not in said:
        return None
    if manners.stream and manners.stream_usage and re.search("stream_options|include_usage", said):
        return replace(manners, stream_usage=False)
    return _changed(manners, "stream", stream=not manners.stream)


def _tokens_field(manners: Manners, said: str, _sent: frozenset[str]) -> Manners | None:
    field = manners.tokens_field
    if field == MAX_TOKENS and MAX_COMPLETION_TOKENS in said:
        return _changed(manners, "tokens_field", tokens_field=MAX_COMPLETION_TOKENS)
    if field is None or not _names(field, said) or not _NOT_TAKEN.search(said):
        return None
    other = MAX_TOKENS if field == MAX_COMPLETION_TOKENS else MAX_COMPLETION_TOKENS
    return _changed(manners, "tokens_field", tokens_field=other) or _changed(manners, "tokens_field", tokens_field=None)


def _temperature(manners: Manners, said: str, _sent: frozenset[str]) -> Manners | None:
    named = re.search("temperature|sampling param", said, re.I)
    return replace(manners, temperature=None) if named and manners.temperature is not None else None


def _form(manners: Manners, said: str, _sent: frozenset[str]) -> Manners | None:
    if manners.form is Form.JSON_SCHEMA and _ABOUT_BOUNDS.search(said):
        return replace(manners, form=Form.STRICT_SUBSET)
    return looser(manners, said) if _ABOUT_FORM.search(said) else None


def _system_role(manners: Manners, said: str, _sent: frozenset[str]) -> Manners | None:
    if manners.system_role == USER or not _ROLE.search(said):
        return None
    return _changed(manners, "system_role", system_role=USER)


def _left_out(manners: Manners, said: str, sent: frozenset[str]) -> Manners | None:
    """A field that the user wanted to be sent, and that is not taken."""
    if not _NOT_TAKEN.search(said):
        return None
    refused = {name for name in sent - OURS - manners.left_out if name in manners.extra and _names(name, said)}
    return replace(manners, left_out=manners.left_out | refused) if refused else None


_LESSONS: Final[tuple[Callable[[Manners, str, frozenset[str]], Manners | None], ...]] = (
    *(_tokens_field, _temperature, _left_out, _stream, _system_role, _form),
)


def _changed(manners: Manners, what: str, **values: str | bool | None) -> Manners | None:
    """With another way of `what`, where that is free and was not refused before."""
    ((name, value),) = values.items()
    if what not in manners.free or f"{name}={value}" in manners.tried:
        return None
    refused = f"{name}={getattr(manners, name)}"
    return replace(manners, tried=manners.tried | {refused}, **{name: value})  # type: ignore[arg-type]


def _names(field: str, said: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(field)}(?!\w)", said) is not None
