"""Two nodes with one name: said by name, and the second stops trying so hard."""

from itertools import pairwise
from pathlib import Path

import pytest
from broker import Broker
from running_sink import TOPICS, Running
from scripted_broker import ScriptedBroker
from sink_samples import ring, until

from blikk_edge.core.clock import SystemClock, VirtualClock
from blikk_edge.core.errors import SinkError
from blikk_edge.sinks.mqtt.address import Address
from blikk_edge.sinks.mqtt.pauses import CERTAIN, OFTEN, RIVAL_FIRST_S, RIVAL_LAST_S, RIVAL_S, STEADY_S, Pauses
from blikk_edge.sinks.mqtt.refusal import LostError, TakenOverError
from blikk_edge.store.store import Store


@pytest.fixture
def other_store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "other.db")
    store.open()
    return store


async def test_a_node_whose_connection_is_taken_says_who_and_where(
    store: Store, other_store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    async with ScriptedBroker() as broker:
        address = Address(host=broker.host, port=broker.port)
        first, second = (Running(address, each, SystemClock(), mode="off") for each in (store, other_store))
        first.start()
        await first.connected()
        second.start()
        await until(lambda: "client id blikk-porch" in (first.sink.problem or ""))
        problem = first.sink.problem or ""
        assert f"broker {broker.host}:{broker.port}" in problem
        assert "second node" in problem
        assert "node.id" in problem
        # neither has had a steady connection: the one that lost it waits some seconds, and the other has it
        await until(lambda: second.sink.connected)
        second.inbox.put(ring(1))
        await until(lambda: second.delivery.outbox == 0)
        assert len(broker.log_ins) == 2
        assert len([r for r in caplog.records if "client id blikk-porch" in r.message]) == 1
        await first.stop()
        await second.stop()
    other_store.close()


def test_a_node_with_a_steady_connection_takes_it_back_at_once_and_the_second_waits_for_minutes() -> None:
    clock = VirtualClock(1000.0)
    pauses = Pauses(clock)
    taken = TakenOverError("taken")
    assert pauses.after(taken, lasted_s=3600) <= 1.0
    assert pauses.rival
    waits = [pauses.after(taken, lasted_s=1.0) for _ in range(8)]
    assert RIVAL_FIRST_S / 2 <= waits[0] <= RIVAL_FIRST_S
    assert all(later > earlier / 1.01 or later > RIVAL_LAST_S / 2 for earlier, later in pairwise(waits))
    assert RIVAL_LAST_S / 2 <= waits[-1] <= RIVAL_LAST_S
    assert pauses.after(taken, lasted_s=STEADY_S) <= 1.0
    clock.set(clock.now() + RIVAL_S)
    assert not pauses.rival


def test_of_two_nodes_one_is_connected_most_of_the_time() -> None:
    """The rules of `Pauses` played out for an hour: who logs in takes the connection of the other."""
    clock = VirtualClock(0.0)
    pauses = [Pauses(clock), Pauses(clock)]
    back_at, since, up, log_ins = [0.0, 60.0], [0.0, 0.0], [0.0, 0.0], 0
    holder: int | None = None
    while min(back_at) < 3600:
        comes = back_at.index(min(back_at))
        clock.set(max(clock.now(), back_at[comes]))
        if holder is not None:
            lasted = clock.now() - since[holder]
            up[holder] += lasted
            back_at[holder] = clock.now() + pauses[holder].after(TakenOverError("taken"), lasted_s=lasted)
        holder, since[comes], back_at[comes], log_ins = comes, clock.now(), float("inf"), log_ins + 1
    assert max(up) > 0.9 * 3600
    assert log_ins < 80


def test_a_broker_that_restarts_is_back_in_seconds() -> None:
    pauses = Pauses(VirtualClock(1000.0))
    for _ in range(4):
        assert pauses.after(LostError("gone"), lasted_s=500.0) <= 1.0
        assert pauses.after(SinkError("nobody listens"), lasted_s=0.0) <= 2.0
    assert not pauses.careful
    assert not pauses.guessed_rival


def test_connections_that_end_without_a_word_are_counted_only_where_nothing_was_under_way() -> None:
    pauses = Pauses(VirtualClock(1000.0))
    for number in range(OFTEN):
        assert not pauses.guessed_rival
        assert pauses.after(LostError("closed"), lasted_s=1.0, idle=True) <= 2.0**number
    assert pauses.guessed_rival
    pauses.after(LostError("closed"), lasted_s=1.0, idle=False)
    assert not pauses.guessed_rival
    for _ in range(CERTAIN - 1):
        pauses.after(LostError("closed"), lasted_s=1.0, idle=True)
    assert pauses.after(LostError("closed"), lasted_s=1.0, idle=True) >= RIVAL_FIRST_S / 2
    pauses.after(LostError("closed"), lasted_s=STEADY_S)
    assert not pauses.guessed_rival


@pytest.mark.parametrize("level", [4, 5])
async def test_a_broker_that_says_nothing_about_it_leaves_a_guess(
    store: Store, other_store: Store, level: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blikk_edge.core.backoff.FIRST_S", 0.1)
    async with ScriptedBroker(speaks=(level,)) as broker:
        broker.reports_taken_over = False
        address = Address(host=broker.host, port=broker.port)
        nodes = [Running(address, each, SystemClock(), mode="off") for each in (store, other_store)]
        for each in nodes:
            each.start()
        await until(lambda: any("second node of this name" in (each.sink.problem or "") for each in nodes), "it", 30)
        reported = next(each.sink.problem for each in nodes if "second node" in (each.sink.problem or ""))
        assert "blikk-porch" in (reported or "")
        for each in nodes:
            await each.stop()
    other_store.close()


async def test_a_restart_of_mosquitto_in_the_first_seconds_is_no_rival(tmp_path: Path, store: Store) -> None:
    with Broker(tmp_path) as broker:
        running = Running(Address(host=broker.host, port=broker.port), store, SystemClock(), mode="off")
        running.start()
        for number in range(2):
            await running.connected()
            running.inbox.put(ring(number))
            await until(lambda: running.delivery.outbox == 0)
            broker.restart()
            await until(lambda: not running.sink.connected)
        await running.connected()
        assert running.sink.problem is None
        assert TOPICS.node == "porch"
        await running.stop()
