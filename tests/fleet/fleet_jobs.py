"""Askers and workers at a real NATS server, for tests: workers in this process, and in processes that are killed."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from llm_server import LlmServer
from sink_samples import until

from blikk_edge.core.clock import SystemClock
from blikk_edge.fleet.jobs import ModelJob
from blikk_edge.fleet.link import Link
from blikk_edge.fleet.model_work import ModelWork
from blikk_edge.fleet.names import Names
from blikk_edge.fleet.options import FleetOptions
from blikk_edge.fleet.shared_model import SharedModel
from blikk_edge.fleet.site_budget import SiteLimits
from blikk_edge.fleet.worker import Worker
from blikk_edge.fleet.worker_options import WorkerOptions
from blikk_edge.llm.openai_api import OpenAiModel
from blikk_edge.llm.port import LanguageModel, Prompt
from blikk_edge.llm.queue.port import Job, Priority

SCHEMA = {"type": "object", "properties": {"title": {"type": "string", "maxLength": 60}}, "required": ["title"]}
CLOCK = SystemClock()


def prompt(words: str = "A person came.") -> Prompt:
    return Prompt(system="Write a title.", user=words, schema_name="text", schema=SCHEMA, max_tokens=60)


def job(words: str = "A person came.", priority: Priority = Priority.PERSON) -> Job:
    return Job(key=words, camera="yard", priority=priority, prompt=prompt(words))


def options(url: str, site: str) -> FleetOptions:
    return FleetOptions(site=site, servers=(url,))


def asker(
    url: str, site: str, *, node: str = "node_1", wait_s: float = 20.0, own: LanguageModel | None = None
) -> SharedModel:
    return SharedModel(Link(options(url, site), name=node), Names(site), node=node, wait_s=wait_s, clock=CLOCK, own=own)


def model(server: LlmServer, name: str = "tiny-1") -> OpenAiModel:
    return OpenAiModel(base_url=server.base_url, model=name, clock=CLOCK)


@asynccontextmanager
async def taking(worker: Worker[Any]) -> AsyncIterator[None]:
    """This worker, in this process, takes jobs."""
    ready, stop = asyncio.Event(), asyncio.Event()
    worker.opened = ready.set
    task = asyncio.create_task(worker.run(stop))
    try:
        await until(lambda: ready.is_set() or task.done(), "the worker is ready")
        yield
    finally:
        stop.set()
        await task


@asynccontextmanager
async def working(
    url: str,
    site: str,
    made: LanguageModel,
    *,
    name: str = "rack_1",
    concurrency: int = 1,
    limits: SiteLimits | None = None,
) -> AsyncIterator[Worker[ModelJob]]:
    """A worker in this process, which takes jobs."""
    chosen = WorkerOptions(id=name, concurrency=concurrency, timeout_s=30.0, limits=limits or SiteLimits())
    work = ModelWork(made, timeout_s=chosen.timeout_s, clock=CLOCK)
    worker = Worker(chosen, Link(options(url, site), name=name), Names(site), work=work, clock=CLOCK)
    async with taking(worker):
        yield worker


class WorkerProcess:
    """`blikk worker` as a process of its own; its log is a file."""

    def __init__(
        self,
        folder: Path,
        url: str,
        site: str,
        base_url: str,
        *,
        name: str,
        more: Sequence[str] = (),
        keys: str = "",
        limits: str = "timeout_s: 60",
    ) -> None:
        self.log = folder / f"{name}.log"
        file = folder / f"{name}.yaml"
        file.write_text(
            f"worker: {name}\nfleet: {{site: {site}, servers: [{url}]}}\n"
            f"model: {{provider: openai, base_url: {base_url}, model: tiny-1, limits: {{{limits}}}}}\n"
            f"{keys}\n"
        )
        command = [str(Path(sys.executable).with_name("blikk")), "worker", "--config", str(file), *more]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stderr=log, stdout=log, env=os.environ | {"HOME": str(folder)})

    def said(self, words: str) -> bool:
        """Whether its log has these words."""
        assert self.process.poll() is None, self.log.read_text()
        return words in self.log.read_text()

    def kill(self) -> None:
        """As a power cut would."""
        self.process.kill()
        self.process.wait()
