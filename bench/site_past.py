"""What it takes that each member of a site knows what all saw: messages, bytes and processor time an event.

    python bench/site_past.py [--events 2000]

A real NATS server on loopback, which syncs each write. One member tells events of three revisions with a text each, as
a node that has them in its journal; another reads them as they come, and a third from the beginning afterwards.
"""

import argparse
import asyncio
import json
import resource
import tempfile
import time
import urllib.request
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import psutil
from rig import table  # it names the folder of the tests

from nats_server import NatsServer  # isort: skip
from past_kit import Member, ended, member, text_of  # isort: skip
from sink_samples import event  # isort: skip


from blikk_edge.fleet.link import Link
from blikk_edge.fleet.names import Names
from blikk_edge.fleet.options import FleetOptions
from blikk_edge.store.store import Store

NAMES = Names("hall")
CAMERAS = 10


def counted(server: NatsServer) -> dict[str, int]:
    with urllib.request.urlopen(f"http://127.0.0.1:{server.monitor}/varz", timeout=10) as answer:
        content = json.load(answer)
    return {name: int(content[name]) for name in ("in_msgs", "out_msgs", "in_bytes", "out_bytes")}


def own_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def until(fact: Callable[[], Awaitable[bool]]) -> None:
    while not await fact():
        await asyncio.sleep(0.1)


async def knows(which: Member, events: int) -> bool:
    found = await asyncio.to_thread(which.store.counts, (0.0, 1e11))
    texts = await asyncio.to_thread(which.store.summaries, limit=events)
    return found[0] == events and len(texts) == events


async def main(events: int) -> None:
    with tempfile.TemporaryDirectory() as name, NatsServer(Path(name) / "nats") as nats:
        folder = Path(name)
        store = Store(folder / "one.db", outbox_records=10 * events)
        store.open()
        store.follow({"past": None})
        for number in range(events):
            records = (event(number), event(number, revision=2), ended(number, revision=3))
            for record in (*records, text_of(number)):
                told = replace(record, fence=1, camera=f"camera_{number % CAMERAS}")
                await asyncio.to_thread(store.put, told)
        store.close()
        async with AsyncExitStack() as stack:
            two = await stack.enter_async_context(member(folder, "two", NAMES, nats.url, max_bytes=10**9))
            process, before, cpu = psutil.Process(nats.pid), counted(nats), own_cpu_s()
            server_cpu, began = sum(process.cpu_times()[:2]), time.monotonic()
            await stack.enter_async_context(member(folder, "one", NAMES, nats.url, max_bytes=10**9))
            await until(lambda: knows(two, events))
            took, after = time.monotonic() - began, counted(nats)
            used, server_used = own_cpu_s() - cpu, sum(process.cpu_times()[:2]) - server_cpu
            link = Link(FleetOptions(site=NAMES.site, servers=(nats.url,)), name="looks")
            state = (await (await link.open()).stream_info(NAMES.past)).state
            await link.close()
            began = time.monotonic()
            three = await stack.enter_async_context(member(folder, "three", NAMES, nats.url, max_bytes=10**9))
            await until(lambda: knows(three, events))
            read = time.monotonic() - began
        stored = (folder / "three.db").stat().st_size
    rows = [
        ("messages that stay in the stream, an event with its text", f"{state.messages / events:.2f}"),
        ("bytes of them, an event", f"{state.bytes / events:.0f}"),
        *((f"NATS {name}, an event", f"{(after[name] - before[name]) / events:.2f}") for name in after),
        ("CPU of NATS, ms an event", f"{server_used / events * 1000:.2f}"),
        ("CPU of who tells and who reads, ms an event", f"{used / events * 1000:.2f}"),
        ("bytes in the store of who reads, an event with its text", f"{stored / events:.0f}"),
        ("events a second, told and read", f"{events / took:.0f}"),
        ("events a second, read from the beginning", f"{events / read:.0f}"),
    ]
    table(("what", "result"), rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=2000)
    asyncio.run(main(parser.parse_args().events))
