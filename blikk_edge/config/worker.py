"""`worker.yaml` in, what a worker does out, or every problem there is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from blikk_edge.config.fleet_file import settings_in
from blikk_edge.fleet.options import FleetOptions, fleet_options
from blikk_edge.fleet.site_budget import SiteLimits
from blikk_edge.fleet.worker import CONCURRENCY, TIMEOUT_S, WorkerOptions
from blikk_edge.grammar.problem import Wrong
from blikk_edge.grammar.schema import Key, Section
from blikk_edge.grammar.values import SLUG, Scalar, duration, whole
from blikk_edge.kinds.chosen import Chosen
from blikk_edge.llm.chosen import Providers
from blikk_edge.llm.kinds import TextOptions
from blikk_edge.llm.port import LanguageModel, ModelContext
from blikk_edge.llm.shared import OWN


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOfWorker:
    """The language model of a worker.

    Attributes:
        chosen: The kind of model, and its options.
        concurrency: Jobs at the same time.
        timeout_s: The longest call.
        limits: What the site may use in a day.
    """

    chosen: Chosen[ModelContext, LanguageModel]
    concurrency: int = CONCURRENCY
    timeout_s: float = TIMEOUT_S
    limits: SiteLimits = field(default_factory=SiteLimits)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """A worker as its file says.

    Attributes:
        worker: Its name within the site.
        fleet: The site that it works for.
        model: What it works with.
    """

    worker: str
    fleet: FleetOptions
    model: ModelOfWorker

    @property
    def options(self) -> WorkerOptions:
        """What the worker itself wants to know."""
        model = self.model
        return WorkerOptions(
            id=self.worker, concurrency=model.concurrency, timeout_s=model.timeout_s, limits=model.limits
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Limits:
    calls_per_day: int | None = None
    tokens_per_day: int | None = None
    concurrency: int = CONCURRENCY
    timeout_s: float = TIMEOUT_S


LIMITS: Final = Section(
    of=_Limits,
    keys=(
        Key(name="calls_per_day", value=whole(0, 10**6), meaning="Calls for the whole site in a day (UTC)."),
        Key(name="tokens_per_day", value=whole(0, 10**9), meaning="Tokens for the whole site in a day (UTC)."),
        Key(name="concurrency", value=whole(1, 64), meaning="Calls at the same time by this worker."),
        Key(name="timeout_s", value=duration(1, 600), meaning="How long one call may take in all."),
    ),
)


def worker_grammar(folder: Path) -> Section:
    """The whole of `worker.yaml`, whose relative paths start at `folder`."""
    return Section(
        of=WorkerSettings,
        keys=(
            Key(name="worker", value=SLUG, required=True, meaning="The name of this worker within the site."),
            Key(
                name="fleet",
                value=fleet_options(folder),
                required=True,
                meaning="The site that it works for, as in `blikk.yaml`.",
            ),
            Key(
                name="model",
                value=_model(folder),
                required=True,
                meaning="The language model, as `summary` in `blikk.yaml` names it.",
            ),
        ),
    )


def _model(folder: Path) -> Section:
    providers = Providers(folder, OWN)

    def make(*, provider: str, options: Any = None, limits: _Limits | None = None, **given: Any) -> ModelOfWorker:
        if provider in {"template", "fleet"}:
            raise Wrong("a worker without a language model of its own", "Write `openai` or `llama`.", "provider")
        bounds = limits or _Limits()
        return ModelOfWorker(
            chosen=providers.made(provider, given, options),
            concurrency=bounds.concurrency,
            timeout_s=bounds.timeout_s,
            limits=SiteLimits(calls_per_day=bounds.calls_per_day, tokens_per_day=bounds.tokens_per_day),
        )

    words = f"{', '.join(f'`{name}`' for name in providers.names)} or the name of a plug-in"
    return Section(
        of=ModelOfWorker,
        make=make,
        keys=(
            Key(name="provider", value=Scalar(words, SLUG.read), required=True, meaning="Who writes."),
            *providers.keys.values(),
            Key(name="limits", value=LIMITS, meaning="What the model may cost.", default="none"),
            Key(name="options", value=TextOptions(), meaning="What a plug-in wants to know.", default="none"),
        ),
    )


def load_worker(path: Path, *, environ: Mapping[str, str]) -> WorkerSettings:
    """The settings in a file; raises ConfigErrors with everything that is wrong."""
    settings: WorkerSettings = settings_in(path, worker_grammar, environ=environ)
    return settings
