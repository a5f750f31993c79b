"""A web server for tests: MJPEG, HLS and files, with or without a login."""

import base64
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass
class Web:
    """What is served: `files` by path, `jpegs` as one endless stream at /mjpeg every `every_s`."""

    port: int = 0
    files: dict[str, bytes] = field(default_factory=dict)
    jpegs: list[bytes] = field(default_factory=list)
    every_s: float = 0.04
    login: str | None = None
    ends_after: int | None = None
    still_after: int | None = None
    closing: threading.Event = field(default_factory=threading.Event)
    asked: list[str] = field(default_factory=list)

    def url(self, path: str, login: str | None = None) -> str:
        """The address of a path, with `user:password`."""
        return f"http://{login + '@' if login else ''}127.0.0.1:{self.port}{path}"


class Answers(BaseHTTPRequestHandler):
    """Answers from the server's `web`."""

    web: Web

    def do_GET(self) -> None:
        """Serve one request."""
        path = self.path.partition("?")[0]
        self.web.asked.append(path)
        wanted = self.web.login and "Basic " + base64.b64encode(self.web.login.encode()).decode()
        if wanted and self.headers.get("Authorization") != wanted:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="camera"')
            self.end_headers()
        elif path == "/mjpeg":
            self.stream()
        elif path in self.web.files:
            self.send_response(200)
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Content-Length", str(len(self.web.files[path])))
            self.end_headers()
            self.wfile.write(self.web.files[path])
        else:
            self.send_error(404)

    def stream(self) -> None:
        """JPEGs until the client has gone or the server closes."""
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        sent = 0
        began = time.monotonic()
        try:
            while not self.web.closing.is_set() and sent != self.web.ends_after:
                if sent == self.web.still_after:
                    self.web.closing.wait(30)
                    return
                jpeg = self.web.jpegs[sent % len(self.web.jpegs)]
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                self.wfile.write(head.encode() + jpeg + b"\r\n")
                sent += 1
                self.web.closing.wait(max(0.0, began + sent * self.web.every_s - time.monotonic()))
        except OSError:
            return

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def serving(web: Web) -> Iterator[Web]:
    """Serve on a free loopback port."""
    server = ThreadingHTTPServer(("127.0.0.1", web.port), type("TheseAnswers", (Answers,), {"web": web}))
    web.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield web
    finally:
        web.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


def files_below(folder: Path) -> dict[str, bytes]:
    """Every file of a folder by its path on the server."""
    return {f"/{path.relative_to(folder)}": path.read_bytes() for path in folder.rglob("*") if path.is_file()}
