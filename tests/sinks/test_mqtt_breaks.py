"""Connections that break for a moment: with MQTT 5 nobody hears of it. Who stays away is offline, who stops at once."""

import asyncio
import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiomqtt
import pytest
from broker import Broker
from patience import in_time
from running_sink import TOPICS, Running, Watcher
from scripted_broker import ScriptedBroker
from sink_samples import until
from test_mqtt_connection import IDLE_NODE

from blikk_edge.core.clock import SystemClock
from blikk_edge.core.commands import Press
from blikk_edge.sinks.mqtt.address import Address
from blikk_edge.sinks.mqtt.login import WILL_DELAY_S
from blikk_edge.store.store import Store

RING = TOPICS.set("front_door", "ring")


class Line:
    """A way to a broker that can be cut and mended, as by a switch in between: neither end is reported politely."""

    def __init__(self, port: int) -> None:
        self.port = 0
        self._to = port
        self._ends: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def mend(self) -> None:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        assert self._server is not None
        self._server.close()
        for end in self._ends:
            end.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._to)
        self._ends |= {writer, back}
        await asyncio.gather(_pass(reader, back), _pass(there, writer))


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while some := await reader.read(65536):
            writer.write(some)
            await writer.drain()
    writer.transport.abort()


@pytest.fixture
async def line(broker: Broker) -> AsyncIterator[Line]:
    line = Line(broker.port)
    await line.mend()
    yield line
    line.cut()


@pytest.fixture
async def far(line: Line, store: Store) -> AsyncIterator[Running]:
    """A sink at the other end of the line."""
    running = Running(Address(host="127.0.0.1", port=line.port), store, SystemClock(), mode="off")
    running.start()
    await running.connected()
    yield running
    await running.stop()


async def said_by(watcher: Watcher, broker: Broker, seconds: float) -> list[bytes]:
    """What the watcher has heard of the node's status after so many seconds: with a delayed will this is no state."""
    await asyncio.sleep(seconds)
    async with aiomqtt.Client(broker.host, broker.port, identifier="marker") as marker:
        await marker.publish("marker", b"now", qos=1)
    await until(lambda: watcher.on("marker"))
    return watcher.on(TOPICS.status)


async def test_a_break_of_a_moment_is_heard_by_nobody(
    line: Line, far: Running, broker: Broker, watcher: Watcher
) -> None:
    await until(lambda: watcher.on(TOPICS.status))
    line.cut()
    await until(lambda: not far.sink.connected)
    await line.mend()
    await far.connected()
    said = await said_by(watcher, broker, WILL_DELAY_S + 2)
    assert set(said) == {b"online"}


async def test_a_killed_node_that_is_back_at_once_was_never_away(
    tmp_path: Path, broker: Broker, watcher: Watcher
) -> None:
    here = str(Path(__file__).parents[1])
    command = [sys.executable, "-c", IDLE_NODE, str(tmp_path / "n.db"), str(broker.port), here]
    for times in (1, 2):
        with subprocess.Popen(command) as node:
            await until(lambda n=times: len(watcher.on(TOPICS.status)) == n, "online")
            node.send_signal(signal.SIGKILL)
    assert watcher.on(TOPICS.status) == [b"online", b"online"]


async def test_a_second_node_of_the_same_name_is_no_reason_for_offline(
    far: Running, broker: Broker, watcher: Watcher, tmp_path: Path
) -> None:
    await until(lambda: watcher.on(TOPICS.status))
    other_store = Store(tmp_path / "other.db")
    other_store.open()
    other = Running(Address(host=broker.host, port=broker.port), other_store, SystemClock(), mode="off")
    other.start()
    await until(lambda: far.sink.problem and "second node of this name" in far.sink.problem)
    assert b"offline" not in watcher.on(TOPICS.status)
    await other.stop()
    other_store.close()


@in_time
async def test_a_stop_says_offline_at_once(broker: Broker, watcher: Watcher, store: Store) -> None:
    running = Running(Address(host=broker.host, port=broker.port), store, SystemClock(), mode="off")
    running.start()
    await running.connected()
    began = time.monotonic()
    await running.stop()
    await until(lambda: watcher.on(TOPICS.status)[-1:] == [b"offline"])
    assert time.monotonic() - began < WILL_DELAY_S / 2


async def test_a_press_during_a_break_rings_and_one_of_before_does_not(
    line: Line, far: Running, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def press() -> None:
        async with aiomqtt.Client(broker.host, broker.port, identifier="button") as button:
            await button.publish(RING, b"PRESS", qos=1)

    def rang() -> int:
        return sum(isinstance(order, Press) for order in far.orders)

    line.cut()
    await until(lambda: not far.sink.connected)
    await press()
    monkeypatch.setattr("blikk_edge.sinks.mqtt.login.SESSION_S", 1)
    await line.mend()
    await far.connected()
    await until(lambda: rang() == 1, "the ring of the break")

    line.cut()
    await until(lambda: not far.sink.connected)
    await press()
    await until(lambda: f"Expiring client blikk-{TOPICS.node}" in broker.log, "the end of the session")
    await line.mend()
    await far.connected()
    await press()
    await until(lambda: rang() == 2, "the ring of now")
    assert rang() == 2


@pytest.mark.parametrize("code", [0x80, 0x81, 0x82, 0x83, 0])
async def test_a_broker_that_stumbles_over_a_will_that_waits_gets_one_that_does_not(store: Store, code: int) -> None:
    async with ScriptedBroker() as broker:
        broker.refuse_sessions = code
        running = Running(Address(host=broker.host, port=broker.port), store, SystemClock(), mode="off")
        running.start()
        await running.connected()
        assert running.sink.protocol == "MQTT 5"
        assert running.sink.problem is None
        assert ["SessionExpiryInterval" in each.properties for each in broker.log_ins] == [True, False]
        await running.stop()


async def test_a_wrong_password_is_not_tried_again_without_the_delay(store: Store) -> None:
    async with ScriptedBroker() as broker:
        broker.connack_code = 0x86
        running = Running(Address(host=broker.host, port=broker.port), store, SystemClock(), mode="off")
        running.start()
        await until(lambda: running.sink.problem, "a problem")
        assert len(broker.log_ins) == 1
        await running.stop()
