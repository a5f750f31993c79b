"""A node that runs somewhere, reached over its broker."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Coroutine
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

from blikk_edge.agents.hub import Hub
from blikk_edge.core.commands import Command, Snapshot
from blikk_edge.core.errors import BlikkError, ConfigError, SinkError
from blikk_edge.core.inquiry import Reply, Request
from blikk_edge.core.loose_thread import LooseThread
from blikk_edge.core.status import CameraInfo, CameraState
from blikk_edge.sinks.mqtt.address import Address, Tls
from blikk_edge.sinks.mqtt.overhear import FIRST_S, NodeEar
from blikk_edge.sinks.mqtt.request import ask_node
from blikk_edge.wire.reader import read_reply
from blikk_edge.wire.topics import Topics

PORTS: Final = {"mqtt": 1883, "mqtts": 8883}

END_S: Final = 10.0

SETTLE_S: Final = 0.2
"""So long after the first the rest of what the broker keeps may come."""

HOW: Final = "write mqtt://user:password@broker/node, or mqtts://"

T = TypeVar("T")


def parse(url: str) -> tuple[Address, Topics]:
    """The broker and the node of `mqtt://user:password@host:port/node`; raises ConfigError, without the password.

    `mqtts` is encrypted, with `?ca=file` for a certificate authority of one's own; `?prefix=` is that of the topics.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except (ValueError, AttributeError, TypeError):
        raise ConfigError(f"Stream.connect: this is no address of a node: {HOW}") from None
    node = unquote(parts.path.strip("/"))
    if parts.scheme not in PORTS or not parts.hostname or not node or "/" in node or any(mark in node for mark in "+#"):
        what = "a WebSocket" if parts.scheme in {"ws", "wss"} else "this"
        raise ConfigError(f"Stream.connect: {what} is no address of a node that can be reached: {HOW}")
    options = parse_qs(parts.query)
    if unknown := set(options) - {"prefix", "ca"}:
        raise ConfigError(f"Stream.connect: {', '.join(sorted(unknown))[:80]!r} is no option: there is prefix and ca")
    ca = options.get("ca", [None])[-1]
    address = Address(
        host=parts.hostname,
        port=port or PORTS[parts.scheme],
        username=None if parts.username is None else unquote(parts.username),
        password=None if parts.password is None else unquote(parts.password),
        tls=Tls(ca=None if ca is None else Path(ca)) if parts.scheme == "mqtts" else None,
    )
    return address, Topics(options.get("prefix", ["blikk"])[-1], node)


class RemoteNode:
    """Implements `agents.link.Link`. What it reports while the broker is away is not heard; its history has it."""

    is_clip = False
    reports = True

    def __init__(self, address: Address, topics: Topics) -> None:
        self._address, self._topics = address, topics
        self._hub: Hub | None = None
        self._states: dict[str, CameraState] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ear: NodeEar | None = None
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
            error = SinkError(f"{self}: the broker answers, but has nothing of a node of that name: is the id right?")
        if error is None and not self._closing and self._ear is not None and not self._ear.online:
            error = SinkError(f"{self}: the node is offline; is it running?")
        if error is not None:
            self.close()
            raise error
        self._began = time.time()

    def states(self) -> tuple[CameraState, ...]:
        """How each camera was doing when it last said so."""
        ear = self._running()
        known = [self._states.get(each.id, CameraState(camera=each.id, online=False)) for each in ear.cameras or ()]
        if not ear.online:
            known = [
                replace(state, online=False, problem=f"the node {self._topics.node} is offline") for state in known
            ]
        return tuple(known)

    def order(self, command: Command) -> None:
        """Publish a command; only for a Picture."""
        if not isinstance(command, Snapshot):
            raise BlikkError("a program that listens to a node may ask it for a picture, and nothing else")
        ear = self._running()
        self._submit(ear.publish(self._topics.set(command.camera, "snapshot"), b"PRESS"))

    def ask(self, request: Request) -> "Future[Reply]":
        """The node's reply."""
        self._running()

        async def asked() -> Reply:
            return read_reply(await ask_node(self._address, self._topics, request))

        return self._submit(asked())

    def close(self) -> None:
        """Listen no more."""
        self._closing = True
        if self._loop is not None and self._stop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended by itself
                self._loop.call_soon_threadsafe(self._stop.set)
        if self._thread is not None:
            self._thread.join(END_S)

    def __str__(self) -> str:
        return f"node {self._topics.node} at {self._address}"

    # -- its thread ----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            asyncio.run(self._listen())
        except BlikkError as error:
            self._error = error
        finally:
            self._known.set()
            if self._hub is not None:
                self._hub.end(self._error)

    async def _listen(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        if self._closing:
            self._stop.set()
        self._ear = NodeEar(self._address, self._topics, self._hear)
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
        if isinstance(item, CameraState):
            self._states[item.camera] = item
        if self._hub is not None:
            self._hub.put(item)

    # -- helpers -------------------------------------------------------------------------------------------------

    def _submit(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def _running(self) -> NodeEar:
        if self._ear is None or self._thread is None or not self._thread.is_alive():
            raise BlikkError("this stream is closed")
        return self._ear
