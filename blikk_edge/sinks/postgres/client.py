"""A connection to PostgreSQL, and what its errors mean."""

import asyncio
import contextlib
import logging
from typing import Any, Final

from blikk_edge.core.errors import SinkError, quote
from blikk_edge.core.loopback import is_loopback
from blikk_edge.net.certificates import Server, machine_time, untrusted
from blikk_edge.sinks.failing import missing, unreachable
from blikk_edge.sinks.postgres.kind import PostgresOptions
from blikk_edge.sinks.trust import context_of

LOG = logging.getLogger("blikk.postgres")

KEY: Final = "sinks.postgres"
CONNECT_S: Final = 10.0
ANSWER_S: Final = 30.0
CLOSE_S: Final = 2.0

_SAYS: Final = {
    "28P01": "it does not take this user and password; check `{key}.username` and `password`",
    "28000": "it does not let this user in from here; see pg_hba.conf there, and `{key}.tls`",
    "3D000": "there is no such database; make it (`CREATE DATABASE`), or check `{key}.database`",
    "42501": "its user may not do this; it must own the schema `{schema}` with its tables, or may CREATE one",
    "25006": "it takes nothing: it is a standby, or read-only; name the primary in `{key}.host`",
    "53100": "its disk is full; make room there",
    "53200": "it is out of memory",
    "53300": "it has too many connections; raise max_connections there",
    "57P01": "it is shutting down",
    "57P02": "it has crashed and restarts",
    "57P03": "it is starting, or shutting down; this takes a moment",
    "42P07": "something else has the name of one of our tables; choose another `{key}.schema`",
    "42P01": "a table of ours is gone; it is looked for again",
}
"""By SQLSTATE."""


SSL_REQUEST: Final = bytes.fromhex("0000000804d2162f")
"""By which a client of PostgreSQL asks for TLS."""


class PostgresClient:
    """Opens one connection, and turns what is wrong with it into SinkErrors. Shows itself as host:port/database.

    `key` is where its options stand in the configuration.
    """

    def __init__(self, options: PostgresOptions, *, key: str = KEY) -> None:
        self._options = options
        self._key = key
        self._connection: Any = None
        self._warned = False
        self._said = False

    def __str__(self) -> str:
        return f"postgres {self._options.host}:{self._options.port}/{self._options.database}"

    @property
    def connected(self) -> bool:
        """Whether there is a connection now."""
        return self._connection is not None and not self._connection.is_closed()

    async def open(self) -> Any:
        """The connection; an open one is closed first. Raises SinkError."""
        await self.close()
        options = self._options
        try:
            import asyncpg  # noqa: PLC0415  # 19 MB that only a node with it needs
        except ImportError as error:
            raise missing("postgres", "asyncpg") from error
        tls = await asyncio.to_thread(context_of, options.tls, f"{self._key}.tls") if options.tls is not None else False
        if not tls and options.password is not None and not self._warned and not is_loopback(options.host):
            self._warned = True
            LOG.warning("%s: what is sent goes over the network unencrypted; use tls", self)
        try:
            self._connection = await asyncpg.connect(
                host=options.host,
                port=options.port,
                user=options.username,
                password=options.password.reveal() if options.password else "",
                database=options.database,
                ssl=tls,
                timeout=CONNECT_S,
                command_timeout=ANSWER_S,
                server_settings={"application_name": "blikk-edge", "timezone": "UTC"},
            )
        except Exception as error:
            raise (await self._certificate_error(error)) or self.error(error) from error
        if not self._said:
            self._said = True
            LOG.info("connected to %s", self)
        return self._connection

    async def _certificate_error(self, error: Exception) -> SinkError | None:
        options = self._options
        if (tls := options.tls) is None:
            return None
        server = Server(
            host=options.host,
            port=options.port,
            trusting=lambda: context_of(tls, f"{self._key}.tls"),
            hello=SSL_REQUEST,
        )
        mend = f"renew it, or name its authority in `{self._key}.tls.ca`"
        why = await untrusted(error, server, mend=mend, now=machine_time)
        return None if why is None else SinkError(f"{self}: {why}")

    async def close(self) -> None:
        """Let go of the connection; harmless without one."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            try:
                await connection.close(timeout=CLOSE_S)
            except Exception:  # noqa: BLE001 - it is gone either way
                with contextlib.suppress(Exception):
                    connection.terminate()

    def error(self, error: BaseException) -> SinkError:
        """What one of the library's errors means; what is none of them is raised as it is."""
        import asyncpg  # noqa: PLC0415  # see open

        if isinstance(error, SinkError):
            return SinkError(f"{self}: {error}", after_s=error.after_s)
        state = getattr(error, "sqlstate", None)
        if isinstance(error, asyncpg.PostgresError) and state in _SAYS:
            return SinkError(f"{self}: {_SAYS[state].format(key=self._key, schema=self._options.schema)}")
        if isinstance(error, asyncpg.PostgresError):
            return SinkError(f"{self}: it refuses ({state}: {quote(type(error).__name__)})")
        if isinstance(error, asyncpg.InterfaceError | asyncpg.InternalClientError):
            return SinkError(f"{self}: the connection broke ({type(error).__name__})")
        if isinstance(error, ConnectionError) and "rejected SSL" in str(error):
            return SinkError(f"{self}: it does not speak TLS; set `ssl = on` there, or remove `{self._key}.tls`")
        if isinstance(error, OSError | TimeoutError | EOFError):
            return SinkError(f"{self}: {unreachable(error, self._key)}")
        raise error


def is_of_the_record(error: BaseException) -> bool:
    """Whether it is the record's fault: data that the column does not take."""
    import asyncpg  # noqa: PLC0415  # see PostgresClient.open

    state = getattr(error, "sqlstate", None) or ""
    return isinstance(error, asyncpg.DataError | ValueError) or state[:2] in {"22", "23"}
