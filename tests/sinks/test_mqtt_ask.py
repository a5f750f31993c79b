"""Requests over a real broker: MQTT 5 and 3.1.1, floods, rubbish, and answers only where they may go."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta, timezone
from typing import Any

import aiomqtt
import pytest
from broker import Broker
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from patience import PATIENCE
from running_sink import TOPICS, Running, Watcher
from sink_samples import NODE, T0, event, ring, until

from blikk_edge.asking.question_service import QuestionService
from blikk_edge.core.clock import SystemClock, VirtualClock
from blikk_edge.core.commands import Set
from blikk_edge.core.errors import SinkError, StoreError
from blikk_edge.core.inquiry import WAITING_MAX, AskQuestion, EventWithText, Forget, ListEvents, Reply, Request
from blikk_edge.core.locale import Locale
from blikk_edge.sinks.mqtt.address import Address
from blikk_edge.sinks.mqtt.asked import REFUSED_MAX
from blikk_edge.sinks.mqtt.connection import Connection
from blikk_edge.sinks.mqtt.request import ask_node
from blikk_edge.store.store import Store
from blikk_edge.wire.messages import Message

REPLY = f"{TOPICS.base}/reply/1"


class Answers:
    """Answers at once, or when reported to."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.go = asyncio.Event()
        self.go.set()

    async def __call__(self, request: Request) -> Reply:
        self.asked.append(request)
        await self.go.wait()
        return Reply(text="An answer.", count=len(self.asked), events=(EventWithText(event=event(1)),))


def properties(topic: str, correlation: bytes | None = None) -> Properties:
    made = Properties(PacketTypes.PUBLISH)
    made.ResponseTopic = topic
    if correlation is not None:
        made.CorrelationData = correlation
    return made


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
async def asked(broker: Broker, store: Store, answers: Answers) -> AsyncIterator[Running]:
    running = Running(Address(host=broker.host, port=broker.port), store, SystemClock(), mode="off", ask=answers)
    running.start()
    await running.connected()
    yield running
    await running.stop()


@pytest.fixture
async def asker(broker: Broker) -> AsyncIterator[aiomqtt.Client]:
    """Speaks MQTT 5."""
    async with aiomqtt.Client(broker.host, broker.port, protocol=aiomqtt.ProtocolVersion.V5) as client:
        yield client


def replies(watcher: Watcher, topic: str = REPLY) -> list[dict[str, Any]]:
    return [json.loads(payload) for payload in watcher.on(topic)]


async def test_version_5_is_answered_on_its_response_topic_with_its_correlation(
    asked: Running, answers: Answers, asker: aiomqtt.Client, watcher: Watcher
) -> None:
    await asker.publish(TOPICS.ask, b"who came?", 1, properties=properties(REPLY, b"\x00\xff7"))
    await until(lambda: watcher.on(REPLY), "the reply")
    [message] = [m for m in watcher.heard if str(m.topic) == REPLY]
    content = json.loads(bytes(message.payload))
    assert answers.asked == [AskQuestion(question="who came?")]
    assert (content["ok"], content["text"], content["correlation"]) == (True, "An answer.", None)
    assert content["events"][0]["id"] == "event-1"
    assert message.properties is not None
    assert message.properties.CorrelationData == b"\x00\xff7"
    assert not message.retain


@pytest.mark.parametrize("protocol", [aiomqtt.ProtocolVersion.V311, aiomqtt.ProtocolVersion.V5])
async def test_json_alone_is_enough(
    asked: Running, answers: Answers, broker: Broker, watcher: Watcher, protocol: aiomqtt.ProtocolVersion
) -> None:
    content = {"do": "events", "camera": "yard", "since": T0, "response_topic": REPLY, "correlation": "c-1"}
    async with aiomqtt.Client(broker.host, broker.port, protocol=protocol) as client:
        await client.publish(TOPICS.ask, json.dumps(content), 1)
        await until(lambda: replies(watcher), "the reply")
    assert answers.asked == [ListEvents(camera="yard", since=T0)]
    assert replies(watcher)[0]["correlation"] == "c-1"


async def test_a_broker_without_mqtt_5_is_answered_over(old_broker: Address, store: Store, answers: Answers) -> None:
    running = Running(old_broker, store, SystemClock(), mode="off", ask=answers)
    running.start()
    await running.connected()
    v311 = aiomqtt.ProtocolVersion.V311
    async with aiomqtt.Client(old_broker.host, old_broker.port, protocol=v311, identifier="asker") as client:
        await client.subscribe(REPLY, 1)
        content = {"question": "who?", "response_topic": REPLY, "correlation": "x"}
        await client.publish(TOPICS.ask, json.dumps(content), 1)
        async with asyncio.timeout(10 * PATIENCE):
            message = await anext(aiter(client.messages))
    assert json.loads(bytes(message.payload))["correlation"] == "x"
    assert running.sink.protocol == "MQTT 3.1.1"
    await running.stop()


async def test_a_bad_request_is_refused_in_words_where_that_can_be_heard(
    asked: Running, answers: Answers, asker: aiomqtt.Client, watcher: Watcher
) -> None:
    bad = (b'{"question": "who', b"[]", b"\xff\xfe", b'{"do": "dance"}', b"", b'{"camera": "cellar", "question": "x"}')
    for payload in bad:
        await asker.publish(TOPICS.ask, payload, 1, properties=properties(REPLY, b"1"))
    content = {"do": "forget", "response_topic": REPLY, "correlation": "f"}
    await asker.publish(TOPICS.ask, json.dumps(content), 1)
    await until(lambda: len(replies(watcher)) == len(bad) + 1, "the refusals")
    assert answers.asked == []
    assert not any(reply["ok"] for reply in replies(watcher))
    assert "no camera 'cellar'" in replies(watcher)[5]["error"]
    assert replies(watcher)[6]["correlation"] == "f"


async def test_answers_go_nowhere_that_they_may_not(
    asked: Running, answers: Answers, asker: aiomqtt.Client, watcher: Watcher, caplog: pytest.LogCaptureFixture
) -> None:
    elsewhere = ("homeassistant/status", "homeassistant/device/blikk_porch/node/config", "zigbee2mqtt/lock/set", "x/y")
    for topic in (f"{TOPICS.base}/status", TOPICS.set("yard", "detect"), "blikk/other/ask", TOPICS.ask, *elsewhere):
        await asker.publish(TOPICS.ask, b"who?", 1, properties=properties(topic))
    await asker.publish(TOPICS.ask, b"who?", 1, properties=properties(REPLY, bytes(201)))
    for topic in ("a/#", "$SYS/x", "+", TOPICS.claim, 7, f"{REPLY}//x", f"{REPLY}\0", *elsewhere):
        await asker.publish(TOPICS.ask, json.dumps({"question": "who?", "response_topic": topic}), 1)
    await asker.publish(TOPICS.ask, b"who?", 1)  # nowhere at all
    await asker.publish(TOPICS.ask, b"and now?", 1, properties=properties(REPLY))
    await until(lambda: replies(watcher), "the last reply")
    assert answers.asked == [AskQuestion(question="and now?")]
    assert watcher.on(TOPICS.status) == [b"online"]
    assert not any(watcher.on(topic) for topic in elsewhere)
    reported = [r for r in caplog.records if "was not understood" in r.message]
    assert len(reported) == 1
    assert f"begin with {TOPICS.reply_prefix}" in reported[0].message


async def test_what_has_an_effect_is_done_without_anybody_to_hear_it(
    asked: Running, answers: Answers, asker: aiomqtt.Client
) -> None:
    await asker.publish(TOPICS.ask, b'{"do": "forget", "camera": "yard"}', 1)
    await until(lambda: answers.asked == [Forget(camera="yard")])


async def test_a_retained_request_is_not_carried_out_again(
    asked: Running, answers: Answers, asker: aiomqtt.Client, watcher: Watcher
) -> None:
    await asker.publish(TOPICS.ask, b'{"do": "forget", "camera": "yard"}', 1, retain=True)
    await until(lambda: len(answers.asked) == 1)  # live it counts, as nobody can tell
    await asked.stop()
    asked.start()
    await asked.connected()
    await asker.publish(TOPICS.ask, b"who?", 1, properties=properties(REPLY))
    await until(lambda: replies(watcher))
    assert answers.asked == [Forget(camera="yard"), AskQuestion(question="who?")]


async def test_a_flood_is_refused_and_holds_up_no_record(
    asked: Running, answers: Answers, asker: aiomqtt.Client, watcher: Watcher
) -> None:
    answers.go.clear()
    for number in range(300):
        content = {"question": f"{number}?", "response_topic": REPLY, "correlation": str(number)}
        await asker.publish(TOPICS.ask, json.dumps(content), 0)
    await until(lambda: any("requests wait already" in (r["error"] or "") for r in replies(watcher)), "a refusal")
    asked.inbox.put(ring(1))
    await until(lambda: watcher.ids(TOPICS.ring("front_door")) == ["ring-1"], "the ring")
    tasks = [task for task in asyncio.all_tasks() if task.get_name().startswith(("mqtt.ask", "mqtt.refuse"))]
    assert len(answers.asked) == WAITING_MAX
    assert len(tasks) <= WAITING_MAX + REFUSED_MAX
    answers.go.set()
    await until(lambda: len([r for r in replies(watcher) if r["ok"]]) >= WAITING_MAX, "the answers")
    heard = len(replies(watcher))
    await asker.publish(TOPICS.ask, b"again?", 1, properties=properties(REPLY))
    await until(lambda: len(replies(watcher)) > heard)


async def test_answers_that_wait_for_the_broker_count_as_requests_that_wait(
    asked: Running, answers: Answers, asker: aiomqtt.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish, taken = Connection.publish, asyncio.Event()

    async def stalled(self: Connection, message: Message) -> None:
        if message.topic == REPLY:
            await taken.wait()
        await publish(self, message)

    monkeypatch.setattr(Connection, "publish", stalled)
    for _ in range(200):
        await asker.publish(TOPICS.ask, b"who?", 1, properties=properties(REPLY))
    await asker.publish(TOPICS.set("yard", "detect"), b"OFF", 1)
    await until(lambda: Set in map(type, asked.orders), "the command behind the flood")
    tasks = [task for task in asyncio.all_tasks() if task.get_name().startswith(("mqtt.ask", "mqtt.refuse"))]
    assert (len(answers.asked), len(tasks)) == (WAITING_MAX, WAITING_MAX + REFUSED_MAX)
    taken.set()


async def test_a_bug_costs_the_request_that_found_it_and_nothing_else(
    broker: Broker, store: Store, watcher: Watcher, caplog: pytest.LogCaptureFixture
) -> None:
    async def stumbles(request: Request) -> Reply:
        if request == AskQuestion(question="bad?"):
            raise OverflowError("date value out of range")
        return Reply(text="An answer.", count=0)

    running = Running(Address(host=broker.host, port=broker.port), store, SystemClock(), mode="off", ask=stumbles)
    running.start()
    await running.connected()
    async with aiomqtt.Client(broker.host, broker.port) as client:
        for question in ("bad?", "bad?", "good?"):
            await client.publish(TOPICS.ask, json.dumps({"question": question, "response_topic": REPLY}), 1)
        await until(lambda: len(replies(watcher)) == 3, "the replies")
    assert [reply["ok"] for reply in replies(watcher)] == [False, False, True]
    assert "OverflowError" in replies(watcher)[0]["error"]
    assert "date value" not in replies(watcher)[0]["error"]
    assert watcher.on(TOPICS.status) == [b"online"]
    [reported] = [record for record in caplog.records if record.exc_info]
    assert "bug" in reported.message
    await running.stop()


async def test_a_time_beyond_the_calendar_is_answered_east_of_utc(
    broker: Broker, store: Store, watcher: Watcher
) -> None:
    east = timezone(timedelta(hours=2))
    service = QuestionService(
        history=store, cameras=NODE.cameras, clock=VirtualClock(T0 + 60), locale=lambda: Locale(timezone=east)
    )
    running = Running(Address(host=broker.host, port=broker.port), store, SystemClock(), mode="off", ask=service.answer)
    running.start()
    await running.connected()
    async with aiomqtt.Client(broker.host, broker.port) as client:
        content = {"question": "Who came?", "since": "9999-12-31T23:00:00Z", "response_topic": REPLY}
        await client.publish(TOPICS.ask, json.dumps(content), 1)
        await until(lambda: replies(watcher), "the reply")
    assert replies(watcher)[0]["ok"]
    await running.stop()


async def test_it_answers_again_after_the_broker_was_away(
    asked: Running, answers: Answers, broker: Broker, watcher: Watcher
) -> None:
    answers.go.clear()
    async with aiomqtt.Client(broker.host, broker.port) as client:
        await client.publish(TOPICS.ask, json.dumps({"question": "lost?", "response_topic": REPLY}), 1)
        await until(lambda: len(answers.asked) == 1)
    broker.kill()
    await until(lambda: not asked.sink.connected)
    broker.start()
    await asked.connected()
    answers.go.set()
    await watcher.listening.wait()
    async with aiomqtt.Client(broker.host, broker.port) as client:
        await client.publish(TOPICS.ask, json.dumps({"question": "now?", "response_topic": REPLY}), 1)
        await until(lambda: replies(watcher), "the reply")
    assert [reply["count"] for reply in replies(watcher)] == [2]


async def test_an_expected_failure_is_a_refusal(broker: Broker, store: Store, watcher: Watcher) -> None:
    async def fails(request: Request) -> Reply:
        raise StoreError("the disk is full")

    address = Address(host=broker.host, port=broker.port)
    for ask, error in ((fails, "the disk is full"), (None, "this node does not answer requests")):
        running = Running(address, store, SystemClock(), mode="off", ask=ask)
        running.start()
        await running.connected()
        async with aiomqtt.Client(broker.host, broker.port) as client:
            await client.publish(TOPICS.ask, json.dumps({"question": "?", "response_topic": REPLY}), 1)
            await until(lambda: error in [r["error"] for r in replies(watcher)])  # noqa: B023 - within the turn
        await running.stop()


async def test_a_question_is_answered_from_the_store_of_the_running_node(
    broker: Broker, store: Store, watcher: Watcher
) -> None:
    for number in (1, 2, 3):
        store.put(event(number))
    service = QuestionService(history=store, cameras=NODE.cameras, clock=VirtualClock(T0 + 60))
    running = Running(Address(host=broker.host, port=broker.port), store, SystemClock(), mode="off", ask=service.answer)
    running.start()
    await running.connected()
    async with aiomqtt.Client(broker.host, broker.port) as client:
        content = {"question": "How many people came in the last 5 minutes?", "response_topic": REPLY}
        await client.publish(TOPICS.ask, json.dumps(content), 1)
        await until(lambda: replies(watcher), "the reply")
    [reply] = replies(watcher)
    assert (reply["ok"], reply["count"], reply["query"]["measure"]) == (True, 3, "count")
    assert [each["id"] for each in reply["events"]] == ["event-3", "event-2", "event-1"]
    await running.stop()


async def test_a_request_that_no_node_would_read_is_refused_before_it_is_sent() -> None:
    nobody = Address(host="127.0.0.1", port=1)
    with pytest.raises(SinkError, match="more than a request needs"):
        await ask_node(nobody, TOPICS, AskQuestion(question="why? " * 2000))
