"""The sink `uplink` of a node that belongs to a site; nothing of it is imported by any other."""

from collections.abc import Callable
from dataclasses import replace

from blikk_edge.config.settings import Settings
from blikk_edge.core.ports import DurableSink
from blikk_edge.kinds.context import Context
from blikk_edge.sinks.uplink import UplinkOptions


def uplink_of(settings: Settings) -> Callable[[UplinkOptions, Context], DurableSink] | None:
    """What makes the sink of its options; None where the node belongs to no site."""
    fleet = settings.fleet
    if fleet is None:
        return None

    def made(options: UplinkOptions, context: Context) -> DurableSink:
        from blikk_edge.fleet.link import Link  # noqa: PLC0415  # only a node of a fleet needs it
        from blikk_edge.fleet.names import Names  # noqa: PLC0415
        from blikk_edge.fleet.uplink import Uplink  # noqa: PLC0415

        node = settings.node.id
        topics = replace(context.topics, member=context.topics.member or node)
        link = Link(fleet, name=f"{node}.uplink")
        return Uplink(
            options,
            link,
            Names(fleet.site),
            topics=topics,
            clock=context.clock,
            album=context.album,
            copies=link.copies,
        )

    return made
