"""Records on a PUB socket, heard by real subscribers: known, unknown, slow and late ones."""

import asyncio
import itertools
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import zmq
from jsonschema import Draft202012Validator
from patience import PATIENCE
from sink_samples import Box1, event, observation, state, until
from test_websocket import schema

from blikk_edge.core.clock import SystemClock
from blikk_edge.core.errors import SinkError
from blikk_edge.grammar.secrets import Secret
from blikk_edge.sinks.zeromq import Curve, ZeroMqOptions
from blikk_edge.sinks.zeromq_socket import ZeroMqSocket
from blikk_edge.wire.topics import Topics

TOPICS = Topics("blikk", "porch")
Heard = list[dict[str, Any]]


class Subscribers:
    """Makes sockets, and closes them in the end."""

    def __init__(self) -> None:
        self._context = zmq.Context()
        self._made: list[Any] = []

    def socket(self) -> Any:
        self._made.append(self._context.socket(zmq.SUB))
        return self._made[-1]

    def close(self) -> None:
        for each in self._made:
            each.close(linger=0)
        self._context.term()


@pytest.fixture
def subscribers() -> Iterator[Subscribers]:
    made = Subscribers()
    yield made
    made.close()


@asynccontextmanager
async def publishing(port: int, **more: Any) -> AsyncIterator[Box1]:
    sink = ZeroMqSocket(ZeroMqOptions(port=port, **more), topics=TOPICS, clock=SystemClock())
    inbox = Box1()
    task = asyncio.ensure_future(sink.run(inbox))
    try:
        yield inbox
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def subscriber(
    subscribers: Subscribers, port: int, topic: str = "", keys: tuple[bytes, bytes, bytes] | None = None
) -> Any:
    made = subscribers.socket()
    if keys is not None:
        made.curve_serverkey, made.curve_publickey, made.curve_secretkey = keys
    made.connect(f"tcp://127.0.0.1:{port}")
    made.subscribe(topic)
    return made


def hear(of: Any, heard: Heard) -> Heard:
    with suppress(zmq.Again):
        while True:
            topic, text = of.recv_multipart(zmq.NOBLOCK)
            heard.append({"frame": topic.decode(), **json.loads(text)})
    return heard


async def joined(inbox: Box1, of: Any, heard: Heard) -> None:
    """Subscribing takes a moment, in which what is published is missed."""
    async with asyncio.timeout(60 * PATIENCE):
        while not hear(of, heard):
            inbox.put(observation(0))
            await asyncio.sleep(0.01)


async def test_each_record_comes_in_an_envelope_whose_number_follows_the_one_before(
    free_port: int, subscribers: Subscribers
) -> None:
    heard: Heard = []
    async with publishing(free_port, kinds=("observation", "event")) as inbox:
        of = subscriber(subscribers, free_port)
        await joined(inbox, of, heard)
        inbox.put(state(), event(1), event(2, camera="yard"))
        await until(lambda: hear(of, heard)[-1]["kind"] == "event" and heard[-1]["camera"] == "yard")

    check: Draft202012Validator = schema("envelope")
    for message in heard:
        frame = message.pop("frame")
        check.validate(message)
        assert frame == message["topic"]
    seqs = [message["seq"] for message in heard]
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
    assert heard[-1]["topic"] == "blikk/porch/yard/event"


async def test_the_numbers_show_what_a_slow_subscriber_missed(free_port: int, subscribers: Subscribers) -> None:
    heard: Heard = []
    async with publishing(free_port, keep=10) as inbox:
        of = subscribers.socket()
        of.setsockopt(zmq.RCVHWM, 10)
        of.connect(f"tcp://127.0.0.1:{free_port}")
        of.subscribe("")
        await joined(inbox, of, heard)
        before, padding = len(heard), "x" * 20_000
        count = 0
        while not _gaps(hear(of, heard)):
            many = [event(number, camera=padding) for number in range(count, count + 500)]
            inbox.put(*many)
            await until(inbox.empty)
            count += 500
            assert count < 20_000
    assert len(heard) > before


def _gaps(heard: Heard) -> bool:
    seqs = [message["seq"] for message in heard]
    return any(after != seq + 1 for seq, after in itertools.pairwise(seqs))


async def test_with_curve_those_alone_hear_it_whose_keys_are_listed(free_port: int, subscribers: Subscribers) -> None:
    server_public, server_secret = zmq.curve_keypair()
    known, stranger = zmq.curve_keypair(), zmq.curve_keypair()
    curve = Curve(secret_key=Secret(server_secret.decode()), clients=(known[0].decode(),))
    heard: Heard = []
    others: Heard = []
    async with publishing(free_port, curve=curve) as inbox:
        of = subscriber(subscribers, free_port, keys=(server_public, *known))
        strange = subscriber(subscribers, free_port, keys=(server_public, *stranger))
        plain = subscriber(subscribers, free_port)
        await joined(inbox, of, heard)
        for number in range(200):
            inbox.put(event(number))
        await until(lambda: hear(of, heard)[-1]["content"]["id"] == "event-199")
        hear(strange, others)
        hear(plain, others)

    assert others == []


async def test_a_port_that_is_taken_is_named(free_port: int) -> None:
    sink = ZeroMqSocket(ZeroMqOptions(port=free_port), topics=TOPICS, clock=SystemClock())
    taken = pytest.raises(SinkError, match=r"address already in use; choose another `sinks\.zeromq\.port`")
    with socket.create_server(("127.0.0.1", free_port)), taken:
        await sink.run(Box1())
