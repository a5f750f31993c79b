"""What a timeline shows: a line for each Event, and the whole course of one."""

from dataclasses import dataclass
from typing import TypeAlias

from blikk_edge.core.observation import Event, Observation
from blikk_edge.core.paths import EventPath
from blikk_edge.core.sightings import Label
from blikk_edge.core.summary import Author, Importance

Beside: TypeAlias = tuple[str, float]
"""An Event before or after another: its id, and when it started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLine:
    """What a timeline shows of one Event. Times are seconds since 1970 UTC.

    Attributes:
        id: The Event's.
        camera: The camera's id.
        label: What it is about.
        started: When it started.
        ended: When it ended; None while it goes on.
        zones: All zones touched so far.
        peak: The most objects seen at once.
        loitering: Whether somebody stayed long.
        taken: Whether it ended with a parcel that was taken.
        interrupted: Whether the node ended while it went on.
        mark: What the household said of it.
        title: That of its Summary; None where nothing was written.
        importance: Of its Summary.
        source: Who wrote that.
    """

    id: str
    camera: str
    label: Label
    started: float
    ended: float | None = None
    zones: tuple[str, ...] = ()
    peak: int = 1
    loitering: bool = False
    taken: bool = False
    interrupted: bool = False
    mark: str = ""
    title: str | None = None
    importance: Importance | None = None
    source: Author | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How one Event went, as far as that was kept.

    Attributes:
        records: Its Observations and revisions, in the order in which they were reported.
        path: Where its members went; None while it goes on, or where that was not kept.
        whole: Whether all its records are there.
    """

    records: tuple[Observation | Event, ...] = ()
    path: EventPath | None = None
    whole: bool = False
