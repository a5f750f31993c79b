"""A language model that is the workers of a site; the node's own stands in where none of them answers."""

import logging
from typing import Final

from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import SinkError, WireError
from blikk_edge.fleet.asking import Asker
from blikk_edge.fleet.jobs import KIND, ModelJob, answer_in, urgency_of
from blikk_edge.fleet.link import Link
from blikk_edge.fleet.names import Names
from blikk_edge.llm.port import AwayError, Completion, LanguageModel, Prompt
from blikk_edge.llm.queue.port import Job, NotNowError, Priority

LOG = logging.getLogger("blikk.fleet")

OWN_SHARE: Final = 0.5
"""The part of a call's time that is kept for the node's own model."""


class SharedModel:
    """Puts each prompt into the queue of the site, and waits `wait_s` at most for a worker that takes it.

    `own` is asked where no worker answers in time, the budget of the site is used up, or there is no NATS; without it
    that raises AwayError or NotNowError. `node` is who asks.
    """

    name = "fleet"

    def __init__(
        self, link: Link, names: Names, *, node: str, wait_s: float, clock: Clock, own: LanguageModel | None = None
    ) -> None:
        self.sees = True
        self._asker = Asker(link, names, node=node, wait_s=wait_s, clock=clock)
        self._site = names.site
        self._node = node
        self._clock = clock
        self._own = own

    async def complete(self, prompt: Prompt, *, deadline_s: float) -> Completion:
        """The answer of a worker, or of the node's own model; raises LlmError."""
        job = Job(key=None, camera=None, priority=Priority.PERSON, prompt=prompt)
        return await self.complete_job(job, deadline_s=deadline_s)

    async def complete_job(self, job: Job, *, deadline_s: float) -> Completion:
        """As `complete`, in the queue for its priority."""
        until = self._clock.monotonic() + deadline_s
        own = self._own
        shared_s = deadline_s if own is None else deadline_s * OWN_SHARE
        try:
            return await self._shared(job, shared_s)
        except (AwayError, NotNowError) as error:
            if own is None or (job.prompt.pictures and not own.sees):
                raise
            LOG.debug("the node's own model is asked: %s", error)
        return await own.complete(job.prompt, deadline_s=max(0.0, until - self._clock.monotonic()))

    async def close(self) -> None:
        """Let go of the connection, and of the node's own model."""
        await self._asker.close()
        if self._own is not None:
            await self._own.close()

    async def _shared(self, job: Job, within_s: float) -> Completion:
        def made(answer_to: str) -> bytes:
            return ModelJob(node=self._node, camera=job.camera, answer_to=answer_to, prompt=job.prompt).to_bytes()

        try:
            return answer_in(await self._asker.ask(KIND, urgency_of(job.priority), made, within_s=within_s))
        except SinkError as error:
            raise AwayError(str(error)) from error
        except WireError as error:
            raise AwayError(f"a worker of {self._site} answered with what is no answer: {error}") from error
