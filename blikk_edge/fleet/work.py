"""What a worker can do: the port between the queue of a site and the models behind it."""

from dataclasses import dataclass
from typing import Protocol, TypeVar

from blikk_edge.core.errors import LlmError
from blikk_edge.fleet.site_budget import SiteBudget
from blikk_edge.llm.port import Completion


class Asked(Protocol):
    """A job, whatever it is about."""

    @property
    def node(self) -> str:
        """Who asks."""
        ...

    @property
    def answer_to(self) -> str:
        """The subject on which the asker listens."""
        ...


JobT = TypeVar("JobT", bound=Asked)


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A job that was done.

    Attributes:
        answer: What the asker is sent.
        failed: Whether that says why there is nothing.
        spent: What a language model read and wrote for it, if one did.
    """

    answer: bytes
    failed: bool = False
    spent: Completion | None = None


class Work(Protocol[JobT]):
    """Does the jobs of one kind."""

    @property
    def kind(self) -> str:
        """Of the jobs; each kind has queues of its own."""
        ...

    @property
    def name(self) -> str:
        """That of the model."""
        ...

    @property
    def problem(self) -> str | None:
        """Why the model is not asked now; None while it answers."""
        ...

    @property
    def rest_s(self) -> float:
        """For how long no job is to be taken."""
        ...

    def read(self, data: bytes) -> JobT:
        """The job of a message; raises WireError."""
        ...

    async def do(self, job: JobT, budget: SiteBudget, *, left_s: float) -> Done:
        """Do a job within `left_s` seconds.

        Raises AwayError or RefusedError where another worker may do it, and any other LlmError where none can.
        """
        ...

    def rest(self, error: LlmError) -> None:
        """The model cannot be asked: let others do its work for a while."""
        ...

    def well(self) -> None:
        """The model has answered."""
        ...

    async def close(self) -> None:
        """Let go of the model."""
        ...
