"""What the history knows of a time, in the order in which it was reported last."""

from collections.abc import Sequence
from typing import Final

from blikk_edge.core.observation import Event, Ring
from blikk_edge.core.ports import History
from blikk_edge.core.summary import Summary

LONG_S: Final = 24 * 3600.0
"""An event may have started so long before the time in which it was reported last."""

MOST: Final = 500
"""Of each kind; the newest."""


def past(history: History, *, since: float, until: float) -> Sequence[Event | Ring | Summary]:
    """Events, rings and summaries whose last revision is of `since <= t < until`, the oldest first. Blocking.

    Raises StoreError.
    """
    found: list[Event | Ring | Summary] = [
        *history.events(since=since - LONG_S, until=until, limit=MOST),
        *history.rings(since=since, until=until, limit=MOST),
        *history.summaries(since=since - LONG_S, until=until, limit=MOST),
    ]
    return sorted((each for each in found if since <= each.time < until), key=lambda each: each.time)
