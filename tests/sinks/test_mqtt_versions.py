"""MQTT 3.1.1 is spoken where the broker does not speak 5, and never longer than that."""

import json

import pytest
from running_sink import TOPICS, Running
from scripted_broker import ScriptedBroker
from sink_samples import ring, until

from blikk_edge.core.clock import SystemClock, VirtualClock
from blikk_edge.core.errors import SinkError
from blikk_edge.sinks.mqtt.address import Address
from blikk_edge.sinks.mqtt.connection import Protocol
from blikk_edge.sinks.mqtt.refusal import SilentError, VersionRefusedError
from blikk_edge.sinks.mqtt.versions import DOUBTED_S, REFUSED_S, SILENCES, Versions
from blikk_edge.store.store import Store

RING = TOPICS.ring("front_door")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer to the log-in is waited for half a second, and version 5 asked for again after the same."""
    monkeypatch.setattr("blikk_edge.sinks.mqtt.login.CONNECT_S", 0.5)
    monkeypatch.setattr("blikk_edge.sinks.mqtt.sink.PROBE_FIRST_S", 0.5)


def sink_to(broker: ScriptedBroker, store: Store) -> Running:
    return Running(Address(host=broker.host, port=broker.port), store, SystemClock(), mode="off")


@pytest.mark.usefixtures("impatient")
async def test_a_broker_that_was_silent_at_first_is_spoken_to_in_5(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    async with ScriptedBroker() as broker:
        broker.silent = True
        running = sink_to(broker, store)
        running.start()
        await until(lambda: len(broker.log_ins) >= 2, "some tries")
        broker.silent = False
        await running.connected()
        assert running.sink.protocol == "MQTT 5"
        assert "3.1.1" not in caplog.text
        await running.stop()


@pytest.mark.usefixtures("impatient")
async def test_a_broker_that_woke_up_during_the_try_in_3_1_1_is_soon_spoken_to_in_5(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    async with ScriptedBroker(speaks=(4,), old="silence") as broker:  # as good as silent, but for 3.1.1
        running = sink_to(broker, store)
        running.start()
        await until(lambda: running.sink.protocol == "MQTT 3.1.1", "3.1.1", 30)
        assert "speaks MQTT 3.1.1 only" not in caplog.text
        broker.speaks = (5, 4)
        await until(lambda: running.sink.protocol == "MQTT 5", "MQTT 5")
        running.inbox.put(ring(1))
        await until(lambda: [json.loads(each.payload)["id"] for each in broker.on(RING)] == ["ring-1"])
        assert b"offline" not in [each.payload for each in broker.on(TOPICS.status)]
        await running.stop()


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("old", ["words", "hang up", "silence"])
async def test_a_broker_without_5_is_found_out_in_each_way(
    store: Store, old: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with ScriptedBroker(speaks=(4,), old=old) as broker:
        running = sink_to(broker, store)
        running.start()
        await until(lambda: running.sink.protocol == "MQTT 3.1.1", "3.1.1", 30)
        await until(lambda: "speaks MQTT 3.1.1 only" in caplog.text, "the warning", 30)
        assert len([r for r in caplog.records if "speaks MQTT 3.1.1 only" in r.message]) == 1
        seen = len(broker.log_ins)
        running.inbox.put(ring(1))
        await until(lambda: broker.on(RING) and running.delivery.outbox == 0)
        assert len(broker.log_ins) == seen
        await running.stop()


async def test_that_a_broker_is_old_is_said_once_over_all_connections(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    async with ScriptedBroker(speaks=(4,)) as broker:
        running = sink_to(broker, store)
        running.start()
        for number in range(3):
            await until(lambda: len(broker.log_ins) > number and running.sink.connected)  # noqa: B023
            broker.drop()
            await until(lambda: not running.sink.connected)
        await running.connected()
        assert len([r for r in caplog.records if "speaks MQTT 3.1.1 only" in r.message]) == 1
        await running.stop()


@pytest.mark.usefixtures("impatient")
async def test_a_broker_that_takes_its_time_for_a_log_in_has_it(store: Store) -> None:
    async with ScriptedBroker() as broker:
        broker.log_in_s = 0.75  # more than the limit
        running = sink_to(broker, store)
        running.start()
        await until(lambda: running.sink.protocol == "MQTT 5", "MQTT 5", 30)
        broker.drop()
        await until(lambda: not running.sink.connected)
        seen = len(broker.log_ins)
        await until(lambda: running.sink.connected, "the next connection", 30)
        assert len(broker.log_ins) == seen + 1
        assert running.sink.protocol == "MQTT 5"
        await running.stop()


async def test_a_broker_that_learnt_5_is_asked_at_a_later_connection(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blikk_edge.sinks.mqtt.versions.REFUSED_S", 0.5)
    async with ScriptedBroker(speaks=(4,)) as broker:
        running = sink_to(broker, store)
        running.start()
        await running.connected()
        assert running.sink.protocol == "MQTT 3.1.1"
        broker.speaks = (5, 4)
        broker.drop()
        await until(lambda: running.sink.protocol == "MQTT 5")
        await running.stop()


async def test_a_broker_of_5_only_is_spoken_to_in_5(store: Store) -> None:
    async with ScriptedBroker(speaks=(5,)) as broker:
        running = sink_to(broker, store)
        running.start()
        await running.connected()
        broker.drop()
        await until(lambda: len(broker.log_ins) == 2 and running.sink.connected)
        assert {each.level for each in broker.log_ins} == {5}
        await running.stop()


def test_words_are_remembered_for_a_while_and_silence_is_doubted() -> None:
    clock = VirtualClock(1000.0)
    versions = Versions(clock)
    assert versions.choose() is Protocol.V5
    assert versions.failed(VersionRefusedError("no"), Protocol.V5)
    versions.came(Protocol.V311)
    assert (versions.choose(), versions.doubtful) == (Protocol.V311, False)
    clock.set(clock.now() + REFUSED_S)
    assert versions.choose() is Protocol.V5

    versions = Versions(clock)
    assert not versions.failed(SinkError("nobody listens"), Protocol.V5)
    for _ in range(SILENCES - 1):
        assert not versions.failed(SilentError("hush"), Protocol.V5)
        assert versions.choose() is Protocol.V5
    assert versions.failed(SilentError("hush"), Protocol.V5)
    assert versions.choose() is Protocol.V311
    versions.came(Protocol.V311)
    assert versions.doubtful
    clock.set(clock.now() + DOUBTED_S)
    assert versions.choose() is Protocol.V5


def test_a_broker_that_spoke_5_is_not_old_because_it_hangs_up_once() -> None:
    versions = Versions(VirtualClock(1000.0))
    versions.came(Protocol.V5)
    assert not versions.failed(SilentError("closed", hung_up=True), Protocol.V5)
    assert versions.choose() is Protocol.V5


def test_after_a_try_in_3_1_1_that_failed_comes_5() -> None:
    versions = Versions(VirtualClock(1000.0))
    assert versions.failed(SilentError("closed", hung_up=True), Protocol.V5)
    assert versions.choose() is Protocol.V311
    assert not versions.failed(SilentError("closed", hung_up=True), Protocol.V311)
    assert versions.choose() is Protocol.V5
