"""A server of files that knows ranges, and can fail as servers and networks do."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass
class Web:
    """Serves `folder` on `port`. What is set here counts from the next request."""

    folder: Path
    port: int = 0
    cut_after: int | None = None
    """Archives are cut off after this many bytes of an answer."""
    ranges: bool = True
    """Whether a range is answered with a range."""
    status: int | None = None
    """Answered to all."""
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    """The names asked for, and the ranges."""
    hold: threading.Event | None = None
    """Archives are answered, but for the first byte, once it is set."""

    @property
    def index(self) -> str:
        return f"http://127.0.0.1:{self.port}/index.json"


@contextmanager
def serve(folder: Path) -> Iterator[Web]:
    """A server until the end of the block."""
    web = Web(folder)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name, wanted = self.path.lstrip("/"), self.headers.get("Range")
            web.asked.append((name, wanted))
            path = folder / name
            if web.status or not path.is_file():
                self.send_error(web.status or 404)
                return
            content = path.read_bytes()
            start = re.fullmatch(r"bytes=(\d+)-", wanted or "")
            if start and web.ranges:
                first = int(start[1])
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
                content = content[first:]
            else:
                self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if name.endswith(".xz"):
                if web.hold is not None:
                    self.wfile.write(content[:1])
                    self.wfile.flush()
                    web.hold.wait(60)
                    content = content[1:]
                content = content[: web.cut_after]
            self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """Whoever asked may be gone."""

    with Server(("127.0.0.1", 0), Handler) as server:
        web.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield web
        finally:
            if web.hold is not None:
                web.hold.set()
            server.shutdown()
            thread.join()
