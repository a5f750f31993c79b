"""Which member is to watch which camera."""

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from blikk_edge.fleet.placing import Place, Wanted, moves, placed

LABELS = st.frozensets(st.sampled_from(["hall_a", "hall_b", "yard"]))
PLACES = st.lists(
    st.builds(
        Place,
        member=st.text("abc", min_size=1, max_size=3),
        cameras_max=st.integers(0, 6),
        load=st.floats(0, 1),
        near=LABELS,
    ),
    unique_by=lambda place: place.member,
    max_size=5,
)
WANTED = st.lists(
    st.builds(Wanted, camera=st.text("xyz", min_size=1, max_size=3), near=LABELS),
    unique_by=lambda wanted: wanted.camera,
    max_size=20,
)


def cameras(count: int) -> list[Wanted]:
    return [Wanted(camera=f"camera_{number}") for number in range(count)]


def members(*names: str, cameras_max: int = 1000) -> list[Place]:
    return [Place(member=name, cameras_max=cameras_max) for name in names]


@given(WANTED, PLACES, st.randoms(use_true_random=False))
def test_every_member_comes_to_the_same_result_whatever_it_heard_first(
    wanted: list[Wanted], places: list[Place], rng: random.Random
) -> None:
    found = placed(wanted, places, {})
    rng.shuffle(wanted)
    rng.shuffle(places)
    assert placed(wanted, places, {}) == found


@given(WANTED, PLACES, st.integers(0, 3))
def test_nobody_gets_more_than_there_is_room_for_and_no_room_is_left_while_a_camera_waits(
    wanted: list[Wanted], places: list[Place], watched: int
) -> None:
    held = {place.member: [f"own_{number}" for number in range(watched)] for place in places}
    found = placed(wanted, places, held)
    counts = Counter(found.values())
    rooms = {place.member: max(0, place.cameras_max - watched) for place in places}
    assert all(counts[member] <= rooms[member] for member in counts)
    assert len(found) == min(len(wanted), sum(rooms.values()))


def test_a_member_that_is_near_comes_first_and_another_one_when_it_is_full() -> None:
    near = Place(member="near", cameras_max=2, near=frozenset({"hall_a"}))
    wanted = [Wanted(camera=name, near=frozenset({"hall_a"})) for name in ("a", "b", "c")]
    found = placed(wanted, [near, *members("far")], {})
    assert Counter(found.values()) == {"near": 2, "far": 1}


def test_cameras_of_a_member_that_died_are_shared_by_all_that_are_left() -> None:
    held = {name: [f"{name}_{number}" for number in range(100)] for name in ("one", "two")}
    found = placed(cameras(100), members("one", "two"), held)
    counts = Counter(found.values())
    assert set(counts) == {"one", "two"}
    assert min(counts.values()) > 25


def test_a_busy_member_gets_fewer_but_is_not_left_out() -> None:
    busy = Place(member="busy", cameras_max=1000, load=1.0)
    counts = Counter(placed(cameras(300), [busy, *members("idle")], {}).values())
    assert 0 < counts["busy"] < counts["idle"] / 3


def test_a_load_that_changes_a_little_moves_nothing() -> None:
    before, after = (
        placed(cameras(50), [Place(member="one", cameras_max=100, load=load), *members("two", cameras_max=100)], {})
        for load in (0.26, 0.34)
    )
    assert before == after


@given(st.integers(0, 12), st.integers(1, 4))
def test_a_member_that_comes_gets_its_share_by_few_moves_and_then_nothing_moves(count: int, more: int) -> None:
    wanted, places = cameras(count), members("old", *(f"new_{number}" for number in range(more)), cameras_max=20)
    held = {place.member: list[str]() for place in places}
    held["old"] = [each.camera for each in wanted]
    moved = 0
    while found := [(place.member, moves(wanted, places, held, me=place.member)) for place in places]:
        takes = [(member, camera) for member, those in found for camera in those]
        if not takes:
            break
        for member, camera in takes:
            owner = next(owner for owner, those in held.items() if camera in those)
            held[owner].remove(camera)
            held[member].append(camera)
            moved += 1
        assert moved <= count
    sizes = [len(those) for those in held.values()]
    assert max(sizes) - min(sizes) <= 1


def test_a_camera_moves_to_a_member_that_is_near_but_not_to_a_machine_that_is_busier() -> None:
    wanted = [Wanted(camera="yard", near=frozenset({"yard"})), *cameras(3)]
    far = Place(member="far", cameras_max=20)
    near = Place(member="near", cameras_max=20, near=frozenset({"yard"}))
    held = {"far": ["yard"], "near": ["camera_0", "camera_1", "camera_2"]}
    assert moves(wanted, [far, near], held, me="near") == ["yard"]
    assert moves(wanted, [far, near], {"far": [], "near": ["yard"]}, me="far") == []
    busy = Place(member="near", cameras_max=20, near=frozenset({"yard"}), load=0.9)
    assert moves(wanted, [far, busy], held, me="near") == []
