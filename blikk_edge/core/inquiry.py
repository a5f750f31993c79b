"""Requests that have an answer, the typed Query that a question becomes, and the Reply."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from blikk_edge.core.appearance import FoundBy, StoredAppearance
from blikk_edge.core.observation import Event, Ring
from blikk_edge.core.parcels import ParcelChange
from blikk_edge.core.sightings import Label
from blikk_edge.core.summary import Author, Checked, Said, Summary
from blikk_edge.core.watched import Span

QUESTION_MAX = 500
"""Characters of a question."""

EVENTS_MAX = 500
EVENTS_DEFAULT = 100
"""Events in one answer to ListEvents."""

MARK_MAX = 60
"""Characters of a mark."""

WRITTEN_MAX = 2000
"""Characters of a title or a text that is to be checked."""

FOUND_MAX = 100
FOUND_DEFAULT = 10
"""Results of one search."""

WAITING_MAX = 8
"""Requests that may wait for their answers at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskQuestion:
    """A question in words; camera and times hold where the words name none.

    Attributes:
        question: At most QUESTION_MAX characters.
        camera: The id of the one that is asked about; None: all.
        since: About what was from then on, seconds since 1970 UTC; None does not restrict.
        until: About what was before then, seconds since 1970 UTC; None does not restrict.
        by_rules: No language model is asked, whatever that leaves unanswered.
    """

    question: str
    camera: str | None = None
    since: float | None = None
    until: float | None = None
    by_rules: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ListEvents:
    """Events that match everything given, newest first, each with its summary.

    Attributes:
        camera: At this one, by id; None: at all.
        label: Of this one; None: of all.
        event: The one of this id; None does not restrict.
        zone: That touched this one; None does not restrict.
        since: That started then or later, seconds since 1970 UTC; None does not restrict.
        until: That started before then, seconds since 1970 UTC; None does not restrict.
        limit: How many at most, 1 to EVENTS_MAX; the newest.
    """

    camera: str | None = None
    label: Label | None = None
    event: str | None = None
    zone: str | None = None
    since: float | None = None
    until: float | None = None
    limit: int = EVENTS_DEFAULT


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribeNow:
    """A new Summary of what a camera sees now, or of one event.

    Attributes:
        camera: The camera's id; None where an event is named: one of both is.
        event: The id of the event; None for what a camera sees now.
    """

    camera: str | None = None
    event: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteDigest:
    """A Summary of a period, of one camera or of the node; without times, of the last 24 hours.

    Attributes:
        camera: The camera's id; None: the node.
        since: Where the period begins, seconds since 1970 UTC; None: 24 hours before its end.
        until: Where the period ends, seconds since 1970 UTC; None: now.
    """

    camera: str | None = None
    since: float | None = None
    until: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Forget:
    """Remove events that match everything given (at least one), and what was reported of them.

    Attributes:
        camera: At this one, by id; None: at all.
        event: The one of this id; None does not restrict.
        since: That started then or later, seconds since 1970 UTC; None does not restrict.
        until: That started before then, seconds since 1970 UTC; None does not restrict.
    """

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
    """Keep a word of the household with an event, in place of an earlier one.

    Attributes:
        event: Its id, or that of a ring: then the visit in which it rang is meant, or the ring where nobody was seen.
        mark: The word, at most MARK_MAX characters; an empty one takes the earlier away.
    """

    event: str
    mark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What was seen that looks like these words, the best first.

    Attributes:
        query: At most QUESTION_MAX characters.
        camera: At this one, by id; None: at all.
        since: That was seen then or later, seconds since 1970 UTC; None does not restrict.
        until: That was seen before then, seconds since 1970 UTC; None does not restrict.
        limit: How many at most, 1 to FOUND_MAX.
    """

    query: str
    camera: str | None = None
    since: float | None = None
    until: float | None = None
    limit: int = FOUND_DEFAULT


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckText:
    """Whether what somebody else wrote about an event says only what was observed.

    Attributes:
        event: The id of the event.
        title: At most WRITTEN_MAX characters.
        text: At most WRITTEN_MAX characters.
        pictures: Whether the writer saw a redacted Picture of it, so that looks may be described.
        said: The writer's own account; None: there is none.
        language: The short tag of the language that it is written in, as `de`; None: the household's.
    """

    event: str
    title: str
    text: str
    pictures: bool = False
    said: Said | None = None
    language: str | None = None


Request: TypeAlias = AskQuestion | ListEvents | DescribeNow | WriteDigest | Forget | Mark | Search | CheckText


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

    Attributes:
        measure: What is asked about the visits that match.
        labels: Of these.
        kinds: Of these classes of the detector (`cat`).
        cameras: At these, by id.
        zone: That touched this one.
        since: A visit matches where any part of it lies in `since <= t < until`, seconds since 1970 UTC.
        until: See `since`.
        loitering: Visits in which somebody stayed long.
        ongoing: Visits that go on.
        rings: Presses of the doorbell, not visits.
        min_duration_s: Visits at least as long.
        change: Of parcels: this happened within `since` and `until`; None: they were there then.
        doubt: A word of the question that no camera can decide ("postman").
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
    change: ParcelChange | None = None
    doubt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventWithText:
    """An event and the newest text about it.

    Attributes:
        event: Its newest revision that is stored.
        summary: None where nothing was written about it.
    """

    event: Event
    summary: Summary | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Something that a search found.

    Attributes:
        what: What was seen, when and where.
        by: How it was found.
        score: The cosine of words and picture, -1..1, where a model compared them; else None.
        pictures: The ids of kept Pictures of its event, the nearest in time first.
    """

    what: StoredAppearance
    by: FoundBy
    score: float | None = None
    pictures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The answer to a Request.

    Attributes:
        ok: Whether it could be served.
        error: What to mend, where `ok` is False.
        text: The answer in words.
        count: The answer as a number.
        query: The question as understood; None where it was not: then `text` says so.
        events: What the answer rests on, newest first; of a search those of what was found, in its order.
        rings: Of a list of events those of its period, newest first.
        gaps: Of a list of events, by camera, when it was not watched; of NODE, when it did not run.
        found: Of a search what was found, the best first; None for any other request.
        summary: What was asked to be written.
        checked: How far what was to be checked could be, and is supported; None for any other request.
        unsupported: Of what was to be checked the words that nothing observed supports, each with why.
        source: Who wrote `text`.
        model: The model's name where `source` is `llm`.
        input_tokens: What `text` cost.
        output_tokens: Likewise.
    """

    ok: bool = True
    error: str | None = None
    text: str | None = None
    count: int | None = None
    query: Query | None = None
    events: tuple[EventWithText, ...] = ()
    rings: tuple[Ring, ...] = ()
    gaps: tuple[tuple[str, tuple[Span, ...]], ...] = ()
    found: tuple[Found, ...] | None = None
    summary: Summary | None = None
    checked: Checked | None = None
    unsupported: tuple[str, ...] = ()
    source: Author = Author.TEMPLATE
    model: str | None = None
    input_tokens: int = 0
    output_tokens: int = 0


def refusal(error: object) -> Reply:
    """The Reply to a request that could not be served."""
    return Reply(ok=False, error=str(error))


Answerer: TypeAlias = Callable[[Request], Awaitable[Reply]]
"""Who answers requests; expected failures come as a Reply that is not `ok`."""
