from blikk_edge.core.geometry import Box
from blikk_edge.core.placed import Packages
from blikk_edge.core.sightings import Label

PARCEL = Box(0.45, 0.55, 0.52, 0.62)
CARRIER = Box(0.4, 0.3, 0.55, 0.8)


def watch(packages, track, seconds, *, start=0.0, first=0.0, box=PARCEL, people=()):
    placed = {}
    for i in range(round(seconds * 5) + 1):
        time = start + i / 5
        parcel = track(7, time, first=first, label=Label.PACKAGE, box=box)
        placed = packages.placed([parcel], [track(1, time, box=b) for b in people])
    return placed


def test_package_counts_after_three_seconds_on_its_own(track):
    packages = Packages(3.0)
    assert watch(packages, track, 2.8) == {}
    assert watch(packages, track, 0.2, start=3.0) == {7: 0.0}


def test_bag_in_somebodys_arms_never_counts(track):
    assert watch(Packages(3.0), track, 20.0, people=[CARRIER]) == {}


def test_package_counts_from_when_its_carrier_has_left_it(track):
    packages = Packages(3.0)
    watch(packages, track, 5.0, people=[CARRIER])
    assert watch(packages, track, 4.0, start=5.2) == {7: 5.0}


def test_person_beside_a_package_does_not_carry_it(track):
    assert watch(Packages(3.0), track, 4.0, people=[Box(0.5, 0.3, 0.65, 0.8)]) == {7: 0.0}


def test_moving_package_does_not_count(track):
    packages = Packages(3.0)
    for i in range(50):
        box = Box(0.1 + i / 100, 0.5, 0.2 + i / 100, 0.6)
        assert watch(packages, track, 0.0, start=i / 5, box=box) == {}


def test_placed_package_stays_placed_while_somebody_passes_in_front(track):
    packages = Packages(3.0)
    watch(packages, track, 4.0)
    assert watch(packages, track, 1.0, start=4.2, people=[CARRIER]) == {7: 0.0}
