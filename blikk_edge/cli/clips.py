"""Clips and sources that a command line names: what cannot be one is refused before anything else is done."""

import argparse
import os
import re
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from blikk_edge.cli.output import UsageError
from blikk_edge.cli.words import add_config

if TYPE_CHECKING:
    from blikk_edge.config.settings import Settings


def add_clip_options(parser: argparse.ArgumentParser) -> None:
    """`--config`, `--camera` and `--start`: how a clip is looked at."""
    add_config(parser, meaning="look as this configuration says (default: as without any key)", searched=False)
    parser.add_argument(
        "--camera",
        metavar="ID",
        help="the camera of the configuration whose settings count (default: the first)",
    )
    parser.add_argument(
        "--start",
        metavar="TIME",
        default="2026-01-01T00:00:00Z",
        help="the time of the first frame, ISO 8601, UTC where it names no zone (default: 2026-01-01T00:00:00Z)",
    )


def clip_settings(options: argparse.Namespace) -> "Settings | None":
    """The configuration that `--config` names, which has the camera that `--camera` names; None without one.

    Raises UsageError where there is no such camera, ConfigError for a configuration that cannot be used.
    """
    if options.camera is not None and options.config is None:
        raise UsageError("--camera without --config: which camera is meant stands in a configuration")
    if options.config is None:
        return None
    from blikk_edge import config

    settings = config.load(options.config, environ=os.environ)
    if options.camera not in {None, *(camera.id for camera in settings.cameras)}:
        known = ", ".join(camera.id for camera in settings.cameras)
        raise UsageError(f"--camera: there is no camera {options.camera!r} in {options.config}; it has {known}")
    return settings


def check_clip(path: Path) -> None:
    """Raises UsageError where this is no file that can be read."""
    try:
        path.stat()
        with path.open("rb") if path.is_file() else nullcontext():
            pass
    except FileNotFoundError:
        if re.match(r"\w+:/", str(path)):  # a path has lost one of the slashes, and may hold a password
            raise UsageError("an address is no clip; `blikk demo --source` takes cameras") from None
        raise UsageError(f"{path}: no such clip") from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "this is no file name"
        raise UsageError(f"{path}: the clip cannot be read: {why}") from error
    if path.is_dir():
        raise UsageError(f"{path}: this is a folder; name a video file")
    if not path.is_file():
        raise UsageError(f"{path}: this is no file; `blikk demo --source` takes cameras")


def check_source(address: str, *, may_come: bool) -> None:
    """Raises UsageError for a file that is not there, and for an address of no known kind.

    `may_come` says that a device may be plugged in later.
    """
    from blikk_edge.grammar.secrets import SourceUrl
    from blikk_edge.sources.local import path_of, why_unusable

    path = path_of(address)
    if path is None:
        from blikk_edge.sources.catalog import UNKNOWN, kind_of

        why = "" if kind_of(address) else UNKNOWN
    else:
        why = "" if may_come and path.startswith("/dev/") else why_unusable(path)
    if why:
        raise UsageError(f"--source {SourceUrl(address.strip()).public}: {why}")
