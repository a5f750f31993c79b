"""Listens to a node that runs somewhere else, over its broker, for as long as it is wanted."""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from typing import Final

from blikk_edge.core.backoff import Backoff
from blikk_edge.core.errors import SinkError, WireError
from blikk_edge.core.ports import Item
from blikk_edge.core.status import CameraInfo
from blikk_edge.core.summary import Answer, Summary
from blikk_edge.core.trouble import Trouble
from blikk_edge.sinks.mqtt.address import Address
from blikk_edge.sinks.mqtt.connection import Connection, Outcome
from blikk_edge.sinks.mqtt.login import visit
from blikk_edge.wire.messages import Message
from blikk_edge.wire.reader import read_cameras, read_item
from blikk_edge.wire.topics import Topics

LOG = logging.getLogger("blikk.remote")

FIRST_S: Final = 10.0
"""So long a node may take to be heard of at first: what it announces is kept by the broker."""


class NodeEar:
    """Hands what a node publishes to `hear`, in one event loop. What is missed while the broker is away is missed.

    `cameras` are those that it announces, None before; `online` is whether it runs.
    """

    def __init__(self, address: Address, topics: Topics, hear: Callable[[Item], None]) -> None:
        self.cameras: tuple[CameraInfo, ...] | None = None
        self.online: bool | None = None
        self.known = asyncio.Event()
        self._address = address
        self._topics = topics
        self._hear = hear
        self._trouble = Trouble(LOG)

    async def run(self) -> None:
        """Listen until cancelled. Raises SinkError where that fails at first."""
        backoff = Backoff()
        while True:
            try:
                await visit(self._address, identifier=f"blikk-stream-{secrets.token_hex(8)}", work=self._listen)
            except SinkError as error:
                if not self.known.is_set():
                    raise
                self._trouble.start(f"node {self._topics.node}: {error}")
            await asyncio.sleep(backoff.next_s())

    async def publish(self, topic: str, payload: bytes) -> None:
        """Publish a command. Raises SinkError."""

        async def said(connection: Connection) -> None:
            message = Message(topic=topic, payload=payload, qos=1, retain=False)
            if await connection.publish(message) is not Outcome.TAKEN:
                raise SinkError(f"broker {self._address} does not take commands on {topic}; see its access list")

        await visit(self._address, identifier=f"blikk-set-{secrets.token_hex(8)}", work=said)

    async def _listen(self, connection: Connection) -> None:
        topics = self._topics
        for each in (topics.announce, topics.status, topics.digest, f"{topics.base}/+/+", f"{topics.base}/+/answer/+",
                     topics.picture("+", "snapshot")):  # fmt: skip
            if await connection.subscribe(each) is not Outcome.TAKEN and each in {topics.announce, topics.status}:
                raise SinkError(f"broker {self._address} does not let us hear {each}; see its access list")
        self._trouble.end(f"node {topics.node}: heard again")
        async for message in connection.client.messages:
            self._take(str(message.topic), bytes(message.payload), retained=bool(message.retain))
        raise SinkError(f"broker {self._address} ended the connection")

    def _take(self, topic: str, payload: bytes, *, retained: bool) -> None:
        try:
            if topic == self._topics.status:
                self.online = payload == b"online"
            elif topic == self._topics.announce:
                self.cameras = read_cameras(payload) if payload else self.cameras
            else:
                item = read_item(topic, payload, self._topics, now=time.time())
                # a text that the broker kept is an old one, which was there before we came
                if item is not None and not (retained and isinstance(item, Summary | Answer)):
                    self._hear(item)
        except WireError as error:
            LOG.debug("%s", error)
        if self.cameras is not None and self.online is not None:
            self.known.set()
