"""A card in a folder: slots, a unit, keys, and a server with an index and archives, all of them real but small."""

import contextlib
import importlib.util
import json
import os
import platform
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

import slot_systemctl
from patience import PATIENCE
from slot_web import Web, serve

HERE = Path(__file__).parent
RASPI = HERE.parents[1] / "raspi"
UNIT = "blikk-edge.service"
LIMITS = {"health_s": 30.0 * PATIENCE, "steady_s": 0.2, "poll_s": 0.05, "retry_s": (0.0, 0.0), "spare_bytes": 0}
"""A healthy slot needs less: what is waited for is its state."""
UNHEALTHY = {"health_s": 0.6, "answer_s": 10.0, "poll_s": 0.1}
"""For slots that never become healthy."""


def load(path: Path) -> ModuleType:
    """A module that is no part of a package."""
    spec = importlib.util.spec_from_file_location(f"raspi_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


RELEASES = load(RASPI / "slots.py")


def make_key(folder: Path) -> tuple[Path, Path]:
    """The private and the public key of a maintainer."""
    private, public = folder / "update-key.pem", folder / "update-key.pub.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", private], check=True, capture_output=True)
    subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True, capture_output=True)
    return private, public


def make_slot(folder: Path, *, behaviour: str = "healthy", layout: int = 2) -> None:
    """A slot whose program is `slot_node.py`; it knows by `content` whether it is whole."""
    (folder / "bin").mkdir(parents=True)
    (folder / "lib/deep").mkdir(parents=True)
    (folder / "bin/python3").symlink_to("/usr/bin/python3")
    (folder / "lib/deep/module.py").write_text(f"# {folder.name}\n" * 100)
    (folder / "behaviour").write_text(behaviour)
    (folder / "layout").write_text(str(layout))
    program = folder / "bin/blikk"
    program.write_text(f"#!{sys.executable} -IS\n{(HERE / 'slot_node.py').read_text()}")
    program.chmod(0o755)
    (folder / "content").write_text(json.dumps(content(folder)))


def content(folder: Path) -> dict[str, str]:
    """The hash of each file but the list itself and the updater's mark."""
    return {
        str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in {"content", ".archive", "python3"} and "__pycache__" not in path.parts
    }


@dataclass
class Card:
    """`root` is the card's, `served` the server that it asks, `private` the maintainer's key."""

    root: Path
    served: Web
    private: Path
    limits: dict[str, Any] = field(default_factory=lambda: dict(LIMITS))
    unit: dict[str, str] = field(default_factory=dict)
    """More variables of the unit."""

    @property
    def web(self) -> Path:
        return self.served.folder

    @property
    def slots(self) -> Path:
        return self.root / "opt/blikk"

    @property
    def own(self) -> Path:
        return self.root / "var/lib/blikk-update"

    @property
    def database(self) -> Path:
        return self.root / "var/lib/blikk/hallway.db"

    @property
    def current(self) -> str:
        return str((self.slots / "current").readlink())

    @property
    def environ(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("SLOT_")}
        return kept | self.unit | {"PATH": f"{self.root}/bin:{os.environ['PATH']}", "SLOT_ROOT": str(self.root)}

    def prepare(self, public: Path, make: Callable[[Path], None]) -> None:
        """Make the card with version 0.1.0 on it, which runs once this returns."""
        for folder in ("bin", "run", "var/lib/blikk", "usr/share/blikk/update-keys"):
            (self.root / folder).mkdir(parents=True)
        shutil.copy(public, self.root / "usr/share/blikk/update-keys/1.pem")
        systemctl = self.root / "bin/systemctl"
        systemctl.write_text(f"#!{sys.executable} -IS\n{(HERE / 'slot_systemctl.py').read_text()}")
        systemctl.chmod(0o755)
        make(self.slots / "0.1.0")
        (self.slots / "current").symlink_to("0.1.0")
        self.start()

    def publish(self, *slots: dict[str, Any], serial: int = 1, issued: datetime | None = None, **changed: Any) -> None:
        """Archives of slots, by the arguments of `make_slot` and `version`, and the signed index."""
        releases = []
        for slot in slots:
            release = {key: slot[key] for key in ("needs", "machine", "python", "sha256") if key in slot}
            if "needs" in release:
                release["layout"] = release.pop("needs")
            made = {key: slot[key] for key in ("behaviour", "layout") if key in slot}
            with_version = self.web / slot["version"]
            shutil.rmtree(with_version, ignore_errors=True)
            make_slot(with_version, **made)
            releases.append(self.pack(with_version) | release)
        self.sign(releases, serial=serial, issued=issued, **changed)

    def pack(self, slot: Path) -> dict[str, Any]:
        """Put the archive of a slot on the server; what the index says about it."""
        python = f"{sys.version_info.major}.{sys.version_info.minor}"
        entry: dict[str, Any] = RELEASES.pack(
            slot, self.web / f"{slot.name}.tar.xz", machine=platform.machine(), python=python
        )
        return entry

    def sign(
        self,
        releases: list[dict[str, Any]],
        *,
        serial: int = 1,
        issued: datetime | None = None,
        days: int = 30,
        key: Path | None = None,
    ) -> None:
        index = self.web / "index.json"
        issued = issued or datetime.now(UTC)
        index.write_bytes(RELEASES.index(releases, serial=serial, issued=issued, days=days))
        RELEASES.sign(index, key or self.private)

    def update(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """One command of the updater, to its end."""
        with self.updating(*arguments, **environ) as process:
            output = process.communicate(timeout=120 * PATIENCE)
        return subprocess.CompletedProcess(arguments, process.returncode, *output)

    @contextmanager
    def updating(self, *arguments: str, **environ: str) -> Iterator[subprocess.Popen[str]]:
        """One command of the updater while it runs."""
        command = [
            sys.executable,
            "-IS",  # as the card's python3, which has nothing but its standard library
            HERE / "slot_update.py",
            f"--root={self.root}",
            f"--from={self.served.index}",
            *arguments,
        ]
        settings = {"SLOT_LIMITS": json.dumps(self.limits), **environ}
        with subprocess.Popen(
            command, env=self.environ | settings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    process.kill()

    def status(self) -> dict[str, Any]:
        done = self.update("--json", "status")
        assert done.returncode == 0, done.stdout + done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def systemctl(self, *arguments: str) -> str:
        command = [self.root / "bin/systemctl", *arguments]
        return subprocess.run(command, env=self.environ, capture_output=True, text=True, check=True).stdout.strip()

    def start(self) -> None:
        """Start the unit; returns once its node is healthy."""
        slot_systemctl.start(self.root, self.environ)
        self.until(self.is_healthy)

    def cut_power(self) -> None:
        """End the node and whoever would start it again, at once."""
        slot_systemctl.stop(self.root)

    def is_healthy(self) -> bool:
        alive = self.root / "run/blikk/hallway.alive"
        if not (alive.exists() and slot_systemctl.is_locked(alive)):
            return False  # the node says the same, and takes a process for it
        command = [self.slots / "current/bin/blikk", "health"]
        done = subprocess.run(command, env=self.environ, capture_output=True, check=False)
        return done.returncode == 0

    def until(self, state: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 30 * PATIENCE
        while not state():
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def is_on_trial(self, version: str) -> bool:
        """Whether the node of a new version was started, as it writes to the database."""
        state = self.own / "state.json"
        if self.current != version or not state.exists() or "switched" not in state.read_text():
            return False
        with contextlib.suppress(sqlite3.Error, AssertionError, OSError):  # it is being written to
            return version in self.ran()
        return False

    def ran(self) -> list[str]:
        """Which versions wrote to the database, in order; it is whole. Not while a node has it."""
        copied = self.root / "looked-at"
        shutil.rmtree(copied, ignore_errors=True)
        shutil.copytree(self.database.parent, copied)
        db = sqlite3.connect(copied / self.database.name)
        try:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            return [version for (version,) in db.execute("SELECT version FROM ran ORDER BY rowid")]
        finally:
            db.close()

    def assert_whole(self) -> None:
        """What has to be true at every moment: `current` names a slot that has all its files, and no other."""
        slot = self.slots / self.current
        assert content(slot) == json.loads((slot / "content").read_text())


@contextmanager
def card_in(
    folder: Path,
    *,
    root: Path | None = None,
    make: Callable[[Path], None] = make_slot,
    unit: dict[str, str] | None = None,
) -> Iterator[Card]:
    """A card with version 0.1.0, whose node runs, and a server that has nothing yet."""
    (folder / "web").mkdir()
    private, public = make_key(folder)
    with serve(folder / "web") as web:
        card = Card(root=root or folder / "root", served=web, private=private, unit=unit or {})
        try:
            card.prepare(public, make)
            yield card
        finally:
            card.cut_power()
