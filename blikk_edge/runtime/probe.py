"""What a running node knows of its frames: ten minutes of them, how long each stage takes, when sinks had it."""

import time
from array import array
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from math import ceil, inf
from typing import Final

from blikk_edge.core.observation import Event, Record
from blikk_edge.core.probe import (
    CameraFigures,
    FrameNote,
    NodeFigures,
    Outcome,
    Run,
    Span,
    Stage,
    Timing,
    Why,
    first_seen,
    runs,
)
from blikk_edge.core.sightings import View

KEPT_S: Final = 600.0
FPS_MAX: Final = 30.0
"""Of a faster camera less than ten minutes are kept."""

LATELY: Final = 512
"""The median is that of so many: of a stage that every frame goes through, almost two minutes."""

STAGE_BOUNDS_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SIGHT_BOUNDS_S: Final = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0)

SEARCHED: Final = 900
"""So many frames back a frame is looked for that was dropped or looked at; a lane holds fifteen."""

_VIEWS: Final = tuple(View)
_WHYS: Final = tuple(Why)
_OUTCOMES: Final = tuple(Outcome)
_VIEW_OF: Final = {view: code for code, view in enumerate(_VIEWS)}
_WHY_OF: Final = {why: code for code, why in enumerate(_WHYS)}
_OUTCOME_OF: Final = {outcome: code for code, outcome in enumerate(_OUTCOMES)}


class Histogram:
    """Seconds, counted by upper bounds. Added to in one thread at a time, read in any."""

    def __init__(self, bounds_s: Sequence[float] = STAGE_BOUNDS_S) -> None:
        self._bounds_s = bounds_s
        self._counts = array("Q", bytes(8 * (len(bounds_s) + 1)))
        self._total_s = 0.0
        self._lately = array("f")
        self._next = 0

    def add(self, spent_s: float) -> None:
        """Count one."""
        self._counts[bisect_left(self._bounds_s, spent_s)] += 1
        self._total_s += spent_s
        if len(self._lately) < LATELY:
            self._lately.append(spent_s)
        else:
            self._lately[self._next] = spent_s
        self._next = (self._next + 1) % LATELY

    def read(self) -> Timing:
        """What it holds now."""
        counts, lately, last = list(self._counts), self._lately[:], self._next - 1
        buckets, count = [], 0
        for bound_s, inside in zip((*self._bounds_s, inf), counts, strict=True):
            count += inside
            buckets.append((bound_s, count))
        ordered = sorted(lately)
        return Timing(
            count=count,
            total_s=self._total_s,
            buckets=tuple(buckets),
            p50_s=ordered[len(ordered) // 2] if ordered else None,
            p95_s=ordered[min(len(ordered) - 1, ceil(0.95 * len(ordered)) - 1)] if ordered else None,
            last_s=lately[last] if ordered else None,
        )


class CameraFrames:
    """The last ten minutes of one camera's frames, and how long its stages take; implements `core.probe.CameraProbe`.

    Each array has one writer at a time; whoever reads copies first and throws away what may have been written over.
    """

    def __init__(self, fps: float) -> None:
        self._size = ceil(KEPT_S * min(max(fps, 0.1), FPS_MAX))
        zeros = bytes(8 * self._size)
        self._seqs = array("Q", zeros)
        self._times = array("d", zeros)
        self._glanced_at = array("d", zeros)  # seconds of the stopwatch
        self._timelines = array("I", bytes(4 * self._size))
        self._scores = array("d", zeros)
        self._thresholds = array("d", zeros)
        self._views = bytearray(self._size)
        self._whys = bytearray(self._size)
        self._outcomes = bytearray(self._size)
        self._count = 0  # frames so far; the newest is at (count - 1) % size
        self._totals = [0] * len(_OUTCOMES)
        self._reasons = [0] * len(_WHYS)
        self._stages: dict[str, Histogram] = {}
        self._failures: dict[str, int] = {}

    # -- what it is notified of (core.probe.CameraProbe) --------------------------------------------------------------

    def decoded(self, spent_s: float) -> None:
        """The pictures of the stream since the frame before took so long to decode."""
        self._histogram(Stage.DECODE).add(spent_s)

    def glanced(self, note: FrameNote, gate: Span, select: Span) -> None:
        """The cheap half of the pipeline is done with a frame."""
        place = self._count % self._size
        self._seqs[place] = note.seq
        self._times[place] = note.time
        self._glanced_at[place] = select[1]
        self._timelines[place] = note.timeline
        self._scores[place] = note.score
        self._thresholds[place] = note.threshold
        self._views[place] = _VIEW_OF[note.view]
        self._whys[place] = why = _WHY_OF[note.why]
        self._outcomes[place] = outcome = _OUTCOME_OF[note.outcome]
        self._count += 1
        self._reasons[why] += 1
        if note.outcome is not Outcome.WAITING:
            self._totals[outcome] += 1
        self._histogram(Stage.GATE).add(gate[1] - gate[0])
        self._histogram(Stage.SELECT).add(select[1] - select[0])

    def dropped(self, seq: int, outcome: Outcome) -> None:
        """A frame that was passed on is dropped."""
        self._settle(seq, outcome)

    def taken(self, seq: int, at: float) -> None:
        """A vision worker begins to look at a frame."""
        place = self._place(seq)
        if place is not None:
            self._histogram(Stage.WAIT).add(max(0.0, at - self._glanced_at[place]))

    def spent(self, stage: str, span: Span) -> None:
        """A stage is done with the frame."""
        self._histogram(stage).add(span[1] - span[0])

    def failed(self, stage: str) -> None:
        """A stage could not do its work with the frame."""
        self._failures[stage] = self._failures.get(stage, 0) + 1

    def reported(self, event: Event) -> None:
        """The frame has brought this revision of an Event."""

    def done(self, seq: int, outcome: Outcome) -> None:
        """The pipeline is done with a frame."""
        self._settle(seq, outcome)

    # -- what it knows, for any thread ---------------------------------------------------------------------------

    def frames(self, *, since: float | None = None) -> tuple[FrameNote, ...]:
        """The frames of the last ten minutes, oldest first; those captured at `since` or later, where it is given.

        After the wall clock was set, `since` leaves out what was captured before that.
        """
        before = self._count
        seqs, times, timelines = self._seqs[:], self._times[:], self._timelines[:]
        scores, thresholds = self._scores[:], self._thresholds[:]
        views, whys, outcomes = bytes(self._views), bytes(self._whys), bytes(self._outcomes)
        size = self._size
        # what was being written while this was copied is not used; one more is written at any time
        oldest = max(0, self._count + 1 - size)
        places = [number % size for number in range(oldest, before)]
        if since is not None:
            newest = timelines[places[-1]] if places else 0
            places = [place for place in places if timelines[place] == newest and times[place] >= since]
        return tuple(
            FrameNote(
                seq=seqs[place],
                time=times[place],
                timeline=timelines[place],
                view=_VIEWS[views[place]],
                score=scores[place],
                threshold=thresholds[place],
                why=_WHYS[whys[place]],
                outcome=_OUTCOMES[outcomes[place]],
            )
            for place in places
        )

    def figures(self, camera: str) -> CameraFigures:
        """What was measured since start."""
        return CameraFigures(
            camera=camera,
            frames=self._count,
            outcomes={o: n for o, n in zip(_OUTCOMES, list(self._totals), strict=True) if o is not Outcome.WAITING},
            reasons=dict(zip(_WHYS, list(self._reasons), strict=True)),
            stages=self._read_stages(),
            failures=dict(self._failures),
        )

    def _read_stages(self) -> Mapping[str, Timing]:
        found = dict(self._stages)
        own = [str(stage) for stage in Stage]
        after = own.index(Stage.ZONES) + 1
        names = (*own[:after], *sorted(found.keys() - set(own)), *own[after:])
        return {name: found[name].read() for name in names if name in found}

    # -- helpers -------------------------------------------------------------------------------------------------

    def _settle(self, seq: int, outcome: Outcome) -> None:
        place = self._place(seq)
        if place is not None and self._outcomes[place] == _OUTCOME_OF[Outcome.WAITING]:
            self._outcomes[place] = _OUTCOME_OF[outcome]
            self._totals[_OUTCOME_OF[outcome]] += 1

    def _place(self, seq: int) -> int | None:
        newest = self._count
        for number in range(newest - 1, max(-1, newest - 1 - min(SEARCHED, self._size)), -1):
            if self._seqs[number % self._size] == seq:
                return number % self._size
        return None

    def _histogram(self, stage: str) -> Histogram:
        found = self._stages.get(stage)
        return found if found is not None else self._stages.setdefault(stage, Histogram())


class NodeProbe:
    """What a running node knows of its frames; implements `core.probe.Probe` and `Readings`.

    `fps` are the frames per second of each camera, `now` is the wall clock that gives capture times.
    """

    def __init__(self, fps: Mapping[str, float], *, now: Callable[[], float] = time.time) -> None:
        self._cameras = {camera: CameraFrames(each) for camera, each in fps.items()}
        self._now = now
        self._handed: dict[tuple[str, str], Histogram] = {}
        self._acknowledged: dict[tuple[str, str], Histogram] = {}
        self._journal = Histogram()
        self._publish: dict[str, Histogram] = {}

    def camera(self, camera: str) -> CameraFrames:
        """One camera's frames; raises KeyError where there is no such camera."""
        return self._cameras[camera]

    def journaled(self, record: Record, span: Span) -> None:  # noqa: ARG002 - which one it was does not matter here
        """A record was written to the journal."""
        self._journal.add(span[1] - span[0])

    def handed(self, sink: str, record: Record) -> None:
        """A sink has been given a record."""
        self._sight(self._handed, sink, record)

    def acknowledged(self, sink: str, records: Sequence[Record], span: Span) -> None:
        """A durable sink has taken a batch of records."""
        self._publish.setdefault(sink, Histogram()).add(span[1] - span[0])
        for record in records:
            self._sight(self._acknowledged, sink, record)

    def figures(self) -> NodeFigures:
        """What was measured since start."""
        return NodeFigures(
            cameras=tuple(each.figures(camera) for camera, each in self._cameras.items()),
            journal=self._journal.read(),
            publish={sink: each.read() for sink, each in dict(self._publish).items()},
            to_sinks={key: each.read() for key, each in dict(self._handed).items()},
            to_acknowledgements={key: each.read() for key, each in dict(self._acknowledged).items()},
        )

    def frames(self, camera: str, *, since: float | None = None) -> Sequence[FrameNote]:
        """The frames of the last ten minutes; see `core.probe.Readings`."""
        return self._cameras[camera].frames(since=since)

    def would_move(self, camera: str, threshold: float) -> Sequence[Run]:
        """The runs of motion that they would have made with this threshold."""
        return runs(self.frames(camera), threshold)

    def _sight(self, histograms: dict[tuple[str, str], Histogram], sink: str, record: Record) -> None:
        seen = first_seen(record)
        if seen is None or not isinstance(record, Event) or record.camera not in self._cameras:
            return
        spent_s = self._now() - seen
        if spent_s >= 0:  # else the clock was set meanwhile
            key = (record.camera, sink)
            histograms.setdefault(key, Histogram(SIGHT_BOUNDS_S)).add(spent_s)
