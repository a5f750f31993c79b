"""What looks a little like something else, at one place all the time."""

from dataclasses import replace

from blikk_edge.core.geometry import Box
from blikk_edge.core.sightings import Detection, Label
from blikk_edge.transforms.lookalikes import Lookalikes

BIRD = Detection(label=Label.ANIMAL, sub_label="bird", score=0.5, box=Box(0.1, 0.6, 0.2, 0.9))


def seen(times: list[float]) -> Lookalikes:
    lookalikes = Lookalikes()
    for time in times:
        lookalikes.see([BIRD], (), time)
    return lookalikes


def test_what_was_found_there_all_the_time_is_known():
    assert seen([0.0, 2.0, 5.0]).know(BIRD)


def test_what_was_found_there_for_a_moment_is_not():
    assert not seen([0.0, 0.2, 0.4, 0.6, 0.8]).know(BIRD)


def test_who_is_much_clearer_or_elsewhere_or_something_else_is_not():
    lookalikes = seen([0.0, 2.0, 5.0])
    assert not lookalikes.know(replace(BIRD, score=0.8))
    assert not lookalikes.know(replace(BIRD, box=Box(0.5, 0.6, 0.6, 0.9)))
    assert not lookalikes.know(replace(BIRD, label=Label.PERSON))
