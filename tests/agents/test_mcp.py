"""`blikk mcp` in a process of its own, used by the official clients of both generations of the protocol."""

import asyncio
import base64
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import cv2
import httpx2
import jsonschema
import numpy as np
import pytest
from mcp import Client, StdioServerParameters, types
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.subscriptions import ResourceUpdated
from nowhere import NOWHERE
from patience import PATIENCE

from blikk_edge.agents.arguments import EXAMPLES

BLIKK = str(Path(sys.executable).with_name("blikk"))
CLIENT = Path(__file__).parent / "typescript" / "client.mjs"
TOKEN = "a-token-of-the-test"
TOKENS_MAX = 3000
CHARACTERS_A_TOKEN = 3.0
"""Of JSON Schema; tokenizers of today need fewer tokens."""


@pytest.fixture(scope="module")
def environ(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A server with it has its models, and fetches nothing."""
    folder = tmp_path_factory.mktemp("mcp")
    return {
        **os.environ,
        **NOWHERE,
        "BLIKK_MODELS": str(data / "models"),
        "XDG_CACHE_HOME": str(folder),
        "BLIKK_MCP_TOKEN": TOKEN,
    }


@pytest.fixture(scope="module")
def served(environ: dict[str, str], busy: Path) -> Iterator[str]:
    """The address of a server over HTTP, which ends well when it is asked to."""
    command = [BLIKK, "mcp", "--source", str(busy), "--http", "0"]
    with subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = next(line for line in process.stderr if "serving on" in line)
        assert TOKEN not in line
        yield re.findall(r"http://\S+", line)[0]
        process.send_signal(signal.SIGTERM)
        assert process.wait(20 * PATIENCE) == 0


def program(busy: Path, *more: str) -> list[str]:
    return [BLIKK, "mcp", "--source", str(busy), *more]


@asynccontextmanager
async def stdio(environ: dict[str, str], command: list[str], **options: Any):
    parameters = StdioServerParameters(command=command[0], args=command[1:], env=environ)
    async with asyncio.timeout(120 * PATIENCE), Client(parameters, **options) as client:
        yield client


async def test_every_tool_answers_as_its_schema_says_in_few_tokens(environ: dict[str, str], busy: Path) -> None:
    async with stdio(environ, program(busy, "--pictures")) as client:
        tools = (await client.list_tools()).tools
        assert len(tools) == 8
        shown = [tool.model_dump(by_alias=True, exclude_none=True, mode="json") for tool in tools]
        assert len(json.dumps(shown, separators=(",", ":"))) / CHARACTERS_A_TOKEN < TOKENS_MAX
        assert all(tool["annotations"]["readOnlyHint"] for tool in shown)
        schemas = {tool["name"]: tool.get("outputSchema") for tool in shown}
        assert [name for name, schema in schemas.items() if schema is None] == ["picture"]

        async def called(name: str, **arguments: Any) -> types.CallToolResult:
            result = await client.call_tool(name, arguments)
            assert isinstance(result, types.CallToolResult)
            if not result.is_error and name != "picture":
                jsonschema.validate(result.structured_content, schemas[name])
            return result

        assert (await called("cameras")).structured_content["cameras"][0]["id"] == "camera"
        assert (await called("now", camera="camera")).structured_content["cameras"][0]["online"] is True
        assert (await called("search_events", label="person", last_hours=1)).structured_content == {"events": []}
        assert (await called("count", label="person", last_minutes=5)).structured_content == {"count": 0}
        assert (await called("ask", question="Did anybody come today?")).structured_content["count"] == 0
        assert (await called("wait_for", label="person", seconds=0.1)).structured_content["came"] is False
        image = (await called("picture", camera="camera")).content[0]
        assert isinstance(image, types.ImageContent)
        picture = cv2.imdecode(np.frombuffer(base64.b64decode(image.data), np.uint8), cv2.IMREAD_COLOR)
        assert max(picture.shape) <= 512
        for name, arguments, said in (
            ("now", {"camera": "attic"}, "there is no camera 'attic'; there is camera"),
            ("event", {"id": "x"}, "there is no event 'x'"),
            ("event", {"id": "x" * 1000}, "there is no event 'x"),
            ("event", {}, "These arguments cannot be used: id is missing; for example"),
            ("count", {"label": "person"}, 'last_minutes is missing; for example {"last_minutes": 60}'),
            ("count", {"label": "ghost", "last_minutes": 1}, "label is none of 'person', 'vehicle'"),
            ("count", {"label": "person", "last_minutes": "soon"}, "last_minutes is no number"),
            ("count", {"label": "person", "last_hours": 1}, "no argument 'last_hours'; there is label, last_minutes"),
            ("wait_for", {"seconds": 1e9}, "seconds must be at most 50"),
            ("wait_for", {"seconds": 0}, "seconds must be above 0"),
            ("search_events", {"limit": 0}, "limit must be at least 1"),
            ("search_events", {"before": "noon"}, "before is no time: write ISO 8601"),
            ("search_events", {"looks_like": "x" * 501}, "looks_like has more than 500 characters"),
            ("picture", {}, 'camera is missing; for example {"camera": "front_door"}'),
            ("weather", {}, "there is no tool 'weather'; there is cameras, now, search_events"),
            ("ask", {"question": ""}, ""),
        ):
            wrong = await called(name, **arguments)
            assert (wrong.is_error or not said, said in wrong.content[0].text) == (True, True), wrong
            assert not set("\n") & set(wrong.content[0].text), wrong
        arguments = {argument for tool in shown for argument in tool["inputSchema"]["properties"]}
        assert arguments <= set(EXAMPLES)


async def test_subscribers_hear_of_changes_and_who_waits_is_woken(environ: dict[str, str], busy: Path) -> None:
    async with stdio(environ, program(busy)) as client:
        assert "picture" not in [tool.name for tool in (await client.list_tools()).tools]  # not asked for
        assert [str(each.uri) for each in (await client.list_resources()).resources] == [
            "blikk://now",
            "blikk://events",
        ]
        async with client.listen(resource_subscriptions=["blikk://now"]) as changes:
            async for change in changes:
                assert change == ResourceUpdated(uri="blikk://now")
                break
        assert "motion" in (await client.read_resource("blikk://now")).contents[0].text


@asynccontextmanager
async def over_http(address: str, token: str):
    async with (
        asyncio.timeout(60 * PATIENCE),
        httpx2.AsyncClient(headers={"authorization": f"Bearer {token}"}, timeout=60) as web,
        Client(streamable_http_client(address, http_client=web)) as client,
    ):
        yield client


async def test_over_http_whoever_has_the_token_is_served(served: str) -> None:
    async with over_http(served, TOKEN) as one, over_http(served, TOKEN) as other:
        for client in (one, other):
            assert (await client.call_tool("now", {})).structured_content["cameras"][0]["camera"] == "camera"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": f"Bearer {TOKEN}", "Host": "evil.example"}, 421),
    ],
)
def test_over_http_nobody_else_is_served(served: str, headers: dict[str, str], status: int) -> None:
    request = urllib.request.Request(served, b"{}", {"Content-Type": "application/json", **headers})
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=30 * PATIENCE)
    assert caught.value.code == status
    caught.value.close()


@pytest.mark.parametrize(("generation", "over"), [("modern", "http"), ("legacy", "stdio")])
def test_clients_in_typescript_of_both_generations(
    generation: str, over: str, served: str, environ: dict[str, str], busy: Path
) -> None:
    clients = Path(os.environ.get("BLIKK_MCP_CLIENTS", Path(__file__).parents[2] / ".cache" / "mcp-clients"))
    if shutil.which("node") is None or not (clients / "node_modules").is_dir():
        pytest.skip("no MCP clients from npm: scripts/mcp_clients")
    target = {"url": served, "token": TOKEN} if over == "http" else {"command": program(busy)}
    ran = subprocess.run(
        ["node", str(CLIENT), generation, json.dumps(target)],
        env={**environ, "BLIKK_MCP_CLIENTS": str(clients)},
        capture_output=True,
        text=True,
        timeout=60 * PATIENCE,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    said = json.loads(ran.stdout)
    assert said["tools"] == ["cameras", "now", "search_events", "event", "count", "ask", "wait_for"]
    assert said["now"]["cameras"][0]["online"] is True
    assert said["wrong"]["isError"] is True
    assert "label is none of 'person'" in said["wrong"]["text"]
    assert (said["uri"], said["text"].split(":")[0]) == ("blikk://now", "camera")


@pytest.mark.parametrize(
    ("arguments", "more", "status", "said"),
    [
        (["--http", "70000"], {}, 2, "a port is a number from 0 to 65535"),
        (["--source", "x.mp4", "--config", "blikk.yaml"], {}, 2, "name one of them"),
        (["--source", "x.mp4"], {}, 78, "source: neither an address, nor a device, nor a file that is there"),
        ([], {"BLIKK_NODE": "mqtt://user:hunter2@broker"}, 78, "write mqtt://user:password@broker/node"),
        ([], {"BLIKK_NODE": "ws://127.0.0.1:8428"}, 78, "BLIKK_NODE: a node answers no questions at its WebSocket"),
        ([], {}, 78, "Or name a node by the variable BLIKK_NODE, or a camera by `--source`."),
        (["--source", "rtsp://user:hunter2@127.0.0.1:9/1"], {}, 1, "rtsp://***@127.0.0.1:9/1"),
    ],
)
def test_what_cannot_be_served_is_said_without_secrets(
    arguments: list[str], more: dict[str, str], status: int, said: str, environ: dict[str, str], tmp_path: Path
) -> None:
    command = [BLIKK, "mcp", *arguments]
    ran = subprocess.run(
        command, env=environ | more, cwd=tmp_path, capture_output=True, text=True, timeout=60 * PATIENCE, check=False
    )
    assert (ran.returncode, ran.stdout) == (status, "")
    assert said in ran.stderr
    assert "hunter2" not in ran.stderr


def test_a_missing_package_is_named_with_the_command_that_installs_it() -> None:
    program = (
        "import sys, importlib.util as util\nfind = util.find_spec\n"
        "util.find_spec = lambda name, *more: None if name == 'mcp' else find(name, *more)\n"
        "from blikk_edge.cli.program import program\nsys.exit(program(['mcp', '--source', 'x.mp4']))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60 * PATIENCE, check=False
    )
    assert ran.returncode == 78
    assert "pip install 'blikk-edge[mcp]'" in ran.stderr
