"""A server whose certificate has expired: every client says so, since when, and how to mend it."""

import asyncio
import os
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from broker import Certificates, make_certificates, make_expired

from blikk_edge.core.clock import SystemClock
from blikk_edge.core.errors import SinkError
from blikk_edge.llm.openai_client import Client
from blikk_edge.llm.port import AwayError
from blikk_edge.net.certificates import Server, untrusted
from blikk_edge.net.options import ClientTlsSettings
from blikk_edge.sinks.edge import EdgeLink
from blikk_edge.sinks.mqtt.address import Address, Tls
from blikk_edge.sinks.mqtt.login import visit
from blikk_edge.sinks.node_requests import NodeRequests
from blikk_edge.sinks.postgres.client import SSL_REQUEST
from blikk_edge.sinks.postgres.kind import PostgresOptions
from blikk_edge.sinks.postgres.sink import PostgresSink
from blikk_edge.sinks.redis.kind import RedisOptions
from blikk_edge.sinks.redis.stream import RedisStream
from blikk_edge.sinks.trust import context_trusting
from blikk_edge.sinks.websocket_ear import WebSocketEar
from blikk_edge.wire.topics import Topics

TOPICS = Topics("blikk", "porch")
TOKEN = "0123456789abcdef"
SAID = "its certificate has expired, on 2020-02-01 00:00 UTC; renew it on that server"

WEBHOOK = """
import asyncio, sys
from blikk_edge.core.errors import SinkError
from blikk_edge.core.ports import Pending
from blikk_edge.core.observation import Ring
from blikk_edge.sinks.webhook import WebhookSink
from blikk_edge.wire.topics import Topics
async def main():
    sink = WebhookSink(sys.argv[1], topics=Topics("blikk", "porch"), tell=("ring",))
    await sink.open()
    try:
        await sink.send([Pending(seq=1, record=Ring(id="r", camera="c", time=1.0, via="http"))])
    except SinkError as error:
        print(error)
    await sink.close()
asyncio.run(main())
"""


@pytest.fixture(scope="module")
def expired(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_expired(tmp_path_factory.mktemp("expired"))


@asynccontextmanager
async def serving(certificates: Certificates) -> AsyncIterator[int]:
    """The port of a server of whom clients see no more than its certificate; as PostgreSQL it lets them ask for TLS."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates.server, certificates.server_key)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, EOFError):
            await reader.readexactly(len(SSL_REQUEST))
            writer.write(b"S")
            await writer.start_tls(context)
            await reader.read()
        writer.transport.abort()

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            await reader.read()
        writer.transport.abort()

    server = await asyncio.start_server(wait, "127.0.0.1", 0, ssl=context)
    asked = await asyncio.start_server(answer, "127.0.0.1", 0)
    PORTS["postgres"] = asked.sockets[0].getsockname()[1]
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        asked.close()


PORTS: dict[str, int] = {}


async def mqtt(port: int, ca: Path) -> None:
    await visit(
        Address(host="127.0.0.1", port=port, tls=Tls(ca=ca)), identifier="test", work=lambda _: asyncio.sleep(0)
    )


async def redis(port: int, ca: Path) -> None:
    await RedisStream(RedisOptions(host="127.0.0.1", port=port, tls=ClientTlsSettings(ca=ca)), topics=TOPICS).open()


async def postgres(_port: int, ca: Path) -> None:
    options = PostgresOptions(host="127.0.0.1", port=PORTS["postgres"], tls=ClientTlsSettings(ca=ca))
    await PostgresSink(options, topics=TOPICS).open()


async def websocket(port: int, ca: Path) -> None:
    await WebSocketEar(f"wss://127.0.0.1:{port}", TOKEN, ca, lambda _item: None).run()


async def requests(port: int, ca: Path) -> None:
    await NodeRequests(f"https://127.0.0.1:{port}", TOKEN, ca).frame("porch")


async def edge(port: int, ca: Path) -> None:
    link = EdgeLink(
        f"wss://127.0.0.1:{port}/ingest/x",
        TOKEN,
        newest=lambda _seq: asyncio.sleep(0),
        moving=lambda: True,
        clock=SystemClock(),
        ca=ca,
    )
    await link._connection()


async def webhook(port: int, ca: Path) -> None:
    command = [sys.executable, "-c", WEBHOOK, f"https://127.0.0.1:{port}/hook"]
    environ = {**os.environ, "SSL_CERT_FILE": str(ca)}  # it trusts the authorities of the system alone
    ran = await asyncio.to_thread(
        subprocess.run, command, env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    raise SinkError(ran.stdout + ran.stderr)


async def language_model(port: int, ca: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(ca))  # as above
        client = Client(base_url=f"https://127.0.0.1:{port}/v1", api_key=None, who="the model", proxied=False)
        try:
            await client.post({}, timeout_s=60.0)
        except AwayError as error:
            raise SinkError(str(error)) from error
        finally:
            await client.close()


@pytest.mark.parametrize("connect", [mqtt, redis, postgres, websocket, requests, edge, webhook, language_model])
async def test_it_is_said_since_when_and_how_to_mend_it(
    connect: Callable[[int, Path], Awaitable[None]], expired: Certificates
) -> None:
    async with serving(expired) as port:
        with pytest.raises(SinkError) as caught:
            await connect(port, expired.ca)
    assert SAID in str(caught.value)
    assert "this machine's clock shows 20" in str(caught.value)


async def test_where_its_time_cannot_be_seen_it_is_said_without(expired: Certificates, tmp_path: Path) -> None:
    error = ssl.SSLCertVerificationError()

    async def said(now: datetime, code: int = 10, ca: Path = expired.ca) -> str | None:
        error.verify_code = code
        async with serving(expired) as port:
            server = Server(host="127.0.0.1", port=port, trusting=lambda: context_trusting(ca))
            return await untrusted(error, server, mend="mend it", now=lambda: now)

    year_2019, year_2021 = datetime(2019, 1, 1, tzinfo=UTC), datetime(2021, 1, 1, tzinfo=UTC)
    other = make_certificates(tmp_path).ca
    assert await said(year_2021, ca=other) == "its certificate has expired; renew it on that server"
    assert "an authority of its certificate has expired" in str(await said(year_2019))
    assert "not valid before 2020-01-01 00:00 UTC; this machine's clock shows 2019" in str(await said(year_2019, 9))
    assert (
        await untrusted(OSError(), Server(host="x", port=1, trusting=ssl.SSLContext), mend="", now=datetime.now) is None
    )
