"""The socket of a node without a broker: one node answers there, whoever else is started by mistake."""

import asyncio
import socket
import stat
from pathlib import Path

import pytest
from sink_samples import until

from blikk_edge.core.errors import SinkError
from blikk_edge.core.inquiry import AskQuestion, Reply, Request
from blikk_edge.core.locale import Locale
from blikk_edge.inputs.local_ask import LocalAsk, ask_here

QUESTION = AskQuestion(question="who was at the door?")


def node(path: Path, text: str) -> LocalAsk:
    async def answer(request: Request) -> Reply:
        assert request == QUESTION
        return Reply(text=text)

    return LocalAsk(path, answer, cameras=("door",), locale=Locale)


async def test_a_second_node_does_not_take_the_socket_from_the_first(tmp_path: Path) -> None:
    path = tmp_path / "blikk.db.ask"
    first = asyncio.ensure_future(node(path, "nobody").run())
    await until(lambda: path.exists() and stat.S_IMODE(path.stat().st_mode) == 0o600)
    with pytest.raises(SinkError, match="another node answers there"):
        await node(path, "somebody").run()
    assert (await ask_here(path, QUESTION))["text"] == "nobody"
    first.cancel()
    await asyncio.wait((first,))
    assert not path.exists()


async def test_what_a_killed_node_left_behind_is_in_nobodys_way(tmp_path: Path) -> None:
    path = tmp_path / "blikk.db.ask"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    running = asyncio.ensure_future(node(path, "nobody").run())
    await until(lambda: path.exists() and stat.S_IMODE(path.stat().st_mode) == 0o600)
    assert (await ask_here(path, QUESTION))["text"] == "nobody"
    running.cancel()
    await asyncio.wait((running,))


async def test_where_nobody_listens_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="no node listens there"):
        await ask_here(tmp_path / "none.ask", QUESTION)
