"""Questions in German and Spanish and the Query that each becomes: pinned. Now is Wednesday 2026-11-18 14:30."""

import json

import pytest
from ask_props import CAMERAS as CAMERAS_OF_ENGLISH
from ask_props import LOCALE, NOW, WALL, ScriptedQueue, ring, visit
from hypothesis import given
from hypothesis import strategies as st
from test_ask_reader import shown

from blikk_edge.asking.question_service import QuestionService
from blikk_edge.asking.reader import Puzzle, read
from blikk_edge.core.clock import VirtualClock
from blikk_edge.core.inquiry import AskQuestion, Query
from blikk_edge.core.locale import Locale
from blikk_edge.core.sightings import Label
from blikk_edge.core.status import CameraInfo
from blikk_edge.core.summary import Author
from blikk_edge.language.grounding import check
from blikk_edge.language.language import content_of
from blikk_edge.language.reading import KIND_LABELS, reading
from blikk_edge.store.store import Store

DOOR = CameraInfo(id="front_door", name="Haustür", labels=tuple(Label), zones=("Weg",), ring=True)
YARD = CameraInfo(id="yard", name="Garten", labels=tuple(Label), zones=("Wiese",))
DRIVE = CameraInfo(id="driveway", name="Einfahrt", labels=tuple(Label))
PUERTA = CameraInfo(id="front_door", name="Puerta principal", labels=tuple(Label), zones=("camino",), ring=True)
JARDIN = CameraInfo(id="yard", name="Jardín", labels=tuple(Label), zones=("césped",))
GARAJE = CameraInfo(id="driveway", name="Garaje", labels=tuple(Label))
CAMERAS = {"de": (DOOR, YARD, DRIVE), "es": (PUERTA, JARDIN, GARAJE)}

GERMAN = (
    (
        "Wie viele Personen kamen heute Morgen zur Haustür?",
        "count person at front_door from 11-18 05:00 to 11-18 12:00",
    ),
    ("Wie viele Leute waren heute an der Haustür?", "count person at front_door from 11-18 00:00"),
    ("Wie viele Besucher hatten wir gestern?", "count person from 11-17 00:00 to 11-18 00:00"),
    (
        "Wie viele Autos waren zwischen 8 und 10 Uhr in der Einfahrt?",
        "count vehicle (car) at driveway from 11-18 08:00 to 11-18 10:00",
    ),
    ("Wie oft hat es heute geklingelt?", "visits all from 11-18 00:00 rings"),
    ("Wie oft war diese Woche jemand im Garten?", "visits person at yard from 11-16 00:00"),
    ("Wie viele Besuche gab es am Montag?", "visits person from 11-16 00:00 to 11-17 00:00"),
    ("Wie viele Pakete sind seit gestern angekommen?", "count package from 11-17 00:00 left_behind"),
    ("Wie viele Personen sind gerade an der Tür?", "present person at front_door"),
    ("Ist jemand an der Haustür?", "present person at front_door"),
    ("Ist jetzt jemand da?", "present person"),
    ("Wer ist an der Tür?", "present person at front_door"),
    ("Ist die Katze noch im Garten?", "present animal (cat) at yard"),
    ("Ist ein Hund im Keller?", "? keller"),
    ("War heute Nachmittag jemand an der Tür?", "any person at front_door from 11-18 12:00"),
    ("Hat es in der letzten Stunde geklingelt?", "any all from 11-18 13:30 rings"),
    ("Stand jemand länger als 10 Minuten an der Haustür?", "any person at front_door from 11-18 00:00 at least 600 s"),
    ("War letzte Nacht jemand im Garten?", "any person at yard from 11-17 18:00 to 11-18 06:00"),
    ("Waren in der Nacht Tiere im Garten?", "any animal at yard from 11-17 22:00 to 11-18 06:00"),
    ("War in den letzten 3 Tagen eine Katze im Garten?", "any animal (cat) at yard from 11-15 14:30"),
    ("Kam heute der Postbote?", "any person from 11-18 00:00 doubt postbote"),
    ("Ist Anna nach Hause gekommen?", "?? anna"),
    ("Kam ein Mann mit einer roten Jacke?", "?? roten jacke"),
    ("Kam heute niemand?", "count person from 11-18 00:00"),
    ("Wurde heute ein Paket geliefert?", "any package from 11-18 00:00 left_behind"),
    ("Wer hat das Paket mitgenommen?", "list package from 11-18 00:00 taken doubt who"),
    ("Ist seit 8 Uhr etwas passiert?", "any all from 11-18 08:00"),
    ("Was ist letzte Nacht passiert?", "list all from 11-17 18:00 to 11-18 06:00"),
    ("Was war gestern Abend an der Hasutür los?", "list all at front_door from 11-17 18:00 to 11-18 00:00"),
    ("Wer war gestern um halb zehn an der Tür?", "list person at front_door from 11-17 09:00 to 11-17 10:00"),
    ("Wer war um Viertel nach neun an der Tür?", "list person at front_door from 11-18 08:45 to 11-18 09:45"),
    ("Wer kam gestern um drei Uhr nachmittags?", "list person from 11-17 14:30 to 11-17 15:30"),
    ("Wer hat geklingelt?", "list all from 11-18 00:00 rings doubt who"),
    ("Wer war seit Mittag auf dem Weg?", "list person at front_door in Weg from 11-18 12:00"),
    ("Wann war der letzte Besucher da?", "last person"),
    ("Wann war die letzte Lieferung?", "last package left_behind"),
    ("Wann hat es zuletzt geklingelt?", "last all rings"),
    ("Wann kam heute der erste Besucher?", "first person from 11-18 00:00"),
    ("Wann war gestern jemand an der Tür?", "list person at front_door from 11-17 00:00 to 11-18 00:00"),
    ("Wie lange war heute jemand im Garten?", "duration person at yard from 11-18 00:00"),
    ("Wie lange ist das Auto schon in der Einfahrt?", "staying vehicle (car) at driveway ongoing"),
    ("Was war der längste Besuch diese Woche?", "longest person from 11-16 00:00"),
    (
        "Wie viele Personen waren gestern gleichzeitig im Garten?",
        "most_at_once person at yard from 11-17 00:00 to 11-18 00:00",
    ),
    ("War vor zwei Stunden jemand an der Tür?", "any person at front_door from 11-18 12:00 to 11-18 13:00"),
    ("War vor einer halben Stunde jemand da?", "any person from 11-18 13:30 to 11-18 14:30"),
    ("Wie viele Personen kamen letzten Monat?", "count person from 10-01 00:00 to 11-01 00:00"),
    ("Wie viele Hunde und Katzen waren am 3. November da?", "count animal (dog cat) from 11-03 00:00 to 11-04 00:00"),
    ("Wer war am Wochenende da?", "list person from 11-14 00:00 to 11-16 00:00"),
    ("Wer war vorgestern im Garten?", "list person at yard from 11-16 00:00 to 11-17 00:00"),
    ("Wie viele Personen sind da?", "present person"),
    ("Wie viele Pakete sind angekommen?", "count package from 11-18 00:00 left_behind"),
    ("Wer ist heute gekommen?", "list person from 11-18 00:00"),
    ("Was ist gerade in der Einfahrt los?", "present all at driveway"),
    ("Regnet es?", "?? regnet"),
    ("Erzähl mir einen Witz", "?? witz"),
)
SPANISH = (
    (
        "¿Cuántas personas vinieron a la puerta esta mañana?",
        "count person at front_door from 11-18 05:00 to 11-18 12:00",
    ),
    ("¿Cuántas personas vinieron hoy a la puerta principal?", "count person at front_door from 11-18 00:00"),
    ("¿Cuántas visitas hubo ayer?", "visits person from 11-17 00:00 to 11-18 00:00"),
    (
        "¿Cuántos coches hubo en el garaje entre las 8 y las 10?",
        "count vehicle (car) at driveway from 11-18 08:00 to 11-18 10:00",
    ),
    ("¿Cuántas veces sonó el timbre hoy?", "visits all from 11-18 00:00 rings"),
    ("¿Cuántas veces hubo alguien en el jardín esta semana?", "visits person at yard from 11-16 00:00"),
    ("¿Cuántos paquetes llegaron desde ayer?", "count package from 11-17 00:00 left_behind"),
    ("¿Cuántas personas hay en la puerta?", "present person at front_door"),
    ("¿Hay alguien en la puerta?", "present person at front_door"),
    ("¿Hay alguien ahora?", "present person"),
    ("¿Quién está en la puerta principal?", "present person at front_door"),
    ("¿Está el gato todavía en el jardín?", "present animal (cat) at yard"),
    ("¿Hay un perro en el sótano?", "? sótano"),
    ("¿Vino alguien a la puerta esta tarde?", "any person at front_door from 11-18 12:00"),
    ("¿Sonó el timbre en la última hora?", "any all from 11-18 13:30 rings"),
    ("¿Estuvo alguien en la puerta más de 10 minutos?", "any person at front_door from 11-18 00:00 at least 600 s"),
    ("¿Hubo alguien en el jardín anoche?", "any person at yard from 11-17 20:00 to 11-18 06:00"),
    ("¿Hubo un gato en el jardín en los últimos 3 días?", "any animal (cat) at yard from 11-15 14:30"),
    ("¿Vino hoy el cartero?", "any person from 11-18 00:00 doubt cartero"),
    ("¿Vino Ana a casa?", "?? ana"),
    ("¿Vino un hombre con una chaqueta roja?", "?? chaqueta roja"),
    ("¿No vino nadie hoy?", "count person from 11-18 00:00"),
    ("¿Se entregó un paquete hoy?", "any package from 11-18 00:00 left_behind"),
    ("¿Cuándo retiraron el paquete?", "last package taken"),
    ("¿Ha pasado algo desde las 8?", "any all from 11-18 08:00"),
    ("¿Qué pasó anoche?", "list all from 11-17 20:00 to 11-18 06:00"),
    ("¿Qué ocurrió ayer por la tarde en el jardn?", "list all at yard from 11-17 12:00 to 11-17 20:00"),
    (
        "¿Quién estuvo en la puerta ayer a las nueve y media?",
        "list person at front_door from 11-17 09:00 to 11-17 10:00",
    ),
    ("¿Quién vino ayer a las tres de la tarde?", "list person from 11-17 14:30 to 11-17 15:30"),
    ("¿Quién llamó al timbre?", "list all from 11-18 00:00 rings doubt who"),
    ("¿Cuándo fue la última visita?", "last person"),
    ("¿Cuándo fue la última entrega?", "last package left_behind"),
    ("¿Cuándo sonó el timbre por última vez?", "last all rings"),
    ("¿Cuánto tiempo estuvo alguien en el jardín hoy?", "duration person at yard from 11-18 00:00"),
    ("¿Cuánto tiempo lleva el coche en el garaje?", "staying vehicle (car) at driveway ongoing"),
    ("¿Cuál fue la visita más larga esta semana?", "longest person from 11-16 00:00"),
    (
        "¿Cuántas personas hubo a la vez en el jardín ayer?",
        "most_at_once person at yard from 11-17 00:00 to 11-18 00:00",
    ),
    ("¿Hubo alguien en la puerta hace dos horas?", "any person at front_door from 11-18 12:00 to 11-18 13:00"),
    ("¿Cuántas personas vinieron el mes pasado?", "count person from 10-01 00:00 to 11-01 00:00"),
    ("¿Cuántos perros y gatos hubo el 3 de noviembre?", "count animal (dog cat) from 11-03 00:00 to 11-04 00:00"),
    ("¿Quién vino el fin de semana?", "list person from 11-14 00:00 to 11-16 00:00"),
    ("¿Quién vino el lunes por la mañana?", "list person from 11-16 05:00 to 11-16 12:00"),
    ("¿Quién estuvo en el jardín anteayer?", "list person at yard from 11-16 00:00 to 11-17 00:00"),
    ("¿Está lloviendo?", "?? lloviendo"),
    ("Cuéntame un chiste", "?? chiste"),
)
PINNED = [("de", *pinned) for pinned in GERMAN] + [("es", *pinned) for pinned in SPANISH]


def asked(tag, question):
    rules = reading(tag)
    assert rules is not None
    return read(AskQuestion(question=question), cameras=CAMERAS[tag], now=NOW, wall=WALL, reading=rules)


@pytest.mark.parametrize(("tag", "question", "query"), PINNED)
def test_a_question_is_read_as_it_is_pinned(tag, question, query):
    assert shown(asked(tag, question)) == query


@pytest.mark.parametrize("tag", ["de", "es"])
def test_a_language_has_all_that_english_reads(tag):
    content, english = content_of(tag, "questions"), content_of("en", "questions")
    assert content.keys() == english.keys()
    for section in set(english) - {"parts", "numbers", "shares", "filler", "short"}:
        assert content[section].keys() == english[section].keys(), section
    assert set(content["kinds"]) == set(KIND_LABELS)


@pytest.mark.parametrize("tag", ["de", "en", "es"])
def test_what_could_be_asked_is_understood(tag):
    examples = content_of(tag, "texts")["answer"]["examples"]
    questions = [
        each
        for each in examples.replace("«", '"').replace("»", '"').replace("„", '"').replace("“", '"').split('"')
        if "?" in each
    ]
    assert len(questions) == 3
    cameras = CAMERAS.get(tag) or CAMERAS_OF_ENGLISH
    for question in questions:
        read_so = read(AskQuestion(question=question), cameras=cameras, now=NOW, wall=WALL, reading=reading(tag))
        assert isinstance(read_so, Query), question


@pytest.mark.parametrize("tag", ["de", "es"])
@given(text=st.data())
def test_no_question_breaks_the_reader(tag, text):
    rules = reading(tag)
    words = sorted(
        {
            *rules.filler,
            *rules.subjects,
            *rules.numbers,
            *rules.parts,
            "klingel",
            "timbre",
            "seit",
            "vor",
            "hace",
            "·",
            "(",
            "3",
            "25:00",
            "2026-02-30",
        }
    )
    question = text.draw(st.lists(st.sampled_from(words), max_size=12).map(" ".join) | st.text(max_size=80))
    query = asked(tag, question)
    if isinstance(query, Puzzle):
        return
    if query.since is not None and query.until is not None:
        assert query.since < query.until


def service(store, tag, cameras, model=None):
    return QuestionService(
        history=store,
        cameras=cameras,
        clock=VirtualClock(NOW),
        states=tuple,
        locale=lambda: Locale(timezone=LOCALE.timezone, language=tag),
        queue=model,
        check=check,
    )


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "blikk.db")
    store.open()
    for record in (visit("09:02", count=2), visit("11:40", 3.0), ring("09:02")):
        store.put(record)
    yield store
    store.close()


@pytest.mark.parametrize(
    ("tag", "question", "answer"),
    [
        (
            "de",
            "Wie viele Personen waren heute an der Haustür?",
            "Heute (Haustür) wurden drei Personen gesehen: zwei Besuche, der letzte um 11:40 (wer ",
        ),
        ("de", "Wann hat es zuletzt geklingelt?", "Zuletzt hat es um 09:02 geklingelt (Haustür)."),
        ("de", "War heute ein Hund da?", "Nein, heute wurden keine Hunde gesehen."),
        (
            "de",
            "How many people came today?",
            "Heute wurden drei Personen gesehen: zwei Besuche, der letzte um 11:40",
        ),
        (
            "de",
            "Welche Farbe hat der Himmel?",
            "Das habe ich nicht verstanden: „farbe“ und „himmel“. Du kannst fragen:",
        ),
        (
            "es",
            "¿Cuándo fue la última visita?",
            "La última, a las 11:40: una persona durante 3 min (Puerta principal).",
        ),
        ("fr", "When was the last visitor?", "La dernière, à 11:40 : une personne pendant 3 min (Haustür)."),
    ],
)
async def test_an_answer_is_in_the_language_of_the_household(store, tag, question, answer):
    reply = await service(store, tag, CAMERAS.get(tag, CAMERAS["de"])).answer(AskQuestion(question=question))
    assert reply.text.startswith(answer)


GERMAN_HINT = "Dieser Knoten versteht Fragen auf {}; mit `language: de` in blikk.yaml versteht er auch Deutsch. "
SPANISH_HINT = "Este nodo entiende preguntas en {}; con `language: es` en blikk.yaml entiende también español. "


@pytest.mark.parametrize(
    ("tag", "question", "begin"),
    [
        ("en", "Wie viele Personen waren heute an der Haustür?", GERMAN_HINT.format("Englisch") + "You can ask:"),
        ("en", "Hat Anna heute geklingelt?", GERMAN_HINT.format("Englisch")),
        ("en", "War jemand auf dem Dachboden?", GERMAN_HINT.format("Englisch")),
        ("en", "¿Cuándo fue la última visita?", SPANISH_HINT.format("inglés") + "You can ask:"),
        ("de", "¿Cuándo fue la última visita?", SPANISH_HINT.format("alemán e inglés") + "Du kannst fragen:"),
        ("es", "Wann hat es zuletzt geklingelt?", GERMAN_HINT.format("Spanisch und Englisch")),
        ("fr", "Wann hat es zuletzt geklingelt?", GERMAN_HINT.format("Englisch")),
        ("en", "Did Anna come home?", 'I did not understand "anna".'),
        ("en", "Is anyone in the attic?", 'There is no camera and no zone called "attic"'),
        ("en", "Anna?", 'I did not understand "anna".'),
        ("en", "Qui était là ?", "I did not understand"),
        ("de", "Welche Farbe hat der Himmel?", "Das habe ich nicht verstanden"),
    ],
)
async def test_a_question_in_a_language_that_is_not_read_gets_a_hint_in_it(store, tag, question, begin):
    reply = await service(store, tag, CAMERAS.get(tag) or CAMERAS["de"]).answer(AskQuestion(question=question))
    assert reply.query is None
    assert reply.text.startswith(begin)


@pytest.mark.parametrize(
    ("words", "source"),
    [
        ("Heute waren drei Personen an der Haustür, zuletzt um 11:40 Uhr.", Author.LLM),
        ("Heute waren vier Personen an der Haustür, zuletzt um 11:40 Uhr.", Author.TEMPLATE),
        ("Heute waren drei Männer an der Haustür, zuletzt um 11:40 Uhr.", Author.TEMPLATE),
        ("Heute war niemand an der Haustür.", Author.TEMPLATE),
    ],
)
async def test_a_model_words_the_answer_in_german_and_is_held_to_it(store, words, source):
    model = ScriptedQueue(json.dumps({"answer": words}))
    asking = service(store, "de", CAMERAS["de"], model)
    reply = await asking.answer(AskQuestion(question="Wie viele Personen waren heute an der Haustür?"))
    assert "Answer in German." in model.jobs[0].prompt.system
    assert reply.source is source
    assert (reply.text == words) is (source is Author.LLM)
