"""A source that shows somebody who comes and goes: a small grey picture with what is to be found in it. One file.

With a `reel` it shows the scenes of a clip instead, as `bench/fleet_reel.py` records them: what was found, in its time.
"""

import bisect
import json
import threading
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from blikk_edge.core.geometry import Box
from blikk_edge.core.scene import Frame
from blikk_edge.core.sightings import Detection, Label
from blikk_edge.grammar.schema import Key, Section
from blikk_edge.grammar.values import TEXT, duration
from blikk_edge.kinds.kind import Kind
from blikk_edge.sources.terms import Terms

HEIGHT, WIDTH, SIDE = 96, 128, 32
QUIET_S = 10.0
HOLDS_S = 0.3
"""So long what was found stays in a reel when nothing is found after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimOptions:
    """How long somebody is there, and away, and how long it takes to open; or a reel that is shown instead."""

    there_s: float = 3.0
    away_s: float = 3.0
    opens_s: float = 0.2
    reel: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reel:
    """The scenes of a clip: what was found, by the seconds from its start; and in which share of the time it is shown.

    While it is not, a frame comes every QUIET_S.
    """

    length_s: float
    share: float
    times: Sequence[float]
    scenes: Sequence[tuple[Detection, ...]]

    def at(self, time: float) -> tuple[Detection, ...]:
        """What is to be found then; nothing after its end."""
        place = bisect.bisect_right(self.times, time) - 1
        return self.scenes[place] if place >= 0 and time - self.times[place] < HOLDS_S else ()


@cache
def reel_of(path: str) -> Reel:
    """The reel in a file; all cameras of a node share it."""
    content = json.loads(Path(path).read_text())
    times, found = zip(*content["scenes"], strict=True)
    scenes = tuple(
        tuple(
            Detection(label=Label(label), sub_label=label, score=score, box=Box(*box)) for label, score, *box in scene
        )
        for scene in found
    )
    return Reel(length_s=content["length_s"], share=content.get("share", 1.0), times=times, scenes=scenes)


class SimSource:
    """Somebody walks through the picture, again and again."""

    def __init__(self, options: SimOptions, terms: Terms) -> None:
        self._options = options
        self._terms = terms

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        """Frames until `stop` is set."""
        options, clock = self._options, self._terms.clock
        reel = reel_of(options.reel) if options.reel else None
        round_s = reel.length_s / reel.share if reel else options.there_s + options.away_s
        offset_s = zlib.crc32(self._terms.camera.encode()) / 2**32 * round_s if reel else 0.0
        seq, at, began = 0, offset_s, clock.monotonic() - offset_s
        if stop.wait(options.opens_s):
            return
        while not stop.wait(QUIET_S if reel and at > reel.length_s else 1 / self._terms.fps):
            seq += 1
            at = (clock.monotonic() - began) % round_s
            yield self._frame(seq, reel.at(at) if reel else self._walk(at))

    def _walk(self, at: float) -> tuple[Detection, ...]:
        way = at / self._options.there_s
        left = round(way * (WIDTH - SIDE))
        box = Box(left / WIDTH, 1 - 2 * SIDE / HEIGHT, (left + SIDE) / WIDTH, 1.0) if way < 1 else None
        return (Detection(label=Label.PERSON, sub_label="person", score=0.9, box=box),) if box else ()

    def _frame(self, seq: int, found: tuple[Detection, ...]) -> Frame:
        luma = np.full((HEIGHT, WIDTH), 90, np.uint8)
        luma[::8] = 110
        for each in found:
            box = each.box
            rows = slice(round(box.y1 * HEIGHT), round(box.y2 * HEIGHT))
            luma[rows, round(box.x1 * WIDTH) : round(box.x2 * WIDTH)] = 230
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
        keys=(
            Key(name="there_s", value=duration(0, 3600), meaning="There."),
            Key(name="away_s", value=duration(0, 3600), meaning="Away."),
            Key(name="opens_s", value=duration(0, 3600), meaning="Until it is open."),
            Key(name="reel", value=TEXT, meaning="A file with the scenes of a clip."),
        ),
    ),
    make=SimSource,
)
