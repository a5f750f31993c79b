"""How much of this machine's processor the cameras of a node may take for decoding, and who has to do with less."""

import os
from pathlib import Path
from typing import Final

ROOM: Final = 0.5
"""Share of the cores that decoding may take; the other half is for the detector and whatever else runs here."""

_QUOTA: Final = Path("/sys/fs/cgroup/cpu.max")


def usable_cores(quota: Path = _QUOTA) -> float:
    """Processor cores that this process may use, by its affinity and the limit of its container."""
    cores = float(len(os.sched_getaffinity(0)))
    try:
        allowed, period = quota.read_text().split()
        return cores if allowed == "max" else min(cores, int(allowed) / int(period))
    except (OSError, ValueError, ZeroDivisionError):  # no container, or an older kernel
        return cores


class DecodeBudget:
    """What decoding every frame takes, by camera, and whose fits: the cheapest first.

    So one 4K stream does with keyframes before sixteen small ones do. `room` is in cores. Each reader writes of its own
    camera only, in one assignment: safe from any thread.
    """

    def __init__(self, cores: float) -> None:
        self.room = ROOM * cores
        self._shares: dict[str, tuple[bool, float]] = {}

    def note(self, camera: str, share: float, *, kept: bool) -> None:
        """Decoding all of a camera takes so much of one core; `kept`: its user wants every frame, whatever it takes."""
        self._shares[camera] = (not kept, share)

    @property
    def taken(self) -> float:
        """Cores that decoding every frame of all cameras would take."""
        return sum(share for _, share in self._shares.copy().values())

    def fits(self, camera: str, *, of_room: float = 1.0) -> bool:
        """Whether every frame of this camera may be decoded in this part of the room."""
        return self._shares.get(camera, (False, 0.0))[1] <= self.left(camera, of_room=of_room)

    def left(self, camera: str, *, of_room: float = 1.0) -> float:
        """Cores of this part of the room that those before this camera leave to it; below 0 where they take more."""
        shares = self._shares.copy()
        mine = (*shares.get(camera, (False, 0.0)), camera)
        before = sum(share for name, (may_yield, share) in shares.items() if (may_yield, share, name) < mine)
        return of_room * self.room - before
