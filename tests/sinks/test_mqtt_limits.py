"""What a broker's CONNACK allows is what the sink does: how many at once, how large, which QoS, retain, wildcards."""

import json
from dataclasses import replace
from pathlib import Path

import paho.mqtt.client
import pytest
from amqtt.broker import Broker as AmqttBroker
from broker import Broker
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from running_sink import TOPICS, Running, Watcher
from scripted_broker import ScriptedBroker
from sink_samples import NODE, PERSON, event, observation, picture, ring, state, until

from blikk_edge.core.clock import SystemClock
from blikk_edge.sinks.mqtt.address import Address
from blikk_edge.sinks.mqtt.limits import BrokerLimits, limits_of, packet_size, publish_properties
from blikk_edge.store.store import Store
from blikk_edge.wire.messages import Message

RING = TOPICS.ring("front_door")
EVENT = TOPICS.event("front_door")
PICTURE = TOPICS.picture("front_door", "person")
CONFIG = "homeassistant/device/blikk_porch/camera_front_door/config"


def sink_to(broker: Broker | ScriptedBroker, store: Store, mode: str = "off", **more: object) -> Running:
    return Running(Address(host=broker.host, port=broker.port), store, SystemClock(), mode=mode, **more)


def ids(broker: ScriptedBroker, topic: str) -> list[str]:
    return [json.loads(each.payload)["id"] for each in broker.on(topic)]


def test_a_silent_connack_limits_nothing() -> None:
    assert limits_of(None) == BrokerLimits() == limits_of(Properties(PacketTypes.CONNACK))
    assert BrokerLimits().receive_maximum == 65535


def test_every_limit_of_a_connack_is_read() -> None:
    connack = Properties(PacketTypes.CONNACK)
    connack.ReceiveMaximum = 1
    connack.MaximumPacketSize = 2000
    connack.MaximumQoS = 0
    connack.RetainAvailable = 0
    connack.WildcardSubscriptionAvailable = 0
    expected = BrokerLimits(receive_maximum=1, packet_bytes=2000, qos=0, retain=False, wildcards=False)
    assert limits_of(connack) == expected


@given(
    topic=st.text(alphabet=st.characters(codec="utf-8", exclude_characters="+#\0"), min_size=1, max_size=80),
    length=st.sampled_from([0, 1, 100, 117, 120, 127, 128, 129, 16_300, 16_383, 16_384, 20_000, 2_097_150]),
    qos=st.sampled_from([0, 1]),
    expiry=st.sampled_from([None, 86400]),
    content=st.sampled_from([None, "image/jpeg"]),
    correlation=st.sampled_from([None, b"", b"x" * 200]),
    v5=st.booleans(),
)
def test_a_packet_has_the_size_that_the_library_sends(
    topic: str, length: int, qos: int, expiry: int | None, content: str | None, correlation: bytes | None, v5: bool
) -> None:
    message = Message(
        topic=topic,
        payload=b"x" * length,
        qos=qos,
        retain=False,
        expiry_s=expiry,
        content_type=content,
        correlation=correlation,
    )
    client = paho.mqtt.client.Client(
        paho.mqtt.client.CallbackAPIVersion.VERSION2,
        protocol=paho.mqtt.client.MQTTv5 if v5 else paho.mqtt.client.MQTTv311,
    )
    sent: list[bytes] = []
    client._sock = object()  # it only looks whether there is one
    client._packet_queue = lambda _command, packet, *_rest: sent.append(bytes(packet)) or 0
    client._send_publish(
        1, topic.encode(), message.payload, qos, properties=publish_properties(message) if v5 else None
    )
    client._sock = None
    assert packet_size(message, v5=v5) == len(sent[0])


@pytest.mark.usefixtures("unhurried")
@pytest.mark.parametrize("receive_maximum", [1, 2, 10, 15, 20, 100, 65535, None])
async def test_no_more_is_under_way_than_the_broker_allows(store: Store, receive_maximum: int | None) -> None:
    for number in range(60):
        store.put(ring(number))
    announce = {} if receive_maximum is None else {"ReceiveMaximum": receive_maximum}
    async with ScriptedBroker(announce=announce) as broker:
        running = sink_to(broker, store, mode="discovery")
        running.start()
        await running.connected()
        for number in range(20):
            running.inbox.put(event(number), picture(number), state(frames=number))
        await until(lambda: len(broker.on(EVENT)) == 20)
        await until(lambda: broker.on(PICTURE) and broker.on(CONFIG), "the others")
        await until(lambda: running.delivery.outbox == 0)
        assert ids(broker, RING) == [f"ring-{number}" for number in range(60)]
        assert ids(broker, EVENT) == [f"event-{number}" for number in range(20)]
        assert broker.most_under_way <= (receive_maximum or 65535)
        assert broker.most_under_way > 1 or receive_maximum == 1
        assert len(broker.log_ins) == 1
        assert running.sink.problem is None
        await running.stop()
        assert broker.on(TOPICS.status)[-1].payload == b"offline"
        assert broker.ends == []


async def test_each_connection_has_the_limits_of_its_own_connack(store: Store) -> None:
    async with ScriptedBroker(announce={"ReceiveMaximum": 20}) as broker:
        running = sink_to(broker, store)
        running.start()
        await running.connected()
        broker.announce["ReceiveMaximum"] = 3
        broker.most_under_way = 0
        for number in range(40):
            store.put(ring(number))
        broker.drop()
        await until(lambda: len(broker.log_ins) == 2 and running.sink.connected, "the next connection")
        running.inbox.put(ring(40))
        await until(lambda: len(broker.on(RING)) == 41)
        assert broker.most_under_way == 3
        await running.stop()


@pytest.mark.parametrize("most", [1, 3])
async def test_mosquitto_with_a_small_window(tmp_path: Path, store: Store, most: int) -> None:
    for number in range(100):
        store.put(ring(number))
    with Broker(tmp_path, extra=[f"max_inflight_messages {most}"]) as broker:
        watcher = Watcher(broker)
        await watcher.listening.wait()
        running = sink_to(broker, store)
        running.start()
        await until(lambda: len(watcher.on(RING)) == 100, "the rings")
        await until(lambda: running.delivery.outbox == 0)
        assert watcher.ids(RING) == [f"ring-{number}" for number in range(100)]
        assert broker.log.count("as blikk-porch") == 1
        await running.stop()
        await watcher.close()


async def test_a_slow_broker_that_acknowledges_one_at_a_time_is_not_given_up(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blikk_edge.sinks.mqtt.connection.ANSWER_S", 1.0)
    async with ScriptedBroker(announce={"ReceiveMaximum": 1}) as broker:
        broker.ack_s = 0.2
        for number in range(16):  # a window: the last waits for more than three times the limit
            store.put(ring(number))
        running = sink_to(broker, store)
        running.start()
        await until(lambda: running.sink.connected and running.delivery.outbox == 0)
        assert ids(broker, RING) == [f"ring-{number}" for number in range(16)]
        await running.stop()


@pytest.mark.parametrize("limit", [2_000, 20_000, 100_000])
async def test_mosquitto_with_a_packet_size_gets_what_fits_and_the_rest_is_reported(
    tmp_path: Path, store: Store, caplog: pytest.LogCaptureFixture, limit: int
) -> None:
    large = replace(picture(1), jpeg=bytes(150_000))
    with Broker(tmp_path, extra=[f"max_packet_size {limit}"]) as broker:
        watcher = Watcher(broker)
        await watcher.listening.wait()
        running = sink_to(broker, store, mode="discovery")
        running.start()
        await running.connected()
        for _ in range(3):
            running.inbox.put(large)
            await until(lambda: f"{PICTURE} (" in (running.sink.problem or ""))
        running.inbox.put(ring(1), event(1))
        await until(lambda: watcher.ids(RING) == ["ring-1"])
        await until(lambda: watcher.ids(EVENT) == ["event-1"])
        await until(lambda: watcher.on(CONFIG), "discovery")
        assert running.sink.problem is not None
        assert f"{limit} allowed" in running.sink.problem
        assert "second node" not in running.sink.problem
        assert len([r for r in caplog.records if PICTURE in r.message]) == 1
        assert broker.log.count("as blikk-porch") == 1
        assert watcher.on(PICTURE) == []
        running.inbox.put(picture(2))
        await until(lambda: watcher.on(PICTURE) == [picture(2).jpeg])
        assert running.delivery.lost == 0
        await running.stop()
        await watcher.close()


async def test_discovery_in_parts_holds_every_entity_once(store: Store) -> None:
    async with ScriptedBroker() as broker:
        running = sink_to(broker, store, mode="discovery")
        running.start()
        await running.connected()
        await until(lambda: broker.on(CONFIG))
        whole = json.loads(broker.on(CONFIG)[0].payload)
        await running.stop()
    async with ScriptedBroker(announce={"MaximumPacketSize": 3000}) as broker:
        broker.retained[CONFIG] = json.dumps(whole).encode()  # from before the broker was limited
        running = sink_to(broker, store, mode="discovery")
        running.start()
        await running.connected()

        def parts() -> dict[str, dict[str, object]]:
            found = {t: json.loads(p) for t, p in broker.retained.items() if t.endswith("camera_front_door/config")}
            return {key: part for content in found.values() for key, part in content["components"].items()}

        await until(lambda: parts().keys() == whole["components"].keys() and len(broker.retained) > 5, "all parts")
        assert parts() == whole["components"]
        configs = [json.loads(p) for t, p in broker.retained.items() if t.endswith("camera_front_door/config")]
        assert {json.dumps(each["device"]) for each in configs} == {json.dumps(whole["device"])}
        assert sum(len(each["components"]) for each in configs) == len(whole["components"])
        assert broker.ends == []
        assert running.sink.problem is None
        first = [each for each in broker.published if each.topic == CONFIG]
        assert first[0].payload == b""  # Home Assistant removes before other topics bring the same entities
        broker.announce.clear()
        broker.drop()
        await until(lambda: not any("part" in topic for topic in broker.retained), "the end of the parts")
        await until(lambda: json.loads(broker.retained.get(CONFIG, b"{}")) == whole, "one payload")
        await running.stop()


async def test_a_record_that_is_too_large_is_reported_without_its_objects_and_blocks_nothing(store: Store) -> None:
    crowd = replace(event(1), objects=(PERSON,) * 24)
    rich = replace(observation(2), embedding=(0.5,) * 2000)
    immense = replace(event(3), zones=tuple(f"zone-{number}" for number in range(400)))
    async with ScriptedBroker(announce={"MaximumPacketSize": 2000}) as broker:
        running = sink_to(broker, store)
        running.start()
        await running.connected()
        running.inbox.put(crowd, rich, event(4), immense)
        await until(lambda: ids(broker, EVENT) == ["event-1", "event-4"], "what fits")
        await until(lambda: running.delivery.outbox == 0)
        content = json.loads(broker.on(EVENT)[0].payload)
        assert content["counts"] == {"person": 24}
        assert 0 < len(content["objects"]) < 24
        assert json.loads(broker.on(TOPICS.observation("front_door"))[0].payload)["id"] == "observation-2"
        assert running.delivery.lost == 1
        assert f"{EVENT} (" in (running.sink.problem or "")
        assert broker.ends == []
        await running.stop()


async def test_a_broker_without_retain_gets_none_and_is_reported_about_once(
    tmp_path: Path, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    with Broker(tmp_path, extra=["retain_available false"]) as broker:
        watcher = Watcher(broker)
        await watcher.listening.wait()
        running = sink_to(broker, store, mode="discovery")
        running.start()
        await running.connected()
        running.inbox.put(ring(1), state(), picture(1))
        await until(lambda: watcher.on(RING) and watcher.on(PICTURE) and watcher.on(CONFIG))
        assert running.sink.problem is not None
        assert "keeps no retained messages" in running.sink.problem
        assert len([r for r in caplog.records if "retained messages" in r.message]) == 1
        broker.restart()
        await until(lambda: not running.sink.connected)
        await running.connected()
        assert len([r for r in caplog.records if "retained messages" in r.message]) == 1
        await running.stop()
        await watcher.close()


@pytest.mark.usefixtures("unhurried")
@pytest.mark.parametrize("qos", [0, 1])
async def test_a_broker_with_a_lower_qos_gets_that(tmp_path: Path, store: Store, qos: int) -> None:
    with Broker(tmp_path, extra=[f"max_qos {qos}"]) as broker:
        watcher = Watcher(broker)
        await watcher.listening.wait()
        running = sink_to(broker, store, mode="discovery")
        running.start()
        await running.connected()
        running.inbox.put(ring(1), picture(1))
        await until(lambda: watcher.ids(RING) == ["ring-1"] and watcher.on(PICTURE) and watcher.on(CONFIG))
        await until(lambda: running.delivery.outbox == 0)
        assert ("QoS 0 only" in (running.sink.problem or "")) == (qos == 0)
        await running.stop()
        await until(lambda: watcher.on(TOPICS.status)[-1] == b"offline", "offline")
        await watcher.close()


async def test_the_last_will_is_retained_again_when_the_broker_can(store: Store) -> None:
    async with ScriptedBroker(announce={"RetainAvailable": 0, "MaximumQoS": 0}) as broker:
        running = sink_to(broker, store)
        running.start()
        await running.connected()
        last = broker.log_ins[-1]
        assert (last.will_retain, last.will_qos) == (False, 0)
        broker.announce.clear()
        broker.drop()
        await until(lambda: len(broker.log_ins) > 3 and running.sink.connected)
        broker.drop()
        await until(lambda: broker.log_ins[-1].will_retain and running.sink.connected)
        assert broker.log_ins[-1].will_qos == 1
        assert running.sink.problem is None
        await running.stop()


async def test_without_wildcards_every_topic_is_subscribed_to(store: Store) -> None:
    for announced in (True, False):
        async with ScriptedBroker(announce={"WildcardSubscriptionAvailable": 0} if announced else {}) as broker:
            broker.enforce["WildcardSubscriptionAvailable"] = 0
            running = sink_to(broker, store, mode="discovery")
            running.start()
            await running.connected()
            assert not any(set("+#") & set(each) for each in broker.subscribed)
            broker.say(TOPICS.set("yard", "ring"), b"PRESS")
            await until(lambda: any(type(each).__name__ == "Press" for each in running.orders))  # noqa: B023
            assert running.sink.problem is None
            await running.stop()


async def test_the_keepalive_of_the_broker_counts(store: Store) -> None:
    async with ScriptedBroker(announce={"ServerKeepAlive": 1}) as broker:
        running = Running(
            Address(host=broker.host, port=broker.port, keepalive_s=3000), store, SystemClock(), mode="off"
        )
        running.start()
        await running.connected()
        await until(lambda: broker.pings > 1, "pings")
        await running.stop()


async def test_no_topic_alias_is_used_and_no_huge_packet_is_wanted(store: Store) -> None:
    async with ScriptedBroker(announce={"TopicAliasMaximum": 10}) as broker:
        running = sink_to(broker, store)
        running.start()
        await running.connected()
        running.inbox.put(ring(1), ring(2))
        await until(lambda: len(broker.on(RING)) == 2)
        await running.stop()
        assert not any("TopicAlias" in each.properties for each in broker.published)
        assert broker.log_ins[0].properties["MaximumPacketSize"] == 2 * 1024 * 1024


async def test_a_node_too_large_to_announce_itself_goes_on(store: Store) -> None:
    async with ScriptedBroker(announce={"MaximumPacketSize": 300}) as broker:
        running = sink_to(broker, store, mode="discovery")
        running.start()
        await running.connected()
        running.inbox.put(ring(1))
        await until(lambda: ids(broker, RING) == ["ring-1"])
        await until(lambda: "entities are left out" in (running.sink.problem or ""))
        assert f"{TOPICS.announce} (" in (running.sink.problem or "")
        assert len(broker.log_ins) == 1
        assert NODE.id in broker.log_ins[0].client
        await running.stop()


async def test_the_broker_of_the_demo_takes_everything(free_port: int, store: Store) -> None:
    config = {
        "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{free_port}"}},
        "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
    }
    broker = AmqttBroker(config)
    await broker.start()
    running = Running(Address(host="127.0.0.1", port=free_port), store, SystemClock(), mode="discovery")
    running.start()
    await running.connected()
    for number in range(100):
        running.inbox.put(ring(number))
    running.inbox.put(replace(picture(1), jpeg=bytes(150_000)))
    await until(running.inbox.empty)
    await until(lambda: running.delivery.outbox == 0)
    assert (running.sink.problem, running.delivery.lost) == (None, 0)
    await running.stop()
    await broker.shutdown()
