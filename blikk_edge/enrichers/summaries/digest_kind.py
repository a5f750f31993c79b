"""Digests as a kind of enricher: how often a whole period is summed up."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from blikk_edge.enrichers.context import WriterContext
from blikk_edge.grammar.schema import Key, Section
from blikk_edge.grammar.values import choice
from blikk_edge.kinds.kind import Kind

if TYPE_CHECKING:
    from blikk_edge.enrichers.summaries.digest import Digester


class DigestEvery(StrEnum):
    """How often a period is summed up."""

    OFF = "off"
    HOURLY = "hourly"
    DAILY = "daily"


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestOptions:
    """How often all cameras together are summed up; one that is asked for comes in any case."""

    digest: DigestEvery = DigestEvery.OFF


OPTIONS = Section(
    of=DigestOptions,
    keys=(Key(name="digest", value=choice(DigestEvery), meaning="How often a whole period is summed up."),),
)


def _make(options: DigestOptions, context: WriterContext) -> "Digester":
    from blikk_edge.enrichers.summaries.digest import Digester, Every  # noqa: PLC0415  # a configuration is read without

    return Digester(
        writer=context.writer,
        publish=context.publish,
        clock=context.clock,
        mode_of=context.mode_of,
        names=context.names,
        node_name=context.node_name,
        history=context.history,
        every=None if options.digest is DigestEvery.OFF else Every(options.digest),
        watched=context.watched,
        locale=context.locale,
    )


KIND: Kind[WriterContext, "Digester"] = Kind(
    name="digest", meaning="Sums up an hour, a day, or any period that is asked for.", options=OPTIONS, make=_make
)
