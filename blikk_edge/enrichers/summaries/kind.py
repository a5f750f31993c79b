"""Summaries of visits as a kind of enricher: who writes, what it may cost, and about what."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from blikk_edge.core.sightings import Label
from blikk_edge.core.status import SummaryMode
from blikk_edge.enrichers.context import WriterContext
from blikk_edge.enrichers.summaries.digest_kind import OPTIONS as DIGEST
from blikk_edge.enrichers.summaries.digest_kind import DigestEvery
from blikk_edge.grammar.problem import Wrong, listed
from blikk_edge.grammar.schema import Key, Section
from blikk_edge.grammar.secrets import Secret
from blikk_edge.grammar.values import SLUG, TEXT, ListOf, Scalar, choice, duration, number, whole
from blikk_edge.kinds.chosen import Chosen
from blikk_edge.kinds.kind import Kind
from blikk_edge.llm.chosen import Providers
from blikk_edge.llm.kinds import MODELS, TextOptions
from blikk_edge.llm.port import LanguageModel, ModelContext
from blikk_edge.llm.queue.budget import Limits
from blikk_edge.llm.tokens import IMAGE_TOKENS

if TYPE_CHECKING:
    from blikk_edge.enrichers.summaries.summarizer import Summarizer

TEMPLATE: Final = "template"
MINUTE, HOUR = 60.0, 3600.0
PRICE = number(0, 100_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class SummarySettings:
    """Who writes text about events, and what it may cost.

    Attributes:
        provider: `template`, or the name of the kind of `model`.
        mode: What a model is given; it may be lowered while running, and VISION only chosen here.
        image_tokens: What one picture costs, for the budget, where the model does not count.
        labels: What is written about.
        digest: How often a whole period is summed up.
        limits: What the model may cost.
        model: The kind of model, and its options; None: the template writes.
    """

    provider: str = TEMPLATE
    mode: SummaryMode = SummaryMode.TEXT
    image_tokens: int = IMAGE_TOKENS
    labels: tuple[Label, ...] = tuple(Label)
    digest: DigestEvery = DigestEvery.OFF
    limits: Limits = field(default_factory=Limits)
    model: Chosen[ModelContext, LanguageModel] | None = None


def _limits(**values: Any) -> Limits:
    if "cost_per_day" in values and not {"price_input", "price_output"} <= set(values):
        raise Wrong("`cost_per_day` without prices", "Add `price_input:` and `price_output:`.", "cost_per_day")
    return Limits(**values)


BUDGET = Section(
    of=Limits,
    make=_limits,
    keys=(
        Key(name="calls_per_minute", value=whole(1, 600), meaning="Calls of the model in any minute."),
        Key(name="calls_per_day", value=whole(0, 10**6), meaning="Calls in a day of local time."),
        Key(name="tokens_per_minute", value=whole(100, 10**7), meaning="Tokens, sent and written, in any minute."),
        Key(name="tokens_per_day", value=whole(0, 10**9), meaning="Tokens in a day."),
        Key(name="camera_calls_per_minute", value=whole(1, 600), meaning="Calls for one camera in any minute."),
        Key(name="camera_tokens_per_minute", value=whole(100, 10**7), meaning="Tokens for one camera in any minute."),
        Key(name="camera_calls_per_day", value=whole(0, 10**6), meaning="Calls for one camera in a day."),
        Key(name="camera_tokens_per_day", value=whole(0, 10**9), meaning="Tokens for one camera in a day."),
        Key(name="cooldown_s", value=duration(0, HOUR), meaning="The least time between two calls for one camera."),
        Key(name="concurrency", value=whole(1, 8), meaning="Calls at the same time."),
        Key(name="timeout_s", value=duration(1, 10 * MINUTE), meaning="How long one call may take in all."),
        Key(name="queue", value=whole(1, 1000), meaning="How much work may wait."),
        Key(name="price_input", value=PRICE, meaning="The price of a million tokens sent."),
        Key(name="price_output", value=PRICE, meaning="The price of a million tokens written."),
        Key(name="currency", value=TEXT, meaning="The currency of the prices, as it is shown."),
        Key(name="cost_per_day", value=PRICE, meaning="What a day may cost; needs both prices."),
    ),
)


def _options(folder: Path) -> Section:
    """Who writes about what happened; what our own providers want to know are keys of it."""
    providers = Providers(folder)

    def make(*, options: Mapping[str, str | Secret] | None = None, **values: Any) -> SummarySettings:
        given = {name: values.pop(name) for name in providers.keys if name in values}
        if "image_tokens" in given:
            values["image_tokens"] = given["image_tokens"]
        provider = values.get("provider", TEMPLATE)
        if provider == TEMPLATE:
            if "model" in given:
                mend = f"Add `provider:` with {listed(MODELS.own)}."
                raise Wrong("a `model` without a provider", mend, "model")
            return SummarySettings(**values)
        return SummarySettings(**values, model=providers.made(provider, given, options))

    return Section(
        of=SummarySettings,
        make=make,
        switch=True,
        plain="provider",
        keys=(
            Key(
                name="provider",
                value=Scalar(
                    f"`{TEMPLATE}`, {', '.join(f'`{name}`' for name in MODELS.own)} or the name of a plug-in", SLUG.read
                ),
                meaning=f"Who writes. `{TEMPLATE}` is no model; `openai` any OpenAI-compatible address; `llama` a "
                "GGUF file on this machine; `fleet` the workers of the site. The template also serves whenever the "
                "model does not.",
            ),
            Key(
                name="mode",
                value=choice((SummaryMode.TEXT, SummaryMode.VISION)),
                meaning="What the model is given: lines of `text`, or with `vision` redacted pictures as well.",
            ),
            *providers.keys.values(),
            Key(name="labels", value=ListOf(choice(Label)), meaning="What is written about."),
            *DIGEST.keys,
            Key(name="limits", value=BUDGET, meaning="What the model may cost."),
            Key(name="options", value=TextOptions(), meaning="What a plug-in wants to know.", default="none"),
        ),
    )


def _make(options: SummarySettings, context: WriterContext) -> "Summarizer":
    from blikk_edge.enrichers.summaries.summarizer import Summarizer  # noqa: PLC0415  # a configuration is read without

    return Summarizer(
        writer=context.writer,
        publish=context.publish,
        clock=context.clock,
        mode_of=context.mode_of,
        names=context.names,
        labels=options.labels,
        shrink=context.shrink,
        history=context.history,
        owed=context.owed,
        locale=context.locale,
    )


KIND: Kind[WriterContext, "Summarizer"] = Kind(
    name="summary", meaning="Writes a sentence about each visit.", options=_options, make=_make
)
