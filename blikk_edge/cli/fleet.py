"""`blikk fleet`: the cameras of a site, which its members share, and how it is doing."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blikk_edge.cli import exits
from blikk_edge.cli.output import UsageError, plural, say, say_json
from blikk_edge.cli.words import Parser, add_command, add_config, add_json

if TYPE_CHECKING:
    from blikk_edge.fleet.state import SiteState


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
        more="Says which cameras are added, changed and removed. Secrets stay names (`!secret hall_1`): each member\n"
        "reads them from its own `secrets.yaml`.",
        examples=("blikk fleet apply cameras.yaml", "blikk fleet apply cameras.yaml --dry-run"),
    )
    applying.add_argument("file", type=Path, metavar="FILE", help="a file with `cameras:`, as in a configuration")
    add_config(applying, meaning="the configuration of a member, with `fleet:`")
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
    add_config(asking, meaning="the configuration of a member, with `fleet:`")
    add_json(asking, "all of it")
    asking.set_defaults(command=status)


def apply(options: argparse.Namespace) -> int:
    """Check, compare and apply."""
    import asyncio

    from blikk_edge import config
    from blikk_edge.config.loading import load
    from blikk_edge.config.site_cameras import Changes, changes, read_site_cameras
    from blikk_edge.fleet import applied
    from blikk_edge.fleet.link import Link
    from blikk_edge.fleet.names import Names

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
    result = exits.FAILED if state.problems else exits.OK
    if options.json:
        from dataclasses import asdict

        say_json({"ok": not state.problems, **asdict(state), "problems": state.problems})
    else:
        _show(state)
    return result


def _show(state: "SiteState") -> None:
    say(f"site {state.site}: {plural(len(state.cameras), 'camera')}, version {state.version}")
    for camera in state.cameras:
        say(f"  {camera.id}: {camera.owner or 'nobody'}" + (f", fence {camera.fence}" if camera.fence else ""))
    for word, those in (("node", state.nodes), ("worker", state.workers)):
        for each in those:
            how = "is there" if each.here else f"silent for {each.silent_s:.0f} s"
            load = each.says.get("load")
            more = [f"load {load:.2f}"] if isinstance(load, int | float) else []
            if word == "node":
                more.append(plural(sum(camera.owner == each.id for camera in state.cameras), "camera"))
            more += [f"{name} {each.says[name]}" for name in ("version", "model") if name in each.says]
            say(f"{word} {each.id}: {', '.join([how, *more])}")
    if state.jobs is not None:
        say(f"jobs: {state.jobs} wait")
    if (waiting := state.waiting) is not None:
        oldest = "" if waiting.oldest_s is None else f", the oldest for {waiting.oldest_s:.0f} s"
        say(f"records: {waiting.records} wait for the centre{oldest}")
    for problem in state.problems:
        say(f"problem: {problem}")
