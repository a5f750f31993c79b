"""What a probe knows of the frames of a camera, told by the real pipeline and the real intake."""

from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from stage_props import Gauge, frame, pipeline, tools

from blikk_edge.core.fields import Backpressure
from blikk_edge.core.geometry import Box
from blikk_edge.core.live import LiveFrame
from blikk_edge.core.observation import Event, Observed, Phase
from blikk_edge.core.probe import FrameNote, Outcome, Run, Stage, Why, runs
from blikk_edge.core.scene import Scene
from blikk_edge.core.sightings import Label, Motion, Reason, View
from blikk_edge.runtime.mailbox import Intake
from blikk_edge.runtime.probe import KEPT_S, LATELY, CameraFrames, Histogram, NodeProbe
from blikk_edge.transforms.motion.select import Selector

FPS = 5


def note(number: int, score: float = 0.8, view: View = View.MOVING, **more: int) -> FrameNote:
    return FrameNote(
        seq=number,
        time=1000.0 + number / FPS,
        view=view,
        score=score,
        threshold=0.3,
        why=Why.MOTION,
        outcome=Outcome.SPARED,
        **more,
    )


def test_every_frame_says_why_it_was_looked_at_or_not_and_each_stage_how_long_it_took():
    probe = CameraFrames(FPS)
    subject = pipeline(moving=lambda at: 1003.0 <= at < 1004.0, steps=(Gauge(),), probe=probe)
    for number in range(FPS * 6):
        if number == 10:
            subject.want("snapshot")
        if number == 25:
            subject.switches.detect = False
        if (scene := subject.glance(frame(1000.0 + number / FPS))) is not None:
            list(subject.step(scene, tools(lambda look: ())))
    seen, figures = probe.frames(), probe.figures("door")
    assert [each.seq for each in seen] == list(range(5000, 5030))
    assert [each.why for each in seen[:2]] == [Why.FIRST, Why.QUIET]
    assert seen[10].why is Why.PICTURE
    assert {each.why for each in seen[15:20]} == {Why.MOTION}
    assert {each.why for each in seen[25:]} == {Why.OFF}
    assert seen[16].score == 0.8
    assert seen[16].threshold == 0.3
    assert all((each.outcome is Outcome.LOOKED) == each.why.looks for each in seen)
    assert figures.outcomes[Outcome.LOOKED] == subject.inferences
    assert sum(figures.outcomes.values()) == sum(figures.reasons.values()) == figures.frames == 30
    stages = figures.stages
    assert list(stages) == [
        Stage.GATE,
        Stage.SELECT,
        Stage.WAIT,
        Stage.DETECT,
        Stage.TRACK,
        "step.gauge",
        "report",
        "redact",
    ]
    assert stages[Stage.GATE].count == 30
    assert stages[Stage.DETECT].count == subject.inferences
    assert stages[Stage.GATE].p50_s is not None
    assert 0 < stages[Stage.GATE].p50_s <= (stages[Stage.GATE].p95_s or 0) < 1


class Viewer:
    """Somebody who looks at the live view and wants every frame."""

    def __init__(self) -> None:
        self.frames: list[LiveFrame] = []

    def looks_at(self, camera: str) -> bool:
        return True

    def due(self, camera: str, time: float) -> bool:
        return True

    def show(self, frame: LiveFrame) -> None:
        self.frames.append(frame)


def test_a_look_for_the_live_view_says_so_and_a_blur_that_fails_is_counted():
    probe, viewer = CameraFrames(FPS), Viewer()
    subject = pipeline(moving=lambda at: False, audience=viewer, probe=probe)
    eyes = tools(lambda look: ())
    eyes.redactor.broken = True
    for number in range(5):
        scene = subject.glance(frame(1000.0 + number / FPS))
        assert scene is not None
        list(subject.step(scene, eyes))
    assert [each.why for each in probe.frames()] == [Why.FIRST, *[Why.LIVE] * 4]
    figures = probe.figures("door")
    assert figures.failures[Stage.REDACT] >= len(viewer.frames) == 5
    assert Stage.REDACT not in figures.stages


def test_a_camera_without_a_probe_reports_the_same_bytes():
    def reported(probe: CameraFrames | None) -> list[object]:
        subject = pipeline(moving=lambda at: at % 10 < 4, probe=probe)
        found: list[object] = []
        for number in range(200):
            if (scene := subject.glance(frame(1000.0 + number / FPS))) is not None:
                found += [item for item in subject.step(scene, tools()) if not hasattr(item, "inference_ms")]
        return found + [item for item in subject.close(1040.0) if not hasattr(item, "inference_ms")]

    assert reported(CameraFrames(FPS)) == reported(None)
    assert any(isinstance(item, Event) for item in reported(None))


def test_what_the_lane_drops_is_an_outcome_with_its_reason_and_is_counted_once():
    probe = NodeProbe({"door": FPS})
    intake = Intake({"door": Backpressure.DROP}, probe=probe)
    subject = pipeline(probe=probe.camera("door"))
    scenes = [subject.glance(frame(1000.0 + number / FPS)) for number in range(4)]
    for scene in scenes:
        assert isinstance(scene, Scene)
        intake.offer(scene)
    taken = intake.take(1.0)
    assert taken is not None
    list(subject.step(taken.scene, tools()))
    probe.camera("door").done(taken.scene.frame.seq, Outcome.FAILED)  # a second word on a frame changes nothing
    assert [each.outcome for each in probe.camera("door").frames()] == [Outcome.NEWER] * 3 + [Outcome.LOOKED]
    assert +Counter(probe.camera("door").figures("door").outcomes) == {Outcome.NEWER: 3, Outcome.LOOKED: 1}
    (lane,) = intake.notes()
    assert (lane.waiting, lane.busy, lane.dropped) == (0, True, (("newer", 3),))


def test_ten_minutes_are_kept_and_no_more():
    probe = CameraFrames(FPS)
    kept = int(KEPT_S * FPS)
    for number in range(kept + 700):
        probe.glanced(note(number), (0.0, 0.001), (0.001, 0.002))
    seen = probe.frames()
    assert [seen[0].seq, seen[-1].seq, len(seen)] == [701, kept + 699, kept - 1]  # the oldest may be written over now
    assert probe.figures("door").frames == kept + 700
    assert len(probe.frames(since=seen[-1].time - 1.0)) == FPS + 1
    assert probe.figures("door").stages[Stage.GATE].count == kept + 700


def test_after_the_clock_was_set_back_what_was_before_is_not_since_then():
    probe = CameraFrames(FPS)
    probe.glanced(note(50), (0.0, 0.0), (0.0, 0.0))
    probe.glanced(note(1, timeline=1), (0.0, 0.0), (0.0, 0.0))
    assert [each.timeline for each in probe.frames(since=0.0)] == [1]
    assert [run.frames for run in runs(probe.frames(), 0.3)] == [1, 1]


SIGHTS = st.lists(
    st.tuples(st.sampled_from([View.MOVING, View.MOVING, View.QUIET, View.LIGHT]), st.floats(0.0, 1.0)), max_size=60
)


@given(SIGHTS, st.floats(0.0, 1.0))
def test_the_frames_that_would_have_moved_are_those_that_a_selector_with_that_threshold_counts(sights, threshold):
    probe = NodeProbe({"door": FPS})
    for number, (view, score) in enumerate(sights):
        probe.camera("door").glanced(note(number, score, view), (0.0, 0.0), (0.0, 0.0))
    kept = probe.frames("door")
    found = probe.would_move("door", threshold)
    selector = Selector(threshold=threshold, scene_change=False, every_s=0, again_s=0.0)
    reasons = []
    for each in kept:
        motion = Motion(view=each.view, score=each.score, boxes=(Box(0.1, 0.1, 0.2, 0.2),))
        scene = Scene(frame=frame(each.time), motion=motion)
        reasons.append(selector.look(scene, ()))
    moving = [each for each in kept if each.view is View.MOVING and each.score >= threshold]
    assert sum(run.frames for run in found) == len(moving)
    looked = {each.time for each, reason in zip(kept, reasons, strict=True) if reason is not None}
    assert {run.began for run in found} <= {each.time for each in moving} <= looked
    assert all(later.began - run.ended > 1.0 for run, later in pairwise(found))
    far = [e.time for e in kept[1:] if not any(run.began <= e.time <= run.ended + 1.0 for run in found)]
    assert not [each for each, r in zip(kept, reasons, strict=True) if r is Reason.MOTION and each.time in far]


def test_runs_end_after_a_calm_second():
    notes = [note(number, 0.5 if number in {0, 1, 6, 12, 13} else 0.1) for number in range(20)]
    assert runs(notes, 0.3) == (
        Run(began=1000.0, ended=1001.2, frames=3, peak=0.5),
        Run(began=1002.4, ended=1002.6, frames=2, peak=0.5),
    )
    assert len(runs(notes, 0.05)) == 1
    assert runs(notes, 0.6) == ()


def test_median_and_buckets_are_those_of_what_was_added():
    subject = Histogram((0.01, 0.1))
    for _ in range(LATELY):
        subject.add(9.0)
    for number in range(LATELY):
        subject.add(0.01 if number % 10 else 0.5)
    read = subject.read()
    assert read.buckets == ((0.01, LATELY - 52), (0.1, LATELY - 52), (float("inf"), 2 * LATELY))
    assert (round(read.p50_s or 0, 3), round(read.p95_s or 0, 3), round(read.last_s or 0, 3)) == (0.01, 0.5, 0.01)


def test_from_first_sight_to_sink_only_the_first_revision_counts():
    probe = NodeProbe({"door": FPS}, now=lambda: 1010.0)
    event = Event(
        id="e", camera="door", phase=Phase.STARTED, revision=1, time=1009.0, started=1008.5, label=Label.PERSON,
        reason=Observed.APPEARED,
    )  # fmt: skip
    gone = Event(
        id="f", camera="door", phase=Phase.ENDED, revision=2, time=1009.0, started=900.0, label=Label.PERSON,
        reason=Observed.LEFT,
    )  # fmt: skip
    probe.handed("mqtt", event)
    probe.handed("mqtt", gone)
    probe.acknowledged("mqtt", [event, gone], (0.0, 0.25))
    figures = probe.figures()
    assert {key: (each.count, each.total_s) for key, each in figures.to_sinks.items()} == {("door", "mqtt"): (1, 1.5)}
    assert figures.to_acknowledgements["door", "mqtt"].count == 1
    assert figures.publish["mqtt"].total_s == 0.25
