"""What somebody has drawn into a camera's picture: zones and private areas, not checked yet."""

from dataclasses import dataclass, field

from blikk_edge.core.outlines import Point

Points = tuple[Point, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnZone:
    """A zone.

    Attributes:
        name: Its id.
        points: The corners of its polygon, each x and y in 0..1 of the picture.
        labels: What counts in it; None: everything.
        loiter_s: How long someone stays before it is loitering; None: as for the camera.
        was: Its id in the file, where it has another name now; None: it is new, or its name is the same.
    """

    name: str
    points: Points
    labels: tuple[str, ...] | None = None
    loiter_s: float | None = None
    was: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """All that is drawn into the picture of one camera.

    Attributes:
        zones: In their order.
        private: The polygon of each private area.
    """

    zones: tuple[DrawnZone, ...] = ()
    private: tuple[Points, ...] = ()
