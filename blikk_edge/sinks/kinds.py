"""The kinds of sinks: ours, and those of plug-ins (entry points `blikk.sinks`)."""

from collections.abc import Sequence
from typing import Final

from blikk_edge.core.ports import DurableSink, Sink
from blikk_edge.kinds.context import Context
from blikk_edge.kinds.plugins import Kinds, has


def _lacks(sink: object) -> Sequence[str]:
    # which of the two it is meant to be, also where it lacks the rest
    durable = ("takes", "batch", "open", "send", "close")
    return has("name", *(durable if hasattr(sink, "send") else ("run",)))(sink)


SINKS: Final[Kinds[Context, Sink | DurableSink]] = Kinds(
    "sink",
    group="blikk.sinks",
    lacks=_lacks,
    own={
        "mqtt": "blikk_edge.sinks.mqtt.kind",
        "second_mqtt": "blikk_edge.sinks.mqtt.second",
        "webhook": "blikk_edge.sinks.webhook",
        "websocket": "blikk_edge.sinks.websocket",
        "redis": "blikk_edge.sinks.redis.kind",
        "postgres": "blikk_edge.sinks.postgres.kind",
        "zeromq": "blikk_edge.sinks.zeromq",
        "uplink": "blikk_edge.sinks.uplink",
    },
    written={"second_mqtt": "sinks.mqtt"},
    below={
        "websocket": "websocket",
        "redis": "redis",
        "postgres": "postgres",
        "zeromq": "zeromq",
        "uplink": "uplink",
        "mqtt": "second_mqtt",
    },
)
