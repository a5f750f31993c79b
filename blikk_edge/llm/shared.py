"""The provider `fleet`: the language models of the site's workers (`blikk worker`)."""

from dataclasses import dataclass
from typing import Final

from blikk_edge.grammar.schema import Key, Section
from blikk_edge.grammar.values import choice, duration
from blikk_edge.kinds.chosen import Chosen
from blikk_edge.kinds.kind import Kind
from blikk_edge.llm.openai import IMAGES
from blikk_edge.llm.port import LanguageModel, ModelContext, RefusedError
from blikk_edge.llm.tokens import IMAGE_TOKENS

OWN: Final = ("openai", "llama")
"""The providers that may stand in for the workers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedOptions:
    """What a configuration says of the site's workers.

    Attributes:
        wait_s: How long a worker is waited for that takes the work.
        fallback: The provider of the node's own model, for when none does; None: the template writes.
        image_tokens: What one picture costs, for the budget.
        own: That model, of the keys beside `fallback`.
    """

    wait_s: float = 10.0
    fallback: str | None = None
    image_tokens: int = IMAGE_TOKENS
    own: Chosen[ModelContext, LanguageModel] | None = None


OPTIONS: Final = Section(
    of=SharedOptions,
    keys=(
        Key(
            name="wait_s",
            value=duration(1, 300),
            meaning="How long `fleet` waits for a worker that takes the work. An answer has the whole of "
            "`limits.timeout_s`, or half of it where there is a `fallback`.",
        ),
        Key(
            name="fallback",
            value=choice(OWN),
            meaning="With `provider: fleet`: the node's own model, for when no worker answers. Its keys stand "
            "beside this.",
            default="the template",
        ),
        IMAGES,
    ),
)


def _make(options: SharedOptions, context: ModelContext) -> LanguageModel:
    if context.share is None:
        raise RefusedError("provider fleet: this node belongs to no site; add `fleet:` with `site:`")
    own = None if options.own is None else options.own.make(context)
    return context.share(own, options.wait_s)


KIND: Kind[ModelContext, LanguageModel] = Kind(
    name="fleet", meaning="The language models of the site's workers.", options=OPTIONS, make=_make
)
