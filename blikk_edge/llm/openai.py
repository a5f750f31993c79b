"""The provider `openai`: any OpenAI-compatible address."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from blikk_edge.grammar.problem import Wrong
from blikk_edge.grammar.schema import Key, Section
from blikk_edge.grammar.secrets import Secret
from blikk_edge.grammar.values import SECRET, TEXT, WEB_ADDRESS, Scalar, choice, number, whole
from blikk_edge.kinds.kind import Kind
from blikk_edge.llm.openai_address import is_version
from blikk_edge.llm.openai_fields import RequestFields
from blikk_edge.llm.openai_request import AUTO, FORMS, STREAMS, SYSTEM_ROLES, TOKENS_FIELDS
from blikk_edge.llm.port import LanguageModel, ModelContext
from blikk_edge.llm.tokens import IMAGE_TOKENS


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAiOptions:
    """What a configuration says of a model at an OpenAI-compatible address.

    Attributes:
        base_url: The address, up to and with `/v1`.
        model: The model's name.
        api_key: The key for it; None: no key is sent.
        structured: How the answer is held to its form; `auto` finds out.
        stream: Whether answers come in parts; `auto` only where the server takes nothing else.
        tokens_field: The field that bounds an answer; `auto` finds out, `none` sends none.
        system_role: Who gives our instructions; with `user` they stand before the lines.
        temperature: How freely it words, 0..2; None leaves it out.
        fields: Further fields of each request.
        image_tokens: What one picture costs, for the budget.
    """

    base_url: str
    model: str
    api_key: Secret | None = None
    structured: str = AUTO
    stream: str = AUTO
    tokens_field: str = AUTO
    system_role: str = AUTO
    temperature: float | None = 0.2
    fields: Mapping[str, Any] = field(default_factory=dict)
    image_tokens: int = IMAGE_TOKENS


def _endpoint(text: str) -> str:
    """An address that is shown in logs: of queries it may have the version of Azure's service alone."""
    address, mark, query = text.strip().partition("?")
    WEB_ADDRESS.read(address)
    if mark and not is_version(query):
        raise Wrong("not a plain web address", "Write it without what follows the `?`; keys belong in `api_key:`.")
    return text.strip()


ENDPOINT: Final = Scalar("an http or https address", _endpoint)


def _temperature(text: str) -> float | None:
    return None if text.strip().lower() == "none" else float(number(0, 2).read(text))


MODEL = Key(
    name="model",
    value=TEXT,
    required=True,
    meaning="The model's name; for `llama` the path to its GGUF file.",
)
STRUCTURED = Key(
    name="structured", value=choice(FORMS), meaning="How the answer is held to its form; `auto` finds out."
)
IMAGES = Key(name="image_tokens", value=whole(0, 10_000), meaning="What one picture costs, for the budget.")

OPTIONS = Section(
    of=OpenAiOptions,
    keys=(
        Key(
            name="base_url",
            value=ENDPOINT,
            required=True,
            meaning="The address for `openai`, up to and with `/v1`.",
        ),
        Key(name="api_key", value=SECRET, meaning="The key for it. Best written as `!secret name`."),
        MODEL,
        STRUCTURED,
        Key(
            name="stream",
            value=choice(STREAMS),
            meaning="Whether `openai` answers come in parts; `auto` only where the server takes nothing else.",
        ),
        Key(
            name="tokens_field",
            value=choice(TOKENS_FIELDS),
            meaning="The field that bounds an answer of `openai`; `auto` finds out, `none` sends none.",
        ),
        Key(
            name="system_role",
            value=choice(SYSTEM_ROLES),
            meaning="Who gives our instructions to `openai`: with `user` they stand before the lines.",
        ),
        Key(
            name="temperature",
            value=Scalar("a number from 0 to 2, or `none`", _temperature),
            meaning="How freely `openai` words; `none` leaves it out, and so does a server that refuses it.",
        ),
        Key(
            name="fields",
            value=RequestFields(),
            meaning="Further fields of each request to `openai`, like `reasoning_effort: low`.",
            default="none",
        ),
        IMAGES,
    ),
)


def _make(options: OpenAiOptions, context: ModelContext) -> LanguageModel:
    from blikk_edge.llm.openai_api import OpenAiModel  # noqa: PLC0415  # a configuration is read without it

    return OpenAiModel(
        base_url=options.base_url,
        model=options.model,
        clock=context.clock,
        api_key=options.api_key.reveal() if options.api_key else None,
        structured=options.structured,
        tokens_field=options.tokens_field,
        temperature=options.temperature,
        image_tokens=options.image_tokens,
        stream=options.stream,
        system_role=options.system_role,
        extra=options.fields,
    )


KIND: Kind[ModelContext, LanguageModel] = Kind(
    name="openai", meaning="A language model at any OpenAI-compatible address.", options=OPTIONS, make=_make
)
