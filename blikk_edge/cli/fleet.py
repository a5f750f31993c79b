"""`blikk fleet`: the cameras of a site, which its nodes share, and how it is doing."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from blikk_edge.cli import exits
from blikk_edge.cli.output import UsageError, plural, say, say_json
from blikk_edge.cli.words import Parser, add_command, add_config, add_json, add_log

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Iterator

    from blikk_edge.config.site_changes import Changes
    from blikk_edge.fleet.applied import Applied
    from blikk_edge.fleet.heard import NodeHeard, WorkerHeard
    from blikk_edge.fleet.link import Link
    from blikk_edge.fleet.names import Names
    from blikk_edge.fleet.options import FleetOptions
    from blikk_edge.fleet.state import SiteState

T = TypeVar("T")

COLLECT_FILE: Final = Path("collect.yaml")

_OF_A_SITE: Final = "the configuration of a node of the site, or of an operator, with `fleet:`"
_VALUE: Final = 60
"""Characters of a value that changed which are shown."""


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
        more="Says which cameras are added and removed, and what is changed of which. Secrets stay names\n"
        "(`!secret hall_1`): each node reads them from its own `secrets.yaml`; here they stand in one beside FILE.",
        examples=("blikk fleet apply cameras.yaml", "blikk fleet apply cameras.yaml --dry-run"),
    )
    applying.add_argument("file", type=Path, metavar="FILE", help="a file with `cameras:`, as in a configuration")
    add_config(applying, meaning=_OF_A_SITE)
    applying.add_argument("--dry-run", action="store_true", help="only say what would change")
    add_json(applying, "what changed, and the version")
    applying.set_defaults(command=apply)
    listing = add_command(
        several,
        "versions",
        summary="list what was applied, and what each version changed",
        more="The newest first, as many as the site keeps.",
        examples=("blikk fleet versions", "blikk fleet versions --json"),
    )
    add_config(listing, meaning=_OF_A_SITE)
    add_json(listing, "each version with what it changed")
    listing.set_defaults(command=versions)
    showing = add_command(
        several,
        "show",
        summary="print the cameras of the site as they were applied",
        more="With a version, those of that one: to go back, apply them again.",
        examples=("blikk fleet show", "blikk fleet show 3 > earlier.yaml && blikk fleet apply earlier.yaml"),
    )
    showing.add_argument(
        "version", nargs="?", type=int, metavar="VERSION", help="as `versions` lists it; default: newest"
    )
    add_config(showing, meaning=_OF_A_SITE)
    add_json(showing, "the version, when it was applied, and its text")
    showing.set_defaults(command=show)
    asking = add_command(
        several,
        "status",
        summary="how a site is doing: cameras, nodes, workers, and what waits for the centre",
        more="Status 1 where something is wrong.",
        examples=("blikk fleet status", "blikk fleet status --json"),
    )
    add_config(asking, meaning=_OF_A_SITE)
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
    from blikk_edge.config.site_cameras import read_site_cameras
    from blikk_edge.config.site_changes import changes
    from blikk_edge.fleet import applied

    path, fleet = _site(options)
    cameras = read_site_cameras(options.file, path, os.environ)

    async def work(link: "Link", names: "Names") -> "tuple[Changes, int]":
        before = await applied.replaceable(link, names)
        found = changes(before.text, cameras.text)
        if options.dry_run or not found.any:
            return found, before.version
        return found, (await applied.apply(link, names, cameras.text, after=before)).version

    found, version = _asked(fleet, "apply", work)
    done = found.any and not options.dry_run
    if options.json:
        say_json({"ok": True, "site": fleet.site, "applied": done, "version": version, **_lists(found)})
        return exits.OK
    for line in _about_changes(found):
        say(line)
    count = plural(len(cameras.ids), "camera")
    if done:
        say(f"site {fleet.site}: {count}, version {version}")
    else:
        say(f"site {fleet.site}: {'nothing was applied' if found.any else 'nothing changes'} (version {version})")
    return exits.OK


def versions(options: argparse.Namespace) -> int:
    """List what was applied."""
    from itertools import pairwise

    from blikk_edge.config.site_changes import Changes, changes
    from blikk_edge.fleet import applied

    _, fleet = _site(options)
    kept = _asked(fleet, "versions", applied.versions)
    changed = [changes(old.text, new.text) for new, old in pairwise(kept)]
    if kept:  # what came before the oldest is known of the first alone
        changed.append(changes("", kept[-1].text) if kept[-1].version == 1 else Changes())
    if options.json:
        lists = [
            {"version": version.version, "at": _time(version), "cameras": len(changes("", version.text).added)}
            | _lists(found)
            for version, found in zip(kept, changed, strict=True)
        ]
        say_json({"ok": True, "site": fleet.site, "versions": lists})
        return exits.OK
    for version, found in zip(kept, changed, strict=True):
        count = plural(len(changes("", version.text).added), "camera")
        say(f"version {version.version}, {_time(version)}: {count}")
        for line in _about_changes(found):
            say(f"  {line}")
    if not kept:
        say(f"site {fleet.site}: nothing was applied yet")
    return exits.OK


def show(options: argparse.Namespace) -> int:
    """Print what was applied."""
    from blikk_edge.fleet import applied

    _, fleet = _site(options)
    kept = _asked(fleet, "show", applied.versions)
    wanted = options.version if options.version is not None else kept[0].version if kept else 0
    found = next((version for version in kept if version.version == wanted), None)
    if found is None:
        there = ", ".join(str(version.version) for version in kept)
        raise UsageError(
            f"site {fleet.site} has no version {wanted}; it keeps {there}"
            if kept
            else f"site {fleet.site} has no cameras yet; apply some with `blikk fleet apply cameras.yaml`"
        )
    if options.json:
        say_json({"ok": True, "site": fleet.site, "version": wanted, "at": _time(found), "text": found.text})
    else:
        say(found.text.removesuffix("\n"))
    return exits.OK


def status(options: argparse.Namespace) -> int:
    """Say how the site is doing."""
    from blikk_edge.config.site_changes import changes
    from blikk_edge.core.clock import SystemClock
    from blikk_edge.fleet import applied
    from blikk_edge.fleet.state import site_state

    _, fleet = _site(options)

    async def work(link: "Link", names: "Names") -> "SiteState":
        there = await applied.applied(link, names)
        cameras = changes("", there.text).added
        return await site_state(link, names, cameras=cameras, version=there.version, clock=SystemClock())

    state = _asked(fleet, "status", work)
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


def _site(options: argparse.Namespace) -> "tuple[Path, FleetOptions]":
    """The configuration, and what it says of its site; raises UsageError where it says nothing."""
    from blikk_edge import config
    from blikk_edge.config.loading import load
    from blikk_edge.runtime import log

    log.set_up("error")
    path = config.find(options.config, os.environ)
    if (fleet := load(path, environ=os.environ).fleet) is None:
        raise UsageError(f"{path} has no `fleet:`; add it with the name of the site")
    return path, fleet


def _asked(fleet: "FleetOptions", command: str, work: "Callable[[Link, Names], Awaitable[T]]") -> "T":
    """What comes of this work at the NATS of a site."""
    import asyncio

    from blikk_edge.fleet.link import Link
    from blikk_edge.fleet.names import Names

    async def run() -> "T":
        link = Link(fleet, name=f"blikk fleet {command}")
        try:
            return await work(link, Names(fleet.site))
        finally:
            await link.close()

    return asyncio.run(run())


def _lists(found: "Changes") -> dict[str, Any]:
    from dataclasses import asdict

    keys = {camera: [asdict(key) for key in keys] for camera, keys in found.keys.items()}
    return {"added": found.added, "changed": found.changed, "removed": found.removed, "keys": keys}


def _about_changes(found: "Changes") -> "Iterator[str]":
    for camera in found.added:
        yield f"+ {camera}"
    for camera, keys in found.keys.items():
        yield f"~ {camera}"
        for key in keys:
            if key.before is None:
                yield f"    {key.key}: {_short(key.after)} (new)"
            elif key.after is None:
                yield f"    {key.key}: {_short(key.before)} (gone)"
            else:
                yield f"    {key.key}: {_short(key.before)} -> {_short(key.after)}"
    for camera in found.removed:
        yield f"- {camera}"


def _short(value: str | None) -> str:
    value = value or ""
    return value if len(value) <= _VALUE else f"{value[: _VALUE - 1]}…"


def _time(version: "Applied") -> str:
    """When it was applied, in the time zone of this machine."""
    from datetime import datetime

    return datetime.fromtimestamp(version.at_s).astimezone().isoformat(timespec="seconds")


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
