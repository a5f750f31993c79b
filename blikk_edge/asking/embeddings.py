"""Which of the stored embeddings are nearest to one: compared in memory, in one byte a number."""

from collections.abc import Iterable, Sequence
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from blikk_edge.core.appearance import VALUE_BYTES
from blikk_edge.core.ports import Looks

CHUNK: Final = 4096
"""Embeddings that are read from the store at once: 4 MB. Between two of these others have the store."""

MOST_BYTES: Final = 64 * 1024 * 1024
"""Of embeddings that are kept in memory, the newest: 125,000 of 512 numbers. Older ones are read for each search."""

AT_ONCE: Final = 256
"""Embeddings that are compared at once: what they take as float32 stays in the processor's cache."""

EXACT: Final = 4
"""So many times as many as are wanted are compared exactly, at least EXACT_LEAST."""

EXACT_LEAST: Final = 200

_Scored = list[tuple[float, int]]


class Nearest(Protocol):
    """Finds the stored embeddings that are nearest to one."""

    def nearest(
        self,
        history: Looks,
        query: NDArray[np.float32],
        *,
        model: str,
        camera: str | None = None,
        since: float | None = None,
        until: float | None = None,
        limit: int,
    ) -> Sequence[tuple[float, int]]:
        """Cosine and number of the nearest to `query` ((n,), of unit length), which appeared in `since <= t < until`.

        The best first, of equal ones the newest. Raises StoreError.
        """
        ...


class Embeddings:
    """The embeddings of one model in memory, read when they are first wanted. For one search at a time.

    Of each only one byte a number is kept, so its cosine with a query is off by .001 or so; the best are therefore
    compared once more, with what is stored. What is not in the store any more leaves the memory with the next search.
    """

    def __init__(self, *, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._mark: object = None
        self._whole = True  # else the store has older ones
        self._model = ""
        self._numbers: NDArray[np.int64] = np.empty(0, np.int64)  # the newest first
        self._times: NDArray[np.float64] = np.empty(0, np.float64)
        self._codes: NDArray[np.int8] = np.empty((0, 0), np.int8)
        self._scales: NDArray[np.float32] = np.empty(0, np.float32)

    def nearest(
        self,
        history: Looks,
        query: NDArray[np.float32],
        *,
        model: str,
        camera: str | None = None,
        since: float | None = None,
        until: float | None = None,
        limit: int,
    ) -> _Scored:
        """Cosine and number of the nearest to `query` ((n,), of unit length), which appeared in `since <= t < until`.

        The best first, of equal ones the newest. Raises StoreError.
        """
        if (model, len(query)) != (self._model, self._codes.shape[1]):
            self._model, self._mark = model, None
            self._numbers, self._codes = self._numbers[:0], np.empty((0, len(query)), np.int8)
            self._times, self._scales = self._times[:0], self._scales[:0]
        mark = history.embedded_mark(model=model)
        if mark != self._mark:
            self._follow(history, *_columns(history.embedded(model=model)))
            self._mark = mark
        wanted = np.ones(len(self._numbers), bool)
        if camera is not None:
            wanted &= np.isin(self._numbers, _columns(history.embedded(model=model, camera=camera))[0])
        if since is not None:
            wanted &= self._times >= since
        if until is not None:
            wanted &= self._times < until
        scores = np.where(wanted, self._scores(query), -np.inf)
        near = self._numbers[_first(scores, max(EXACT_LEAST, EXACT * limit))].tolist()
        best: _Scored = []
        for at in range(0, len(near), EXACT_LEAST):
            among = near[at : at + EXACT_LEAST]
            best = _best(best, history.embeddings(model=model, numbers=among, limit=len(among)), query, limit)
        if not self._whole:
            below = int(self._numbers[-1]) if len(self._numbers) else None
            best = self._older(history, query, best, below, limit, model=model, camera=camera, since=since, until=until)
        return best

    def _older(
        self,
        history: Looks,
        query: NDArray[np.float32],
        best: _Scored,
        below: int | None,
        limit: int,
        *,
        model: str,
        camera: str | None,
        since: float | None,
        until: float | None,
    ) -> _Scored:
        """The best of those so far and of what is not in memory."""
        while True:
            rows = history.embeddings(model=model, camera=camera, since=since, until=until, below=below, limit=CHUNK)
            best = _best(best, rows, query, limit)
            if len(rows) < CHUNK:
                return best
            below = rows[-1][0]

    def _follow(self, history: Looks, numbers: NDArray[np.int64], times: NDArray[np.float64]) -> None:
        """Have in memory the newest of these, as many as find room, and nothing else."""
        size = self._codes.shape[1]
        room = self._most_bytes // max(1, size)
        self._whole = len(numbers) <= room
        order = np.argsort(-numbers)[:room]
        numbers, times = numbers[order], times[order]
        if np.array_equal(numbers, self._numbers) and np.array_equal(times, self._times):
            return
        codes, scales = np.zeros((len(numbers), size), np.int8), np.full(len(numbers), np.nan, np.float32)
        _, new, old = np.intersect1d(numbers, self._numbers, assume_unique=True, return_indices=True)
        same = times[new] == self._times[old]
        codes[new[same]], scales[new[same]] = self._codes[old[same]], self._scales[old[same]]
        missing = np.setdiff1d(np.arange(len(numbers)), new[same])
        if len(missing):
            self._read(history, numbers, codes, scales, int(missing[0]), int(missing[-1]) + 1)
        self._numbers, self._times, self._codes, self._scales = numbers, times, codes, scales

    def _read(
        self,
        history: Looks,
        numbers: NDArray[np.int64],
        codes: NDArray[np.int8],
        scales: NDArray[np.float32],
        first: int,
        end: int,
    ) -> None:
        """Fill the rows `first <= n < end` from the store."""
        below: int | None = int(numbers[first]) + 1
        while first < end:
            rows = history.embeddings(model=self._model, below=below, limit=min(CHUNK, end - first))
            found, vectors = _vectors(rows, codes.shape[1])
            places = np.searchsorted(-numbers, -found)
            known = (places < len(numbers)) & (numbers[np.minimum(places, len(numbers) - 1)] == found)
            for at in range(0, len(found), AT_ONCE):
                here = slice(at, at + AT_ONCE)
                coded, scale = _coded(vectors[here])
                codes[places[here][known[here]]] = coded[known[here]]
                scales[places[here][known[here]]] = scale[known[here]]
            if not rows:
                return
            below = rows[-1][0]
            first = int(np.searchsorted(-numbers, -below, side="right"))

    def _scores(self, query: NDArray[np.float32]) -> NDArray[np.float32]:
        """(rows,): about the cosine with each; NaN where its embedding has another length."""
        scores = np.empty(len(self._codes), np.float32)
        widened = np.empty((AT_ONCE, self._codes.shape[1]), np.float32)
        for at in range(0, len(scores), AT_ONCE):
            codes = self._codes[at : at + AT_ONCE]
            widened[: len(codes)] = codes
            np.dot(widened[: len(codes)], query, out=scores[at : at + len(codes)])
        return scores * self._scales


def _first(scores: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """The places of the `count` highest that are finite, in no order; of equal ones the first."""
    usable = np.flatnonzero(np.isfinite(scores))
    if len(usable) <= count:
        return usable
    least = np.partition(scores[usable], len(usable) - count)[len(usable) - count]
    above, equal = np.flatnonzero(scores > least), np.flatnonzero(scores == least)
    return np.concatenate((above, equal[: count - len(above)]))


def _coded(vectors: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Each in -127..127, and by what that is to be multiplied; NaN where a number is none."""
    scales = np.maximum(vectors.max(axis=1, initial=0.0), -vectors.min(axis=1, initial=0.0)) / 127
    usable = np.isfinite(scales) & (scales > 0)
    factors = np.divide(1.0, scales, out=np.zeros_like(scales), where=usable)
    scaled = vectors * factors[:, np.newaxis]
    scaled[~usable] = 0.0
    return np.rint(scaled, out=scaled).astype(np.int8), np.where(usable, scales, np.float32(np.nan))


def _columns(rows: Sequence[tuple[int, float]]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Numbers and times."""
    numbers = np.fromiter((number for number, _ in rows), np.int64, len(rows))
    return numbers, np.fromiter((time for _, time in rows), np.float64, len(rows))


def _vectors(rows: Iterable[tuple[int, bytes]], size: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Numbers and embeddings of the rows of this length; others are passed over."""
    fitting = [(number, raw) for number, raw in rows if len(raw) == size * VALUE_BYTES]
    numbers = np.array([number for number, _ in fitting], np.int64)
    vectors = np.frombuffer(b"".join(raw for _, raw in fitting), "<f2").reshape(len(fitting), size)
    return numbers, vectors.astype(np.float32)


def _best(best: _Scored, rows: Sequence[tuple[int, bytes]], query: NDArray[np.float32], limit: int) -> _Scored:
    """The best of those so far and of these rows, with their scores; rows of another length are passed over."""
    numbers, vectors = _vectors(rows, len(query))
    scores = vectors @ query
    order = np.lexsort((-numbers, -scores))[:limit]
    new = [(float(scores[at]), int(numbers[at])) for at in order]
    return sorted(best + new, key=lambda each: (-each[0], -each[1]))[:limit]
