"""What the servers say of a stream, and what waits in that of the records."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import SinkError
from blikk_edge.fleet.link import Link
from blikk_edge.fleet.names import Names
from blikk_edge.fleet.records import CONSUMER

if TYPE_CHECKING:
    from nats.aio.client import Client

ANSWER_S: Final = 5.0
API: Final = "$JS.API"

LAG_S: Final = 60.0
"""Records that wait longer for the centre are a problem."""

FULL: Final = 0.9
"""So full a stream is a problem: what it refuses stays at the nodes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What waits for the centre.

    Attributes:
        records: How many records.
        size_bytes: What they take.
        max_bytes: What the stream takes at most; None: no bound.
        oldest_s: For how long the oldest has been in the stream; None where none waits.
        collects: Whether a `blikk collect` asks for them.
        given: How many are with one, and not stored yet.
    """

    records: int
    size_bytes: int
    max_bytes: int | None
    oldest_s: float | None
    collects: bool
    given: int

    @property
    def problems(self) -> Iterator[str]:
        """What is wrong, each a sentence."""
        if not self.collects and not self.given and self.records:
            yield f"{self.records} records wait, and nobody takes them; see whether `blikk collect` runs"
        elif self.oldest_s is not None and self.oldest_s > LAG_S:
            yield f"records wait for {self.oldest_s:.0f} s; see the log of `blikk collect`"
        if self.max_bytes is not None and self.size_bytes > FULL * self.max_bytes:
            share = 100 * self.size_bytes / self.max_bytes
            yield f"the stream of records is {share:.0f} % full; what it does not take waits at the nodes"


async def stream_info(
    client: "Client", link: Link, stream: str, *, api: str = API, subjects: str | None = None
) -> dict[str, Any] | None:
    """What the servers say of a stream, with their time; None where there is none of that name.

    `subjects` has the messages of these subjects counted one by one. Raises SinkError, and what the library raises.
    """
    ask = b"" if subjects is None else json.dumps({"subjects_filter": subjects}).encode()
    answer = await client.request(f"{api}.STREAM.INFO.{stream}", ask, timeout=ANSWER_S)
    content: dict[str, Any] = json.loads(answer.data)
    if (error := content.get("error")) is not None:
        if error.get("code") == 404:
            return None
        raise SinkError(f"{link}: {error.get('description')}")
    return content


async def waiting(
    client: "Client", link: Link, names: Names, clock: Clock, *, api: str = API, consumer: bool = False
) -> Waiting | None:
    """What waits for the centre, by the clock of the servers, or ours where they are too old to say theirs.

    None where there is no stream. Who takes it is only asked with `consumer`. Raises as `stream_info`.
    """
    info = await stream_info(client, link, names.records, api=api)
    if info is None:
        return None
    now = moment(info["ts"]) if "ts" in info else datetime.fromtimestamp(clock.now(), UTC)
    collector: dict[str, Any] = {}
    if consumer:
        answer = await client.request(f"{api}.CONSUMER.INFO.{names.records}.{CONSUMER}", b"", timeout=ANSWER_S)
        collector = json.loads(answer.data)
    state, most = info["state"], info["config"].get("max_bytes", -1)
    records = int(state["messages"])
    return Waiting(
        records=records,
        size_bytes=int(state["bytes"]),
        max_bytes=most if most > 0 else None,
        oldest_s=max(0.0, round((now - moment(state["first_ts"])).total_seconds(), 1)) if records else None,
        collects=bool(collector.get("num_waiting")),
        given=int(collector.get("num_ack_pending", 0)),
    )


def moment(said: object) -> datetime:
    """A time of the servers, whose nanoseconds no calendar of ours holds."""
    if isinstance(said, datetime):
        return said if said.tzinfo is not None else said.replace(tzinfo=UTC)
    text = str(said)
    head, _, rest = text.partition(".")
    if rest:
        digits = rest.rstrip("Z").partition("+")[0][:6]
        return datetime.fromisoformat(f"{head}.{digits:0<6}+00:00")
    return datetime.fromisoformat(text)
