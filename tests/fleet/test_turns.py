"""Whose turn it is among the queues of a site."""

from hypothesis import given
from hypothesis import strategies as st

from blikk_edge.fleet.jobs import Urgency, urgency_of
from blikk_edge.fleet.turns import PASSED_MAX, Turns
from blikk_edge.llm.queue.port import Priority


def served(turns: Turns, waiting: dict[Urgency, int]) -> Urgency | None:
    """The queue whose job a worker takes now."""
    for place in turns.order():
        turns.looked(place, taken=waiting[place] > 0)
        if waiting[place]:
            waiting[place] -= 1
            return place
    return None


def test_ring_goes_before_person_before_digest() -> None:
    turns, waiting = Turns(), dict.fromkeys(Urgency, 2)
    taken = [served(turns, waiting) for _ in range(7)]
    assert taken == [place for place in Urgency for _ in range(2)] + [None]


def test_a_digest_is_served_while_rings_never_end() -> None:
    turns, waiting = Turns(), {Urgency.RING: 1000, Urgency.PERSON: 0, Urgency.DIGEST: 3}
    taken = [served(turns, waiting) for _ in range(3 * PASSED_MAX + 3)]
    assert taken.count(Urgency.DIGEST) == 3


@given(st.lists(st.fixed_dictionaries({place: st.integers(0, 3) for place in Urgency}), min_size=30, max_size=60))
def test_none_waits_for_more_than_the_bound(arrivals: list[dict[Urgency, int]]) -> None:
    turns, waiting = Turns(), dict.fromkeys(Urgency, 0)
    since = dict.fromkeys(Urgency, 0)
    for arrived in arrivals:
        for place, count in arrived.items():
            waiting[place] += count
        took = served(turns, waiting)
        for place in Urgency:
            since[place] = since[place] + 1 if waiting[place] and place is not took else 0
            assert since[place] <= PASSED_MAX + 1


def test_each_priority_has_its_queue() -> None:
    assert {each: str(urgency_of(each)) for each in Priority} == {
        Priority.USER: "ring",
        Priority.RING: "ring",
        Priority.PERSON: "person",
        Priority.PACKAGE: "person",
        Priority.ANIMAL: "person",
        Priority.VEHICLE: "person",
        Priority.QUESTION: "digest",
        Priority.DIGEST: "digest",
    }
