"""A whole node with sinks whose servers are not there, and the guide's own subscriber beside it."""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from moving_clip import moving_clip
from ports import free_port
from redis import Redis
from redis_server import RedisServer
from sink_samples import until
from websockets.asyncio.client import connect

from blikk_edge.app.wiring import App, build
from blikk_edge.config import load
from blikk_edge.core.clock import SystemClock
from blikk_edge.core.commands import Press
from blikk_edge.grammar.schema import Section

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "sinks.md"
TOKEN = "tell-nobody-4711"

CONFIG = """\
node: hallway
mqtt: false
store: {{path: {folder}/store.db}}
models: {{cache: {folder}/models, offline: true}}
summary: false
health_every_s: 1s
cameras: {{door: {{source: {folder}/clip.mp4, ring: {{http: true}}}}}}
http: {{port: {http}, tokens: {{view: {token}}}}}
sinks:
  websocket: true
  redis: {{host: 127.0.0.1, port: {redis}, kinds: [ring]}}
  postgres: {{host: 127.0.0.1, port: {postgres}}}
  zeromq: {{port: {zeromq}}}
  mqtt: {{host: 127.0.0.1, port: {mqtt}}}
"""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A box that goes through an empty room."""
    return moving_clip(tmp_path_factory.mktemp("clip")).read_bytes()


@asynccontextmanager
async def running(folder: Path, ports: dict[str, int]) -> AsyncIterator[App]:
    (folder / "blikk.yaml").write_text(CONFIG.format(folder=folder, token=TOKEN, **ports))
    environ = {"HOME": str(folder)}
    app = build(load(folder / "blikk.yaml", environ=environ), environ=environ, clock=SystemClock())
    stop = asyncio.Event()
    task = asyncio.ensure_future(app.run(stop))
    try:
        yield app
    finally:
        stop.set()
        await task


async def test_servers_that_are_not_there_are_problems_and_harm_neither_cameras_nor_other_sinks(
    tmp_path: Path, clip: bytes
) -> None:
    """The guide's program hears the doorbell; frames go on; the ring reaches Redis when it is there at last."""
    (tmp_path / "clip.mp4").write_bytes(clip)
    (tmp_path / "redis").mkdir()
    server = RedisServer(tmp_path / "redis")
    ports = {name: free_port() for name in ("http", "postgres", "zeromq", "mqtt")} | {"redis": server.port}
    (program,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "subscriber.py").write_text(program)
    told: dict[str, Any] = {}

    async def watch() -> None:
        query = "?kinds=health,observation"
        address = f"ws://127.0.0.1:{ports['http']}/v1/records{query}"
        async for connection in connect(address, additional_headers={"Authorization": f"Bearer {TOKEN}"}, proxy=None):
            async for text in connection:
                message = json.loads(text)
                told[message["kind"]] = message.get("content")

    async with running(tmp_path, ports) as app:
        watching = asyncio.ensure_future(watch())
        with subprocess.Popen(
            [sys.executable, str(tmp_path / "subscriber.py"), str(ports["http"])],
            env={**os.environ, "WEBSOCKET_TOKEN": TOKEN},
            stdout=subprocess.PIPE,
            text=True,
        ) as subscriber:
            try:
                await until(lambda: told.get("health") and len(told["health"]["problems"]) >= 3, "problems")
                problems = " | ".join(told["health"]["problems"])
                await asyncio.to_thread(server.start)
                await until(lambda: "observation" in told, "motion")
                assert subscriber.stdout is not None
                heard = asyncio.ensure_future(asyncio.to_thread(subscriber.stdout.readline))
                while not heard.done():
                    app.order(Press(camera="door", via="http"))
                    await asyncio.wait((heard,), timeout=2.5)
                kind, ring = heard.result().split()
                told.pop("health")
                await until(lambda: told.get("health", {}).get("fps", {}).get("door", 0) > 1, "frames")
                with Redis(port=server.port) as redis:
                    await until(lambda: redis.exists("blikk:hallway"), "the stream")
                    entries = [fields for _, fields in redis.xrange("blikk:hallway")]
            finally:
                subscriber.kill()
                watching.cancel()
    server.kill()

    assert kind == "ring"
    assert ring in [json.loads(entry[b"content"])["id"] for entry in entries]
    assert f"redis 127.0.0.1:{ports['redis']}: nobody answers there" in problems
    assert f"postgres 127.0.0.1:{ports['postgres']}/blikk: nobody answers there" in problems
    assert f"second_mqtt: broker 127.0.0.1:{ports['mqtt']}" in problems


def test_every_sink_of_ours_has_its_place_in_the_guide() -> None:
    from blikk_edge.sinks.kinds import SINKS

    page = GUIDE.read_text(encoding="utf-8")
    for name in SINKS.below:
        assert f"sinks:\n  {name}:" in page
        assert isinstance(SINKS.get(SINKS.below[name]).section(Path()), Section)
