"""What a subscriber of the WebSocket asks for in its query, and what it is told first."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from blikk_edge.core.errors import WireError
from blikk_edge.wire.envelope import KINDS, RECORDS, Enveloped
from blikk_edge.wire.messages import PROTOCOL
from blikk_edge.wire.values import YEAR_9999, Json, JsonObject, json_bytes

_CURSOR: Final = re.compile(r"([0-9a-z]{1,20})\.([0-9]{1,15})\.([0-9]{1,15})", re.ASCII)
PARAMETERS: Final = ("kinds", "cameras", "since")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """Behind which record a subscriber takes up.

    Attributes:
        time: When that record was reported, seconds since 1970 UTC: for a stream that is over, and for a time alone.
        stream: The stream that numbered it; empty where only a time is known.
        seq: Its number there.
    """

    time: float
    stream: str = ""
    seq: int = 0

    def __str__(self) -> str:
        return f"{self.stream}.{self.seq}.{round(self.time * 1000)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """What one subscriber wants.

    Attributes:
        kinds: The kinds of items (`wire.envelope.KINDS`).
        cameras: The ids of the cameras; None: all. What is of the whole node comes whatever they are.
        since: From where on; None: from now on.
    """

    kinds: frozenset[str] = frozenset(RECORDS)
    cameras: frozenset[str] | None = None
    since: Cursor | None = None

    def wants(self, item: Enveloped) -> bool:
        """Whether it is to get this one."""
        near = self.cameras is None or item.camera is None or item.camera in self.cameras
        return near and item.kind in self.kinds


def read_subscription(query: Mapping[str, Sequence[str]], cameras: Collection[str]) -> Subscription:
    """The query, its values by name; `cameras` are those of the node. Raises WireError."""
    for name, values in query.items():
        if name not in PARAMETERS:
            raise WireError(f"a parameter that is not known here; there are {', '.join(PARAMETERS)}")
        if len(values) != 1:
            raise WireError(f"`{name}` is there twice; join its values with commas")
    kinds, named = (_words(query, name) for name in ("kinds", "cameras"))
    if kinds is not None and not kinds <= set(KINDS):
        raise WireError(f"`kinds` must be of {', '.join(KINDS)}, joined with commas")
    if named is not None and not named <= set(cameras):
        raise WireError(f"`cameras` must be of {', '.join(sorted(cameras))}, joined with commas")
    return Subscription(
        kinds=frozenset(RECORDS) if kinds is None else kinds,
        cameras=named,
        since=_since(query["since"][0]) if "since" in query else None,
    )


def hello(
    subscription: Subscription, *, node: str, stream: str, seq: int, complete: bool | None, cursor: Cursor | None
) -> bytes:
    """The first message; `seq` is the number of the newest record.

    `complete` says whether all since `since` is there still; None without one. `cursor` is where who came without one
    takes up, if it leaves before the first record; None for who came with `since`.
    """
    kinds: list[Json] = [kind for kind in KINDS if kind in subscription.kinds]
    cameras: list[Json] | None = None if subscription.cameras is None else [*sorted(subscription.cameras)]
    content: JsonObject = {
        "v": PROTOCOL,
        "kind": "hello",
        "node": node,
        "stream": stream,
        "seq": seq,
        "kinds": kinds,
        "cameras": cameras,
        "complete": complete,
        "cursor": None if cursor is None else str(cursor),
    }
    return json_bytes(content)


def _words(query: Mapping[str, Sequence[str]], name: str) -> frozenset[str] | None:
    return frozenset(_split(query[name][0])) if name in query else None


def _split(text: str) -> Iterator[str]:
    return (word.strip() for word in text.split(","))


def _since(text: str) -> Cursor:
    if (found := _CURSOR.fullmatch(text)) is not None:
        return Cursor(stream=found[1], seq=int(found[2]), time=int(found[3]) / 1000)
    try:
        # in a query a plus means a space
        time = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text).timestamp()
    except (ValueError, OverflowError):
        time = -1.0
    if not 0 <= time <= YEAR_9999:
        raise WireError("`since` must be a `cursor` of a message, or ISO 8601 like 2026-11-21T12:00:00Z")
    return Cursor(time=time)
