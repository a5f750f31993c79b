"""Servers whose certificate an authority of the household has signed, which this system trusts, on every Python."""

import asyncio
import json
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from broker import Certificates, make_certificates

from blikk_edge.core.observation import Ring
from blikk_edge.core.ports import Pending
from blikk_edge.llm.openai_client import Client
from blikk_edge.llm.port import AwayError
from blikk_edge.sinks.webhook import WebhookSink
from blikk_edge.transforms.models.download import fetch
from blikk_edge.wire.topics import Topics

MODEL = b"TFL3 of nobody"


class Answering(BaseHTTPRequestHandler):
    """Answers every request."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(json.dumps({"choices": []}).encode())

    def do_GET(self) -> None:
        self._answer(MODEL)

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("home"))


@pytest.fixture
def server(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Its address, for clients of a Python that asks as much of an authority as 3.13 does."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates.server, certificates.server_key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    plain = ssl.create_default_context

    def strict(*args: object, **more: object) -> ssl.SSLContext:
        made = plain(*args, **more)  # type: ignore[arg-type]
        made.verify_flags |= ssl.VERIFY_X509_STRICT
        return made

    monkeypatch.setattr(ssl, "create_default_context", strict)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.ca))
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


async def webhook(url: str, _folder: Path) -> None:
    sink = WebhookSink(f"{url}/hook", topics=Topics("blikk", "porch"), tell=("ring",))
    await sink.open()
    try:
        await sink.send([Pending(seq=1, record=Ring(id="r", camera="c", time=1.0, via="http"))])
    finally:
        await sink.close()


async def language_model(url: str, _folder: Path) -> None:
    client = Client(base_url=f"{url}/v1", api_key=None, who="the model", proxied=True)
    try:
        assert (await client.post({}, timeout_s=60.0)).status == 200
    finally:
        await client.close()


async def test_why_a_language_model_is_not_trusted_is_said(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(AwayError, match="its certificate is not trusted") as caught:
        await language_model(server, Path())
    assert "add its authority to those of the system" in str(caught.value)


async def test_a_language_model_that_speaks_no_tls_is_said() -> None:
    plain = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    threading.Thread(target=plain.serve_forever, daemon=True).start()
    try:
        with pytest.raises(AwayError, match=r"^the model: no TLS with it: [a-z ]+; does it serve https\?$"):
            await language_model(f"https://127.0.0.1:{plain.server_port}", Path())
    finally:
        plain.shutdown()
        plain.server_close()


async def download(url: str, folder: Path) -> None:
    await asyncio.to_thread(fetch, f"{url}/model.tflite", folder / "model.tflite", sha256=sha256(MODEL).hexdigest())
    assert (folder / "model.tflite").read_bytes() == MODEL


@pytest.mark.parametrize("connect", [webhook, language_model, download])
async def test_an_authority_that_people_make_at_home_will_do(
    connect: Callable[[str, Path], Awaitable[None]], server: str, tmp_path: Path
) -> None:
    await connect(server, tmp_path)
