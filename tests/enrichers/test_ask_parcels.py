"""Questions about parcels: what was put down and what was taken are asked, and answered, apart."""

from dataclasses import replace

import pytest
from ask_props import CAMERAS, NOW, WALL, visit

from blikk_edge.asking.reader import read
from blikk_edge.asking.saying import say
from blikk_edge.asking.tally import Past, tally
from blikk_edge.core.inquiry import AskQuestion, Query
from blikk_edge.core.parcels import ParcelChange
from blikk_edge.core.sightings import Label
from blikk_edge.language.language import language
from blikk_edge.language.reading import reading

LIES = visit("10:05", 3.0, label=Label.PACKAGE)
SINCE_YESTERDAY = replace(visit("11-17 16:00", 22 * 60.0, label=Label.PACKAGE), change=ParcelChange.TAKEN)
WAS_THERE_BEFORE = replace(visit("09:00", 0.0, label=Label.PACKAGE), change=ParcelChange.TAKEN)


def answer(question, *events, tag="en"):
    query = read(AskQuestion(question=question), cameras=CAMERAS, now=NOW, wall=WALL, reading=reading(tag))
    assert isinstance(query, Query)
    found = tally(query, Past(events=events, rings=(), states=None, now=NOW))
    return say(found, CAMERAS, WALL, language(tag))


@pytest.mark.parametrize("gone", [SINCE_YESTERDAY, WAS_THERE_BEFORE])
def test_what_was_taken_today_was_not_delivered_today(gone):
    assert answer("Was a parcel delivered today?", gone) == "No, no packages were seen being delivered today."
    assert answer("Was a parcel delivered today?", LIES, gone).startswith("Yes, a package for 3 min at 10:05")


def test_what_lies_there_was_not_taken():
    assert answer("Has the parcel been taken?", LIES) == "No, no packages were seen being taken today."


def test_when_it_was_taken_is_not_when_it_came():
    events = (LIES, WAS_THERE_BEFORE, SINCE_YESTERDAY)
    assert answer("When was the parcel picked up?", *events) == (
        "The last was at 14:00: a package taken at the front door."
    )
    assert answer("Who took the parcel?", SINCE_YESTERDAY) == (
        "Seen today: at 14:00 a package taken at the front door. Who it was is not known."
    )


@pytest.mark.parametrize(
    ("tag", "question", "said"),
    [
        ("de", "Wurde das Paket abgeholt?", "Ja, um 14:00 ein Paket weggenommen (Front door)."),
        ("es", "¿Cuándo retiraron el paquete?", "La última, a las 14:00: un paquete retirado (Front door)."),
    ],
)
def test_other_languages_say_it_too(tag, question, said):
    assert answer(question, SINCE_YESTERDAY, tag=tag) == said
