"""What was left behind and what was taken: a parcel, what happened to it, who was near; kept over restarts."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from blikk_edge.core.geometry import Box
from blikk_edge.core.remembered import remembered
from blikk_edge.core.sightings import Label, Track

LEFT_BEHIND: Final = "left_behind"
"""The `sub_label` of a parcel for which the detector has no class."""

FIRST_ID: Final = 1_000_001
"""Ids of parcels that were never tracked as a detection count from here, apart from those of the tracker."""


class ParcelChange(StrEnum):
    """What happened to a parcel."""

    LEFT_BEHIND = "left_behind"
    TAKEN = "taken"


@dataclass(frozen=True, slots=True, kw_only=True)
class NearTrack:
    """Who was at a parcel when it was left or taken. Not that they did it.

    Attributes:
        track: The id of their track.
        label: What they are.
        score: How near in place and time, 0..1: 1 where they covered it just then.
    """

    track: int
    label: Label
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """One parcel of a Scene.

    Attributes:
        track: As it is among the scene's tracks; where it was taken, as it last was.
        change: What was found to have happened to it, in the scene that proves it; None in all others.
        near: Who was near then, where somebody was seen.
        known: Whether it lay there before the node, or the stream, began: that it is there is no news.
    """

    track: Track
    change: ParcelChange | None = None
    near: NearTrack | None = None
    known: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Lying:
    """A parcel that lies in view, as it is remembered over restarts. No pixels.

    Attributes:
        box: Where.
        since: When it was put there, seconds since 1970 UTC.
        score: How sure it is that something was left, 0..1.
        edges: How strong its edges are in 4 x 4 cells and 4 directions, 64 numbers in 0..255: enough to know it again.
    """

    box: Box
    since: float
    score: float
    edges: bytes


EDGES: Final = 64


def lying_to_json(lying: Sequence[Lying]) -> str:
    """As a JSON list, for `lying_from_json` of a later run."""
    return json.dumps(
        [
            {
                "box": [p.box.x1, p.box.y1, p.box.x2, p.box.y2],
                "since": p.since,
                "score": p.score,
                "edges": p.edges.hex(),
            }
            for p in lying
        ]
    )


def lying_from_json(text: str | None) -> tuple[Lying, ...]:
    """What `lying_to_json` wrote; whatever cannot be read (None, damaged text, a strange entry) is left out."""
    return remembered(text, _entry)


def _entry(entry: Any) -> Lying | None:
    x1, y1, x2, y2 = (float(v) for v in entry["box"])
    since, score = float(entry["since"]), float(entry["score"])
    edges = bytes.fromhex(entry["edges"])
    if not (0.0 <= since < 1e11 and 0.0 <= score <= 1.0 and len(edges) == EDGES):
        return None
    return Lying(box=Box(x1, y1, x2, y2), since=since, score=score, edges=edges)
