"""The same pipeline in a plain loop on stream time: the same clip gives the same observations, byte for byte."""

import threading
from collections.abc import Iterator

from blikk_edge.core.ports import Item
from blikk_edge.core.scene import Frame
from blikk_edge.core.stages import Source
from blikk_edge.runtime.pipeline import Pipeline, VisionTools


def replay(source: Source, pipeline: Pipeline, tools: VisionTools) -> Iterator[Item]:
    """Everything one camera reports about a clip, in order; no thread, no clock but the stream's.

    Added steps have all the time they take: a budget would give other bytes on another machine. Raises SourceError
    where the clip cannot be read and ModelError where a model cannot look.
    """
    for _frame, items in stepped(source, pipeline, tools):
        yield from items


def stepped(
    source: Source, pipeline: Pipeline, tools: VisionTools, stop: threading.Event | None = None
) -> Iterator[tuple[Frame | None, Iterator[Item]]]:
    """The same frame by frame: each with what is reported at it, which is to be read before the next one.

    The last one has no frame: what is reported because the clip has ended.
    """
    pipeline.added.budgeted = False
    last = 0.0
    for frame in source.frames(stop or threading.Event()):
        last = frame.time
        scene = pipeline.glance(frame)
        yield frame, iter(()) if scene is None else pipeline.step(scene, tools)
    yield None, pipeline.close(last)
