from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from summary_props import IN_UTC, NOON, ended, event, observation, ring, sighting

from blikk_edge.core.geometry import Box
from blikk_edge.core.observation import Event, Observed, Phase, Sighting
from blikk_edge.core.parcels import ParcelChange
from blikk_edge.core.sightings import Label
from blikk_edge.core.summary import TEXT_MAX, TITLE_MAX, Importance
from blikk_edge.enrichers.summaries.template import template
from blikk_edge.language.facts import event_facts, period_facts

PARCEL = sighting(label=Label.PACKAGE, sub_label="left_behind", still=True)


def note(happened, name="Front door", **rest):
    return template(event_facts(happened, name=name, locale=IN_UTC, **rest))


def test_one_person_who_is_there():
    written = note(event(sighting()))
    assert written.title == "A person at the front door"
    assert written.text == "A person has been at the front door since 12:00."
    assert written.importance is Importance.NORMAL


def test_one_person_who_stood_in_a_zone_and_left():
    written = note(ended(sighting(dwell_s=40.0, still=True), at=40.0, zones=("porch",)))
    assert written.text == "A person stood at the porch for 40 s and left."


def test_two_people():
    written = note(ended(sighting(1), sighting(2), at=125.0, peak=2))
    assert written.title == "Two people at the front door"
    assert written.text == "Two people were at the front door for 2 min and left."


def test_people_who_come_and_go_are_counted_at_once_only():
    seen = [observation(sighting(n, since=10.0 * n)) for n in range(5)]
    written = note(ended(sighting(4), at=60.0, peak=2), observations=seen)
    assert written.text == "Up to two people at once were at the front door for 1 min and left."


def test_a_ring_is_said_with_its_time_and_matters():
    written = note(event(sighting()), rings=[ring(65.0)])
    assert written.title == "Doorbell: a person at the front door"
    assert written.text.endswith("The doorbell rang at 12:01.")
    assert written.importance is Importance.HIGH


def test_rings_are_counted():
    assert "rang three times, last at 12:02" in note(event(), rings=[ring(0.0), ring(5.0), ring(130.0)]).text


def test_someone_who_stays_long_matters():
    written = note(ended(sighting(dwell_s=700.0), at=700.0, loitering=True))
    assert written.title == "A person stayed long at the front door"
    assert written.text.endswith("The longest stay was 11 min.")
    assert written.importance is Importance.HIGH


@pytest.mark.parametrize(
    ("happened", "title", "text", "matters"),
    [
        (
            ended(sighting(label=Label.VEHICLE), at=6.0, label=Label.VEHICLE),
            "A car at the drive",
            "A car passed the drive.",
            Importance.LOW,
        ),
        (
            ended(sighting(label=Label.VEHICLE, still=True), at=40.0, label=Label.VEHICLE, reason=Observed.STILL),
            "A car parked at the drive",
            "A car came at 12:00 and parked at the drive.",
            Importance.NORMAL,
        ),
        (
            event(sighting(label=Label.VEHICLE), label=Label.VEHICLE, reason=Observed.MOVING),
            "A car drove off from the drive",
            "A car that had been parked drove off from the drive at 12:00.",
            Importance.NORMAL,
        ),
        (
            ended(sighting(label=Label.VEHICLE, sub_label="bus"), at=50.0, peak=2, label=Label.VEHICLE),
            "Two buses at the drive",
            "Two buses were at the drive for 50 s and left.",
            Importance.NORMAL,
        ),
        (
            ended(sighting(label=Label.ANIMAL), at=8.0, label=Label.ANIMAL),
            "A dog at the drive",
            "A dog was at the drive for 8 s and left.",
            Importance.LOW,
        ),
        (
            event(sighting(label=Label.PACKAGE, sub_label="suitcase"), label=Label.PACKAGE),
            "A package at the drive",
            "A package was put down at the drive at 12:00.",
            Importance.HIGH,
        ),
        (
            ended(PARCEL, at=3660.0, label=Label.PACKAGE, change=ParcelChange.TAKEN),
            "A package taken from the drive",
            "A package was at the drive for 1 h 1 min and was taken at 13:01.",
            Importance.HIGH,
        ),
        (  # it lay there before the node began
            ended(PARCEL, at=60.0, started=60.0, label=Label.PACKAGE, revision=1, change=ParcelChange.TAKEN),
            "A package taken from the drive",
            "A package was taken from the drive at 12:01.",
            Importance.HIGH,
        ),
    ],
)
def test_vehicles_animals_and_parcels(happened, title, text, matters):
    written = note(happened, name="Drive")
    assert (written.title, written.text, written.importance) == (title, text, matters)


def test_a_vehicle_that_started_from_its_place_is_known_to_the_end():
    moved = observation(sighting(label=Label.VEHICLE), kind=Observed.MOVING)
    gone = ended(sighting(label=Label.VEHICLE), at=5.0, label=Label.VEHICLE)
    assert note(gone, observations=[moved]).title == "A car drove off from the front door"


def test_who_else_was_there_is_said():
    car = event(sighting(9, label=Label.VEHICLE), label=Label.VEHICLE, key="porch-2")
    assert note(event(sighting()), others=[car]).text.endswith("A car was there too.")


def test_a_class_that_says_more_of_a_person_is_not_repeated():
    assert note(event(sighting(sub_label="woman"))).title == "A person at the front door"


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("Camera 1", "A person at Camera 1"),
        ("Anna's room", "A person at Anna's room"),
        ("Annas' room", "A person at Annas' room"),
        ("the shed", "A person at the shed"),
        ("My garden", "A person at My garden"),
        ("12 Main Street", "A person at 12 Main Street"),
        ("Front door", "A person at the front door"),
        ("Front Door", "A person at the front door"),
        ("FRONT DOOR", "A person at the front door"),
        ("Front-door camera", "A person at the front-door camera"),
        ("Back yard (left)", "A person at the back yard (left)"),
        ("TV room", "A person at the TV room"),
        ("TV", "A person at the TV"),
        ("Rose Garden", "A person at the Rose Garden"),
        ("Main Street", "A person at the Main Street"),
        ("Street", "A person at the street"),
        ("Smith gate", "A person at the Smith gate"),
        ("Einfahrt", "A person at the Einfahrt"),
        ("Größe Tür", "A person at the Größe Tür"),
        ("Garage 2", "A person at Garage 2"),
        ("日本", "A person at the 日本"),
    ],
)
def test_names_take_an_article_only_where_it_fits(name, title):
    assert note(event(sighting()), name=name).title == title


def period(*events, rings=(), hours=1):
    facts = period_facts(
        events, camera="porch", name="Front door", since=NOON, until=NOON + 3600 * hours, rings=rings, locale=IN_UTC
    )
    return template(facts)


def test_a_quiet_period():
    assert period().text == "Nothing was seen from 12:00 to 13:00."
    assert period().importance is Importance.LOW


def test_a_period_counts_visits():
    visits = [ended(sighting(n, since=n), at=n + 5.0, started=n, key=f"porch-{n}") for n in range(3)]
    visits.append(ended(sighting(9, label=Label.VEHICLE), at=9.0, label=Label.VEHICLE, key="porch-9"))
    written = period(*visits, rings=[ring(30.0)])
    assert written.title == "Front door: 4 visits and 1 ring"
    assert written.text == (
        "From 12:00 to 13:00: three visits by a person and one visit by a car. The doorbell rang at 12:00."
    )


def test_a_period_says_what_was_put_down_and_what_was_taken():
    left = event(PARCEL, label=Label.PACKAGE, key="porch-1", change=ParcelChange.LEFT_BEHIND)
    both = ended(PARCEL, at=90.0, label=Label.PACKAGE, key="porch-2", change=ParcelChange.TAKEN)
    gone = ended(PARCEL, at=9.0, started=9.0, label=Label.PACKAGE, key="porch-3", change=ParcelChange.TAKEN)
    written = period(left, both, gone)
    assert written.title == "Front door: two packages"
    assert written.text == "From 12:00 to 13:00 nobody was seen. Two packages were put down. Two packages were taken."
    assert period(gone).title == "Front door: a package was taken"
    assert period(gone).text == "From 12:00 to 13:00 nobody was seen. A package was taken."


ANY_SIGHTING = st.builds(
    Sighting,
    track=st.integers(0, 9),
    label=st.sampled_from(Label),
    sub_label=st.text(max_size=20),
    score=st.floats(0, 1),
    box=st.just(Box(0.1, 0.1, 0.2, 0.2)),
    since=st.floats(),
    dwell_s=st.floats(),
    still=st.booleans(),
    zones=st.lists(st.text(max_size=300), max_size=5).map(tuple),
)
ANY_EVENT = st.builds(
    Event,
    id=st.text(max_size=9),
    camera=st.text(max_size=9),
    phase=st.sampled_from(Phase),
    revision=st.integers(1, 9),
    time=st.floats(),
    started=st.floats(),
    label=st.sampled_from(Label),
    reason=st.sampled_from(Observed),
    objects=st.lists(ANY_SIGHTING, max_size=6).map(tuple),
    peak=st.integers(0, 10**6),
    zones=st.lists(st.text(max_size=300), max_size=5).map(tuple),
    loitering=st.booleans(),
    ended=st.none() | st.floats(),
)


def check_limits(written):
    assert 0 < len(written.title) <= TITLE_MAX
    assert 0 < len(written.text) <= TEXT_MAX
    assert "\n" not in written.title + written.text


@given(happened=ANY_EVENT, others=st.lists(ANY_EVENT, max_size=3), name=st.text(max_size=300), rings=st.integers(0, 12))
def test_no_event_is_beyond_the_template(happened, others, name, rings):
    bells = [replace(ring(), time=happened.time) for _ in range(rings)]
    check_limits(note(happened, name=name, others=others, rings=bells))


@given(events=st.lists(ANY_EVENT, max_size=5), name=st.text(max_size=300), since=st.floats(), until=st.floats())
def test_no_period_is_beyond_the_template(events, name, since, until):
    facts = period_facts(events, camera=None, name=name, since=since, until=until, locale=IN_UTC)
    check_limits(template(facts))


@given(happened=ANY_EVENT)
def test_the_same_event_has_the_same_text(happened):
    assert note(happened) == note(happened)
