"""No record is lost and none overtakes another, whatever happens to the broker, the disk or the process."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import aiomqtt
import pytest
from broker import Broker
from running_sink import TOPICS, Running, Watcher
from sink_samples import event, observation, picture, ring, state, until

from blikk_edge.core.clock import SystemClock, VirtualClock
from blikk_edge.core.errors import StoreError
from blikk_edge.core.observation import Record
from blikk_edge.core.ports import Pending
from blikk_edge.core.status import CameraAvailability
from blikk_edge.sinks.mqtt.address import Address
from blikk_edge.store.store import Store

EVENTS = TOPICS.event("front_door")
OBSERVATIONS = TOPICS.observation("front_door")


def first_heard(ids: list[str]) -> list[str]:
    """Without the duplicates that at-least-once delivery allows."""
    return list(dict.fromkeys(ids))


async def test_records_arrive_in_order_and_the_outbox_empties(running: Running, watcher: Watcher, store: Store) -> None:
    for number in range(100):
        running.inbox.put(event(number), observation(number))
    await until(lambda: len(watcher.on(EVENTS)) == len(watcher.on(OBSERVATIONS)) == 100)
    assert watcher.ids(EVENTS) == [f"event-{n}" for n in range(100)]
    assert watcher.ids(OBSERVATIONS) == [f"observation-{n}" for n in range(100)]
    await until(lambda: running.delivery.outbox == 0)
    await until(lambda: not store.pending("mqtt", 10), "the store forgets them")
    assert not any(b"replayed" in payload for payload in watcher.on(EVENTS))


async def test_no_record_is_lost_while_the_broker_is_killed_again_and_again(
    running: Running, watcher: Watcher, broker: Broker
) -> None:
    async def tell() -> None:
        for number in range(400):
            running.inbox.put(event(number))
            await asyncio.sleep(0.005)

    log_allowance = asyncio.ensure_future(tell())
    for heard in (60, 160, 260):
        await until(lambda heard=heard: len(set(watcher.ids(EVENTS))) > heard)  # type: ignore[misc]
        broker.restart()
    await log_allowance
    await until(lambda: len(set(watcher.ids(EVENTS))) == 400, "the last of 400 events")
    ids = watcher.ids(EVENTS)
    assert first_heard(ids) == [f"event-{n}" for n in range(400)]
    await until(lambda: running.delivery.outbox == 0)
    assert running.delivery.lost == 0


async def test_ten_minutes_of_outage_lose_nothing(tmp_path: Path, store: Store) -> None:
    broker = Broker(tmp_path)
    broker.start()
    watcher = Watcher(broker)
    await watcher.listening.wait()
    clock = VirtualClock(1_000.0)
    running = Running(Address(host=broker.host, port=broker.port), store, clock, mode="off")
    running.start()
    await running.connected()
    running.inbox.put(event(0))
    await until(lambda: watcher.ids(EVENTS) == ["event-0"])
    await until(lambda: running.delivery.outbox == 0)
    broker.kill()
    await until(lambda: not running.sink.connected)
    for number in range(1, 301):
        running.inbox.put(event(number))
        await until(running.inbox.empty)
        await clock.advance(2.0)
    await until(lambda: running.delivery.outbox == 300)
    broker.start()
    await watcher.listening.wait()

    async def time_goes_on() -> None:
        while True:
            await clock.advance(1.0)
            await asyncio.sleep(0.01)

    going = asyncio.ensure_future(time_goes_on())
    await until(lambda: len(watcher.on(EVENTS)) >= 301)
    running.inbox.put(event(301))
    await until(lambda: "event-301" in watcher.ids(EVENTS))
    assert first_heard(watcher.ids(EVENTS)) == [f"event-{n}" for n in range(302)]
    replayed = {json.loads(p)["id"] for p in watcher.on(EVENTS) if json.loads(p).get("replayed") is True}
    assert replayed == {f"event-{n}" for n in range(1, 301)}
    going.cancel()
    await running.stop()
    await watcher.close()
    broker.kill()


NODE_PROCESS = """
import asyncio, sys
sys.path.insert(0, sys.argv[3])
from pathlib import Path
from delivered import Delivered
from sink_samples import NODE, Box1, event
from blikk_edge.core.clock import SystemClock
from blikk_edge.sinks.mqtt.address import Address
from blikk_edge.sinks.mqtt.sink import MqttSink
from blikk_edge.store.store import Store
from blikk_edge.wire.topics import Topics

async def main():
    store = Store(Path(sys.argv[1]))
    store.open()
    inbox = Box1()
    sink = MqttSink(
        address=Address(host="127.0.0.1", port=int(sys.argv[2])), node=NODE, topics=Topics("blikk", "porch"),
        order=print, clock=SystemClock(), mode="off",
    )
    running = asyncio.ensure_future(Delivered(sink, store, SystemClock()).run(inbox))
    for number in range(int(sys.argv[4]), 100_000):
        inbox.put(event(number))
        while not inbox.empty():
            await asyncio.sleep(0)
        print(number, flush=True)
        await asyncio.sleep(0.001)
    await running

asyncio.run(main())
"""


async def test_kill_minus_nine_in_the_middle_of_publishing_loses_nothing(
    tmp_path: Path, broker: Broker, watcher: Watcher
) -> None:
    def process(first: int) -> subprocess.Popen[str]:
        here = str(Path(__file__).parents[1])
        command = [sys.executable, "-c", NODE_PROCESS, str(tmp_path / "n.db"), str(broker.port), here, str(first)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    with process(0) as killed:
        await until(lambda: len(watcher.on(EVENTS)) > 50)
        broker.freeze()
        # The broker answers no more, the node goes on reporting, then dies.
        await asyncio.sleep(0.3)
        killed.send_signal(signal.SIGKILL)
        assert killed.stdout is not None
        reported = int(killed.stdout.read().split()[-1])
    broker.thaw()
    await until(lambda: watcher.on(TOPICS.status)[-1] == b"offline", "the last will")
    with process(90_000) as after:
        await until(lambda: "event-90000" in watcher.ids(EVENTS))
        after.kill()
    before_restart = [i for i in first_heard(watcher.ids(EVENTS)) if int(i.split("-")[1]) < 90_000]
    # The last one may have been taken from the inbox and not yet been on disk.
    assert before_restart[:reported] == [f"event-{n}" for n in range(reported)]
    again = [json.loads(p) for p in watcher.on(EVENTS)]
    assert any(e.get("replayed") for e in again)
    assert all(not e.get("replayed") for e in again if e["id"] == "event-90000")


class FullDisk:
    """A store whose disk is full whenever the test says so."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.full = False
        self.lost = 0

    def put(self, record: Record) -> int:
        if self.full:
            raise StoreError("store x: cannot write: database or disk is full")
        return self._store.put(record)

    def pending(self, sink: str, limit: int) -> Sequence[Pending]:
        return self._store.pending(sink, limit)

    def delivered(self, sink: str, seqs: Sequence[int]) -> None:
        if self.full:
            raise StoreError("store x: cannot write: database or disk is full")
        self._store.delivered(sink, seqs)

    def depth(self, sink: str) -> int:
        return self._store.depth(sink)


async def test_a_full_disk_neither_loses_nor_reorders_records(
    broker: Broker, watcher: Watcher, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    disk = FullDisk(store)
    running = Running(Address(host=broker.host, port=broker.port), disk, SystemClock(), mode="off")
    running.start()
    await running.connected()
    running.inbox.put(*(event(n) for n in range(20)))
    await until(lambda: len(watcher.on(EVENTS)) == 20)
    disk.full = True
    running.inbox.put(*(event(n) for n in range(20, 60)))
    await until(lambda: len(watcher.on(EVENTS)) >= 60)
    broker.kill()
    await until(lambda: not running.sink.connected)
    running.inbox.put(*(event(n) for n in range(60, 80)))
    await until(running.inbox.empty)
    disk.full = False
    running.inbox.put(*(event(n) for n in range(80, 100)))
    await until(running.inbox.empty)
    broker.start()
    await until(lambda: len(set(watcher.ids(EVENTS))) == 100)
    assert first_heard(watcher.ids(EVENTS)) == [f"event-{n}" for n in range(100)]
    await until(lambda: running.delivery.outbox == 0 and not store.pending("mqtt", 5))
    assert running.delivery.lost == 0
    assert len([r for r in caplog.records if "kept in memory" in r.message]) == 1
    assert "the store takes records again" in caplog.text
    await running.stop()


async def test_states_are_published_anew_after_a_broker_without_memory_comes_back(
    running: Running, broker: Broker, watcher: Watcher
) -> None:
    running.inbox.put(CameraAvailability(camera="yard", online=True), state("yard", frames=7))
    await until(lambda: watcher.on(TOPICS.state("yard")))
    broker.restart()
    await until(lambda: len(watcher.on(TOPICS.state("yard"))) == 2)
    await running.connected()
    async with aiomqtt.Client(broker.host, broker.port) as late:
        await late.subscribe("blikk/#")
        kept: dict[str, bytes] = {}
        topics = {TOPICS.status, TOPICS.announce, TOPICS.camera_status("yard"), TOPICS.state("yard")}
        async for message in late.messages:
            assert message.retain
            kept[str(message.topic)] = bytes(message.payload)
            if topics <= set(kept):
                break
    assert kept[TOPICS.status] == kept[TOPICS.camera_status("yard")] == b"online"
    assert json.loads(kept[TOPICS.state("yard")])["frames"] == 7


async def test_pictures_of_an_outage_are_dropped_and_records_are_not(
    running: Running, broker: Broker, watcher: Watcher
) -> None:
    where = TOPICS.picture("front_door", "person")
    running.inbox.put(picture(1))
    await until(lambda: watcher.on(where) == [picture(1).jpeg])
    broker.kill()
    await until(lambda: not running.sink.connected)
    running.inbox.put(picture(2), ring(1))
    await until(running.inbox.empty)
    broker.start()
    await until(lambda: watcher.on(TOPICS.ring("front_door")))
    running.inbox.put(picture(3))
    await until(lambda: picture(3).jpeg in watcher.on(where))
    assert picture(2).jpeg not in watcher.on(where)


async def test_pictures_expire_and_carry_their_type(running: Running, broker: Broker, watcher: Watcher) -> None:
    running.inbox.put(picture(1))
    await until(lambda: watcher.on(TOPICS.picture("front_door", "person")))
    found = next(m for m in watcher.heard if "picture" in str(m.topic))
    assert found.properties is not None
    assert found.properties.ContentType == "image/jpeg"
    assert 0 < found.properties.MessageExpiryInterval <= 24 * 3600


@pytest.mark.usefixtures("unhurried")
async def test_what_waits_at_a_clean_stop_is_published_before_offline(
    running: Running, watcher: Watcher, store: Store
) -> None:
    running.inbox.put(*(event(n) for n in range(50)))
    await running.stop()
    await until(lambda: watcher.on(TOPICS.status)[-1] == b"offline")
    assert first_heard(watcher.ids(EVENTS)) == [f"event-{n}" for n in range(50)]
    assert watcher.on(TOPICS.camera_status("front_door")) == [b"offline"]
    assert watcher.on(TOPICS.camera_status("yard")) == [b"offline"]
    assert watcher.on(TOPICS.status) == [b"online", b"offline"]
    assert store.depth("mqtt") == 0


async def test_a_stop_without_a_broker_keeps_what_waits(tmp_path: Path, store: Store, free_port: int) -> None:
    running = Running(Address(host="127.0.0.1", port=free_port), store, SystemClock(), mode="off")
    running.start()
    await until(lambda: running.sink.problem)
    running.inbox.put(*(event(n) for n in range(30)))
    began = asyncio.get_running_loop().time()
    await running.stop()
    assert asyncio.get_running_loop().time() - began < 8.0
    assert [p.record for p in store.pending("mqtt", 100)] == [event(n) for n in range(30)]


async def retained_status(broker: Broker) -> bytes:
    """What somebody who subscribes now learns of the node."""
    async with aiomqtt.Client(broker.host, broker.port) as late:
        await late.subscribe(TOPICS.status)
        return bytes((await anext(aiter(late.messages))).payload)


async def test_a_backlog_that_is_too_large_for_the_stop_does_not_cost_offline(
    broker: Broker, watcher: Watcher, store: Store
) -> None:
    for number in range(3000):
        store.put(event(number))
    running = Running(Address(host=broker.host, port=broker.port), store, SystemClock(), mode="off")
    running.start()
    await running.connected()
    began = asyncio.get_running_loop().time()
    await running.stop()
    assert asyncio.get_running_loop().time() - began < 8.0
    left = store.depth("mqtt")
    assert left > 500, "the backlog was too small to show anything"
    assert await retained_status(broker) == b"offline"
    await until(lambda: watcher.on(TOPICS.camera_status("yard")) == [b"offline"])
    await until(lambda: len(set(watcher.ids(EVENTS))) >= 3000 - left, "what the store has forgotten")


async def test_a_stop_while_the_broker_answers_no_more_ends_in_time_and_leaves_the_last_will(
    running: Running, broker: Broker, watcher: Watcher, store: Store
) -> None:
    broker.freeze()
    running.inbox.put(event(1))
    began = asyncio.get_running_loop().time()
    await running.stop()
    assert asyncio.get_running_loop().time() - began < 8.0
    assert store.depth("mqtt") == 1
    broker.thaw()
    await until(lambda: watcher.on(TOPICS.status) == [b"online", b"offline"], "the last will")
    assert await retained_status(broker) == b"offline"


async def test_a_stop_in_the_moment_the_broker_dies_is_a_stop_like_any_other(
    running: Running, broker: Broker, store: Store
) -> None:
    broker.freeze()
    running.inbox.put(*(event(n) for n in range(30)))
    await until(lambda: store.depth("mqtt") == 30)
    assert running.task is not None
    task = running.task
    broker.kill()
    await running.stop()  # before the sink could notice: it hears of it while it says farewell
    assert task.cancelled()
    assert store.depth("mqtt") == 30
