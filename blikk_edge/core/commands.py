"""What the outside may ask of a running node. Everything here came from untrusted input and was checked."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class Setting(StrEnum):
    """Settings of a camera that MQTT may change; turning blur off is not among them."""

    DETECT = "detect"
    THRESHOLD = "threshold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Set:
    """Change a setting: `detect` takes a bool, `threshold` a number 0..1."""

    camera: str
    setting: Setting
    value: bool | float


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Make a Picture of the newest frame now."""

    camera: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """The doorbell of this camera was pressed; `via` is mqtt, http or gpio."""

    camera: str
    via: str


Command: TypeAlias = Set | Snapshot | Press
