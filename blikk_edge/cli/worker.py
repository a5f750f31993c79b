"""`blikk worker`: do the jobs of a site's nodes until stopped."""

import argparse
import os
from pathlib import Path
from typing import Any, Final

from blikk_edge.cli import exits
from blikk_edge.cli.words import add_command, add_config, add_log

FILE: Final = Path("worker.yaml")


def add(commands: Any) -> None:
    """The command's part of the parser."""
    parser = add_command(
        commands,
        "worker",
        summary="do the jobs of a site's nodes until stopped: language models, looks at redacted crops",
        more="Nodes with `summary: {provider: fleet}` put their prompts into the queue of their site, those with\n"
        "`search: {workers: [embedding, detector]}` crops of redacted pictures. This takes from there what it has\n"
        "a `model`, an `embedding` or a `detector` for, most important first. Several workers share the work. What a\n"
        "worker has not finished when it is stopped or dies goes to another one. A node that gets no answer in time\n"
        "helps itself.",
        examples=("blikk worker --config worker.yaml", "blikk worker --config /etc/blikk/worker.yaml --log-json"),
    )
    add_config(parser, meaning=f"the configuration of the worker (default: {FILE})", searched=False)
    add_log(parser)
    parser.set_defaults(command=worker)


def worker(options: argparse.Namespace) -> int:
    """Run the worker."""
    from blikk_edge.config.worker import load_worker

    settings = load_worker(options.config or FILE, environ=os.environ)
    from blikk_edge.app.working import worked
    from blikk_edge.cli.services import serve
    from blikk_edge.core.clock import SystemClock
    from blikk_edge.runtime import log

    log.set_up(options.log_level, as_json=options.log_json, node=settings.worker, site=settings.fleet.site)
    clock = SystemClock()
    serve(worked(settings, clock))
    return exits.OK
