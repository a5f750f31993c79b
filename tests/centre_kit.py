"""A centre for tests: a real PostgreSQL, `blikk collect` as a process that is killed, nodes that send to it."""

import asyncio
import os
import struct
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
from postgres_server import PASSWORD, PostgresServer
from sink_samples import Box1, until

from blikk_edge.core.appearance import Appearance, Colour, Embedding
from blikk_edge.core.clock import SystemClock
from blikk_edge.core.observation import Observation, Observed
from blikk_edge.core.sightings import Label
from blikk_edge.fleet.centre.collector import Collector
from blikk_edge.fleet.centre.options import CentreOptions, SiteSource
from blikk_edge.fleet.link import Link
from blikk_edge.fleet.names import Names
from blikk_edge.fleet.options import FleetOptions
from blikk_edge.fleet.uplink import Uplink
from blikk_edge.grammar.secrets import Secret
from blikk_edge.runtime.delivery import Delivery
from blikk_edge.sinks.postgres.kind import PostgresOptions
from blikk_edge.sinks.uplink import UplinkOptions
from blikk_edge.wire.topics import Topics

CLOCK = SystemClock()


class Centre:
    """The database of one test, asked in a connection of its own each time: the server may have been killed."""

    def __init__(self, server: PostgresServer, *, user: str = "blikk") -> None:
        self.server = server
        self.user = user
        self.folder = Path()

    async def __call__(self, query: str, *values: Any, user: str = "postgres", database: str = "blikk") -> list[Any]:
        connection = await asyncpg.connect(
            host="127.0.0.1", port=self.server.port, user=user, password=PASSWORD, database=database
        )
        try:
            return list(await connection.fetch(query, *values))
        finally:
            await connection.close()

    async def make(self) -> None:
        """`blikk`, empty, with the user who owns it and two readers."""
        self.server.start()
        for role in ("blikk", "reader_hall", "reader_all"):
            if not await self("SELECT 1 FROM pg_roles WHERE rolname = $1", role, database="postgres"):
                await self(f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'", database="postgres")
        await self("DROP DATABASE IF EXISTS blikk WITH (FORCE)", database="postgres")
        await self("CREATE DATABASE blikk OWNER blikk", database="postgres")

    async def ids(self, kind: str = "observation") -> list[str]:
        """Of the records of this kind, in the order of their times."""
        with suppress(asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
            query = "SELECT id FROM blikk.records WHERE kind = $1 ORDER BY at"
            return [row["id"] for row in await self(query, kind)]
        return []

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Nothing is written to `records` meanwhile: who wants to waits."""
        connection = await asyncpg.connect(
            host="127.0.0.1", port=self.server.port, user="postgres", password=PASSWORD, database="blikk"
        )
        try:
            await connection.execute("BEGIN")
            await connection.execute("LOCK TABLE blikk.records IN SHARE MODE")
            yield
        finally:
            connection.terminate()

    async def until_held_up(self) -> None:
        """Wait until somebody waits to write."""
        while not await self("SELECT 1 FROM pg_locks WHERE NOT granted"):
            await asyncio.sleep(0.02)

    def postgres(self, **more: Any) -> PostgresOptions:
        given = {"host": "127.0.0.1", "port": self.server.port, "username": self.user, "password": Secret(PASSWORD)}
        return PostgresOptions(**(given | more))

    def options(self, *sites: SiteSource, **more: Any) -> CentreOptions:
        return CentreOptions(postgres=self.postgres(), sites=sites, **more)


def looked(
    record: Observation, *, label: Label = Label.VEHICLE, colour: Colour = Colour.RED, numbers: tuple[float, ...] = ()
) -> Observation:
    """An observation of something that appeared, with what it looked like."""
    raw = struct.pack(f"<{len(numbers)}e", *numbers)
    seen = Appearance(
        track=1,
        label=label,
        kind="car" if label is Label.VEHICLE else label.value,
        colours=(colour,),
        embedding=Embedding.packed("tiny", raw) if numbers else None,
    )
    return replace(record, kind=Observed.APPEARED, appearances=(seen,))


def source(url: str, site: str, **more: Any) -> SiteSource:
    return SiteSource(fleet=FleetOptions(site=site, servers=(url,)), **more)


@asynccontextmanager
async def collecting(options: CentreOptions) -> AsyncIterator[Collector]:
    """A collector in this process."""
    collector, stop = Collector(options, clock=CLOCK), asyncio.Event()
    task = asyncio.create_task(collector.run(stop))
    try:
        yield collector
    finally:
        stop.set()
        await task


def uplink(url: str, site: str, *, node: str = "porch", **more: Any) -> Uplink:
    given = {key: more.pop(key) for key in ("album", "silent_s", "clock") if key in more}
    return Uplink(
        UplinkOptions(**more),
        Link(FleetOptions(site=site, servers=(url,)), name=node),
        Names(site),
        topics=Topics("blikk", site, member=node),
        clock=given.pop("clock", CLOCK),
        **given,
    )


async def settled(inbox: Box1, delivery: Delivery) -> None:
    """Wait until all that was put is stored at the centre."""
    await until(lambda: inbox.empty() and not delivery.writing and delivery.outbox == 0, "delivery", 120.0)


class CollectProcess:
    """`blikk collect` as a process of its own; its log is a file."""

    def __init__(self, folder: Path, centre: Centre, url: str, site: str) -> None:
        self.log = folder / "collect.log"
        file = folder / "collect.yaml"
        file.write_text(
            f"postgres: {{host: 127.0.0.1, port: {centre.server.port}, password: !secret centre}}\n"
            f"sites: [{{site: {site}, servers: [{url}]}}]\n"
        )
        (folder / "secrets.yaml").write_text(f"centre: {PASSWORD}\n")
        command = [str(Path(sys.executable).with_name("blikk")), "collect", "--config", str(file)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stderr=log, stdout=log, env=os.environ | {"HOME": str(folder)})

    def said(self, words: str) -> bool:
        """Whether its log has these words."""
        assert self.process.poll() is None, self.log.read_text()
        return words in self.log.read_text()

    def kill(self) -> None:
        """As a power cut would."""
        self.process.kill()
        self.process.wait()
