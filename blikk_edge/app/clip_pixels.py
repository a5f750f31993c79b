"""The pixels of single frames of a clip, read again when somebody wants to see them."""

import zlib
from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Final

from blikk_edge.core.errors import SourceError
from blikk_edge.core.scene import Frame
from blikk_edge.core.stages import Source
from blikk_edge.sources.seeking import frames_from
from blikk_edge.sources.terms import Terms

HELD: Final = 16
"""So many frames back one may step without reading again; at 480p a frame holds half a megabyte."""

AHEAD_S: Final = 10.0
"""A frame that comes so soon after the last one is read on to, and not looked for anew."""

SAME_S: Final = 5e-4
"""Half of what two capture times differ by at least."""


def mark_of(frame: Frame) -> int:
    """What tells its pixels from those of another frame."""
    return zlib.crc32(frame.luma[::4, ::4].tobytes())


class ClipPixels:
    """Frames of a clip, by number; `times` are those of all frames that are known, `marks` what `mark_of` said of them.

    A frame is looked for from the keyframe before it on. Where what is found there is not what was seen when the clip
    was run, as where a file's times do not rise, it is read from its beginning, by a new `source`. Used by one thread.
    """

    def __init__(
        self, clip: Path, terms: Terms, source: Callable[[], Source], times: "array[float]", marks: "array[int]"
    ) -> None:
        self._clip = clip
        self._terms = terms
        self._source = source
        self._times = times
        self._marks = marks
        self._held: deque[tuple[int, Frame]] = deque(maxlen=HELD)
        self._coming: Iterator[Frame] | None = None
        self._next_s = 0.0
        self._whole: Iterator[Frame] | None = None
        self._whole_next = 0

    def frame(self, number: int) -> Frame:
        """The frame of this number; raises SourceError where it cannot be read any more."""
        for held, frame in self._held:
            if held == number:
                return frame
        frame = self._sought(number) or self._from_the_beginning(number)
        self._held.append((number, frame))
        return frame

    def close(self) -> None:
        """Let go of the file."""
        self._held.clear()
        self._coming = self._whole = None

    def _sought(self, number: int) -> Frame | None:
        at_s = self._times[number] - self._terms.start_time
        if self._coming is None or not self._next_s <= at_s <= self._next_s + AHEAD_S:
            self._coming = frames_from(self._clip, self._terms, at_s)
        try:
            for frame in self._coming:
                self._next_s = frame.time - self._terms.start_time + SAME_S
                found = self._number(frame)
                if found == number:
                    return frame
                if found is not None:
                    self._held.append((found, frame))
                if self._next_s > at_s + 2 * SAME_S:
                    break
        except SourceError:
            pass  # what was read once is read once more, from the beginning
        self._coming = None
        return None

    def _number(self, frame: Frame) -> int | None:
        """Which frame of the run this is; None where it is none of them."""
        place = bisect_left(self._times, frame.time - SAME_S)
        if place < len(self._times) and abs(self._times[place] - frame.time) <= SAME_S:
            return place if self._marks[place] == mark_of(frame) else None
        return None

    def _from_the_beginning(self, number: int) -> Frame:
        if self._whole is None or number < self._whole_next:
            self._whole, self._whole_next = self._source().frames(Event()), 0
        for frame in self._whole:
            self._whole_next += 1
            if self._whole_next - 1 == number:
                return frame
        self._whole = None
        raise SourceError(f"{self._terms.shown}: frame {number} is not there any more; the file has changed")
