"""The commands of an update, each of which ends with one line."""

import argparse
import contextlib
import dataclasses
import errno
import fcntl
import json
import os
import platform
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any, Final

from blikk_update import databases, service, slots
from blikk_update.change import STOPPING, Slots
from blikk_update.errors import IntegrityError, StoppedError, UnhealthyError, UpdateError
from blikk_update.fetch import fetch_archive, fetch_small
from blikk_update.index import LARGEST_BYTES, Index, Release, order, read, verify
from blikk_update.places import LAYOUT, SOURCE, Limits, Places
from blikk_update.state import State, load, save, stamp

PYTHON: Final = f"{sys.version_info.major}.{sys.version_info.minor}"
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Updates:
    """What the commands share."""

    places: Places
    limits: Limits
    source: str
    """The address of the index; its signature is there with `.sig` at the end."""
    say: Callable[[str], None]

    @property
    def slots(self) -> Slots:
        """The changes of slots."""
        return Slots(places=self.places, limits=self.limits, say=self.say)

    def check(self) -> str:
        """Look for a newer version; change nothing."""
        with self._alone():
            release = self._choose(self._look(), None)
        return "nothing newer" if release is None else f"{release.version} can be installed: `update apply`"

    def apply(self, version: str | None) -> str:
        """Install the newest version, or the one that is named, also one that failed before."""
        with self._alone():
            self.slots.tidy()
            release = self._choose(self._look(), version)
            if release is None:
                return "nothing newer"
            self._install(release)
            before = slots.current(self.places.slots)
            self.slots.change_to(release.version)
            self.slots.tidy()
        return f"{before} was replaced by {release.version}"

    def rollback(self) -> str:
        """Go back to the version before, with its database where today's is too new for it."""
        with self._alone():
            before, version = slots.current(self.places.slots), self.slots.previous()
            self.slots.change_to(version, leave="you went back from it")
            self.slots.tidy()
        return f"{before} was replaced by {version}"

    def recover(self, *, boot: bool) -> str:
        """Undo what was cut off."""
        with self._alone(recover=False):
            return self.slots.recover(boot=boot) or "no update is unfinished"

    def status(self) -> dict[str, Any]:
        """What is installed, what is known, what failed."""
        state = load(self.places.own)
        return {"current": slots.current(self.places.slots), **dataclasses.asdict(state)}

    @contextlib.contextmanager
    def _alone(self, *, recover: bool = True) -> Iterator[None]:
        """Hold the lock, which goes with the process; undo what an earlier one left."""
        self.places.lock.parent.mkdir(parents=True, exist_ok=True)
        self.places.own.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self.places.lock.open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UpdateError("another update is running") from error
            if recover and (undone := self.slots.recover(boot=False)) is not None:
                self.say(undone)
            yield

    def _look(self) -> Index:
        """The index; its serial is remembered."""
        state = load(self.places.own)
        try:
            content = self._signed()
        except IntegrityError:  # a new one may have come between the two files
            content = self._signed()
        now = datetime.now(UTC)
        index = read(content, source=self.source, now=now, serial=state.serial)
        fitting = [release.version for release in index.releases if _misfit(release) is None]
        newest = max(fitting, key=order, default=None)
        save(self.places.own, replace(state, serial=index.serial, checked=stamp(now), newest=newest))
        return index

    def _signed(self) -> bytes:
        content = fetch_small(self.source, largest=LARGEST_BYTES, limits=self.limits)
        signature = fetch_small(f"{self.source}.sig", largest=1000, limits=self.limits)
        verify(content, signature, self.places.keys)
        return content

    def _choose(self, index: Index, version: str | None) -> Release | None:
        """What to install; None where nothing is newer. Raises UpdateError where it cannot be installed."""
        current, bad = slots.current(self.places.slots), load(self.places.own).bad
        if version is None:
            newer = [release for release in index.releases if order(release.version) > order(current)]
            fitting = [release for release in newer if _misfit(release) is None]
            good = [release for release in fitting if release.version not in bad]
            if good:
                return max(good, key=lambda release: order(release.version))
            if not newer:
                return None
            release = max(fitting or newer, key=lambda release: order(release.version))
            raise UpdateError(f"{release.version} is not installed: {_misfit(release) or bad[release.version]}")
        named = [release for release in index.releases if release.version == version]
        if not named:
            raise UpdateError(f"the release index has no version {version}")
        if order(version) <= order(current):
            raise UpdateError(f"{version} is not newer than {current}, which is installed; `update rollback` goes back")
        for release in named:
            if _misfit(release) is None:
                return release
        raise UpdateError(f"{version} is not installed: {_misfit(named[0])}")

    def _install(self, release: Release) -> None:
        """The slot of a release, whole, checked, and not used yet."""
        folder = self.places.own / "download"
        if not slots.holds(self.places.slots, release):
            try:
                self._unpack(release, folder)
            except OSError as error:
                with contextlib.suppress(OSError):
                    slots.remove(self.places.slots, release.version)
                if error.errno in _NO_ROOM:
                    shutil.rmtree(folder, ignore_errors=True)
                raise
        shutil.rmtree(folder, ignore_errors=True)
        try:
            service.answers(self.places.slots / release.version, release.version, self.limits)
        except UnhealthyError as error:
            self._blame(release.version, str(error))
            if release.version != load(self.places.own).previous:
                slots.remove(self.places.slots, release.version)
            raise UpdateError(f"{error}; nothing was changed") from error

    def _unpack(self, release: Release, folder: Path) -> None:
        """Fetch and unpack it; what another release left in the folder is removed."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in list(folder.iterdir()):
            if not path.name.startswith(release.sha256):
                path.unlink()
        self._make_room(release, folder)
        self.say(f"fetching {release.version}, {release.size / 1e6:.0f} MB")
        archive = fetch_archive(release, folder, self.limits)
        self.say(f"unpacking {release.version}")
        try:
            slots.unpack(archive, self.places.slots, release)
        except IntegrityError as error:  # as it was signed, so it will not get better
            self._blame(release.version, str(error))
            raise

    def _blame(self, version: str, reason: str) -> None:
        state = load(self.places.own)
        last = f"{stamp(datetime.now(UTC))}: {reason}"
        save(self.places.own, replace(state, bad={**state.bad, version: reason}, last=last))

    def _make_room(self, release: Release, folder: Path) -> None:
        """Give the previous slot for the new one where there is no room for three. Raises UpdateError."""
        begun = sum(path.stat().st_size for path in folder.iterdir())
        data = databases.size(self.places.data)
        need = release.size - begun + release.unpacked + data + self.limits.spare_bytes
        state: State = load(self.places.own)
        if self._free() < need and state.previous not in {None, release.version}:
            self.say(f"there is little room: {state.previous} is removed")
            save(self.places.own, replace(state, previous=None, copied=None))
            self.slots.tidy()
        if (free := self._free()) < need:
            raise UpdateError(
                f"{release.version} needs {need / 1e6:.0f} MB of the card, and {free / 1e6:.0f} MB are free; "
                "nothing was changed"
            )

    def _free(self) -> int:
        return min(shutil.disk_usage(path).free for path in (self.places.slots, self.places.own))


def _misfit(release: Release) -> str | None:
    """Why a release cannot run here; None where it can."""
    if release.layout > LAYOUT:
        return "it needs a newer card image"
    if release.machine != platform.machine():
        return f"it is for {release.machine}, this is {platform.machine()}"
    if release.python != PYTHON:
        return f"it needs Python {release.python} and a newer card image, this is {PYTHON}"
    return None


def main(arguments: Sequence[str] | None = None, limits: Limits | None = None) -> int:
    """Run one command; 0 where it worked, 1 where not, 2 for a wrong command line."""
    options = _parser().parse_args(arguments)
    _end_in_order()

    def say(line: str) -> None:
        if not options.json:
            print(line, flush=True)

    updates = Updates(places=Places(root=options.root), limits=limits or Limits(), source=options.source, say=say)
    try:
        answer = _run(updates, options)
        if options.json:
            print(json.dumps({"ok": True, **answer}, indent=1))
        else:
            say(_in_words(answer))
    except (UpdateError, OSError) as error:
        line = _line(error)
        if options.json:
            print(json.dumps({"ok": False, "error": line}, indent=1))
        else:
            print(f"update: {line}", file=sys.stderr)
        return 1
    return 0


def _run(updates: Updates, options: argparse.Namespace) -> dict[str, Any]:
    if options.command == "status":
        return updates.status()
    if options.command == "apply":
        return {"message": updates.apply(options.version)}
    if options.command == "recover":
        return {"message": updates.recover(boot=options.boot)}
    return {"message": updates.check() if options.command == "check" else updates.rollback()}


def _in_words(answer: dict[str, Any]) -> str:
    if "message" in answer:
        return str(answer["message"])
    lines = [
        f"current   {answer['current']}",
        f"previous  {answer['previous'] or 'none'}",
        f"newest    {answer['newest'] or 'not known'}, looked for {answer['checked'] or 'never'}",
        *(f"bad       {version}: {why}" for version, why in answer["bad"].items()),
    ]
    if answer["change"]:
        lines.append(f"unfinished, from {answer['change']['old']} to {answer['change']['new']}")
    return "\n".join([*lines, *([f"last      {answer['last']}"] if answer["last"] else [])])


def _line(error: Exception) -> str:
    if isinstance(error, PermissionError) and os.geteuid() != 0:
        return f"this needs root: {error.filename}"
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        return "the card is full; nothing was changed"
    return str(error)


def _end_in_order() -> None:
    """A signal ends the process where it can go back first."""

    def stopped(number: int, _: FrameType | None) -> None:
        raise StoppedError(f"it was stopped ({signal.Signals(number).name})")

    for number in STOPPING:
        signal.signal(number, stopped)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="update",
        description="Updates of Blikk Edge on a card: a new version beside the one that runs, and the way back.",
    )
    parser.add_argument(
        "--root", type=Path, default=Path("/"), metavar="FOLDER", help="the root of the card (default: /)"
    )
    parser.add_argument("--from", dest="source", default=SOURCE, metavar="URL", help="the release index")
    parser.add_argument("--json", action="store_true", help="the result as JSON")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("check", help="look for a newer version")
    apply = commands.add_parser("apply", help="install it")
    apply.add_argument("version", nargs="?", help="this one, also where it failed before")
    commands.add_parser("rollback", help="go back to the version before")
    commands.add_parser("status", help="what is installed, and what failed")
    recover = commands.add_parser("recover", help="undo an update that was cut off")
    recover.add_argument("--boot", action="store_true", help="before systemd starts the node")
    return parser
