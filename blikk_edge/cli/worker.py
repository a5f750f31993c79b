"""`blikk worker`: do the language-model jobs of a site's nodes until stopped."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from blikk_edge.cli import exits
from blikk_edge.cli.words import add_command, add_config, add_log

if TYPE_CHECKING:
    import asyncio

FILE: Final = Path("worker.yaml")


def add(commands: Any) -> None:
    """The command's part of the parser."""
    parser = add_command(
        commands,
        "worker",
        summary="do the language-model jobs of a site's nodes until stopped",
        more="Nodes with `summary: {provider: fleet}` put their prompts into the queue of their site; this takes them\n"
        "from there, most important first. Several workers share the work. What a worker has not finished when it is\n"
        "stopped or dies goes to another one. A node that gets no answer in time helps itself.",
        examples=("blikk worker --config worker.yaml", "blikk worker --config /etc/blikk/worker.yaml --log-json"),
    )
    add_config(parser, meaning=f"the configuration of the worker (default: {FILE})", searched=False)
    add_log(parser)
    parser.set_defaults(command=worker)


def worker(options: argparse.Namespace) -> int:
    """Run the worker."""
    from blikk_edge.config.worker import load_worker

    settings = load_worker(options.config or FILE, environ=os.environ)
    from blikk_edge.cli.services import serve
    from blikk_edge.core.clock import SystemClock
    from blikk_edge.fleet.link import Link
    from blikk_edge.fleet.names import Names
    from blikk_edge.fleet.worker import Worker
    from blikk_edge.llm.port import ModelContext
    from blikk_edge.runtime import log

    log.set_up(options.log_level, as_json=options.log_json, node=settings.worker, site=settings.fleet.site)
    clock = SystemClock()
    model = settings.model.chosen.make(ModelContext(clock=clock))

    async def run(stop: "asyncio.Event") -> None:
        link = Link(settings.fleet, name=settings.worker)
        await Worker(settings.options, link, Names(settings.fleet.site), model=model, clock=clock).run(stop)

    serve(run)
    return exits.OK
