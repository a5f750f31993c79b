"""Every language says all that English says, with the same values in it, and in its own words."""

import re
from dataclasses import replace
from string import Formatter

import pytest
from ask_props import CAMERAS, LOCALE, NOW, WALL, ring, state, visit
from summary_props import IN_UTC, NOON, ended, event, observation, sighting
from summary_props import ring as bell

from blikk_edge.asking.reader import Puzzle
from blikk_edge.asking.saying import lines, say, say_puzzled
from blikk_edge.asking.tally import Past, tally
from blikk_edge.core.inquiry import Aggregate, Query
from blikk_edge.core.locale import Locale
from blikk_edge.core.observation import Observed
from blikk_edge.core.parcels import ParcelChange
from blikk_edge.core.sightings import Label
from blikk_edge.core.summary import TEXT_MAX, TITLE_MAX
from blikk_edge.core.watched import NODE
from blikk_edge.enrichers.summaries.template import template, with_gaps
from blikk_edge.language.facts import event_facts, period_facts, present_facts
from blikk_edge.language.language import content_of, language, tags
from blikk_edge.language.wording import _KINDS

TAGS = ("de", "en", "es", "fr", "it", "nl")
SECTIONS = ("duration", "title", "event", "period", "present", "moment", "scope", "answer", "evidence")
IDENTICAL = {"answer.visit", "moment.on", "period.title", "title.seen"}  # nothing but values in all languages


def sentences(tag):
    """Key and form of every sentence, of a plural each form."""
    content = content_of(tag, "texts")
    for section in SECTIONS:
        for name, forms in content[section].items():
            for form in [forms] if isinstance(forms, str) else forms:
                yield f"{section}.{name}", form


def fields(form):
    """The values in it; the number may also be written out."""
    names = {name for _, name, _, _ in Formatter().parse(form) if name}
    return {name[0].lower() + name[1:] for name in names} - {"n", "count"}


def test_these_are_the_languages():
    assert tags() == TAGS


@pytest.mark.parametrize("tag", TAGS)
def test_a_language_has_the_keys_of_english(tag):
    content, english = content_of(tag, "texts"), content_of("en", "texts")
    assert content.keys() == english.keys() - ({"places"} if tag != "en" else set())
    for section in ("things", *SECTIONS):
        assert content[section].keys() == english[section].keys()
    assert (len(content["weekdays"]), len(content["months"]), len(content["numbers"])) == (7, 12, 11)


@pytest.mark.parametrize("tag", TAGS)
def test_a_sentence_has_the_values_that_it_has_in_english(tag):
    english = {key: fields(form) for key, form in sentences("en")}
    assert {key: fields(form) for key, form in sentences(tag)} == english


@pytest.mark.parametrize("tag", TAGS)
def test_every_thing_has_a_singular_and_a_plural_with_its_number(tag):
    content = content_of(tag, "texts")
    kinds = {label.value for label in Label} | {"visitor"} | set().union(*_KINDS.values())
    assert content["things"].keys() == kinds
    for one, several in content["things"].values():
        assert "{n}" not in one
        assert several.startswith("{n} ")


@pytest.mark.parametrize("tag", [tag for tag in TAGS if tag != "en"])
def test_no_sentence_was_left_in_english(tag):
    english = dict(sentences("en"))
    same = {key for key, form in sentences(tag) if form == english[key] and re.search(r"[a-z]{2}", form)}
    reported = {key for key in same if re.search(r"[a-z]{3}", re.sub(r"\{\w+\}", "", english[key]))}
    assert reported - IDENTICAL <= {"duration.minutes", "duration.hours_minutes"}


def people(count, n=1):
    return [sighting(track, since=10.0 * track, dwell_s=40.0) for track in range(n, n + count)]


def one_of_each(locale):
    """Facts of everything that a template can tell."""
    car = event(sighting(9, label=Label.VEHICLE), label=Label.VEHICLE, key="porch-2")
    dogs = event(sighting(8, label=Label.ANIMAL), label=Label.ANIMAL, key="porch-3", peak=2)
    cars = dict.fromkeys((1, 2))
    happened = [
        *(event(*people(n), peak=n) for n in (1, 2)),
        *(ended(*people(n), at=40.0, peak=n) for n in (1, 2)),
        *(ended(*(sighting(t, dwell_s=40.0, still=True) for t in range(n)), at=40.0, peak=n) for n in (1, 2)),
        ended(*people(1), at=700.0, loitering=True),
        event(*people(1), loitering=True),
        *(ended(sighting(label=Label.VEHICLE), at=6.0, label=Label.VEHICLE, peak=n) for n in cars),
        *(
            ended(
                sighting(label=Label.VEHICLE, still=True),
                at=6.0,
                label=Label.VEHICLE,
                reason=Observed.STILL,
                peak=n,
            )
            for n in cars
        ),
        *(event(sighting(label=Label.VEHICLE), label=Label.VEHICLE, reason=Observed.MOVING, peak=n) for n in cars),
        *(event(sighting(label=Label.PACKAGE), label=Label.PACKAGE, peak=n) for n in cars),
        *(ended(sighting(label=Label.PACKAGE), at=90.0, label=Label.PACKAGE, peak=n) for n in cars),
        *(
            ended(
                sighting(label=Label.PACKAGE, still=True),
                at=90.0,
                started=started,
                label=Label.PACKAGE,
                peak=n,
                change=ParcelChange.TAKEN,
            )
            for n in cars
            for started in (0.0, 90.0)
        ),
        *(
            event(sighting(label=label, sub_label=kind), label=label, peak=n)
            for label, kinds in _KINDS.items()
            for kind in kinds
            for n in (1, 3)
        ),
    ]
    for each in happened:
        for rings in ((), (bell(65.0),), (bell(1.0), bell(2.0), bell(130.0))):
            for others in ((), (car,), (car, dogs)):
                yield event_facts(each, name="Haustür", rings=rings, others=others, locale=locale)
    seen = [observation(sighting(n, since=10.0 * n)) for n in range(5)]
    yield event_facts(ended(sighting(4), at=60.0, peak=2), name="Haustür", observations=seen, locale=locale)
    for hours, visits in ((1, ()), (1, happened[:4]), (48, happened[:14]), (48, happened[14:24])):
        for rings in ((), (bell(65.0), bell(70.0))):
            until = NOON + 3600.0 * hours
            yield period_facts(visits, camera=None, name="Zuhause", since=NOON, until=until, rings=rings, locale=locale)
    for counts in ({}, {Label.PERSON: 1}, {Label.PERSON: 2, Label.VEHICLE: 1}):
        there = [event(*people(1))] if counts else []
        yield present_facts(there, counts, camera="porch", name="Haustür", now=NOON + 60, locale=locale)
        yield present_facts((), counts, camera="porch", name="Haustür", now=NOON + 60, locale=locale)


def is_sound(text):
    """Nothing is left of its making, and it reads like a sentence."""
    return not re.search(r"[{}]|  |\(\)| [.,)]|\.\.|^\s|\s$|: *\.", text)


@pytest.mark.parametrize("tag", TAGS)
def test_everything_that_happens_is_reported(tag):
    locale = Locale(timezone=IN_UTC.timezone, language=tag)
    for facts in one_of_each(locale):
        note = template(facts)
        assert is_sound(note.title), note
        assert is_sound(note.text), note
        assert 0 < len(note.title) <= TITLE_MAX
        assert 0 < len(note.text) <= TEXT_MAX
        assert note.text.endswith((".", "…"))
        assert "aust" in f"{note.title} {note.text}" or "uhause" in note.title
        whole = {"Haustür": [(facts.since, facts.until)]}
        part = {"Haustür": [(facts.since, facts.since + 9.0), (facts.until - 9, facts.until)], "B": [(1, 2)]}
        for gaps in (whole, part, {**part, "C": [(1, 2)], "D": [(1, 2)]}):
            for cameras in (1, 5):
                assert is_sound(with_gaps(note, facts, gaps, cameras).text)


def questions():
    """A query of each measure, with and without places and times."""
    for measure in Aggregate:
        for labels in ((Label.PERSON,), (Label.PERSON, Label.VEHICLE), ()):
            for where in ({}, {"cameras": ("front_door",)}, {"cameras": ("front_door", "yard"), "zone": "porch"}):
                for since, until in ((None, None), (NOW - 50_000, None), (NOW - 200_000, NOW - 90_000)):
                    yield Query(measure=measure, labels=labels, since=since, until=until, **where)
        yield Query(measure=measure, labels=(Label.VEHICLE,), kinds=("car",), since=NOW - 90_000, until=NOW - 80_000)
        yield Query(measure=measure, labels=(Label.PERSON,), loitering=True, ongoing=True, doubt="who")
        yield Query(measure=measure, labels=(Label.PERSON,), min_duration_s=600.0, doubt="Postbote")
        for change in ParcelChange:
            yield Query(measure=measure, labels=(Label.PACKAGE,), change=change, since=NOW - 90_000)
        yield Query(measure=measure, rings=True, since=NOW - 90_000)


def pasts():
    """Nothing; one visit; many, with rings."""
    one = [visit("14:02", 2.5, count=2, loitering=True, goes_on=True, zones=("porch",))]
    many = [
        *one,
        visit("11-17 08:10", 3),
        *(visit(f"0{hour}:10", 1, camera="yard", count=hour % 3 + 1) for hour in range(1, 9)),
        visit("11:00", 5, camera="driveway", label=Label.VEHICLE, kind="car"),
        visit("11-12 11:00", 5, camera="driveway", label=Label.VEHICLE, kind="truck"),
    ]
    states = {each.camera: each for each in (state("front_door", person=2, vehicle=1), state("yard", online=False))}
    for events, rings in (((), ()), (one, (ring("14:02"),)), (many, tuple(ring(f"0{h}:12") for h in range(1, 9)))):
        for known in (states, {}, None):
            yield Past(events=events, rings=rings, states=known, now=NOW, complete=bool(known))


@pytest.mark.parametrize("tag", TAGS)
def test_every_question_is_answered(tag):
    spoken = language(tag)
    late = range(9, 4, -1)
    gaps = [
        (),
        (("front_door", ((NOW - 9000, NOW - 8000),)),),
        (("yard", ((NOW - 9000.0, NOW - 8000.0),)), (NODE, tuple((NOW - 1000.0 * n, NOW - 900.0 * n) for n in late))),
    ]
    states = (state("front_door", detect=False), state("yard", online=False), state("driveway", online=False))
    for query in questions():
        for past in pasts():
            finding = tally(query, past)
            for missed, watched in ((gaps[0], True), *((gap, False) for gap in (gaps if past.complete else ()))):
                reported = say(replace(finding, gaps=missed, watched=watched), CAMERAS, WALL, spoken, states)
                assert is_sound(reported), reported
                assert reported.endswith((".", "…"))
            assert all(is_sound(line) for line in lines(finding, CAMERAS, WALL, spoken))
    for puzzle in (Puzzle(), Puzzle(place="Keller"), Puzzle(words=("blaue", "Jacke"))):
        assert is_sound(say_puzzled(puzzle, CAMERAS, spoken))


@pytest.mark.parametrize(
    ("tag", "title", "text", "rang"),
    [
        ("de", "Klingel, zwei Personen", "Zwei Personen waren 40 s da und sind wieder weg", "Es klingelte um 01:12"),
        ("es", "timbre, dos personas", "dos personas estuvieron 40 s y se fueron", "El timbre sonó a la 01:12"),
        (
            "fr",
            "sonnette, deux personnes",
            "deux personnes étaient là pendant 40 s, puis ont quitté les lieux",
            "La sonnette a retenti à 01:12",
        ),
        (
            "it",
            "campanello, due persone",
            "per 40 s c'erano due persone, ora non più",
            "Il campanello ha suonato all'1:12",
        ),
        ("nl", "deurbel, twee personen", "twee personen waren er 40 s en zijn weer weg", "Er werd om 01:12 aangebeld"),
    ],
)
def test_two_visitors_who_rang(tag, title, text, rang):
    night = -10.8 * 3600.0
    happened = ended(*(sighting(n, since=night, dwell_s=40.0) for n in (1, 2)), started=night, at=night + 40, peak=2)
    locale = Locale(timezone=IN_UTC.timezone, language=tag)
    note = template(event_facts(happened, name="Haustür", rings=[bell(night)], locale=locale))
    place = f"Haustür{' ' if tag == 'fr' else ''}: "
    assert (note.title, note.text) == (f"{place}{title}", f"{place}{text}. {rang}.")


def test_a_language_without_texts_is_reported_in_english():
    assert language("sv") is language("en")
    assert language("../en") is language("en")
    assert LOCALE.language == "en"
