"""The embeddings that are kept in memory, against a comparison of all that is stored."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from blikk_edge.asking.embeddings import Embeddings
from blikk_edge.asking.searching import search
from blikk_edge.core.appearance import Appearance, Colour, Embedding
from blikk_edge.core.inquiry import Search
from blikk_edge.core.observation import Observation, Observed
from blikk_edge.core.sightings import Label
from blikk_edge.language.reading import english
from blikk_edge.store.store import Store

SIZE, MODEL = 64, "made"
CAMERAS = ("gate", "yard")


class Watched(Store):
    """Knows how many embeddings, and how many appearances, were read from it."""

    read = 0

    def embeddings(self, **given: object) -> Sequence[tuple[int, bytes]]:
        rows = super().embeddings(**given)
        self.read += len(rows)
        return rows

    def appearances(self, **given: object) -> Sequence[object]:
        rows = super().appearances(**given)
        self.read += len(rows)
        return rows


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Watched]:
    store = Watched(tmp_path / "blikk.db")
    store.open()
    yield store
    store.close()


def made(count: int, seed: int = 0) -> NDArray[np.float32]:
    vectors = np.random.default_rng(seed).normal(size=(count, SIZE)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def put(store: Store, vectors: NDArray[np.float32], first: int = 0, model: str = MODEL) -> None:
    """A row each, in turn at both cameras, a second apart; all at once, as a test has no time."""
    for number, vector in enumerate(vectors, first):
        embedding = Embedding.packed(model, vector.astype("<f2").tobytes())
        colours = (Colour.RED,) if number % 3 else (Colour.BLUE, Colour.RED)
        seen = Appearance(label=Label.VEHICLE, kind="car", colours=colours, embedding=embedding)
        store.put(
            Observation(
                id=f"o{number}",
                camera=CAMERAS[number % 2],
                kind=Observed.APPEARED,
                time=float(number),
                until=float(number),
                score=0.0,
                appearances=(seen,),
            )
        )


def everything(store: Store, query: NDArray[np.float32], limit: int = 10, **where: object) -> list[tuple[float, int]]:
    rows = Store.embeddings(store, model=MODEL, limit=10**6, **where)
    scores = [(float(np.frombuffer(raw, "<f2").astype(np.float32) @ query), number) for number, raw in rows]
    return sorted(scores, key=lambda each: (-each[0], -each[1]))[:limit]


def check(found: Sequence[tuple[float, int]], expected: Sequence[tuple[float, int]]) -> None:
    assert [number for _, number in found] == [number for _, number in expected]
    assert np.allclose([score for score, _ in found], [score for score, _ in expected], atol=1e-5)


@pytest.mark.parametrize("room", [0, 100 * SIZE, 10**6])
def test_the_nearest_are_those_of_all_that_is_stored(store: Watched, room: int) -> None:
    put(store, made(700))
    put(store, made(5, seed=1), 700, model="another")
    embeddings, query = Embeddings(most_bytes=room), made(1, seed=2)[0]
    for where in ({}, {"camera": "yard"}, {"since": 100.0, "until": 400.0}, {"camera": "gate", "since": 650.0}):
        found = embeddings.nearest(store, query, model=MODEL, limit=10, **where)
        check(found, everything(store, query, **where))
    assert embeddings.nearest(store, query, model="none", limit=10) == []
    assert embeddings.nearest(store, query[:8].copy(), model=MODEL, limit=10) == []  # of another length
    check(embeddings.nearest(store, query, model=MODEL, limit=10), everything(store, query))


def test_of_many_that_are_the_same_the_newest_are_found(store: Watched) -> None:
    put(store, np.repeat(made(1), 250, axis=0))
    check(Embeddings().nearest(store, made(1)[0], model=MODEL, limit=3), everything(store, made(1)[0], limit=3))


def test_what_was_read_once_is_not_read_again(store: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blikk_edge.asking.embeddings.EXACT_LEAST", 20)
    put(store, made(300))
    embeddings, query = Embeddings(), made(1, seed=2)[0]
    embeddings.nearest(store, query, model=MODEL, limit=5)
    store.read = 0
    check(embeddings.nearest(store, query, model=MODEL, limit=5), everything(store, query, limit=5))
    assert store.read == 20
    put(store, made(7, seed=3), 300)
    store.read = 0
    check(embeddings.nearest(store, query, model=MODEL, limit=5), everything(store, query, limit=5))
    assert store.read == 27


def test_what_is_gone_is_not_found_even_where_its_number_is_given_again(store: Watched) -> None:
    vectors = made(50)
    put(store, vectors)
    embeddings, query = Embeddings(), vectors[49]
    assert embeddings.nearest(store, query, model=MODEL, limit=1)[0][1] == 50
    with store._file.transaction("write", durable=False) as db:
        db.execute("DELETE FROM appearances WHERE seq IN (10, 50)")
    put(store, vectors[:1], 60)
    assert [number for number, _ in store.embedded(model=MODEL)].count(50) == 1
    check(embeddings.nearest(store, query, model=MODEL, limit=60), everything(store, query, limit=60))


def test_a_search_by_colour_reads_what_it_finds(store: Watched) -> None:
    put(store, made(300))
    store.read = 0
    reply = search(Search(query="red car", limit=4), history=store, readings=(english(),))
    assert [each.what.time for each in reply.found or ()] == [299.0, 298.0, 296.0, 295.0]
    assert store.read == 0
    reply = search(Search(query="red car", limit=300, camera="yard", since=290.0), history=store, readings=(english(),))
    assert [each.what.time for each in reply.found or ()] == [299.0, 295.0, 293.0, 297.0, 291.0]
