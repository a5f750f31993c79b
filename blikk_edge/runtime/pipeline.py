"""One camera: Frame in, Observations, Events, Pictures and state out. The same code live and in a replay."""

import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from types import MappingProxyType
from typing import Final, Protocol

from blikk_edge.core.concepts import Concept
from blikk_edge.core.errors import PrivacyError
from blikk_edge.core.geometry import Box
from blikk_edge.core.live import LIVE, Audience, LiveFrame
from blikk_edge.core.measures import MeasureReporter
from blikk_edge.core.observation import Event, Observation, Phase
from blikk_edge.core.parcels import Lying, ParcelChange
from blikk_edge.core.paths import PathRecorder
from blikk_edge.core.picture import FRAME, SNAPSHOT, Picture, Wanted
from blikk_edge.core.ports import Item
from blikk_edge.core.probe import CameraProbe, FrameNote, Outcome, Span, Stage, why
from blikk_edge.core.reporter import Changed, EventReporter, Reported
from blikk_edge.core.scene import Frame, Scene
from blikk_edge.core.sightings import BLURRED, Cells, Label, Motion, Reason, Track, View, moves
from blikk_edge.core.stages import AppearanceReader, PartDetector, Redactor, Step
from blikk_edge.core.status import CameraState
from blikk_edge.core.trouble import Trouble
from blikk_edge.runtime import log
from blikk_edge.runtime.detect import Closer, Detect, Meter
from blikk_edge.runtime.looks import Looks
from blikk_edge.runtime.parcel_pictures import ParcelPictures, ParcelStep
from blikk_edge.runtime.steps import AddedSteps
from blikk_edge.runtime.switches import Switches
from blikk_edge.runtime.timed_step import TimedStep

FAINT: Final = 0.25
"""A person or a vehicle with a lower score is blurred like any other, and counts for nothing else."""

STATE_EVERY_S: Final = 30.0
STATE_GAP_S: Final = 0.5
"""Changes of the state are reported at once, but not more often than this; the last one always is."""

QUIET_EVERY_S: Final = 1.0
IDLE_EVERY_S: Final = 5.0
IDLE_AFTER_S: Final = 15.0
"""Longer than anything waits that was seen or reported: motion, a lost track, similar observations."""

HINT_LOOKS: Final = 3
HINT_GAP_S: Final = 1.0
"""A hint is worth so many looks, so far apart: who is about to come may not be in the picture yet."""

MOTION_HOLD_S: Final = 10.0
"""How long `motion` stays on after the last; who stands at a door and sways now and then is not a dozen motions."""

SNAPSHOT_EVERY_S: Final = 300.0
PICTURE_GAP_S: Final = 1.0
BETTER: Final = 1.5
"""A later view of an event replaces its Picture when it shows the objects this many times better."""


class Select(Step, Protocol):
    """The step that decides which frames the detector looks at."""

    threshold: float
    reason: Reason | None
    """Why the last frame is worth a look; None where it is not."""


@dataclass(frozen=True, slots=True)
class VisionTools:
    """What a vision worker looks with.

    Attributes:
        detector: The worker's own, used in no other thread.
        redactor: The way out for pixels of one camera.
        appearances: Reads how things look, of all cameras of the worker; None where nothing is searched for.
    """

    detector: PartDetector
    redactor: Redactor
    appearances: AppearanceReader | None = None


@dataclass(slots=True)
class _Shown:
    quality: float
    time: float


class Pipeline:
    """Everything between a camera's frames and what is reported about them, in two halves.

    `glance` is the cheap half, for every frame, in the thread that decodes it: its pixels are still in the processor's
    cache there. `step` is the other, for the frames that `glance` passes on. Each half runs in one thread at a time.
    `open` are the Events that go on, with when the last of each was seen; `paths` notes where their members go.

    Each half is a sequence of steps: motion gate and selection in the one, detector, tracker, zones and the `steps`
    that were added in the other. Those see each frame as `hide` makes it, without its private parts. `probe` is told
    what happens, in seconds of the `stopwatch`. Raises ConfigError where added steps cannot go together.
    """

    def __init__(
        self,
        *,
        camera: str,
        gate: Step,
        select: Select,
        track: Step,
        zones: Step,
        reporter: EventReporter,
        labels: Collection[Label],
        steps: Sequence[Step] = (),
        concepts: Sequence[Concept] = (),
        hide: Callable[[Frame], Frame] = lambda frame: frame,
        faint_below: Mapping[Label, float] = MappingProxyType(dict.fromkeys(BLURRED, FAINT)),
        closer: Closer | None = None,
        meter: Meter | None = None,
        audience: Audience | None = None,
        cells: Callable[[], Cells | None] = lambda: None,
        paths: PathRecorder | None = None,
        parcels: ParcelStep | None = None,
        stopwatch: Callable[[], float] = time.perf_counter,
        probe: CameraProbe | None = None,
    ) -> None:
        self.camera = camera
        self.switches = Switches(camera, threshold=select.threshold)
        self.frames = 0
        self.added = AddedSteps(steps, hide=hide, stopwatch=stopwatch, probe=probe)
        self._gate = gate
        self._select = select
        self._detect = Detect(labels=labels, faint_below=faint_below, stopwatch=stopwatch, closer=closer, meter=meter)
        self._look: Step = self._detect
        self._parcels = parcels
        self._visited = ParcelPictures(parcels)
        self._taken: str | None = None  # the event that says in this scene that a parcel was taken
        follow: dict[Stage, Step] = {Stage.TRACK: track}
        if parcels is not None:
            parcels.ask = self.hint
            follow[Stage.PARCELS] = parcels
        follow[Stage.ZONES] = zones
        self._follow = tuple(follow.values())
        if probe is not None:
            self._look = TimedStep(self._detect, Stage.DETECT, probe, stopwatch)
            self._follow = tuple(TimedStep(step, stage, probe, stopwatch) for stage, step in follow.items())
        self._probe = probe
        self._stopwatch = stopwatch
        self._reporter = reporter
        self._measured = MeasureReporter(camera, self.added.measures, ids=reporter.ids)
        self._looks = Looks(concepts)
        self._labels = frozenset(labels)
        self._audience = audience
        self._cells = cells
        self._live_cells: dict[int, Cells | None] = {}  # of frames that are shown, until they are
        self._paths = paths
        self._tracks: tuple[Track, ...] = ()
        self._selecting = True
        self._reporting = False
        self._wanted: deque[Wanted] = deque()
        self._hinted: float | None = None  # handed over by `hint`
        self._hint_due: float | None = None
        self._hint_looks = 0
        self._open: dict[str, Event] = {}
        self._shown: dict[str, _Shown] = {}
        self._snapshot_at: float | None = None
        self._moved_at: float | None = None
        self._passed_at = self._busy_at = float("-inf")
        self._glanced: int | None = None  # the timeline of the last frame that each half has seen
        self._timeline: int | None = None
        self.open: tuple[tuple[str, float], ...] = ()
        self._state: CameraState | None = None
        self._state_at = 0.0
        self._blind = Trouble(log.part(f"camera.{camera}"), "no Picture leaves: %s")

    @property
    def inferences(self) -> int:
        """How often the detector has looked."""
        return self._detect.inferences

    @property
    def reporter(self) -> EventReporter:
        """What this camera has reported so far; its parked vehicles outlive the process."""
        return self._reporter

    @property
    def lying(self) -> tuple[Lying, ...]:
        """The parcels that lie there now; they outlive the process."""
        return () if self._parcels is None else self._parcels.lying

    def reopen(self) -> None:
        """The stream was opened anew: the background is learnt again, and the first frame is looked at."""
        self._gate.reset()
        self._select.reset()

    def want(self, name: str, event: str | None = None) -> None:
        """Ask for a Picture of the next frame under this name, of an Event or Ring. Safe from any thread."""
        self._wanted.append(Wanted(name, event))

    def hint(self, time: float) -> None:
        """Somebody else saw something at this time, in seconds since 1970 UTC: the frames from then on are looked at,
        `HINT_LOOKS` of them. Safe from any thread. What the selection finds worth a look stays as it is.
        """
        self._hinted = time

    def want_again(self, missed: Iterable[Wanted]) -> None:
        """Ask for Pictures of a frame that was dropped. A live view goes on with the frame that is due next anyway."""
        self._wanted.extend(wanted for wanted in missed if wanted.name != LIVE)

    def glance(self, frame: Frame) -> Scene | None:
        """What the motion gate makes of a frame, or None where nothing is to be done with it.

        A quiet frame is passed on once a second for what only time changes: loitering, folding, the state; once in
        five seconds where nobody is.
        """
        self.frames += 1
        if frame.timeline != self._glanced:  # the wall clock was set: times of before mean nothing now
            if self._glanced is not None:
                self._select.reset()
                self._passed_at = self._busy_at = float("-inf")
            self._glanced = frame.timeline
        self._select.threshold = self.switches.threshold
        if self.switches.detect != self._selecting:  # switched on or off: the next frame is the first
            self._selecting = self.switches.detect
            self._select.reset()
        began = 0.0 if self._probe is None else self._stopwatch()
        scene = self._gate(Scene(frame=frame, motion=Motion(view=View.SETTLING), tracks=self._tracks))
        gated = 0.0 if self._probe is None else self._stopwatch()
        if self._selecting:
            scene = self._select(scene)
        hinted = self._take_hint(frame) and self._selecting and not scene.look
        look = scene.look or hinted
        moving = scene.motion.score >= self.switches.threshold or scene.motion.view is View.NEW_SCENE
        wanted = self._take_wanted()
        if self._audience is not None and self._audience.due(self.camera, frame.time):
            wanted = (*wanted, Wanted(LIVE))
            self._live_cells = {frame.seq: self._cells()}
        if look or moving:
            self._busy_at = frame.time
        pause_s = QUIET_EVERY_S if self._lively(frame.time) else IDLE_EVERY_S
        passed = bool(look or moving or wanted) or not 0 <= frame.time - self._passed_at < pause_s
        if self._probe is not None:
            seen = replace(scene, wanted=wanted)
            self._note(self._probe, seen, passed=passed, gate=(began, gated), hinted=hinted)
        if not passed:
            return None
        self._passed_at = frame.time
        return replace(scene, look=look or bool(wanted), wanted=wanted)

    def _take_hint(self, frame: Frame) -> bool:
        """Whether a hint makes this frame worth a look. What was slept through before the hint is none of its."""
        if self._hinted is not None:
            self._hint_due, self._hinted, self._hint_looks = self._hinted, None, HINT_LOOKS
        if self._hint_due is None or frame.time < self._hint_due:
            return False
        self._hint_looks -= 1
        self._hint_due = frame.time + HINT_GAP_S if self._hint_looks else None
        return True

    def _note(self, probe: CameraProbe, scene: Scene, *, passed: bool, gate: Span, hinted: bool) -> None:
        motion, threshold, selecting = scene.motion, self._select.threshold, self._selecting
        reason = self._select.reason if selecting else None
        note = FrameNote(
            seq=scene.frame.seq,
            time=scene.frame.time,
            timeline=scene.frame.timeline,
            view=motion.view,
            score=motion.score,
            threshold=threshold,
            why=why(
                Reason.HINT if hinted else reason,
                view=motion.view,
                score=motion.score,
                threshold=threshold,
                selecting=selecting,
                wanted=(wanted.name for wanted in scene.wanted),
            ),
            outcome=Outcome.WAITING if passed else Outcome.SPARED,
        )
        probe.glanced(note, gate, (gate[1], self._stopwatch()))

    def _lively(self, time: float) -> bool:
        """Whether somebody is there, or was a moment ago."""
        return bool(self._tracks) or time - self._busy_at < IDLE_AFTER_S

    def step(self, scene: Scene, tools: VisionTools) -> Iterator[Item]:
        """Look at a scene that `glance` passed on and give what there is to report, the most urgent first.

        Raises ModelError from the detector. Where faces could not be looked for, no Picture comes, and the state says
        why.
        """
        if self._probe is not None:
            self._probe.taken(scene.frame.seq, self._stopwatch())
        if scene.frame.timeline != self._timeline:
            yield from self._change_timeline(scene.frame)
        self._detect.detector = tools.detector
        scene = self._look(scene)
        if self.switches.detect:
            # a look that only served a Picture still counts: the more the tracker sees, the better
            for step in (*self._follow, self.added):
                scene = step(scene)
            self._tracks = scene.tracks
            everybody = yield from self._reported(scene, tools)
        else:
            if self._reporting:
                yield from self.close(scene.frame.time)
            everybody = self._everybody(scene)
        yield from self._pictures(scene, everybody, tools)
        self._show(scene, everybody, tools)
        yield from self._state_of(scene)
        if self._probe is not None:
            self._probe.done(scene.frame.seq, Outcome.LOOKED if scene.analysed else Outcome.PASSED)

    def _reported(self, scene: Scene, tools: VisionTools) -> Generator[Item, None, Callable[[], Scene]]:
        """What changed in a scene, as events, observations and states; returns who may have to be blurred in it."""
        self._reporting = True
        if self._reporter.event_threshold != self.switches.threshold:
            self._reporter.event_threshold = self.switches.threshold
        began = 0.0 if self._probe is None else self._stopwatch()
        changed = self._reporter.changed(scene)
        if self._probe is not None:
            self._probe.spent(Stage.REPORT, (began, self._stopwatch()))
            for event in changed.events:
                self._probe.reported(event)
        if self._paths is not None and scene.analysed:
            self._paths.see(scene.frame.time, scene.tracks, self._reporter.members)
        self._taken = next((e.id for e in changed.events if e.change is ParcelChange.TAKEN), None)
        self.open = self._reporter.open
        if changed.events:  # who hears of one and asks who is there must not get an older answer
            yield from self._state_of(scene, gap_s=0.0)
        yield from self._events(changed)
        everybody = self._everybody(scene)
        observations = self._reporter.folded(changed, self._looks.of(changed, everybody, tools))
        measured = self._measured.report(scene)
        if observations or measured:
            yield from self._state_of(scene, gap_s=0.0)
        yield from observations
        yield from measured
        return everybody

    def close(self, at: float | None = None) -> Iterator[Item]:
        """End what is open and forget who was there: the stream is lost for long, detection was switched off, or the
        node stops. What is seen afterwards is seen for the first time. Without `at` it ends with the last scene.
        """
        yield from self._end(self._reporter.end(at), self._measured.end(at))

    def _change_timeline(self, frame: Frame) -> Iterator[Item]:
        """The wall clock was set: what is open ends as if it had not been, and time begins anew."""
        before, self._timeline = self._timeline, frame.timeline
        if before is None:
            return
        yield from self._end(self._reporter.end_timeline(), self._measured.end_timeline())
        self._shown.clear()
        self._snapshot_at = None
        # what moved a moment ago still did so a moment ago
        self._moved_at = frame.time if self._state is not None and self._state.motion else None
        self._state_at = float("-inf")

    def _end(self, reported: Reported, measured: tuple[Observation, ...]) -> Iterator[Item]:
        self._reporting = False
        self.open = ()
        self._tracks = ()
        self._looks.clear()
        for step in (self._detect, *self._follow, self.added):
            step.reset()
        if (state := self._state) is not None and (reported.events or reported.observations or measured):
            self._state = replace(
                state,
                counts=tuple((label, len(self.lying) if label is Label.PACKAGE else 0) for label, _ in state.counts),
                zones=(),
                zone_counts=(),
                measures=self._measured.current,
                concepts=tuple((concept, False) for concept, _ in state.concepts),
            )
            yield self._state
        yield from self._events(reported)
        yield from reported.observations
        yield from measured

    def _events(self, reported: Reported | Changed) -> Iterator[Event]:
        for event in reported.events:
            if event.phase is Phase.ENDED:
                self._open.pop(event.id, None)
                self._shown.pop(event.id, None)
                if self._paths is not None:
                    self._paths.end(event.id)
            else:
                self._open[event.id] = event
            yield replace(event, picture=event.label.value) if self._blind.now is None else event

    def _take_wanted(self) -> tuple[Wanted, ...]:
        wanted: dict[Wanted, None] = {}
        while self._wanted:
            wanted[self._wanted.popleft()] = None
        return tuple(wanted)

    def _everybody(self, scene: Scene) -> Callable[[], Scene]:
        """The scene with everybody in it who may have to be blurred; looked for once, and only where a Picture is due.

        An edge client may be old, or lie: whom it has not named is blurred too. Ours come first, for of two boxes of
        one person the first counts.
        """
        faint = self._detect.faint

        @cache
        def everybody() -> Scene:
            ours = () if scene.frame.found is None else self._detect.find(scene)
            return replace(scene, detections=ours + scene.detections + faint)

        return everybody

    def _pictures(
        self, scene: Scene, everybody: Callable[[], Scene], tools: VisionTools
    ) -> Iterator[Picture | Observation]:
        """The Pictures that are due, as long as faces can be looked for, and what their looks add."""
        taken, self._taken = self._taken, None
        yield from self._visited.of(scene, taken, lambda: self._parcel_picture(everybody(), tools))
        due = self._due(scene) if scene.analysed else []
        for wanted, event in due:
            try:
                picture = self._redacted(everybody(), tools, name=wanted.name, event=wanted.event)
            except PrivacyError as error:
                self._blind.start(str(error))
                return
            self._blind.end("Pictures can be redacted now")
            if wanted.name == SNAPSHOT:
                self._snapshot_at = scene.frame.time
            if event is not None:
                self._shown[event.id] = _Shown(_quality(event, scene.tracks), scene.frame.time)
                self._looks.shown(picture, event, scene, tools)
            yield picture
            if wanted.name == SNAPSHOT and self._reporting and not self._open:
                look = self._looks.whole(picture, tools)
                yield from () if look is None else self._reporter.pictured(scene, look)

    def _parcel_picture(self, everybody: Scene, tools: VisionTools) -> Picture | None:
        try:
            return self._redacted(everybody, tools, name=Label.PACKAGE.value)
        except PrivacyError:  # `_pictures` says so
            return None

    def _redacted(self, everybody: Scene, tools: VisionTools, *, name: str, event: str | None = None) -> Picture:
        """A Picture of the scene with everybody who may have to be blurred; raises PrivacyError."""
        began = 0.0 if self._probe is None else self._stopwatch()
        try:
            picture = tools.redactor.picture(everybody, name=name, event=event)
        except PrivacyError:
            if self._probe is not None:
                self._probe.failed(Stage.REDACT)
            raise
        if self._probe is not None:
            self._probe.spent(Stage.REDACT, (began, self._stopwatch()))
        return picture

    def _show(self, scene: Scene, everybody: Callable[[], Scene], tools: VisionTools) -> None:
        """Hand the frame to those who look at the live view, redacted like every Picture, or why it cannot be."""
        if self._audience is None or Wanted(LIVE) not in scene.wanted:
            return
        frame = LiveFrame(
            camera=self.camera,
            time=scene.frame.time,
            motion=scene.motion,
            cells=self._live_cells.get(scene.frame.seq),
            tracks=tuple(track for track in self._tracks if track.confirmed and not track.missed),
            threshold=self.switches.threshold,
        )
        try:
            frame = replace(frame, picture=self._redacted(everybody(), tools, name=LIVE))
        except PrivacyError as error:
            frame = replace(frame, problem=str(error))
        self._audience.show(frame)

    def _due(self, scene: Scene) -> list[tuple[Wanted, Event | None]]:
        """What was asked for, events that are shown better now than in their last Picture, and the still."""
        now = scene.frame.time
        still = Wanted(SNAPSHOT)
        due: list[tuple[Wanted, Event | None]] = [
            (wanted, None) for wanted in scene.wanted if wanted not in {still, Wanted(LIVE)}
        ]
        for event in self._open.values():
            shown = self._shown.get(event.id)
            if shown is None or (
                _quality(event, scene.tracks) > BETTER * shown.quality and now - shown.time >= PICTURE_GAP_S
            ):
                due.append((Wanted(event.label.value, event.id), event))
        stale = self._snapshot_at is None or now - self._snapshot_at >= SNAPSHOT_EVERY_S or self._blind.now is not None
        shows = any(wanted.name != FRAME for wanted, _ in due)
        return [*due, (still, None)] if shows or stale or still in scene.wanted else due

    def _state_of(self, scene: Scene, *, gap_s: float = STATE_GAP_S) -> Iterator[CameraState]:
        """The state, where it is due: once it differs, but not within `gap_s` of the last one."""
        now = scene.frame.time
        if moves(scene.motion.view, scene.motion.score, self.switches.threshold):
            self._moved_at = now
        here = [t for t in self._tracks if t.confirmed and t.label in self._labels]
        state = CameraState(
            camera=self.camera,
            online=True,
            motion=self._moved_at is not None and now - self._moved_at < MOTION_HOLD_S,
            score=round(scene.motion.score, 2),
            counts=tuple((label, sum(t.label is label for t in here)) for label in Label if label in self._labels),
            zones=_occupied(here),
            zone_counts=_occupied_by(here),
            inference_ms=self._detect.inference_ms,
            frames=self.frames,
            inferences=self.inferences,
            skipped=(*self.added.skipped, *([("search", self._looks.skipped)] if self._looks.skipped else [])),
            measures=self._measured.current,
            concepts=self._looks.concepts(self._tracks, now),
            detect=self.switches.detect,
            threshold=self.switches.threshold,
            problem=self._blind.now,
        )
        due = gap_s if _differs(self._state, state) else STATE_EVERY_S
        if self._state is None or now - self._state_at >= due:
            self._state, self._state_at = state, now
            yield state


def _quality(event: Event, tracks: tuple[Track, ...]) -> float:
    """How well an event's objects can be seen: the best of area times score, less where the picture's side cuts them.

    The lower border cuts everybody who stands close, and takes nothing from their picture.
    """
    members = {o.track for o in event.objects}
    seen = [t for t in tracks if t.id in members and not t.missed]
    return max((t.box.area * t.score * (0.5 if _cut(t.box) else 1.0) for t in seen), default=0.0)


def _cut(box: Box) -> bool:
    return box.x1 <= 0.01 or box.x2 >= 0.99 or box.y1 <= 0.0


def _occupied(tracks: list[Track]) -> tuple[tuple[str, int], ...]:
    names = [name for t in tracks for name in t.zones]
    return tuple((name, names.count(name)) for name in sorted(set(names)))


def _occupied_by(tracks: list[Track]) -> tuple[tuple[str, Label, int], ...]:
    places = Counter((name, t.label) for t in tracks for name in t.zones)
    return tuple((name, label, count) for (name, label), count in sorted(places.items()))


def _differs(before: CameraState | None, after: CameraState) -> bool:
    """Whether something a user would notice changed."""
    return before is None or _noticed(before) != _noticed(after)


def _noticed(state: CameraState) -> tuple[object, ...]:
    return (
        state.motion,
        state.counts,
        state.zone_counts,
        state.measures,
        state.concepts,
        state.detect,
        state.threshold,
        state.problem,
    )
