"""The provider `llama`: a GGUF file on this machine."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blikk_edge.grammar.places import file_in, placed
from blikk_edge.grammar.schema import Key, Section
from blikk_edge.grammar.values import whole
from blikk_edge.kinds.kind import Kind
from blikk_edge.llm.openai import IMAGES, MODEL, STRUCTURED
from blikk_edge.llm.openai_request import AUTO
from blikk_edge.llm.port import LanguageModel, ModelContext
from blikk_edge.llm.tokens import IMAGE_TOKENS


@dataclass(frozen=True, slots=True, kw_only=True)
class LlamaOptions:
    """What a configuration says of a `llama` model.

    Attributes:
        model: Its GGUF file.
        projector: The image projector of a model that sees, a GGUF file; None: it takes no Pictures.
        structured: How the answer is held to its form; `auto` is a grammar.
        image_tokens: What one picture costs, for the budget.
        context_tokens: Its context: prompt and answer of one call.
        threads: Processor cores; None: all but one.
    """

    model: Path
    projector: Path | None = None
    structured: str = AUTO
    image_tokens: int = IMAGE_TOKENS
    context_tokens: int = 4096
    threads: int | None = None


def _options(folder: Path) -> Section:
    def make(*, model: str, **values: Any) -> LlamaOptions:
        return LlamaOptions(model=placed(folder, model), **values)

    return Section(
        of=LlamaOptions,
        make=make,
        keys=(
            MODEL,
            Key(name="projector", value=file_in(folder), meaning="The image projector of a `llama` model that sees."),
            STRUCTURED,
            IMAGES,
            Key(name="context_tokens", value=whole(1024, 131_072), meaning="The context of a `llama` model."),
            Key(
                name="threads",
                value=whole(1, 64),
                meaning="Processor cores for a `llama` model.",
                default="all but one",
            ),
        ),
    )


def _make(options: LlamaOptions, context: ModelContext) -> LanguageModel:
    from blikk_edge.llm.llama import LlamaModel  # noqa: PLC0415  # a configuration is read without it

    return LlamaModel(
        path=options.model,
        clock=context.clock,
        projector=options.projector,
        context_tokens=options.context_tokens,
        threads=options.threads,
        structured=options.structured,
        image_tokens=options.image_tokens,
    )


KIND: Kind[ModelContext, LanguageModel] = Kind(
    name="llama", meaning="A GGUF file on this machine.", options=_options, make=_make
)
