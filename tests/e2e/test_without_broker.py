"""A node without a broker: history, questions and the web address work all the same, and nothing is lost for either."""

import http.client
import json
import os
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import daytime
import pytest
from patience import PATIENCE
from ports import free_port
from staging import BLIKK, BlikkRun

from blikk_edge.store.store import Store

RINGS = "Did anyone ring at the front door today?"


class Hook:
    """A web server that keeps what is posted to it."""

    def __init__(self, port: int) -> None:
        self.bodies: list[dict[str, Any]] = []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                hook.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def until(state: Callable[[], object], what: str, within_s: float = 30.0) -> None:
    end = time.monotonic() + PATIENCE * within_s
    while not state():
        assert time.monotonic() < end, f"{what} did not come"
        time.sleep(0.02)


class House:
    """A node without a broker, its doorbell, and the port of its web address."""

    def __init__(self, folder: Path) -> None:
        self.hook_port, self._ring_port = free_port(), free_port()
        self.path = folder / "blikk.yaml"
        self.store = folder / "blikk.db"
        self.node = BlikkRun(
            folder,
            f"node: hallway\nmqtt: false\ntimezone: {daytime.MORNING}\n"
            f"store: {{path: {self.store}}}\nhttp: {{port: {self._ring_port}}}\n"
            f"webhook: {{url: 'http://127.0.0.1:{self.hook_port}/', tell: [ring]}}\ncameras:\n"
            f"  front_door: {{source: 'rtsp://127.0.0.1:{free_port()}/none', ring: {{http: true}}}}\n",
            models=None,
        )

    def ring(self) -> None:
        """Press the button, as soon as somebody hears it."""

        def rung() -> bool:
            connection = http.client.HTTPConnection("127.0.0.1", self._ring_port, timeout=5)
            try:
                connection.request("POST", "/ring/front_door")
                return connection.getresponse().status == 204
            except OSError:
                return False
            finally:
                connection.close()

        until(rung, "the ring")

    def ask(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [BLIKK, "ask", *arguments, "--config", str(self.path)]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=dict(os.environ))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    if house.node.process is not None and house.node.process.poll() is None:
        house.node.kill()


def test_rings_reach_the_web_address_and_the_history(house: House) -> None:
    hook = Hook(house.hook_port)
    house.node.start()
    house.ring()
    until(lambda: len(hook.bodies) == 1, "the first ring")
    assert hook.bodies[0]["camera"] == "front_door"
    assert "replayed" not in hook.bodies[0]
    assert house.node.log.count(f"INFO    blikk.node: webhook http://127.0.0.1:{house.hook_port} gets: ring\n") == 1
    asked = house.ask(RINGS)
    assert (asked.returncode, asked.stderr) == (0, "")
    assert "rang" in asked.stdout
    socket = house.store.with_name("blikk.db.ask")
    assert stat.S_IMODE(socket.stat().st_mode) == 0o600
    hook.close()
    house.ring()  # nobody is there to hear of it
    house.ring()
    until(lambda: json.loads(house.ask(RINGS, "--json").stdout)["count"] == 3, "both on disk")
    house.node.kill()  # and the power goes
    refused = house.ask("Is anyone there?")
    assert refused.returncode == 0  # the store answers where no node has it
    hook = Hook(house.hook_port)
    house.node.start()
    until(lambda: len(hook.bodies) == 2, "what waited")
    assert all(body["replayed"] is True for body in hook.bodies)
    house.ring()
    until(lambda: len(hook.bodies) == 3, "a new ring")
    assert "replayed" not in hook.bodies[2]
    assert json.loads(house.ask(RINGS, "--json").stdout)["count"] == 4
    assert house.node.stop(within_s=20 * PATIENCE) >= 0
    hook.close()
    assert not socket.exists()
    store = Store(house.store)
    store.open()
    assert len(store.rings()) == 4
    assert store.depth("webhook") == 0
    store.close()


def test_what_a_request_may_not_be_is_said_and_costs_the_node_nothing(house: House) -> None:
    import socket as sockets

    house.node.start()
    path = house.store.with_name("blikk.db.ask")
    until(path.exists, "the socket")

    def said(request: bytes) -> str:
        with sockets.socket(sockets.AF_UNIX) as connection:
            connection.settimeout(30 * PATIENCE)
            until(lambda: connection.connect_ex(str(path)) == 0, "the connection")
            connection.sendall(request)
            with connection.makefile("rb") as answer:
                return str(json.loads(answer.readline())["error"])

    assert "not JSON" in said(b'{"question": \n')
    assert "not UTF-8" in said(b"\xff\xfe\n")
    assert "more bytes than a request needs" in said(b"x" * 20_000 + b"\n")
    assert "`do` is none of" in said(b'{"do": "shutdown"}\n')
    assert "attic" in said(b'{"question": "who?", "camera": "attic"}\n')
    assert house.ask(RINGS).returncode == 0


def test_a_doorbell_that_nothing_can_ring_is_no_configuration(tmp_path: Path) -> None:
    path = tmp_path / "blikk.yaml"
    path.write_text("node: n\nmqtt: false\ncameras:\n  door: {source: 'rtsp://127.0.0.1/1', ring: true}\n")
    result = subprocess.run(
        [BLIKK, "check", str(path)], capture_output=True, text=True, timeout=60, check=False, env=dict(os.environ)
    )
    assert result.returncode != 0
    assert "cameras.door.ring: a doorbell that nothing can ring, as `mqtt` is `false`" in result.stdout + result.stderr
    assert f"{path}:4" in result.stdout + result.stderr
