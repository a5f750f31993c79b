"""`blikk models`: what is here, what is whole, and have it here."""

import argparse
import os
import shutil
import sys
import textwrap
from pathlib import Path
from typing import Any

from blikk_edge.cli import exits, progress
from blikk_edge.cli.output import note, say, say_json
from blikk_edge.cli.words import add_command, add_config, add_json


def add(commands: Any) -> None:
    """The command's part of the parser."""
    parser = add_command(
        commands,
        "models",
        summary="list, pull or verify models",
        more="Models are looked for in the folders that the variable BLIKK_MODELS names, separated by `:`, and are\n"
        "kept in the cache folder. Each is checked by its SHA-256.",
        examples=("blikk models list", "blikk models pull yolox-nano yunet", "blikk models verify --json"),
    )
    parser.add_argument(
        "action",
        choices=("list", "pull", "verify"),
        metavar="ACTION",
        help="`list` what is known and here, `pull` (fetch) what is not, or `verify`: open each and check its content; "
        "status 1 where one is damaged, or one that was named or is looked with is missing",
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="models by name (default: all; for pull those that are looked with)"
    )
    add_config(parser, meaning="look where this configuration says", default=None)
    add_json(parser, "the models and how they are")
    parser.set_defaults(command=models)


def models(options: argparse.Namespace) -> int:
    """List, pull or verify."""
    from blikk_edge import config

    settings = config.load(options.config, environ=os.environ) if options.config else None
    from blikk_edge.app.vision_models import model_folders, used
    from blikk_edge.transforms.models import folders as kept
    from blikk_edge.transforms.models.download import UnreachableError
    from blikk_edge.transforms.models.folders import FOLDERS_VARIABLE, ModelState

    where = model_folders(settings)
    names: list[str] = options.names or (list(used(settings)) if options.action == "pull" else [])
    kept.known(names)
    if options.action == "pull":
        paths = {}
        for name in names:
            try:
                paths[name] = kept.pull(name, model_folders=where, progress=progress.downloads()(name)).path
            except UnreachableError as error:
                mend = f"pull it on another machine and name its folder in {FOLDERS_VARIABLE}, or set `models.mirror`"
                raise UnreachableError(f"{error}; {mend}") from error
            if not options.json:
                say(f"{name}: {paths[name]}")
        if options.json:
            say_json({"ok": True, "models": [{"name": n, "state": "ready", "path": str(p)} for n, p in paths.items()]})
        return exits.OK
    statuses = kept.verify(where, names or None) if options.action == "verify" else kept.list_models(where)
    shown = [status for status in statuses if not names or status.entry.name in names]
    needed = names or used(settings)  # others may be missing
    wrong = [
        status.entry.name
        for status in statuses
        if status.state is ModelState.DAMAGED or (status.state is ModelState.MISSING and status.entry.name in needed)
    ]
    failed = options.action == "verify" and bool(wrong)
    if options.json:
        say_json({"ok": not failed, "models": [_content(status) for status in shown]})
    else:
        for status in shown:
            _show(status)
        if failed:
            note(
                f"not here, or not whole: {', '.join(wrong)}; `blikk models pull {' '.join(wrong)}` fetches what is not"
            )
    return exits.FAILED if failed else exits.OK


def _show(status: Any) -> None:
    entry = status.entry
    size = "" if entry.size_bytes is None else f"{entry.size_bytes / 1e6:.1f} MB"
    line = (
        f"{entry.name:<20} {status.state:<8} {size:>7}  {entry.licence:<11} {status.path or entry.url or entry.wheel}"
    )
    columns = shutil.get_terminal_size().columns if sys.stdout is not None and sys.stdout.isatty() else None
    # an address that is not read off a screen anyway would fill two lines of it
    say(line[:columns].rstrip() if status.path is None else line)
    for below in (entry.misses and f"does not find {entry.misses}", status.problem):
        if below:
            indent = " " * min(21, (columns or 80) // 4)
            whole = f"{indent}{below}"
            say(whole if columns is None else textwrap.fill(whole, columns, subsequent_indent=indent))


def _content(status: Any) -> dict[str, Any]:
    entry = status.entry
    path: Path | None = status.path
    return {
        "name": entry.name,
        "state": status.state.value,
        "path": path and str(path),
        "problem": status.problem,
        "size_bytes": entry.size_bytes,
        "sha256": entry.sha256,
        "licence": entry.licence,
        "url": entry.url,
        "wheel": entry.wheel and str(entry.wheel),
        "misses": entry.misses or None,
    }
