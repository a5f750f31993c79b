"""`blikk run`: watch the cameras of a configuration until stopped."""

import argparse
import os
from typing import Any, Final

from blikk_edge.cli import exits, progress
from blikk_edge.cli.words import add_command, add_config, add_log

HAND_OVER_S: Final = 5.0
"""So much longer a stop may take of a node that hands its cameras over (`fleet.leases`)."""


def add(commands: Any) -> None:
    """The command's part of the parser."""
    parser = add_command(
        commands,
        "run",
        summary="watch the cameras of a configuration until stopped",
        more="SIGTERM or Ctrl-C ends it within 5 seconds with status 0; a second one ends it at once. Status 78 says\n"
        "that the configuration cannot be used, and starting again would not help: for systemd write\n"
        "`RestartPreventExitStatus=2 78`, for Docker `restart: on-failure:5`.",
        examples=("blikk run", "blikk run --config /etc/blikk/blikk.yaml --log-level warning"),
    )
    add_config(parser, meaning="the configuration")
    add_log(parser)
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Run the node."""
    from blikk_edge import config

    path = config.find(options.config, os.environ)
    settings = config.load(path, environ=os.environ)
    # large libraries, which a wrong configuration need not wait for
    from blikk_edge.app.plugins import brought_in
    from blikk_edge.app.wiring import build
    from blikk_edge.cli import stopping
    from blikk_edge.cli.services import Restart, say_what_looks, serve
    from blikk_edge.core.clock import SystemClock
    from blikk_edge.runtime import log
    from blikk_edge.runtime.heartbeat import Heartbeat

    site = None if settings.fleet is None else settings.fleet.site
    log.set_up(options.log_level, as_json=options.log_json, node=settings.node.id, site=site)
    left_out: tuple[str, ...] = ()
    if settings.shares:
        from blikk_edge.app.sharing import with_cameras

        settings, left_out = with_cameras(settings, path, os.environ)
        stopping.allow(HAND_OVER_S)
    restart = Restart()
    node = build(
        settings,
        environ=os.environ,
        clock=SystemClock(),
        progress=progress.downloads(),
        heartbeat=Heartbeat(settings.node.id, os.environ),
        opening=lambda store: stopping.close_first(store.close),
        file=path,
        restart=restart.ask,
        left_out=left_out,
    )
    for text in brought_in(settings):
        log.part("node").info("%s", text)
    say_what_looks(log.part("node"), notes=node.notes, problems=node.problems)
    serve(node.run, restart)
    return exits.OK
