"""Collecting: the records of each site into PostgreSQL, acknowledged when they are committed."""

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from blikk_edge.core.backoff import Backoff
from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import SinkError, WireError, quote
from blikk_edge.core.trouble import Trouble
from blikk_edge.fleet.centre.figures import SiteFigures, SiteNote
from blikk_edge.fleet.centre.intake import Intake
from blikk_edge.fleet.centre.options import CentreOptions, SiteSource
from blikk_edge.fleet.centre.rows import Row, mark_in, row_in
from blikk_edge.fleet.centre.tables import ALL, migrate, open_to, tidy
from blikk_edge.fleet.centre.writing import Writer
from blikk_edge.fleet.link import Link
from blikk_edge.fleet.names import Names
from blikk_edge.sinks.postgres.client import PostgresClient, is_of_the_record

if TYPE_CHECKING:
    from nats.aio.msg import Msg

LOG = logging.getLogger("blikk.collect")

KEY: Final = "postgres"
BATCH: Final = 500
TIDY_EVERY_S: Final = 3600.0


class Collector:
    """Collects from all sites at once, until `stop`. One that is away holds up no other; all wait for the database."""

    def __init__(self, options: CentreOptions, *, clock: Clock, name: str = "collect") -> None:
        self._options = options
        self._clock = clock
        self.sites = tuple(SiteCollector(options, source, clock=clock, name=name) for source in options.sites)
        self._ready = Trouble(LOG)

    async def notes(self) -> Sequence[SiteNote]:
        """How each site is doing now."""
        return await asyncio.gather(*(site.note() for site in self.sites))

    async def run(self, stop: asyncio.Event) -> None:
        """Have the tables, collect, and tidy now and then."""
        await self._prepared(stop)
        tasks = [asyncio.ensure_future(site.run()) for site in self.sites]
        tasks.append(asyncio.ensure_future(self._tidy()))
        ended = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait((*tasks, ended), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (*tasks, ended):
                task.cancel()
            await asyncio.gather(*tasks, ended, return_exceptions=True)
        for task in tasks:
            if not task.cancelled():
                task.result()  # they end by an error of ours only

    async def _prepared(self, stop: asyncio.Event) -> None:
        """Have the tables; tried until it works, or until `stop`."""
        backoff = Backoff()
        while not stop.is_set():
            try:
                await prepare(self._options)
            except SinkError as error:
                self._ready.start(str(error))
                try:
                    async with asyncio.timeout(max(backoff.next_s(), error.after_s or 0.0)):
                        await stop.wait()
                except TimeoutError:
                    continue
            else:
                self._ready.end("the tables are ready")
                return

    async def _tidy(self) -> None:
        trouble = Trouble(LOG)
        while True:
            client = PostgresClient(self._options.postgres, key=KEY)
            try:
                connection = await client.open()
                schema, now = self._options.postgres.schema, self._clock.now()
                gone = await tidy(connection, schema, keep_s=self._options.keep_s, now=now)
            except SinkError as error:
                trouble.start(f"old months are not removed: {error}")
            except Exception as error:  # noqa: BLE001 - what it is says `error`, which raises what is none of its own
                trouble.start(f"old months are not removed: {client.error(error)}")
            else:
                trouble.end("old months are removed again")
                if gone:
                    LOG.info("removed what is older than %.0f days: %s", self._options.keep_s / 86_400, ", ".join(gone))
            finally:
                await client.close()
            await self._clock.sleep(TIDY_EVERY_S)


async def prepare(options: CentreOptions) -> None:
    """Bring the tables up to date, and let their readers in. Raises SinkError."""
    client = PostgresClient(options.postgres, key=KEY)
    connection = await client.open()
    try:
        applied = await migrate(connection, options.postgres.schema)
        if applied:
            LOG.info("%s: applied %s", client, ", ".join(applied))
        readers = {source.site: source.readers for source in options.sites}
        await open_to(connection, options.postgres.schema, readers | {ALL: options.readers})
    except Exception as error:
        raise client.error(error) from error
    finally:
        await client.close()


class _NoDatabaseError(SinkError):
    """It is the database with which something is wrong, not NATS."""


class SiteCollector:
    """Collects from one site, whose name is in each line of its log."""

    def __init__(self, options: CentreOptions, source: SiteSource, *, clock: Clock, name: str) -> None:
        self._site = source.site
        self._schema = options.postgres.schema
        self._postgres = PostgresClient(options.postgres, key=KEY)
        self._log = logging.getLogger(f"{LOG.name}.{source.site}")
        link = Link(source.fleet, name=f"{name}.{source.site}", log=self._log)
        self._intake = Intake(link, Names(source.site), domain=source.domain, log=self._log)
        self._clock = clock
        self._trouble = Trouble(self._log)
        self._connection: Any = None
        self._begun = False
        self._nats_away = False
        self.figures = SiteFigures()

    @property
    def counts(self) -> Counter[str]:
        """How many records were `stored` or `refused`, `batches`, and `retries`."""
        figures = self.figures
        return Counter(
            stored=figures.stored.total(),
            refused=figures.refused,
            batches=figures.batch.read().count,
            retries=figures.retries,
        )

    @property
    def problem(self) -> str | None:
        """What is wrong now; None while all is well."""
        return self._trouble.now or self._intake.problem

    async def note(self) -> SiteNote:
        """How it is doing now."""
        last_at = self.figures.last_at
        return SiteNote(
            site=self._site,
            figures=self.figures,
            nats_connected=self._intake.connected if self._begun else None,
            database_connected=self._postgres.connected or (None if self._nats_away else False),
            problem=self.problem is not None,
            waiting=await self._intake.waiting(self._clock),
            stored_age_s=None if last_at is None else round(self._clock.monotonic() - last_at, 1),
        )

    async def run(self) -> None:
        """Collect until cancelled; what cannot be stored now stays in the stream."""
        backoff = Backoff()
        self._begun = True
        try:
            while True:
                try:
                    await self._intake.open()
                    self._nats_away = False
                    writer = await self._opened()
                    self._trouble.end("records are collected again")
                    self._log.info("collects the records of site %s", self._site)
                    while True:
                        await self._one(writer)
                        backoff.reset()
                except SinkError as error:
                    self._trouble.start(str(error))
                    self.figures.retries += 1
                    self._nats_away = not isinstance(error, _NoDatabaseError)
                    await self._postgres.close()
                    if self._nats_away:
                        await self._intake.close()
                    else:
                        await self._intake.rest()
                    await self._clock.sleep(max(backoff.next_s(), error.after_s or 0.0))
        finally:
            await self._postgres.close()
            await self._intake.close()

    async def _opened(self) -> Writer:
        try:
            self._connection = await self._postgres.open()
        except SinkError as error:
            raise _NoDatabaseError(str(error), after_s=error.after_s) from error
        writer = Writer(self._connection, self._schema)
        try:
            await writer.prepare()
        except Exception as error:
            raise self._no_database(error) from error
        return writer

    def _no_database(self, error: Exception) -> _NoDatabaseError:
        said = self._postgres.error(error)
        return _NoDatabaseError(str(said), after_s=said.after_s)

    async def _one(self, writer: Writer) -> None:
        """Store a batch, then acknowledge it. Raises SinkError, with the batch back in the stream."""
        messages = await self._intake.take(BATCH)
        if not messages:
            if not self._postgres.connected:  # else nobody would notice until the next record
                raise _NoDatabaseError(f"{self._postgres}: the connection broke; it is tried again")
            return
        began = self._clock.monotonic()
        try:
            await self._store(writer, messages)
        except Exception as error:
            await self._intake.give_back(messages)
            raise self._no_database(error) from error
        await self._intake.stored(messages)
        self.figures.last_at = self._clock.monotonic()
        self.figures.batch.add(self.figures.last_at - began)

    async def _store(self, writer: Writer, messages: "Sequence[Msg]") -> None:
        rows: list[tuple[Row, Msg]] = []
        refused: list[tuple[Msg, str]] = []
        for message in messages:
            try:
                rows.append((row_in(message.data), message))
            except WireError as error:
                refused.append((message, str(error)))
        stale = 0
        try:
            if rows:
                stale = await writer.write(self._site, [row for row, _ in rows])
        except Exception as error:
            if not is_of_the_record(error):
                raise
            stale, wrong = await writer.write_each(self._site, [row for row, _ in rows])
            refused += [(rows[place][1], why) for place, why in wrong]
            rows = [row for place, row in enumerate(rows) if place not in dict(wrong)]
        if refused:
            await writer.refuse(
                self._site,
                [(mark_in(message.data), message.subject, quote(why), message.data) for message, why in refused],
            )
            first = refused[0][1]
            self._log.warning("%d messages are no records; they are in `refused` (%s)", len(refused), first)
        self.figures.stored.update(row.kind for row, _ in rows)
        self.figures.refused += len(refused)
        self.figures.stale += stale
