"""Pages of plug-ins: served below their own path, with a token, and never in place of ours."""

import asyncio
from pathlib import Path

import aiohttp
import pytest
from patience import PATIENCE

from blikk_edge.app.wiring import build
from blikk_edge.config import load
from blikk_edge.core.clock import SystemClock
from blikk_edge.core.errors import ConfigError

TOKEN = "0123456789abcdef"
CONFIG = """\
node: hallway
mqtt: false
store: {{path: {folder}/blikk.db}}
models: {{offline: true}}
cameras: {{door: {{source: rtsp://127.0.0.1:1/away}}}}
{more}
"""


def configured(folder: Path, more: str) -> Path:
    path = folder / "blikk.yaml"
    path.write_text(CONFIG.format(folder=folder, more=more))
    return path


async def got(path: Path, port: int, *asked: str) -> list[tuple[int, str]]:
    """What a node answers to each of these paths, with the token; without it it must answer nothing."""
    app = build(load(path, environ={}), environ={}, clock=SystemClock())
    stop = asyncio.Event()
    running = asyncio.create_task(app.run(stop))
    answers: list[tuple[int, str]] = []
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session, asyncio.timeout(30 * PATIENCE):
            for each in asked:
                while True:
                    try:
                        async with session.get(each) as refused:
                            assert refused.status in {401, 404}
                        break
                    except aiohttp.ClientConnectorError:
                        await asyncio.sleep(0.05)
                async with session.get(each, headers={"Authorization": f"Bearer {TOKEN}"}) as answer:
                    answers.append((answer.status, await answer.text()))
    finally:
        stop.set()
        await running
    return answers


async def test_a_page_of_a_plug_in_is_served_and_stands_in_the_document(install, tmp_path: Path, free_port) -> None:
    install("blikk_hello", "blikk.pages", "hello")
    more = f"http: {{port: {free_port}, tokens: {{view: {TOKEN}}}}}\npages: {{hello: {{whom: you}}}}\n"
    (page, document) = await got(configured(tmp_path, more), free_port, "/plugins/hello", "/v1/openapi.json")
    assert page == (200, "hello you: door")
    assert '"/plugins/hello"' in document[1]


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ('path="/plugins/hello"', 'path="/v1/node"', "it serves what is not below /plugins/hello/"),
        ("scope=Scope.VIEW", "scope=Scope.PUBLIC", "must have the scope view or control"),
        (
            "return (\n            Route",
            "raise RuntimeError('no')\n        return (\n            Route",
            "routes cannot be",
        ),
    ],
)
async def test_a_page_that_takes_what_is_not_its_own_is_a_problem_and_the_rest_is_served(
    install, tmp_path: Path, free_port, before: str, after: str, why: str
) -> None:
    code = (Path(__file__).parent / "blikk_hello.py").read_text()
    assert before in code
    install("plug_hello", "blikk.pages", "hello", code.replace(before, after))
    more = f"http: {{port: {free_port}, tokens: {{view: {TOKEN}}}}}\npages: {{hello: {{}}}}\n"
    (page, node) = await got(configured(tmp_path, more), free_port, "/plugins/hello", "/v1/node")
    assert page[0] == 404
    assert node[0] == 200
    assert why in node[1]


def test_options_of_a_page_are_known_and_a_server_is_needed(install, tmp_path: Path) -> None:
    install("blikk_hello", "blikk.pages", "hello")
    with pytest.raises(ConfigError, match="Did you mean `whom`"):
        load(configured(tmp_path, "http: true\npages: {hello: {who: you}}"), environ={})
    with pytest.raises(ConfigError, match="Add `http: true`"):
        load(configured(tmp_path, "pages: {hello: {}}"), environ={})
