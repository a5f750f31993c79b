"""Where everything is, and how long what may take."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LAYOUT: Final = 1
"""Of a slot, as this program knows it: `bin/blikk`, which knows `version`, `health` and `run`."""
SOURCE: Final = "https://github.com/blikk-edge/blikk-edge/releases/latest/download/index.json"
UNIT: Final = "blikk-edge.service"
SPARE_BYTES: Final = 100_000_000
"""What stays free on the card after an update, for the system and the database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """All below `root`, which is `/` on a card."""

    root: Path = Path("/")

    @property
    def slots(self) -> Path:
        """Holds `<version>/` and the link `current`."""
        return self.root / "opt/blikk"

    @property
    def data(self) -> Path:
        """The state folder of the node's unit."""
        return self.root / "var/lib/blikk"

    @property
    def own(self) -> Path:
        """What updates remember, downloads, and copies of the database. For root alone."""
        return self.root / "var/lib/blikk-update"

    @property
    def keys(self) -> Path:
        """Public keys (`*.pem`); an index is good where one of them fits."""
        return self.root / "usr/share/blikk/update-keys"

    @property
    def lock(self) -> Path:
        """Held by whoever updates."""
        return self.root / "run/blikk-update.lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Seconds, but for what says otherwise."""

    health_s: float = 120.0
    """From the start of a new slot until it has to be healthy."""
    steady_s: float = 20.0
    """How long a slot has to be healthy without a pause: four heartbeats. One that crashes again and again is not."""
    answer_s: float = 15.0
    """For one answer of `blikk health`."""
    poll_s: float = 2.0
    """Between two looks at the health."""
    command_s: float = 60.0
    """For one command of a slot or of systemd."""
    network_s: float = 30.0
    """Without a byte from the server."""
    retry_s: tuple[float, ...] = (5.0, 20.0, 60.0)
    """Pauses between the attempts of a download."""
    tries: int = 2
    """How often a version may fail where a power cut or the like can be the cause, until it is not tried again."""
    copy_days: int = 14
    """How long the database from before a change of its layout is kept: it holds what may be forgotten meanwhile."""
    spare_bytes: int = SPARE_BYTES
    """What has to stay free on the disk."""


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file(path: Path) -> None:
    """Have the content of a file on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
