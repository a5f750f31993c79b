"""Searching what was seen: by embedding where a model compares words and pictures, else by label and colour."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from blikk_edge.asking.embeddings import Embeddings, Nearest
from blikk_edge.asking.phrase import Phrase
from blikk_edge.core.album import Album
from blikk_edge.core.appearance import PROMPT, Colour, Description, FoundBy, StoredAppearance
from blikk_edge.core.inquiry import Found, Reply, Search
from blikk_edge.core.ports import Looks
from blikk_edge.core.sightings import Label
from blikk_edge.language.reading import Reading

PICTURES_MAX: Final = 3
"""Pictures that come with each result."""


class WordTower(Protocol):
    """Turns words into embeddings that can be compared with those of pictures. Safe from any thread."""

    name: str

    def text(self, text: str, /) -> NDArray[np.float32]:
        """(n,), of unit length; raises ModelError."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a search by label and colour looks for.

    Attributes:
        labels: Of these; empty: of any.
        kinds: Of these classes of the detector; empty: of any.
        colours: With all of these among the dominant ones.
        strange: The words that were not understood.
    """

    labels: tuple[Label, ...] = ()
    kinds: tuple[str, ...] = ()
    colours: tuple[Colour, ...] = ()
    strange: tuple[str, ...] = ()

    @property
    def clear(self) -> bool:
        """Whether all of it was understood, and there is something to look for."""
        return not self.strange and bool(self.labels or self.colours)

    def fits(self, seen: Description) -> bool:
        """Whether what is described so is looked for."""
        return (
            (not self.labels or seen.label in self.labels)
            and (not self.kinds or seen.kind in self.kinds)
            and all(colour in seen.colours for colour in self.colours)
        )

    def rank(self, seen: Description) -> int:
        """The lower, the better: with the colours that fill most of it."""
        return sum(seen.colours.index(colour) for colour in self.colours)

    @property
    def english(self) -> str:
        """In the words of the language that models read best: `a red car`."""
        words = [*self.colours, *(self.kinds or self.labels)] if self.labels else [*self.colours, "thing"]
        return f"a {' '.join(map(str, words))}"


def wish_of(query: str, reading: Reading) -> Wish:
    """What a query means by label and colour, in the language of `reading`."""
    phrase = Phrase(query, reading)
    colours = tuple(colour for colour, words in reading.colours() if phrase.take_all(words))
    meant = [reading.subjects[found[0]] for found in phrase.take_all(reading.subject)]
    labels = tuple(dict.fromkeys(each.label for each in meant if each.label is not None))
    kinds = tuple(dict.fromkeys(each.kind for each in meant if each.kind))
    if any(each.label is not None and not each.kind for each in meant):
        kinds = ()  # something wider is named too: "a dog or any animal"
    strange = tuple(
        word for word in phrase.words if word not in reading.filler and not reading.means(word, "search.clothes")
    )
    return Wish(labels=labels, kinds=kinds, colours=colours, strange=strange)


def search(
    request: Search,
    *,
    history: Looks,
    readings: Sequence[Reading],
    tower: WordTower | None = None,
    album: Album | None = None,
    embeddings: Nearest | None = None,
) -> Reply:
    """The reply to a search: by the model's embeddings, and by label and colour for what has none. Blocking.

    `readings` are how its words are read, the first of those that understand it. With `embeddings` those that were read
    for an earlier search are not read again. Raises StoreError, ModelError.
    """
    wishes = [wish_of(request.query, reading) for reading in readings]
    wish = next((each for each in wishes if each.clear), wishes[0])
    found = [] if tower is None else _by_concept(request, history, tower, wish, embeddings or Embeddings())
    if len(found) < request.limit and wish.clear:
        found += _by_colour(request, history, wish, None if tower is None else tower.name, request.limit - len(found))
    text = None
    if tower is None and not wish.clear:
        text = readings[0].puzzled_by(", ".join(wish.strange) or request.query)
    listed = _with_pictures(found[: request.limit], history, album)
    return Reply(text=text, count=len(listed), found=listed, model=None if tower is None else tower.name)


def _by_concept(request: Search, history: Looks, tower: WordTower, wish: Wish, embeddings: Nearest) -> list[Found]:
    words = wish.english if wish.clear else request.query
    query = np.asarray(tower.text(PROMPT.format(words)), np.float32)
    best = embeddings.nearest(history, query, model=tower.name, limit=request.limit, **_where(request))
    numbers = [number for _, number in best]
    known = {seen.seq: seen for seen in history.appearances(numbers=numbers, limit=len(numbers))}
    return [Found(what=known[number], by=FoundBy.CONCEPT, score=score) for score, number in best if number in known]


def _by_colour(request: Search, history: Looks, wish: Wish, but: str | None, limit: int) -> list[Found]:
    """What fits by label and colour, `but` what a model has compared."""
    ranked: dict[int, list[Description]] = {}
    for each in history.descriptions():
        if wish.fits(each):
            ranked.setdefault(wish.rank(each), []).append(each)
    fitting: list[StoredAppearance] = []
    for _, same in sorted(ranked.items()):
        seen = [
            one
            for each in same
            for one in history.described(each, but=but, limit=limit - len(fitting), **_where(request))
        ]
        fitting += sorted(seen, key=lambda one: (-one.time, -one.seq))[: limit - len(fitting)]
        if len(fitting) == limit:
            break
    return [Found(what=seen, by=FoundBy.COLOUR) for seen in fitting]


def _where(request: Search) -> dict[str, Any]:
    return {"camera": request.camera, "since": request.since, "until": request.until}


def _with_pictures(found: Sequence[Found], history: Looks, album: Album | None) -> tuple[Found, ...]:
    if album is None:
        return tuple(found)
    known = {each.what.event: history.event(each.what.event) for each in found if each.what.event is not None}
    kept: Mapping[str, Sequence[Any]] = album.by_event([event for event in known.values() if event is not None])

    def ids(each: Found) -> tuple[str, ...]:
        near = sorted(kept.get(each.what.event or "", ()), key=lambda picture: abs(picture.time - each.what.time))
        return tuple(picture.id for picture in near[:PICTURES_MAX])

    return tuple(replace(each, pictures=ids(each)) for each in found)


TowerNow = Callable[[], WordTower | None]
"""Gives the model where there is one by now."""
