"""What a node hands to a part that it makes of a Kind. Nothing here touches pixels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from blikk_edge.core.album import Album
from blikk_edge.core.clock import Clock
from blikk_edge.core.inquiry import Answerer
from blikk_edge.core.locale import Claim, LocaleNow
from blikk_edge.core.permit import Permit
from blikk_edge.core.ports import DurableSink, History, Order, Publish
from blikk_edge.core.status import CameraState, NodeInfo
from blikk_edge.wire.topics import Topics


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """For sinks, and for the enrichers and inputs of plug-ins.

    Attributes:
        clock: Gives the time; nothing else may.
        node: Who this node is, and its cameras.
        topics: The names of this node's topics on MQTT, which other sinks use as well.
        locale: The language and the time zone as they are now.
        claimed: Receives what a Home Assistant component says of its household.
        order: Brings a command to the node. Never blocks.
        history: What was reported before. Blocking; call it off the loop.
        album: The kept pictures, None where none are kept.
        ask: Answers requests: questions about the past, and searches (`core.inquiry.Search`).
        states: How each camera is doing now.
        publish: Hands a Summary or an Answer to every sink. Never blocks.
        permit: Which cameras this node may speak for, where several share them; None: for all.
        uplink: Makes the sink `uplink` of its options, where the node belongs to a site; else None.
    """

    clock: Clock
    node: NodeInfo
    topics: Topics
    locale: LocaleNow = field(repr=False)
    claimed: Callable[[Claim], None] = field(repr=False)
    order: Order = field(repr=False)
    history: History = field(repr=False)
    album: Album | None = field(default=None, repr=False)
    ask: Answerer = field(repr=False)
    states: Callable[[], Sequence[CameraState]] = field(repr=False)
    publish: Publish = field(repr=False)
    permit: Permit | None = field(default=None, repr=False)
    uplink: "Callable[[Any, Context], DurableSink] | None" = field(default=None, repr=False)
