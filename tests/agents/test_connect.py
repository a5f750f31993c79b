"""A stream of a node that runs in a process of its own, over a real broker."""

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
from broker import Broker
from mcp import Client, StdioServerParameters
from patience import PATIENCE
from ports import free_port

sys.path.append(str(Path(__file__).parents[1] / "e2e"))  # a node as a user starts it

from staging import BLIKK, BlikkRun

from blikk_edge import Stream
from blikk_edge.agents.node_stream import NodeStream
from blikk_edge.core.errors import BlikkError, ConfigError, SinkError
from blikk_edge.core.observation import Observation, Observed

pytestmark = pytest.mark.usefixtures("no_thread_left")

EXAMPLES = Path(__file__).parents[2] / "contract/examples"
LOGIN = ("user", "hunter2/@")
TOKEN = "a-token-of-the-test"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with Broker(tmp_path_factory.mktemp("broker"), password=LOGIN) as broker:
        yield broker


@pytest.fixture(scope="module")
def websocket() -> int:
    return free_port()


@pytest.fixture(scope="module")
def node(broker: Broker, websocket: int, busy: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BlikkRun]:
    folder = tmp_path_factory.mktemp("node")
    config = (
        f"node: hall\nmqtt: {{host: 127.0.0.1, port: {broker.port}, username: user, password: '{LOGIN[1]}'}}\n"
        f"store: {{path: {folder / 'blikk.db'}}}\nmodels: {{offline: true}}\n"
        f"http: {{port: {websocket}, tokens: {{view: {TOKEN}}}}}\nsinks: {{websocket: true}}\n"
        f"cameras:\n  wall: {{source: '{busy}'}}\n  other: {{source: '{busy}'}}\n"
    )
    with BlikkRun(folder, config, models=None) as node:
        yield node
        node.stop(within_s=20 * PATIENCE)


def address(broker: Broker, name: str = "hall", password: str = "hunter2%2F%40") -> str:
    return f"mqtt://user:{password}@127.0.0.1:{broker.port}/{name}"


def opened(url: str, camera: str | None = None, token: str | None = None) -> NodeStream:
    """Open it as soon as the node is there."""
    end = time.monotonic() + 60 * PATIENCE
    while True:
        try:
            return Stream.connect(url, camera=camera, token=token).open()
        except SinkError:
            assert time.monotonic() < end, "the node did not come"


def test_a_node_that_runs_is_read_asked_and_seen(broker: Broker, node: BlikkRun) -> None:
    with contextlib.closing(opened(address(broker), "wall")) as stream:
        first = stream.subscribe().get(60 * PATIENCE)
        assert isinstance(first, Observation)
        assert (first.camera, first.kind) == ("wall", Observed.MOTION)
        assert stream.latest is not None
        assert stream.state.camera == "wall"
        assert stream.picture(30 * PATIENCE).startswith(b"\xff\xd8\xff")
        assert stream.ask("How many people came today?").count == 0
        assert stream.events(label="person") == ()
        count = {tool.name: tool for tool in stream.tools("langchain")}["count"]
        assert count.invoke({"last_seconds": 10}).startswith("0 person came in the last 10 s")
        never = stream.subscribe(timeout="1min")
    assert list(never) == []


def test_a_node_that_runs_is_read_at_its_websocket(node: BlikkRun, websocket: int) -> None:
    url = f"ws://127.0.0.1:{websocket}"
    with contextlib.closing(opened(url, "wall", TOKEN)) as stream:
        first = stream.subscribe().get(60 * PATIENCE)
        assert isinstance(first, Observation)
        assert (first.camera, first.kind) == ("wall", Observed.MOTION)
        assert stream.state.camera == "wall"
        assert stream.ask("How many people came today?").count == 0
        assert stream.events(label="person") == ()
        count = {tool.name: tool for tool in stream.tools("langchain")}["count"]
        assert count.invoke({"last_seconds": 10}).startswith("0 person came in the last 10 s")
        with pytest.raises(BlikkError, match="no live view without a face model"):
            stream.picture()
    for refused in ("another-token-of-it", None):
        with pytest.raises(SinkError, match=r"it refuses the token, or wants one: `http.tokens.view` .* \(401\)"):
            Stream.connect(url, token=refused).open()
    with pytest.raises(SinkError, match=r"127.0.0.1:\d+: connection refused; check host and port"):
        Stream.connect(f"ws://127.0.0.1:{free_port()}", token=TOKEN).open()


async def test_all_cameras_of_a_node_come_in_one_stream(broker: Broker, node: BlikkRun) -> None:
    stream = await asyncio.to_thread(opened, address(broker))
    async with asyncio.timeout(120 * PATIENCE):
        cameras = set()
        async for observation in stream.subscribe():
            cameras.add(observation.camera)
            if cameras == {"wall", "other"}:
                break
        with pytest.raises(BlikkError, match=r"several cameras \(wall, other\)"):
            stream.picture()
        assert stream.now().startswith("wall: ")
        await asyncio.to_thread(stream.close)


async def test_who_is_there_now_agrees_with_what_was_just_reported(broker: Broker, monkeypatch) -> None:
    """The state of a camera goes another way than what it reports, and may come later."""
    monkeypatch.setattr("blikk_edge.agents.remote.LAG_S", 60 * PATIENCE)
    appeared = json.loads((EXAMPLES / "observation-appeared.json").read_text())
    state = json.loads((EXAMPLES / "state.json").read_text())
    states = [json.dumps(state | {"counts": {"vehicle": count}, "motion": False}) for count in (0, 1)]
    async with aiomqtt.Client(broker.host, broker.port, username=LOGIN[0], password=LOGIN[1]) as client:
        await client.publish("blikk/porch-pi/announce", (EXAMPLES / "announce.json").read_bytes(), retain=True)
        await client.publish("blikk/porch-pi/status", b"online", retain=True)
        await client.publish("blikk/porch-pi/yard/state", states[0], retain=True)
        async with Stream.connect(address(broker, "porch-pi"), camera="yard") as stream:
            assert stream.now() == "yard: nobody; porch: 2; no motion"
            subscription = stream.subscribe()
            await client.publish("blikk/porch-pi/yard/observation", json.dumps(appeared | {"camera": "yard"}))
            assert isinstance(await subscription.aget(60 * PATIENCE), Observation)
            now = asyncio.create_task(asyncio.to_thread(stream.now))
            await client.publish("blikk/porch-pi/yard/state", states[1], retain=True)
            assert (await now).startswith("yard: 1 vehicle")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mqtt://user:hunter2@127.0.0.1", "write mqtt://"),
        ("ws://user:hunter2@127.0.0.1/hall", "no address of a WebSocket"),
        ("ws://192.0.2.7:8428", "would show the token to the network"),
        ("wss://192.0.2.7:8428", "wss:// wants `token=`"),
        ("mqtt://user:hunter2@127.0.0.1/hall?qos=2", "'qos' is no option"),
        ("mqtt://user:hunter2@127.0.0.1:x/hall", "no address of a node"),
        ("http://user:hunter2@127.0.0.1:8428", "or ws://127.0.0.1:8428 with token="),
        ("mqtt://user:hunter2@127.0.0.1/hall?ca=ca.pem", "write mqtts://"),
        ("mqtt://user:hunter2@127.0.0.1/hall?prefix=%23", "which no topic has"),
        ("mqtt://user:hunter2@127.0.0.1/+", "which no topic has"),
        ("mqtt://user:hunter2@127.0.0.1/hall%00", "which no topic has"),
        (None, "no address of a node"),
    ],
)
def test_an_address_that_is_none_is_refused_without_its_password(url: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        Stream.connect(url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("wrong", [{"token": 5}, {"token": TOKEN, "camera": 5}, {"token": TOKEN, "sinks": 5}])
def test_what_is_no_text_is_refused(wrong: Any) -> None:
    with pytest.raises(ConfigError):
        Stream.connect("ws://127.0.0.1", **wrong)


def test_a_node_that_cannot_be_reached_is_an_error_that_says_why(broker: Broker, node: BlikkRun, monkeypatch) -> None:
    monkeypatch.setattr("blikk_edge.agents.remote.FIRST_S", 2.0)
    for url, said in (
        (f"mqtt://127.0.0.1:{free_port()}/hall", "127.0.0.1"),
        (address(broker, password="wrong"), "127.0.0.1"),
        (address(broker, name="cellar"), "node cellar"),
    ):
        with pytest.raises(BlikkError, match=said) as caught:
            Stream.connect(url).open()
        assert "wrong" not in str(caught.value)
    with pytest.raises(ConfigError, match="no camera 'attic' on this node; there is wall, other"):
        opened(address(broker), "attic")


@asynccontextmanager
async def served(node: BlikkRun):
    """A client of `blikk mcp` with the configuration of a node."""
    command = StdioServerParameters(
        command=str(BLIKK), args=["mcp", "--config", str(node.folder / "blikk.yaml"), "--pictures"], env=node.environ
    )
    async with asyncio.timeout(120 * PATIENCE), Client(command) as client:
        yield client


async def test_agents_reach_the_node_of_a_configuration(broker: Broker, node: BlikkRun) -> None:
    await asyncio.to_thread(lambda: opened(address(broker)).close())  # the node is there
    async with served(node) as client:
        cameras = (await client.call_tool("cameras", {})).structured_content
        assert [each["id"] for each in cameras["cameras"]] == ["wall", "other"]
        assert (await client.call_tool("search_events", {"camera": "wall"})).structured_content == {"events": []}
        picture = (await client.call_tool("picture", {"camera": "other"})).content[0]
        assert picture.mime_type == "image/jpeg"


async def test_a_node_without_broker_and_tokens_is_asked_and_read_on_its_machine(busy: Path, tmp_path: Path) -> None:
    port = free_port()
    config = (
        f"node: hall\nmqtt: false\nstore: {{path: {tmp_path / 'b.db'}}}\nmodels: {{offline: true}}\n"
        f"http: {{port: {port}}}\nsinks: {{websocket: true}}\n"
        f"cameras: {{wall: {{source: '{busy}'}}}}\n"
    )
    with BlikkRun(tmp_path, config, models=None) as node:
        while not (tmp_path / "b.db.ask").exists():
            await asyncio.sleep(0.02)
        async with served(node) as client:
            asked = await client.call_tool("ask", {"question": "Did anybody come today?"})
            assert asked.structured_content["count"] == 0
            counted = await client.call_tool("count", {"label": "person", "last_minutes": 5})
            assert counted.structured_content == {"count": 0}
            for tool in ("now", "wait_for"):
                deaf = await client.call_tool(tool, {})
                assert (deaf.is_error, "no broker" in deaf.content[0].text) == (True, True), deaf
        with contextlib.closing(await asyncio.to_thread(opened, f"ws://127.0.0.1:{port}")) as stream:
            assert stream.state.camera == "wall"
            assert await stream.aevents() == ()
        node.stop(within_s=20 * PATIENCE)
