"""What the outside may ask of a running node. Everything here came from untrusted input and was checked."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from blikk_edge.core.status import SummaryMode


class Setting(StrEnum):
    """Settings of a camera that MQTT may change; turning blur off is not among them."""

    DETECT = "detect"
    THRESHOLD = "threshold"
    SUMMARY = "summary"


@dataclass(frozen=True, slots=True, kw_only=True)
class Set:
    """Change a setting of a camera.

    Attributes:
        camera: The camera's id.
        setting: Which one.
        value: For DETECT a bool, for THRESHOLD a number 0..1, for SUMMARY a SummaryMode.
    """

    camera: str
    setting: Setting
    value: bool | float | SummaryMode


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Make a Picture of the newest frame now."""

    camera: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Describe:
    """Write a Summary of what this camera sees now."""

    camera: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """A doorbell was pressed.

    Attributes:
        camera: The id of the camera that it belongs to.
        via: The way it came: `mqtt`, `http`, `gpio` or `onvif`.
    """

    camera: str
    via: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """Somebody else saw something before this camera: look now. It reports nothing by itself."""

    camera: str


Command: TypeAlias = Set | Snapshot | Describe | Press | Hint
