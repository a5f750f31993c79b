"""The MQTT sink as a node runs it: with the delivery that brings it its records."""

import asyncio
import contextlib

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
        records, rest = Box1(), Box1()

        async def both() -> None:
            while True:
                item = await inbox.get()
                records.put(item)
                rest.put(item)

        tasks = [asyncio.ensure_future(each) for each in (both(), self.delivery.run(records), self._sink.run(rest))]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            with contextlib.suppress(TimeoutError):
                while True:
                    async with asyncio.timeout(0.02):
                        records.put(await inbox.get())
            for task in tasks:
                task.cancel()
                await asyncio.wait((task,))
        for task in tasks:
            task.result()
