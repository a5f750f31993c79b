"""Log-in, TLS, protocol versions, and what a user reads when one of them fails."""

import asyncio
import json
import signal
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiomqtt
import psutil
import pytest
from broker import Broker, Certificates, make_certificates
from patience import PATIENCE
from running_sink import TOPICS, Running, Watcher
from sink_samples import event, observation, picture, until

from blikk_edge.core.clock import SystemClock
from blikk_edge.core.errors import SinkError
from blikk_edge.net.tls import client_context
from blikk_edge.sinks.mqtt.address import Address, Tls
from blikk_edge.sinks.mqtt.connection import Protocol
from blikk_edge.sinks.mqtt.library import discard, inner
from blikk_edge.sinks.mqtt.login import connected
from blikk_edge.sinks.mqtt.session import Session
from blikk_edge.store.store import Store
from blikk_edge.wire.messages import availability


async def problem_of(address: Address, store: Store) -> str:
    """What the sink says when it tries to connect."""
    running = Running(address, store, SystemClock(), mode="off")
    running.start()
    await until(lambda: running.sink.problem, "a problem")
    assert not running.sink.connected
    await running.stop()
    assert running.sink.problem is not None
    return running.sink.problem


async def test_nobody_there(store: Store, free_port: int) -> None:
    problem = await problem_of(Address(host="127.0.0.1", port=free_port), store)
    assert problem.startswith(f"broker 127.0.0.1:{free_port}: nobody listens there")


async def test_no_such_host(store: Store) -> None:
    problem = await problem_of(Address(host="no-such-host.invalid", port=1883), store)
    assert "there is no host of this name; see mqtt.host" in problem


async def test_wrong_password(tmp_path: Path, store: Store) -> None:
    with Broker(tmp_path, password=("blikk", "right")) as broker:
        address = Address(host=broker.host, port=broker.port, username="blikk", password="wrong-secret")
        problem = await problem_of(address, store)
        assert "authorised" in problem or "wrong user name or password" in problem
        assert "mqtt.password" in problem
        assert "wrong-secret" not in problem + repr(address)


async def test_right_password(tmp_path: Path, store: Store) -> None:
    with Broker(tmp_path, password=("blikk", "right")) as broker:
        address = Address(host=broker.host, port=broker.port, username="blikk", password="right")
        running = Running(address, store, SystemClock(), mode="off")
        running.start()
        await running.connected()
        await running.stop()


async def test_not_a_broker(store: Store) -> None:
    async def web_server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(web_server, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        problem = await problem_of(Address(host="127.0.0.1", port=port), store)
        assert f"127.0.0.1:{port}: no answer of an MQTT broker" in problem


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
async def tls_broker(tmp_path: Path, certificates: Certificates) -> AsyncIterator[Broker]:
    with Broker(tmp_path, tls=certificates, client_certificates=True) as broker:
        yield broker


async def test_tls_with_ca_and_client_certificate(tls_broker: Broker, certificates: Certificates, store: Store) -> None:
    tls = Tls(ca=certificates.ca, certificate=certificates.client, key=certificates.client_key)
    for host in ("127.0.0.1", "localhost"):
        running = Running(Address(host=host, port=tls_broker.port, tls=tls), store, SystemClock(), mode="off")
        running.start()
        await running.connected()
        running.inbox.put(event(1))
        await until(running.inbox.empty)
        await until(lambda: running.delivery.outbox == 0)  # noqa: B023 - awaited within the turn
        await running.stop()


def test_a_home_made_authority_will_do_on_every_python(certificates: Certificates) -> None:
    # what the standard library asks for from 3.13 on; the broker's certificate above comes from such an authority
    assert not client_context(certificates.ca).verify_flags & ssl.VERIFY_X509_STRICT
    assert client_context(None).verify_mode is ssl.CERT_REQUIRED


async def test_a_server_nobody_vouches_for(tls_broker: Broker, store: Store) -> None:
    problem = await problem_of(Address(host="127.0.0.1", port=tls_broker.port, tls=Tls()), store)
    assert "its certificate is not trusted" in problem
    assert "mqtt.tls.ca" in problem


async def test_a_missing_client_certificate(tls_broker: Broker, certificates: Certificates, store: Store) -> None:
    address = Address(host="127.0.0.1", port=tls_broker.port, tls=Tls(ca=certificates.ca))
    assert "our certificate" in await problem_of(address, store)


async def test_tls_to_a_plain_port(broker: Broker, certificates: Certificates, store: Store) -> None:
    problem = await problem_of(Address(host="127.0.0.1", port=broker.port, tls=Tls(ca=certificates.ca)), store)
    assert f"is {broker.port} its TLS port?" in problem


async def test_plain_to_a_tls_port(tls_broker: Broker, store: Store) -> None:
    assert "whether that port wants TLS" in await problem_of(Address(host="127.0.0.1", port=tls_broker.port), store)


async def test_a_ca_file_that_is_none(tls_broker: Broker, tmp_path: Path, store: Store) -> None:
    for path in (tmp_path / "absent.pem", tmp_path / "mosquitto.conf"):
        problem = await problem_of(Address(host="127.0.0.1", port=tls_broker.port, tls=Tls(ca=path)), store)
        assert problem.startswith(f"mqtt.tls.ca: {path} cannot be used")


async def test_an_encrypted_key_without_password_fails_and_does_not_ask(
    tls_broker: Broker, certificates: Certificates, tmp_path: Path, store: Store
) -> None:
    key = tmp_path / "encrypted.key"
    command = ["openssl", "pkcs8", "-topk8", "-in", str(certificates.client_key), "-out", str(key)]
    subprocess.run([*command, "-passout", "pass:sesame"], check=True)
    tls = Tls(ca=certificates.ca, certificate=certificates.client, key=key)
    assert "key_password" in await problem_of(Address(host="127.0.0.1", port=tls_broker.port, tls=tls), store)
    tls = Tls(ca=certificates.ca, certificate=certificates.client, key=key, key_password="sesame")
    assert "sesame" not in repr(tls)
    running = Running(Address(host="127.0.0.1", port=tls_broker.port, tls=tls), store, SystemClock(), mode="off")
    running.start()
    await running.connected()
    await running.stop()


async def test_a_broker_without_mqtt_5_is_spoken_to_in_3_1_1(
    old_broker: Address, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    running = Running(old_broker, store, SystemClock(), mode="off")
    running.start()
    await running.connected()
    assert running.sink.protocol == "MQTT 3.1.1"
    assert len([r for r in caplog.records if "MQTT 3.1.1 only" in r.message]) == 1
    running.inbox.put(event(1), picture(1))
    await until(running.inbox.empty)
    await until(lambda: running.delivery.outbox == 0)
    async with aiomqtt.Client(old_broker.host, old_broker.port, identifier="late") as late:
        await late.subscribe("blikk/#", qos=1)
        running.inbox.put(event(2))
        retained = set()
        async for message in late.messages:
            if message.retain:
                retained.add(str(message.topic))
            if str(message.topic) == TOPICS.event("front_door"):
                assert json.loads(bytes(message.payload))["id"] == "event-2"
                break
    assert TOPICS.status in retained
    assert TOPICS.picture("front_door", "person") not in retained
    await running.stop()


async def test_the_outage_is_reported_once_and_its_end_once(
    running: Running, broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    broker.kill()
    await until(lambda: running.sink.problem and "nobody listens" in running.sink.problem)
    await asyncio.sleep(2.0)  # at least one more try in silence
    broker.start()
    await running.connected()
    assert running.sink.problem is None
    reported = [r.message for r in caplog.records if r.name == "blikk.mqtt"]
    assert len([m for m in reported if "connection was lost" in m]) == 1
    assert len([m for m in reported if "nobody listens" in m]) == 1
    assert len([m for m in reported if m.startswith("connected to")]) == 1
    assert len(reported) == 3


async def test_a_broker_that_hangs_is_not_taken_for_an_old_one(broker: Broker, store: Store) -> None:
    running = Running(Address(host=broker.host, port=broker.port), store, SystemClock(), mode="off")
    running.start()
    await running.connected()
    broker.restart()
    broker.freeze()
    await until(lambda: running.sink.problem and "no answer of an MQTT broker" in running.sink.problem)
    broker.thaw()
    await running.connected()
    assert running.sink.protocol == "MQTT 5"
    await running.stop()


async def test_attempts_that_fail_leave_neither_socket_nor_task_behind(
    tls_broker: Broker, certificates: Certificates, free_port: int
) -> None:
    will = availability(TOPICS, online=False)
    addresses = [
        Address(host="127.0.0.1", port=free_port),
        Address(host="127.0.0.1", port=tls_broker.port),
        Address(host="127.0.0.1", port=tls_broker.port, tls=Tls()),
        Address(host="127.0.0.1", port=tls_broker.port, tls=Tls(ca=certificates.ca)),
    ]

    async def attempt(address: Address) -> None:
        with pytest.raises(SinkError):
            async with connected(address, identifier="x", will=will, protocol=Protocol.V5):
                pass

    for address in addresses:  # whatever is made once is made now
        await attempt(address)
    process = psutil.Process()
    descriptors, tasks = process.num_fds(), len(asyncio.all_tasks())
    for _ in range(5):
        for address in addresses:
            await attempt(address)
    await until(lambda: len(asyncio.all_tasks()) == tasks)
    assert process.num_fds() == descriptors


async def test_twenty_restarts_of_the_broker_leave_nothing_behind(tmp_path: Path, broker: Broker) -> None:
    address = Address(host=broker.host, port=broker.port)
    will = availability(TOPICS, online=False)
    process = psutil.Process()
    counts = []
    for _ in range(20):
        async with connected(address, identifier="x", will=will, protocol=Protocol.V5) as connection:
            broker.restart()
            with pytest.raises(aiomqtt.MqttError):
                await anext(aiter(connection.client.messages))
        counts.append((process.num_fds(), process.num_threads(), len(asyncio.all_tasks())))
    assert counts[-1] == counts[5]


async def test_a_second_node_of_the_same_name_is_named_as_the_cause(
    running: Running, broker: Broker, tmp_path: Path
) -> None:
    other_store = Store(tmp_path / "other.db")
    other_store.open()
    other = Running(Address(host=broker.host, port=broker.port), other_store, SystemClock(), mode="off")
    other.start()
    await until(lambda: running.sink.problem and "second node of this name" in running.sink.problem)
    await other.stop()
    other_store.close()


async def test_a_connection_that_is_lost_in_the_moment_of_the_end_does_not_hold_up_the_end(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def loses_it(_session: Session) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise aiomqtt.MqttError("gone") from None

    await running.stop()
    monkeypatch.setattr(Session, "go_on", loses_it)
    running.start()
    await running.connected()
    async with asyncio.timeout(5 * PATIENCE):
        await running.stop()


@pytest.mark.parametrize("turns", range(6))
async def test_an_end_in_the_moment_of_an_answer_is_an_end(broker: Broker, turns: int) -> None:
    """Before Python 3.12, `asyncio.wait_for` swallows such a cancellation."""
    async with connected(
        Address(host=broker.host, port=broker.port), identifier="ends", will=None, protocol=Protocol.V5
    ) as connection:
        publishing = asyncio.ensure_future(connection.publish(availability(TOPICS, online=True)))
        client = connection.client._client
        ended = asyncio.get_running_loop().create_future()

        def end(after: int) -> None:
            if after:
                asyncio.get_running_loop().call_soon(end, after - 1)
            else:
                ended.set_result(publishing.cancel())

        def on_publish(*arguments: Any, library: Any = client.on_publish) -> None:
            library(*arguments)
            end(turns)

        client.on_publish = on_publish
        was_under_way = await ended
        await asyncio.wait((publishing,))
        assert publishing.cancelled() is was_under_way


async def test_what_the_access_list_forbids_is_reported_once_and_holds_up_nothing(
    tmp_path: Path, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    rules = tmp_path / "acl"
    rules.write_text("topic readwrite blikk/porch/+\ntopic readwrite blikk/porch/front_door/event\n")
    rules.chmod(0o600)
    with Broker(tmp_path, extra=[f"acl_file {rules}"]) as broker:
        watcher = Watcher(broker)
        await watcher.listening.wait()
        running = Running(Address(host=broker.host, port=broker.port), store, SystemClock(), mode="off")
        running.start()
        await running.connected()
        running.inbox.put(observation(1), observation(2), event(3))
        await until(lambda: watcher.ids(TOPICS.event("front_door")) == ["event-3"])
        await until(lambda: running.delivery.outbox == 0)
        await running.stop()
        await watcher.close()
    assert watcher.on(TOPICS.observation("front_door")) == []
    assert len([r for r in caplog.records if "does not let us publish" in r.message]) == 1


IDLE_NODE = """
import asyncio, sys
sys.path.insert(0, sys.argv[3])
from pathlib import Path
from delivered import Delivered
from sink_samples import NODE, Box1
from blikk_edge.core.clock import SystemClock
from blikk_edge.sinks.mqtt.address import Address
from blikk_edge.sinks.mqtt.sink import MqttSink
from blikk_edge.store.store import Store
from blikk_edge.wire.topics import Topics
store = Store(Path(sys.argv[1]))
store.open()

async def main():
    await Delivered(sink, store, SystemClock()).run(Box1())

sink = MqttSink(
    address=Address(host="127.0.0.1", port=int(sys.argv[2])), node=NODE, topics=Topics("blikk", "porch"),
    order=print, clock=SystemClock(),
)
asyncio.run(main())
"""


async def test_a_killed_node_leaves_offline_by_its_last_will(tmp_path: Path, broker: Broker, watcher: Watcher) -> None:
    command = [
        sys.executable,
        "-c",
        IDLE_NODE,
        str(tmp_path / "n.db"),
        str(broker.port),
        str(Path(__file__).parents[1]),
    ]
    with subprocess.Popen(command) as node:
        await until(lambda: watcher.on(TOPICS.status) == [b"online"])
        node.send_signal(signal.SIGKILL)
        await until(lambda: watcher.on(TOPICS.status) == [b"online", b"offline"], "the last will")
    will = [m for m in watcher.heard if str(m.topic) == TOPICS.status][-1]
    assert will.qos == 0  # as the watcher subscribed
    async with aiomqtt.Client(broker.host, broker.port) as late:
        await late.subscribe(TOPICS.status)
        first = await anext(aiter(late.messages))
        assert (first.retain, bytes(first.payload)) == (True, b"offline")


async def test_a_publish_into_a_socket_that_is_closed_just_then_leaves_no_traceback(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    address = Address(host=broker.host, port=broker.port)
    async with connected(address, identifier="closed-just-then", will=None, protocol=Protocol.V5) as connection:
        client = inner(connection.client)
        socket = client.socket()
        assert socket is not None
        client.on_socket_register_write(client, None, socket)  # as a publish does; its turn comes after
        discard(connection.client)
        await asyncio.sleep(0.1)
    assert "Exception in callback" not in caplog.text
