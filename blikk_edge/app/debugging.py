"""A recorded clip behind the debugger: run through the real pipeline in a thread of its own, and written down."""

import pickle
import threading
import zlib
from array import array
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from blikk_edge.app.clip_pixels import ClipPixels, mark_of
from blikk_edge.app.clip_record import ClipRecorder
from blikk_edge.app.pipelines import pipeline, steps_of
from blikk_edge.app.replays import DEFAULTS, chosen_camera, clip_source, clip_terms, look_reader
from blikk_edge.app.stand_ins import ProgressOf
from blikk_edge.app.vision_models import VisionModels
from blikk_edge.config.settings import Settings
from blikk_edge.core.debug import DEBUG, ClipEvent, ClipFrame, ClipRun, Glance
from blikk_edge.core.errors import BlikkError
from blikk_edge.core.locale import Locale, zone_named
from blikk_edge.core.loose_thread import LooseThread
from blikk_edge.core.observation import Event, Observation
from blikk_edge.core.picture import Picture
from blikk_edge.core.ports import Item
from blikk_edge.core.probe import Outcome, Why
from blikk_edge.core.scene import Frame, Scene
from blikk_edge.core.sightings import Motion, View
from blikk_edge.runtime.pipeline import VisionTools
from blikk_edge.runtime.replay import stepped
from blikk_edge.sources.duration import duration_s

FRAMES_MAX: Final = 200_000
"""Eleven hours at 5 fps. What is written down of a frame takes 0.3 to 1.5 kB."""

PICTURES_MAX: Final = 300
ASKED_MAX: Final = 8
"""Pictures that are asked for and not made yet; of more the oldest are not made."""

END_S: Final = 5.0

UNBLURRED: Final = "faces are not blurred: the pictures on the page are those of the clip"

_VIEWS: Final = tuple(View)
_WHYS: Final = tuple(Why)
_OUTCOMES: Final = tuple(Outcome)


class _Run:
    """What is known of one run; written by the debugger's thread, read in any under its lock."""

    def __init__(self, number: int, threshold: float, before: "_Run | None") -> None:
        self.number = number
        self.threshold = threshold
        self.before: tuple[ClipEvent, ...] = () if before is None else tuple(before.events)
        self.before_threshold = None if before is None else before.threshold
        self.times = array("d")
        self.marks = array("L")
        self.scores = array("d")
        self.codes = bytearray()  # view, why and outcome of each frame
        self.packed: list[bytes] = []
        self.events: tuple[ClipEvent, ...] = ()
        self.ending: tuple[Observation | Event, ...] = ()
        self.finished = False
        self.full = False
        self.error: str | None = None
        self.pictures: OrderedDict[int, Picture] = OrderedDict()

    def add(self, frame: ClipFrame, mark: int, events: Sequence[ClipEvent]) -> None:
        """Write down a frame."""
        self.times.append(frame.time)
        self.marks.append(mark)
        self.scores.append(frame.score)
        self.codes += bytes((_VIEWS.index(frame.view), _WHYS.index(frame.why), _OUTCOMES.index(frame.outcome)))
        self.packed.append(zlib.compress(pickle.dumps(frame), 1))
        self.events = tuple(events)

    def frame(self, number: int) -> ClipFrame:
        """What was written down of a frame."""
        frame: ClipFrame = pickle.loads(zlib.decompress(self.packed[number]))  # noqa: S301 - our own, of this process
        return frame

    def glance(self, number: int) -> Glance:
        """The same in short."""
        view, why, outcome = self.codes[3 * number : 3 * number + 3]
        return Glance(
            at_s=self.times[number] - self.times[0],
            view=_VIEWS[view],
            score=self.scores[number],
            why=_WHYS[why],
            outcome=_OUTCOMES[outcome],
        )


class ClipDebug:
    """A clip in the place of one camera, run from its beginning to its end; implements `core.debug.ClipDebugger`.

    Its thread runs ahead as fast as it can; a Picture that somebody waits for goes first. No frame is kept: for a
    Picture its pixels are read again, the detector looks at them beside the pipeline, whatever that did, and they are
    redacted like any other; `unblurred` shows faces. `note` is called with what is looked with. Raises BlikkError where
    there is no such camera, or a model of the user's own cannot be had.
    """

    def __init__(
        self,
        clip: Path,
        *,
        settings: Settings | None = None,
        camera: str | None = None,
        start: float = 0.0,
        note: Callable[[str], None] = lambda _text: None,
        progress: ProgressOf | None = None,
        unblurred: bool = False,
    ) -> None:
        self._clip = clip.absolute()
        self.settings = settings or DEFAULTS
        if unblurred:
            self.settings = replace(self.settings, privacy=replace(self.settings.privacy, blur=False))
        self.camera = chosen_camera(self.settings, camera)
        self._start = start
        self._models = VisionModels(self.settings, progress=progress)
        self._notes = (*self._models.notes, *([UNBLURRED] if not self.settings.privacy.blur else []))
        for text in self._notes:
            note(text)
        self._length_s = duration_s(self._clip)
        zone = zone_named(self.settings.timezone) if self.settings.timezone else None
        self.locale = Locale(timezone=zone, language=self.settings.language or "en")
        self._changed = threading.Condition()
        self._run = _Run(1, self.camera.event_threshold, None)
        self._asked: deque[tuple[int, Future[Picture]]] = deque()
        self._stop = threading.Event()
        self._thread = LooseThread("blikk debug", self._work)

    def start(self) -> None:
        """Begin, and wait until the first frame is known; raises BlikkError where there is none."""
        self._thread.start()
        with self._changed:
            self._changed.wait_for(lambda: bool(self._run.packed) or self._run.finished)
            error = None if self._run.packed else self._run.error
        if error is not None:
            self.close()
            raise BlikkError(error)

    def close(self) -> None:
        """End; blocking."""
        self._stop.set()
        with self._changed:
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(END_S)

    # -- core.debug.ClipDebugger ---------------------------------------------------------------------------------

    def state(self) -> ClipRun:
        """How far it is."""
        with self._changed:
            run = self._run
            return ClipRun(
                run=run.number,
                clip=self._clip.name,
                camera=self.camera.id,
                threshold=run.threshold,
                configured=self.camera.event_threshold,
                start=self._start,
                frames=len(run.packed),
                length_s=self._length_s,
                finished=run.finished,
                error=run.error,
                full=run.full,
                notes=self._notes,
                blurred=self.settings.privacy.blur,
                events=run.events,
                ending=run.ending,
                before=run.before,
                before_threshold=run.before_threshold,
            )

    def glances(self, since: int) -> tuple[int, Sequence[Glance]]:
        """The number of the run, and its frames from this number on."""
        with self._changed:
            run, known = self._run, len(self._run.packed)
        return run.number, [run.glance(number) for number in range(max(0, since), known)]

    def frame(self, number: int) -> ClipFrame | None:
        """What was recorded of a frame; None where it is not known (yet)."""
        with self._changed:
            run = self._run
            if not 0 <= number < len(run.packed):
                return None
        return run.frame(number)

    def picture(self, number: int) -> "Future[Picture]":
        """A redacted Picture of a frame that is known."""
        asked: Future[Picture] = Future()
        with self._changed:
            if not 0 <= number < len(self._run.packed):
                asked.set_exception(BlikkError(f"frame {number} is not known yet"))
                return asked
            if number in self._run.pictures:
                self._run.pictures.move_to_end(number)
                asked.set_result(self._run.pictures[number])
                return asked
            self._asked.append((number, asked))
            late = [self._asked.popleft()[1] for _ in range(len(self._asked) - ASKED_MAX)]
            self._changed.notify_all()
        for each in late:
            _fail(each, BlikkError("later frames are waited for"))
        return asked

    def again(self, threshold: float) -> int:
        """Run it again from its beginning with this threshold."""
        with self._changed:
            self._run = _Run(self._run.number + 1, threshold, self._run)
            self._changed.notify_all()
            return self._run.number

    # -- its thread ----------------------------------------------------------------------------------------------

    def _work(self) -> None:
        run: _Run | None = None
        steps: Iterator[None] | None = None
        looking: _Looking | None = None
        while not self._stop.is_set():
            if run is not self._run:
                run, steps, looking = self._run, None, None
            try:
                looking = looking or self._looking(run)
                steps = steps or self._steps(run, looking)
                if (asked := self._next_asked()) is not None:
                    looking.answer(*asked)
                elif not run.finished:
                    next(steps)
                else:
                    self._wait(run)
            except StopIteration:
                self._finish(run)
            except BlikkError as error:
                self._finish(run, str(error))
        while (asked := self._next_asked()) is not None:
            _fail(asked[1], BlikkError("the debugger ends"))

    def _looking(self, run: _Run) -> "_Looking":
        tools = self._models.tools(self.settings, look_reader(self.settings, lambda _text: None))(self.camera.id)
        terms = clip_terms(self._clip, self.camera, self._start)
        source = partial(clip_source, self._clip, self.camera, self._start)
        pixels = ClipPixels(self._clip, terms, source, run.times, run.marks)
        return _Looking(run, tools, pixels, self._changed)

    def _steps(self, run: _Run, looking: "_Looking") -> Iterator[None]:
        """Each step takes in one more frame."""
        camera = replace(self.camera, event_threshold=run.threshold)
        recorder = ClipRecorder(
            camera.id,
            camera.name,
            camera.labels,
            dict(self.settings.detector_of(camera).thresholds),
            lambda: self.locale,
        )
        source = clip_source(self._clip, camera, self._start, probe=recorder)
        steps = (*steps_of(camera, lambda _index, _error: None), recorder.step)
        made = pipeline(self.settings, camera, (), steps, probe=recorder, gate=recorder.gate(camera.private))
        for frame, items in stepped(source, made, recorder.tools(looking.tools), self._stop):
            if frame is None:
                self._end(run, recorder, items)
            elif len(run.packed) < FRAMES_MAX:
                self._take(run, recorder, frame, items)
            else:
                run.full = True
                return
            del frame  # it holds a picture of the decoder
            yield

    def _take(self, run: _Run, recorder: ClipRecorder, frame: Frame, items: Iterator[Item]) -> None:
        known = recorder.frame(len(run.packed), items)
        with self._changed:
            run.add(known, mark_of(frame), tuple(recorder.events.values()))
            self._changed.notify_all()

    def _end(self, run: _Run, recorder: ClipRecorder, items: Iterator[Item]) -> None:
        ending = recorder.ending(len(run.packed) - 1, items)
        with self._changed:
            run.ending, run.events = ending, tuple(recorder.events.values())

    def _finish(self, run: _Run, error: str | None = None) -> None:
        with self._changed:
            run.finished = True
            run.error = error or run.error
            if run.error is not None:
                while self._asked:
                    _fail(self._asked.popleft()[1], BlikkError(run.error))
            self._changed.notify_all()

    def _next_asked(self) -> "tuple[int, Future[Picture]] | None":
        with self._changed:
            return self._asked.pop() if self._asked else None  # the newest is what is looked at

    def _wait(self, run: _Run) -> None:
        with self._changed:
            self._changed.wait_for(lambda: bool(self._asked) or self._run is not run or self._stop.is_set())


class _Looking:
    """Makes the Pictures of one run; used by one thread."""

    def __init__(self, run: _Run, tools: VisionTools, pixels: ClipPixels, lock: threading.Condition) -> None:
        self.tools = tools
        self._run = run
        self._pixels = pixels
        self._lock = lock

    def answer(self, number: int, asked: "Future[Picture]") -> None:
        """Make the Picture that was asked for."""
        if not asked.set_running_or_notify_cancel():
            return
        try:
            picture = self._picture(number)
        except BlikkError as error:
            asked.set_exception(error)
            return
        with self._lock:
            self._run.pictures[number] = picture
            while len(self._run.pictures) > PICTURES_MAX:
                self._run.pictures.popitem(last=False)
        asked.set_result(picture)

    def _picture(self, number: int) -> Picture:
        if not number < len(self._run.packed):
            raise BlikkError(f"frame {number} is not known yet")
        known = self._run.frame(number)
        frame = self._pixels.frame(number)
        found = tuple(each.detection for each in known.found)
        if known.outcome is not Outcome.LOOKED:  # whoever is in it is blurred, whether the pipeline has looked or not
            found = self.tools.detector.detect(frame.bgr())
        scene = Scene(
            frame=frame,
            motion=Motion(view=known.view, score=known.score, boxes=known.regions),
            analysed=True,
            detections=found,
            tracks=known.tracks,
        )
        return self.tools.redactor.picture(scene, name=DEBUG)


def _fail(asked: "Future[Picture]", error: BlikkError) -> None:
    if asked.set_running_or_notify_cancel():
        asked.set_exception(error)
