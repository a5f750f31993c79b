"""The path of an Event as text for the store and for exports: times in ms after the first, sides in 1/10000."""

import json
from typing import Final

from blikk_edge.core.errors import WireError
from blikk_edge.core.geometry import Box
from blikk_edge.core.paths import EventPath, PathPoint

KIND: Final = "path"
_SIDES: Final = 10_000


def path_to_text(path: EventPath) -> str:
    """One line of ASCII JSON."""
    since = path.points[0].time if path.points else 0.0
    points = [
        [round((point.time - since) * 1000), point.track, *(round(side * _SIDES) for side in _sides(point.box))]
        for point in path.points
    ]
    return json.dumps({"record": KIND, "event": path.event, "since": since, "points": points}, separators=(",", ":"))


def path_from_text(text: str) -> EventPath:
    """What `path_to_text` wrote, boxes to 1/10000 of the picture and times to a millisecond. Raises WireError."""
    try:
        content = json.loads(text)
        since = float(content["since"])
        points = tuple(
            PathPoint(time=since + ms / 1000, track=int(track), box=Box(*(side / _SIDES for side in sides)))
            for ms, track, *sides in content["points"]
        )
        return EventPath(event=str(content["event"]), points=points)
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise WireError(f"not a path: {error}") from error


def _sides(box: Box) -> tuple[float, float, float, float]:
    return box.x1, box.y1, box.x2, box.y2
