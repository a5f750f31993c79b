"""The language model of a worker: a job within its time and the budget of the site; a rest where it is away."""

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from blikk_edge.core.backoff import Backoff
from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import LlmError, WireError
from blikk_edge.core.trouble import Trouble
from blikk_edge.fleet.jobs import KIND, TAKEN, ModelJob, completion_bytes, error_bytes, job_in, left_in
from blikk_edge.fleet.site_budget import SiteBudget
from blikk_edge.fleet.work import Asked, Done
from blikk_edge.fleet.work_queue import ASK_S
from blikk_edge.llm.port import (
    AwayError,
    BusyError,
    Completion,
    Counting,
    GarbledError,
    LanguageModel,
    Prompt,
    RefusedError,
)
from blikk_edge.llm.tokens import prompt_tokens

if TYPE_CHECKING:
    from nats.aio.client import Client

LOG = logging.getLogger("blikk.worker")

GRACE_S: Final = 1.0


class ModelWork:
    """Has `model` do jobs, each within `timeout_s`, and rests where it is away or refuses to answer."""

    kind = KIND

    def __init__(self, model: LanguageModel, *, timeout_s: float, clock: Clock) -> None:
        self._model = model
        self._timeout_s = timeout_s
        self._clock = clock
        self._backoff = Backoff()
        self._rest_until = clock.monotonic()
        self._ill = Trouble(LOG, "the model is not asked now: %s")

    @property
    def name(self) -> str:
        """That of the model."""
        return self._model.name

    @property
    def problem(self) -> str | None:
        """Why the model is not asked now; None while it answers."""
        return self._ill.now

    @property
    def rest_s(self) -> float:
        """For how long it is still left alone."""
        return max(0.0, self._rest_until - self._clock.monotonic())

    def read(self, data: bytes) -> ModelJob:
        """The job of a message; raises WireError."""
        return job_in(data)

    async def do(self, job: ModelJob, budget: SiteBudget, *, left_s: float) -> Done:
        """The model's answer, as the asker is sent it; see `Work`."""
        try:
            completion = await self.complete(job, budget, left_s=left_s)
        except (AwayError, RefusedError):
            raise
        except LlmError as error:
            spent = error.spent if isinstance(error, GarbledError) else None
            return Done(answer=error_bytes(error), failed=True, spent=spent)
        return Done(answer=completion_bytes(completion), spent=completion)

    async def complete(self, job: ModelJob, budget: SiteBudget, *, left_s: float) -> Completion:
        """The model's answer within `left_s` and the budget of the site; raises LlmError."""
        deadline_s = min(left_s, self._timeout_s)
        share = await budget.reserve(self._tokens(job.prompt))
        spent: int | None = None
        try:
            async with asyncio.timeout(deadline_s + GRACE_S):
                completion = await self._model.complete(job.prompt, deadline_s=deadline_s)
            spent = completion.input_tokens + completion.output_tokens
        except TimeoutError as error:
            spent = share.tokens
            raise AwayError(f"{self._model.name} did not answer within {deadline_s:g} s") from error
        except GarbledError as error:
            spent = share.tokens if error.spent is None else error.spent.input_tokens + error.spent.output_tokens
            raise
        except asyncio.CancelledError:
            spent = share.tokens
            raise
        finally:
            if spent != share.tokens:
                await budget.settle(share, spent)
        return completion

    def rest(self, error: LlmError) -> None:
        """The model cannot be asked: let others do its work for a while."""
        rest_s = self._backoff.next_s()
        if isinstance(error, BusyError) and error.retry_after_s is not None:
            rest_s = max(rest_s, error.retry_after_s)
        self._rest_until = self._clock.monotonic() + rest_s
        self._ill.start(str(error))

    def well(self) -> None:
        """The model has answered."""
        self._backoff.reset()
        self._ill.end("the model answers again")

    async def close(self) -> None:
        """Let go of the model."""
        await self._model.close()

    def _tokens(self, prompt: Prompt) -> int:
        model = self._model
        sent = model.expected_tokens(prompt) if isinstance(model, Counting) else prompt_tokens(prompt)
        return sent + prompt.max_tokens


async def wanted_s(client: "Client", job: Asked) -> float:
    """For how long its asker wants the answer; 0 where it wants it no more, -1 where the asker is not there."""
    from nats.errors import NoRespondersError  # noqa: PLC0415  # see link
    from nats.errors import TimeoutError as NatsTimeoutError  # noqa: PLC0415

    try:
        answer = await client.request(job.answer_to, TAKEN, timeout=ASK_S)
        return left_in(answer.data)
    except (NoRespondersError, NatsTimeoutError):
        return -1.0
    except WireError as error:
        LOG.debug("%s: %s", job.node, error)
        return 0.0
