"""A collector for tests: takes OTLP over HTTP on a free loopback port and decodes what it gets.

with OtlpReceiver() as receiver:
    ... post to receiver.url
    receiver.spans
"""

import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass
class OtlpReceiver:
    """`status` is what it answers, with `elsewhere` as the place to go to.

    `requests` is everything that was posted, as bytes, taken or not.
    """

    status: int = 200
    elsewhere: str = ""
    spans: list[Span] = field(default_factory=list)
    requests: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    resource: dict[str, str] = field(default_factory=dict)

    def __enter__(self) -> Self:
        receiver = self

        class Asked(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.requests.append(content)
                receiver.headers.append({name.lower(): value for name, value in self.headers.items()})
                if receiver.status == 200 and self.path == "/v1/traces":
                    receiver.take(ExportTraceServiceRequest.FromString(content))
                self.send_response(receiver.status if self.path == "/v1/traces" else 404)
                self.send_header("Content-Length", "0")
                if receiver.elsewhere:
                    self.send_header("Location", receiver.elsewhere)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Asked)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def take(self, request: ExportTraceServiceRequest) -> None:
        for resource in request.resource_spans:
            self.resource = {a.key: a.value.string_value for a in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.spans += scope.spans

    def traces(self, phase: str) -> list[dict[str, list[Span]]]:
        """Of each event with this phase the spans of its trace by name, in the order in which they came."""
        spans = list(self.spans)
        found: dict[bytes, dict[str, list[Span]]] = {s.trace_id: {} for s in spans if s.name == f"event {phase}"}
        for span in spans:
            if span.trace_id in found:
                found[span.trace_id].setdefault(span.name, []).append(span)
        return list(found.values())


def attributes(span: Span) -> dict[str, str | int]:
    return {a.key: a.value.string_value or a.value.int_value for a in span.attributes}
