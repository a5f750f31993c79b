"""Records of a site in the centre's PostgreSQL: through kills of either side, with their leases, apart by site."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from centre_kit import Centre, CollectProcess, collecting, looked, settled, source, uplink
from moving_clip import moving_clip
from nats_server import NatsServer
from ports import free_port
from postgres_server import PASSWORD, PostgresServer
from sink_samples import T0, Box1, delivering, event, observation, ring, until

from blikk_edge.app.wiring import build
from blikk_edge.config import load
from blikk_edge.core.clock import SystemClock
from blikk_edge.core.commands import Press
from blikk_edge.core.errors import SinkError
from blikk_edge.core.observation import Phase
from blikk_edge.fleet.centre.collector import prepare
from blikk_edge.fleet.centre.rows import row_in
from blikk_edge.fleet.centre.tables import Migration, migrate, migrations, tidy
from blikk_edge.fleet.centre.writing import Writer
from blikk_edge.fleet.link import Link
from blikk_edge.fleet.names import Names
from blikk_edge.fleet.options import FleetOptions
from blikk_edge.store.store import Store
from blikk_edge.wire.envelope import enveloped
from blikk_edge.wire.topics import Topics

TOPICS = Topics("blikk", "hall", member="porch")
_SITES = count()


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture
async def centre(server: PostgresServer) -> Centre:
    made = Centre(server)
    await made.make()
    return made


@pytest.fixture
def site(nats: NatsServer) -> str:
    """A site of its own for each test."""
    nats.start()
    return f"site_{next(_SITES)}"


async def test_a_record_is_kept_at_the_edge_until_it_is_in_the_database(
    nats: NatsServer, centre: Centre, site: str, store: Store
) -> None:
    async with delivering(store, uplink(nats.url, site)) as (inbox, delivery):
        inbox.put(*(observation(number) for number in range(5)), event(1), ring(1))
        await until(lambda: delivery.outbox == 7, "they wait")
        await asyncio.sleep(0.3)  # nothing takes them; they must not be settled
        assert delivery.outbox == 7
        options = centre.options(source(nats.url, site))
        async with collecting(options) as one, collecting(options) as other:  # they share the work
            inbox.put(*(observation(number) for number in range(5, 200)))
            await settled(inbox, delivery)
            counts = [collector.sites[0].counts for collector in (one, other)]
            # who has stored a batch counts it a moment after the edge hears of it
            await until(lambda: sum(count["stored"] for count in counts) >= 202, "they are counted")
            assert not any(count["refused"] or count["retries"] for count in counts)
    assert await centre.ids() == [f"observation-{number}" for number in range(200)]
    assert (await centre.ids("event"), await centre.ids("ring")) == (["event-1"], ["ring-1"])


async def test_what_the_guide_says_deletes_what_was_forgotten_on_a_node_and_nothing_else(
    nats: NatsServer, centre: Centre, site: str, store: Store
) -> None:
    guide = (Path(__file__).parents[2] / "docs/guide/fleet.md").read_text()
    section = guide[guide.index("**What is forgotten on a node stays at the centre**") :]
    one, until_then = (
        block.split("```")[0].replace("'hall'", f"'{site}'").replace("front_door-1795262400250", "event-1")
        for block in section.split("```sql\n")[1:3]
    )
    seen = [replace(looked(observation(number)), event=f"event-{number}") for number in (1, 2)]
    yard = replace(looked(observation(3, camera="yard")), event="event-3")
    sink = uplink(nats.url, site)
    async with delivering(store, sink) as (inbox, delivery), collecting(centre.options(source(nats.url, site))):
        inbox.put(event(1), event(2), event(3, camera="yard"), *seen, yard, ring(1))
        await settled(inbox, delivery)

    async def left() -> list[list[str]]:
        rows = await centre("SELECT observation FROM blikk.appearances ORDER BY observation")
        appearances = list(dict.fromkeys(row["observation"] for row in rows))
        return [await centre.ids("event"), await centre.ids(), await centre.ids("ring"), appearances]

    for statement in one.strip().splitlines():
        await centre(statement)
    kept = ["observation-2", "observation-3"]
    assert await left() == [["event-2", "event-3"], kept, ["ring-1"], kept]
    for statement in until_then.replace("now() - interval '7 days'", "'2100-01-01'").strip().splitlines():
        await centre(statement)
    assert await left() == [["event-3"], ["observation-3"], [], ["observation-3"]]


async def test_a_node_that_runs_sends_what_it_sees(nats: NatsServer, centre: Centre, site: str, tmp_path: Path) -> None:
    path = tmp_path / "blikk.yaml"
    path.write_text(
        f"node: porch\nmqtt: false\nstore: {{path: {tmp_path}/store.db}}\nhttp: {{port: {free_port()}}}\n"
        f"models: {{cache: {tmp_path}, offline: true}}\nsummary: false\n"
        f"cameras: {{door: {{source: {moving_clip(tmp_path)}, ring: {{http: true}}}}}}\n"
        f"fleet: {{site: {site}, servers: [{nats.url}]}}\nsinks: {{uplink: true}}\n"
    )
    environ = {"HOME": str(tmp_path)}
    app = build(load(path, environ=environ), environ=environ, clock=SystemClock())
    stop = asyncio.Event()
    running = asyncio.create_task(app.run(stop))
    async with collecting(centre.options(source(nats.url, site))):
        while not (await centre.ids() and await centre.ids("ring")):
            app.order(Press(camera="door", via="http"))
            await asyncio.sleep(0.3)
        stop.set()
        await running
    rows = await centre("SELECT DISTINCT site, camera, member, fence FROM blikk.records")
    assert [tuple(row.values()) for row in rows] == [(site, "door", "porch", None)]


async def test_a_collector_and_a_database_that_are_killed_lose_nothing_and_double_nothing(
    nats: NatsServer, centre: Centre, site: str, store: Store, tmp_path: Path
) -> None:
    """0 of 1400 lost, 0 doubled."""
    process = CollectProcess(tmp_path, centre, nats.url, site)
    try:
        async with delivering(store, uplink(nats.url, site, max_per_second=10_000)) as (inbox, delivery):
            await until(lambda: process.said("collects the records"), "it is ready")
            inbox.put(*(observation(number) for number in range(100)))
            while not await centre.ids():
                await asyncio.sleep(0.02)
            async with centre.held():
                inbox.put(*(observation(number) for number in range(100, 700)))
                await centre.until_held_up()
                process.kill()  # in the middle of it
                assert delivery.outbox > 0
            process = CollectProcess(tmp_path, centre, nats.url, site)
            while len(await centre.ids()) < 700:
                await asyncio.sleep(0.02)
            async with centre.held():
                inbox.put(*(observation(number) for number in range(700, 1400)))
                await centre.until_held_up()
                await asyncio.to_thread(centre.server.kill)
                assert delivery.outbox > 0
            await until(lambda: process.said("nobody answers there") or process.said("the connection"), "it is missed")
            await asyncio.to_thread(centre.server.start)
            await settled(inbox, delivery)
            assert delivery.lost == 0
    finally:
        process.kill()
    assert await centre.ids() == [f"observation-{number}" for number in range(1400)]


async def test_without_nats_records_wait_and_then_drain_no_faster_than_is_allowed_with_rings_first(
    nats: NatsServer, centre: Centre, site: str, store: Store
) -> None:
    sink = uplink(nats.url, site, max_per_second=100)
    async with collecting(centre.options(source(nats.url, site))), delivering(store, sink) as (inbox, delivery):
        inbox.put(observation(0))
        await settled(inbox, delivery)
        await asyncio.to_thread(nats.kill)
        inbox.put(*(observation(number) for number in range(1, 301)))
        await until(lambda: delivery.outbox == 300 and delivery.problems, "they wait")
        loop = asyncio.get_running_loop()
        await asyncio.to_thread(nats.start)
        while len(await centre.ids()) < 2:
            await asyncio.sleep(0.02)
        began = loop.time()
        late = Ringing(sink)
        late.ring()
        while not await centre.ids("ring"):
            await asyncio.sleep(0.02)
        assert len(await centre.ids()) < 301, "it did not wait for them"
        await settled(inbox, delivery)
        assert loop.time() - began > 1.0, "300 at 100 a second"
        await late.close()
    assert await centre.ids() == [f"observation-{number}" for number in range(301)]
    (row,) = await centre("SELECT content FROM blikk.records WHERE id = 'observation-300'")
    assert '"replayed": true' in row["content"]


class Ringing:
    """What flows to a sink beside its journal."""

    def __init__(self, sink: Any) -> None:
        self._inbox = Box1()
        self._task = asyncio.ensure_future(sink.run(self._inbox))

    def ring(self) -> None:
        self._inbox.put(ring(1))

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.wait((self._task,))


@pytest.mark.parametrize("late_first", [True, False])
async def test_what_was_seen_under_a_lease_that_another_followed_is_marked_in_whatever_order_it_comes(
    nats: NatsServer, centre: Centre, site: str, tmp_path: Path, late_first: bool
) -> None:
    before = [replace(observation(number), fence=7) for number in (1, 2, 5, 6)]
    after = [replace(observation(number), fence=9) for number in (14, 15)]
    doubly = [replace(observation(number), id=f"double-{number}", fence=7) for number in (14, 16)]
    visit = replace(event(20, revision=2), fence=7, started=T0 + 6, time=T0 + 20, phase=Phase.ENDED, ended=T0 + 20)
    elsewhere = replace(observation(17, camera="yard"), fence=3)
    batches = [[*before, *doubly, visit, elsewhere], after]
    async with collecting(centre.options(source(nats.url, site))):
        for name, records in zip(("one", "two"), batches if late_first else reversed(batches), strict=True):
            with closing(Store(tmp_path / f"{name}.db")) as store:
                store.open()
                async with delivering(store, uplink(nats.url, site, node=name)) as (inbox, delivery):
                    inbox.put(*records)
                    await settled(inbox, delivery)
    rows = await centre("SELECT id, stale, member FROM blikk.records ORDER BY id")
    assert {row["id"] for row in rows if row["stale"]} == {"double-14", "double-16"}
    assert len(rows) == 10
    assert {row["id"] for row in await centre("SELECT id FROM blikk.events")} == {"event-20"}
    assert len(await centre("SELECT id FROM blikk.observations")) == 7


async def test_a_role_reads_its_site_alone(nats: NatsServer, centre: Centre, site: str, tmp_path: Path) -> None:
    sites = [site, f"{site}_b"]
    sources = [source(nats.url, sites[0], readers=("reader_hall",)), source(nats.url, sites[1])]
    async with collecting(centre.options(*sources, readers=("reader_all",))):
        for name in sites:
            with closing(Store(tmp_path / f"{name}.db")) as store:
                store.open()
                async with delivering(store, uplink(nats.url, name)) as (inbox, delivery):
                    inbox.put(ring(1), looked(observation(1)))
                    await settled(inbox, delivery)
    tables = ("records", "appearances", "rings", "readers", "leases")
    for table in tables[:3]:
        own = {row["site"] for row in await centre(f"SELECT site FROM blikk.{table}", user="reader_hall")}
        every = {row["site"] for row in await centre(f"SELECT site FROM blikk.{table}", user="reader_all")}
        assert (own, every) == ({sites[0]}, set(sites)), table
    for statement in (
        "DELETE FROM blikk.records",
        "SELECT * FROM blikk.refused",
        "SELECT * FROM blikk.records_2026_11",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await centre(statement, user="reader_hall")
    assert {row["site"] for row in await centre("SELECT site FROM blikk.leases", user="reader_hall")} <= {sites[0]}

    await prepare(centre.options(*sources))  # without `readers` of all
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await centre("SELECT site FROM blikk.records", user="reader_all")
    with pytest.raises(SinkError, match=r"there is no role 'nobody_here'.*CREATE ROLE"):
        await prepare(centre.options(*sources, readers=("nobody_here",)))


async def test_what_is_no_record_is_kept_apart_and_holds_up_nothing(
    nats: NatsServer, centre: Centre, site: str, store: Store
) -> None:
    odd = [b"\xff", b'{"v":1,"kind":"ring","content":{"id":"x"}}', b'{"v":1,"kind":"dance","content":{}}']
    async with collecting(centre.options(source(nats.url, site))) as collector:
        link = Link(FleetOptions(site=site, servers=(nats.url,)), name="odd")
        async with delivering(store, uplink(nats.url, site)) as (inbox, delivery):
            inbox.put(ring(1))
            await settled(inbox, delivery)
            jetstream = await link.open()
            for data in odd:
                await jetstream.publish(Names(site).record("yard", "ring"), data)
            inbox.put(replace(ring(2), via="nul \0, half \ud800"))
            await settled(inbox, delivery)
        await until(lambda: collector.sites[0].counts["refused"] == 3)
        assert (await jetstream.stream_info(Names(site).records)).state.messages == 0
        await link.close()
    rows = await centre("SELECT reason, data FROM blikk.refused")
    assert {bytes(row["data"]) for row in rows} == set(odd)
    assert await centre.ids("ring") == ["ring-1", "ring-2"]


async def test_months_that_are_over_go_and_the_files_of_the_tables_are_checked(centre: Centre) -> None:
    options = centre.options()
    await prepare(options)
    connection = await asyncpg.connect(
        host="127.0.0.1", port=centre.server.port, user="blikk", password=PASSWORD, database="blikk"
    )
    try:
        writer = Writer(connection, "blikk")
        await writer.prepare()
        old = replace(looked(observation(1)), time=T0 - 100 * 86400)
        rows = [row_in(enveloped(each, TOPICS).text) for each in (old, looked(observation(2)), observation(3))]
        await writer.write("hall", rows)
        await writer.write("hall", rows)
        assert len(await centre("SELECT 1 FROM blikk.appearances")) == 2
        gone = await tidy(connection, "blikk", keep_s=62 * 86400, now=T0)
        assert gone == ["appearances_2026_08", "records_2026_08"]
        assert await centre.ids() == ["observation-2", "observation-3"]

        assert await migrate(connection, "blikk") == []
        known = len(migrations())
        more = Migration(number=known + 1, name="9998_note.sql", text="CREATE TABLE note (a integer)")
        assert await migrate(connection, "blikk", [*migrations(), more]) == ["9998_note.sql"]
        with pytest.raises(SinkError, match=f"of version {known + 1}, and this Blikk Edge knows {known}; update it"):
            await migrate(connection, "blikk")
        changed = replace(more, text="CREATE TABLE note (b integer)")
        with pytest.raises(SinkError, match=r"another 9998_note\.sql"):
            await migrate(connection, "blikk", [*migrations(), changed])
        half = Migration(number=known + 2, name="9999_half.sql", text="CREATE TABLE half (); SELECT 1 / 0")
        with pytest.raises(asyncpg.DivisionByZeroError):
            await migrate(connection, "blikk", [*migrations(), more, half])
    finally:
        await connection.close()
    (row,) = await centre("SELECT to_regclass('blikk.half') AS half")
    assert row["half"] is None
