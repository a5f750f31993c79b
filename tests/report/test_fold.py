import pytest

from blikk_edge.core.fold import HOLD_S, Folder
from blikk_edge.core.observation import Observation, Observed


def seen(time, kind=Observed.MOTION, *, event=None, score=0.5, zones=()):
    return Observation(
        id=f"o{time}", camera="c", kind=kind, time=time, until=time, score=score, event=event, zones=zones
    )


def fold(folder, observations):
    return [[(o.id, o.until, o.folded) for o in folder.add(observation)] for observation in observations]


def test_first_is_reported_at_once_and_the_next_five_as_one():
    reported = fold(Folder(5), [seen(t) for t in range(6)])
    assert reported == [[("o0", 0, 1)], [], [], [], [], [("o1", 5, 5)]]


def test_window_of_one_folds_nothing():
    assert fold(Folder(1), [seen(0), seen(1)]) == [[("o0", 0, 1)], [("o1", 1, 1)]]


@pytest.mark.parametrize(
    "other",
    [seen(3, Observed.SCENE), seen(3, event="e"), seen(3, zones=("porch",))],
    ids=["kind", "event", "zones"],
)
def test_other_observation_is_reported_at_once_after_what_was_held(other):
    reported = fold(Folder(5), [seen(0), seen(1), seen(2), other])
    assert reported[-1] == [("o1", 2, 2), ("o3", 3, 1)]


def test_folded_one_has_the_highest_score():
    folder = Folder(3)
    reported = [o for score, t in ((0.4, 0), (0.5, 1), (0.9, 2), (0.6, 3)) for o in folder.add(seen(t, score=score))]
    assert [o.score for o in reported] == [0.4, 0.9]


def test_held_is_reported_after_ten_seconds():
    folder = Folder(5)
    fold(folder, [seen(0), seen(1)])
    assert folder.due(1 + HOLD_S - 0.1) == ()
    assert [o.id for o in folder.due(1 + HOLD_S)] == ["o1"]


def test_similar_one_after_a_long_calm_is_reported_at_once():
    assert fold(Folder(5), [seen(0), seen(HOLD_S + 1)])[-1] == [(f"o{HOLD_S + 1}", HOLD_S + 1, 1)]


def test_flush_reports_what_is_held_once():
    folder = Folder(5)
    fold(folder, [seen(0), seen(1), seen(2)])
    assert [o.folded for o in folder.flush()] == [2]
    assert folder.flush() == ()
