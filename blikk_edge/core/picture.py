"""A Picture: a redacted JPEG, the only pixels that may leave. `transforms.privacy` alone makes one."""

from dataclasses import dataclass, field
from typing import Final

SNAPSHOT: Final = "snapshot"
"""The name of the still: what a camera sees now."""

RING: Final = "ring"
"""The name of what was there when the doorbell rang."""

FRAME: Final = "frame"
"""The name of Pictures that only enrichers see: they go to no place on MQTT and are not kept."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A Picture that was asked for.

    Attributes:
        name: Its place on MQTT, as `person`.
        event: The id of the Event or Ring that it is to show, if any.
    """

    name: str
    event: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A redacted JPEG of one camera.

    Attributes:
        camera: The camera's id.
        name: Its place on MQTT: `person`, `vehicle`, `animal`, `package`, `ring` or `snapshot`.
        time: Capture time, seconds since 1970 UTC.
        jpeg: The file.
        width_px: Its width.
        height_px: Its height.
        event: The id of the Event or Ring it shows, if any.
        faces: How many faces were blurred.
        heads: How many heads were blurred.
        persons: How many whole persons were blurred.
    """

    camera: str
    name: str
    time: float
    jpeg: bytes = field(repr=False)
    width_px: int
    height_px: int
    event: str | None = None
    faces: int = 0
    heads: int = 0
    persons: int = 0
