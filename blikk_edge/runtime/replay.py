"""The same pipeline in a plain loop on stream time: the same clip gives the same observations, byte for byte."""

import threading
from collections.abc import Iterator

from blikk_edge.core.ports import Item
from blikk_edge.core.stages import Source
from blikk_edge.runtime.pipeline import Pipeline, VisionTools


def replay(source: Source, pipeline: Pipeline, tools: VisionTools) -> Iterator[Item]:
    """Everything one camera tells about a clip, in order; no thread, no clock but the stream's.

    Added steps have all the time they take: a budget would give other bytes on another machine. Raises SourceError
    where the clip cannot be read and ModelError where a model cannot look.
    """
    pipeline.added.budgeted = False
    last = 0.0
    for frame in source.frames(threading.Event()):
        last = frame.time
        if (scene := pipeline.glance(frame)) is not None:
            yield from pipeline.step(scene, tools)
    yield from pipeline.close(last)
