"""A source that shows somebody who comes and goes: a small grey picture with what is to be found in it. One file."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from blikk_edge.core.geometry import Box
from blikk_edge.core.scene import Frame
from blikk_edge.core.sightings import Detection, Label
from blikk_edge.grammar.schema import Key, Section
from blikk_edge.grammar.values import duration
from blikk_edge.kinds.kind import Kind
from blikk_edge.sources.terms import Terms

HEIGHT, WIDTH, SIDE = 96, 128, 32


@dataclass(frozen=True, slots=True, kw_only=True)
class SimOptions:
    """How long somebody is there, and away; and how long it takes to open."""

    there_s: float = 3.0
    away_s: float = 3.0
    opens_s: float = 0.2


class SimSource:
    """Somebody walks through the picture, again and again."""

    def __init__(self, options: SimOptions, terms: Terms) -> None:
        self._options = options
        self._terms = terms

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        """Frames until `stop` is set."""
        options, clock = self._options, self._terms.clock
        seq, began = 0, clock.monotonic()
        if stop.wait(options.opens_s):
            return
        while not stop.wait(1 / self._terms.fps):
            seq += 1
            at = (clock.monotonic() - began) % (options.there_s + options.away_s)
            yield self._frame(seq, at / options.there_s if at < options.there_s else None)

    def _frame(self, seq: int, way: float | None) -> Frame:
        luma = np.full((HEIGHT, WIDTH), 90, np.uint8)
        luma[::8] = 110
        found: tuple[Detection, ...] = ()
        if way is not None:
            left = round(way * (WIDTH - SIDE))
            luma[HEIGHT - 2 * SIDE :, left : left + SIDE] = 230
            box = Box(left / WIDTH, 1 - 2 * SIDE / HEIGHT, (left + SIDE) / WIDTH, 1.0)
            found = (Detection(label=Label.PERSON, sub_label="person", score=0.9, box=box),)
        return Frame(
            camera=self._terms.camera,
            seq=seq,
            time=self._terms.clock.now(),
            luma=luma,
            convert=lambda: np.repeat(luma[:, :, None], 3, axis=2),
            found=found,
        )


KIND = Kind(
    name="sim",
    meaning="Somebody who comes and goes.",
    options=Section(
        of=SimOptions,
        keys=tuple(
            Key(name=name, value=duration(0, 3600), meaning=meaning)
            for name, meaning in (("there_s", "There."), ("away_s", "Away."), ("opens_s", "Until it is open."))
        ),
    ),
    make=SimSource,
)
