"""Records in a real Redis: its streams through kills of either side, its channels, and all that it may refuse."""

import asyncio
import gc
import json
import logging
import ssl
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from broker import make_certificates, make_expired
from killed_node import kill_and_go_on
from patience import PATIENCE
from redis import Redis
from redis_server import RedisServer
from sink_samples import Box1, delivering, event, observation, state, until

from blikk_edge.core.clock import SystemClock
from blikk_edge.core.errors import SinkError
from blikk_edge.core.ports import Pending
from blikk_edge.grammar.secrets import Secret
from blikk_edge.net.options import ClientTlsSettings
from blikk_edge.sinks.redis.channels import RedisChannels
from blikk_edge.sinks.redis.client import CONNECT_S, RedisClient
from blikk_edge.sinks.redis.kind import RedisOptions
from blikk_edge.sinks.redis.stream import RedisStream
from blikk_edge.store.store import Store
from blikk_edge.wire.topics import Topics

TOPICS = Topics("blikk", "porch")
STREAM = "blikk:porch"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def redis(shared: RedisServer) -> Iterator[Redis]:
    """A client of the test's; the server is empty."""
    shared.start()
    with Redis(port=shared.port) as client:
        client.flushall()
        client.config_set("maxmemory", 0)
        client.replicaof("NO", "ONE")
        yield client


def options(server: RedisServer, **more: Any) -> RedisOptions:
    return RedisOptions(**({"host": "127.0.0.1", "port": server.port} | more))


def entries(redis: Redis) -> list[dict[str, str]]:
    return [{k.decode(): v.decode() for k, v in fields.items()} for _, fields in redis.xrange(STREAM)]


def ids(redis: Redis) -> Counter[str]:
    return Counter(json.loads(entry["content"])["id"] for entry in entries(redis))


async def test_each_record_is_an_entry_with_the_json_of_mqtt(shared: RedisServer, redis: Redis, store: Store) -> None:
    async with delivering(store, RedisStream(options(shared, kinds=("event",)), topics=TOPICS)) as (inbox, delivery):
        inbox.put(event(1), observation(1), event(2, camera="yard"))
        await until(lambda: delivery.outbox == 0 and redis.xlen(STREAM) == 2)

    first, second = entries(redis)
    assert (first["kind"], first["camera"], first["node"]) == ("event", "front_door", "porch")
    assert second["topic"] == "blikk/porch/yard/event"
    assert json.loads(first["content"])["id"] == "event-1"


async def test_the_stream_keeps_about_as_many_as_it_may(shared: RedisServer, redis: Redis, store: Store) -> None:
    async with delivering(store, RedisStream(options(shared, max_entries=100), topics=TOPICS)) as (inbox, delivery):
        inbox.put(*(observation(number) for number in range(600)))
        await until(lambda: inbox.empty() and delivery.outbox == 0)

    assert 100 <= redis.xlen(STREAM) <= 300
    assert entries(redis)[-1]["content"].startswith('{"v":1,"id":"observation-599"')


async def test_a_server_that_is_killed_again_and_again_loses_nothing_and_has_nothing_twice(
    shared: RedisServer, redis: Redis, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """0 of 600 lost, 0 doubled, in order."""
    caplog.set_level(logging.INFO)
    async with delivering(store, RedisStream(options(shared), topics=TOPICS)) as (inbox, delivery):
        for turn in range(3):
            inbox.put(*(observation(turn * 200 + number) for number in range(200)))
            await until(lambda turn=turn: redis.xlen(STREAM) > turn * 200, "an entry of this turn")
            await asyncio.to_thread(shared.kill)
            await until(lambda: delivery.problems, "a problem")
            assert delivery.problems["redis"].startswith(f"redis 127.0.0.1:{shared.port}: ")
            await asyncio.to_thread(shared.start)
            await until(lambda: delivery.outbox == 0 and inbox.empty(), "delivery")
        assert not delivery.problems

    assert list(ids(redis)) == [f"observation-{number}" for number in range(600)]
    assert set(ids(redis).values()) == {1}
    assert delivery.lost == 0
    replayed = [entry for entry in entries(redis) if json.loads(entry["content"]).get("replayed")]
    assert 0 < len(replayed) < 600


async def test_a_node_that_is_killed_while_it_sends_loses_nothing_and_sends_nothing_twice(
    shared: RedisServer, redis: Redis, tmp_path: Path
) -> None:
    """Killed three times, wherever it is; what it has put on its disk is in the stream, once."""
    sink = f"""
from blikk_edge.sinks.redis.kind import RedisOptions
from blikk_edge.sinks.redis.stream import RedisStream
sink = RedisStream(RedisOptions(host="127.0.0.1", port={shared.port}), topics=topics)
"""

    async def arrived() -> list[str]:
        return list(ids(redis))

    put = await kill_and_go_on(sink, tmp_path / "node" / "blikk.db", arrived)

    assert [name for name, count in ids(redis).items() if count > 1] == []
    assert set(put) <= set(ids(redis))


async def test_a_record_whose_answer_was_lost_is_known_again(shared: RedisServer, redis: Redis) -> None:
    """The server took the batch, and the node never heard of it."""
    batch = [Pending(seq=number, record=event(number)) for number in range(1, 6)]
    first = RedisStream(options(shared), topics=TOPICS)
    await first.open()
    await first.send(batch[:3])
    await first.close()
    second = RedisStream(options(shared), topics=TOPICS)
    await second.open()
    await second.send([Pending(seq=each.seq, record=each.record, replayed=True) for each in batch])
    await second.close()

    assert list(ids(redis).values()) == [1] * 5


@pytest.mark.parametrize(
    ("fault", "mended", "says"),
    [
        (["CONFIG SET maxmemory 1"], ["CONFIG SET maxmemory 0"], "its memory is full"),
        (["REPLICAOF 127.0.0.1 9"], ["REPLICAOF NO ONE"], "it is a replica"),
        (["SET blikk:porch x"], ["DEL blikk:porch"], "the key of the stream holds something else"),
    ],
    ids=["memory", "replica", "type"],
)
async def test_what_it_refuses_is_a_plain_problem_and_arrives_later(
    shared: RedisServer, redis: Redis, store: Store, fault: list[str], mended: list[str], says: str
) -> None:
    for line in fault:
        redis.execute_command(*line.split())
    async with delivering(store, RedisStream(options(shared), topics=TOPICS)) as (inbox, delivery):
        inbox.put(event(1), event(2))
        await until(lambda: delivery.problems and delivery.outbox == 2)
        assert says in delivery.problems["redis"]
        assert f"redis 127.0.0.1:{shared.port}: " in delivery.problems["redis"]
        for line in mended:
            redis.execute_command(*line.split())
        await until(lambda: delivery.outbox == 0)
        assert not delivery.problems

    assert list(ids(redis)) == ["event-1", "event-2"]


async def test_a_disk_that_cannot_be_written_is_named(tmp_path: Path, store: Store) -> None:
    """Redis takes nothing while it cannot save (MISCONF)."""
    extra = ["save 3600 1", "appendonly no", "dbfilename blocked"]
    with RedisServer(tmp_path, extra=extra) as server, Redis(port=server.port) as redis:
        redis.set("a", 1)
        (tmp_path / "blocked" / "in").mkdir(parents=True)
        with suppress(Exception):
            redis.bgsave()
        await until(lambda: redis.info("persistence")["rdb_last_bgsave_status"] == "err")
        async with delivering(store, RedisStream(options(server), topics=TOPICS)) as (inbox, delivery):
            inbox.put(event(1))
            await until(lambda: delivery.problems)
            assert "it cannot write to its disk" in delivery.problems["redis"]
            (tmp_path / "blocked" / "in").rmdir()
            (tmp_path / "blocked").rmdir()
            redis.bgsave()
            await until(lambda: delivery.outbox == 0)
        assert redis.xlen(STREAM) == 1


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One with TLS, a password, and a user who may do next to nothing."""
    folder = tmp_path_factory.mktemp("locked")
    with RedisServer(
        folder,
        tls=make_certificates(folder),
        extra=["user default on >sesame ~* &* +@all", "user guest on >sesame ~other +ping +select"],
    ) as server:
        yield server


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"password": Secret("wrong-one")}, "check `sinks.redis.username` and `password`"),
        ({"username": "nobody", "password": Secret("sesame")}, "check `sinks.redis.username` and `password`"),
        ({"password": None}, "set `sinks.redis.password`"),
        ({"username": "guest"}, "its user may not do this"),
        ({"tls": ClientTlsSettings()}, "its certificate is not trusted (self-signed certificate in certificate chain)"),
        ({"tls": None}, "the connection "),
        ({"host": "no-such-host.invalid"}, "the name of its host is not known; check `sinks.redis.host`"),
        ({"db": 4711}, "no database of that number"),
    ],
    ids=["password", "user", "none", "rights", "authority", "plain", "name", "db"],
)
async def test_who_cannot_log_in_is_told_why_without_a_secret(
    locked: RedisServer, given: dict[str, Any], says: str
) -> None:
    whole = {"password": Secret("sesame"), "tls": ClientTlsSettings(ca=locked.folder / "ca.crt")}
    sink = RedisStream(options(locked, **(whole | given)), topics=TOPICS)
    with pytest.raises(SinkError) as failed:
        await sink.open()
    await sink.close()

    assert says in str(failed.value)
    assert "sesame" not in str(failed.value)
    assert "wrong-one" not in str(failed.value)


async def test_a_certificate_that_has_expired_is_a_problem_and_costs_no_record(tmp_path: Path, store: Store) -> None:
    expired = make_expired(tmp_path)
    server = RedisServer(tmp_path, tls=expired)
    given = options(server, tls=ClientTlsSettings(ca=expired.ca))
    with server:
        async with delivering(store, RedisStream(given, topics=TOPICS)) as (inbox, delivery):
            inbox.put(event(1))
            await until(lambda: delivery.problems and delivery.outbox == 1)
            said = "its certificate has expired, on 2020-02-01 00:00 UTC; renew it on that server"
            assert said in delivery.problems["redis"]
            for name in ("ca.crt", "ca.key", "server.crt", "server.key"):
                (tmp_path / name).unlink()
            await asyncio.to_thread(server.kill)
            make_certificates(tmp_path)
            await asyncio.to_thread(server.start)
            await until(lambda: delivery.outbox == 0)


async def test_with_tls_and_password_records_arrive(locked: RedisServer) -> None:
    given = {"password": Secret("sesame"), "tls": ClientTlsSettings(ca=locked.folder / "ca.crt")}
    sink = RedisStream(options(locked, **given), topics=TOPICS)
    await sink.open()
    await sink.send([Pending(seq=1, record=event(1))])
    await sink.close()
    ca = str(locked.folder / "ca.crt")
    lenient = [ssl.VERIFY_X509_STRICT]  # the test's authority is as people make it at home
    given_tls: Any = {"ssl": True, "ssl_ca_certs": ca, "ssl_exclude_verify_flags": lenient}
    with Redis(port=locked.port, password="sesame", **given_tls) as redis:
        assert redis.xlen(STREAM) == 1


async def test_a_server_that_hangs_is_let_go_of_at_once(locked: RedisServer) -> None:
    """TLS ends when both sides have said so; nobody waits for that, and no socket is left behind."""
    given = {"password": Secret("sesame"), "tls": ClientTlsSettings(ca=locked.folder / "ca.crt")}
    client = RedisClient(options(locked, **given))
    await client.open()
    with locked.hung():
        await asyncio.wait_for(client.close(), CONNECT_S / 2)
    gc.collect()  # a socket that is left behind fails a test when it is found


async def test_on_channels_records_have_numbers_that_show_what_a_listener_missed(
    shared: RedisServer, redis: Redis
) -> None:
    sink = RedisChannels(options(shared, kinds=("event",)), topics=TOPICS, clock=SystemClock())
    inbox = Box1()
    task = asyncio.ensure_future(sink.run(inbox))
    heard: list[dict[str, Any]] = []

    def listen(channels: Any) -> bool:
        while (message := channels.get_message(ignore_subscribe_messages=True)) is not None:
            heard.append({"channel": message["channel"].decode(), **json.loads(message["data"])})
        return bool(heard)

    with redis.pubsub() as channels:
        channels.psubscribe("blikk/porch/*")
        channels.get_message(timeout=10 * PATIENCE)
        inbox.put(observation(1), event(1), state(), event(2))
        await until(lambda: listen(channels) and len(heard) == 2)
    inbox.put(event(3))
    await until(lambda: redis.info("commandstats")["cmdstat_publish"]["calls"] == 3, "what nobody hears")
    await asyncio.to_thread(shared.kill)
    inbox.put(*(event(number) for number in range(4, 310)))
    await until(lambda: sink.problem, "a problem")
    await until(inbox.empty)
    await asyncio.to_thread(shared.start)
    with Redis(port=shared.port) as again, again.pubsub() as channels:
        channels.psubscribe("blikk/porch/*")
        await until(lambda: listen(channels) and heard[-1]["content"]["id"] == "event-309", "the newest")
    assert sink.problem is None
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task

    seqs = [message["seq"] for message in heard]
    assert seqs[:2] == [1, 2]
    assert [message["content"]["id"] for message in heard] == [f"event-{seq}" for seq in seqs]
    assert seqs[-1] == 309
    assert seqs[2] > 3, "the number shows that one was missed"
    assert heard[0]["channel"] == "blikk/porch/front_door/event"
