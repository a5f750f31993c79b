"""Who listens to a node at its WebSocket: after a break it goes on where it was, and says what it missed."""

import asyncio
import contextlib
import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from patience import PATIENCE
from websockets.asyncio.server import ServerConnection, serve

from blikk_edge.core.observation import Event
from blikk_edge.core.ports import Item
from blikk_edge.sinks.websocket_ear import WebSocketEar

EXAMPLES = Path(__file__).parents[2] / "contract" / "examples"


def golden(name: str, **changes: object) -> str:
    return json.dumps({**json.loads((EXAMPLES / f"{name}.json").read_text(encoding="utf-8")), **changes})


@pytest.mark.parametrize("complete", [True, False])
async def test_after_a_break_it_takes_up_behind_the_last_record(complete: bool) -> None:
    queries: list[dict[str, list[str]]] = []
    heard: list[Item] = []
    both = asyncio.Event()

    def hear(item: Item) -> None:
        heard.append(item)
        if sum(isinstance(each, Event) for each in heard) == 2:
            both.set()

    async def node(connection: ServerConnection) -> None:
        assert connection.request is not None
        assert connection.request.headers["Authorization"] == "Bearer a-token"
        queries.append(parse_qs(urlsplit(connection.request.path).query))
        first = len(queries) == 1
        await connection.send(golden("hello", node="porch-pi", complete=None if first else complete))
        await connection.send(golden("envelope-state"))
        await connection.send("no message of the contract")
        await connection.send(golden("envelope", cursor="s.7.1000" if first else "s.8.2000"))
        if not first:
            await connection.wait_closed()

    async with serve(node, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        ear = WebSocketEar(f"ws://127.0.0.1:{port}", "a-token", None, hear)
        listening = asyncio.create_task(ear.run())
        async with asyncio.timeout(60 * PATIENCE):
            await both.wait()
        assert [each.get("since") for each in queries] == [None, ["s.7.1000"]]
        assert [camera.id for camera in ear.cameras] == ["front_door"]
        assert (ear.online, ear.missed is None) == (True, complete)
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listening
