"""The connection to NATS, at a real server."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from nats_server import NatsServer
from ports import free_port
from sink_samples import until

from blikk_edge.core.errors import SinkError
from blikk_edge.fleet.link import Link
from blikk_edge.fleet.options import FleetOptions


@pytest.fixture
async def link() -> AsyncIterator[list[Link]]:
    """Links that a test makes, which are closed after it."""
    made: list[Link] = []
    yield made
    for each in made:
        await each.close()


async def test_a_connection_comes_back_with_the_server(
    tmp_path: Path, link: list[Link], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "blikk.fleet")
    with NatsServer(tmp_path) as server:
        made = Link(FleetOptions(site="hall", servers=(server.url,)), name="one")
        link.append(made)
        await (await made.open()).account_info()
        assert made.connected
        assert made.problem is None
        await asyncio.to_thread(server.kill)
        await until(lambda: made.problem, "the loss is noticed")
        assert not made.connected
        await asyncio.to_thread(server.start)
        await until(lambda: made.problem is None, "it is there again")
        await (await made.open()).account_info()
    said = [record.getMessage() for record in caplog.records]
    assert said[0] == f"connected to nats 127.0.0.1:{server.port}"
    assert said[1] == f"nats 127.0.0.1:{server.port}: the connection broke; it is tried again"
    assert said[2] == f"connected to nats 127.0.0.1:{server.port} again"


async def test_nobody_there_names_the_key(link: list[Link]) -> None:
    made = Link(FleetOptions(site="hall", servers=(f"nats://127.0.0.1:{free_port()}",)), name="one")
    with pytest.raises(SinkError, match=r"nobody answers there; see whether it runs, and check `fleet.servers`"):
        await made.open()


async def test_a_key_that_is_refused_or_missing_is_named(tmp_path: Path, link: list[Link]) -> None:
    import nkeys
    from nacl.signing import SigningKey

    def key() -> tuple[str, str]:
        pair = nkeys.from_seed(nkeys.encode_seed(bytes(SigningKey.generate()), nkeys.PREFIX_BYTE_USER))
        return pair.seed.decode(), pair.public_key.decode()

    seed, public = key()
    (tmp_path / "right.nk").write_text(f"# of the hall\n{seed}\n")
    (tmp_path / "other.nk").write_text(key()[0])
    (tmp_path / "none.nk").write_text(public)
    lines = [f"accounts {{ HALL {{ jetstream: enabled, users: [{{nkey: {public}}}] }} }}"]
    with NatsServer(tmp_path / "nats", extra=lines) as server:
        for name, words in (("other", "does not take this key"), ("none", "has no seed"), ("right", "")):
            options = FleetOptions(site="hall", servers=(server.url,), nkey=tmp_path / f"{name}.nk")
            made = Link(options, name="one")
            link.append(made)
            if words:
                with pytest.raises(SinkError, match=words) as caught:
                    await made.open()
                assert "SU" not in str(caught.value).replace("`SU...`", "")
            else:
                await (await made.open()).account_info()


async def test_a_server_without_jetstream_is_said(tmp_path: Path, link: list[Link]) -> None:
    with NatsServer(tmp_path, jetstream=False) as server:
        made = Link(FleetOptions(site="hall", servers=(server.url,)), name="one")
        link.append(made)
        jetstream = await made.open()
        caught = await asyncio.gather(jetstream.account_info(), return_exceptions=True)
        assert isinstance(caught[0], Exception)
        assert str(made.error(caught[0])) == f"{made}: it has no JetStream that answers now"
