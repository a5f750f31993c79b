"""`blikk models`: what is here, what is whole, and have it here."""

import argparse
import os
import shutil
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from blikk_edge.cli import exits, progress
from blikk_edge.cli.output import error_content, note, plural, prints_to_terminal, say, say_fields, say_json
from blikk_edge.cli.words import add_command, add_config, add_json


def add(commands: Any) -> None:
    """The command's part of the parser."""
    parser = add_command(
        commands,
        "models",
        summary="list, pull or verify models",
        more="A table on a terminal; in a pipe a line a model, with a tab between its fields.\n"
        "Models are looked for in the folders that the variable BLIKK_MODELS names, separated by `:`, and are\n"
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
    add_config(parser, meaning="look where this configuration says", searched=False)
    add_json(parser, "the models and how they are")
    parser.set_defaults(command=models)


def models(options: argparse.Namespace) -> int:
    """List, pull or verify."""
    from blikk_edge import config

    settings = config.load(options.config, environ=os.environ) if options.config else None
    from blikk_edge.app.vision_models import model_folders, used
    from blikk_edge.transforms.models import folders as kept
    from blikk_edge.transforms.models.folders import ModelState

    where = model_folders(settings)
    names: list[str] = options.names or (list(used(settings)) if options.action == "pull" else [])
    kept.known(names)
    if options.action == "pull":
        return _pull(tuple(dict.fromkeys(names)), where, as_json=options.json)
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
        _show(shown)
        if failed:
            note(
                f"not here, or not whole: {', '.join(wrong)}; `blikk models pull {' '.join(wrong)}` fetches what is not"
            )
    return exits.FAILED if failed else exits.OK


def _pull(names: Sequence[str], where: Any, *, as_json: bool) -> int:
    """Have each here, whatever becomes of the others."""
    from blikk_edge.core.errors import ModelError
    from blikk_edge.transforms.models import folders as kept
    from blikk_edge.transforms.models.folders import FOLDERS_VARIABLE

    paths: dict[str, Path] = {}
    failed: dict[str, ModelError] = {}
    for name in names:
        try:
            paths[name] = kept.pull(name, model_folders=where, progress=progress.downloads()(name)).path
        except ModelError as error:
            failed[name] = error
        if as_json:
            continue
        if name in failed:
            note(f"blikk: {failed[name]}")
        else:
            say(f"{name}: {paths[name]}")
    mend = (
        f"try `blikk models pull {' '.join(failed)}` again, or pull on another machine and name its folder in "
        f"{FOLDERS_VARIABLE}, or set `models.mirror`"
    )
    if as_json:
        whole = ModelError("; ".join([*map(str, failed.values()), mend]))
        head = error_content(whole, exits.FAILED) if failed else {"ok": True}
        say_json({**head, "models": [_pulled(name, paths.get(name), failed.get(name)) for name in names]})
    elif failed:
        note(f"blikk: {len(failed)} of {plural(len(names), 'model')} not pulled: {', '.join(failed)}; {mend}")
    return exits.FAILED if failed else exits.OK


def _pulled(name: str, path: Path | None, error: Exception | None) -> dict[str, Any]:
    content = {"name": name, "state": "ready" if path else "missing", "path": path and str(path)}
    return content if error is None else {**content, "problem": str(error)}


def _show(shown: Sequence[Any]) -> None:
    rows = [(*_cells(status), _remark(status)) for status in shown]
    if not prints_to_terminal():
        for row in rows:
            say_fields(row)
        return
    columns = shutil.get_terminal_size().columns
    # what a licence is about would push the places off the screen
    rows = [(*row[:3], row[3].partition(" (")[0], *row[4:]) for row in rows]
    widths = [max((len(row[number]) for row in rows), default=0) for number in range(4)]
    for status, (*cells, place, remark) in zip(shown, rows, strict=True):
        name, state, size, licence = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        line = f"{name}  {state}  {size.strip().rjust(widths[2])}  {licence}  {place}"
        # an address that is not read off a screen anyway would fill two lines of it
        say(line[:columns].rstrip() if status.path is None else line)
        if remark:
            indent = " " * min(widths[0] + 2, columns // 4)
            say(textwrap.fill(f"{indent}{remark}", columns, subsequent_indent=indent))


def _cells(status: Any) -> tuple[str, str, str, str, str]:
    """Name, state, size, licence, and where it is or comes from."""
    entry = status.entry
    size = "" if entry.size_bytes is None else f"{entry.size_bytes / 1e6:.1f} MB"
    return entry.name, status.state.value, size, entry.licence, str(status.path or entry.url or entry.wheel)


def _remark(status: Any) -> str:
    misses = status.entry.misses and f"does not find {status.entry.misses}"
    return "; ".join(filter(None, (misses, status.problem)))


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
