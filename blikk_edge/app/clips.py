"""A clip in a running node: read as fast as it is looked at, none of its frames dropped."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from blikk_edge.core.clock import ClipClock
from blikk_edge.core.errors import SourceError
from blikk_edge.core.scene import Frame
from blikk_edge.core.stages import Source
from blikk_edge.runtime.mailbox import Intake

LOOK_S: Final = 0.2
"""So often a reader that waits looks whether it is to end."""


@dataclass(slots=True)
class Clip:
    """A clip on its way through a node.

    Attributes:
        clock: The time in it, which the node goes by.
        crowded: Whether the next frame is to wait; called again and again, in the reader's thread.
        error: Why it could not be read (to its end); None while nothing is wrong.
    """

    clock: ClipClock
    crowded: Callable[[], bool] = lambda: False
    error: SourceError | None = field(default=None)


class ReadClip:
    """A source that hands out the next frame when the one before has been looked at; implements `core.stages.Source`.

    So the records are those of a replay. One that breaks off ends there, with `Clip.error`: opened again it would begin
    anew.
    """

    def __init__(self, source: Source, clip: Clip, camera: str, intake: Intake) -> None:
        self._source = source
        self._clip = clip
        self._camera = camera
        self._intake = intake

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        """The frames of the clip, once."""
        try:
            for number, frame in enumerate(self._source.frames(stop)):
                if number:  # with the first it is known that the file can be read
                    self._wait(stop)
                self._clip.clock.reach(frame.time)
                yield frame
            self._wait(stop)
        except SourceError as error:
            self._clip.error = error

    def _wait(self, stop: threading.Event) -> None:
        while not stop.is_set() and not self._intake.rests(self._camera, LOOK_S):
            pass
        while not stop.is_set() and self._clip.crowded():
            pass
