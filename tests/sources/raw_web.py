"""A web server for tests that says exactly what it is asked to, byte by byte."""

import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Asked:
    """One request: its path, its headers in lower case, and a way to write the answer."""

    path: str
    headers: dict[str, str]
    write: Callable[[bytes], None]
    closing: threading.Event


@dataclass
class RawWeb:
    """`port`, the paths `asked` for, and how many `connections` were made."""

    port: int = 0
    asked: list[str] = field(default_factory=list)
    connections: int = 0

    def url(self, path: str, login: str = "") -> str:
        """The address of a path."""
        return f"http://{login + '@' if login else ''}127.0.0.1:{self.port}{path}"


@contextmanager
def raw_web(answer: Callable[[Asked], bool | None], *, wrap: Callable | None = None) -> Iterator[RawWeb]:
    """Serve on a free loopback port; `answer` writes, and says whether the connection may serve another request."""
    web, closing = RawWeb(), threading.Event()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            web.connections += 1
            try:
                while line := self.rfile.readline():
                    headers = {}
                    while (text := self.rfile.readline().strip()) != b"":
                        name, _, value = text.decode().partition(":")
                        headers[name.strip().lower()] = value.strip()
                    path = line.decode().split(" ")[1]
                    web.asked.append(path)

                    if not answer(Asked(path, headers, self._write, closing)):
                        return
            except OSError:
                return

        def _write(self, content: bytes) -> None:
            self.wfile.write(content)
            self.wfile.flush()

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that has gone is no fault of the server."""

        def get_request(self):  # type: ignore[no-untyped-def]
            sock, place = super().get_request()
            return (wrap(sock) if wrap else sock), place

    server = Server(("127.0.0.1", 0), Handler)
    web.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield web
    finally:
        closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
