"""What a broker does not take: reported by topic, counted where it is lost, and in the way of nothing that follows."""

import itertools
import json
from dataclasses import replace
from pathlib import Path

import aiomqtt
import pytest
from broker import Broker
from running_sink import TOPICS, Running, Watcher
from scripted_broker import ScriptedBroker
from sink_samples import event, observation, picture, ring, state, until

from blikk_edge.core.allowance import LOGGED
from blikk_edge.core.clock import SystemClock, VirtualClock
from blikk_edge.core.errors import SinkError
from blikk_edge.core.inquiry import AskQuestion, Reply, Request
from blikk_edge.core.status import CameraAvailability
from blikk_edge.sinks.mqtt.address import Address
from blikk_edge.sinks.mqtt.refusal import clean
from blikk_edge.sinks.mqtt.request import ask_node
from blikk_edge.sinks.mqtt.suspects import ENDS_KNOWN, LEFT_OUT_S, Suspect, Suspects
from blikk_edge.sinks.mqtt.troubles import AGAIN_S, EVERY_S, BrokerTrouble, BrokerTroubles
from blikk_edge.store.store import Store

RING = TOPICS.ring("front_door")
EVENT = TOPICS.event("front_door")
PICTURE = TOPICS.picture("front_door", "person")


def sink_to(broker: Broker | ScriptedBroker, store: Store, mode: str = "off") -> Running:
    return Running(Address(host=broker.host, port=broker.port), store, SystemClock(), mode=mode)


def ids(broker: ScriptedBroker, topic: str) -> list[str]:
    return [json.loads(each.payload)["id"] for each in broker.on(topic)]


def problem(running: Running) -> str:
    return running.sink.problem or ""


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses between connections begin with a twentieth of a second."""
    monkeypatch.setattr("blikk_edge.core.backoff.FIRST_S", 0.05)


@pytest.fixture
def ringless(tmp_path: Path) -> Path:
    """An access list without the doorbell."""
    rules = tmp_path / "acl"
    rules.write_text(
        "topic readwrite blikk/#\ntopic deny blikk/porch/front_door/ring\ntopic readwrite homeassistant/#\n"
    )
    rules.chmod(0o600)
    return rules


async def test_records_that_the_access_list_forbids_count_as_lost(
    tmp_path: Path, ringless: Path, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    with Broker(tmp_path, extra=[f"acl_file {ringless}"]) as broker:
        watcher = Watcher(broker)
        await watcher.listening.wait()
        running = sink_to(broker, store)
        running.start()
        await running.connected()
        for number in range(30):
            running.inbox.put(ring(number), event(number))
        await until(lambda: len(watcher.on(EVENT)) == 30)
        await until(lambda: running.delivery.outbox == 0)
        assert watcher.ids(EVENT) == [f"event-{number}" for number in range(30)]
        assert (running.delivery.lost, store.lost) == (30, 0)
        assert RING in problem(running)
        assert "access list" in problem(running)
        reported = [r.message for r in caplog.records if "does not let us publish" in r.message]
        assert len(reported) == 1
        assert RING in reported[0]
        await running.stop()
        await watcher.close()


@pytest.mark.parametrize("code", [0x87, 0x90, 0x99])
async def test_a_refusal_for_good_costs_the_record_and_ends_when_it_is_taken(
    store: Store, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    async with ScriptedBroker() as broker:
        broker.refuse[RING] = code
        running = sink_to(broker, store)
        running.start()
        await running.connected()
        running.inbox.put(ring(1), observation(1))
        await until(lambda: running.delivery.lost == 1 and running.delivery.outbox == 0)
        assert RING in problem(running)
        broker.refuse.clear()
        running.inbox.put(ring(2))
        await until(lambda: ids(broker, RING) == ["ring-2"])
        await until(lambda: running.sink.problem is None)
        assert [r.message for r in caplog.records if r.message.startswith(f"{RING}: works")] == [f"{RING}: works again"]
        assert len([each for each in broker.published if each.topic == RING]) == 2
        await running.stop()


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("code", [0x97, 0x80, 0x83])
async def test_a_refusal_for_now_keeps_the_record(store: Store, code: int) -> None:
    async with ScriptedBroker() as broker:
        broker.refuse["blikk/porch/+/+"] = code
        running = sink_to(broker, store)
        running.start()
        await running.connected()
        running.inbox.put(ring(1), event(1))
        await until(lambda: len([each for each in broker.published if each.topic == RING]) == 2, "two tries")
        assert (running.delivery.lost, running.delivery.outbox) == (0, 2)
        assert RING in problem(running)
        broker.refuse.clear()
        await until(lambda: running.delivery.outbox == 0)
        assert (ids(broker, RING), ids(broker, EVENT)) == (["ring-1"], ["event-1"])
        assert (running.delivery.lost, running.sink.problem) == (0, None)
        await running.stop()


@pytest.mark.usefixtures("quick")
async def test_a_refusal_without_a_reason_is_not_for_ever(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blikk_edge.sinks.mqtt.session.UNCLEAR_TRIES", 3)
    async with ScriptedBroker() as broker:
        broker.refuse[RING] = 0x80
        running = sink_to(broker, store)
        running.start()
        await running.connected()
        running.inbox.put(ring(1), event(1))
        await until(lambda: running.delivery.lost == 1 and running.delivery.outbox == 0)
        assert ids(broker, EVENT) == ["event-1"]
        assert len([each for each in broker.published if each.topic == RING]) == 3
        await running.stop()


@pytest.mark.usefixtures("unhurried")
async def test_an_end_of_the_sink_does_not_wait_for_a_quota(store: Store) -> None:
    async with ScriptedBroker() as broker:
        running = sink_to(broker, store)
        running.start()
        await running.connected()
        broker.refuse[RING] = 0x97
        running.inbox.put(ring(1))
        await until(lambda: RING in problem(running))
        await running.stop()
        assert running.delivery.outbox == 1
        assert broker.on(TOPICS.status)[-1].payload == b"offline"


async def test_what_meets_a_quota_at_log_in_comes_later(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MISSED_S", "QUOTA_S"):
        monkeypatch.setattr(f"blikk_edge.sinks.mqtt.session.{name}", 0.2)
    async with ScriptedBroker() as broker:
        broker.refuse["#"] = 0x97
        running = sink_to(broker, store, mode="discovery")
        running.start()
        running.inbox.put(CameraAvailability(camera="yard", online=True))
        refused = (TOPICS.camera_status("yard"), "homeassistant/device/blikk_porch/node/config")
        await until(lambda: {each.topic for each in broker.published} >= {TOPICS.announce, *refused}, "the refusals")
        assert "quota" in problem(running).lower()
        broker.refuse.clear()
        await until(lambda: len({t for t in broker.retained if t.endswith("config")}) == 3, "discovery")
        await until(lambda: broker.on(TOPICS.camera_status("yard")) and broker.on(TOPICS.announce))
        assert broker.on(TOPICS.status)[-1].payload == b"online"
        await until(lambda: running.sink.problem is None)
        await running.stop()


async def test_a_subscription_that_is_refused_is_reported_by_its_filter(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    async with ScriptedBroker() as broker:
        broker.refuse_subscribe = {TOPICS.set_filter: 0x87, TOPICS.ask: 0x80}
        running = sink_to(broker, store)
        running.start()
        await running.connected()
        assert TOPICS.set_filter in problem(running)
        assert TOPICS.ask in problem(running)
        running.inbox.put(ring(1))
        await until(lambda: ids(broker, RING) == ["ring-1"])
        broker.drop()
        await until(lambda: len(broker.log_ins) == 2 and running.sink.connected)
        assert len([r for r in caplog.records if TOPICS.set_filter in r.message]) == 1
        broker.refuse_subscribe.clear()
        broker.drop()
        await until(lambda: len(broker.log_ins) == 3 and running.sink.connected)
        assert running.sink.problem is None
        await running.stop()


async def test_a_subscription_that_meets_a_quota_comes_later(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blikk_edge.sinks.mqtt.session.MISSED_S", 0.2)
    async with ScriptedBroker() as broker:
        broker.refuse_subscribe = {TOPICS.set_filter: 0x97, TOPICS.ask: 0x97}
        running = sink_to(broker, store)
        running.start()
        await running.connected()
        assert "asked again later" in problem(running)
        broker.refuse_subscribe.clear()
        await until(lambda: {TOPICS.set_filter, TOPICS.ask} <= {*broker.subscribed}, "the subscriptions")
        await until(lambda: running.sink.problem is None)
        await running.stop()


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("level", "word"), [(4, 0), (5, 0), (5, 0x87)])
async def test_a_broker_that_ends_the_connection_at_what_it_forbids_gets_the_rest(
    store: Store, level: int, word: int
) -> None:
    async with ScriptedBroker(speaks=(level,)) as broker:
        broker.ends_at = lambda topic, _size: word if topic == RING else None
        store.put(ring(1))
        store.put(event(1))
        running = sink_to(broker, store)
        running.start()
        await until(lambda: ids(broker, EVENT) == ["event-1"] and running.delivery.outbox == 0, "the event", 60)
        assert running.delivery.lost == 1
        assert RING in problem(running)
        assert "second node" not in problem(running)
        log_ins = len(broker.log_ins)
        running.inbox.put(event(2), ring(2))
        await until(lambda: running.delivery.lost == 2)
        assert ids(broker, EVENT) == ["event-1", "event-2"]
        assert len(broker.log_ins) == log_ins
        await running.stop()


@pytest.mark.usefixtures("quick")
async def test_a_broker_that_ends_the_connection_at_a_state_gets_the_rest(store: Store) -> None:
    async with ScriptedBroker(speaks=(4,)) as broker:
        broker.ends_at = lambda topic, _size: 0 if topic == TOPICS.state("front_door") else None
        running = sink_to(broker, store)
        running.start()
        running.inbox.put(state())
        await until(lambda: TOPICS.state("front_door") in problem(running), "the problem", 60)
        running.inbox.put(ring(1))
        await until(lambda: ids(broker, RING) == ["ring-1"])
        await running.stop()


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("level", "word"), [(4, 0), (5, 0), (5, 0x80), (5, 0x96), (5, 0x97), (5, 0x8B)])
async def test_a_broker_that_ends_connections_now_and_then_gets_every_record(
    store: Store, level: int, word: int
) -> None:
    async with ScriptedBroker(speaks=(level,)) as broker:
        records = itertools.count(1)
        broker.ends_at = lambda topic, _size: word if topic == EVENT and not next(records) % 6 else None
        for number in range(30):
            store.put(event(number))
        running = sink_to(broker, store)
        running.start()
        await until(lambda: running.sink.connected and running.delivery.outbox == 0, "all of them", 60)
        assert sorted({*ids(broker, EVENT)}) == sorted(f"event-{number}" for number in range(30))
        assert len(broker.ends) > 4
        assert running.delivery.lost == 0
        await running.stop()


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("level", [4, 5])
async def test_connections_that_end_again_and_again_are_reported_a_few_times(
    store: Store, level: int, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("INFO", "blikk.mqtt")
    monkeypatch.setattr("blikk_edge.sinks.mqtt.pauses.STEADY_S", 0.0)  # each is a good one
    async with ScriptedBroker(speaks=(level,)) as broker:
        running = sink_to(broker, store)
        running.start()
        for number in range(LOGGED + 5):
            await until(lambda: len(broker.log_ins) > number and running.sink.connected)  # noqa: B023
            broker.drop()
            await until(lambda: not running.sink.connected)
        await running.connected()
        lines = [r.message for r in caplog.records]
        assert len([line for line in lines if "connection was lost" in line]) == LOGGED
        assert len([line for line in lines if "connected to" in line]) == LOGGED + 1
        await running.stop()


NO_TOPICS = {
    "no UTF-8": b"\0\x09blikk/\xff\xfea",
    "nothing, as where an alias stands for it": b"\0\0",
    "a filter": b"\0\x09blikk/+/#",
}


@pytest.mark.parametrize("topic", NO_TOPICS.values(), ids=NO_TOPICS)
async def test_a_message_whose_topic_is_none_is_passed_over(store: Store, topic: bytes) -> None:
    async with ScriptedBroker() as broker:
        running = sink_to(broker, store)
        running.start()
        await running.connected()
        before = len(running.orders)
        broker.say_raw(topic + b"\0x")
        broker.say(TOPICS.set("front_door", "ring"), b"PRESS")
        await until(lambda: len(running.orders) > before, "the order that follows")
        await running.stop()

        assert len(broker.log_ins) == 1


@pytest.mark.usefixtures("quick")
async def test_an_answer_to_a_subscription_that_says_nothing_ends_no_more_than_the_connection(store: Store) -> None:
    async with ScriptedBroker() as broker:
        broker.empty_answers = 2
        running = sink_to(broker, store)
        running.start()
        await until(lambda: running.sink.connected and len(broker.log_ins) > 2, "a connection that stands")
        await running.stop()


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("level", "word"), [(4, 0), (5, 0), (5, 0x87)])
async def test_a_broker_that_ends_the_connection_at_a_subscription_gets_all_else(
    store: Store, level: int, word: int
) -> None:
    async with ScriptedBroker(speaks=(level,)) as broker:
        broker.ends_at_filter = {TOPICS.ask: word, "homeassistant/status": word}
        store.put(ring(1))
        running = sink_to(broker, store, mode="discovery")
        running.start()
        await until(lambda: ids(broker, RING) == ["ring-1"], "the ring", 60)
        assert TOPICS.ask in problem(running)
        assert "homeassistant/status" in problem(running)
        assert "when we subscribe to this" in problem(running)
        assert TOPICS.set_filter in broker.subscribed
        assert (len(broker.ends), running.delivery.lost) == (4, 0)
        await running.stop()


@pytest.mark.usefixtures("quick")
async def test_a_broker_of_3_1_1_with_a_packet_size_gets_what_fits(store: Store) -> None:
    """Nothing announces it there; the connection just ends."""
    async with ScriptedBroker(speaks=(4,), enforce={"MaximumPacketSize": 20_000}) as broker:
        running = sink_to(broker, store)
        running.start()

        def feed() -> bool:
            if running.inbox.empty() and running.sink.connected:
                running.inbox.put(replace(picture(1), jpeg=bytes(90_000)))  # as the snapshot on each connection
            return PICTURE in problem(running)

        await until(feed, "the problem", 60)
        running.inbox.put(ring(1), picture(2))
        await until(lambda: ids(broker, RING) == ["ring-1"] and broker.on(PICTURE))
        await until(lambda: running.delivery.outbox == 0)
        assert "second node" not in problem(running)
        await running.stop()


@pytest.mark.usefixtures("quick")
async def test_mosquitto_with_a_size_limit_that_it_does_not_announce(tmp_path: Path, store: Store) -> None:
    with Broker(tmp_path, extra=["message_size_limit 3000"]) as broker:
        watcher = Watcher(broker)
        await watcher.listening.wait()
        running = sink_to(broker, store)
        running.start()

        def feed() -> bool:
            if running.inbox.empty() and running.sink.connected:
                running.inbox.put(replace(picture(1), jpeg=bytes(9_000)))
            return PICTURE in problem(running)

        await until(feed, "the problem", 60)
        running.inbox.put(ring(1))
        await until(lambda: watcher.ids(RING) == ["ring-1"])
        await running.stop()
        await watcher.close()


async def test_the_words_of_the_broker_are_passed_on_in_one_line(store: Store) -> None:
    async with ScriptedBroker() as broker:
        broker.disconnect = {"ReasonString": "too\nmuch\x1b[2J" + "x" * 500, "ServerReference": "other.example:1883"}
        broker.ends_at = lambda topic, _size: 0x9C if topic == EVENT else None
        running = sink_to(broker, store)
        running.start()
        await running.connected()
        running.inbox.put(event(1))
        await until(lambda: "it says: too much" in problem(running))
        assert "other.example:1883" in problem(running)
        assert problem(running).isprintable()
        assert "x" * 200 not in problem(running)
        await running.stop()


@pytest.mark.parametrize(
    ("code", "words"),
    [(0x85, "blikk-porch; give the node another node.id"), (0x97, "quota"), (0x9D, "moved"), (0x88, "not available")],
)
async def test_a_log_in_that_is_refused_says_why(store: Store, code: int, words: str) -> None:
    async with ScriptedBroker() as broker:
        broker.connack_code = code
        running = sink_to(broker, store)
        running.start()
        await until(lambda: words in problem(running))
        broker.connack_code = 0
        await running.connected()
        await running.stop()


def test_a_text_of_the_broker_is_one_line() -> None:
    assert clean("a\r\nb\0c") == "a  b c"
    assert len(clean("x" * 9999)) < 130


def at(topic: str, size: int = 100, content: int = 1) -> Suspect:
    return Suspect(topic=topic, size=size, content=content)


def test_a_topic_that_was_never_taken_is_left_out_after_two_ends_and_for_an_hour() -> None:
    clock = VirtualClock(1000.0)
    suspects = Suspects(clock)
    assert [suspects.ended_at(at("a", content=n)) for n in range(2)] == [False, True]
    assert suspects.left_out(at("a", content=9))
    assert not suspects.left_out(at("b"))
    clock.set(clock.now() + LEFT_OUT_S)
    assert not suspects.left_out(at("a"))


def test_of_a_topic_that_was_taken_before_one_message_is_left_out_after_four_ends() -> None:
    suspects = Suspects(VirtualClock(1000.0))
    suspects.taken(at("a"))
    assert not any(suspects.ended_at(at("a", content=n)) for n in range(20))
    assert [suspects.ended_at(at("a", content=5)) for _ in range(ENDS_KNOWN)] == [False, False, False, True]
    assert suspects.left_out(at("a", content=5))
    assert not suspects.left_out(at("a", content=6))
    # the next that it does not take learns that the topic is forbidden by now
    assert [suspects.ended_at(at("a", content=6)) for _ in range(2)] == [False, True]
    assert suspects.left_out(at("a", content=7))


def test_packets_as_large_as_one_that_was_taken_are_not_too_large() -> None:
    suspects = Suspects(VirtualClock(1000.0))
    suspects.taken(at("a", 50_000))
    assert not any(suspects.ended_at(at("picture", 40_000, n)) for n in range(9))
    assert [suspects.ended_at(at("picture", size)) for size in (90_000, 80_000)] == [False, True]
    assert suspects.left_out(at("other", 80_000))
    assert not suspects.left_out(at("other", 40_000))


def test_connections_that_end_at_nothing_or_elsewhere_begin_the_count_anew() -> None:
    suspects = Suspects(VirtualClock(1000.0))
    for end in (at("a"), None, at("a"), at("b"), at("a")):
        assert not suspects.ended_at(end)


def test_many_topics_of_one_kind_are_two_lines_and_one_problem(caplog: pytest.LogCaptureFixture) -> None:
    clock = VirtualClock(1000.0)
    troubles = BrokerTroubles(clock, together="blikk/porch/reply/")
    for number in range(50):
        troubles.start(BrokerTrouble(kind="refused", where=f"topic/{number}"))
    for number in range(50):
        troubles.start(BrokerTrouble(kind="refused", where=f"blikk/porch/reply/{number}"))
    assert [r.message for r in caplog.records] == ["topic/0: refused"]
    assert str(troubles) == "topic/0, topic/1 and 49 more: refused"
    clock.set(clock.now() + EVERY_S)
    troubles.say()
    troubles.say()
    assert len(caplog.records) == 2
    assert "and 40 more" in caplog.records[1].message
    for _ in range(10):
        troubles.end("topic/0")
        troubles.start(BrokerTrouble(kind="refused", where="topic/0"))
    assert len([r for r in caplog.records if r.levelname == "WARNING"]) == 2
    clock.set(clock.now() + AGAIN_S)
    troubles.end("topic/0")
    troubles.start(BrokerTrouble(kind="refused", where="topic/0"))
    assert len([r for r in caplog.records if r.levelname == "WARNING"]) == 3


def test_what_is_too_large_is_listed_for_a_while_though_smaller_messages_are_taken() -> None:
    clock = VirtualClock(1000.0)
    troubles = BrokerTroubles(clock)
    troubles.start(BrokerTrouble(kind="too large", where="a", lasts_s=600.0))
    troubles.end("a")
    assert str(troubles) == "a: too large"
    clock.set(clock.now() + 400.0)
    troubles.start(BrokerTrouble(kind="too large", where="a", lasts_s=600.0))
    clock.set(clock.now() + 400.0)
    troubles.end("a")
    assert str(troubles) == "a: too large"
    clock.set(clock.now() + 200.0)
    troubles.end("a")
    assert str(troubles) == ""


async def test_a_question_that_the_broker_does_not_take_is_reported_at_once() -> None:
    async with ScriptedBroker() as broker:
        broker.refuse[TOPICS.ask] = 0x87
        with pytest.raises(SinkError, match="does not take questions on blikk/porch/ask"):
            await ask_node(Address(host=broker.host, port=broker.port), TOPICS, AskQuestion(question="who?"))


async def test_an_answer_that_the_broker_does_not_let_us_hear_is_reported_at_once() -> None:
    async with ScriptedBroker() as broker:
        broker.refuse_subscribe["blikk/porch/reply/"] = 0x87
        with pytest.raises(SinkError, match="does not let us hear answers on blikk/porch/reply/"):
            await ask_node(Address(host=broker.host, port=broker.port), TOPICS, AskQuestion(question="who?"))


async def test_an_answer_too_large_for_the_broker_is_a_refusal_in_words(store: Store) -> None:
    async def answer(_request: Request) -> Reply:
        return Reply(text="x" * 5000, count=0)

    async with ScriptedBroker(announce={"MaximumPacketSize": 2000}) as broker:
        running = Running(Address(host=broker.host, port=broker.port), store, SystemClock(), mode="off", ask=answer)
        running.start()
        await running.connected()
        reply = f"{TOPICS.reply_prefix}1"
        async with aiomqtt.Client(broker.host, broker.port) as client:
            await client.publish(TOPICS.ask, json.dumps({"question": "?", "response_topic": reply}), 1)
            await until(lambda: broker.on(reply))
        content = json.loads(broker.on(reply)[0].payload)
        assert content["ok"] is False
        assert "ask for less" in content["error"]
        await running.stop()
