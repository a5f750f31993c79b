"""The MQTT sink as a node runs it: with the delivery that brings it its records."""

import asyncio

from sink_samples import Box1

from blikk_edge.core.clock import Clock
from blikk_edge.core.ports import Inbox, Item, Journal
from blikk_edge.runtime.delivery import Delivery
from blikk_edge.sinks.mqtt.sink import MqttSink


class Delivered:
    """Whatever delivers and a durable sink with a connection of its own, in a task each, fed by one inbox."""

    def __init__(self, sink: MqttSink, journal: Journal, clock: Clock) -> None:
        self.delivery = Delivery(journal, (sink,), clock=clock)
        self._sink = sink

    async def run(self, inbox: Inbox[Item]) -> None:
        """As in a node: at the end what is left is delivered first, and the sink says goodbye afterwards."""
        rest = Box1()

        class Records:
            """Nothing waits between the inbox and the journal."""

            async def get(self) -> Item:
                item = await inbox.get()
                rest.put(item)
                return item

        tasks = [asyncio.ensure_future(each) for each in (self.delivery.run(Records()), self._sink.run(rest))]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
                await asyncio.wait((task,))
        for task in tasks:
            task.result()
