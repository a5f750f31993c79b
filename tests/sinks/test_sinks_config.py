"""Our sinks below `sinks:`: read, refused with a word on how to mend it, and imported only by who names one."""

import subprocess
import sys
from pathlib import Path

import pytest
from broker import make_certificates
from patience import PATIENCE
from ports import free_port

from blikk_edge.app.checking import check
from blikk_edge.config import load
from blikk_edge.core.clock import SystemClock
from blikk_edge.core.errors import SinkError
from blikk_edge.net.options import ClientTlsSettings
from blikk_edge.sinks.kinds import SINKS
from blikk_edge.sinks.mqtt.second import SecondMqttOptions
from blikk_edge.sinks.postgres.kind import PostgresOptions
from blikk_edge.sinks.postgres.sink import PostgresSink
from blikk_edge.sinks.redis.channels import RedisChannels
from blikk_edge.sinks.redis.kind import RedisMode, RedisOptions
from blikk_edge.sinks.redis.stream import RedisStream
from blikk_edge.sinks.websocket import WebSocketOptions
from blikk_edge.sinks.zeromq import ZeroMqOptions
from blikk_edge.sinks.zeromq_socket import ZeroMqSocket
from blikk_edge.wire.topics import Topics

CONFIG = """\
node: n
mqtt: broker.local
store: {{path: {folder}/store.db}}
cameras: {{door: /dev/video0}}
http: true
sinks:
"""
TOPICS = Topics("blikk", "n")


@pytest.fixture
def write(tmp_path: Path):
    def write(sinks: str) -> Path:
        path = tmp_path / "blikk.yaml"
        path.write_text(CONFIG.format(folder=tmp_path) + "".join(f"  {line}\n" for line in sinks.splitlines()))
        return path

    return write


def test_each_is_read_and_all_share_the_block_of_tls(write, tmp_path: Path) -> None:
    made = make_certificates(tmp_path)
    tls = f"{{ca: {made.ca}, certificate: {made.client}, key: {made.client_key}}}"
    path = write(
        "websocket: {keep: 100}\n"
        f"redis: {{host: r, password: p, tls: {tls}}}\n"
        f"postgres: {{host: d, password: p, tls: {tls}}}\n"
        f"mqtt: {{host: b, tls: {tls}}}\n"
        f"zeromq: {{port: {free_port()}}}"
    )
    path.write_text(path.read_text().replace("http: true", f"http: {{port: {free_port()}}}"))
    settings = load(path, environ={})
    shared = ClientTlsSettings(ca=made.ca, certificate=made.client, key=made.client_key)

    assert [(sink.name, type(sink.options)) for sink in settings.sinks] == [
        ("websocket", WebSocketOptions),
        ("redis", RedisOptions),
        ("postgres", PostgresOptions),
        ("second_mqtt", SecondMqttOptions),
        ("zeromq", ZeroMqOptions),
    ]
    assert [sink.options.tls for sink in settings.sinks[1:4]] == [shared] * 3
    assert settings.sinks[3].options.port == 8883
    assert [str(problem) for problem in check(path, {}).problems] == []


@pytest.mark.parametrize(("written", "count"), [("true", 1), ("", 1), ("{}", 1), ("false", 0)])
def test_the_websocket_has_a_switch_and_needs_the_server(write, written: str, count: int) -> None:
    path = write(f"websocket: {written}")
    assert len(load(path, environ={}).sinks) == count
    path.write_text(path.read_text().replace("http: true\n", ""))
    problems = [(problem.path, "`http: true`" in problem.mend) for problem in check(path, {}).problems]
    assert problems == [("sinks.websocket", True)] * count


def test_a_text_stands_for_the_host(write) -> None:
    settings = load(write("redis: redis.local\npostgres: db.local\nmqtt: cloud.local"), environ={})

    assert [sink.options.host for sink in settings.sinks] == ["redis.local", "db.local", "cloud.local"]


@pytest.mark.parametrize(
    ("sinks", "path", "says"),
    [
        ("websocket: {token: short}", "sinks.websocket.token", "tokens: {view: !secret http_view_token"),
        ("websocket: {host: 0.0.0.0}", "sinks.websocket.host", "\n  host: 0.0.0.0"),
        ("websocket: {origins: ['https://a/b']}", "sinks.websocket.origins", "\n  origins: "),
        ("websocket: {kep: 1}", "sinks.websocket.kep", "Did you mean `keep`?"),
        ("redis: {hots: r}", "sinks.redis.hots", "Did you mean `host`?"),
        ("redis: {host: r, mode: list}", "sinks.redis.mode", "Use `stream` or `channels`."),
        ("redis: {host: r, mode: channels, stream: s}", "sinks.redis.stream", "channels keep nothing"),
        ("redis: {host: r, username: u}", "sinks.redis.username", "Add `password:`"),
        ("redis: {host: r, tls: {ca: none.pem}}", "sinks.redis.tls.ca", "no such file"),
        ("postgres: {host: d, schema: 'a\"; DROP'}", "sinks.postgres.schema", "not an id"),
        ("postgres: {host: d, kinds: [withdrawn]}", "sinks.postgres.kinds[0]", "not `observation`"),
        ("zeromq: {host: 0.0.0.0}", "sinks.zeromq.host", "Add `curve:`"),
        ("zeromq: {curve: {secret_key: abc, clients: [x]}}", "sinks.zeromq.curve.secret_key", "not a CURVE key"),
        ("mqtt: {host: b, password: p}", "sinks.mqtt.password", "Add `username:`"),
        ("mqtt: broker.local", "sinks.mqtt.host", "this is the broker of `mqtt`"),
        ("second_mqtt: b", "sinks.second_mqtt", "Write `sinks.mqtt` instead."),
        ("webhook: {url: 'https://a/b'}", "sinks.webhook", "Write `webhook:` at the top of the file."),
        ("websockett: {}", "sinks.websockett", "did you mean 'websocket'?"),
        ("zeromq: {port: 8428}", "sinks.zeromq.port", "the port of `http` is the same"),
    ],
)
def test_what_is_wrong_is_named_with_its_key(write, sinks: str, path: str, says: str) -> None:
    found = [(problem.path, f"{problem.text}. {problem.mend}") for problem in check(write(sinks), {}).problems]

    assert [where for where, _ in found if where in {path, path.rpartition(".")[0]}], found
    assert any(says in text for _, text in found), found


EXTRAS = {"redis": "redis", "postgres": "asyncpg", "zeromq": "zmq"}


@pytest.mark.parametrize("sink", EXTRAS)
async def test_a_missing_extra_is_said_with_what_to_type(sink: str, write, monkeypatch: pytest.MonkeyPatch) -> None:
    package = EXTRAS[sink]
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    install = rf"pip install 'blikk-edge\[{sink}\]'"
    redis = RedisOptions(host="r", mode=RedisMode.CHANNELS)
    made = {
        "redis": RedisStream(RedisOptions(host="r"), topics=TOPICS).open,
        "postgres": PostgresSink(PostgresOptions(host="d"), topics=TOPICS).open,
        "zeromq": lambda: ZeroMqSocket(ZeroMqOptions(), topics=TOPICS, clock=SystemClock()).run(None),
    }
    with pytest.raises(SinkError, match=install):
        await made[sink]()
    if sink == "redis":
        with pytest.raises(SinkError, match=install):
            await RedisChannels(redis, topics=TOPICS, clock=SystemClock())._client.open()

    problems = check(write(f"{sink}: {'{}' if sink == 'zeromq' else 'host'}"), {}).problems
    assert [(each.path, each.mend) for each in problems if "pip install" in each.mend] == [
        (f"sinks.{sink}", f"Type: {sys.executable} -m pip install 'blikk-edge[{sink}]'")
    ]


def test_making_them_imports_none_of_their_packages(write) -> None:
    """So does a configuration that names them all: only `open` and `run` import what they need."""
    path = write("websocket: true\nredis: r\npostgres: d\nmqtt: b\nzeromq: {}")
    code = f"""
import pathlib, sys
from blikk_edge.config import load
from blikk_edge.sinks.kinds import SINKS
assert len(load(pathlib.Path({str(path)!r}), environ={{}}).sinks) == 5
for module in ("subscribers", "redis.stream", "redis.channels", "postgres.sink", "zeromq_socket"):
    __import__("blikk_edge.sinks." + module)
print(sorted({{"websockets", "aiohttp", "redis", "asyncpg", "zmq"}} & set(sys.modules)))
"""
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60 * PATIENCE, check=False
    )

    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "[]\n", "")


def test_all_of_ours_below_the_key_are_kinds_of_ours() -> None:
    assert set(SINKS.below.values()) <= set(SINKS.own)
