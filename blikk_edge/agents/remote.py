"""A node that runs somewhere, reached over its broker or at its WebSocket."""

import asyncio
import contextlib
import re
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Generic, Protocol, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

from blikk_edge.agents.hub import Hub
from blikk_edge.core.commands import Command, Snapshot
from blikk_edge.core.errors import BlikkError, ConfigError, SinkError
from blikk_edge.core.inquiry import Reply, Request
from blikk_edge.core.loopback import is_loopback
from blikk_edge.core.loose_thread import LooseThread
from blikk_edge.core.observation import Event, Observation, Observed, Phase
from blikk_edge.core.picture import SNAPSHOT
from blikk_edge.core.ports import Item
from blikk_edge.core.status import CameraInfo, CameraState
from blikk_edge.sinks.mqtt.address import Address, Tls
from blikk_edge.sinks.mqtt.overhear import FIRST_S, NodeEar
from blikk_edge.sinks.mqtt.request import ask_node
from blikk_edge.sinks.node_requests import NodeRequests
from blikk_edge.sinks.websocket_ear import WebSocketEar
from blikk_edge.wire.reader import read_picture, read_reply
from blikk_edge.wire.topics import Topics

PORTS: Final = {"mqtt": 1883, "mqtts": 8883}

END_S: Final = 10.0

SETTLE_S: Final = 0.2
"""So long after the first the rest of what the broker keeps may come."""

LAG_S: Final = 1.0
"""So long the state may come after what was reported: they go separate ways."""

HOW: Final = "write mqtt://user:password@broker/node, mqtts://, or ws://127.0.0.1:8428 with token="

ONLY_PICTURES: Final = "a program that listens to a node may ask it for a picture, and nothing else"

T = TypeVar("T")


def parse(url: str) -> tuple[Address, Topics]:
    """The broker and the node of `mqtt://user:password@host:port/node`; raises ConfigError, without the password.

    `mqtts` is encrypted, with `?ca=file` for a certificate authority of one's own; `?prefix=` is that of the topics.
    """
    try:
        parts = urlsplit(url if isinstance(url, str) else "")
        port = parts.port
    except ValueError:
        raise ConfigError(f"Stream.connect: this is no address of a node: {HOW}") from None
    node = unquote(parts.path.strip("/"))
    if parts.scheme not in PORTS or not parts.hostname or not node or "/" in node:
        what = "a WebSocket" if parts.scheme in {"ws", "wss"} else "this"
        raise ConfigError(f"Stream.connect: {what} is no address of a node that can be reached: {HOW}")
    options = parse_qs(parts.query)
    if unknown := set(options) - {"prefix", "ca"}:
        raise ConfigError(f"Stream.connect: {', '.join(sorted(unknown))[:80]!r} is no option: there is prefix and ca")
    ca, prefix = options.get("ca", [None])[-1], options.get("prefix", ["blikk"])[-1]
    if ca is not None and parts.scheme == "mqtt":
        raise ConfigError("Stream.connect: mqtt:// is not encrypted and takes no `?ca=`; write mqtts://")
    if any(mark in f"{prefix}{node}" for mark in "+#\0"):
        raise ConfigError("Stream.connect: a prefix or an id with one of +, # or a null character, which no topic has")
    address = Address(
        host=parts.hostname,
        port=port or PORTS[parts.scheme],
        username=None if parts.username is None else unquote(parts.username),
        password=None if parts.password is None else unquote(parts.password),
        tls=Tls(ca=None if ca is None else Path(ca)) if parts.scheme == "mqtts" else None,
    )
    return address, Topics(prefix, node)


def parse_websocket(url: str, token: str | None) -> tuple[str, str | None, Path | None]:
    """Address, token and authority of `ws://host:port`, or `wss://host:port?ca=file`. Raises ConfigError.

    Without a token only on this machine, where a node needs none.
    """
    how = "write ws://127.0.0.1:8428, or wss://host:8428 beyond this machine"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ConfigError(f"Stream.connect: this is no address of a WebSocket: {how}") from None
    options = parse_qs(parts.query)
    if not parts.hostname or parts.path.strip("/") or "@" in parts.netloc or set(options) - {"ca"}:
        raise ConfigError(f"Stream.connect: this is no address of a WebSocket: {how}")
    if parts.scheme == "ws" and not is_loopback(parts.hostname):
        raise ConfigError("Stream.connect: ws:// would show the token to the network; use wss:// beyond this machine")
    if token is None and parts.scheme == "wss":
        raise ConfigError("Stream.connect: wss:// wants `token=`, `http.tokens.view` of the node")
    if token is not None and (not isinstance(token, str) or re.fullmatch(r"[!-~]+", token) is None):
        raise ConfigError("Stream.connect: `token=` is a text, `http.tokens.view` of the node")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    ca = options.get("ca", [None])[-1]
    return f"{parts.scheme}://{host}:{port or 8428}", token, None if ca is None else Path(ca)


class Ear(Protocol):
    """Listens to a node in one event loop.

    Attributes:
        known: Set as soon as the node was heard of.
        online: Whether it runs, or is connected; None before that is known.
    """

    known: asyncio.Event
    online: bool | None

    @property
    def cameras(self) -> tuple[CameraInfo, ...] | None:
        """Its cameras; None before they are known."""
        ...

    async def run(self) -> None:
        """Listen until cancelled. Raises SinkError where that fails at first."""
        ...


EarT = TypeVar("EarT", bound=Ear)


class _Remote(Generic[EarT]):
    """What both ways have in common: a thread that listens, and what it has heard."""

    is_clip = False
    reports = True
    silent: str
    """What it means that nothing was heard of it in time."""

    def __init__(self, who: str, make_ear: Callable[[Callable[[Item], None]], EarT]) -> None:
        self._who, self._make_ear = who, make_ear
        self._hub: Hub | None = None
        self._states: dict[str, CameraState] = {}
        self._outdated: set[str] = set()  # the cameras that reported what their states do not say yet
        self._current = threading.Condition()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ear: EarT | None = None
        self._stop: asyncio.Event | None = None
        self._thread: LooseThread | None = None
        self._known = threading.Event()
        self._began = time.time()
        self._error: BlikkError | None = None
        self._closing = False

    @property
    def whole_since(self) -> float:
        """Since it is listened to."""
        return self._began

    @property
    def cameras(self) -> tuple[CameraInfo, ...]:
        """Its cameras, as it announces them."""
        return self._running().cameras or ()

    def now(self) -> float:
        """This machine's time."""
        return time.time()

    def start(self, reader: Hub) -> None:
        """Listen, and wait until it is heard of; raises BlikkError where it cannot be."""
        self._hub = reader
        thread = LooseThread("blikk remote", self._run)
        thread.start()
        self._thread = thread  # who closes from another thread joins only what has started
        heard = self._known.wait(FIRST_S) or self._closing
        error = self._error
        if error is None and not heard:
            error = SinkError(f"{self}: {self.silent}")
        if error is None and not self._closing and self._ear is not None and not self._ear.online:
            error = SinkError(f"{self}: the node is offline; is it running?")
        if error is not None:
            self.close()
            raise error
        self._began = time.time()

    def states(self) -> tuple[CameraState, ...]:
        """How each camera was doing when it last said so.

        Waits up to a second for the state of one that has just reported what its state does not say yet.
        """
        ear = self._running()
        with self._current:
            self._current.wait_for(lambda: not self._outdated, LAG_S)
            self._outdated.clear()  # one that does not come is not waited for again
        known = [self._states.get(each.id, CameraState(camera=each.id, online=False)) for each in ear.cameras or ()]
        if not ear.online:
            known = [replace(state, online=False, problem=f"{self} is offline") for state in known]
        return tuple(known)

    def close(self) -> None:
        """Listen no more."""
        self._closing = True
        if self._loop is not None and self._stop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended by itself
                self._loop.call_soon_threadsafe(self._stop.set)
        if self._thread is not None:
            self._thread.join(END_S)

    def __str__(self) -> str:
        return self._who

    # -- its thread ----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            asyncio.run(self._listen())
        except BlikkError as error:
            self._error = error
        except UnicodeError:
            self._error = SinkError(f"{self}: this is no host name")
        finally:
            self._known.set()
            if self._hub is not None:
                self._hub.end(self._error)

    async def _listen(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        if self._closing:
            self._stop.set()
        self._ear = self._make_ear(self._hear)
        listening = asyncio.create_task(self._ear.run())
        stopping = asyncio.create_task(self._stop.wait())
        knowing = asyncio.create_task(self._ear.known.wait())
        try:
            await asyncio.wait((listening, stopping, knowing), return_when=asyncio.FIRST_COMPLETED)
            if knowing.done():
                await asyncio.sleep(SETTLE_S)  # what the broker keeps comes one after the other
                self._known.set()
            await asyncio.wait((listening, stopping), return_when=asyncio.FIRST_COMPLETED)
            if listening.done():
                listening.result()
        finally:
            for task in (listening, stopping, knowing):
                task.cancel()
            await asyncio.gather(listening, stopping, knowing, return_exceptions=True)

    def _hear(self, item: Any) -> None:
        with self._current:
            if isinstance(item, CameraState):
                self._states[item.camera] = item
                self._outdated.discard(item.camera)
                self._current.notify_all()
            elif isinstance(item, Event | Observation) and not _agrees(self._states.get(item.camera), item):
                self._outdated.add(item.camera)
        if self._hub is not None:
            self._hub.put(item)

    # -- helpers -------------------------------------------------------------------------------------------------

    def _submit(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def _running(self) -> EarT:
        if self._ear is None or self._thread is None or not self._thread.is_alive():
            raise BlikkError("this stream is closed")
        return self._ear


def _agrees(state: CameraState | None, record: Event | Observation) -> bool:
    """Whether a state has those who came by this record."""
    if state is None or not state.online:
        return True
    if isinstance(record, Event):
        return record.phase is not Phase.STARTED or dict(state.counts).get(record.label) != 0
    if record.kind is Observed.ENTERED_ZONE:
        return all(dict(state.zones).get(zone, 0) for zone in record.zones)
    came = record.objects if record.kind is Observed.APPEARED else ()
    return all(dict(state.counts).get(each.label) != 0 for each in came)


class RemoteNode(_Remote[NodeEar]):
    """Implements `agents.link.Link`. What it reports while the broker is away is not heard; its history has it."""

    silent = "the broker answers, but has nothing of a node of that name: is the id right?"

    def __init__(self, address: Address, topics: Topics) -> None:
        super().__init__(f"node {topics.node} at {address}", lambda hear: NodeEar(address, topics, hear))
        self._address, self._topics = address, topics

    def order(self, command: Command) -> None:
        """Publish a command; only for a Picture."""
        if not isinstance(command, Snapshot):
            raise BlikkError(ONLY_PICTURES)
        ear = self._running()
        self._submit(ear.publish(self._topics.set(command.camera, "snapshot"), b"PRESS"))

    def ask(self, request: Request) -> "Future[Reply]":
        """The node's reply."""
        self._running()

        async def asked() -> Reply:
            return read_reply(await ask_node(self._address, self._topics, request))

        return self._submit(asked())


class WebSocketNode(_Remote[WebSocketEar]):
    """Implements `agents.link.Link`. After a break it goes on where it was; what is asked goes over HTTP."""

    silent = "it answers, but says nothing of its cameras"

    def __init__(self, address: str, token: str | None, ca: Path | None) -> None:
        super().__init__(f"the node at {address}", lambda hear: WebSocketEar(address, token, ca, hear))
        self._requests = NodeRequests(address.replace("ws", "http", 1), token, ca)

    @property
    def whole_since(self) -> float:
        """Since it is listened to, or since records were lost."""
        missed = self._ear.missed if self._ear is not None else None
        return self._began if missed is None else max(self._began, missed)

    def order(self, command: Command) -> None:
        """Fetch the Picture of a Snapshot, blocking; raises BlikkError for anything else, and where none comes."""
        if not isinstance(command, Snapshot):
            raise BlikkError(ONLY_PICTURES)
        self._running()

        async def fetched() -> None:
            jpeg = await self._requests.frame(command.camera)
            self._hear(read_picture(command.camera, SNAPSHOT, jpeg, now=time.time()))

        self._submit(fetched()).result()

    def ask(self, request: Request) -> "Future[Reply]":
        """The node's reply, over its HTTP server."""
        self._running()

        async def asked() -> Reply:
            return read_reply(await self._requests.ask(request))

        return self._submit(asked())
