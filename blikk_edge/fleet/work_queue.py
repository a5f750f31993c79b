"""The work queue of a site: how it is made, and the job whose turn it is taken out of it."""

from typing import TYPE_CHECKING, Final

from blikk_edge.core.errors import SinkError, quote
from blikk_edge.fleet.jobs import WORK_MAX_S, Urgency
from blikk_edge.fleet.link import Link
from blikk_edge.fleet.names import Names
from blikk_edge.fleet.turns import Turns

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.js import JetStreamContext
    from nats.js.kv import KeyValue

ACK_WAIT_S: Final = 6.0
"""A job whose worker has not been heard of for so long goes to another."""
DELIVERED_MAX: Final = 4
"""A job that was given to workers so often, and came to nothing, is given up."""
ASK_S: Final = 3.0
QUEUE_BYTES: Final = 128 * 2**20


async def next_job(client: "Client", link: Link, names: Names, kind: str, turns: Turns) -> "Msg | None":
    """The job of this kind whose turn it is, if there is one. Raises SinkError, and what the library raises."""
    for place in turns.order():
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{names.jobs}.{_consumer(kind, place)}"
        # a job comes with the subject of the queue, which the library's newer way of asking does not expect
        message = await client.request(subject, b'{"batch":1,"no_wait":true}', timeout=ASK_S, old_style=True)
        status = (message.headers or {}).get("Status")
        if status not in {None, "404", "408"}:
            raise SinkError(f"{link}: the queue answers {status}: {quote(str(message.headers))}")
        turns.looked(place, taken=status is None)
        if status is None:
            return message
    return None


async def make_queue(jetstream: "JetStreamContext", names: Names, kind: str, *, copies: int) -> None:
    """Have the queue of the site, in so many `copies`, and what jobs of this kind are read from.

    Raises what the library raises.
    """
    from nats.js import api  # noqa: PLC0415  # see link
    from nats.js.errors import NotFoundError  # noqa: PLC0415

    try:
        await jetstream.stream_info(names.jobs)
    except NotFoundError:
        await jetstream.add_stream(
            api.StreamConfig(
                name=names.jobs,
                subjects=[names.job("*", "*")],
                retention=api.RetentionPolicy.WORK_QUEUE,
                discard=api.DiscardPolicy.NEW,  # who asks hears that it is full, and helps itself
                max_age=WORK_MAX_S,
                max_bytes=QUEUE_BYTES,
                num_replicas=copies,
            )
        )
    for place in Urgency:
        await jetstream.add_consumer(
            names.jobs,
            api.ConsumerConfig(
                durable_name=_consumer(kind, place),
                filter_subject=names.job(kind, place),
                ack_policy=api.AckPolicy.EXPLICIT,
                ack_wait=ACK_WAIT_S,
                max_deliver=DELIVERED_MAX,
            ),
        )


async def bucket(jetstream: "JetStreamContext", name: str, *, ttl_s: float, copies: int) -> "KeyValue":
    """A bucket whose keys go after `ttl_s`, made where it is not there. Raises what the library raises."""
    from nats.js import api  # noqa: PLC0415  # see link
    from nats.js.errors import BucketNotFoundError  # noqa: PLC0415

    try:
        return await jetstream.key_value(name)
    except BucketNotFoundError:
        return await jetstream.create_key_value(api.KeyValueConfig(bucket=name, history=1, ttl=ttl_s, replicas=copies))


def _consumer(kind: str, place: Urgency) -> str:
    return f"{kind}_{place}"
