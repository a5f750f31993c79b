"""What of the time that a question is about was not watched, and how that is said."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from blikk_edge.core.inquiry import Measure, Query
from blikk_edge.core.watched import NODE, Span, WatchedAt
from blikk_edge.enrichers.asking.moments import Moments
from blikk_edge.enrichers.asking.tally import Finding
from blikk_edge.enrichers.summaries.wording import duration, listed, the

GROUPS_MAX: Final = 3
GAPS_MAX: Final = 3
"""Gaps that are named one by one."""


def with_gaps(finding: Finding, cameras: Sequence[str], watched: WatchedAt) -> Finding:
    """The finding, and what of its period was not watched; `cameras` are all there are. Blocking; raises StoreError."""
    query = finding.query
    if query.measure is Measure.PRESENT or query.ongoing:
        return finding  # what is there now is not asked of the past
    # doorbells are heard as long as the node runs
    asked = (NODE,) if query.rings else (query.cameras or tuple(cameras))
    since = 0.0 if query.since is None else query.since
    until = finding.now if query.until is None else min(query.until, finding.now)
    if until <= since:
        return finding
    known = {camera: watched(camera) for camera in asked}
    gaps = {camera: each.gaps(since, until) for camera, each in known.items() if each is not None}
    never = bool(asked) and all(gaps.get(camera) == ((since, until),) for camera in asked)
    if never:
        return finding if finding.events or finding.rings else replace(finding, watched=False, count=None)
    if query.since is None:  # of all that is stored, what was before it is not asked
        return finding
    return replace(finding, gaps=tuple((camera, each) for camera, each in gaps.items() if each))


def say_unwatched(query: Query, where: str, when: str) -> str:
    """That nothing is known of the whole time."""
    did = "run" if query.rings else f"watch {where}".strip()
    if query.since is None and query.until is None:
        return f"I did not {did} so far, so I cannot tell"
    return f"I did not {did} {when}, so I cannot tell"


def say_gaps(finding: Finding, names: Mapping[str, str], moments: Moments) -> list[str]:
    """A sentence for all cameras that missed the same."""
    asked = len(finding.query.cameras) or len(names)
    alike: dict[tuple[Span, ...], list[str]] = {}
    for camera, gaps in finding.gaps:
        alike.setdefault(gaps, []).append(camera)
    told = []
    for gaps, cameras in [*alike.items()][:GROUPS_MAX]:
        when = listed([moments.period(*gap) for gap in gaps])
        if len(gaps) > GAPS_MAX:
            when = f"for {duration(sum(until - since for since, until in gaps))} of that time"
        if NODE in cameras or len(cameras) == asked:
            told.append(f"I did not {'run' if NODE in cameras else 'watch'} {when}")
        else:
            were = "was" if len(cameras) == 1 else "were"
            told.append(f"{listed([the(names.get(camera, camera)) for camera in cameras])} {were} not watched {when}")
    if len(alike) > GROUPS_MAX:
        told.append("Other cameras were not watched all the time either")
    return told
