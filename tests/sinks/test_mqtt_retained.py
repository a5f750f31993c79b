"""What the broker keeps: in `integration` mode without a claim `announce` and `status`, and nothing of what is gone."""

import time
from collections.abc import AsyncIterator

import aiomqtt
import pytest
from broker import Broker
from patience import PATIENCE
from running_sink import TOPICS, Running, Watcher
from sink_samples import Box1, picture, state, until

from blikk_edge.core.clock import SystemClock
from blikk_edge.core.commands import Snapshot
from blikk_edge.sinks.mqtt.address import Address
from blikk_edge.store.store import Store

WHO = {TOPICS.announce, TOPICS.status}
SEEN = {TOPICS.state("front_door"), TOPICS.picture("front_door", "person")}


@pytest.fixture
async def outside(broker: Broker) -> AsyncIterator[aiomqtt.Client]:
    async with aiomqtt.Client(broker.host, broker.port, identifier="outside") as client:
        yield client


@pytest.fixture
async def for_component(broker: Broker, store: Store) -> AsyncIterator[Running]:
    running = Running(Address(host=broker.host, port=broker.port), store, SystemClock(), mode="integration")
    running.start()
    await running.connected()
    yield running
    await running.stop()


async def kept(broker: Broker) -> set[str]:
    """Every topic that somebody who subscribes now learns of."""
    topics = set()
    async with aiomqtt.Client(broker.host, broker.port) as late:
        await late.subscribe("#", qos=1)
        await late.publish("the/end", b"", qos=1)
        async for message in late.messages:
            if str(message.topic) == "the/end":
                break
            if message.retain:
                topics.add(str(message.topic))
    return topics


async def until_kept(broker: Broker, topics: set[str]) -> None:
    end = time.monotonic() + 10 * PATIENCE
    while (there := await kept(broker)) != topics:
        assert time.monotonic() < end, there ^ topics


async def see(inbox: Box1, watcher: Watcher) -> None:
    """A state and a Picture on their way, until they are heard."""
    before = [len(watcher.on(topic)) for topic in SEEN]
    inbox.put(state(), picture(1))
    await until(lambda: all(len(watcher.on(t)) > n for t, n in zip(SEEN, before, strict=True)), "what is seen")


async def test_without_a_claim_the_component_finds_who_is_there_and_nothing_else(
    for_component: Running, watcher: Watcher, broker: Broker
) -> None:
    await see(for_component.inbox, watcher)

    assert await kept(broker) == WHO


async def test_a_claim_brings_what_is_there_and_its_end_takes_all_away(
    for_component: Running, watcher: Watcher, broker: Broker, outside: aiomqtt.Client
) -> None:
    await see(for_component.inbox, watcher)
    asked = len(for_component.orders)

    await outside.publish(TOPICS.claim, b'{"by":"test"}', qos=1, retain=True)
    await until_kept(broker, WHO | {TOPICS.claim, TOPICS.state("front_door")})
    assert Snapshot(camera="front_door") in for_component.orders[asked:]
    await see(for_component.inbox, watcher)
    assert await kept(broker) == WHO | SEEN | {TOPICS.claim}

    await outside.publish(TOPICS.claim, b"", qos=1, retain=True)
    await until_kept(broker, WHO)


async def test_what_a_claim_left_that_ended_while_the_node_was_away_goes_at_its_next_start(
    for_component: Running, watcher: Watcher, broker: Broker, outside: aiomqtt.Client
) -> None:
    await outside.publish(TOPICS.claim, b'{"by":"test"}', qos=1, retain=True)
    await until(lambda: Snapshot(camera="yard") in for_component.orders[2:], "the claim")
    await see(for_component.inbox, watcher)
    await for_component.stop()
    assert await kept(broker) >= SEEN
    await outside.publish(TOPICS.claim, b"", qos=1, retain=True)

    for_component.start()

    await until_kept(broker, WHO)


async def test_what_is_no_longer_configured_goes_and_all_else_stays(
    running: Running, watcher: Watcher, broker: Broker, outside: aiomqtt.Client
) -> None:
    await see(running.inbox, watcher)
    await running.stop()
    before = await kept(broker)
    gone = {
        TOPICS.camera_status("garage"),
        TOPICS.state("garage"),
        TOPICS.picture("garage", "person"),
        TOPICS.summary("garage"),
        TOPICS.camera_digest("garage"),
        TOPICS.answer("garage", "open"),
        TOPICS.answer("front_door", "no_longer_asked"),
    }
    for topic in (*gone, "blikk/other/garage/state"):
        await outside.publish(topic, b"{}", qos=1, retain=True)

    running.start()

    await until_kept(broker, before | {"blikk/other/garage/state"})
