"""Requests that have an answer, the typed Query that a question becomes, and the Reply."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from blikk_edge.core.observation import Event, Ring
from blikk_edge.core.sightings import Label
from blikk_edge.core.summary import Author, Summary
from blikk_edge.core.watched import Span

QUESTION_MAX = 500
"""Characters of a question."""

EVENTS_MAX = 500
EVENTS_DEFAULT = 100
"""Events in one answer to ListEvents."""

MARK_MAX = 60
"""Characters of a mark."""

WAITING_MAX = 8
"""Requests that may wait for their answers at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskQuestion:
    """A question in words; camera and times narrow what the words say. Times here and below: seconds since 1970 UTC."""

    question: str
    camera: str | None = None
    since: float | None = None
    until: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListEvents:
    """Events that started in `since <= t < until`, newest first, each with its summary."""

    camera: str | None = None
    label: Label | None = None
    zone: str | None = None
    since: float | None = None
    until: float | None = None
    limit: int = EVENTS_DEFAULT


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribeNow:
    """A new Summary of what a camera sees now, or of one event."""

    camera: str | None = None
    event: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteDigest:
    """A Summary of a period, of one camera or of the node; without times of the last 24 hours."""

    camera: str | None = None
    since: float | None = None
    until: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Forget:
    """Remove events that match everything given (at least one), and what was reported of them."""

    camera: str | None = None
    event: str | None = None
    since: float | None = None
    until: float | None = None

    def covers(self, camera: str, event: str | None, time: float) -> bool:
        """Whether something of this camera, event and time is to go; of an event its start counts."""
        return (
            self.camera in {None, camera}
            and self.event in {None, event}
            and (self.since is None or time >= self.since)
            and (self.until is None or time < self.until)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Keep a word of the household with an event, in place of an earlier one; an empty one takes it away.

    `event` may be the id of a ring: then the visit in which it rang is meant.
    """

    event: str
    mark: str


Request: TypeAlias = AskQuestion | ListEvents | DescribeNow | WriteDigest | Forget | Mark


class Aggregate(StrEnum):
    """What is asked about the visits (events) that match."""

    COUNT = "count"  # how many objects: each visit counts with the most it had at once
    VISITS = "visits"  # how many visits, or presses of the doorbell
    LIST = "list"
    ANY = "any"  # whether there was one
    FIRST = "first"
    LAST = "last"
    LONGEST = "longest"
    DURATION = "duration"  # how long, all visits together
    MOST_AT_ONCE = "most_at_once"
    STAYING = "staying"  # how long who is there now has been
    PRESENT = "present"  # who or what is there now


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A question that code can answer; what is left at its default does not restrict.

    A visit matches where any part of it lies in `since <= t < until`. `kinds` are classes of the detector (`cat`);
    `zone` is one the visit touched; `loitering` and `ongoing` restrict to visits that are so; `min_duration_s` to those
    at least as long. `rings` asks about presses of the doorbell, not visits. `doubt` is a word of the question that no
    camera can decide ("postman").
    """

    measure: Aggregate
    labels: tuple[Label, ...] = ()
    kinds: tuple[str, ...] = ()
    cameras: tuple[str, ...] = ()
    zone: str | None = None
    since: float | None = None
    until: float | None = None
    loitering: bool = False
    ongoing: bool = False
    rings: bool = False
    min_duration_s: float = 0.0
    doubt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventWithText:
    """An event and the newest text about it."""

    event: Event
    summary: Summary | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The answer to a Request. Where `ok` is False, `error` says what to mend.

    `query` is the question as understood, None where it was not: then `text` says so. `events` are what the answer
    rests on, newest first; `source`, `model` and tokens are those of `text`. A list of events tells also the `rings` of
    its period, newest first, and of each camera the `gaps` in which it was not watched, of NODE when it did not run.
    """

    ok: bool = True
    error: str | None = None
    text: str | None = None
    count: int | None = None
    query: Query | None = None
    events: tuple[EventWithText, ...] = ()
    rings: tuple[Ring, ...] = ()
    gaps: tuple[tuple[str, tuple[Span, ...]], ...] = ()
    summary: Summary | None = None
    source: Author = Author.TEMPLATE
    model: str | None = None
    input_tokens: int = 0
    output_tokens: int = 0


def refusal(error: object) -> Reply:
    """The Reply to a request that could not be served."""
    return Reply(ok=False, error=str(error))


Answerer: TypeAlias = Callable[[Request], Awaitable[Reply]]
"""Who answers requests; expected failures come as a Reply that is not `ok`."""
