"""The MQTT sink: stays connected, keeps what is told while it is not, and leaves `offline` behind when it ends."""

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from typing import Any, Final

import aiomqtt

from blikk_edge.core.backoff import Backoff
from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import SinkError
from blikk_edge.core.house import CameraAvailability, CameraState, Health, NodeInfo
from blikk_edge.core.inquiry import Answerer
from blikk_edge.core.observation import Shown, Withdrawn
from blikk_edge.core.picture import FRAME, Picture
from blikk_edge.core.ports import Inbox, Item, Order, Outbox
from blikk_edge.sinks.mqtt.address import Address
from blikk_edge.sinks.mqtt.backlog import Backlog
from blikk_edge.sinks.mqtt.connection import Protocol, connected
from blikk_edge.sinks.mqtt.newest import Newest
from blikk_edge.sinks.mqtt.refusal import SECOND_NODE, LostError, SilentError, VersionRefusedError, lost
from blikk_edge.sinks.mqtt.session import Session
from blikk_edge.wire.desk import DiscoveryDesk
from blikk_edge.wire.discovery import devices
from blikk_edge.wire.messages import availability
from blikk_edge.wire.topics import Topics

LOG = logging.getLogger("blikk.mqtt")

STEADY_S: Final = 10.0
"""A connection that lasted this long was a good one: the next pause is the first again."""

OFTEN: Final = 3
"""So many short connections in a row look like two nodes that take the connection from each other."""

SWEEP_S: Final = 0.02
LEFT_S: Final = 0.8
"""For the records that wait at a stop; those that do not make it are published after the next start."""

FAREWELL_S: Final = 0.4
"""For `offline` alone, however many records wait. With these two and the goodbye a stop stays below 2 s."""


class MqttSink:
    """Publishes everything to one broker and takes commands from it.

    Records are on disk (`outbox`) before they are published, are published in order with QoS 1, and are forgotten when
    the broker has acknowledged them; those that waited through an outage or a restart carry `replayed`. Pictures are
    published while connected and dropped otherwise; of states and Pictures the newest per topic counts. `ask` answers
    requests. `mode`, `discovery_prefix` and `birth_topic` are Home Assistant's (`wire.desk`).
    """

    name = "mqtt"

    def __init__(
        self,
        *,
        address: Address,
        node: NodeInfo,
        topics: Topics,
        outbox: Outbox,
        order: Order,
        clock: Clock,
        ask: Answerer | None = None,
        mode: str = "auto",
        discovery_prefix: str = "homeassistant",
        birth_topic: str = "homeassistant/status",
    ) -> None:
        self.problem: str | None = None
        self.protocol: str | None = None
        self._address = address
        self._node = node
        self._topics = topics
        self._order = order
        self._clock = clock
        self._ask = ask
        self._backlog = Backlog(outbox)
        self._newest = Newest()
        self._desk = DiscoveryDesk(
            devices(node, topics, prefix=discovery_prefix),
            topics,
            mode=mode,
            prefix=discovery_prefix,
            birth_topic=birth_topic,
        )
        self._speaks = Protocol.V5
        self._refuses_v5 = False
        self._spoke_v5 = False
        self._outage = False
        self._arrived = asyncio.Event()

    @property
    def connected(self) -> bool:
        """Whether the broker has us now."""
        return self.protocol is not None

    @property
    def outbox(self) -> int:
        """How many records wait for the broker."""
        return self._backlog.depth

    @property
    def unsaved(self) -> int:
        """How many records wait in memory only, because the disk refuses them."""
        return self._backlog.unsaved

    async def save(self) -> None:
        """Try to bring them to disk."""
        await self._backlog.save()

    @property
    def lost(self) -> int:
        """How many records were given up since start."""
        return self._backlog.lost

    async def run(self, inbox: Inbox[Item]) -> None:
        """Deliver until cancelled, through every outage; then publish what is left and `offline`, within 2 s.

        Where the broker does not take `offline` in time, the connection is dropped and its last will says it.
        Raises nothing that is expected: a broker that is away or refuses us is told once, and tried again after a
        jittered pause of 1 s to 30 s. See `problem`.
        """
        async with asyncio.TaskGroup() as group:
            drain = group.create_task(self._drain(inbox), name="mqtt.drain")
            group.create_task(self._stay_connected(drain), name="mqtt.connection")

    async def _drain(self, inbox: Inbox[Item]) -> None:
        """Inbox to backlog, whether connected or not; at the end everything that still waits."""
        try:
            while True:
                await _to_its_end(self._take(await inbox.get()))
        finally:
            with contextlib.suppress(TimeoutError):
                while True:
                    async with asyncio.timeout(SWEEP_S):
                        item = await inbox.get()
                    await self._take(item)

    async def _take(self, item: Item) -> None:
        match item:
            case CameraState() | CameraAvailability() | Health():
                self._newest.status(item)
            case Picture():
                if self.connected and item.name != FRAME:
                    self._newest.picture(item)
            case _:
                if isinstance(item, Withdrawn) and item.what is Shown.PICTURE:
                    self._newest.drop_picture(item.camera, item.name)
                await self._backlog.put(item)
                self._arrived.set()

    async def _stay_connected(self, drain: asyncio.Task[None]) -> None:
        backoff, short = Backoff(), 0
        while True:
            began = self._clock.monotonic()
            was = self._speaks
            try:
                await _by_itself(self._connect(drain))
            except SinkError as error:
                if self._speak_other(error) and was is Protocol.V5:
                    LOG.info("%s; trying MQTT 3.1.1", error)
                    continue
                if self._clock.monotonic() - began >= STEADY_S:
                    backoff.reset()
                    short = 0
                else:
                    short += isinstance(error, LostError)
                self._went(error, hint=f"; {SECOND_NODE}" if short >= OFTEN else "")
            await self._clock.sleep(backoff.next_s())

    def _speak_other(self, error: SinkError) -> bool:
        """Choose the protocol of the next try; True when it is worth trying at once.

        Old brokers refuse version 5 in words, and are remembered; or they hang up or say nothing, and are asked again
        at the next outage, as a new one that is just starting may do so too. One that has spoken version 5 is not old.
        """
        if isinstance(error, VersionRefusedError) and self._speaks is Protocol.V5:
            self._refuses_v5 = True
        silent = isinstance(error, SilentError) and self._speaks is Protocol.V5 and not self._spoke_v5
        self._speaks = Protocol.V311 if self._refuses_v5 or silent else Protocol.V5
        return isinstance(error, VersionRefusedError) or silent

    async def _connect(self, drain: asyncio.Task[None]) -> None:
        will = availability(self._topics, online=False)
        identifier = f"blikk-{self._topics.node}"
        async with connected(self._address, identifier=identifier, will=will, protocol=self._speaks) as connection:
            session = Session(
                connection,
                node=self._node,
                topics=self._topics,
                backlog=self._backlog,
                newest=self._newest,
                arrived=self._arrived,
                desk=self._desk,
                order=self._order,
                ask=self._ask,
                clock=self._clock,
            )
            try:
                await session.greet()
                self._came(connection.protocol)
                await session.go_on()
            except aiomqtt.MqttError as error:
                raise lost(self._address, error) from error
            except asyncio.CancelledError:
                await self._part(session, drain)
                raise
            finally:
                self.protocol = None
                self._newest.drop_pictures()

    async def _part(self, session: Session, drain: asyncio.Task[None]) -> None:
        try:
            async with asyncio.timeout(LEFT_S):
                await asyncio.wait((drain,))
                await session.publish_left()
        except* (TimeoutError, aiomqtt.MqttError):
            LOG.info("%d records wait for the next start", self._backlog.depth)
        try:
            async with asyncio.timeout(FAREWELL_S):
                await session.farewell()
        except (TimeoutError, aiomqtt.MqttError):
            LOG.warning("%s did not take `offline` in time; the last will says it", self._address)
        else:
            LOG.info("disconnected from %s", self._address)

    def _came(self, protocol: Protocol) -> None:
        if self._outage:
            self._backlog.age()
        self._outage, self.problem = False, None
        self.protocol = str(protocol)
        self._spoke_v5 = self._spoke_v5 or protocol is Protocol.V5
        if protocol is Protocol.V311:
            LOG.warning(
                "connected to %s, which speaks MQTT 3.1.1 only: Pictures cannot expire there and are not retained; "
                "a broker with MQTT 5 (Mosquitto 1.6 or newer) mends that",
                self._address,
            )
        else:
            LOG.info("connected to %s (%s), %d records wait", self._address, protocol, self._backlog.depth)

    def _went(self, error: SinkError, *, hint: str) -> None:
        self._outage = True
        problem = f"{error}{hint}"
        if self.problem != problem:
            LOG.warning("%s", problem)
        self.problem = problem


async def _by_itself(work: Coroutine[Any, Any, None]) -> None:
    """Await `work` in a task of its own: a group in it that loses its connection just then would swallow our end."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait((task,))
    except asyncio.CancelledError:
        task.cancel()
        with contextlib.suppress(SinkError, asyncio.CancelledError):
            await task
        raise
    task.result()


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Await `work`; a cancellation waits until it is done, so that no record falls between inbox and disk."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise
