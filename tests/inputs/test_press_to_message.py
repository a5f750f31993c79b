"""From a press to the message on a real broker, by way of disk and outbox: within 200 ms."""

import asyncio
from pathlib import Path

import aiomqtt
import pytest
from broker import Broker
from button_pins import pins_of
from delivered import Delivered

from blikk_edge.core.clock import SystemClock
from blikk_edge.core.commands import Command, Press
from blikk_edge.core.observation import Ring
from blikk_edge.core.ports import Item
from blikk_edge.core.sightings import Label
from blikk_edge.core.status import CameraInfo, NodeInfo
from blikk_edge.inputs.gpio import QUIET_S, GpioButton
from blikk_edge.inputs.http import RingHook
from blikk_edge.net.http.access import Access
from blikk_edge.net.http.server import HttpServer
from blikk_edge.sinks.mqtt.address import Address
from blikk_edge.sinks.mqtt.sink import MqttSink
from blikk_edge.store.store import Store
from blikk_edge.wire.topics import Topics

NODE = NodeInfo(
    id="porch",
    name="Porch",
    version="0.1.0",
    cameras=(CameraInfo(id="front_door", name="Front door", labels=(Label.PERSON,), ring=True),),
)
TOPICS = Topics("blikk", "porch")
PRESSES = 10


class Bell:
    """What the node does with a press, and when its message came."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.inbox: asyncio.Queue[Item] = asyncio.Queue()
        self.heard_at: list[float] = []

    def order(self, command: Command) -> None:
        if not isinstance(command, Press):
            return
        ring = Ring(id=str(self.loop.time()), camera=command.camera, time=1.0, via="test")
        self.loop.call_soon_threadsafe(self.inbox.put_nowait, ring)

    async def hear(self, broker: Broker, ready: asyncio.Event) -> None:
        async with aiomqtt.Client(broker.host, broker.port) as client:
            await client.subscribe(TOPICS.ring("front_door"))
            ready.set()
            async for _ in client.messages:
                self.heard_at.append(self.loop.time())


@pytest.mark.parametrize("via", ["gpio", "http"])
async def test_a_press_is_a_message_within_200_ms(
    via: str, tmp_path: Path, start, until, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pins = pins_of(tmp_path, monkeypatch)
    store = Store(tmp_path / "blikk.db")
    store.open()
    bell, ready = Bell(), asyncio.Event()
    with Broker(tmp_path) as broker:
        hearing = asyncio.ensure_future(bell.hear(broker, ready))
        await ready.wait()
        sink = MqttSink(
            address=Address(host=broker.host, port=broker.port),
            node=NODE,
            topics=TOPICS,
            order=bell.order,
            clock=SystemClock(),
            mode="off",
        )
        sending = asyncio.ensure_future(Delivered(sink, store, SystemClock()).run(bell.inbox))
        access = Access(view=None, control=None, clock=SystemClock())
        hook = HttpServer(
            [RingHook(["front_door"], bell.order, access, SystemClock())], access, clock=SystemClock(), port=0
        )
        start(hook)
        start(GpioButton("front_door", 17, bell.order, clock=SystemClock(), devices=tmp_path))
        await until(lambda: sink.connected and hook.port and pins.lines)
        took = []
        for count in range(1, PRESSES + 1):
            await asyncio.sleep(QUIET_S + 0.01 if via == "gpio" else 0.1)  # the pace of a finger
            began = bell.loop.time()
            if via == "gpio":
                pins.lines[17].press()
            else:
                _, writer = await asyncio.open_connection("127.0.0.1", hook.port)
                writer.write(b"POST /ring/front_door HTTP/1.1\r\nHost: localhost\r\n\r\n")
                writer.close()
            await until(lambda count=count: len(bell.heard_at) == count)
            took.append(1000 * (bell.heard_at[-1] - began))
        for task in (sending, hearing):
            task.cancel()
        await asyncio.wait((sending, hearing))
    store.close()
    took.sort()
    with capsys.disabled():
        print(f"\n[inputs] press by {via} to ring message: p50 {took[PRESSES // 2]:.1f} ms, max {took[-1]:.1f} ms")
    assert 0 < took[0] <= took[PRESSES // 2] < 200
