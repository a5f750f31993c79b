"""How many records a second `blikk collect` brings from NATS into PostgreSQL, and what each takes of the processor.

    python bench/collect.py [--records 20000] [--embedded]

Real servers on loopback. The stream is filled first; then a `blikk collect` of its own process empties it. With
`--embedded` each record is something that appeared, with an embedding of 512 numbers. Last, a node that sends what
waits in its journal, over both servers, until the centre has stored it: what a site that comes back needs.
"""

import argparse
import asyncio
import random
import tempfile
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psutil
from rig import table  # it names the folder of the tests

from centre_kit import Centre, CollectProcess, looked, settled, uplink  # isort: skip
from nats_server import NatsServer  # isort: skip
from postgres_server import PostgresServer  # isort: skip
from sink_samples import delivering, observation  # isort: skip

from blikk_edge.core.observation import Observation
from blikk_edge.fleet.link import Link
from blikk_edge.fleet.names import Names
from blikk_edge.fleet.options import FleetOptions
from blikk_edge.fleet.records import make_records
from blikk_edge.store.store import Store
from blikk_edge.wire.envelope import enveloped
from blikk_edge.wire.topics import Topics

SITE = "hall"
NODE_RECORDS = 3000


def made(number: int, *, embedded: bool) -> Observation:
    record = replace(observation(number), fence=1)
    if not embedded:
        return record
    noise = random.Random(number)
    return looked(record, numbers=tuple(noise.gauss(0, 0.044) for _ in range(512)))


async def filled(url: str, records: int, *, embedded: bool) -> int:
    """Bytes that were published."""
    link, names, topics = (
        Link(FleetOptions(site=SITE, servers=(url,)), name="bench"),
        Names(SITE),
        Topics("blikk", SITE),
    )
    jetstream = await link.open()
    await make_records(jetstream, names)
    size = 0
    waiting: list[asyncio.Future] = []
    for number in range(records):
        text = enveloped(made(number, embedded=embedded), topics).text
        size += len(text)
        waiting.append(await jetstream.publish_async(names.record("front_door", "observation"), text))
        if len(waiting) == 500:
            await asyncio.gather(*waiting)
            waiting.clear()
    await asyncio.gather(*waiting)
    await link.close()
    return size


def cpu_s(pid: int) -> float:
    process = psutil.Process(pid)
    times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return sum(each.user + each.system for each in times)


async def main(records: int, *, embedded: bool) -> None:
    with tempfile.TemporaryDirectory() as folder, NatsServer(Path(folder) / "nats") as nats, PostgresServer() as server:
        centre = Centre(server)
        await centre.make()
        size = await filled(nats.url, records, embedded=embedded)
        parts = {"nats": nats.pid, "postgres": server.pid}
        before = {name: cpu_s(pid) for name, pid in parts.items()}
        process = CollectProcess(Path(folder), centre, nats.url, SITE)
        try:
            while not process.said("collects the records"):
                await asyncio.sleep(0.01)
            began, own = time.monotonic(), cpu_s(process.process.pid)
            while len(await centre.ids()) < records:
                await asyncio.sleep(0.1)
            took = time.monotonic() - began
            own = cpu_s(process.process.pid) - own
            used = {name: cpu_s(pid) - before[name] for name, pid in parts.items()}
            memory = psutil.Process(process.process.pid).memory_info().rss / 2**20
            (row,) = await centre(
                "SELECT sum(pg_total_relation_size(c.oid)) AS size FROM pg_class c "
                "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'blikk' AND c.relkind = 'r'"
            )
            rows = [
                ("records a second", f"{records / took:.0f}"),
                ("bytes a record, sent", f"{size / records:.0f}"),
                ("bytes a record, on disk with indexes", f"{int(row['size']) / records:.0f}"),
                ("CPU of blikk collect, ms a record", f"{own / records * 1000:.3f}"),
                *((f"CPU of {name}, ms a record", f"{value / records * 1000:.3f}") for name, value in used.items()),
                ("memory of blikk collect, MB", f"{memory:.0f}"),
            ]
            with closing(Store(Path(folder) / "node.db")) as store:
                store.open()
                store.follow({"uplink": None})
                for number in range(NODE_RECORDS):
                    record = replace(made(records + number, embedded=embedded), id=f"n-{number}")
                    await asyncio.to_thread(store.put, record)
                began = time.monotonic()
                async with delivering(store, uplink(nats.url, SITE, max_per_second=10_000)) as (inbox, delivery):
                    await settled(inbox, delivery)
                rate = NODE_RECORDS / (time.monotonic() - began)
                rows.append(("records a second of one node that drains", f"{rate:.0f}"))
        finally:
            process.kill()
    table(("what", "result"), rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--embedded", action="store_true")
    options = parser.parse_args()
    asyncio.run(main(options.records, embedded=options.embedded))
