"""A connection to Redis, and what its errors mean; the only place that imports `redis`."""

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

from blikk_edge.core.errors import SinkError, quote
from blikk_edge.core.loopback import is_loopback
from blikk_edge.net.certificates import Server, machine_time, untrusted
from blikk_edge.sinks.failing import missing, unreachable
from blikk_edge.sinks.redis.kind import RedisOptions
from blikk_edge.sinks.trust import context_of

if TYPE_CHECKING:
    from redis.asyncio import Redis

LOG = logging.getLogger("blikk.redis")

KEY: Final = "sinks.redis"
CONNECT_S: Final = 10.0
ANSWER_S: Final = 10.0

_SAYS: Final = (
    ("invalid username-password", "it does not take this user and password; check `{key}.username` and `password`"),
    ("Authentication required", "it wants a password; set `{key}.password`"),
    ("AUTH <password> called without", "it has no password, and one is set; remove `{key}.password`"),
    ("NOPERM", "its user may not do this; see `ACL LIST` there"),
    ("OOM", "its memory is full (maxmemory); make room there, or lower `{key}.max_entries`"),
    ("READONLY", "it is a replica, which takes nothing; name the primary in `{key}.host`"),
    ("MISCONF", "it cannot write to its disk, and takes nothing until it can; make room there"),
    ("LOADING", "it is still reading its data; this takes a moment"),
    ("WRONGTYPE", "the key of the stream holds something else; choose another `{key}.stream`"),
    ("MOVED", "it is a cluster, which is not supported; name a server by itself"),
    ("MASTERDOWN", "it has lost its primary, and takes nothing until it is back"),
    ("NOREPLICAS", "too few replicas are there, and it takes nothing until they are back"),
    ("DENIED", "it takes connections from its own machine only (protected mode)"),
    ("max number of clients", "it has too many clients"),
    ("DB index", "it has no database of that number; check `{key}.db`"),
)
"""By how the server's answer begins, where the library has not made a class of its first word."""

_CLASSES: Final = {
    "OutOfMemoryError": "OOM",
    "ReadOnlyError": "READONLY",
    "BusyLoadingError": "LOADING",
    "NoPermissionError": "NOPERM",
    "MasterDownError": "MASTERDOWN",
    "MovedError": "MOVED",
}


class RedisClient:
    """Opens one connection, and turns what is wrong with it into SinkErrors. Shows itself as host:port."""

    def __init__(self, options: RedisOptions) -> None:
        self._options = options
        self._redis: Redis | None = None
        self._warned = False
        self._said = False

    def __str__(self) -> str:
        return f"redis {self._options.host}:{self._options.port}"

    async def open(self) -> "Redis":
        """The connection; an open one is closed first. Raises SinkError."""
        await self.close()
        options = self._options
        try:
            from redis.asyncio import ConnectionPool, Redis  # noqa: PLC0415  # 38 MB that only a node with it needs
            from redis.asyncio.connection import Connection, SSLConnection  # noqa: PLC0415
            from redis.asyncio.retry import Retry  # noqa: PLC0415
            from redis.backoff import NoBackoff  # noqa: PLC0415
        except ImportError as error:
            raise missing("redis", "redis") from error
        chosen: dict[str, Any] = {"connection_class": Connection}
        if options.tls is not None:
            context = await asyncio.to_thread(context_of, options.tls, f"{KEY}.tls")

            class Trusting(SSLConnection):
                """Believes nobody but whom the settings say."""

                def __init__(self, **given: Any) -> None:
                    super().__init__(**given)
                    self.ssl_context.context = context

                async def disconnect(self, *how: Any, **given: Any) -> None:
                    """At once: a server that hangs never says that TLS ends, and the socket would stay."""
                    if self._writer is not None:
                        self._writer.transport.abort()
                    await super().disconnect(*how, **given)

            chosen = {"connection_class": Trusting}
        elif options.password is not None and not self._warned and not is_loopback(options.host):
            self._warned = True
            LOG.warning("%s: its password goes over the network unencrypted; use tls", self)
        pool = ConnectionPool(
            host=options.host,
            port=options.port,
            db=options.db,
            username=options.username,
            password=options.password.reveal() if options.password else None,
            socket_connect_timeout=CONNECT_S,
            socket_timeout=ANSWER_S,
            # whoever asks again is `runtime.delivery`: a command that is sent again unasked may be carried out twice
            retry=Retry(NoBackoff(), 0),
            max_connections=2,
            protocol=2,
            **chosen,
        )
        self._redis = Redis.from_pool(pool)
        try:
            await self._redis.ping()
        except Exception as error:
            await self.close()
            raise (await self._certificate_error(error)) or self.error(error) from error
        if not self._said:
            self._said = True
            LOG.info("connected to %s", self)
        return self._redis

    async def _certificate_error(self, error: Exception) -> SinkError | None:
        options = self._options
        if (tls := options.tls) is None:
            return None
        server = Server(host=options.host, port=options.port, trusting=lambda: context_of(tls, f"{KEY}.tls"))
        mend = f"renew it, or name its authority in `{KEY}.tls.ca`"
        why = await untrusted(error, server, mend=mend, now=machine_time)
        return None if why is None else SinkError(f"{self}: {why}")

    async def close(self) -> None:
        """Let go of the connection; harmless without one."""
        if self._redis is not None:
            redis, self._redis = self._redis, None
            await redis.aclose()

    def error(self, error: BaseException) -> SinkError:
        """What one of the library's errors means; what is none of them is raised as it is."""
        from redis.exceptions import ConnectionError as LostError  # noqa: PLC0415  # see open
        from redis.exceptions import RedisError, ResponseError  # noqa: PLC0415
        from redis.exceptions import TimeoutError as SilentError  # noqa: PLC0415

        if not isinstance(error, RedisError | OSError | TimeoutError):
            raise error
        said = _CLASSES.get(type(error).__name__, str(error))
        for begins, means in _SAYS:
            if said.startswith(begins):
                return SinkError(f"{self}: {means.format(key=KEY)}")
        if isinstance(error, ResponseError):
            return SinkError(f"{self}: it refuses a record ({quote(str(error))})")
        if isinstance(error, SilentError) and error.__cause__ is None and error.__context__ is None:
            return SinkError(f"{self}: {unreachable(TimeoutError(), KEY)}")
        if isinstance(error, LostError | SilentError | OSError | TimeoutError):
            return SinkError(f"{self}: {unreachable(error, KEY)}")
        return SinkError(f"{self}: {type(error).__name__}: {quote(str(error))}")
