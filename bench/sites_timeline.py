"""How long the database of the centre takes for what the page of all sites asks.

    python bench/sites_timeline.py [--events 150000]

A real PostgreSQL with two sites of 150 cameras; an event every 30 s, each with a text, a picture and three
observations, so six records an event. Asked as a role that row-level security binds. The best of five.
"""

import argparse
import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
from rig import table  # it names the folder of the tests

from centre_kit import Centre, source  # isort: skip
from postgres_server import PASSWORD, PostgresServer  # isort: skip

from blikk_edge.fleet.centre.asked import Which
from blikk_edge.fleet.centre.collector import prepare
from blikk_edge.fleet.centre.past import SitesPast
from blikk_edge.sinks.postgres.tables import Partitions

END = datetime(2026, 11, 30, 12, tzinfo=UTC)
KINDS = {"event": 1, "summary": 1, "picture": 1, "observation": 3}
FILL = """
INSERT INTO blikk.records
    (site, kind, id, at, time, revision, camera, event, label, member, fence, stale, content)
SELECT CASE WHEN n % 2 = 0 THEN 'hall' ELSE 'yard' END, $1, $1 || n || '-' || k, at, at, 2, 'cam_' || n % 300,
    'event' || n || '-1', 'person', 'porch', NULL, false, jsonb_build_object(
        'v', 1, 'id', $1 || n || '-' || k, 'camera', 'cam_' || n % 300, 'kind', 'appeared',
        'event', 'event' || n || '-1',
        'time', at, 'until', at, 'score', 0.5, 'folded', 1, 'phase', 'ended', 'revision', 2, 'label', 'person',
        'reason', 'left', 'started', at, 'ended', at + interval '20 s', 'zones', '["path"]'::jsonb, 'peak', 1,
        'loitering', false, 'title', 'Person ' || n, 'text', 'A person came to the door and left again.',
        'importance', 'low', 'source', 'template', 'expires', '9000-01-01T00:00:00Z', 'objects', jsonb_build_array(
            jsonb_build_object('track', n, 'label', 'person', 'sub_label', 'person', 'score', 0.9,
                'box', '[0.2, 0.1, 0.5, 0.9]'::jsonb, 'since', at, 'dwell_s', 4.2, 'still', false,
                'zones', '["path"]'::jsonb)))
FROM (
    SELECT n, k, $2::timestamptz - n * interval '30 s' AS at
    FROM generate_series(1, $3::integer) n, generate_series(1, $4::integer) k
) numbers
"""


async def filled(centre: Centre, events: int) -> int:
    """The bytes of tables and indexes."""
    await centre.make()
    sites = source("nats://nowhere", "hall", readers=("reader_hall",)), source("nats://nowhere", "yard")
    await prepare(centre.options(*sites, readers=("reader_all",)))
    connection = await asyncpg.connect(
        host="127.0.0.1", port=centre.server.port, user="blikk", password=PASSWORD, database="blikk"
    )
    days = [END - timedelta(days=day) for day in range(events // 2880 + 2)]
    async with connection.transaction():
        await Partitions("blikk").ensure(connection, "records", days)
    for kind, each in KINDS.items():
        await connection.execute(FILL, kind, END, events, each, timeout=900)
    await connection.execute("ANALYZE blikk.records")
    size: int = await connection.fetchval(
        "SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits WHERE inhparent = 'blikk.records'::regclass"
    )
    await connection.close()
    return size


async def taken_ms(ask: Callable[[], object]) -> tuple[float, int]:
    """The shortest time of five, and how many came."""
    times, found = [], 0
    for _ in range(5):
        begin = time.perf_counter()
        answer: Any = await asyncio.to_thread(ask)
        times.append(time.perf_counter() - begin)
        found = len(answer)
    return min(times) * 1000, found


async def main(events: int) -> None:
    with PostgresServer() as server:
        centre = Centre(server)
        size = await filled(centre, events)
        past = SitesPast(centre.postgres(username="reader_hall"))
        past.attach()
        day = (END - timedelta(days=1)).replace(hour=0).timestamp()
        of_day = {"since": day, "until": day + 86_400}
        month = [day - 86_400 * back for back in range(30, -1, -1)]
        asked: dict[str, Callable[[], object]] = {
            "events of a day with texts and pictures": lambda: past.lines(Which(**of_day), 1000),
            "events of a day of one camera": lambda: past.lines(Which(**of_day, camera="hall/cam_2"), 1000),
            "observations of a day": lambda: past.observations(Which(**of_day), 1000),
            "words in the newest 5000 events": lambda: past.lines(Which(words=("door",)), 5000),
            "the events before and after": lambda: past.beside(day),
            "the calendar of a month": lambda: past.counts(month, Which()),
            "what was stored in the last 15 s": lambda: past.changes(past.now() - timedelta(seconds=15)),
            "the names of its cameras": lambda: past.cameras("hall"),
        }
        rows = [
            (what, f"{ms:.0f} ms", str(found)) for what, ask in asked.items() for ms, found in [await taken_ms(ask)]
        ]
        await past.close()
    records = events * sum(KINDS.values())
    print(f"{records} records of two sites, {size / records:.0f} bytes each with indexes")
    table(("asked", "takes", "found"), rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=150_000)
    asyncio.run(main(parser.parse_args().events))
