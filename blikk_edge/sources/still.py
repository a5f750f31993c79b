"""A picture in a file that another program writes anew: read again and again, within bounds."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from blikk_edge.core.scene import Frame
from blikk_edge.sources.faults import NO_PICTURE, source_error, system_meaning
from blikk_edge.sources.jpegs import MOST_BYTES
from blikk_edge.sources.packets import Counts
from blikk_edge.sources.pictures import PictureFrames
from blikk_edge.sources.terms import Terms

READS_PER_S: Final = 5.0


class StillFile:
    """The frames of one picture file; implements `core.stages.Source`.

    It is read at the frame rate, at most five times a second. What is missing or half written is read again within
    the read limit, once a picture was there.
    """

    def __init__(self, path: Path, terms: Terms) -> None:
        self.counts = Counts()
        self._path = path
        self._terms = terms
        self._made = PictureFrames(terms, self.counts)

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        """Yield the picture as it is now until `stop` is set; raises SourceError when there is none for too long."""
        period_s = 1 / min(self._terms.fps, READS_PER_S)
        self.counts.connections += 1
        self._made.restart()
        good: float | None = None
        while not stop.is_set():
            began = time.monotonic()
            frame, said = self._read()
            if frame is not None:
                yield frame
                good = time.monotonic()
            elif good is None or began - good > self._terms.read_timeout_s:
                raise source_error(self._terms.shown, said)
            stop.wait(began + period_s - time.monotonic())

    def _read(self) -> tuple[Frame | None, str]:
        """The frame, or why there is none."""
        try:
            with self._path.open("rb") as file:
                encoded = file.read(MOST_BYTES)
        except OSError as error:
            return None, system_meaning(error)
        self._made.due()
        return self._made.frame(encoded), NO_PICTURE
