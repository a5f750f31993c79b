"""The HTTP server of a node as a user starts it: all that it serves, and what must not get out or in."""

import asyncio
import http.client
import json
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import aiohttp
import numpy as np
import pytest
from http_served import CONTROL, VIEW
from patience import PATIENCE
from ports import free_port
from staging import BlikkRun, write_clip

ROOT = Path(__file__).parents[2]
DOCUMENT: Final = ROOT / "contract" / "openapi.json"
NAME: Final = '<script>document.title="got in"</script>"><img src=x onerror=alert(1)>'
PUSH: Final = "of-the-edge-client"
NODE = """\
node: {{id: hallway, name: {name}}}
mqtt: false
store: {{path: {folder}/blikk.db}}
models: {{offline: true, cache: {folder}/models}}
search: colours
http: {{port: {port}, tokens: {{view: {view}, control: {control}}}}}
media: true
sinks: {{websocket: true}}
cameras:
  door: {{source: {folder}/clip.mp4, name: {name}, ring: {{http: true}}}}
  shed: {{source: push, push_token: {push}}}
  phone: whip
"""


class Served(BlikkRun):
    """A node with everything that the server serves, on `port`."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        config = NODE.format(
            folder=folder, port=self.port, view=VIEW, control=CONTROL, push=PUSH, name=json.dumps(NAME)
        )
        super().__init__(folder, config, models=None)

    def asked(
        self, path: str, *, method: str = "GET", token: str | None = VIEW, body: Any = None, **headers: str
    ) -> tuple[int, bytes, dict[str, str]]:
        """Status, body and headers of an answer; the path goes out as it is."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60 * PATIENCE)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            given["Authorization"] = f"Bearer {token}"
        if body is not None:
            given["Content-Type"] = "application/json"
        try:
            connection.request(method, path, None if body is None else json.dumps(body), given)
            answer = connection.getresponse()
            return answer.status, answer.read(), {name.lower(): value for name, value in answer.getheaders()}
        finally:
            connection.close()


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    pictures = [np.full((240, 320, 3), 90, np.uint8) for _ in range(40)]
    for number, picture in enumerate(pictures):
        picture[80:160, 6 * number : 6 * number + 60] = 230
    write_clip(folder / "clip.mp4", pictures)
    with Served(folder) as served:
        asyncio.run(online(served))
        yield served


async def online(node: Served) -> None:
    """Wait until a camera is."""
    async with asyncio.timeout(60 * PATIENCE):
        while True:
            try:
                if (await asyncio.to_thread(node.asked, "/health", token=None))[0] == 200:
                    return
            except OSError:
                assert node.process is not None
                assert node.process.poll() is None, node.log
            await asyncio.sleep(0.1)


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    paths = json.loads(DOCUMENT.read_text(encoding="utf-8"))["paths"]
    return [(path, method, operation) for path, below in paths.items() for method, operation in below.items()]


def test_the_document_is_the_one_of_a_node_that_serves_everything(node: Served) -> None:
    status, body, _ = node.asked("/v1/openapi.json")
    assert (status, json.loads(body)) == (200, json.loads(DOCUMENT.read_text(encoding="utf-8")))


RESTART: Final = "/v1/restart"
"""Is asked by who may not: the others need the node."""

FINE: Final = {"/v1/days", "/v1/events", "/v1/node", "/v1/pictures", "/v1/session", "/health", "/v1/openapi.json"}


@pytest.mark.parametrize(("path", "method", "operation"), operations(), ids=lambda each: str(each)[:40])
async def test_every_answer_is_one_that_the_document_has(
    node: Served, path: str, method: str, operation: dict[str, Any]
) -> None:
    url = f"http://127.0.0.1:{node.port}{path.replace('{camera}', 'door').replace('{id}', 'none')}"
    headers = {"Authorization": f"Bearer {VIEW if path == RESTART else CONTROL}"}
    (said,) = (each for each in operation["responses"] if each != "default")
    body = {} if "requestBody" in operation else None
    async with asyncio.timeout(60 * PATIENCE), aiohttp.ClientSession(headers=headers) as session:
        if said == "101":
            async with session.ws_connect(url) as socket:
                assert not socket.closed
            return
        async with session.request(method, url, json=body) as answer:
            if answer.status == int(said):
                kinds = set(operation["responses"][said].get("content", {}))
                assert {answer.content_type} == kinds or not kinds
            else:
                assert path not in FINE or method != "get", answer.status
                assert answer.content_type == "application/json"
                error = (await answer.json())["error"]
                assert error not in {"Not Found", "Method Not Allowed"}


@pytest.mark.parametrize(
    ("path", "method", "operation"),
    [each for each in operations() if each[2].get("x-scope")],
    ids=lambda each: str(each)[:40],
)
def test_nothing_of_the_household_is_had_without_its_token(
    node: Served, path: str, method: str, operation: dict[str, Any]
) -> None:
    here = path.replace("{camera}", "door").replace("{id}", "none")
    elsewhere = {"X_Forwarded_For": "192.0.2.7"}
    for token, refused in ((None, 401), ("wrong", 401), (VIEW, 403)):
        scope = operation["x-scope"]
        if token == VIEW and scope != "control":
            continue
        status, body, _ = node.asked(here, method=method.upper(), token=token, **elsewhere)
        if path.startswith("/ingest"):
            assert status == 426  # no WebSocket; those who are one learn it by a close code
        else:
            assert (status, bool(json.loads(body)["error"])) == (refused, True)


TRAVERSALS: Final = [
    "/static/../web/site.py",
    "/static/..%2fsite.py",
    "/static/%2e%2e/site.py",
    "/static/%2e%2e%2fsite.py",
    "/static/..\\site.py",
    "/static/%252e%252e%252fsite.py",
    "/static//etc/passwd",
    "/static/%2fetc%2fpasswd",
    "/static/words/../../site.py",
    "/static/app.js/",
    "/static/app.js%00",
    "/static/",
    "/static",
    "/../blikk.yaml",
    "/v1/pictures/..%2f..%2fblikk.db",
    "/v1/pictures/%2e%2e%2fblikk.db",
    "/v1/cameras/..%2fdoor/frame.jpg",
]


@pytest.mark.parametrize("path", TRAVERSALS)
def test_no_path_leads_out_of_what_is_served(node: Served, path: str) -> None:
    status, body, headers = node.asked(path, token=CONTROL)
    assert (status in {400, 404}, headers["content-type"].partition(";")[0]) == (True, "application/json"), body
    assert b"import" not in body
    assert b"root:" not in body


def test_script_in_names_stays_text_on_its_way_to_the_page(node: Served) -> None:
    status, body, headers = node.asked("/v1/node")
    assert (status, headers["content-type"], headers["x-content-type-options"]) == (200, "application/json", "nosniff")
    assert NAME in {camera["name"] for camera in json.loads(body)["cameras"]}
    for path in ("/", "/static/app.js"):
        assert b"got in" not in node.asked(path, token=None)[1]
    asked = quote('<script>alert("x")</script>', safe="")
    for path in (
        f"/{asked}",
        f"/v1/cameras/{asked}/frame.jpg",
        f"/v1/pictures?day={asked}",
        f"/v1/records?kinds={asked}",
    ):
        _, body, headers = node.asked(path.format(asked))
        assert headers["content-type"].startswith("application/json")
        assert b"<script>" not in body


@pytest.mark.parametrize("value", [math.nan, math.inf, "\ud800", None, [], 10**60])
def test_what_no_switch_can_be_set_to_is_said(node: Served, value: Any) -> None:
    for name in ("detect", "threshold", "summary", "snapshot"):
        status, body, _ = node.asked("/v1/cameras/door/set", method="POST", token=CONTROL, body={name: value})
        assert (status, bool(json.loads(body)["error"])) == (400, True)


def test_the_cookie_of_a_session_is_kept_from_scripts_and_other_sites(node: Served) -> None:
    status, _, headers = node.asked("/v1/session", method="POST", token=None, body={"token": VIEW})
    assert status == 200
    assert all(word in headers["set-cookie"] for word in ("HttpOnly", "SameSite=Strict", "Path=/"))
    cookie = headers["set-cookie"].partition(";")[0]
    assert VIEW not in cookie
    assert node.asked("/v1/node", token=None, Cookie=cookie)[0] == 200
    assert node.asked("/v1/cameras/door/set", method="POST", token=None, body={}, Cookie=cookie)[0] == 403


def test_who_guesses_tokens_is_slowed_down_and_keeps_nobody_out(node: Served) -> None:
    statuses = [
        node.asked("/v1/session", method="POST", token=None, body={"token": f"guess-{number}"})[0]
        for number in range(20)
    ]
    assert set(statuses) == {401, 429}
    assert statuses.count(401) <= 12
    assert statuses[-1] == 429
    assert node.asked("/v1/session", method="POST", token=None, body={"token": VIEW})[0] == 200


async def test_viewers_who_do_not_read_hold_up_nobody_and_take_no_memory(node: Served) -> None:
    assert node.process is not None
    status = Path(f"/proc/{node.process.pid}/status")

    def node_mb() -> float:
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1000

    head = f" HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {VIEW}\r\n"
    upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    upgrade += "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    mjpeg = f"GET /v1/cameras/door/live.mjpeg{head}\r\n"  # ends where no picture can be made
    socket = f"GET /v1/cameras/door/live{head}{upgrade}\r\n"
    before, held, lines = node_mb(), [], []

    async def look(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", node.port, limit=1024)
        writer.write((socket if number % 5 else mjpeg).encode())
        held.append((reader, writer))
        lines.append(await reader.readline())

    async with asyncio.timeout(120 * PATIENCE):
        for first in range(0, 100, 25):  # more at once, who are not let in yet, would push each other out
            await asyncio.gather(*map(look, range(first, first + 25)))
        answers = [await asyncio.to_thread(node.asked, "/v1/cameras/door/set", method="POST", token=CONTROL, body={})]
    for _, writer in held:
        writer.transport.abort()
    assert answers[0][0] == 202
    assert {line.split()[1] for line in lines if line} <= {b"200", b"101", b"503"}
    assert b"HTTP/1.1 503 " in {line[:13] for line in lines}  # there is a limit
    assert node_mb() - before < 60


def test_a_ring_and_a_refused_edge_client_come_by_the_same_port(node: Served) -> None:
    assert node.asked("/ring/door", method="POST", token=None)[0] == 204
    assert node.asked("/ring/shed", method="POST", token=None)[0] == 404


def test_a_node_without_the_server_imports_none_of_it(tmp_path: Path) -> None:
    (tmp_path / "blikk.yaml").write_text(
        f"node: n\nmqtt: false\nstore: {{path: {tmp_path}/b.db}}\nmodels: {{offline: true}}\n"
        "cameras: {d: /dev/video9}\n"
    )
    code = f"""
import asyncio, pathlib, sys
from blikk_edge import config
from blikk_edge.app.wiring import build
from blikk_edge.core.clock import SystemClock
environ = {{"HOME": {str(tmp_path)!r}}}
async def main():
    settings = config.load(pathlib.Path({str(tmp_path)!r}, "blikk.yaml"), environ=environ)
    app = build(settings, environ=environ, clock=SystemClock())
    stop = asyncio.Event()
    running = asyncio.ensure_future(app.run(stop))
    await app.settle()
    stop.set()
    await running
    assert app.routes == ()
asyncio.run(main())
print(sorted({{"aiohttp", "websockets", "prometheus_client", "opentelemetry", "aiortc", "segno"}} & set(sys.modules)))
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert (ran.returncode, ran.stdout) == (0, "[]\n"), ran.stderr
