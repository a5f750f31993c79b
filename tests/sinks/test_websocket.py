"""The WebSocket that sends records: subscribers over real sockets, well-behaved, slow, and forbidden ones."""

import asyncio
import base64
import contextlib
import json
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from broker import make_certificates
from http_served import serving
from jsonschema import Draft202012Validator
from patience import PATIENCE
from sink_samples import NODE, Box1, event, observation, ring, state, until
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from blikk_edge.core.clock import SystemClock
from blikk_edge.core.observation import Event, Shown, Withdrawn
from blikk_edge.core.status import CameraAvailability
from blikk_edge.net.http.access import Access
from blikk_edge.net.tls import client_context
from blikk_edge.sinks.subscribers import NOT_TAKEN, TOO_SLOW, Subscribers
from blikk_edge.store.store import Store
from blikk_edge.wire.messages import encode
from blikk_edge.wire.topics import Topics

TOKEN = "0123456789abcdef"
TOPICS = Topics("blikk", "porch")
SCHEMAS = Path(__file__).parents[2] / "contract" / "schemas"
Json = dict[str, Any]


def schema(name: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads((SCHEMAS / f"{name}.json").read_text()))


class At(SystemClock):
    """It is always the time that the test says; pauses are as long as ever."""

    def __init__(self, time: float) -> None:
        self.time = time

    def now(self) -> float:
        return self.time


class Served:
    """Subscribers that are served, and what the sink is given."""

    def __init__(self, store: Store, clock: SystemClock | None = None, **options: Any) -> None:
        self.inbox = Box1()
        self.port = 0
        clock = clock or SystemClock()
        self.of_server = {name: options.pop(name) for name in ("names", "certificate", "key") if name in options}
        self.access = Access(view=TOKEN, control=None, clock=clock, origins=options.pop("origins", ()))
        self.sink = Subscribers(node=NODE, topics=TOPICS, clock=clock, history=store, **options)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Served"]:
        task = asyncio.ensure_future(self.sink.run(self.inbox))
        async with serving(self.sink, access=self.access, **self.of_server) as server:
            self.port = server.port
            try:
                yield self
            finally:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    async def put(self, *items: Any) -> None:
        self.inbox.put(*items)
        await until(self.inbox.empty, "that the sink takes them")
        await asyncio.sleep(0)

    @asynccontextmanager
    async def subscriber(self, query: str = "", **options: Any) -> AsyncIterator[ClientConnection]:
        given = {"additional_headers": {"Authorization": f"Bearer {TOKEN}"}, "compression": None, "proxy": None}
        async with connect(f"ws://127.0.0.1:{self.port}/v1/records{query}", **(given | options)) as connection:
            yield connection


@pytest.fixture
async def served(store: Store) -> AsyncIterator[Served]:
    async with Served(store).running() as served:
        yield served


async def said(connection: ClientConnection, count: int = 1) -> list[Json]:
    async with asyncio.timeout(60 * PATIENCE):
        return [json.loads(await connection.recv()) for _ in range(count)]


async def test_each_record_comes_in_an_envelope_with_the_json_of_mqtt_and_the_next_number(served: Served) -> None:
    items = [event(1), observation(1), ring(1), Withdrawn(camera="yard", what=Shown.SUMMARY)]
    async with served.subscriber() as subscriber:
        (hello,) = await said(subscriber)
        await served.put(*items)
        messages = await said(subscriber, 4)

    schema("hello").validate(hello)
    assert (hello["node"], hello["seq"], hello["complete"]) == ("porch", 0, None)
    for message in messages:
        schema("envelope").validate(message)
    assert [message["seq"] for message in messages] == [1, 2, 3, 4]
    assert {message["stream"] for message in messages} == {hello["stream"]}
    published = [encode(item, TOPICS) for item in items]
    assert [message["topic"] for message in messages] == [message.topic for message in published]
    assert [message["content"] for message in messages[:3]] == [json.loads(each.payload) for each in published[:3]]
    assert messages[3]["content"] is None


async def test_who_comes_back_with_its_cursor_misses_nothing_and_gets_nothing_twice(served: Served) -> None:
    async with served.subscriber() as subscriber:
        await said(subscriber)
        await served.put(*(event(number) for number in range(5)))
        before = await said(subscriber, 3)
    await served.put(*(event(number) for number in range(5, 9)))
    async with served.subscriber(f"?since={before[-1]['cursor']}") as subscriber:
        (hello,) = await said(subscriber)
        after = await said(subscriber, 6)

    assert hello["complete"] is True
    assert [message["seq"] for message in (*before, *after)] == list(range(1, 10))


async def test_who_leaves_before_the_first_record_comes_back_with_the_cursor_of_the_greeting(served: Served) -> None:
    await served.put(event(1))
    async with served.subscriber() as subscriber:
        (before,) = await said(subscriber)
    await served.put(event(2), event(3))
    async with served.subscriber(f"?since={before['cursor']}") as subscriber:
        hello, *after = await said(subscriber, 3)

    assert (hello["complete"], hello["cursor"]) == (True, None)
    assert [message["content"]["id"] for message in after] == ["event-2", "event-3"]


@pytest.mark.parametrize("stamped", [True, False], ids=["cursor", "time"])
async def test_what_was_before_a_restart_comes_out_of_the_history(store: Store, stamped: bool) -> None:
    clock = At(event(1).time)
    async with Served(store, clock).running() as first:
        async with first.subscriber() as subscriber:
            await said(subscriber)
            await first.put(event(1))
            (seen,) = await said(subscriber)
        clock.time += 10
        for record in (event(5), replace(event(5), revision=2, time=event(5).time + 1), ring(6), event(7)):
            store.put(record)
    async with Served(store, clock).running() as second:
        await second.put(event(20))
        since = seen["cursor"] if stamped else "2026-11-21T12:00:01.001Z"
        async with second.subscriber(f"?since={since}") as subscriber:
            hello, *told = await said(subscriber, 5)

    assert (hello["complete"], hello["stream"] == seen["stream"]) == (False, False)
    assert [(message["kind"], message["content"]["id"]) for message in told] == [
        *(("event", "event-5"), ("ring", "ring-6"), ("event", "event-7"), ("event", "event-20"))
    ]
    assert told[0]["content"]["revision"] == 2
    assert [message["content"].get("replayed") for message in told] == [True, True, True, None]
    assert [message["seq"] for message in told] == [None, None, None, 1]


async def test_what_is_kept_no_more_is_said_to_be_missing(store: Store) -> None:
    async with Served(store, keep=3).running() as served:
        await served.put(*(observation(number) for number in range(8)))
        async with served.subscriber() as subscriber:
            (hello,) = await said(subscriber)
        first = f"{hello['stream']}.2.{hello['seq']}"
        async with served.subscriber(f"?since={first}") as subscriber:
            hello, *kept = await said(subscriber, 4)

    assert hello["complete"] is False
    assert [message["seq"] for message in kept] == [6, 7, 8]


class Slow(Store):
    """A history that takes its time: `read` is set once it is read, and it answers when `go` is set."""

    read = threading.Event()
    go = threading.Event()

    def events(self, **given: Any) -> tuple[Event, ...]:
        self.read.set()
        assert self.go.wait(60)
        return super().events(**given)


async def test_what_goes_while_the_history_is_read_comes_out_of_it_too(tmp_path: Path) -> None:
    clock = At(event(0).time)
    with contextlib.closing(Slow(tmp_path / "slow.db")) as store:
        store.open()
        async with Served(store, clock, keep=3).running() as served:

            async def report(*numbers: int) -> None:
                for number in numbers:
                    clock.time = event(number).time
                    store.put(event(number))
                    await served.put(event(number))

            await report(0, 1, 2, 3)
            async with served.subscriber("?since=2026-11-21T12:00:00Z") as subscriber:
                await until(store.read.is_set, "that the history is read")
                await report(4, 5)
                store.go.set()
                hello, *told = await said(subscriber)
                while not told or told[-1]["seq"] != 6:
                    told += await said(subscriber)

    assert hello["complete"] is False
    assert {message["content"]["id"] for message in told} == {f"event-{number}" for number in range(6)}
    assert [message["seq"] for message in told if message["seq"]] == [4, 5, 6]


async def test_only_what_was_asked_for_comes_and_of_statuses_the_newest(served: Served) -> None:
    await served.put(state(frames=1), state(frames=2), state("yard"), CameraAvailability(camera="yard", online=True))
    async with served.subscriber("?kinds=event,state,status&cameras=yard") as subscriber:
        hello, *now = await said(subscriber, 3)
        await served.put(event(1), observation(2, camera="yard"), event(3, camera="yard"), state(frames=3))
        (message,) = await said(subscriber)

    assert (hello["kinds"], hello["cameras"]) == (["event", "state", "status"], ["yard"])
    assert [(each["kind"], each["camera"], each["seq"]) for each in now] == [
        *(("state", "yard", None), ("status", "yard", None))
    ]
    assert now[1]["content"] == "online"
    assert (message["content"]["id"], message["seq"]) == ("event-3", 3)


async def refusal(served: Served, query: str = "", **options: Any) -> tuple[int, str]:
    with pytest.raises(InvalidStatus) as refused:
        async with served.subscriber(query, **options):
            pass
    return refused.value.response.status_code, (refused.value.response.body or b"").decode()


@pytest.mark.parametrize(
    ("query", "headers", "status", "said"),
    [
        ("", {}, 401, "http.tokens"),
        ("", {"Authorization": "Bearer 0123456789abcdeX"}, 401, "http.tokens"),
        ("?kinds=events", None, 400, "`kinds` must be of observation, event"),
        ("?cameras=gate", None, 400, "`cameras` must be of front_door, yard"),
        ("?since=yesterday", None, 400, "`since` must be"),
        ("?since=a.1.2&since=a.1.2", None, 400, "`since` is there twice"),
        ("?kind=event", None, 400, "not known here; there are kinds"),
        ("?" + "&".join(f"kinds{n}=1" for n in range(20)), None, 400, "parameters"),
        ("/more", None, 404, "Not Found"),
    ],
)
async def test_who_may_not_or_asks_nonsense_is_told_why(
    served: Served, query: str, headers: dict[str, str] | None, status: int, said: str
) -> None:
    options = {} if headers is None else {"additional_headers": headers}
    code, body = await refusal(served, query, **options)

    assert (code, said in body) == (status, True), body
    assert "0123456789abcde" not in body


async def test_another_name_of_the_host_is_refused_and_one_that_is_configured_is_not(store: Store) -> None:
    async with Served(store, names=["hallway.example"]).running() as served:
        port = served.port

        async def called(host: str) -> bytes:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(
                f"GET /v1/records HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
                f"Authorization: Bearer {TOKEN}\r\n\r\n".encode()
            )
            line = await reader.readline()
            writer.close()
            return line.split()[1]

        hosts = ["evil.example", f"evil.example:{port}", f"Hallway.Example:{port}", f"127.0.0.1:{port}", "[::1]:80"]
        answers = [await called(host) for host in (*hosts, "localhost", socket.gethostname(), "127.0.0.1.evil.example")]

    assert answers == [b"421", b"421", b"101", b"101", b"101", b"101", b"101", b"421"]


async def test_a_web_page_needs_its_origin_allowed_and_shows_the_token_as_a_protocol(store: Store) -> None:
    shown = base64.urlsafe_b64encode(TOKEN.encode()).decode().rstrip("=")
    page: Json = {"additional_headers": {}, "subprotocols": [Subprotocol("blikk.v1"), Subprotocol(f"bearer.{shown}")]}
    async with Served(store, origins=["https://page.example"]).running() as served:
        async with served.subscriber(**page, origin="https://page.example") as subscriber:
            assert subscriber.subprotocol == "blikk.v1"
            assert (await said(subscriber))[0]["kind"] == "hello"
        assert (await refusal(served, **page, origin="https://evil.example"))[0] == 403
        assert (await refusal(served, origin="https://evil.example"))[0] == 403
        wrong = [Subprotocol("blikk.v1"), Subprotocol("bearer.MDEyMzQ1Njc4OWFiY2RlWA")]
        assert (await refusal(served, additional_headers={}, subprotocols=wrong))[0] == 401


async def test_there_is_a_limit_and_who_leaves_makes_room(store: Store) -> None:
    async with Served(store, connections=2).running() as served:
        async with served.subscriber() as one, served.subscriber() as two:
            await asyncio.gather(said(one), said(two))
            assert (await refusal(served))[0] == 503
        async with asyncio.timeout(60 * PATIENCE):
            while True:
                with contextlib.suppress(InvalidStatus):
                    async with served.subscriber() as third:
                        assert await said(third)
                        return


async def test_who_is_slow_is_cut_off_with_a_count_and_harms_nobody(store: Store) -> None:
    async with Served(store, keep=50).running() as served:  # noqa: SIM117  # the others need it
        async with served.subscriber() as quick, served.subscriber(max_queue=1) as slow:
            await asyncio.gather(said(quick), said(slow))
            sent = 0
            while not served.sink.missed:
                await served.put(*(event(number) for number in range(sent, sent + 40)))
                messages = await said(quick, 40)
                assert [message["seq"] for message in messages] == list(range(sent + 1, sent + 41))
                sent += 40
                assert sent < 100_000
            seqs: list[int] = []
            with contextlib.suppress(ConnectionClosed):
                async with asyncio.timeout(60 * PATIENCE):
                    while True:
                        seqs.append(json.loads(await slow.recv())["seq"])
            assert seqs == list(range(1, len(seqs) + 1))
            assert len(seqs) <= sent - 50
            await slow.wait_closed()
            assert slow.close_code in {TOO_SLOW, 1006}, "a reader that still reads is told; another is cut off"
            await served.put(event(sent))
            assert (await said(quick))[0]["seq"] == sent + 1


async def test_who_says_something_is_hung_up(served: Served) -> None:
    async with served.subscriber() as subscriber:
        await said(subscriber)
        await subscriber.send("hello")
        with pytest.raises(ConnectionClosed):
            await said(subscriber)
        assert subscriber.close_code == NOT_TAKEN


async def test_subscribers_see_that_the_node_stops(store: Store) -> None:
    async with Served(store).running() as served:
        connection = await connect(
            f"ws://127.0.0.1:{served.port}/v1/records",
            additional_headers={"Authorization": f"Bearer {TOKEN}"},
            proxy=None,
        )
        await said(connection)
    await connection.wait_closed()
    assert connection.close_code == 1001


async def test_subscribers_come_by_tls(tmp_path: Path, store: Store) -> None:
    made = make_certificates(tmp_path)
    trusting: Json = {"ssl": client_context(made.ca), "additional_headers": {"Authorization": f"Bearer {TOKEN}"}}
    async with (
        Served(store, certificate=made.server, key=made.server_key).running() as served,
        connect(f"wss://127.0.0.1:{served.port}/v1/records", proxy=None, **trusting) as subscriber,
    ):
        assert (await said(subscriber))[0]["kind"] == "hello"
