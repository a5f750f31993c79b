"""A sink that runs in a task, and a watcher of everything said on a broker."""

import asyncio
import json
from typing import Any

import aiomqtt
from broker import Broker
from delivered import Delivered
from sink_samples import NODE, Box1, until

from blikk_edge.core.clock import Clock
from blikk_edge.core.commands import Command
from blikk_edge.core.ports import Journal
from blikk_edge.sinks.mqtt.address import Address
from blikk_edge.sinks.mqtt.sink import MqttSink
from blikk_edge.wire.topics import Topics

TOPICS = Topics("blikk", "porch")


class Watcher:
    """Hears everything on a broker, over its restarts."""

    def __init__(self, broker: Broker) -> None:
        self.heard: list[aiomqtt.Message] = []
        self.times: list[float] = []
        self.listening = asyncio.Event()
        self._broker = broker
        self._task = asyncio.ensure_future(self._listen())

    async def _listen(self) -> None:
        while True:
            try:
                async with aiomqtt.Client(
                    self._broker.host,
                    self._broker.port,
                    protocol=aiomqtt.ProtocolVersion.V5,
                    identifier="watcher",
                ) as client:
                    # QoS 0: Mosquitto hands each message on before it acknowledges it to the sender and holds none
                    # back for our acknowledgements; what it died with would look like a loss of the sink's.
                    await client.subscribe("#", qos=0)
                    self.listening.set()
                    async for message in client.messages:
                        self.heard.append(message)
                        self.times.append(asyncio.get_running_loop().time())
            except aiomqtt.MqttError:
                self.listening.clear()
                await asyncio.sleep(0.02)

    def on(self, topic: str) -> list[bytes]:
        """Payloads heard on one topic, in order."""
        return [bytes(m.payload) for m in self.heard if str(m.topic) == topic]

    def ids(self, topic: str) -> list[str]:
        """Ids of the records heard on one topic, in order, duplicates too."""
        return [json.loads(payload)["id"] for payload in self.on(topic)]

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.wait((self._task,))


class Running:
    """A sink in a task, with its inbox, its store and what it ordered."""

    def __init__(self, address: Address, journal: Journal, clock: Clock, **more: Any) -> None:
        self.inbox = Box1()
        self.orders: list[Command] = []
        self.sink = MqttSink(
            address=address,
            node=NODE,
            topics=TOPICS,
            order=self.orders.append,
            clock=clock,
            **more,
        )
        self._running = Delivered(self.sink, journal, clock)
        self.delivery = self._running.delivery
        self.task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self.task = asyncio.ensure_future(self._running.run(self.inbox))

    async def connected(self) -> None:
        def there() -> bool:
            assert self.task is not None
            if self.task.done():
                self.task.result()
            return self.sink.connected

        await until(there, "the connection")

    async def stop(self) -> None:
        if self.task is not None:
            self.task.cancel()
            await asyncio.wait((self.task,))
            if not self.task.cancelled():
                self.task.result()
            self.task = None
