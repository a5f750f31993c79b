"""A stream of a node that runs in a process of its own, over a real broker."""

import asyncio
import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from broker import Broker
from patience import PATIENCE
from ports import free_port

sys.path.append(str(Path(__file__).parents[1] / "e2e"))  # a node as a user starts it

from staging import BlikkRun

from blikk_edge import Stream
from blikk_edge.core.errors import BlikkError, ConfigError, SinkError
from blikk_edge.core.observation import Observation, Observed

pytestmark = pytest.mark.usefixtures("no_thread_left")

LOGIN = ("user", "hunter2/@")


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with Broker(tmp_path_factory.mktemp("broker"), password=LOGIN) as broker:
        yield broker


@pytest.fixture(scope="module")
def node(broker: Broker, squares: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BlikkRun]:
    folder = tmp_path_factory.mktemp("node")
    config = (
        f"node: hall\nmqtt: {{host: 127.0.0.1, port: {broker.port}, username: user, password: '{LOGIN[1]}'}}\n"
        f"store: {{path: {folder / 'blikk.db'}}}\nmodels: {{offline: true}}\n"
        f"cameras:\n  wall: {{source: '{squares}'}}\n  other: {{source: '{squares}'}}\n"
    )
    with BlikkRun(folder, config, models=None) as node:
        yield node
        node.stop(within_s=20 * PATIENCE)


def address(broker: Broker, name: str = "hall", password: str = "hunter2%2F%40") -> str:
    return f"mqtt://user:{password}@127.0.0.1:{broker.port}/{name}"


def opened(stream: Stream) -> Stream:
    """Open it as soon as the node is there."""
    end = time.monotonic() + 60 * PATIENCE
    while True:
        try:
            return stream.open()
        except SinkError:
            assert time.monotonic() < end, "the node did not come"
            stream = Stream.connect(f"{stream._link._url}", camera=stream._camera)  # each can be opened once


def test_a_node_that_runs_is_read_asked_and_seen(broker: Broker, node: BlikkRun) -> None:
    with contextlib.closing(opened(Stream.connect(address(broker), camera="wall"))) as stream:
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


async def test_all_cameras_of_a_node_come_in_one_stream(broker: Broker, node: BlikkRun) -> None:
    stream = await asyncio.to_thread(opened, Stream.connect(address(broker)))
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


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mqtt://user:hunter2@127.0.0.1", "write mqtt://"),
        ("ws://user:hunter2@127.0.0.1/hall", "a WebSocket is no address"),
        ("mqtt://user:hunter2@127.0.0.1/hall?qos=2", "'qos' is no option"),
        ("mqtt://user:hunter2@127.0.0.1:x/hall", "no address of a node"),
    ],
)
def test_an_address_that_is_none_is_refused_without_its_password(url: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        Stream.connect(url)
    assert "hunter2" not in str(caught.value)


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
        opened(Stream.connect(address(broker), camera="attic"))
