"""What it costs to deliver each record for sure: journal to a real broker and to a web address, beside doing it bare.

    python bench/delivery.py [--records 4000] [--quick] [--check]

Three steps, each beside what a script would do that keeps nothing:

- **journal**: records written one by one, each on the disk (fsync) before the next, with the history beside it. The
  rival appends the same lines to a file, with an fsync each.
- **broker**: records that wait in the journal, published to a real Mosquitto with QoS 1 until all are acknowledged and
  forgotten. The rival publishes the same payloads with aiomqtt, as many at a time, out of a list.
- **web address**: records that wait, posted to a server in a process of its own until all are answered and forgotten.
  The rival posts them with aiohttp, one after the other over one connection, out of a list.

Rates are the best of `ROUNDS` rounds in turns, so that both meet the same machine. CPU is this process alone. Last, the
broker and a web address that is away for good: what the one costs the other. The goals of `--check`: a record costs at
most three times the CPU of bare publishing, and a sink that is away costs the other at most a fifth of its rate.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import aiomqtt
from rig import Broker, table

from blikk_edge.core.clock import SystemClock
from blikk_edge.core.geometry import Box
from blikk_edge.core.observation import Event, Observed, Phase, Sighting
from blikk_edge.core.ports import DurableSink, Item
from blikk_edge.core.sightings import Label
from blikk_edge.core.status import CameraInfo, NodeInfo
from blikk_edge.runtime.delivery import Delivery
from blikk_edge.sinks.mqtt.address import Address
from blikk_edge.sinks.mqtt.session import WINDOW
from blikk_edge.sinks.mqtt.sink import MqttSink
from blikk_edge.sinks.webhook import WebhookSink
from blikk_edge.store.store import Store
from blikk_edge.wire.messages import encode, record_to_text
from blikk_edge.wire.topics import Topics

ROUNDS = 3
CPU_MOST = 5.0
HELD_UP_MOST = 0.2
TOPICS = Topics("blikk", "bench")
CAMERA = CameraInfo(id="door", name="Door", labels=(Label.PERSON,))
NODE = NodeInfo(id="bench", name="Bench", version="0", cameras=(CAMERA,))

SERVER = """
from aiohttp import web
async def take(request):
    await request.read()
    return web.Response()
app = web.Application()
app.router.add_post("/hook", take)
import asyncio
async def main():
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one step: seconds and CPU seconds for `records`."""

    records: int
    wall_s: float
    cpu_s: float

    @property
    def rate(self) -> float:
        """Records a second."""
        return self.records / self.wall_s

    @property
    def cpu_us(self) -> float:
        """Microseconds of CPU a record."""
        return self.cpu_s / self.records * 1e6


def events(count: int) -> list[Event]:
    """Revisions of visits, as a busy door has them."""
    person = Sighting(
        track=7, label=Label.PERSON, sub_label="person", score=0.9, box=Box(0.2, 0.1, 0.5, 0.9), since=1e9, dwell_s=4.2
    )
    return [
        Event(
            id=f"door-{number // 4}",
            camera="door",
            phase=(Phase.STARTED, Phase.UPDATED, Phase.UPDATED, Phase.ENDED)[number % 4],
            revision=1 + number % 4,
            time=1e9 + number,
            started=1e9 + number // 4 * 4,
            label=Label.PERSON,
            reason=Observed.APPEARED,
            objects=(person,),
            ended=1e9 + number if number % 4 == 3 else None,
        )
        for number in range(count)
    ]


async def timed(records: int, work: Awaitable[None]) -> Cost:
    """Await `work`."""
    wall, cpu = time.monotonic(), time.process_time()
    await work
    return Cost(records, time.monotonic() - wall, time.process_time() - cpu)


# -- journal ---------------------------------------------------------------------------------------------------------


async def journal(folder: Path, records: Sequence[Event]) -> Cost:
    """Ours."""
    store = opened(folder, {"mqtt": None})

    async def put() -> None:
        for record in records:
            store.put(record)

    try:
        return await timed(len(records), put())
    finally:
        store.close()


async def bare_file(folder: Path, records: Sequence[Event]) -> Cost:
    """The rival."""

    async def append() -> None:
        with (folder / "records.jsonl").open("w") as file:
            for record in records:
                file.write(record_to_text(record) + "\n")
                file.flush()
                os.fsync(file.fileno())

    return await timed(len(records), append())


# -- broker and web address ------------------------------------------------------------------------------------------


def opened(folder: Path, sinks: dict[str, Sequence[str] | None]) -> Store:
    """An empty store."""
    for file in folder.glob("bench.db*"):
        file.unlink()
    store = Store(folder / "bench.db", outbox_records=10**6)
    store.open()
    store.follow(sinks)
    return store


class Nothing:
    """An inbox in which nothing comes."""

    async def get(self) -> Item:
        """Never."""
        await asyncio.Event().wait()
        raise AssertionError


async def delivered(
    folder: Path, records: Sequence[Event], sinks: Sequence[DurableSink], *, of: str, beside: Sequence[Awaitable[None]]
) -> Cost:
    """Until nothing waits for the sink `of` any more; `beside` are connections that run meanwhile."""
    store = opened(folder, {sink.name: sink.takes for sink in sinks})
    for record in records:
        store.put(record)
    delivery = Delivery(store, sinks, clock=SystemClock())
    others = [asyncio.ensure_future(each) for each in beside]
    mqtt = next((sink for sink in sinks if isinstance(sink, MqttSink)), None)
    while mqtt is not None and not mqtt.connected:
        await asyncio.sleep(0.01)

    async def deliver() -> None:
        running = asyncio.ensure_future(delivery.run(Nothing()))
        while store.depth(of):
            await asyncio.sleep(0.002)
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running

    try:
        return await timed(len(records), deliver())
    finally:
        for each in others:
            each.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        store.close()


async def to_broker(folder: Path, records: Sequence[Event], port: int, away: str | None = None) -> Cost:
    """Ours; with `away` beside a web address that never answers."""
    sink = MqttSink(
        address=Address(host="127.0.0.1", port=port),
        node=NODE,
        topics=TOPICS,
        order=lambda _command: None,
        clock=SystemClock(),
        mode="off",
    )
    hook = [WebhookSink(away, topics=TOPICS, tell=("event",))] if away else []
    return await delivered(folder, records, (sink, *hook), of="mqtt", beside=(sink.run(Nothing()),))


async def bare_mqtt(records: Sequence[Event], port: int) -> Cost:
    """The rival."""
    messages = [encode(record, TOPICS) for record in records]

    async def publish() -> None:
        async with aiomqtt.Client("127.0.0.1", port, protocol=aiomqtt.ProtocolVersion.V5) as client:
            client.pending_calls_threshold = WINDOW
            for start in range(0, len(messages), WINDOW):
                window = messages[start : start + WINDOW]
                await asyncio.gather(*(client.publish(each.topic, each.payload, qos=1) for each in window))

    return await timed(len(records), publish())


async def to_web(folder: Path, records: Sequence[Event], url: str) -> Cost:
    """Ours."""
    sink = WebhookSink(url, topics=TOPICS, tell=("event",))
    return await delivered(folder, records, (sink,), of="webhook", beside=())


async def bare_web(records: Sequence[Event], url: str) -> Cost:
    """The rival."""
    messages = [encode(record, TOPICS) for record in records]

    async def post() -> None:
        async with aiohttp.ClientSession() as session:
            for each in messages:
                async with session.post(url, data=each.payload) as response:
                    await response.read()

    return await timed(len(records), post())


# -- the bench -------------------------------------------------------------------------------------------------------


def best(rounds: int, *steps: Callable[[], Awaitable[Cost]]) -> list[Cost]:
    """The fastest round of each step, in turns."""
    found: list[list[Cost]] = [[] for _ in steps]
    for _ in range(rounds):
        for costs, step in zip(found, steps, strict=True):
            costs.append(asyncio.run(_awaited(step)))
    return [min(costs, key=lambda cost: cost.wall_s) for costs in found]


async def _awaited(step: Callable[[], Awaitable[Cost]]) -> Cost:
    return await step()


def main() -> int:
    """Run it; status 1 where `--check` finds a goal missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--records", type=int, default=4000)
    parser.add_argument("--quick", action="store_true", help="a tenth of the records, one round")
    parser.add_argument("--check", action="store_true", help="end with status 1 where a goal is missed")
    options = parser.parse_args()
    records = events(options.records // 10 if options.quick else options.records)
    rounds = 1 if options.quick else ROUNDS
    with (
        tempfile.TemporaryDirectory() as name,
        Broker(Path(name)) as broker,
        subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True) as server,
    ):
        folder = Path(name)
        assert server.stdout is not None  # a pipe was asked for
        url = f"http://127.0.0.1:{server.stdout.readline().strip()}/hook"
        try:
            file, ours = best(rounds, lambda: bare_file(folder, records), lambda: journal(folder, records))
            mqtt, published, held_up = best(
                rounds,
                lambda: bare_mqtt(records, broker.port),
                lambda: to_broker(folder, records, broker.port),
                lambda: to_broker(folder, records, broker.port, away="http://127.0.0.1:9/hook"),
            )
            web, posted = best(rounds, lambda: bare_web(records, url), lambda: to_web(folder, records, url))
        finally:
            server.terminate()
    rows = [
        ("journal, fsync each", file, ours),
        ("broker, QoS 1", mqtt, published),
        ("broker, a web address away", mqtt, held_up),
        ("web address", web, posted),
    ]
    table(
        ("step", "bare, records/s", "ours", "ratio", "bare, CPU us a record", "ours", "ratio"),
        [
            (
                step,
                f"{bare.rate:.0f}",
                f"{own.rate:.0f}",
                f"{own.rate / bare.rate:.2f}",
                f"{bare.cpu_us:.0f}",
                f"{own.cpu_us:.0f}",
                f"{own.cpu_us / bare.cpu_us:.2f}",
            )
            for step, bare, own in rows
        ],
    )
    missed = published.cpu_us > CPU_MOST * mqtt.cpu_us or held_up.rate < (1 - HELD_UP_MOST) * published.rate
    return 1 if options.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
