"""A broker, a watcher, a store and a sink that runs, for each test."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from amqtt.broker import Broker as OldBroker
from broker import Broker
from running_sink import Running, Watcher

from blikk_edge.core.clock import SystemClock
from blikk_edge.sinks.mqtt.address import Address
from blikk_edge.store.store import Store


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path) as broker:
        yield broker


@pytest.fixture
async def watcher(broker: Broker) -> AsyncIterator[Watcher]:
    watcher = Watcher(broker)
    await watcher.listening.wait()
    yield watcher
    await watcher.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "state" / "blikk.db")
    store.open()
    yield store
    store.close()


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stop has the time that a busy machine takes for it, where a test looks at what it leaves behind."""
    monkeypatch.setattr("blikk_edge.runtime.delivery.LEFT_S", 20.0)
    monkeypatch.setattr("blikk_edge.sinks.mqtt.sink.FAREWELL_S", 10.0)


@pytest.fixture
async def running(broker: Broker, store: Store) -> AsyncIterator[Running]:
    running = Running(Address(host=broker.host, port=broker.port), store, SystemClock(), mode="off")
    running.start()
    await running.connected()
    yield running
    await running.stop()


@pytest.fixture
async def old_broker(free_port: int) -> AsyncIterator[Address]:
    """A broker that refuses MQTT 5."""
    config = {
        "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{free_port}"}},
        "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
    }
    broker = OldBroker(config)
    await broker.start()
    yield Address(host="127.0.0.1", port=free_port)
    await broker.shutdown()
