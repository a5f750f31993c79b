"""The stream of a site's records: how it is made, and how far the centre has come with it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from blikk_edge.core.errors import SinkError
from blikk_edge.fleet.names import Names

if TYPE_CHECKING:
    from nats.js import JetStreamContext

CONSUMER: Final = "collect"
"""Who takes the records out of the stream: every `blikk collect` of the site together."""

ACK_WAIT_S: Final = 10.0
"""What a collector has taken and not stored within this time goes to another one, or to itself once more."""

TAKEN_MAX: Final = 5000
"""So many records are with collectors at the same time."""

DUPLICATES_S: Final = 120.0
"""For so long the stream knows the mark of a record, and takes it only once."""

STREAM_BYTES: Final = 1_000_000_000


async def make_records(
    jetstream: "JetStreamContext", names: Names, *, max_bytes: int = STREAM_BYTES, copies: int = 1
) -> None:
    """Have the stream and its consumer; what is there stays as it is. Raises what the library raises.

    A record is in it until the centre has stored it. A full one refuses, so that the edge keeps what it has. Raises
    SinkError for a stream of that name that would let go of records by itself.
    """
    from nats.js.api import (  # noqa: PLC0415  # only a part of a fleet needs it
        AckPolicy,
        ConsumerConfig,
        DiscardPolicy,
        RetentionPolicy,
        StreamConfig,
    )
    from nats.js.errors import NotFoundError  # noqa: PLC0415

    try:
        there = (await jetstream.stream_info(names.records)).config
        if (there.retention, there.discard) != (RetentionPolicy.WORK_QUEUE, DiscardPolicy.NEW) or there.max_age:
            raise SinkError(
                f"the stream {names.records} was made by somebody else, and would let go of records that are not "
                "stored; remove it: it is made anew as it has to be",
                after_s=60.0,
            )
    except NotFoundError:
        await jetstream.add_stream(
            StreamConfig(
                name=names.records,
                subjects=[names.every_record],
                retention=RetentionPolicy.WORK_QUEUE,
                discard=DiscardPolicy.NEW,
                max_bytes=max_bytes,
                num_replicas=copies,
                duplicate_window=DUPLICATES_S,
            )
        )
    try:
        await jetstream.consumer_info(names.records, CONSUMER)
    except NotFoundError:
        await jetstream.add_consumer(
            names.records,
            ConsumerConfig(
                durable_name=CONSUMER,
                ack_policy=AckPolicy.EXPLICIT,
                ack_wait=ACK_WAIT_S,
                max_ack_pending=TAKEN_MAX,
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far the centre has come.

    Attributes:
        stream: Tells one stream from another of the same name that was made later.
        stored: The number in the stream up to which the centre has stored every record.
        waiting: How many records it has not stored.
    """

    stream: str
    stored: int
    waiting: int


async def progress(jetstream: "JetStreamContext", names: Names) -> Progress:
    """How far the centre has come: nothing else takes a record out of the stream. Raises what the library raises."""
    info = await jetstream.stream_info(names.records)
    state = info.state
    stored = state.first_seq - 1 if state.messages else state.last_seq
    return Progress(stream=str(info.created), stored=stored, waiting=state.messages)
