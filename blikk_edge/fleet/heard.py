"""What nodes and workers of a site say of themselves with each heartbeat, as far as somebody who looks wants to know.

An older program says less, a newer one more: what is missing, or is not what it should be, is None.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from blikk_edge.core.errors import quote

TTL_OF_WORKER_S: Final = 10.0
"""A worker that has not been heard of for so long is gone; each says something every 2 s."""

NUMBER_MAX: Final = 1e9
"""What says more of itself says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UplinkHeard:
    """How a node's uplink is doing.

    Attributes:
        waiting: Records that wait in its journal.
        problem: What is wrong; None while nothing is.
    """

    waiting: int | None
    problem: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeHeard:
    """A node, as its last heartbeat says.

    Attributes:
        id: Its id.
        silent_s: How long ago that was, by the clock of the servers.
        here: Whether it counts as there.
        program: The version of its program.
        version: That of the cameras that it knows.
        cameras_max: The most cameras that it watches.
        load: How busy its machine is, 0..1.
        leaving: Whether it is about to stop.
        problem: What is wrong with its membership.
        refused: Sentences about cameras of the site that it cannot watch, the first of `refused_count`.
        refused_count: How many these are.
        uplink: How its uplink is doing; None: it has none.
        past: What is wrong with what it knows of the site's past; None while nothing is.
    """

    id: str
    silent_s: float
    here: bool
    program: str | None
    version: int | None
    cameras_max: int | None
    load: float | None
    leaving: bool
    problem: str | None
    refused: tuple[str, ...]
    refused_count: int
    uplink: UplinkHeard | None
    past: str | None = None

    def problems(self, applied: int) -> Iterator[str]:
        """What is wrong, each a sentence; `applied` is the version of the cameras that were applied."""
        if not self.here:
            yield f"it has not been heard of for {self.silent_s:.0f} s"
            return
        if self.problem is not None:
            yield self.problem
        if self.version is not None and self.version < applied:
            yield f"it has version {self.version} of the cameras, and {applied} is applied; it starts again in its turn"
        yield from (f"it refuses a camera of the site: {text}" for text in self.refused)
        if (more := self.refused_count - len(self.refused)) > 0:
            yield f"it refuses {more} more cameras of the site"
        if self.uplink is not None and self.uplink.problem is not None:
            yield f"uplink: {self.uplink.problem}"
        if self.past is not None:
            yield f"the past of the site: {self.past}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerHeard:
    """A worker, as its last heartbeat says.

    Attributes:
        id: Its id.
        silent_s: How long ago that was, by the clock of the servers.
        here: Whether it counts as there.
        program: The version of its program.
        kind: Of the jobs that it does.
        model: The name of its model.
        model_up: Whether its model answers, as far as is known.
        load: How busy its machine is, for each core.
        running: Jobs that it does now.
        concurrency: The most that it does at once.
        problems: What is wrong, each a sentence.
    """

    id: str
    silent_s: float
    here: bool
    program: str | None
    kind: str | None
    model: str | None
    model_up: bool | None
    load: float | None
    running: int | None
    concurrency: int | None
    problems: tuple[str, ...]


def node_heard(id: str, says: Mapping[str, Any], silent_s: float, ttl_s: float) -> NodeHeard:  # noqa: A002  # the glossary's word
    """A node that has said this so long ago."""
    refused, uplink = _texts(says.get("refused")), says.get("uplink")
    return NodeHeard(
        id=id,
        silent_s=round(silent_s, 1),
        here=silent_s <= ttl_s,
        program=_text(says.get("program")),
        version=_whole(says.get("version")),
        cameras_max=_whole(says.get("cameras_max")),
        load=_number(says.get("load")),
        leaving=says.get("leaving") is True,
        problem=_text(says.get("problem")),
        refused=refused,
        refused_count=max(len(refused), _whole(says.get("refused_count")) or 0),
        uplink=UplinkHeard(waiting=_whole(uplink.get("waiting")), problem=_text(uplink.get("problem")))
        if isinstance(uplink, dict)
        else None,
        past=_text(says.get("past")),
    )


def worker_heard(id: str, says: Mapping[str, Any], silent_s: float, ttl_s: float) -> WorkerHeard:  # noqa: A002  # as above
    """A worker that has said this so long ago."""
    up = says.get("model_up")
    return WorkerHeard(
        id=id,
        silent_s=round(silent_s, 1),
        here=silent_s <= ttl_s,
        program=_text(says.get("version")),
        kind=_text(says.get("kind")),
        model=_text(says.get("model")),
        model_up=up if isinstance(up, bool) else None,
        load=_number(says.get("load")),
        running=_whole(says.get("running")),
        concurrency=_whole(says.get("concurrency")),
        problems=_texts(says.get("problems")),
    )


def _text(value: object) -> str | None:
    return quote(value) if isinstance(value, str) else None


def _texts(value: object) -> tuple[str, ...]:
    return tuple(quote(each) for each in value if isinstance(each, str)) if isinstance(value, list) else ()


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) <= NUMBER_MAX else None  # which NaN is not
