"""The queue of the language model as enrichers see it; the real one is `llm.queue.model_queue`."""

from collections.abc import Hashable
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol, runtime_checkable

from blikk_edge.core.errors import LlmError
from blikk_edge.llm.port import Completion, Prompt


class Priority(IntEnum):
    """Who goes first; lower is sooner."""

    USER = 0  # somebody waits for the answer
    RING = 1
    PERSON = 2
    PACKAGE = 3
    ANIMAL = 4
    VEHICLE = 5
    QUESTION = 6
    DIGEST = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One piece of work for the model.

    Attributes:
        key: Of waiting jobs with the same key only the newest is done; the others raise SupersededError.
        camera: The camera's id; None for work of the whole node.
        priority: Lower goes first; within a priority the oldest does.
        prompt: What the model is sent.
        useful_s: After so many seconds in the queue nobody needs it any more.
    """

    key: Hashable
    camera: str | None
    priority: Priority
    prompt: Prompt
    useful_s: float = 60.0


class JobQueue(Protocol):
    """Where enrichers hand in a Job for the model."""

    sees: bool
    """Whether Pictures are of use."""

    async def ask(self, job: Job) -> Completion:
        """The model's answer when it is this job's turn; raises NotNowError or another LlmError."""
        ...


@runtime_checkable
class Shared(Protocol):
    """A model that others use as well, so that it matters who asks."""

    async def complete_job(self, job: Job, *, deadline_s: float) -> Completion:
        """As `LanguageModel.complete`, in the order of the priorities of all who ask."""
        ...


class NotNowError(LlmError):
    """The model is not asked now: over budget, resting, queue full, waited too long. The template serves."""


class SupersededError(NotNowError):
    """A newer job with the same key took this one's place."""
