"""Strangers who publish on the topics that a node hears: few log lines, bounded work, bounded memory."""

import json

import aiomqtt
import pytest
from broker import Broker
from running_sink import TOPICS, Running, Watcher
from scripted_broker import ScriptedBroker
from sink_samples import ring, until

from blikk_edge.core.allowance import Allowance
from blikk_edge.core.clock import SystemClock, VirtualClock
from blikk_edge.sinks.mqtt.address import Address
from blikk_edge.sinks.mqtt.session import COMMANDS
from blikk_edge.store.store import Store
from blikk_edge.wire.discovery_planner import STRANGERS_MAX

CONFIG = "homeassistant/device/blikk_porch/camera_front_door/config"
BIRTH = "homeassistant/status"
RING = TOPICS.ring("front_door")
FLOOD = 500


async def lines_of(flood: str, broker: Broker, store: Store, caplog: pytest.LogCaptureFixture) -> Watcher:
    """What a flood made the sink publish; when this returns, the flood is over and a ring behind it was heard."""
    running = Running(Address(host=broker.host, port=broker.port), store, SystemClock(), mode="auto")
    watcher = Watcher(broker)
    await watcher.listening.wait()
    running.start()
    await running.connected()
    await until(lambda: watcher.on(CONFIG), "discovery")
    caplog.clear()
    async with aiomqtt.Client(broker.host, broker.port, identifier="stranger") as stranger:
        for number in range(FLOOD):
            match flood:
                case "config":
                    await stranger.publish(CONFIG, json.dumps({"number": number}), qos=1)
                case "configs":
                    await stranger.publish(CONFIG.replace("front_door", str(number)), b"{}", qos=1, retain=True)
                case "birth":
                    await stranger.publish(BIRTH, b"online", qos=1)
                case "claim":
                    await stranger.publish(TOPICS.claim, b"x" if number % 2 else b"", qos=1)
                case "command":
                    await stranger.publish(TOPICS.set("yard", "snapshot"), b"PRESS", qos=1)
                case "rubbish":
                    await stranger.publish(TOPICS.set("yard", "detect"), str(number), qos=1)
                case "ask":
                    properties = json.dumps({"question": "?", "response_topic": f"homeassistant/x/{number}/config"})
                    await stranger.publish(TOPICS.ask, properties, qos=1)
    running.inbox.put(ring(1))
    await until(lambda: watcher.on(RING), "the ring")
    assert running.sink.connected
    if flood == "command":
        await until(lambda: len(running.orders) >= COMMANDS)
        assert len(running.orders) <= COMMANDS + FLOOD / 5
    await running.stop()
    await watcher.close()
    return watcher


@pytest.mark.parametrize("flood", ["config", "configs", "birth", "claim", "command", "rubbish", "ask"])
async def test_a_flood_is_a_few_lines(
    broker: Broker, store: Store, caplog: pytest.LogCaptureFixture, flood: str
) -> None:
    caplog.set_level("INFO")
    watcher = await lines_of(flood, broker, store, caplog)
    assert len([r for r in caplog.records if r.name.startswith("blikk")]) <= 6
    ours = [bytes(m.payload) for m in watcher.heard if str(m.topic) == CONFIG and b'"number"' not in bytes(m.payload)]
    assert len(ours) <= 20, "discovery was published for each message of the flood"
    assert len(watcher.on(TOPICS.status)) <= 20


async def test_the_second_birth_of_two_is_not_forgotten(store: Store) -> None:
    async with ScriptedBroker() as broker:
        running = Running(Address(host=broker.host, port=broker.port), store, SystemClock(), mode="auto")
        running.start()
        await until(lambda: broker.on(CONFIG))
        for times in (2, 3):
            broker.say(BIRTH, b"online")
            await until(lambda: len(broker.on(CONFIG)) == times, "discovery again")  # noqa: B023 - within the turn
        await running.stop()


async def test_a_config_topic_that_goes_on_changing_is_mended_all_the_same(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blikk_edge.sinks.mqtt.session.HELD_UP_S", 0.5)
    async with ScriptedBroker() as broker:
        running = Running(Address(host=broker.host, port=broker.port), store, SystemClock(), mode="auto")
        running.start()
        await until(lambda: broker.on(CONFIG))

        def again() -> bool:
            broker.say(CONFIG, b"")
            return len(broker.on(CONFIG)) > 1

        await until(again, "discovery again")
        await running.stop()


async def test_strangers_topics_are_bounded(store: Store) -> None:
    async with ScriptedBroker() as broker:
        for number in range(STRANGERS_MAX + 500):
            broker.retained[f"homeassistant/device/blikk_porch/x{number}/config"] = b"{}"
        running = Running(Address(host=broker.host, port=broker.port), store, SystemClock(), mode="auto")
        running.start()
        await until(lambda: broker.on(CONFIG), "discovery", 30)
        assert len(running.sink._planner._on_broker) <= STRANGERS_MAX + 5
        await running.stop()


def test_an_allowance_is_refilled_and_kept_by_key() -> None:
    clock = VirtualClock(1000.0)
    allowance = Allowance(clock, at_once=3, per_s=2.0)
    assert [allowance.take("a") for _ in range(5)] == [True, True, True, False, False]
    assert allowance.take("b")
    clock.set(clock.now() + 1.0)
    assert [allowance.take("a") for _ in range(3)] == [True, True, False]
    clock.set(clock.now() + 3600.0)
    assert [allowance.take("a") for _ in range(4)] == [True, True, True, False]
