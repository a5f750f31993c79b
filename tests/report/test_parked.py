import pytest
from hypothesis import given
from hypothesis import strategies as st

from blikk_edge.core.geometry import Box
from blikk_edge.core.parked import Parked, ParkedVehicles, parked_from_json, parked_to_json
from blikk_edge.core.sightings import Label

PLACE = Box(0.2, 0.4, 0.5, 0.7)
CAR = Parked(label=Label.VEHICLE, box=PLACE, since=1000.0)

unit = st.floats(0, 1)
parked = st.builds(
    lambda xs, ys, since: Parked(label=Label.VEHICLE, box=Box(min(xs), min(ys), max(xs), max(ys)), since=since),
    st.tuples(unit, unit),
    st.tuples(unit, unit),
    st.floats(0, 1e10),
)


@given(st.lists(parked, max_size=4))
def test_json_round_trip(lot):
    assert parked_from_json(parked_to_json(lot)) == tuple(lot)


@given(st.text() | st.none())
def test_any_text_is_read_without_an_error(text):
    assert all(isinstance(p, Parked) for p in parked_from_json(text))


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "7",
        '{"label": "vehicle"}',
        "[" * 100_000,
        '[{"label": "ship", "box": [0, 0, 1, 1], "since": 0}]',
        '[{"label": "vehicle", "box": [0, 0, 1, NaN], "since": 0}]',
        '[{"label": "vehicle", "box": [0, 0, 1], "since": 0}]',
        '[{"label": "vehicle", "box": [0, 0, 1, 1], "since": 1e400}]',
        '[{"label": "vehicle", "box": 5, "since": "x"}, null, 3]',
    ],
)
def test_damaged_entries_are_left_out(text):
    assert parked_from_json(text) == ()


def test_good_entry_beside_a_damaged_one_is_kept():
    text = parked_to_json([CAR])[:-1] + ', {"label": 5}]'
    assert parked_from_json(text) == (CAR,)


@pytest.mark.parametrize(
    ("box", "same"),
    [(PLACE, True), (Box(0.22, 0.41, 0.52, 0.71), True), (Box(0.35, 0.4, 0.65, 0.7), False)],
)
def test_track_that_fills_the_place_is_the_parked_one(track, box, same):
    assert ParkedVehicles([CAR]).adopt(track(1, 0.0, label=Label.VEHICLE, box=box)) is same


def test_one_place_takes_one_track(track):
    lot = ParkedVehicles([CAR])
    assert lot.adopt(track(1, 0.0, label=Label.VEHICLE, box=PLACE))
    assert not lot.adopt(track(2, 0.0, label=Label.VEHICLE, box=PLACE))


def look_on(lot, start, seconds, *tracks):
    return [off for i in range(int(seconds * 5)) for off in lot.look(tracks, (), start + i / 5)]


def test_place_seen_empty_for_two_minutes_is_forgotten():
    lot = ParkedVehicles([CAR])
    look_on(lot, 0.0, 119.0)
    assert lot.parked == (CAR,)
    look_on(lot, 119.0, 3.0)
    assert lot.parked == ()


def test_hidden_place_is_not_forgotten(track):
    lot = ParkedVehicles([CAR])
    look_on(lot, 0.0, 200.0, track(9, 0.0, box=Box(0.2, 0.3, 0.4, 0.8)))
    assert lot.parked == (CAR,)


def test_place_is_forgotten_soon_after_its_vehicle_drove_off(track):
    lot = ParkedVehicles([CAR])
    lot.adopt(track(1, 0.0, label=Label.VEHICLE, box=PLACE))
    away = track(1, 1.0, label=Label.VEHICLE, box=Box(0.6, 0.4, 0.9, 0.7))
    off = look_on(lot, 1.0, 1.0, away)
    assert [(o.track.id, o.since) for o in off] == [(1, 1.0)]
    look_on(lot, 2.0, 6.0)
    assert lot.parked == ()


def test_vehicle_half_hidden_by_a_passer_by_has_not_driven_off(track):
    lot = ParkedVehicles([CAR])
    lot.adopt(track(1, 0.0, label=Label.VEHICLE, box=PLACE))
    half = track(1, 1.0, label=Label.VEHICLE, box=Box(0.36, 0.4, 0.5, 0.7))
    assert look_on(lot, 1.0, 5.0, half) == []
