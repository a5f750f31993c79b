"""The work that waits for the language model: bounded, in order of importance, one of each kind."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from blikk_edge.core.errors import LlmError
from blikk_edge.llm.port import Completion
from blikk_edge.llm.queue.port import Job, NotNowError, SupersededError

USEFUL_MAX_S: Final = 3600.0
"""Nothing waits longer, whatever a job says."""


@dataclass(slots=True, eq=False, kw_only=True)
class Waiting:
    """A job, and who waits for its answer.

    Attributes:
        job: What is to be done.
        serial: Counts arrivals.
        since: When it arrived, monotonic seconds.
        answer: Where it is waited for.
        place: Its order within its priority: `serial`, or the place of the job that it superseded.
        error: What an earlier try of this job came to; None before the first.
        tried: Whether the model failed in one, other than by asking for patience.
    """

    job: Job
    serial: int
    since: float
    answer: asyncio.Future[Completion]
    place: int = field(init=False)
    error: LlmError | None = None
    tried: bool = False

    def __post_init__(self) -> None:
        self.place = self.serial

    @property
    def until(self) -> float:
        """When nobody needs it any more, monotonic seconds."""
        return self.since + min(self.job.useful_s, USEFUL_MAX_S)

    @property
    def rank(self) -> tuple[int, int]:
        """Lower goes first."""
        return self.job.priority, self.place

    def turn_away(self, error: LlmError) -> None:
        """Give the error to who waits, if somebody still does."""
        if not self.answer.done():
            if self.error is not None and error.__cause__ is None:
                error.__cause__ = self.error
            self.answer.set_exception(error)


class Line:
    """At most `limit` jobs; beyond it the least important and newest is turned away, be it the one that comes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._waiting: dict[object, Waiting] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Waiting]:
        """All that wait, first who goes first; the line may change meanwhile."""
        return iter(sorted(self._waiting.values(), key=lambda each: each.rank))

    def join(self, new: Waiting) -> None:
        """Take a place. Of the same key the newest stays, in the place of the older if that is as important."""
        key = new.job.key
        old = self._waiting.get(key)
        if old is not None and old.serial > new.serial:
            new.turn_away(SupersededError("newer work took its place"))
            return
        if old is not None:
            if old.job.priority == new.job.priority:
                new.place = old.place
            old.turn_away(SupersededError("newer work took its place"))
        self._waiting[key] = new
        if len(self._waiting) > self._limit:
            last = max(self._waiting.values(), key=lambda each: each.rank)
            self.leave(last)
            last.turn_away(NotNowError(f"{self._limit} jobs wait for the language model already"))

    def leave(self, gone: Waiting) -> None:
        """Give the place up; harmless where it is not held."""
        if self._waiting.get(gone.job.key) is gone:
            del self._waiting[gone.job.key]
