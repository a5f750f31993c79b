"""Reports on cameras of edge clients as a kind of enricher: how often a model sees their newest pictures."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from blikk_edge.enrichers.context import WriterContext
from blikk_edge.grammar.schema import Key, Section
from blikk_edge.grammar.values import duration
from blikk_edge.kinds.kind import Kind
from blikk_edge.net.http.options import gone

if TYPE_CHECKING:
    from blikk_edge.enrichers.summaries.dispatch import Dispatcher

HOUR = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestSettings:
    """What becomes of the frames of edge clients, which come to `/ingest/<camera>` of the server of `http`.

    Attributes:
        every_s: How often the newest pictures are shown to a model that sees, if something happened.
    """

    every_s: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchOptions:
    """What is written of pictures that edge clients bring.

    Attributes:
        every_s: How often the newest pictures are shown to a model that sees, if something happened.
        cameras: The ids of the cameras whose pictures these are.
    """

    every_s: float
    cameras: tuple[str, ...]


OPTIONS = Section(
    of=IngestSettings,
    gone=gone("edge clients are"),
    keys=(
        Key(
            name="every_s",
            value=duration(5, HOUR),
            meaning="How often the newest pictures are shown to a model that sees, if something happened.",
        ),
    ),
)


def _make(options: DispatchOptions, context: WriterContext) -> "Dispatcher":
    from blikk_edge.enrichers.summaries.dispatch import Dispatcher  # noqa: PLC0415  # a configuration is read without

    return Dispatcher(
        writer=context.writer,
        publish=context.publish,
        clock=context.clock,
        mode_of=context.mode_of,
        names={camera: context.names[camera] for camera in options.cameras},
        shrink=context.shrink,
        every_s=options.every_s,
        locale=context.locale,
    )


KIND: Kind[WriterContext, "Dispatcher"] = Kind(
    name="dispatch", meaning="Writes about what edge clients see, while something happens.", options=OPTIONS, make=_make
)
