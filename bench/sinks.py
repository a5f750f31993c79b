"""What each sink takes in a second, beside MQTT: real servers on loopback, one subscriber in a process of its own.

    python bench/sinks.py [--records 2000] [--quick]

Durable sinks: records that wait in the journal, until all are taken and forgotten. Lossy ones: records that are handed
to the sink, until the subscriber has them all. CPU is this process alone. Each is the best of `ROUNDS` rounds. Last,
what a process holds more once it has opened the sink (resident MB), each in a process of its own.
"""

import argparse
import asyncio
import itertools
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from delivery import NODE, ROUNDS, TOPICS, Cost, delivered, events, opened, timed, to_broker
from rig import Broker, table

from blikk_edge.core.clock import SystemClock
from blikk_edge.core.observation import Event
from blikk_edge.core.ports import Item
from blikk_edge.grammar.secrets import Secret
from blikk_edge.net.http.access import Access
from blikk_edge.net.http.server import HttpServer
from blikk_edge.sinks.postgres.kind import PostgresOptions
from blikk_edge.sinks.postgres.sink import PostgresSink
from blikk_edge.sinks.redis import channels as redis_channels
from blikk_edge.sinks.redis.kind import RedisMode, RedisOptions
from blikk_edge.sinks.redis.stream import RedisStream
from blikk_edge.sinks.subscribers import Subscribers
from blikk_edge.sinks.zeromq import ZeroMqOptions
from blikk_edge.sinks.zeromq_socket import ZeroMqSocket

from ports import free_port  # isort: skip  # of the tests, whose folder `rig` names
from postgres_server import PASSWORD, PostgresServer  # isort: skip
from redis_server import RedisServer  # isort: skip

TOKEN = "0123456789abcdef"

SUBSCRIBERS = {
    "websocket": """
import asyncio, sys
from websockets.asyncio.client import connect
async def main():
    address, headers = f"ws://127.0.0.1:{sys.argv[1]}/v1/records", {"Authorization": "Bearer 0123456789abcdef"}
    async with connect(address, additional_headers=headers, proxy=None, compression=None) as connection:
        await connection.recv()
        print("here", flush=True)
        for _ in range(int(sys.argv[2])):
            await connection.recv()
        print("all", flush=True)
asyncio.run(main())
""",
    "zeromq": """
import sys, zmq
context = zmq.Context()
socket = context.socket(zmq.SUB)
socket.setsockopt(zmq.RCVHWM, 0)
socket.connect(f"tcp://127.0.0.1:{sys.argv[1]}")
socket.subscribe("")
socket.recv_multipart()
print("here", flush=True)
seen = 0
while seen < int(sys.argv[2]):
    seen += b'"id":"door-' in socket.recv_multipart()[1]
print("all", flush=True)
""",
    "channels": """
import sys, redis
with redis.Redis(port=int(sys.argv[1])) as client, client.pubsub(ignore_subscribe_messages=True) as channels:
    channels.psubscribe("blikk/*")
    channels.get_message(timeout=10)
    print("here", flush=True)
    seen = 0
    for _ in channels.listen():
        seen += 1
        if seen == int(sys.argv[2]):
            break
    print("all", flush=True)
""",
}


class Box:
    """An inbox that the bench fills."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Item] = asyncio.Queue()
        self.put = self._queue.put_nowait
        self.empty = self._queue.empty

    async def get(self) -> Item:
        """The next."""
        return await self._queue.get()


async def heard(
    sink: Any, records: Sequence[Event], kind: str, port: Callable[[], int], server: HttpServer | None = None
) -> Cost:
    """From the sink to a subscriber, by way of `server` where it has none of its own."""
    box = Box()
    running = asyncio.gather(sink.run(box), *([server.run()] if server else []))
    while not port():
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.5)
    with subprocess.Popen(
        [sys.executable, "-c", SUBSCRIBERS[kind], str(port()), str(len(records))], stdout=subprocess.PIPE, text=True
    ) as subscriber:
        assert subscriber.stdout is not None  # a pipe was asked for
        here = asyncio.ensure_future(asyncio.to_thread(subscriber.stdout.readline))
        while not here.done():
            if kind == "zeromq":  # who subscribes says nothing: it is there when it hears something
                box.put(records[0].cut_off())
            await asyncio.wait((here,), timeout=0.05)

        async def send() -> None:
            for number, record in enumerate(records):
                box.put(record)
                if number % 100 == 0:  # as they come from cameras: never all in one moment
                    while not box.empty():
                        await asyncio.sleep(0)
            await asyncio.to_thread(subscriber.stdout.readline)

        cost = await timed(len(records), send())
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    return cost


def memory(code: str) -> float:
    """MB that a process holds more after this code, which makes `sink` and opens it, than before."""
    program = f"""
import asyncio, psutil, aiomqtt
from blikk_edge.core.clock import SystemClock
from blikk_edge.grammar.secrets import Secret
from blikk_edge.wire.topics import Topics
from blikk_edge.runtime.delivery import Delivery
from blikk_edge.store.store import Store
topics = Topics("blikk", "bench")
before = psutil.Process().memory_info().rss
{code}
print(psutil.Process().memory_info().rss - before)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return int(done.stdout) / 1e6


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--records", type=int, default=2000)
    parser.add_argument("--quick", action="store_true", help="a tenth of the records, one round")
    given = parser.parse_args()
    records = events(given.records // 10 if given.quick else given.records)
    rounds = 1 if given.quick else ROUNDS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Broker(folder) as broker, RedisServer(folder) as redis, PostgresServer() as postgres:
            rows = measured(folder, records, rounds, broker, redis, postgres)
            opening = {
                "redis": "from blikk_edge.sinks.redis.kind import RedisOptions\n"
                "from blikk_edge.sinks.redis.stream import RedisStream\n"
                f"sink = RedisStream(RedisOptions(host='127.0.0.1', port={redis.port}), topics=topics)\n"
                "asyncio.run(sink.open())",
                "postgres": "from blikk_edge.sinks.postgres.kind import PostgresOptions\n"
                "from blikk_edge.sinks.postgres.sink import PostgresSink\n"
                f"options = PostgresOptions(host='127.0.0.1', port={postgres.port}, username='postgres',"
                f" database='postgres', password=Secret({PASSWORD!r}))\n"
                "sink = PostgresSink(options, topics=topics)\nasyncio.run(sink.open())",
                "zeromq": "import zmq\nfrom zmq.asyncio import Context\ncontext = Context()",
                "websocket": "from aiohttp import web\nfrom blikk_edge.sinks.subscribers import Subscribers",
            }
            held = [(kind, f"{memory(code):.1f}") for kind, code in opening.items()]
    table(("sink", "records/s", "CPU us a record"), [(kind, f"{c.rate:.0f}", f"{c.cpu_us:.0f}") for kind, c in rows])
    table(("sink", "resident MB more"), held)
    return 0


def measured(
    folder: Path,
    records: Sequence[Event],
    rounds: int,
    broker: Broker,
    redis: RedisServer,
    postgres: PostgresServer,
) -> list[tuple[str, Cost]]:
    """The fastest round of each."""
    new = itertools.count()
    channels = RedisOptions(host="127.0.0.1", port=redis.port, mode=RedisMode.CHANNELS)

    def to_redis() -> Awaitable[Cost]:
        options = RedisOptions(host="127.0.0.1", port=redis.port, stream=f"bench-{next(new)}")
        return delivered(folder, records, (RedisStream(options, topics=TOPICS),), of="redis", beside=())

    def to_postgres() -> Awaitable[Cost]:
        options = PostgresOptions(
            host="127.0.0.1",
            port=postgres.port,
            username="postgres",
            database="postgres",
            password=Secret(PASSWORD),
            schema=f"bench_{next(new)}",
        )
        return delivered(folder, records, (PostgresSink(options, topics=TOPICS),), of="postgres", beside=())

    def websocket() -> Awaitable[Cost]:
        clock = SystemClock()
        sink = Subscribers(node=NODE, topics=TOPICS, clock=clock, history=opened(folder, {}), keep=100_000)
        server = HttpServer([sink], Access(view=TOKEN, control=None, clock=clock), clock=clock, port=0)
        return heard(sink, records, "websocket", lambda: server.port, server)

    def zeromq() -> Awaitable[Cost]:
        port = free_port()
        options = ZeroMqOptions(port=port, keep=1_000_000)
        return heard(ZeroMqSocket(options, topics=TOPICS, clock=SystemClock()), records, "zeromq", lambda: port)

    def published() -> Awaitable[Cost]:
        redis_channels.KEPT = 10**6  # type: ignore[misc]  # all are wanted here, whatever the server's pace
        sink = redis_channels.RedisChannels(channels, topics=TOPICS, clock=SystemClock())
        return heard(sink, records, "channels", lambda: redis.port)

    steps: dict[str, Callable[[], Awaitable[Cost]]] = {
        "mqtt (durable)": lambda: to_broker(folder, records, broker.port),
        "redis, stream (durable)": to_redis,
        "postgres (durable)": to_postgres,
        "websocket (lossy)": websocket,
        "zeromq (lossy)": zeromq,
        "redis, channels (lossy)": published,
    }
    found: dict[str, list[Cost]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            found[name].append(asyncio.run(_awaited(step)))
    return [(name, min(costs, key=lambda cost: cost.wall_s)) for name, costs in found.items()]


async def _awaited(step: Callable[[], Awaitable[Cost]]) -> Cost:
    return await step()


if __name__ == "__main__":
    sys.exit(main())
