"""A connection to NATS that comes back by itself, and what its errors mean."""

import asyncio
import logging
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from blikk_edge.core.errors import SinkError, quote
from blikk_edge.core.trouble import Trouble
from blikk_edge.fleet.options import FleetOptions, is_remote
from blikk_edge.sinks.failing import missing, unreachable
from blikk_edge.sinks.trust import context_of

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.js import JetStreamContext

LOG = logging.getLogger("blikk.fleet")

KEY: Final = "fleet"
CONNECT_S: Final = 5.0
ANSWER_S: Final = 5.0
AGAIN_S: Final = 1.0
TRIES: Final = 3
PING_S: Final = 5
CLOSE_S: Final = 2.0
COPIES: Final = 3
HEADERS_BYTES: Final = 1000
"""The server counts the headers of a message too; one that is too large for it ends the connection."""

_VIOLATION: Final = "permissions violation"
REFUSED_S: Final = 2 * ANSWER_S
"""To what a key has no right the server gives no answer: it is told beside, so long before the answer is missed."""

_SAYS: Final = (
    ("authorization violation", f"it does not take this key; check `{KEY}.nkey`"),
    ("user authentication expired", f"the time of this key is over; make another one for `{KEY}.nkey`"),
    ("account authentication expired", "the time of this site's account is over"),
    (_VIOLATION, "this key may not do that; see the rights of its user there"),
    ("maximum connections exceeded", "it has too many connections"),
    ("jetstream not enabled", "it has no JetStream; start it with `jetstream` in its configuration"),
    ("insufficient resources", "it has no room left (JetStream's limits); make room there"),
    (
        "insufficient storage resources",
        "its disk has too little room; make room, or lower `sinks.uplink.max_mb` or `fleet.past_mb`",
    ),
    ("no suitable peers", "too few of its servers are there for as many copies as are asked for"),
    ("no responders", "it has no JetStream that answers now"),
    ("serviceunavailable", "it has no JetStream that answers now"),
)
"""By what the server's own words contain, in small letters."""


class Link:
    """One connection of this process. Shows itself as the site's servers; `log` is where it says how it is doing."""

    def __init__(self, options: FleetOptions, *, name: str, log: logging.Logger = LOG) -> None:
        self._options = options
        self._name = name
        self._client: Client | None = None
        self._log = log
        self._trouble = Trouble(log)
        self._warned = False
        self._making = asyncio.Lock()
        self._refused = (-math.inf, "")

    def __str__(self) -> str:
        return f"nats {', '.join(server.split('://')[-1] for server in self._options.servers)}"

    @property
    def problem(self) -> str | None:
        """What is wrong now; None while it is connected."""
        return self._trouble.now

    @property
    def copies(self) -> int:
        """On how many servers what is kept is to lie."""
        return COPIES if len(self._options.servers) >= COPIES else 1

    @property
    def connected(self) -> bool:
        """Whether there is a connection now."""
        return self._client is not None and self._client.is_connected

    @property
    def text_max(self) -> int:
        """So many bytes what is published may have, as the server said."""
        return (self._client.max_payload if self._client is not None else 1_000_000) - HEADERS_BYTES

    async def open(self) -> "JetStreamContext":
        """JetStream over the connection, which is made where there is none. Raises SinkError."""
        return (await self.client()).jetstream(timeout=ANSWER_S)

    async def client(self) -> "Client":
        """The connection, which is made where there is none. Raises SinkError."""
        async with self._making:  # of two who ask at once the second gets what the first made
            if self._client is None or self._client.is_closed:
                self._client = await self._connect()
        return self._client

    async def close(self) -> None:
        """Let go of the connection; harmless without one."""
        client, self._client = self._client, None
        if client is not None:
            await _closed(client)

    async def _connect(self) -> "Client":
        options = self._options
        try:
            from nats.aio.client import Client  # noqa: PLC0415  # only a node of a fleet needs it
        except ImportError as error:
            raise missing("fleet", "nats-py") from error
        chosen: dict[str, Any] = {}
        if options.tls is not None:
            chosen["tls"] = await asyncio.to_thread(context_of, options.tls, f"{KEY}.tls")
        if options.nkey is not None:
            seed = await asyncio.to_thread(_seed, options.nkey)
            chosen |= {"nkeys_seed_str": seed, "inbox_prefix": f"_INBOX.{_public(seed, options.nkey)}"}
        if options.tls is None and any(is_remote(server) and server.startswith("nats:") for server in options.servers):
            self._warn_once()
        client = Client()
        wrong: list[Exception] = []
        enough = asyncio.Event()

        async def failed(error: Exception) -> None:
            wrong.append(error)
            if _VIOLATION in str(error).lower():
                self._refused = time.monotonic(), str(error).lower().partition(_VIOLATION)[2].strip()
            self._log.debug("%s: %s", self, quote(str(error)))
            tries = 1 if _tells(error) else TRIES  # a refusal may be cut off before it can be read
            if len(wrong) >= tries * len(options.servers):  # the library itself would try for ever
                enough.set()

        connecting = asyncio.ensure_future(
            client.connect(
                list(options.servers),
                name=self._name,
                connect_timeout=int(CONNECT_S),
                allow_reconnect=True,
                max_reconnect_attempts=-1,
                reconnect_time_wait=int(AGAIN_S),
                ping_interval=PING_S,
                max_outstanding_pings=2,
                error_cb=failed,
                disconnected_cb=self._lost,
                reconnected_cb=self._back,
                **chosen,
            )
        )
        refused = asyncio.ensure_future(enough.wait())
        limit_s = (CONNECT_S + TRIES * AGAIN_S) * len(options.servers)
        try:
            await asyncio.wait((connecting, refused), timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
            if not connecting.done():
                raise self.error(next(filter(_tells, reversed(wrong)), (wrong or [TimeoutError()])[-1]))
            await connecting
        except Exception as error:
            said = self.error(error)
            self._trouble.start(str(said))
            raise said from error
        finally:
            refused.cancel()
            if not client.is_connected:
                connecting.cancel()
                await _closed(client)
        self._log.info("connected to %s", self)
        self._trouble.end(f"connected to {self} again")
        return client

    def _warn_once(self) -> None:
        if not self._warned:
            self._warned = True
            self._log.warning("%s: what is sent goes over the network unencrypted; use `%s.tls`", self, KEY)

    async def _lost(self) -> None:
        if self._client is not None:  # else it was closed by us
            self._trouble.start(f"{self}: the connection broke; it is tried again")

    async def _back(self) -> None:
        self._trouble.end(f"connected to {self} again")

    def error(self, error: BaseException) -> SinkError:
        """What one of the library's errors means; what is none of them is raised as it is."""
        from nats.errors import Error  # noqa: PLC0415  # see _connect

        if isinstance(error, SinkError):
            return error
        said = f"{getattr(error, 'description', '') or ''} {error}".lower()
        for words, means in _SAYS:
            if words in said:
                return SinkError(f"{self}: {means}")
        when, what = self._refused
        if isinstance(error, TimeoutError) and time.monotonic() - when <= REFUSED_S:
            return SinkError(
                f"{self}: this key has no right {quote(what)}; use that of a role that may, such as an operator's for "
                "`blikk fleet apply`, or see the rights of its user there"
            )
        if isinstance(error, OSError | TimeoutError | EOFError):
            return SinkError(
                f"{self}: {unreachable(error, KEY)}".replace(f"`{KEY}.host` and `port`", f"`{KEY}.servers`")
            )
        if isinstance(error, Error):
            return SinkError(f"{self}: {quote(str(error).removeprefix('nats: '))}")
        raise error


def heed_cancellation() -> None:
    """Raise CancelledError where this task was cancelled and a library has swallowed that.

    Up to Python 3.11 `asyncio.wait_for`, with which the library waits for each answer, does so when the answer comes at
    the same time.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _tells(error: Exception) -> bool:
    """Whether an error says why, other than that the connection broke off."""
    return not isinstance(error, ConnectionResetError | BrokenPipeError | EOFError) and "eof" not in str(error).lower()


async def _closed(client: "Client") -> None:
    """Close it within CLOSE_S, in whatever state it is. The library may end in a CancelledError of its own."""
    try:
        await asyncio.wait_for(client.close(), CLOSE_S)
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
    except Exception as error:  # noqa: BLE001 - it is gone either way
        LOG.debug("%s", quote(str(error)))


def _public(seed: str, path: Path) -> str:
    """The public half of a key, below which its answers go: rights can keep other keys of the site from them."""
    import nkeys  # type: ignore[import-untyped]  # noqa: PLC0415  # it has no types; see Link._connect

    try:
        pair = nkeys.from_seed(seed.encode())
        public: str = pair.public_key.decode()
        pair.wipe()
    except Exception as error:
        raise SinkError(f"{KEY}.nkey: the seed in {path} is not whole; copy it again, or make another") from error
    return public


def _seed(path: Path) -> str:
    """The seed in a file, in which lines of other things may stand, as `nsc` and `nk` write them; blocking."""
    try:
        text = path.read_text()
    except (OSError, ValueError) as error:
        raise SinkError(f"{KEY}.nkey: {path} cannot be read: {error}; name a file of the seed") from error
    found = [line.strip() for line in text.splitlines() if line.strip().startswith("SU")]
    if len(found) != 1:
        raise SinkError(f"{KEY}.nkey: {path} has no seed of a NATS user (`SU...`); make one with `nk -gen user`")
    return found[0]
