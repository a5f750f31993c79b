"""`blikk fleet`: the cameras of a site, which its members share."""

import argparse
import os
from pathlib import Path
from typing import Any

from blikk_edge.cli import exits
from blikk_edge.cli.output import UsageError, plural, say, say_json
from blikk_edge.cli.words import Parser, add_command, add_config, add_json


def add(commands: Any) -> None:
    """The command's part of the parser."""
    parser = add_command(
        commands,
        "fleet",
        summary="keep the cameras that the nodes of a site share",
        examples=("blikk fleet apply cameras.yaml",),
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
