"""The groups of kinds, and what is made of those that a configuration names; what cannot be made stops nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar, cast

from blikk_edge.app.named import named
from blikk_edge.config.settings import Settings
from blikk_edge.core.errors import BlikkError, quote
from blikk_edge.core.ports import DurableSink, Sink
from blikk_edge.enrichers.kinds import ENRICHERS
from blikk_edge.inputs.kinds import INPUTS
from blikk_edge.kinds.chosen import Chosen
from blikk_edge.kinds.context import Context
from blikk_edge.kinds.kind import ContextT
from blikk_edge.kinds.plugins import Kinds, PluginError
from blikk_edge.llm.kinds import MODELS
from blikk_edge.net.http.route import Served
from blikk_edge.runtime.scheduler import Supervisor
from blikk_edge.sinks.kinds import SINKS
from blikk_edge.sources.kinds import SOURCES
from blikk_edge.transforms.kinds import DETECTORS, TRANSFORMS
from blikk_edge.web.kinds import SERVED


class _Part(Protocol):
    name: str


PartT = TypeVar("PartT", bound=_Part)

GROUPS: Final[tuple[Kinds[Any, Any], ...]] = (SOURCES, TRANSFORMS, DETECTORS, SINKS, ENRICHERS, INPUTS, SERVED, MODELS)
"""In the order in which they are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sinks:
    """The sinks that a configuration names; one may be both durable and among the others.

    Attributes:
        durable: Those that get every record.
        others: Those that get all that flows.
        served: Those of ours that are reached over HTTP.
        absent: The names of those that cannot be had now.
    """

    durable: tuple[DurableSink, ...] = ()
    others: tuple[Sink, ...] = ()
    served: tuple[Served, ...] = ()
    absent: tuple[str, ...] = ()


def brought_in(settings: Settings) -> Iterator[str]:
    """A line for the webhook, and for each plug-in that was loaded: what it is, and of which package. No secrets."""
    if settings.webhook is not None:
        yield f"webhook {settings.webhook.url.public} gets: {', '.join(settings.webhook.tell)}"
    every: list[Chosen[Any, Any]] = [chosen for chosen, _ in named(settings)]
    every += [step for camera in settings.cameras for step in camera.transforms]
    if settings.summary and settings.summary.model:
        every.append(settings.summary.model)
    loaded = [each for each in every if not each.refused and each.name not in each.kinds.own]
    for kinds, name in dict.fromkeys((each.kinds, each.name) for each in loaded):
        yield f"plug-in {kinds.package(name)}: {kinds.word} {name}"


def sinks_of(settings: Settings, context: Context, supervisor: Supervisor) -> Sinks:
    """The sinks that the configuration names; what cannot be made is a problem of the node, which runs without."""
    ours = (("mqtt", settings.mqtt), ("webhook", settings.webhook))
    chosen = (
        *(Chosen(kinds=SINKS, name=name, options=options) for name, options in ours if options is not None),
        *settings.sinks,
    )
    made = parts(chosen, context, supervisor)
    return Sinks(
        # A class that has `send` has all of it: the guard has seen to that. `isinstance` of a protocol would overlook a
        # plug-in that hands on to another object by `__getattr__`.
        durable=tuple(cast("DurableSink", sink) for sink in made if hasattr(sink, "send")),
        others=tuple(cast("Sink", sink) for sink in made if hasattr(sink, "run")),
        served=tuple(cast("Served", sink) for sink in made if sink.name in SINKS.own and hasattr(sink, "routes")),
        absent=tuple({each.name for each in chosen} - {sink.name for sink in made}),
    )


def parts(several: Sequence[Chosen[ContextT, PartT]], context: ContextT, supervisor: Supervisor) -> tuple[PartT, ...]:
    """What these kinds make; what cannot be made is a problem of the node, which runs without."""
    made: list[PartT] = []
    for each in several:
        try:
            part = each.make(context)
            if part.name != each.name and each.name not in each.kinds.own:  # ours may be several, each with its own
                raise PluginError(f"{each.kinds.word} {each.name}: it calls itself {quote(str(part.name))!r}")
        except BlikkError as error:
            supervisor.fail(f"{each.kinds.word} {each.name}", error)
        else:
            made.append(part)
    return tuple(made)
