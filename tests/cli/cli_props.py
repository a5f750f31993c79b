"""The command as its users start it: in a process of its own, in a folder of its own, on a terminal or in a pipe."""

import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from nowhere import NOWHERE

BLIKK = Path(sys.executable).with_name("blikk")
LIMIT_S = 240
CONFIG = "node: hallway\nmqtt: 127.0.0.1\ncameras:\n  front_door: {source: rtsp://127.0.0.1:9/1}\n"


@dataclass
class Command:
    """`blikk` in `folder`, where nothing can be fetched."""

    folder: Path

    @property
    def environ(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("BLIKK_", "XDG_", "TQDM", "COLUMNS", "LINES"))}
        return kept | {
            "HOME": str(self.folder),
            **NOWHERE,
            "TERM": "xterm",
            "PYTHONUTF8": "1",
        }

    def __call__(self, *arguments: str | bytes, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [BLIKK, *arguments],
            env=self.environ | environ,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=LIMIT_S,
        )

    def json(self, *arguments: str, **environ: str) -> tuple[int, Any]:
        done = self(*arguments, **environ)
        assert done.stderr == "" or "Traceback" not in done.stderr
        return done.returncode, json.loads(done.stdout)

    @contextmanager
    def start(self, *arguments: str, **environ: str) -> Iterator[subprocess.Popen[bytes]]:
        """`blikk` while it runs, its standard error in the file `stderr`."""
        with (
            (self.folder / "stderr").open("wb") as reported,
            subprocess.Popen(
                [BLIKK, *arguments],
                env=self.environ | environ,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=reported,
            ) as process,
        ):
            try:
                yield process
            finally:
                process.kill()

    def on_terminal(self, *arguments: str, columns: int = 80, **environ: str) -> tuple[int, str]:
        """The exit status, and all that a terminal of this width was sent."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        with subprocess.Popen(
            [BLIKK, *arguments],
            env=self.environ | environ,
            cwd=self.folder,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        ) as process:
            os.close(theirs)
            sent = b""
            while chunk := _read(ours):
                sent += chunk
            os.close(ours)
            return process.wait(LIMIT_S), sent.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says so at the end
        return b""


@dataclass
class Mirror:
    """A web server with models that sends the first half of each and waits for `go`."""

    url: str
    half_sent: threading.Event
    go: threading.Event


class Servers:
    def __enter__(self) -> "Servers":
        self.running: list[tuple[ThreadingHTTPServer, threading.Event]] = []
        return self

    def __exit__(self, *_: object) -> None:
        for server, go in self.running:
            go.set()
            server.shutdown()
            server.server_close()

    def start(self, content: bytes) -> Mirror:
        half_sent, go = threading.Event(), threading.Event()

        class Halting(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                first = int(self.headers.get("Range", "bytes=0-")[6:-1])
                self.send_response(206 if first else 200)
                self.send_header("Content-Length", str(len(content) - first))
                if first:
                    self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
                self.end_headers()
                middle = max(first, len(content) // 2)
                self.wfile.write(content[first:middle])
                self.wfile.flush()
                half_sent.set()
                go.wait(LIMIT_S)
                with _gone():
                    self.wfile.write(content[middle:])

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Halting)
        self.running.append((server, go))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return Mirror(f"http://127.0.0.1:{server.server_address[1]}", half_sent, go)


@contextmanager
def _gone() -> Iterator[None]:
    with suppress(OSError):
        yield
