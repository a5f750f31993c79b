"""`blikk fleet`: the cameras of a site, which its nodes share, and how it is doing."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from blikk_edge.cli import exits
from blikk_edge.cli.output import UsageError, plural, say, say_json
from blikk_edge.cli.words import Parser, add_command, add_config, add_json, add_log

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

    from blikk_edge.fleet.heard import NodeHeard, WorkerHeard
    from blikk_edge.fleet.state import SiteState

COLLECT_FILE: Final = Path("collect.yaml")


def add(commands: Any) -> None:
    """The command's part of the parser."""
    parser = add_command(
        commands,
        "fleet",
        summary="keep the cameras that the nodes of a site share, and see how it is doing",
        examples=("blikk fleet apply cameras.yaml", "blikk fleet status"),
    )
    several = parser.add_subparsers(required=True, metavar="WHAT", title="what to do", parser_class=Parser)
    applying = add_command(
        several,
        "apply",
        summary="check cameras and give them to the site",
        more="Says which cameras are added, changed and removed. Secrets stay names (`!secret hall_1`): each node\n"
        "reads them from its own `secrets.yaml`; here they stand in one beside FILE.",
        examples=("blikk fleet apply cameras.yaml", "blikk fleet apply cameras.yaml --dry-run"),
    )
    applying.add_argument("file", type=Path, metavar="FILE", help="a file with `cameras:`, as in a configuration")
    add_config(applying, meaning="the configuration of a node of the site, or of an operator, with `fleet:`")
    applying.add_argument("--dry-run", action="store_true", help="only say what would change")
    add_json(applying, "what changed, and the version")
    applying.set_defaults(command=apply)
    asking = add_command(
        several,
        "status",
        summary="how a site is doing: cameras, nodes, workers, and what waits for the centre",
        more="Status 1 where something is wrong.",
        examples=("blikk fleet status", "blikk fleet status --json"),
    )
    add_config(asking, meaning="the configuration of a node of the site, or of an operator, with `fleet:`")
    add_json(asking, "all of it")
    asking.set_defaults(command=status)
    serving = add_command(
        several,
        "web",
        summary="show the timeline of all sites in a browser until stopped",
        more="Reads the database of `blikk collect` as the user in its `postgres`, and shows what that user may see.\n"
        "Pictures come from the NATS of the sites that it names.",
        examples=("blikk fleet web --config web.yaml", "blikk fleet web --config /etc/blikk/web.yaml --log-json"),
    )
    add_config(serving, meaning=f"a file with the keys of {COLLECT_FILE} (default: {COLLECT_FILE})", searched=False)
    add_log(serving)
    serving.set_defaults(command=web)


def apply(options: argparse.Namespace) -> int:
    """Check, compare and apply."""
    import asyncio

    from blikk_edge import config
    from blikk_edge.config.loading import load
    from blikk_edge.config.site_cameras import Changes, changes, read_site_cameras
    from blikk_edge.fleet import applied
    from blikk_edge.fleet.link import Link
    from blikk_edge.fleet.names import Names
    from blikk_edge.runtime import log

    log.set_up("error")
    path = config.find(options.config, os.environ)
    settings = load(path, environ=os.environ)
    if (fleet := settings.fleet) is None:
        raise UsageError(f"{path} has no `fleet:`; add it with the name of the site")
    cameras = read_site_cameras(options.file, path, os.environ)

    async def work() -> tuple[Changes, int]:
        link, names = Link(fleet, name="blikk fleet apply"), Names(fleet.site)
        try:
            before = await applied.applied(link, names)
            found = changes(before.text, cameras.text)
            if options.dry_run or not found.any:
                return found, before.version
            return found, (await applied.apply(link, names, cameras.text, after=before)).version
        finally:
            await link.close()

    found, version = asyncio.run(work())
    done = found.any and not options.dry_run
    if options.json:
        lists = {"added": found.added, "changed": found.changed, "removed": found.removed}
        say_json({"ok": True, "site": fleet.site, "applied": done, "version": version, **lists})
        return exits.OK
    for sign, those in (("+", found.added), ("~", found.changed), ("-", found.removed)):
        for camera in those:
            say(f"{sign} {camera}")
    count = plural(len(cameras.ids), "camera")
    if done:
        say(f"site {fleet.site}: {count}, version {version}")
    else:
        say(f"site {fleet.site}: {'nothing was applied' if found.any else 'nothing changes'} (version {version})")
    return exits.OK


def status(options: argparse.Namespace) -> int:
    """Say how the site is doing."""
    import asyncio

    from blikk_edge import config
    from blikk_edge.config.loading import load
    from blikk_edge.config.site_cameras import changes
    from blikk_edge.core.clock import SystemClock
    from blikk_edge.fleet import applied
    from blikk_edge.fleet.link import Link
    from blikk_edge.fleet.names import Names
    from blikk_edge.fleet.state import site_state
    from blikk_edge.runtime import log

    log.set_up("error")
    path = config.find(options.config, os.environ)
    if (fleet := load(path, environ=os.environ).fleet) is None:
        raise UsageError(f"{path} has no `fleet:`; add it with the name of the site")

    async def work() -> "SiteState":
        link, names = Link(fleet, name="blikk fleet status"), Names(fleet.site)
        try:
            there = await applied.applied(link, names)
            cameras = changes("", there.text).added
            return await site_state(link, names, cameras=cameras, version=there.version, clock=SystemClock())
        finally:
            await link.close()

    state = asyncio.run(work())
    if options.json:
        from dataclasses import asdict

        more = {"programs": state.programs, "notes": state.notes, "problems": state.problems}
        say_json({"ok": not state.problems, **asdict(state), **more})
    else:
        _show(state)
    return exits.FAILED if state.problems else exits.OK


def web(options: argparse.Namespace) -> int:
    """Serve the pages of all sites."""
    from blikk_edge.app.fleet_pages import FleetPages
    from blikk_edge.cli.services import serve
    from blikk_edge.config.collect import load_collect
    from blikk_edge.core.clock import SystemClock
    from blikk_edge.runtime import log

    settings = load_collect(options.config or COLLECT_FILE, environ=os.environ)
    log.set_up(options.log_level, as_json=options.log_json)

    async def run(stop: "asyncio.Event") -> None:
        import asyncio

        serving = asyncio.ensure_future(FleetPages(settings, clock=SystemClock()).run())
        ended = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait((serving, ended), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (serving, ended):
                task.cancel()
            await asyncio.gather(serving, ended, return_exceptions=True)
        if not serving.cancelled():
            serving.result()

    serve(run)
    return exits.OK


def _show(state: "SiteState") -> None:
    leader = "" if state.leader is None else f", {state.leader} speaks for it"
    say(f"site {state.site}: {plural(len(state.cameras), 'camera')}, version {state.version}{leader}")
    for camera in state.cameras:
        say(f"  {camera.id}: {camera.owner or 'nobody'}" + (f", fence {camera.fence}" if camera.fence else ""))
    for node in state.nodes:
        say(f"node {node.id}: {', '.join(_about_node(node, state))}")
    for worker in state.workers:
        say(f"worker {worker.id}: {', '.join(_about_worker(worker))}")
    if state.jobs is not None:
        say(f"jobs: {', '.join(f'{count} of kind {kind}' for kind, count in state.jobs.items()) or 'none'}")
    if (waiting := state.waiting) is not None:
        oldest = "" if waiting.oldest_s is None else f", the oldest for {waiting.oldest_s:.0f} s"
        taken = "" if waiting.collects or waiting.given else "; no `blikk collect` asks for any"
        say(f"records: {waiting.records} wait for the centre{oldest}{taken}")
    for note in state.notes:
        say(f"note: {note}")
    for problem in state.problems:
        say(f"problem: {problem}")


def _about_node(node: "NodeHeard", state: "SiteState") -> "Iterator[str]":
    yield from _about(node)
    watched = sum(camera.owner == node.id for camera in state.cameras)
    yield plural(watched, "camera") if node.cameras_max is None else f"{watched} of at most {node.cameras_max} cameras"
    if node.leaving:
        yield "about to stop"
    if node.version is not None and node.version != state.version:
        yield f"cameras of version {node.version}"
    if node.uplink is not None and node.uplink.waiting is not None:
        yield f"{plural(node.uplink.waiting, 'record')} in its journal"


def _about_worker(worker: "WorkerHeard") -> "Iterator[str]":
    yield from _about(worker)
    if worker.running is not None and worker.concurrency is not None:
        yield f"{worker.running} of at most {worker.concurrency} jobs"
    if worker.model is not None:
        yield f"model {worker.model}" + (" (away)" if worker.model_up is False else "")


def _about(heard: "NodeHeard | WorkerHeard") -> "Iterator[str]":
    yield "is there" if heard.here else f"silent for {heard.silent_s:.0f} s"
    if heard.program is not None:
        yield f"program {heard.program}"
    if heard.load is not None:
        yield f"load {heard.load:.2f}"
