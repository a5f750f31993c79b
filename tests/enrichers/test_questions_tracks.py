import pytest
from question_props import question, state
from summary_props import NOON, ended, event, sighting

from blikk_edge.core.observation import Observed
from blikk_edge.core.sightings import Label
from blikk_edge.core.summary import AnswerKind
from blikk_edge.enrichers.questions.scene import MAX_OPEN, Scenery
from blikk_edge.enrichers.questions.tracks import answered, understood

ZONES = ("door mat", "driveway", "Side_Gate")


def asked(text, kind=AnswerKind.YES_NO):
    return understood(question(text, kind=kind), name="Front porch", zones=ZONES)


def scenery(*items):
    seen = Scenery(camera="porch", name="Front porch")
    for item in items or (state(),):
        seen.take(item)
    return seen


def answer(text, *items, at=0.0, kind=AnswerKind.YES_NO):
    found = answered(asked(text, kind), scenery(state(), *items), NOON + at)
    return found and found.answer


@pytest.mark.parametrize(
    "text",
    [
        "Is someone at the door?",
        "Is there a package?",
        "Is there a vehicle in the driveway?",
        "is anybody on the front porch",
        "Are there people here?",
        "Is a car parked in the driveway?",
        "Has this person been loitering for more than 10 minutes?",
        "Is someone loitering?",
        "Has somebody been at the side gate for more than 2 minutes?",
        "Do you see a dog?",
        "Is there any package on the door mat?",
    ],
)
def test_plain_questions_are_understood(text):
    assert asked(text) is not None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ist jemand an der Tür?", (Label.PERSON, "", None, 0)),
        ("Ist jemand da?", (Label.PERSON, "", None, 0)),
        ("Liegt ein Paket auf der door mat?", (Label.PACKAGE, "", "door mat", 0)),
        ("Steht ein Auto in der driveway?", (Label.VEHICLE, "car", "driveway", 0)),
        ("Steht jemand länger als 5 Minuten vor der Tür?", (Label.PERSON, "", None, 300)),
        ("Parkt ein Auto in der driveway?", (Label.VEHICLE, "car", "driveway", 0)),
        ("¿Hay alguien en la puerta?", (Label.PERSON, "", None, 0)),
        ("¿Hay un paquete?", (Label.PACKAGE, "", None, 0)),
        ("¿Hay un coche aparcado en driveway?", (Label.VEHICLE, "car", "driveway", 0)),
        ("Ist das Tor offen?", None),
        ("Ist jemand mit einem Paket an der Tür?", None),
        ("Ist niemand an der Tür?", None),
        ("War jemand an der Tür?", None),
        ("Ist der Postbote an der Tür?", None),
        ("¿Hay un coche rojo?", None),
        ("¿No hay nadie?", None),
    ],
)
def test_questions_in_other_languages_are_understood_to_the_last_word_or_not_at_all(text, expected):
    found = asked(text)
    assert (found and (found.label, found.kind, found.zone, found.at_least_s)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Is the gate open?",
        "Is someone at the door with a package?",
        "Is the person wearing a hat?",
        "Is there a red car?",
        "Is there a car in the neighbour's garden?",
        "Is someone trying to open the door?",
        "Is there a package or a letter?",
        "Is nobody at the door?",
        "Is there no car?",
        "Was someone at the door?",
        "Is a person parked?",
        "Has someone been here for more than ages?",
        "",
        "?",
    ],
)
def test_whatever_asks_for_more_is_left_to_the_model(text):
    assert asked(text) is None


def test_a_number_is_no_answer_to_yes_or_no():
    assert asked("How many people are there?") is None
    assert asked("How many people are there?", AnswerKind.TEXT) is not None
    assert asked("Is someone here?", AnswerKind.TEXT) is None


VAN = sighting(label=Label.VEHICLE, sub_label="van")


@pytest.mark.parametrize(
    ("text", "items", "expected"),
    [
        ("Is someone at the door?", (event(sighting()),), "yes"),
        ("Is someone at the door?", (event(VAN, label=Label.VEHICLE),), "no"),
        ("Is someone at the door?", (event(sighting()), ended(sighting(), at=9)), "no"),
        ("Is there a vehicle?", (event(VAN, label=Label.VEHICLE),), "yes"),
        ("Is there a van?", (event(VAN, label=Label.VEHICLE),), "yes"),
        ("Is there a car?", (event(VAN, label=Label.VEHICLE),), "no"),
        ("Is there a vehicle?", (state(vehicle=1),), "yes"),  # parked: no event is open
        ("Is there a car?", (state(vehicle=1),), None),  # of what kind, nobody knows
        ("Is there a package on the door mat?", (event(sighting(label=Label.PACKAGE), label=Label.PACKAGE),), "no"),
        (
            "Is there a package on the door mat?",
            (event(sighting(label=Label.PACKAGE, zones=("door mat",)), label=Label.PACKAGE),),
            "yes",
        ),
        ("Is a vehicle parked?", (event(VAN, label=Label.VEHICLE),), "no"),
        (
            "Is a vehicle parked?",
            (event(sighting(label=Label.VEHICLE, still=True), label=Label.VEHICLE, reason=Observed.STILL),),
            "yes",
        ),
        ("Is someone loitering?", (event(sighting()),), "no"),
        ("Is someone loitering?", (event(sighting(), loitering=True),), "yes"),
    ],
)
def test_the_tracks_answer(text, items, expected):
    assert answer(text, *items) == expected


@pytest.mark.parametrize(("at", "expected"), [(0, "no"), (599, "no"), (600, "yes"), (5000, "yes")])
def test_ten_minutes_are_ten_minutes(at, expected):
    text = "Has this person been loitering for more than 10 minutes?"
    assert answer(text, event(sighting()), at=at) == expected


def test_who_came_first_counts_for_a_long_stay():
    both = event(sighting(1), sighting(2, since=500), at=500, peak=2)
    assert answer("Has someone been here for more than ten minutes?", both, at=610) == "yes"


def test_people_are_counted():
    both = event(sighting(1), sighting(2), peak=2)
    assert answer("How many people are there?", both, kind=AnswerKind.TEXT) == "2"
    assert answer("How many vehicles are there?", state(vehicle=3), kind=AnswerKind.TEXT) == "3"


def test_the_confidence_of_yes_is_the_detectors():
    found = answered(asked("Is someone here?"), scenery(state(), event(sighting())), NOON)
    assert found.confidence == pytest.approx(0.8)
    assert found.event == "porch-1"


def test_an_older_revision_changes_nothing():
    seen = scenery(state(), event(sighting(), revision=3))
    assert not seen.take(event(revision=2))
    assert len(seen.here(Label.PERSON)) == 1


def test_events_that_never_end_do_not_pile_up():
    seen = scenery(state(), *[event(sighting(n), key=f"porch-{n}") for n in range(500)])
    assert len(seen.here(Label.PERSON)) == MAX_OPEN
    assert len(seen.lines(NOON)) < 20
