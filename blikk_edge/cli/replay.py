"""`blikk replay`: what would have been reported about a clip."""

import argparse
import os
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any, Final

from blikk_edge.cli import exits, progress
from blikk_edge.cli.clips import add_clip_options, check_clip, clip_settings
from blikk_edge.cli.output import OutputError, UsageError, note, plural, prints_to_terminal, say
from blikk_edge.cli.words import add_command

EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)


def add(commands: Any) -> None:
    """The command's part of the parser."""
    parser = add_command(
        commands,
        "replay",
        summary="say what would have been reported about a clip, or what an exported event holds",
        more="A table of events on a terminal; into a pipe or a file every record as a line of JSON, the same bytes\n"
        "every time. What is looked with, and how far it is, goes to standard error.\n"
        "Of an event that was exported (a zip) its records are printed as they were reported; nothing is looked at.",
        examples=(
            "blikk replay clip.mp4",
            "blikk replay clip.mp4 --config blikk.yaml --camera front_door",
            "blikk replay clip.mp4 --json --pictures pictures",
            "blikk replay front_door-20261121T120000250-7.zip",
        ),
    )
    parser.add_argument("clip", type=Path, metavar="CLIP", help="a video file, or an exported event")
    add_clip_options(parser)
    parser.add_argument(
        "--pictures",
        type=Path,
        metavar="DIR",
        help="a folder for the redacted pictures, which are named by the time that the table shows",
    )
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="lines of JSON, on a terminal too; errors as such a line")
    shape.add_argument("--table", action="store_true", help="the table, into a pipe too")
    parser.set_defaults(command=replay)


def replay(options: argparse.Namespace) -> int:
    """Print it while the clip is read."""
    start = instant(options.start)
    check_clip(options.clip)
    from blikk_edge.wire.exports import is_export

    if is_export(options.clip):
        return _replay_export(options, start)
    settings = clip_settings(options)
    if options.pictures is not None:
        _make(options.pictures)
    from blikk_edge.app import replays
    from blikk_edge.core.picture import Picture
    from blikk_edge.runtime import log

    log.set_up("warning")
    as_table = options.table or (not options.json and prints_to_terminal())
    bar = progress.clip_bar()
    printer = _Printer(as_table=as_table, zone=start.tzinfo)
    try:
        for item in replays.replay(
            options.clip,
            settings=settings,
            camera=options.camera,
            start=start.timestamp(),
            note=lambda text: note(f"looking with {text}" if text.startswith("detector") else text),
            played=bar,
            progress=progress.downloads(),
        ):
            with bar.aside() if bar else nullcontext():
                if isinstance(item, Picture):
                    printer.pictures += 1 if _kept(item, options.pictures, start.tzinfo) else 0
                else:
                    printer.print_item(item)
    finally:
        if bar is not None:
            bar.close()
    if as_table:
        printer.sum_up(options.pictures)
    return exits.OK


def _replay_export(options: argparse.Namespace, start: datetime) -> int:
    """Print an exported event; raises SourceError for what is none."""
    if options.config is not None or options.camera is not None:
        raise UsageError(f"{options.clip}: an exported event is not looked at anew; leave out --config and --camera")
    from blikk_edge.core.errors import SourceError, WireError
    from blikk_edge.wire.exports import read_export

    try:
        export = read_export(options.clip)
    except WireError as error:
        raise SourceError(str(error)) from error
    if options.pictures is not None:
        _make(options.pictures)
    printer = _Printer(as_table=options.table or (not options.json and prints_to_terminal()), zone=start.tzinfo)
    for record in export.records:
        printer.print_item(record)
    for picture in export.pictures:
        printer.pictures += 1 if _kept(picture, options.pictures, start.tzinfo) else 0
    if printer.as_table:
        printer.sum_up(options.pictures)
    return exits.OK


@dataclass(slots=True)
class _Printer:
    """What has been printed so far, and how."""

    as_table: bool
    zone: Any
    events: set[str] = field(default_factory=set)
    lines: int = 0
    pictures: int = 0
    _row: Callable[[Any], str] | None = None

    def print_item(self, item: Any) -> None:
        """A row or a line of it, if it is a record."""
        from blikk_edge.core.observation import Event, Observation
        from blikk_edge.wire.messages import event_content
        from blikk_edge.wire.records import record_to_text

        if self.as_table and isinstance(item, Event):
            self.events.add(item.id)
            self.lines += 1
            say(self._table()(event_content(item)))
        elif not self.as_table and isinstance(item, Observation | Event):
            say(record_to_text(item))

    def sum_up(self, folder: Path | None) -> None:
        """The last line of the table."""
        kept = f"; {plural(self.pictures, 'picture')} in {folder}" if folder is not None else ""
        say(f"{plural(len(self.events), 'event')} in {plural(self.lines, 'message')}{kept}")

    def _table(self) -> Callable[[Any], str]:
        if self._row is None:
            from blikk_edge.app.event_table import EventTable

            table = EventTable(shutil.get_terminal_size((100, 24)).columns, zone=self.zone)
            say(table.header())
            self._row = table.row
        return self._row


def instant(text: str) -> datetime:
    """The time that `--start` means; raises UsageError."""
    try:
        time = datetime.fromisoformat(text)
        time = time if time.tzinfo is not None else time.replace(tzinfo=UTC)
        fits = EARLIEST <= time <= LATEST
    except (ValueError, OverflowError):
        raise UsageError(f"--start {text!r} is no ISO 8601 time; write it like 2026-01-01T00:00:00Z") from None
    if not fits:
        raise UsageError(f"--start {text}: only times from {EARLIEST.year} to {LATEST.year} can be written")
    return time


def _make(folder: Path) -> None:
    """Make the folder, and try it: better now than after the first visit."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        trial = folder / f".blikk-{os.getpid()}"
        trial.touch()
        trial.unlink()
    except FileExistsError:
        raise OutputError(f"--pictures {folder}: there is a file of this name; name a folder") from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "this is no name of a folder"
        raise OutputError(f"--pictures {folder}: nothing can be written there: {why}") from error


def _kept(picture: Any, folder: Path | None, zone: tzinfo | None) -> bool:
    """Write the picture, whole or not at all, under the time that the table shows."""
    if folder is None:
        return False
    moment = datetime.fromtimestamp(round(picture.time, 3), zone)
    path = folder / f"{moment:%Y%m%dT%H%M%S}.{moment.microsecond // 1000:03d}-{picture.name}.jpg"
    part = path.with_suffix(".part")
    try:
        part.write_bytes(picture.jpeg)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OutputError(f"--pictures {path}: it cannot be written: {error.strerror}") from error
    return True
