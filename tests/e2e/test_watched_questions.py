"""Watched questions as a user gets them: answered from tracks, on MQTT and by webhook, and kept over a restart."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import jsonschema
import pytest
from broker import Broker
from rtsp_server import RtspServer
from staging import BlikkRun, Ears

SCHEMA = json.loads((Path(__file__).parents[2] / "contract" / "schemas" / "answer.json").read_text())
CONFIG = """\
node: {{id: hallway, name: Hallway}}
mqtt: {{host: 127.0.0.1, port: {port}}}
store: {{path: {folder}/hallway.db}}
models: {{offline: true, cache: {folder}/models}}
webhook: {{url: 'http://127.0.0.1:{hook}/blikk', token: open-sesame}}
cameras:
  front_door:
    source: {source}
    questions:
      someone: Is someone at the door?
      gate: Is the gate open?
"""


@contextmanager
def web_address() -> Iterator[tuple[int, list[tuple[str, dict]]]]:
    """A server that keeps what is posted to it: the token and the content."""
    posted: list[tuple[str, dict]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            posted.append((self.headers["Authorization"], content))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port, posted
    server.shutdown()
    server.server_close()


@pytest.mark.timeout(400)
def test_an_answer_changes_when_a_visitor_comes_and_goes(tmp_path: Path, demo_clip: Path, models: Path) -> None:
    with (
        Broker(tmp_path) as broker,
        Ears(broker.port) as ears,
        RtspServer(demo_clip) as server,
        web_address() as (hook, posted),
    ):
        config = CONFIG.format(port=broker.port, folder=tmp_path, source=server.url, hook=hook)
        with BlikkRun(tmp_path, config, models=models) as run:
            answers = lambda: [a["answer"] for a in ears.json_on("/answer/someone") if a["changed"]]  # noqa: E731
            ears.until(lambda: "yes" in answers(), 60, "the visitor")
            ears.until(lambda: answers()[-1] == "no", 60, "that nobody is there")
            ears.until(lambda: "yes" in [content["answer"] for _, content in posted], 10, "the webhook")
            run.stop()
    reported = ears.json_on("/answer/someone")
    for each in [*reported, *ears.json_on("/answer/gate")]:
        jsonschema.validate(each, SCHEMA)
    yes = next(a for a in reported if a["answer"] == "yes")
    assert (yes["source"], yes["asked"]) == ("template", "Is someone at the door?")
    assert yes["confidence"] > 0.5
    # no model is there to look at the gate, and nobody pretends
    assert {a["answer"] for a in ears.json_on("/answer/gate")} == {"unknown"}
    assert {token for token, _ in posted} == {"Bearer open-sesame"}
    assert all(content["changed"] for _, content in posted)
    assert "open-sesame" not in run.log
