"""One running camera: its reader thread, its pipeline, and what is restarted when either goes wrong."""

import threading
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Final

from blikk_edge.core.backoff import Backoff
from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import ModelError, SourceError, StepError
from blikk_edge.core.nothing_new import LastAnswer
from blikk_edge.core.observation import Event, Phase
from blikk_edge.core.parcels import Lying
from blikk_edge.core.parked import Parked
from blikk_edge.core.picture import FRAME
from blikk_edge.core.ports import Item
from blikk_edge.core.probe import CameraProbe, Outcome, Stage
from blikk_edge.core.scene import Frame, Scene
from blikk_edge.core.stages import Source
from blikk_edge.core.status import CameraAvailability, CameraInfo, CameraState, SummaryMode
from blikk_edge.language.language import lasting
from blikk_edge.runtime import log
from blikk_edge.runtime.mailbox import Attempts, Intake
from blikk_edge.runtime.pipeline import Pipeline, VisionTools
from blikk_edge.runtime.scheduler import SupervisedThread, Supervisor
from blikk_edge.runtime.switches import Switches

LOST_AFTER_S: Final = 30.0
"""A stream away for longer ends the events that were open; a short drop-out does not."""

FPS_WINDOW: Final = 25

READER_END_S: Final = 1.0
"""So long the end waits for a reader: between two frames it ends at once, and libav may wait until its own limits."""

STEADY_S: Final = 60.0
"""A pipeline that has run so long since it was restarted works again."""

VISION: Final = "vision"
"""The part that the vision workers are, in logs and problems."""


class CameraRun:
    """A camera of a running node.

    `read` is the body of its reader thread, `look` is called by a vision worker with each scene. `deliver` takes what
    there is to publish, from any thread; `remember_parked` and `remember_lying` say whether they could. A `finite`
    source (a demo's file) ends; any other is opened again for ever. One that broke counts as away after
    `away_after_s`; 0: at once. `rings` are the ways in which its doorbell may be pressed; each of its pipelines has the
    same `switches`. `attempts` says
    when a reader whose last attempt gave no frame may try again; before a connection's first frame a reader may say
    nothing for `opening_s` longer than `stall_s`. Of a `pushed` one
    whose summaries are made by VISION every frame becomes a Picture for the model. Its `info` names what the added
    steps of its pipeline measure, too. `probe` is notified of frames that the pipeline did not get to the end of.
    `unchanged` says when its source last heard that the picture is the one of before: what nobody has seen for long is
    over, though the camera is there.
    `wake` wakes a source that sleeps; `moved_to` is where it is, if that is elsewhere than was configured; `elsewhere`
    says in a sentence why it is not watched by this node, where several share it.
    """

    def __init__(
        self,
        info: CameraInfo,
        *,
        shown_source: str,
        make_source: Callable[[], Source],
        make_pipeline: Callable[[], Pipeline],
        switches: Switches,
        deliver: Callable[[Item], None],
        remember_parked: Callable[[tuple[Parked, ...]], bool],
        remember_lying: Callable[[tuple[Lying, ...]], bool] = lambda _lying: True,
        intake: Intake,
        supervisor: Supervisor,
        clock: Clock,
        stall_s: float,
        opening_s: float = 0.0,
        attempts: Attempts | None = None,
        away_after_s: float = 0.0,
        finite: bool = False,
        rings: Collection[str] = ("mqtt", "http", "gpio"),
        pushed: bool = False,
        probe: CameraProbe | None = None,
        unchanged: LastAnswer | None = None,
        wake: Callable[[], None] = lambda: None,
        moved_to: Callable[[], str | None] = lambda: None,
        elsewhere: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._make_pipeline = make_pipeline
        self.switches = switches
        self._pipeline = self._made_pipeline()
        self.info = replace(info, measures=self._pipeline.added.measures)
        self.part = f"camera.{info.id}"
        self.stall_s = stall_s
        self.rings = frozenset(rings) if info.ring else frozenset[str]()
        self.finished = threading.Event()
        self.restarts = 0
        self._shown_source = shown_source
        self._make_source = make_source
        self._source = make_source()
        self._opening_s = opening_s
        self._attempts = attempts
        self._attempt: int | None = None  # the place of the reader that connects now
        self._unreached = False  # whether the last attempt gave no frame
        self._opening = False
        self._hung: set[str] = set()  # added steps; each time one hangs, a thread is lost
        self._deliver = deliver
        self._remember_parked = remember_parked
        self._remember_lying = remember_lying
        self._parked = self._pipeline.reporter.parked
        self._lying = self._pipeline.lying
        self._intake = intake
        self._supervisor = supervisor
        self._clock = clock
        self._away_after_s = away_after_s
        self._finite = finite
        self._pushed = pushed
        self._probe = probe
        self._unchanged = unchanged
        self._ended_at: float | None = None  # arrival of the frame that was the last one for long
        self._wake = wake
        self._moved_to = moved_to
        self._elsewhere = elsewhere
        self._online: bool | None = None
        self._broken_since: float | None = None  # None while frames come that are believed
        self._lost_since: float | None = None  # as long, until the events that were open have been ended
        self._arrivals: deque[float] = deque(maxlen=FPS_WINDOW)
        self._captured: tuple[float, float] | None = None  # capture time of the last frame, and when it came
        self._heard_at: float | None = None  # when a frame came or a connection was begun; None between connections
        self._last_state: CameraState | None = None
        self._backoff = Backoff()
        self._rest_until = 0.0

    # -- reader thread -------------------------------------------------------------------------------------------

    def read(self, thread: SupervisedThread) -> None:
        """Read the stream until it ends or breaks; raises SourceError for whoever opens it again."""
        attempt = None
        if self._attempts is not None and self._unreached and (attempt := self._attempts.enter()) is None:
            return
        self._attempt, self._opening = attempt, True
        self._heard_at = self._clock.monotonic()
        finished, fresh = False, True
        try:
            for frame in self._source.frames(thread.stop):
                if thread.stop.is_set():
                    return  # retired: a newer reader has taken over
                self._frame(frame, fresh=fresh)
                if fresh:
                    fresh = self._opening = self._unreached = False
                    self._leave(attempt)
                if thread.stop.is_set():
                    return
                if thread.well():
                    self._broken_since = self._lost_since = None
                    self._set_online(True)
            finished = self._finite
        finally:
            self._leave(attempt)
            if not thread.stop.is_set():
                self._heard_at = None
                self._unreached = fresh
                if not finished:
                    self._broke(frames=not fresh)
        if finished:
            self.finished.set()
        elif not thread.stop.is_set():
            raise SourceError(f"{self._shown_source}: the stream ended; opening it again")

    def _leave(self, attempt: int | None) -> None:
        if self._attempts is not None:
            self._attempts.leave(attempt)

    def _frame(self, frame: Frame, *, fresh: bool) -> None:
        """Look at a frame, `fresh` from a connection that has just been opened, online or not yet."""
        self._heard_at = now = self._clock.monotonic()
        self._arrivals.append(now)
        self._captured = frame.time, now
        pipeline = self._pipeline
        if fresh:
            pipeline.reopen()
        if self._pushed and self.switches.summary is SummaryMode.VISION:
            pipeline.want(FRAME)
        if (scene := pipeline.glance(frame)) is not None:
            frame.light()
            pipeline.want_again(self._intake.offer(scene))

    def _broke(self, *, frames: bool) -> None:
        """The stream broke, or could not be opened; `frames` says whether some had come, believed or not."""
        now = self._clock.monotonic()
        if self._broken_since is None:
            self._broken_since = now
        if self._lost_since is None and (frames or self._online is not False):
            self._lost_since = now
        self.report_away()

    # -- vision worker -------------------------------------------------------------------------------------------

    def look(self, scene: Scene, tools: VisionTools) -> None:
        """Take one scene through the pipeline. What fails in it restarts this camera's pipeline, visibly.

        Raises ModelError: the worker's tools, not this camera, need to be made anew.
        """
        now, pipeline = self._clock.monotonic(), self._pipeline
        if now < self._rest_until:
            self._note(scene, Outcome.PAUSED)
            return
        try:
            with self._supervisor.guard(f"{self.part}.pipeline", let=ModelError) as outcome:
                for item in pipeline.step(scene, tools):
                    if self._pipeline is not pipeline:
                        self._note(scene, Outcome.FAILED)
                        return  # this worker was given up as stuck: another pipeline reports now
                    self._publish(item)
        except ModelError:
            self._note(scene, Outcome.FAILED)
            if self._probe is not None:
                self._probe.failed(Stage.DETECT)
            raise
        if outcome.failed:
            self._note(scene, Outcome.FAILED)
            self.restart_pipeline()
            self._rest_until = now + self._backoff.next_s()
        elif now - self._rest_until > STEADY_S:
            self._backoff.reset()
            self._supervisor.well(f"{self.part}.pipeline")
        self._look_at_steps(self._pipeline)
        if (parked := pipeline.reporter.parked) != self._parked and self._remember_parked(parked):
            self._parked = parked
        if (lying := pipeline.lying) != self._lying and self._remember_lying(lying):
            self._lying = lying

    def close(self) -> None:
        """End open events; only while nobody looks at this camera (`Intake.hold`)."""
        with self._supervisor.guard(f"{self.part}.pipeline"):
            for item in self._pipeline.close(self._capture_time()):
                self._publish(item)

    def restart_pipeline(self) -> None:
        """A new pipeline with the same switches; the events of the old one are ended so that none stays open.

        Its added steps are made anew too, so those that were switched off are tried again, but for one that hung.
        """
        old = self._pipeline
        if (hung := old.added.running) is not None:
            self._hung.add(hung)
        self.close()
        self._pipeline = self._made_pipeline()
        for name in self._hung:
            self._pipeline.added.switch_off(name, "switched off until blikk starts again: it hung")
        self._look_at_steps(self._pipeline)
        self.restarts += 1
        self._deliver(self.state())

    # -- event loop ----------------------------------------------------------------------------------------------

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline that runs now."""
        return self._pipeline

    def hint(self) -> None:
        """Somebody else saw something: look now."""
        self._pipeline.hint(self._clock.now())
        self._wake()

    @property
    def online(self) -> bool:
        """Whether frames come."""
        return bool(self._online)

    @property
    def known(self) -> bool:
        """Whether it is known yet whether frames come."""
        return self._online is not None

    @property
    def waited_for(self) -> bool:
        """Whether the stream broke a moment ago and may be back before it counts as away."""
        return self._broken_since is not None and bool(self._online)

    def report_away(self) -> None:
        """Report that the stream is away, once it has been so for long; one that was not there yet at once."""
        since = self._broken_since
        if since is None or (self._online and self._clock.monotonic() - since < self._away_after_s):
            return
        self._set_online(False)

    @property
    def silence_s(self) -> float:
        """How long its reader may say nothing now."""
        return self.stall_s + (self._opening_s if self._opening else 0.0)

    def stalled(self) -> bool:
        """Whether the reader hangs: neither a frame nor an error for longer than any limit allows."""
        heard = self._heard_at
        if heard is not None and self._unchanged is not None and self._unchanged.at is not None:
            heard = max(heard, self._unchanged.at)
        return heard is not None and self._clock.monotonic() - heard > self.silence_s

    def reader_replaced(self) -> None:
        """The reader hung and a new one, with a source of its own, takes over."""
        self.restarts += 1
        self._source = self._make_source()
        self._leave(self._attempt)
        self._unreached = self._opening
        self._heard_at = self._broken_since = self._lost_since = self._clock.monotonic()
        self._set_online(False)

    def let_go(self) -> None:
        """Another node watches it from now on: end open events, and begin anew when it comes back.

        Only while nobody looks at it (`Intake.hold`), and after its reader was asked to end.
        """
        self.close()
        self._leave(self._attempt)
        self._source = self._make_source()
        self._pipeline = self._made_pipeline()
        self._attempt, self._unreached, self._opening = None, False, False
        self._heard_at = self._broken_since = self._lost_since = self._captured = self._ended_at = None
        self._last_state, self._online = None, None
        self._arrivals.clear()
        self._supervisor.well(self.part)
        self._deliver(CameraAvailability(camera=self.info.id, online=False))
        self._deliver(self.state())

    def lost_for_long(self) -> bool:
        """Whether the stream has been away so long that open events should end."""
        since = self._lost_since
        if since is None and (seen := self._unchanged_since()) != self._ended_at:
            since = seen
        return since is not None and self._clock.monotonic() - since >= LOST_AFTER_S

    def outage_ended(self) -> None:
        """Open events have been ended: this outage needs nothing more."""
        self._lost_since = None
        if (seen := self._unchanged_since()) is not None:
            self._ended_at = seen
            self._deliver(self.state())

    def state(self) -> CameraState:
        """The newest state, with the figures that only the reader knows."""
        known = self._last_state or CameraState(camera=self.info.id, online=False)
        arrivals = list(self._arrivals)
        now = self._clock.monotonic()
        fps = _rate(arrivals, now) if self._online else 0.0
        ended = self._unchanged_since()
        sees = self.online and (ended is None or ended != self._ended_at)
        steps = (self._step_part(name) for name in self._pipeline.added.problems)
        parts = (*(() if self.waited_for else (self.part,)), f"{self.part}.pipeline", VISION, *steps)
        problems = (self._supervisor.problems.get(part) for part in parts)
        state = replace(
            known,
            online=self.online,
            motion=known.motion and sees,
            counts=known.counts if sees else tuple((label, 0) for label, _ in known.counts),
            zones=known.zones if sees else (),
            zone_counts=known.zone_counts if sees else (),
            measures=known.measures if sees else (),
            fps=round(fps, 1),
            last_frame_age_s=round(now - arrivals[-1], 1) if arrivals else None,
            restarts=self.restarts,
            dropped=tuple(sorted(self._intake.dropped(self.info.id).items())),
            problem=self._elsewhere() or next((p for p in problems if p), None) or known.problem,
            address=self._moved_to(),
        )
        return self.switches.shown_in(state)

    def _made_pipeline(self) -> Pipeline:
        made = self._make_pipeline()
        made.switches = self.switches
        return made

    # -- helpers -------------------------------------------------------------------------------------------------

    def _capture_time(self) -> float | None:
        """The capture time of a frame that came now, on the timeline of the last one; None before the first.

        The wall clock is no help here: it may have been set since the last frame.
        """
        if self._captured is None:
            return None
        time, came = self._captured
        return time + self._clock.monotonic() - came

    def _unchanged_since(self) -> float | None:
        """When the last frame came, where the camera has answered since that its picture is the same."""
        said, came = self._unchanged.at if self._unchanged is not None else None, self._captured
        return came[1] if self._online and came is not None and said is not None and said > came[1] else None

    def _note(self, scene: Scene, outcome: Outcome) -> None:
        if self._probe is not None:
            self._probe.done(scene.frame.seq, outcome)

    def _step_part(self, name: str) -> str:
        return f"{self.part}.step.{name}"

    def _look_at_steps(self, pipeline: Pipeline) -> None:
        """Report which added steps are skipped or switched off now, and which work again."""
        for name, problem in pipeline.added.problems.items():
            part = self._step_part(name)
            if problem is not None:
                self._supervisor.fail(part, StepError(problem))
            elif part in self._supervisor.problems:
                self._supervisor.well(part)

    def _publish(self, item: Item) -> None:
        if isinstance(item, CameraState):
            self._last_state = item
            item = self.state()
        if isinstance(item, Event) and item.phase is not Phase.UPDATED:
            log.part(self.part).info("%s %s: event %s, %s", item.label, item.phase, item.id, lasting(item.duration_s))
        self._deliver(item)

    def _set_online(self, online: bool) -> None:
        if self._online == online:
            return
        self._online = online
        self._arrivals.clear()
        logger = log.part(self.part)
        if online:
            logger.info("watching %s", self._shown_source)
        self._deliver(CameraAvailability(camera=self.info.id, online=online))
        self._deliver(self.state())


def _rate(arrivals: Sequence[float], now: float) -> float:
    """Frames a second over the last of them, and over the time since, where that is longer than usual."""
    intervals, spanned_s = len(arrivals) - 1, arrivals[-1] - arrivals[0] if arrivals else 0.0
    if spanned_s <= 0:
        return 0.0
    waited_s = now - arrivals[-1]
    if waited_s > 2 * spanned_s / intervals:
        return (intervals + 1) / (spanned_s + waited_s)
    return intervals / spanned_s
