"""What is said and heard on one connection, from `online` to `offline`."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import aiomqtt

from blikk_edge.core.clock import Clock
from blikk_edge.core.commands import Snapshot
from blikk_edge.core.errors import WireError
from blikk_edge.core.house import CameraAvailability, NodeInfo
from blikk_edge.core.inquiry import Answerer
from blikk_edge.core.observation import Shown, Withdrawn
from blikk_edge.core.picture import SNAPSHOT
from blikk_edge.core.ports import Order, Pending
from blikk_edge.core.seldom import Seldom
from blikk_edge.sinks.mqtt.asked import Asked
from blikk_edge.sinks.mqtt.backlog import Backlog
from blikk_edge.sinks.mqtt.connection import Connection
from blikk_edge.sinks.mqtt.newest import Newest
from blikk_edge.sinks.mqtt.retained import Retained
from blikk_edge.wire.desk import Advice, DiscoveryDesk
from blikk_edge.wire.messages import Message, announce, availability, decode_command, encode
from blikk_edge.wire.topics import Topics

LOG = logging.getLogger("blikk.mqtt")

WINDOW: Final = 16
"""Records under way at once: with the four others that may be, the 20 that Mosquitto and paho allow."""


class Session:
    """One connection's work; methods raise MqttError when the connection is gone."""

    def __init__(
        self,
        connection: Connection,
        *,
        node: NodeInfo,
        topics: Topics,
        backlog: Backlog,
        newest: Newest,
        arrived: asyncio.Event,
        desk: DiscoveryDesk,
        order: Order,
        ask: Answerer | None,
        clock: Clock,
    ) -> None:
        self._connection = connection
        self._node = node
        self._topics = topics
        self._cameras = frozenset(camera.id for camera in node.cameras)
        self._backlog = backlog
        self._newest = newest
        self._arrived = arrived
        self._desk = desk
        self._retained = Retained(topics, node.cameras)
        self._order = order
        self._clock = clock
        self._group: asyncio.TaskGroup | None = None
        self._timer: asyncio.Task[None] | None = None
        self._tidied = False
        self._asked = Asked(connection, topics=topics, cameras=self._cameras, ask=ask, complain=self._complain)
        self._complaints = Seldom(clock)

    async def greet(self) -> None:
        """Subscribe, then say who is here."""
        heard = (self._topics.set_filter, self._topics.ask, *self._desk.filters, *self._retained.filters)
        for topic_filter in heard:
            await self._connection.subscribe(topic_filter)
        await self._connection.publish(availability(self._topics, online=True))
        await self._connection.publish(announce(self._node, self._topics))
        self._restate()

    async def go_on(self) -> None:
        """Publish and listen until the connection is gone (MqttError) or the task is cancelled."""
        try:
            async with asyncio.TaskGroup() as self._group:
                self._group.create_task(self._publish_records(), name="mqtt.records")
                self._group.create_task(self._publish_newest(), name="mqtt.newest")
                self._group.create_task(self._listen(), name="mqtt.listen")
                await self._follow(self._desk.connected())
        except BaseExceptionGroup as group:
            gone, bugs = group.split(aiomqtt.MqttError)
            if bugs is not None or gone is None:
                raise
            error = _first(gone)
            raise error from error.__cause__

    async def publish_left(self) -> None:
        """Publish records until none waits; raises an exception group of MqttErrors when the connection is gone."""
        while waiting := await self._backlog.oldest(WINDOW):
            await self._publish_window(waiting)

    async def farewell(self) -> None:
        """Publish `offline` for every camera, then for the node; after that the last will is not needed."""
        for camera in self._node.cameras:
            gone = CameraAvailability(camera=camera.id, online=False)
            await self._publish(encode(gone, self._topics))
        await self._connection.publish(availability(self._topics, online=False))
        self._connection.will_needed = False

    async def _publish_records(self) -> None:
        while True:
            self._arrived.clear()
            waiting = await self._backlog.oldest(WINDOW)
            if waiting:
                await self._publish_window(waiting)
            else:
                await self._arrived.wait()

    async def _publish_window(self, waiting: Sequence[Pending]) -> None:
        """Publish in order without waiting for each other's acknowledgement."""
        acknowledged: list[int] = []

        async def publish(pending: Pending) -> None:
            await self._publish(encode(pending.record, self._topics, replayed=pending.replayed))
            acknowledged.append(pending.seq)
            match pending.record:
                case Withdrawn(camera=str(camera), what=Shown.PICTURE, name=name) if name == SNAPSHOT:
                    self._order(Snapshot(camera=camera))  # not earlier: the new still would be emptied too

        try:
            # Tasks begin in the order they are made, and each hands its packet over before it first waits.
            async with asyncio.TaskGroup() as group:
                for pending in waiting:
                    group.create_task(publish(pending))
        finally:
            await self._backlog.delivered(acknowledged)

    async def _publish_newest(self) -> None:
        while True:
            item = self._newest.take()
            if item is None:
                await self._newest.waiting.wait()
            else:
                await self._publish(encode(item, self._topics))

    async def _publish(self, message: Message) -> None:
        """Publish; the broker keeps it only if it shall (`DiscoveryDesk.retaining`)."""
        if message.retain and message.payload:
            if self._desk.retaining:
                self._retained.holds(message.topic)
            else:
                message = replace(message, retain=False)
        await self._connection.publish(message)

    def _restate(self) -> None:
        """The broker, or whoever listens from now on, knows nothing of us yet."""
        self._newest.restate()
        for camera in self._node.cameras:
            self._order(Snapshot(camera=camera.id))

    async def _tidy(self) -> None:
        for message in self._retained.empty(everything=not self._desk.retaining):
            await self._connection.publish(message)

    async def _listen(self) -> None:
        async for message in self._connection.client.messages:
            topic, payload = str(message.topic), bytes(message.payload)
            if aiomqtt.Topic(topic).matches(self._topics.set_filter):
                self._command(topic, payload, retained=message.retain)
            elif topic == self._topics.ask:
                assert self._group is not None  # listened to within go_on only
                self._asked.received(message, self._group)
            elif any(aiomqtt.Topic(topic).matches(each) for each in self._retained.filters):
                if message.retain and payload:
                    self._retained.holds(topic)
            else:
                await self._desk_hears(topic, payload)

    async def _desk_hears(self, topic: str, payload: bytes) -> None:
        before = self._desk.retaining
        await self._follow(self._desk.received(topic, payload))
        if self._desk.retaining and not before:
            self._restate()
        elif before and not self._desk.retaining:
            await self._tidy()

    def _command(self, topic: str, payload: bytes, *, retained: bool) -> None:
        try:
            command = decode_command(topic, payload, self._topics, self._cameras, retained=retained)
        except WireError as error:
            self._complain(error)
            return
        self._order(command)

    def _complain(self, error: WireError) -> None:
        if (unsaid := self._complaints.turn()) is not None:
            more = f" (and {unsaid} more before)" if unsaid else ""
            LOG.warning("a message was not understood: %s%s", error, more)

    async def _follow(self, advice: Advice) -> None:
        if advice.warning is not None:
            LOG.warning("%s", advice.warning)
        if advice.restate:
            await self._connection.publish(availability(self._topics, online=True))
        for message in advice.messages:
            await self._connection.publish(message)
        if advice.restate:
            self._newest.restate()
        if advice.again_in_s is not None:
            assert self._group is not None  # advice is followed within go_on only
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._group.create_task(self._come_back(advice.again_in_s), name="mqtt.entities")

    async def _come_back(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._timer = None  # from here on it must not be cancelled by what it brings about
        await self._follow(self._desk.due())
        if not self._tidied:
            self._tidied = True
            await self._connection.unsubscribe(self._retained.filters)
            await self._tidy()


def _first(group: BaseExceptionGroup[aiomqtt.MqttError]) -> aiomqtt.MqttError:
    """One error of a group that may hold groups."""
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
