"""What is written down of each frame while a clip runs through its pipeline."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from blikk_edge.core.debug import ClipEvent, ClipFrame, Found, Written
from blikk_edge.core.errors import PrivacyError
from blikk_edge.core.geometry import WHOLE, Box, Polygon
from blikk_edge.core.locale import LocaleNow
from blikk_edge.core.observation import Event, Observation, Phase
from blikk_edge.core.picture import Picture
from blikk_edge.core.ports import Item
from blikk_edge.core.probe import FrameNote, Outcome, Span, Stage
from blikk_edge.core.scene import Pixels, Scene
from blikk_edge.core.sightings import Cells, Detection, Label, Lighting, Measure, Track
from blikk_edge.core.stages import PartDetector, Redactor, Step
from blikk_edge.enrichers.summaries.stories import Stories
from blikk_edge.enrichers.summaries.template import template
from blikk_edge.runtime.pipeline import VisionTools
from blikk_edge.transforms.motion.gate import MotionGate

STEP: Final = "blikk_debugger"


@dataclass(slots=True)
class _Now:
    """The frame that is in the pipeline now."""

    note: FrameNote | None = None
    regions: tuple[Box, ...] = ()
    cells: Cells | None = None
    outcome: Outcome = Outcome.SPARED
    found: tuple[Detection, ...] = ()
    measures: tuple[Measure, ...] = ()
    spent: dict[str, float] = field(default_factory=dict)
    problem: str | None = None


class ClipRecorder:
    """Overhears one run of a clip; implements `core.probe.CameraProbe`.

    `gate`, `tools` and `step` go into the pipeline in the place of those that it would have; they change nothing.
    """

    def __init__(
        self, camera: str, name: str, labels: Iterable[Label], thresholds: Mapping[Label, float], locale: LocaleNow
    ) -> None:
        self.step = _LastStep(self)
        self.tracks: tuple[Track, ...] = ()
        self.events: dict[str, ClipEvent] = {}
        self._labels = frozenset(labels)
        self._thresholds = thresholds
        self._stories = Stories({camera: name}, locale=locale)
        self._open: dict[str, Event] = {}
        self._now = _Now()
        self._decoded_s = 0.0
        self._first: float | None = None
        self._looked: float | None = None

    def gate(self, private: tuple[Polygon, ...]) -> MotionGate:
        """A motion gate that is overheard."""
        return _Gate(self, private)

    def tools(self, tools: VisionTools) -> VisionTools:
        """The same, overheard."""
        return replace(
            tools, detector=_Detector(tools.detector, self._found), redactor=_Redactor(tools.redactor, self._blind)
        )

    def frame(self, number: int, items: Iterable[Item]) -> ClipFrame:
        """What was overheard of the frame that `items` were reported at. Raises what they raise."""
        records, written, pictures = self._taken(number, items)
        now, self._now = self._now, _Now()
        assert now.note is not None
        time = now.note.time
        if self._first is None:
            self._first = time
        since_look_s = None if self._looked is None else time - self._looked
        if now.outcome is Outcome.LOOKED:
            self._looked = time
        return ClipFrame(
            number=number,
            time=time,
            at_s=time - self._first,
            view=now.note.view,
            score=now.note.score,
            threshold=now.note.threshold,
            regions=now.regions,
            cells=now.cells,
            why=now.note.why,
            since_look_s=since_look_s,
            outcome=now.outcome,
            found=tuple(
                Found(
                    detection=detection,
                    threshold=self._thresholds.get(detection.label, 0.0),
                    wanted=detection.label in self._labels,
                )
                for detection in now.found
            ),
            tracks=self.tracks,
            measures=now.measures,
            open=tuple(self._open.values()),
            records=records,
            written=written,
            pictures=pictures,
            spent=_in_order(now.spent),
            problem=now.problem,
        )

    def moved(self, regions: tuple[Box, ...], cells: Cells | None) -> None:
        """The motion gate has seen the frame."""
        self._now = _Now(regions=regions, cells=cells)

    def ending(self, number: int, items: Iterable[Item]) -> tuple[Observation | Event, ...]:
        """What was reported because the clip has ended, after the frame of this number."""
        self.tracks = ()
        return self._taken(number, items)[0]

    def passed(self, scene: Scene) -> None:
        """All steps are done with a scene."""
        self.tracks = scene.tracks
        self._now.measures = scene.measures

    # -- core.probe.CameraProbe ----------------------------------------------------------------------------------

    def decoded(self, spent_s: float) -> None:
        """The pictures of the stream since the frame before took so long to decode."""
        self._decoded_s = spent_s

    def glanced(self, note: FrameNote, gate: Span, select: Span) -> None:
        """The cheap half of the pipeline is done with a frame."""
        spent = {Stage.DECODE: self._decoded_s, Stage.GATE: gate[1] - gate[0], Stage.SELECT: select[1] - select[0]}
        self._now.note, self._now.outcome = note, note.outcome
        self._now.spent = {str(stage): spent_s for stage, spent_s in spent.items()}

    def dropped(self, seq: int, outcome: Outcome) -> None:
        """Never, in a replay."""

    def taken(self, seq: int, at: float) -> None:
        """The other half begins."""

    def spent(self, stage: str, span: Span) -> None:
        """A stage is done with the frame."""
        if stage != f"step.{STEP}":
            self._now.spent[str(stage)] = self._now.spent.get(str(stage), 0.0) + span[1] - span[0]

    def failed(self, stage: str) -> None:
        """A stage could not do its work; why is told otherwise."""

    def reported(self, event: Event) -> None:
        """The event comes as a record too."""

    def done(self, seq: int, outcome: Outcome) -> None:  # noqa: ARG002 - there is but one frame at a time
        """The pipeline is done with a frame."""
        self._now.outcome = outcome

    # -- helpers -------------------------------------------------------------------------------------------------

    def _taken(
        self, number: int, items: Iterable[Item]
    ) -> tuple[tuple[Observation | Event, ...], tuple[Written, ...], tuple[str, ...]]:
        records: list[Observation | Event] = []
        pictures: list[str] = []
        for item in items:
            if isinstance(item, Picture):
                pictures.append(item.name)
            elif isinstance(item, Observation):
                records.append(item)
                self._stories.observe(item)
            elif isinstance(item, Event):
                records.append(item)
                self._revise(number, item)
        ended = [each for each in records if isinstance(each, Event) and each.phase is Phase.ENDED]
        return tuple(records), tuple(self._written(event) for event in ended), tuple(pictures)

    def _revise(self, number: int, event: Event) -> None:
        self._stories.revise(event)
        if event.phase is Phase.ENDED:
            self._open.pop(event.id, None)
        else:
            self._open[event.id] = event
        known = self.events.get(event.id)
        first = number if known is None else known.first
        self.events[event.id] = ClipEvent(event=event, first=first, last=number)

    def _written(self, event: Event) -> Written:
        story = self._stories.get(event.id)
        assert story is not None  # its revision was taken in
        note = template(self._stories.facts(story, event.time))
        return Written(event=event.id, title=note.title, text=note.text, importance=note.importance)

    def _found(self, found: tuple[Detection, ...]) -> None:
        self._now.found += found

    def _blind(self, why: str) -> None:
        self._now.problem = why


class _Gate(MotionGate):
    def __init__(self, recorder: ClipRecorder, private: tuple[Polygon, ...]) -> None:
        super().__init__(private=private)
        self._recorder = recorder

    def __call__(self, scene: Scene) -> Scene:
        scene = super().__call__(scene)
        self._recorder.moved(scene.motion.boxes, self.packed())
        return scene


class _LastStep(Step):
    """Stands behind all other steps."""

    name = STEP

    def __init__(self, recorder: ClipRecorder) -> None:
        self._recorder = recorder

    def __call__(self, scene: Scene) -> Scene:
        self._recorder.passed(scene)
        return scene


class _Detector(PartDetector):
    def __init__(self, detector: PartDetector, found: Callable[[tuple[Detection, ...]], None]) -> None:
        self.name = detector.name
        self._detector = detector
        self._heard = found

    def detect(self, bgr: Pixels, part: Box = WHOLE, lighting: Lighting = Lighting.DAY) -> tuple[Detection, ...]:
        found = self._detector.detect(bgr, part, lighting)
        self._heard(tuple(d.within(part) for d in found))
        return found


class _Redactor(Redactor):
    def __init__(self, redactor: Redactor, failed: Callable[[str], None]) -> None:
        self._redactor = redactor
        self._heard = failed

    def picture(self, scene: Scene, *, name: str, event: str | None = None) -> Picture:
        try:
            return self._redactor.picture(scene, name=name, event=event)
        except PrivacyError as error:
            self._heard(str(error))
            raise


def _in_order(spent: Mapping[str, float]) -> tuple[tuple[str, float], ...]:
    own = [str(stage) for stage in Stage]
    after = own.index(Stage.ZONES) + 1
    names = (*own[:after], *(name for name in spent if name not in own), *own[after:])
    return tuple((name, spent[name]) for name in names if name in spent)
