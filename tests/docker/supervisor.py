"""A stand-in of the Supervisor's HTTP API, for an app without `hassio_api`: it checks and remembers requests."""

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

import voluptuous as vol

TOKEN = "of-the-supervisor"
DISCOVERY = vol.Schema({vol.Required("service"): str, vol.Required("config"): dict})


@dataclass
class Supervisor:
    """It listens on loopback. `broker` is what it says of MQTT, None where there is no such service; `failures` is how
    many requests it answers with 503 before any other.
    """

    broker: dict[str, Any] | None
    host: str = "127.0.0.1"
    port: int = 0
    failures: int = 0
    asked: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    discovered: list[dict[str, Any]] = field(default_factory=list)
    """What Home Assistant would get: the Supervisor passes nothing on that it has passed on before."""

    @property
    def address(self) -> str:
        return f"http://{self.host}:{self.port}"

    def __enter__(self) -> Self:
        supervisor = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(*supervisor.answer("GET", self.path, self.headers.get("Authorization"), b""))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self._answer(*supervisor.answer("POST", self.path, self.headers.get("Authorization"), body))

            def _answer(self, status: int, content: dict[str, Any]) -> None:
                said = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer((self.host, self.port), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, method: str, path: str, authorization: str | None, body: bytes) -> tuple[int, dict[str, Any]]:
        """Status and content."""
        self.asked.append(f"{method} {path}")
        if self.failures:
            self.failures -= 1
            return 503, {"result": "error", "message": "System is not ready with state: setup"}
        if authorization != f"Bearer {TOKEN}":
            return self._refuse(401, "Unauthorized")
        if (method, path) == ("GET", "/services/mqtt"):
            if self.broker is None:
                return self._refuse(400, "Service not enabled")
            return 200, {"result": "ok", "data": self.broker}
        if (method, path) == ("POST", "/discovery"):
            try:
                message = DISCOVERY(json.loads(body))
            except (ValueError, vol.Invalid) as error:
                return self._refuse(400, str(error))
            if message["service"] != "blikk":
                return self._refuse(403, "Apps must list services they provide via discovery in their config!")
            if message["config"] not in self.discovered:
                self.discovered.append(message["config"])
            return 200, {"result": "ok", "data": {"uuid": "0" * 32}}
        return self._refuse(403, "Forbidden")

    def _refuse(self, status: int, message: str) -> tuple[int, dict[str, Any]]:
        self.refused.append(message)
        return status, {"result": "error", "message": message}
