"""The uplink as a kind of sink: records of a node of a site, on their way to the centre (`blikk_edge.fleet`)."""

from dataclasses import dataclass

from blikk_edge.core.errors import SinkError
from blikk_edge.core.ports import DurableSink, Sink
from blikk_edge.grammar.schema import Key, Section
from blikk_edge.grammar.values import ListOf, choice, duration, whole
from blikk_edge.kinds.context import Context
from blikk_edge.kinds.kind import Kind

RECORDS = ("observation", "event", "ring", "summary", "answer")
"""The kinds of records that the centre has tables for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UplinkOptions:
    """What goes to the centre, and how fast.

    Attributes:
        kinds: The kinds of records.
        max_per_second: How many records a second, at most.
        pictures_s: For how many seconds redacted Pictures are kept in the site's object store; None: none are sent.
        max_mb: How much the site's stream holds, in MB of 10^6 bytes; a full one takes nothing.
        pictures_mb: Likewise of the object store.
    """

    kinds: tuple[str, ...] = RECORDS
    max_per_second: int = 200
    pictures_s: float | None = None
    max_mb: int = 1000
    pictures_mb: int = 2000


OPTIONS = Section(
    of=UplinkOptions,
    switch=True,
    keys=(
        Key(name="kinds", value=ListOf(choice(RECORDS)), meaning="The kinds of records that go to the centre."),
        Key(
            name="max_per_second",
            value=whole(1, 10_000),
            meaning="How many records a second are sent at most, as after hours without a link.",
        ),
        Key(
            name="pictures_s",
            value=duration(3600, 365 * 86400),
            meaning="Send redacted pictures too, and keep them there for so long (`7d`). After an outage they come "
            "from `media`.",
            default="none are sent",
        ),
        Key(
            name="max_mb",
            value=whole(10, 1_000_000),
            meaning="How much the stream of the site holds. Counts where this node is the one that makes it.",
        ),
        Key(
            name="pictures_mb",
            value=whole(10, 1_000_000),
            meaning="How much the pictures of the site take. Counts where this node is the one that makes their store.",
        ),
    ),
)


def _make(options: UplinkOptions, context: Context) -> Sink | DurableSink:
    if context.uplink is None:
        raise SinkError("this node belongs to no site; add `fleet:` with `site:`")
    return context.uplink(options, context)


KIND: Kind[Context, Sink | DurableSink] = Kind(
    name="uplink",
    meaning="Sends records of a node of a site to the centre, by way of the site's NATS; durable: kept here until the "
    "centre has stored them.",
    options=OPTIONS,
    make=_make,
)
