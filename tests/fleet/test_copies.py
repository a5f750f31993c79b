"""What a fleet keeps lies on three servers where there are as many, whoever makes it."""

import asyncio
from pathlib import Path

from fleet_jobs import CLOCK, model
from llm_server import LlmServer
from nats_server import nats_cluster
from sink_samples import until

from blikk_edge.fleet.centre.intake import Intake
from blikk_edge.fleet.link import Link
from blikk_edge.fleet.model_work import ModelWork
from blikk_edge.fleet.names import Names
from blikk_edge.fleet.options import FleetOptions
from blikk_edge.fleet.worker import Worker
from blikk_edge.fleet.worker_options import WorkerOptions


async def test_a_collector_and_a_worker_that_come_first_make_it_on_three_servers(tmp_path: Path) -> None:
    names = Names("hall")
    with nats_cluster(tmp_path) as servers:
        options = FleetOptions(site="hall", servers=tuple(server.url for server in servers))
        intake, looks = Intake(Link(options, name="collect"), names), Link(options, name="looks")
        stop, ready = asyncio.Event(), asyncio.Event()
        async with LlmServer() as llm:
            chosen = WorkerOptions(id="rack_1")
            work = ModelWork(model(llm), timeout_s=60.0, clock=CLOCK)
            worker = Worker(chosen, Link(options, name="rack_1"), names, work=work, clock=CLOCK)
            worker.opened = ready.set
            working = asyncio.create_task(worker.run(stop))
            try:
                await until(lambda: ready.is_set() or working.done(), "the worker is ready")
                await intake.open()
                made = {
                    each.config.name: each.config.num_replicas for each in await (await looks.open()).streams_info()
                }
            finally:
                stop.set()
                await working
                await intake.close()
                await looks.close()
    kept = (names.records, names.jobs, f"KV_{names.workers}", f"KV_{names.budget}")
    assert made == dict.fromkeys(kept, 3)
