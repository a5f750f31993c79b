"""`blikk collect`: bring the records of all sites into PostgreSQL until stopped."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from blikk_edge.cli import exits
from blikk_edge.cli.output import UsageError
from blikk_edge.cli.words import add_command, add_config, add_log

if TYPE_CHECKING:
    import asyncio

FILE: Final = Path("collect.yaml")


def add(commands: Any) -> None:
    """The command's part of the parser."""
    parser = add_command(
        commands,
        "collect",
        summary="bring the records of all sites into PostgreSQL until stopped",
        more="Takes what nodes with `sinks: {uplink: true}` send to the NATS of their site, and makes the tables. A\n"
        "record is taken out of the site when it is committed; until then its node keeps it. Several of these share\n"
        "the work, and one that dies loses nothing.",
        examples=("blikk collect --config collect.yaml", "blikk collect --config /etc/blikk/collect.yaml --log-json"),
    )
    add_config(parser, meaning=f"the configuration of the centre (default: {FILE})", searched=False)
    add_log(parser)
    parser.set_defaults(command=collect)


def collect(options: argparse.Namespace) -> int:
    """Run the collector."""
    from blikk_edge.config.collect import load_collect

    path = options.config or FILE
    settings = load_collect(path, environ=os.environ)
    if not settings.centre.sites:
        raise UsageError(f"{path} names no sites; add `sites:` with `- site: name` for each")
    from blikk_edge.cli.services import serve
    from blikk_edge.core.clock import SystemClock
    from blikk_edge.fleet.centre.collector import Collector
    from blikk_edge.fleet.centre.figures import collector_families
    from blikk_edge.fleet.metrics_server import metrics_served
    from blikk_edge.runtime import log
    from blikk_edge.web.metrics_page import Families

    log.set_up(options.log_level, as_json=options.log_json)
    clock = SystemClock()
    collector = Collector(settings.centre, clock=clock)

    async def read() -> Families:
        notes = await collector.notes()
        return lambda: collector_families(notes)

    async def run(stop: "asyncio.Event") -> None:
        async with metrics_served(settings.metrics, read, clock=clock):
            await collector.run(stop)

    serve(run)
    return exits.OK
