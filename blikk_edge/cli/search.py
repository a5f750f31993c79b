"""`blikk search`: what was seen that looks like these words."""

import argparse
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from blikk_edge.cli import exits
from blikk_edge.cli.output import UsageError, note, prints_to_terminal, say, say_fields, say_json
from blikk_edge.cli.words import add_command, add_config, add_json

if TYPE_CHECKING:
    from blikk_edge.app.searching import Asked

FLEET_FILE: Final = Path("collect.yaml")


def add(commands: Any) -> None:
    """The command's part of the parser."""
    parser = add_command(
        commands,
        "search",
        summary="find what was seen by how it looks",
        more="The best first, with its pictures where `media` keeps them. From the store, or by the running node that\n"
        "has it. With `search: colours`, or before the model is here, by label and dominant colour: `by colour`.\n"
        "Status 1 where nothing was found.",
        examples=(
            'blikk search "red car" --camera gate --since yesterday',
            'blikk search "a person carrying a parcel" --since 2d --json',
            'blikk search "red car" --fleet --config collect.yaml --site hall',
        ),
    )
    parser.add_argument("query", metavar="WORDS", help='such as "red car"')
    add_config(parser, meaning="the configuration whose store is searched")
    parser.add_argument("--camera", metavar="ID", help="what this camera saw (default: all)")
    parser.add_argument("--since", metavar="TIME", help="seen since then: 2026-11-21T08:00, 3h, yesterday, monday")
    parser.add_argument("--until", metavar="TIME", help="seen before then, or before that day")
    parser.add_argument("--limit", metavar="N", type=int, default=10, help="so many at most (default: 10)")
    parser.add_argument(
        "--fleet", action="store_true", help=f"what all sites saw, from the centre's database (--config: {FLEET_FILE})"
    )
    parser.add_argument("--site", metavar="ID", help="with --fleet: what this site saw (default: all)")
    add_json(parser, "the whole reply, as on MQTT, with the paths of pictures")
    parser.set_defaults(command=search)


def search(options: argparse.Namespace) -> int:
    """Search. Raises UsageError for no words."""
    if not options.query.strip():
        raise UsageError('there are no words to search for; write some, such as "red car"')
    if options.site and not options.fleet:
        raise UsageError(
            "`--site` without `--fleet`: a node knows its own site alone; add `--fleet`, or remove `--site`"
        )
    from blikk_edge.app import searching
    from blikk_edge.runtime import log

    log.set_up("error")
    asked = searching.Asked(
        query=options.query,
        camera=options.camera,
        since=options.since,
        until=options.until,
        limit=options.limit,
    )
    if options.fleet:
        return _search_fleet(options, asked)
    from blikk_edge import config
    from blikk_edge.app.sharing import with_last_cameras

    path = config.find(options.config, os.environ)
    settings = with_last_cameras(config.load(path, environ=os.environ), path, os.environ)
    answered = searching.search(settings, asked, environ=os.environ)
    reply, found = answered.reply, _rows(answered.reply)
    status = exits.OK if reply["ok"] and found else exits.FAILED
    if options.json:
        for each in found:
            each["paths"] = [str(answered.paths[name]) for name in each["pictures"] if name in answered.paths]
        say_json(reply if reply["ok"] else {**reply, "kind": "question", "exit": status})
    elif not reply["ok"]:
        note(f"blikk: {reply['error']}")
    elif not found:
        note(str(reply["text"] or "nothing that was seen looks like it"))
    else:
        _show(found, answered.paths)
    return status


def _search_fleet(options: argparse.Namespace, asked: "Asked") -> int:
    from blikk_edge.app.fleet_searching import search_fleet
    from blikk_edge.config.collect import load_collect

    settings = load_collect(options.config or FLEET_FILE, environ=os.environ)
    reply = search_fleet(settings, asked, site=options.site)
    found = _rows(reply)
    status = exits.OK if reply["ok"] and found else exits.FAILED
    if options.json:
        say_json(reply if reply["ok"] else {**reply, "kind": "question", "exit": status})
    elif not reply["ok"]:
        note(f"blikk: {reply['error']}")
    elif not found:
        note(str(reply["text"] or "nothing that was seen looks like it"))
    else:
        _show([{**each, "camera": f"{each['site']}/{each['camera']}"} for each in found], {})
    return status


def _rows(reply: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What was found; an older node has no such field."""
    return list(reply.get("found") or [])


def _show(found: Sequence[Mapping[str, Any]], paths: Mapping[str, Path]) -> None:
    rows = [_cells(each, paths) for each in found]
    if not prints_to_terminal():
        for row in rows:
            say_fields(row)
        return
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]) - 1)]
    for row in rows:
        say("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip())


def _cells(each: Mapping[str, Any], paths: Mapping[str, Path]) -> tuple[str, ...]:
    """When, where, what, how it was found, and the first picture."""
    when = f"{datetime.fromisoformat(each['time']).astimezone():%Y-%m-%d %H:%M:%S}"
    what = " ".join(["/".join(each["colours"]), each["sub_label"] or each["label"] or "whole picture"]).strip()
    by = each["by"] if each["score"] is None else f"{each['by']} {each['score']:.2f}"
    picture = next((str(paths.get(name, name)) for name in each["pictures"]), "")
    return when, str(each["camera"]), what, f"by {by}", picture
