"""What of the time that a question is about was not watched."""

from collections.abc import Sequence
from dataclasses import replace

from blikk_edge.asking.tally import Finding
from blikk_edge.core.inquiry import Aggregate
from blikk_edge.core.watched import NODE, Span, WatchedAt


def with_gaps(finding: Finding, cameras: Sequence[str], watched: WatchedAt) -> Finding:
    """The finding, and what of its period was not watched; `cameras` are all there are. Blocking; raises StoreError."""
    query = finding.query
    if query.measure is Aggregate.PRESENT or query.ongoing:
        return finding  # what is there now is not asked of the past
    # doorbells are watched as long as the node runs
    asked = (NODE,) if query.rings else (query.cameras or tuple(cameras))
    since = 0.0 if query.since is None else query.since
    until = finding.now if query.until is None else min(query.until, finding.now)
    if until <= since:
        return finding
    gaps = gaps_of(asked, since, until, watched)
    never = bool(asked) and all((camera, ((since, until),)) in gaps for camera in asked)
    if never:
        return finding if finding.events or finding.rings else replace(finding, watched=False, count=None)
    if query.since is None:  # of all that is stored, what was before it is not asked
        return finding
    return replace(finding, gaps=gaps)


def gaps_of(
    cameras: Sequence[str], since: float, until: float, watched: WatchedAt
) -> tuple[tuple[str, tuple[Span, ...]], ...]:
    """Of each camera when it was not watched in `since..until`, of those that were not. Blocking; raises StoreError."""
    known = [(camera, watched(camera)) for camera in cameras]
    gaps = [(camera, each.gaps(since, until)) for camera, each in known if each is not None]
    return tuple((camera, spans) for camera, spans in gaps if spans)
