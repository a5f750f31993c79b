"""Searching what is stored: by a model, by label and colour, and what a store that knows nothing of it does."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_clip import write_pair

from blikk_edge.asking.searching import search, wish_of
from blikk_edge.core.appearance import Appearance, Colour, Embedding, FoundBy
from blikk_edge.core.inquiry import Reply, Search
from blikk_edge.core.observation import Event, Observation, Observed, Phase
from blikk_edge.core.sightings import Label
from blikk_edge.language.reading import english, reading
from blikk_edge.store.store import Store
from blikk_edge.transforms.embedding.towers import Towers

T0 = 1_795_262_400.0


@pytest.fixture(scope="module")
def towers(tmp_path_factory: pytest.TempPathFactory) -> Towers:
    return Towers("tiny", *write_pair(tmp_path_factory.mktemp("pair")))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "blikk.db")
    store.open()
    yield store
    store.close()


def visit(number: int, camera: str = "gate") -> Event:
    return Event(
        id=f"{camera}-{number}",
        camera=camera,
        phase=Phase.STARTED,
        revision=1,
        time=T0 + number,
        started=T0 + number,
        label=Label.VEHICLE,
        reason=Observed.APPEARED,
    )


def put(
    store: Store, number: int, *colours: Colour, towers: Towers | None = None, camera: str = "gate", kind: str = "car"
) -> None:
    """A visit, and how it looked when it appeared: with `towers` its embedding is that of its first colour's word."""
    embedding = None
    if towers is not None:
        embedding = Embedding.packed(towers.name, towers.text(colours[0]).astype("<f2").tobytes())
    seen = Appearance(track=1, label=Label.VEHICLE, kind=kind, colours=colours, embedding=embedding)
    event = visit(number, camera)
    store.put(event)
    store.put(
        Observation(
            id=f"o-{camera}-{number}",
            camera=camera,
            kind=Observed.APPEARED,
            time=event.time,
            until=event.time,
            score=0.5,
            event=event.id,
            appearances=(seen,),
        )
    )


def asked(store: Store, query: str, *, towers: Towers | None = None, tag: str = "en", **more: object) -> Reply:
    readings = [rules for each in (tag, "en") if (rules := reading(each)) is not None]
    return search(replace(Search(query=query), **more), history=store, readings=readings, tower=towers)


def ids(reply: Reply) -> list[str]:
    return [each.what.observation for each in reply.found or ()]


def test_a_model_ranks_by_meaning_and_what_it_never_saw_follows_by_colour(store: Store, towers: Towers) -> None:
    put(store, 1, Colour.RED)  # from before the model was here
    put(store, 2, Colour.BLUE, towers=towers)
    put(store, 3, Colour.RED, towers=towers)
    reply = asked(store, "red car", towers=towers)
    assert ids(reply) == ["o-gate-3", "o-gate-2", "o-gate-1"]
    assert [each.by for each in reply.found or ()] == [FoundBy.CONCEPT, FoundBy.CONCEPT, FoundBy.COLOUR]
    first, second, third = reply.found or ()
    assert first.score is not None
    assert second.score is not None
    assert first.score > 0.9 > 0.5 > second.score
    assert third.score is None
    assert reply.model == "tiny"


def test_embeddings_of_another_model_are_not_compared(store: Store, towers: Towers) -> None:
    put(store, 1, Colour.RED, towers=towers)
    towers_of_old = Embedding.packed("older", np.ones(3, "<f2").tobytes())
    seen = Appearance(label=Label.VEHICLE, kind="car", colours=(Colour.BLUE,), embedding=towers_of_old)
    store.put(
        Observation(id="old", camera="gate", kind=Observed.SCENE, time=T0, until=T0, score=0.0, appearances=(seen,))
    )
    assert ids(asked(store, "something parked", towers=towers)) == ["o-gate-1"]


def test_cameras_times_and_limit_bound_what_is_found(store: Store, towers: Towers) -> None:
    for number in range(5):
        put(store, number, Colour.RED, towers=towers)
        put(store, number, Colour.RED, towers=towers, camera="yard")
    assert ids(asked(store, "red", towers=towers, camera="yard", since=T0 + 1, until=T0 + 3)) == [
        "o-yard-2",
        "o-yard-1",
    ]
    assert ids(asked(store, "red", camera="yard", since=T0 + 1, until=T0 + 3)) == ["o-yard-2", "o-yard-1"]
    assert len(ids(asked(store, "red", towers=towers, limit=3))) == 3


def test_more_than_one_chunk_is_looked_through(store: Store, towers: Towers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blikk_edge.asking.embeddings.CHUNK", 3)
    put(store, 0, Colour.RED, towers=towers)
    for number in range(1, 9):
        put(store, number, Colour.BLUE, towers=towers)
    assert ids(asked(store, "red", towers=towers, limit=1)) == ["o-gate-0"]
    assert ids(asked(store, "red")) == ["o-gate-0"]


@pytest.mark.parametrize(
    ("tag", "query"),
    [
        ("en", "red car"),
        ("en", "the dark red cars"),
        ("en", "a car in red and black"),
        ("de", "rotes Auto"),
        ("de", "ein dunkelroter Wagen"),
        ("es", "un coche rojo"),
        ("es", "coches rojos"),
        ("fr", "red car"),  # where there are no rules, those of English serve
    ],
)
def test_without_a_model_label_and_colour_are_understood(store: Store, tag: str, query: str) -> None:
    put(store, 1, Colour.BLACK, Colour.RED)
    put(store, 2, Colour.BLUE)
    put(store, 3, Colour.RED, Colour.BLACK)
    put(store, 4, Colour.RED, Colour.BLACK, kind="truck")
    reply = asked(store, query, tag=tag)
    assert ids(reply) == ["o-gate-3", "o-gate-1"]
    assert {each.by for each in reply.found or ()} == {FoundBy.COLOUR}


@pytest.mark.parametrize("tag", ["en", "de", "es"])
def test_every_colour_has_a_word_in_each_language_that_is_read(tag: str) -> None:
    words = {
        "en": "black white gray red orange brown yellow green blue purple pink",
        "de": "schwarz weiß grau rot orange braun gelb grün blau lila rosa",
        "es": "negro blanco gris rojo naranja marrón amarillo verde azul morado rosa",
    }[tag]
    rules = reading(tag)
    assert rules is not None
    assert [wish_of(word, rules).colours for word in words.split()] == [(colour,) for colour in Colour]


def test_what_needs_a_model_is_said_in_the_language_that_was_read(store: Store) -> None:
    put(store, 1, Colour.RED)
    for tag, query, words in (
        ("en", "wicker basket", "wicker"),
        ("de", "roter Regenschirm", "Ohne Modell"),
        ("es", "paraguas", "Sin modelo"),
    ):
        reply = asked(store, query, tag=tag)
        assert (reply.ok, reply.found) == (True, ())
        assert words in (reply.text or "")


def test_what_is_understood_is_put_to_the_model_in_english(store: Store, towers: Towers) -> None:
    put(store, 1, Colour.BLUE, towers=towers)
    put(store, 2, Colour.RED, towers=towers)
    reply = asked(store, "rotes Auto", towers=towers, tag="de")
    assert ids(reply)[0] == "o-gate-2"
    assert wish_of("rotes Auto", reading("de") or english()).english == "a red car"


def test_forgetting_an_event_forgets_how_it_looked(store: Store, towers: Towers, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        put(store, number, Colour.RED, towers=towers)
    store.forget(event="gate-2")
    assert ids(asked(store, "red")) == ["o-gate-3", "o-gate-1"]
    store.forget(since=T0 + 3)
    assert ids(asked(store, "red", towers=towers)) == ["o-gate-1"]


def test_the_oldest_go_with_their_events_and_the_count_stays_right(tmp_path: Path) -> None:
    store = Store(tmp_path / "small.db", max_records=100)
    store.open()
    for number in range(250):
        put(store, number, Colour.RED)
    rows = store.appearances(limit=1000)
    assert len(rows) == len(store.events(limit=1000)) == 100
    assert rows[0].event == "gate-249"
    store.close()
    store.open()
    put(store, 250, Colour.RED)
    assert len(store.appearances(limit=1000)) == 100
    store.close()


OLDER = """CREATE TABLE IF NOT EXISTS events
    (id TEXT PRIMARY KEY, camera TEXT NOT NULL, started REAL NOT NULL, text TEXT NOT NULL, label TEXT)"""


def test_a_store_of_an_earlier_version_is_taken_over_and_can_go_back(tmp_path: Path, towers: Towers) -> None:
    path = tmp_path / "blikk.db"
    store = Store(path)
    store.open()
    store.put(visit(1))
    store.close()  # as an earlier version leaves it: nothing was searched for, so there is no table
    with closing(sqlite3.connect(path)) as db, db:
        before = db.execute("PRAGMA user_version").fetchone()
        assert db.execute("SELECT name FROM sqlite_master WHERE name LIKE 'appear%'").fetchall() == []
    db.close()
    store.open()
    put(store, 2, Colour.RED, towers=towers)
    assert {event.id for event in store.events()} == {"gate-1", "gate-2"}
    store.close()
    # an earlier version opens what has the layout's number that it knows, and deletes events only
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("DROP INDEX appearances_words")  # which earlier versions did not make
    db.close()
    store.open()
    assert ids(asked(store, "red car")) == ["o-gate-2"]
    store.close()
    with closing(sqlite3.connect(path)) as db, db:
        assert db.execute("SELECT name FROM sqlite_master WHERE name = 'appearances_words'").fetchall()
        assert db.execute("PRAGMA user_version").fetchone() == before
        db.execute(OLDER)
        db.execute("DELETE FROM events WHERE id = 'gate-2'")
        assert db.execute("SELECT count(*) FROM appearances").fetchone() == (0,)
    db.close()


def test_what_a_damaged_store_still_holds_is_found(tmp_path: Path, towers: Towers) -> None:
    path = tmp_path / "blikk.db"
    store = Store(path)
    store.open()
    for number in range(30):
        put(store, number, Colour.RED, towers=towers)
    store.close()
    with path.open("r+b") as file:
        file.write(b"\xff" * 100)  # the header
    store.open()
    assert len(store.appearances()) == 30
    assert len(ids(asked(store, "red", towers=towers))) == 10
    store.close()
