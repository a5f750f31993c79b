"""A node that starts without a network has its models when the network comes, without a new start."""

import signal
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from cli_props import CONFIG
from test_stopping import ended, until

from blikk_edge.transforms.models.registry import REGISTRY

NAMES = ("yolox-nano", "yunet")


@pytest.fixture
def contents(models: Path) -> dict[str, bytes]:
    """The two default models, by the path at which a mirror has them."""
    files = [path for path in models.rglob("*") if path.is_file()]
    entries = [REGISTRY[name] for name in NAMES]
    return {
        f"/{entry.file_name}": next(p for p in files if p.stat().st_size == entry.size_bytes).read_bytes()
        for entry in entries
    }


@pytest.fixture
def servers() -> Iterator[list[ThreadingHTTPServer]]:
    running: list[ThreadingHTTPServer] = []
    yield running
    for server in running:
        server.shutdown()
        server.server_close()


def serve(port: int, contents: dict[str, bytes]) -> ThreadingHTTPServer:
    class Mirror(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = contents.get(self.path)
            self.send_response(200 if content else 404)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Mirror)
    Thread(target=server.serve_forever, daemon=True).start()
    return server


def test_models_are_fetched_when_the_network_comes(
    blikk, free_port: int, contents: dict[str, bytes], servers: list[ThreadingHTTPServer]
):
    mirror = f"models: {{cache: {blikk.folder / 'cache'}, mirror: 'http://127.0.0.1:{free_port}'}}\n"
    (blikk.folder / "blikk.yaml").write_text(CONFIG + mirror)
    log = blikk.folder / "stderr"
    with blikk.start("run") as process:
        until(lambda: "blikk.camera.front_door" in log.read_text(), process)
        assert "until it is here people are found by their face" in log.read_text()
        assert "until it is here whole persons are blurred" in log.read_text()
        assert "yolox-nano runs on" not in log.read_text()
        servers.append(serve(free_port, contents))
        until(
            lambda: "blikk.models: from now on: detector default: yolox-nano; faces: yunet" in log.read_text(), process
        )
        until(lambda: "blikk.vision: yolox-nano runs on" in log.read_text(), process)
        assert ended(process, signal.SIGTERM) == 0
    assert "Traceback" not in log.read_text()
