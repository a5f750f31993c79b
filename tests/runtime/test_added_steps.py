"""Steps of others in a pipeline: what is taken from them, and what happens when they are slow or break."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from stage_props import PERSON, frame

from blikk_edge.core.errors import BlikkError, ConfigError
from blikk_edge.core.scene import Frame, Scene
from blikk_edge.core.sightings import Label, Measure, MeasureInfo, Motion, Track, View
from blikk_edge.core.stages import Needs, Step
from blikk_edge.runtime.steps import AddedSteps

ANGLE = MeasureInfo(name="angle", unit="°", alerts=("too_high",))
TRACK = Track(
    id=1, label=Label.PERSON, sub_label="", score=0.9, best_score=0.9, box=PERSON.box, first_seen=0.0, last_seen=0.0
)


def measured(scene: Scene, value: float = 12.0, **more: object) -> Scene:
    fields = {"name": "angle", "unit": "°", **more}
    return replace(scene, measures=(*scene.measures, Measure(value=value, **fields)))  # type: ignore[arg-type]


class Scripted(Step):
    """Does what it is asked to and keeps what it was given."""

    measures = (ANGLE,)

    def __init__(
        self, does: Callable[[Scene], object] = measured, *, name: str = "angle", needs: Needs = Needs.PASSED
    ) -> None:
        self.name = name
        self.needs = needs
        self.does = does
        self.given: list[Scene] = []
        self.resets = 0

    def __call__(self, scene: Scene) -> Scene:
        self.given.append(scene)
        return self.does(scene)  # type: ignore[return-value]  # a step of others may return anything

    def reset(self) -> None:
        self.resets += 1


class Silent(Scripted):
    """One that measures nothing."""

    measures = ()

    def __init__(self, does: Callable[[Scene], object] = lambda scene: scene, **more: object) -> None:
        super().__init__(does, **{"name": "silent", **more})  # type: ignore[arg-type]


@dataclass
class Hands:
    """A stopwatch whose hands are moved."""

    now_s: float = 100.0

    def __call__(self) -> float:
        return self.now_s

    def takes(self, *ms: float) -> Callable[[Scene], Scene]:
        """What a step does that takes so long in its first calls, and then as long as in the last of them."""
        times = list(ms)

        def work(scene: Scene) -> Scene:
            self.now_s += (times.pop(0) if len(times) > 1 else times[0]) / 1000
            return measured(scene)

        return work


def scene(at: float = 0.0) -> Scene:
    return Scene(frame=frame(at), motion=Motion(view=View.MOVING))


def added(*steps: Step, hands: Hands | None = None) -> AddedSteps:
    return AddedSteps(steps, hide=lambda frame: frame, stopwatch=hands or Hands())


def run(steps: AddedSteps, scenes: int) -> list[bool]:
    """Whether something was measured, scene by scene."""
    return [bool(steps(scene(n / 5)).measures) for n in range(scenes)]


def test_what_a_step_measures_is_on_the_scene_after_it() -> None:
    assert added(Scripted())(scene()).measures == (Measure(name="angle", value=12.0, unit="°"),)


def test_each_step_sees_what_the_one_before_measured() -> None:
    second = Silent()
    added(Scripted(), second)(scene())
    assert [measure.name for measure in second.given[0].measures] == ["angle"]


@pytest.mark.parametrize(("needs", "times"), [(Needs.PASSED, 3), (Needs.ANALYSED, 2), (Needs.TRACKS, 1)])
def test_a_step_is_given_the_scenes_it_needs(needs: Needs, times: int) -> None:
    step = Scripted(needs=needs)
    steps = added(step)
    for each in (scene(), replace(scene(), analysed=True), replace(scene(), analysed=True, tracks=(TRACK,))):
        steps(each)
    assert len(step.given) == times


@pytest.mark.parametrize(
    ("steps", "why"),
    [
        ((Silent(), Silent()), "step is called 'silent'"),
        ((Scripted(), Scripted(name="other")), "measure is called 'angle'"),
        ((Silent(name="Not a word"),), "names no step"),
        ((Silent(needs=Needs.FRAMES),), "every frame"),
    ],
)
def test_steps_that_cannot_go_together_are_refused(steps: tuple[Step, ...], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        added(*steps)


def test_a_camera_has_at_most_32_measures() -> None:
    step = Silent()
    step.measures = tuple(MeasureInfo(name=f"m{n}") for n in range(33))
    with pytest.raises(ConfigError, match="at most 32"):
        added(step)


# -- what a step may not do ------------------------------------------------------------------------------------------


def test_a_step_cannot_write_to_pixels() -> None:
    steps = added(
        Silent(lambda s: s.frame.bgr().fill(0), name="colour"), Silent(lambda s: s.frame.luma.fill(0), name="luma")
    )
    seen = scene()
    steps(seen)
    assert [problem is not None and "ValueError" in problem for problem in steps.problems.values()] == [True, True]


def test_a_step_sees_a_frame_without_its_private_parts_and_the_rest_sees_it_whole() -> None:
    hidden: list[Frame] = []

    def hide(whole: Frame) -> Frame:
        hidden.append(frame(whole.time))
        return hidden[-1]

    steps = AddedSteps((first := Scripted(), second := Silent()), hide=hide, stopwatch=Hands())
    before = scene()
    after = steps(before)
    assert [given.frame for each in (first, second) for given in each.given] == [hidden[0], hidden[0]]
    assert after.frame is before.frame
    assert len(hidden) == 1
    for name in steps.problems:
        steps.switch_off(name, "off")
    steps(scene())
    assert len(hidden) == 1  # nobody looks


def test_a_step_replaces_no_frame_and_hides_nobody() -> None:
    before = replace(scene(), detections=(PERSON,), tracks=(TRACK,), analysed=True)
    after = added(Scripted(lambda s: measured(replace(s, frame=frame(9.0), detections=(), tracks=(), analysed=False))))(
        before
    )
    assert after == replace(before, measures=after.measures)
    assert after.frame is before.frame


def _forged(scene: Scene, **fields: object) -> Scene:
    made = measured(scene)
    for name, value in fields.items():
        object.__setattr__(made.measures[-1], name, value)
    return made


@pytest.mark.parametrize(
    ("does", "why"),
    [
        (lambda s: None, "returned a NoneType"),
        (lambda s: measured(s, name="height", unit=None), "did not declare the measure 'height'"),
        (lambda s: measured(s, unit="rad"), "another unit of 'angle'"),
        (lambda s: measured(s, alert="too_low"), "did not declare the alert 'too_low'"),
        (lambda s: measured(measured(s), 13.0), "the same twice"),
        (lambda s: replace(s, measures=[*measured(s).measures]), "no tuple"),
        (lambda s: replace(s, measures=(s.frame.bgr().tobytes(),)), "is no Measure"),
        (lambda s: _forged(s, value=s.frame.luma), "value of a measure"),
        (lambda s: _forged(s, name=s.frame.luma.tobytes()), "name of a measure"),
        (lambda s: replace(s, embedding=tuple([0.5] * 4096)), "embedding"),
        (lambda s: replace(s, embedding=s.frame.luma), "embedding"),
        (lambda s: replace(s, embedding=(float("nan"),)), "embedding"),
    ],
)
def test_a_step_that_returns_what_it_may_not_is_switched_off(does: Callable[[Scene], object], why: str) -> None:
    step = Scripted(does)
    steps = added(step)
    before = scene()
    assert steps(before) is before
    problem = steps.problems["angle"]
    assert problem is not None
    assert why in problem
    steps(scene())
    assert len(step.given) == 1


def test_an_embedding_is_taken_as_plain_numbers() -> None:
    after = added(Silent(lambda s: replace(s, embedding=(np.float32(0.5), 1))))(scene())
    assert after.embedding == (0.5, 1.0)
    assert {type(value) for value in after.embedding or ()} == {float}


# -- one that breaks -------------------------------------------------------------------------------------------------


def raises(error: BaseException) -> Callable[[Scene], Scene]:
    def work(_scene: Scene) -> Scene:
        raise error

    return work


@pytest.mark.parametrize("error", [ZeroDivisionError(), MemoryError(), SystemExit(0)])
def test_a_step_that_raises_is_switched_off_and_the_rest_goes_on(error: BaseException) -> None:
    broken = Silent(raises(error))
    steps = added(broken, Scripted())
    assert run(steps, 3) == [True, True, True]
    assert len(broken.given) == 1
    assert steps.problems["angle"] is None
    problem = steps.problems["silent"]
    assert problem is not None
    assert f"{type(error).__name__} in work (test_added_steps.py:" in problem


def test_what_a_bug_says_of_itself_is_not_shown() -> None:
    steps = added(Silent(lambda s: {}[f"{s.frame.luma} hunter2"]))
    steps(scene())
    problem = steps.problems["silent"]
    assert problem is not None
    assert "hunter2" not in problem
    assert "[" not in problem


def test_what_an_expected_failure_says_is_shown() -> None:
    steps = added(Silent(raises(BlikkError("the dial's rim was not found: mend `centre`"))))
    steps(scene())
    assert "mend `centre`" in str(steps.problems["silent"])


def test_a_step_that_fails_to_forget_is_switched_off() -> None:
    class Forgetful(Silent):
        def reset(self) -> None:
            raise RuntimeError

    steps = added(Forgetful())
    steps.reset()
    assert steps.problems["silent"] is None
    steps(scene())
    assert "RuntimeError" in str(steps.problems["silent"])


def test_a_step_forgets_before_its_next_scene() -> None:
    step = Scripted()
    steps = added(step)
    steps(scene())
    steps.reset()
    assert step.resets == 0
    steps(scene())
    steps(scene())
    assert step.resets == 1


# -- one that is slow ------------------------------------------------------------------------------------------------


def test_a_step_with_one_call_over_500_ms_is_skipped_for_30_s_and_counted() -> None:
    hands = Hands()
    steps = added(Scripted(hands.takes(5, 5, 501, 5)), hands=hands)
    assert run(steps, 6) == [True, True, True, False, False, False]
    assert steps.skipped == (("angle", 3),)
    assert steps.problems["angle"] == "skipped for 30 s: a call took 501 ms, 500 are allowed"
    hands.now_s += 30
    assert run(steps, 1) == [True]


def test_a_step_with_a_call_over_5_s_is_not_tried_again() -> None:
    hands = Hands()
    steps = added(step := Scripted(hands.takes(9000, 5, 5001)), hands=hands)
    run(steps, 3)
    hands.now_s += 3600
    run(steps, 3)
    assert len(step.given) == 3
    assert steps.problems["angle"] == "switched off until the camera's pipeline starts anew: a call took 5 s"


def test_a_step_over_50_ms_on_average_is_skipped() -> None:
    hands = Hands()
    steps = added(Scripted(hands.takes(51)), hands=hands)
    assert run(steps, 12) == [True] * 11 + [False]
    assert "51 ms on average, 50 are allowed" in str(steps.problems["angle"])


def test_one_hiccup_of_a_busy_machine_is_no_trouble() -> None:
    hands = Hands()
    steps = added(Scripted(hands.takes(*[5] * 20, 400, 5)), hands=hands)
    assert run(steps, 100) == [True] * 100


def test_a_step_of_49_ms_keeps_its_budget() -> None:
    hands = Hands()
    steps = added(Scripted(hands.takes(49)), hands=hands)
    assert run(steps, 100) == [True] * 100


def test_the_first_call_may_load_a_model() -> None:
    hands = Hands()
    steps = added(Scripted(hands.takes(3000, 5)), hands=hands)
    assert run(steps, 20) == [True] * 20
    assert steps.problems["angle"] is None


def test_a_step_that_stays_slow_is_skipped_twice_as_long_each_time_up_to_8_minutes() -> None:
    hands = Hands()
    steps = added(Scripted(hands.takes(1, 600)), hands=hands)
    steps(scene())
    rests = []
    for _ in range(6):
        steps(scene())
        rest_s = float(str(steps.problems["angle"]).split()[2])
        hands.now_s += rest_s - 1
        assert not steps(scene()).measures
        hands.now_s += 2
        rests.append(rest_s)
    assert rests == [30, 60, 120, 240, 480, 480]


def test_a_step_that_was_quick_for_long_is_skipped_for_the_short_time_again() -> None:
    hands = Hands()
    slow = hands.takes(600)
    steps = added(step := Scripted(hands.takes(1)), hands=hands)
    rests = []
    for pause_s in (0, 40, 900):
        step.does = hands.takes(1)
        hands.now_s += pause_s
        run(steps, 20)
        step.does = slow
        steps(scene())
        rests.append(str(steps.problems["angle"]).split(":")[0])
    assert rests == ["skipped for 30 s", "skipped for 60 s", "skipped for 30 s"]


def test_the_trouble_is_over_when_the_budget_is_kept_again() -> None:
    hands = Hands()
    steps = added(Scripted(hands.takes(1, 600, 5)), hands=hands)
    run(steps, 2)
    hands.now_s += 30
    run(steps, 9)
    assert steps.problems["angle"] is not None
    run(steps, 1)
    assert steps.problems["angle"] is None


def test_a_slow_step_does_not_cost_the_others_their_turn() -> None:
    hands = Hands()
    quick = Silent()
    steps = added(Scripted(hands.takes(1, 600)), quick, hands=hands)
    run(steps, 10)
    assert len(quick.given) == 10


def test_without_a_budget_no_time_counts() -> None:
    hands = Hands()
    steps = added(Scripted(hands.takes(5000)), hands=hands)
    steps.budgeted = False
    assert run(steps, 20) == [True] * 20


def test_the_step_that_is_called_now_is_known() -> None:
    seen = []
    steps = added(Silent(lambda s: seen.append(steps.running) or s))
    steps(scene())
    assert (seen, steps.running) == (["silent"], None)


def test_a_step_that_was_switched_off_is_not_called() -> None:
    step = Scripted()
    steps = added(step)
    steps.switch_off("angle", "it hung")
    assert run(steps, 3) == [False] * 3
    assert (step.given, steps.problems) == ([], {"angle": "it hung"})


def test_what_was_given_is_a_frame_with_pixels_to_read() -> None:
    step = Scripted()
    added(step)(scene())
    given = step.given[0].frame
    assert isinstance(given, Frame)
    assert not given.bgr().flags.writeable
    assert not given.luma.flags.writeable
