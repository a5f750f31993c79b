"""What a debugger shows of a recorded clip, frame by frame, and where it gets that. Values only, no raw pixels."""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final, Protocol

from blikk_edge.core.geometry import Box
from blikk_edge.core.observation import Event, Observation
from blikk_edge.core.picture import Picture
from blikk_edge.core.probe import Outcome, Why
from blikk_edge.core.sightings import Cells, Detection, Measure, Track, View
from blikk_edge.core.summary import Importance

DEBUG: Final = "debug"
"""The name of Pictures of a debugger: only who looks gets them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the detector found in a frame, whether it counts or not.

    Attributes:
        detection: What it found.
        threshold: The score from which this label starts a track, 0..1.
        wanted: Whether this label is reported at this camera.
    """

    detection: Detection
    threshold: float
    wanted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What the template writes about an Event that has ended.

    Attributes:
        event: The Event's id.
        title: A few words.
        text: A sentence or two.
        importance: By the rules of `enrichers.summaries.template`.
    """

    event: str
    title: str
    text: str
    importance: Importance


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipFrame:
    """All that the pipeline made of one frame of a clip.

    Attributes:
        number: Counts from 0.
        time: Capture time, seconds since 1970 UTC.
        at_s: Seconds since the first frame.
        view: What the motion gate made of it.
        score: The motion score, 0..1.
        threshold: The one that held, 0..1.
        regions: Where something moves.
        cells: The single cells that move; None where none does.
        why: Why the detector was to look at it, or why not.
        since_look_s: Seconds since the last look; None before the first.
        outcome: What became of it.
        found: What the detector found; empty where it has not looked.
        tracks: Who is followed after it.
        measures: What added steps measured in it.
        open: The newest revision of each Event that goes on after it.
        records: What was reported at it, in order.
        written: What is written about Events that ended at it.
        pictures: The names of the Pictures that were made of it.
        spent: How long each stage took, in seconds, in the order of the way.
        problem: Why a Picture that was due could not be made; None where none was due, or it was made.
    """

    number: int
    time: float
    at_s: float
    view: View
    score: float
    threshold: float
    regions: tuple[Box, ...] = ()
    cells: Cells | None = None
    why: Why
    since_look_s: float | None = None
    outcome: Outcome
    found: tuple[Found, ...] = ()
    tracks: tuple[Track, ...] = ()
    measures: tuple[Measure, ...] = ()
    open: tuple[Event, ...] = ()
    records: tuple[Observation | Event, ...] = ()
    written: tuple[Written, ...] = ()
    pictures: tuple[str, ...] = ()
    spent: tuple[tuple[str, float], ...] = ()
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """One frame as the strip below the picture needs it.

    Attributes:
        at_s: Seconds since the first frame.
        view: What the motion gate made of it.
        score: The motion score, 0..1.
        why: Why the detector was to look at it, or why not.
        outcome: What became of it.
    """

    at_s: float
    view: View
    score: float
    why: Why
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipEvent:
    """An Event of a clip, and where in it.

    Attributes:
        event: Its newest revision.
        first: The number of the frame at which it was reported first.
        last: The number of the frame of its newest revision.
    """

    event: Event
    first: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipRun:
    """How far the clip has been run.

    Attributes:
        run: Counts from 1; each run begins with the first frame.
        clip: The file's name.
        camera: The id of the camera whose settings count.
        threshold: The motion score from which something is reported in this run, 0..1.
        configured: The one that the configuration says.
        start: Capture time of the clip's beginning, seconds since 1970 UTC.
        frames: How many frames are known.
        length_s: How long the clip says it is; None where it does not say.
        finished: Whether the end was reached, or `error` was.
        error: Why it cannot be read further, in a sentence; None where nothing is wrong.
        full: Whether it was left off because too many frames were kept.
        notes: What is looked with, and what could not be had.
        blurred: Whether faces are blurred in its pictures.
        events: The Events so far, in the order in which they were reported first.
        ending: What was reported because the clip has ended.
        before: The Events of the run before, with another threshold; empty where there was none.
        before_threshold: The threshold of that run.
    """

    run: int
    clip: str
    camera: str
    threshold: float
    configured: float
    start: float
    frames: int
    length_s: float | None
    finished: bool
    error: str | None
    full: bool
    notes: tuple[str, ...]
    blurred: bool
    events: tuple[ClipEvent, ...]
    ending: tuple[Observation | Event, ...] = ()
    before: tuple[ClipEvent, ...] = ()
    before_threshold: float | None = None


class ClipDebugger(Protocol):
    """A clip that is run through the pipeline of one camera, and what was recorded on the way. Safe from any thread."""

    def state(self) -> ClipRun:
        """How far it is."""
        ...

    def glances(self, since: int) -> tuple[int, Sequence[Glance]]:
        """The number of the run, and its frames from this number on, as far as they are known."""
        ...

    def frame(self, number: int) -> ClipFrame | None:
        """What was recorded of a frame; None where it is not known (yet)."""
        ...

    def picture(self, number: int) -> "Future[Picture]":
        """A redacted Picture of a frame that is known; its failure is a BlikkError: PrivacyError for the blur's."""
        ...

    def again(self, threshold: float) -> int:
        """Run it again from its beginning with this threshold, 0..1; the number of that run."""
        ...
