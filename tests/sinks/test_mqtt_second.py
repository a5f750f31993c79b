"""A second broker: it gets every record that the first one gets, and is listened to in nothing."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import aiomqtt
import pytest
from broker import Broker
from running_sink import TOPICS, Running, Watcher
from sink_samples import NODE, Box1, Hasty, event, observation, state, until

from blikk_edge.core.clock import SystemClock
from blikk_edge.core.commands import Command, Set
from blikk_edge.runtime.delivery import Delivery
from blikk_edge.sinks.mqtt.address import Address
from blikk_edge.sinks.mqtt.sink import MqttSink
from blikk_edge.store.store import Store


class Both:
    """Two sinks with a broker each, and what brings records to them."""

    def __init__(self, first: Broker, second: Broker, store: Store) -> None:
        self.orders: list[Command] = []
        self.sinks = [
            MqttSink(
                address=Address(host=broker.host, port=broker.port),
                node=NODE,
                topics=TOPICS,
                order=self.orders.append,
                clock=Hasty(),
                second=broker is second,
            )
            for broker in (first, second)
        ]
        store.follow({sink.name: sink.takes for sink in self.sinks})
        self.delivery = Delivery(store, self.sinks, clock=Hasty())
        self.records = Box1()
        self.states = [Box1(), Box1()]
        works = (sink.run(box) for sink, box in zip(self.sinks, self.states, strict=True))
        self.tasks = [asyncio.ensure_future(work) for work in (self.delivery.run(self.records), *works)]

    async def close(self) -> None:
        for task in self.tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


@pytest.fixture
async def brokers(tmp_path: Path) -> AsyncIterator[tuple[Broker, Broker]]:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    with Broker(tmp_path / "first") as first, Broker(tmp_path / "second") as second:
        yield first, second


async def test_both_brokers_get_every_record_through_an_outage_of_the_second(
    brokers: tuple[Broker, Broker], store: Store
) -> None:
    watchers = [Watcher(broker) for broker in brokers]
    for watcher in watchers:
        await watcher.listening.wait()
    both = Both(*brokers, store)
    topic = TOPICS.observation("front_door")
    both.records.put(*(observation(number) for number in range(50)))
    await until(lambda: all(len(watcher.ids(topic)) == 50 for watcher in watchers), "the first fifty")
    await asyncio.to_thread(brokers[1].kill)
    await until(lambda: both.sinks[1].problem, "a problem")
    both.records.put(*(observation(number) for number in range(50, 100)))
    await until(lambda: len(watchers[0].ids(topic)) == 100, "the first broker's, which waits for nobody")
    assert both.sinks[0].problem is None
    watchers[1].listening.clear()
    await asyncio.to_thread(brokers[1].start)
    await until(lambda: both.delivery.outbox == 0, "delivery")
    await until(lambda: both.sinks[1].problem is None, "no problem")
    both.records.put(event(1))
    await until(lambda: all(watcher.ids(TOPICS.event("front_door")) for watcher in watchers), "the last")
    for each in (*watchers, both):
        await each.close()

    ids = [f"observation-{number}" for number in range(100)]
    assert watchers[0].ids(topic) == ids
    # what came while the test's own watcher was not back yet is not among those it heard
    assert watchers[1].ids(topic)[:50] == ids[:50]
    assert set(watchers[1].ids(topic)) <= set(ids)
    assert len(watchers[1].ids(topic)) == len(set(watchers[1].ids(topic)))
    assert both.delivery.lost == 0


async def test_the_second_makes_no_entities_takes_no_commands_and_says_so(
    brokers: tuple[Broker, Broker], store: Store
) -> None:
    watchers = [Watcher(broker) for broker in brokers]
    for watcher in watchers:
        await watcher.listening.wait()
    both = Both(*brokers, store)
    for box in both.states:
        box.put(state())
    await until(lambda: all(watcher.on(TOPICS.state("front_door")) for watcher in watchers), "states")
    await until(lambda: any("homeassistant" in str(m.topic) for m in watchers[0].heard), "discovery on the first")
    for broker, payload in (brokers[1], b"0.7"), (brokers[0], b"0.4"):
        async with aiomqtt.Client(broker.host, broker.port) as client:
            await client.publish(TOPICS.set("front_door", "threshold"), payload, qos=1)
    await until(lambda: any(isinstance(each, Set) for each in both.orders), "an order")
    announced = [json.loads(watcher.on(TOPICS.announce)[-1])["capabilities"] for watcher in watchers]
    names = [str(message.topic) for message in watchers[1].heard]
    logs = [broker.log for broker in brokers]
    for each in (*watchers, both):
        await each.close()

    assert [each.value for each in both.orders if isinstance(each, Set)] == [0.4]
    assert "set" in announced[0]
    assert not {"set", "snapshot", "ask", "mark", "describe"} & set(announced[1])
    assert not [name for name in names if name.startswith("homeassistant/")]
    assert "Received SUBSCRIBE from blikk-porch" in logs[0]
    assert "Received CONNECT from blikk-porch-second" not in logs[0]
    assert "as blikk-porch-second" in logs[1]
    assert "Received SUBSCRIBE from blikk-porch" not in logs[1]


async def test_its_errors_name_its_own_keys(tmp_path: Path, store: Store) -> None:
    with Broker(tmp_path, password=("blikk", "sesame")) as broker:
        running = Running(Address(host=broker.host, port=broker.port), store, SystemClock(), second=True)
        running.start()
        await until(lambda: running.sink.problem, "a problem")
        problem = running.sink.problem or ""
        await running.stop()

    assert "see sinks.mqtt.username" in problem
    assert " mqtt.username" not in problem
