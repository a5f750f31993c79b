"""Sites with an account of NATS each: one cannot reach the workers of another."""

import asyncio
from pathlib import Path

import nkeys
import pytest
from fleet_jobs import CLOCK, job, model
from llm_server import LlmServer, Say
from nacl.signing import SigningKey
from nats_server import NatsServer
from sink_samples import until

from blikk_edge.fleet.link import Link
from blikk_edge.fleet.names import Names
from blikk_edge.fleet.options import FleetOptions
from blikk_edge.fleet.shared_model import SharedModel
from blikk_edge.fleet.worker import Worker, WorkerOptions
from blikk_edge.llm.port import AwayError


def key(file: Path) -> str:
    """A new key, whose seed is in the file; its public half."""
    pair = nkeys.from_seed(nkeys.encode_seed(bytes(SigningKey.generate()), nkeys.PREFIX_BYTE_USER))
    file.write_bytes(pair.seed)
    return pair.public_key.decode()


async def test_a_key_of_another_site_reaches_no_worker(tmp_path: Path) -> None:
    users = {site: key(tmp_path / f"{site}.nk") for site in ("hall", "yard")}
    accounts = "\n".join(f"{site}: {{jetstream: enabled, users: [{{nkey: {user}}}]}}" for site, user in users.items())
    with NatsServer(tmp_path / "nats", extra=[f"accounts {{ {accounts} }}"]) as server:

        def link(of: str, name: str) -> Link:
            return Link(FleetOptions(site="hall", servers=(server.url,), nkey=tmp_path / f"{of}.nk"), name=name)

        def asker(of: str) -> SharedModel:
            return SharedModel(link(of, of), Names("hall"), node="one", wait_s=60.0, clock=CLOCK)

        ready, stop = asyncio.Event(), asyncio.Event()
        async with LlmServer(lambda _: Say(text='{"title": "A person came"}')) as llm:
            options = WorkerOptions(id="rack_1")
            worker = Worker(options, link("hall", "rack_1"), Names("hall"), model=model(llm), clock=CLOCK)
            worker.opened = ready.set
            task = asyncio.create_task(worker.run(stop))
            await until(lambda: ready.is_set() or task.done(), "the worker is ready")
            own, other = asker("hall"), asker("yard")
            assert "A person" in (await own.complete_job(job(), deadline_s=60.0)).text
            with pytest.raises(AwayError, match="site hall has never had a worker"):
                await other.complete_job(job(), deadline_s=60.0)
            assert len(llm.asked) == 1
            stop.set()
            await task
            await own.close()
            await other.close()
