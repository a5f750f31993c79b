"""What our own enrichers are made with; those of plug-ins get `kinds.context.Context`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from blikk_edge.core.clock import Clock
from blikk_edge.core.locale import LocaleNow
from blikk_edge.core.observation import Event
from blikk_edge.core.ports import History, Memory, Order, Publish
from blikk_edge.core.status import SummaryMode
from blikk_edge.core.watched import WatchedAt

if TYPE_CHECKING:  # a configuration is read without
    from blikk_edge.enrichers.summaries.gallery import Shrink
    from blikk_edge.enrichers.summaries.text_writer import TextWriter
    from blikk_edge.llm.queue.port import JobQueue


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterContext:
    """For enrichers that write, alone or with the one language model that they share.

    Attributes:
        clock: Gives the time; nothing else may.
        locale: The language and the time zone as they are now.
        node_name: The node's name, as people read it.
        names: The cameras' names, by id.
        zones: The cameras' zones, by id.
        mode_of: How the summaries of a camera are made now.
        writer: Writes by the model, checks what it wrote, and falls back on the template.
        queue: Asks the model itself, within its budget; None without one.
        shrink: Makes a redacted Picture small enough for a model.
        history: What was reported before. Blocking; call it off the loop.
        memory: Keeps small values over a restart.
        watched: When each camera was watched.
        owed: The events that a process before this one did not get to write about; None where nobody knows.
        order: Brings a command to the node. Never blocks.
        publish: Hands a Summary or an Answer to every sink. Never blocks.
    """

    clock: Clock
    locale: LocaleNow = field(repr=False)
    node_name: str
    names: Mapping[str, str]
    zones: Mapping[str, Sequence[str]]
    mode_of: Callable[[str], SummaryMode] = field(repr=False)
    writer: "TextWriter" = field(repr=False)
    queue: "JobQueue | None" = field(repr=False)
    shrink: "Shrink" = field(repr=False)
    history: History = field(repr=False)
    memory: Memory = field(repr=False)
    watched: WatchedAt = field(repr=False)
    owed: Callable[[], Sequence[Event]] | None = field(default=None, repr=False)
    order: Order = field(repr=False)
    publish: Publish = field(repr=False)
