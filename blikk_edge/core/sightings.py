"""What was seen, without pixels: motion, detections, tracks."""

from dataclasses import dataclass
from enum import StrEnum

from blikk_edge.core.geometry import Box


class Label(StrEnum):
    """What an object is to the user; a detector's own class stays beside it as `sub_label`."""

    PERSON = "person"
    VEHICLE = "vehicle"
    ANIMAL = "animal"
    PACKAGE = "package"


class View(StrEnum):
    """What the motion gate made of the whole picture."""

    SETTLING = "settling"  # the background is being learnt, after start or a change of the whole view
    QUIET = "quiet"
    MOVING = "moving"
    LIGHT = "light"  # the light changed everywhere (IR switch, cloud, exposure): no motion
    NEW_SCENE = "new_scene"  # another view altogether: the camera was turned, or covered


@dataclass(frozen=True, slots=True, kw_only=True)
class Motion:
    """What the gate saw in one frame.

    `score` is 0..1, comparable over resolutions (its definition: `transforms.motion.score`); `boxes` are the moving
    regions.
    """

    view: View
    score: float = 0.0
    boxes: tuple[Box, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """One object found in one frame. `score` 0..1 is the detector's confidence.

    `head` is where a person's head is, with room around it, where the detector tells that.
    """

    label: Label
    sub_label: str
    score: float
    box: Box
    head: Box | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """A detection followed over time. Times are capture times, seconds since 1970 UTC.

    `confirmed` turns true once, when the track is worth telling; `missed` counts the analysed frames since it was last
    found; `still_since` is set while it stands still; `zones` are the names it is in now.
    """

    id: int
    label: Label
    sub_label: str
    score: float
    best_score: float
    box: Box
    first_seen: float
    last_seen: float
    hits: int = 1
    missed: int = 0
    confirmed: bool = False
    still_since: float | None = None
    zones: tuple[str, ...] = ()

    @property
    def dwell_s(self) -> float:
        """Seconds from first to last sight."""
        return self.last_seen - self.first_seen
