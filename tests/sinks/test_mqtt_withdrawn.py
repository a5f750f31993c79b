"""What was forgotten is shown nowhere: the broker keeps nothing of it, and who listens hears that."""

from dataclasses import replace

import aiomqtt
from broker import Broker
from running_sink import TOPICS, Running, Watcher
from sink_samples import FRONT, T0, event, picture, until

from blikk_edge.core.commands import Snapshot
from blikk_edge.core.observation import Shown, Withdrawn
from blikk_edge.core.summary import Summary

STILL = Withdrawn(camera=FRONT.id, what=Shown.PICTURE, name="snapshot")
TEXT = Withdrawn(camera=FRONT.id, what=Shown.SUMMARY)
TEXT_TOPIC = TOPICS.summary(FRONT.id)
PERSON_TOPIC = TOPICS.picture(FRONT.id, "person")


def summary(number: int) -> Summary:
    return Summary(
        id=f"summary-{number}",
        camera=FRONT.id,
        event=f"event-{number}",
        revision=2,
        time=T0,
        since=T0,
        until=T0,
        title="A visit",
        text="Somebody came.",
    )


async def retained(broker: Broker) -> set[str]:
    """The topics on which the broker keeps something."""
    async with aiomqtt.Client(broker.host, broker.port, identifier="late") as late:
        await late.subscribe("blikk/#", qos=1)
        await late.publish("mark", b"", qos=1)
        await late.subscribe("mark", qos=1)
        await late.publish("mark", b"now", qos=1)
        kept = set()
        async for message in late.messages:
            if str(message.topic) == "mark":
                return kept
            kept.add(str(message.topic))
    raise AssertionError


async def test_text_and_picture_go_from_the_broker_and_listeners_hear_it(
    running: Running, watcher: Watcher, broker: Broker
) -> None:
    running.inbox.put(event(1), summary(1), picture(1))
    await until(lambda: watcher.on(PERSON_TOPIC) and watcher.on(TEXT_TOPIC))
    assert {TEXT_TOPIC, PERSON_TOPIC} <= await retained(broker)
    running.inbox.put(TEXT, Withdrawn(camera=FRONT.id, what=Shown.PICTURE, name="person"))
    await until(lambda: watcher.on(PERSON_TOPIC)[-1] == watcher.on(TEXT_TOPIC)[-1] == b"")
    assert not {TEXT_TOPIC, PERSON_TOPIC} & await retained(broker)


async def test_what_is_withdrawn_while_the_broker_is_away_goes_when_it_is_back(
    running: Running, watcher: Watcher, broker: Broker
) -> None:
    running.inbox.put(summary(1))
    await until(lambda: watcher.on(TEXT_TOPIC))
    broker.kill()
    await until(lambda: not running.sink.connected)
    running.inbox.put(summary(2), TEXT, summary(3))
    await until(lambda: running.delivery.outbox >= 3)
    broker.start()
    await until(lambda: running.delivery.outbox == 0 and running.sink.connected)
    await until(lambda: b"summary-3" in watcher.on(TEXT_TOPIC)[-1])
    empty = watcher.on(TEXT_TOPIC).index(b"")
    assert b"summary-3" in watcher.on(TEXT_TOPIC)[empty + 1]


async def test_a_still_that_was_withdrawn_is_taken_anew_but_not_before(running: Running, watcher: Watcher) -> None:
    running.orders.clear()
    running.inbox.put(replace(STILL, name="person"), TEXT, STILL)
    await until(lambda: running.orders)
    assert running.orders == [Snapshot(camera=FRONT.id)]
    await until(lambda: watcher.on(TOPICS.picture(FRONT.id, "snapshot")) == [b""])
