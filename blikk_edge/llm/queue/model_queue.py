"""The queue in which enrichers' calls of the language model wait: one order, one budget, one circuit breaker."""

import asyncio
import logging
import math
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import LlmError
from blikk_edge.core.locale import Locale, LocaleNow
from blikk_edge.core.ports import Memory
from blikk_edge.core.status import LlmPhase, LlmState
from blikk_edge.llm.port import (
    AwayError,
    BlindError,
    BusyError,
    Completion,
    GarbledError,
    LanguageModel,
    Prompt,
    RefusedError,
    TooLongError,
)
from blikk_edge.llm.queue.book import Book
from blikk_edge.llm.queue.breaker import Breaker
from blikk_edge.llm.queue.budget import Budget, Limits, NoRoomError, Reservation
from blikk_edge.llm.queue.port import Job, NotNowError, Priority, Shared
from blikk_edge.llm.queue.waiting import Line, Waiting

LOG = logging.getLogger("blikk.llm")

LOOK_AGAIN_S: Final = 60.0
SHORTEST_S: Final = 0.001
GRACE_S: Final = 1.0
"""What a model gets beyond its deadline before it is cut off."""
LET_GO_S: Final = 1.0
"""How long a call that was cut off is waited for."""


class ModelQueue:
    """Asks `model` within `limits`, the most important job first. Works while `run` does; else all get NotNowError.

    `estimate` gives the input tokens of a prompt before it is sent. `changed` is called in the event loop when phase,
    problem or counters of `state()` have changed. What was spent is kept in `memory`; `locale` says which day it is.

    A job waits at most its `useful_s`, and is turned away as soon as it is clear that its turn cannot come by then. A
    model that is away is asked once more for the same job; one that asks for patience, as often as there is time.
    """

    name = "llm"

    def __init__(
        self,
        model: LanguageModel,
        *,
        limits: Limits,
        clock: Clock,
        estimate: Callable[[Prompt], int],
        memory: Memory | None = None,
        changed: Callable[[], None] = lambda: None,
        locale: LocaleNow = Locale,
        rng: random.Random | None = None,
    ) -> None:
        self.sees = model.sees
        self._model = model
        self._limits = limits
        self._clock = clock
        self._estimate = estimate
        self._changed = changed
        self._budget = Budget(limits, clock, locale=locale)
        self._breaker = Breaker(clock, rng=rng)
        self._book = Book(self._budget, memory, clock)
        self._line = Line(limits.queue)
        self._calls: set[Waiting] = set()
        self._stirred = asyncio.Event()
        self._serial = 0
        self._open = self._closed = False
        self._cool: dict[str, float] = {}
        self._over: tuple[str, str] | None = None
        self._published = self.state()

    async def ask(self, job: Job) -> Completion:
        """The model's answer when it is this job's turn; raises NotNowError or another LlmError.

        When the caller is cancelled the job leaves the queue, or its call is broken off.
        """
        if not self._open:
            raise NotNowError(self._stopped())
        self._serial += 1
        waiting = Waiting(
            job=job,
            serial=self._serial,
            since=self._clock.monotonic(),
            answer=asyncio.get_running_loop().create_future(),
        )
        self._line.join(waiting)
        self._stirred.set()
        try:
            return await waiting.answer
        finally:
            self._line.leave(waiting)

    async def run(self) -> None:
        """Serve until cancelled. Raises nothing that is expected; may be run again after a bug in a model."""
        self._open = not self._closed
        try:
            await self._book.recall()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._book.keep(), name="llm.book")
                while True:
                    self._stirred.clear()
                    look_again_s = self._look(group)
                    self._publish()
                    await self._pause(look_again_s)
        finally:
            self._open = False
            self._turn_all_away()
            await self._book.save()

    def state(self) -> LlmState:
        """The model and its budget as they are now."""
        today = self._budget.today()
        phase, problem = self._breaker.phase, self._breaker.problem
        over = self._over[1] if self._over is not None and self._over[0] == today.date else today.over
        if phase is LlmPhase.READY and over is not None:
            phase, problem = LlmPhase.OVER_BUDGET, over
        return LlmState(
            model=self._model.name,
            phase=phase,
            calls_today=today.calls,
            tokens_today=today.tokens,
            calls_left=today.calls_left,
            tokens_left=today.tokens_left,
            cost_today=today.cost,
            currency=None if today.cost is None else self._limits.currency,
            waiting=len(self._line),
            problem=problem,
        )

    async def close(self) -> None:
        """Turn everybody away from now on, and let the model go."""
        self._closed, self._open = True, False
        self._turn_all_away()
        await self._model.close()

    # -- whose turn it is ----------------------------------------------------------------------------------------

    def _look(self, group: asyncio.TaskGroup) -> float:
        """Begin what can be begun; seconds until it is worth looking again if nothing happens before."""
        look_again_s = LOOK_AGAIN_S
        rest_s, why = self._breaker.wait_s(), self._breaker.problem or ""
        for waiting in self._line:
            if waiting.answer.done():  # the caller was cancelled a moment ago and is about to leave
                continue
            left_s = waiting.until - self._clock.monotonic()
            wait_s, reason, holds_all = rest_s, why, False
            if left_s <= 0:
                wait_s, reason = math.inf, self._breaker.problem or f"not its turn within {waiting.job.useful_s:g} s"
            elif len(self._calls) >= self._limits.concurrency or self._breaker.probing:
                wait_s = left_s
            elif not rest_s:
                wait_s, reason, holds_all = self._begin(waiting, group)
            if wait_s > left_s:
                self._turn_away(waiting, NotNowError(reason))
            elif wait_s > 0:
                look_again_s = min(look_again_s, wait_s, left_s)
                if holds_all:  # or the less important would use up the minute of who waits for more of it
                    rest_s, why = wait_s, reason
        return look_again_s

    def _begin(self, waiting: Waiting, group: asyncio.TaskGroup) -> tuple[float, str, bool]:
        """Ask the model; or for how many seconds not, why, and whether this holds for all who come after."""
        job, now = waiting.job, self._clock.monotonic()
        if job.prompt.pictures and not self.sees:
            self._turn_away(waiting, BlindError(f"{self._model.name} takes no pictures"))
            return 0.0, "", False
        cools = job.camera is not None and job.priority is not Priority.USER
        if cools and (cool_s := self._cool.get(str(job.camera), now) - now) > 0:
            return cool_s, f"{job.camera} was written about a moment ago", False
        try:
            reservation = self._budget.reserve(
                job.camera, input_tokens=self._estimate(job.prompt), output_tokens=job.prompt.max_tokens
            )
        except NoRoomError as error:
            if error.day_over:
                self._over = self._budget.today().date, str(error)
            return error.wait_s, str(error), not error.camera
        if cools:
            self._cool = {camera: until for camera, until in self._cool.items() if until > now}
            self._cool[str(job.camera)] = now + self._limits.cooldown_s
        self._over = None
        self._book.changed()
        self._line.leave(waiting)
        self._calls.add(waiting)
        group.create_task(self._serve(waiting, reservation, probe=self._breaker.begin()), name="llm.call")
        return 0.0, "", False

    def _turn_away(self, waiting: Waiting, error: LlmError) -> None:
        self._line.leave(waiting)
        waiting.turn_away(error)

    def _turn_all_away(self) -> None:
        for waiting in (*self._line, *self._calls):
            self._turn_away(waiting, NotNowError(self._stopped()))
        self._calls.clear()
        self._breaker.let_go(probe=True)

    def _stopped(self) -> str:
        return f"the language model {self._model.name} is not running"

    # -- one call ------------------------------------------------------------------------------------------------

    async def _serve(self, waiting: Waiting, reservation: Reservation, *, probe: bool) -> None:
        began = self._clock.monotonic()
        try:
            completion = await self._complete(waiting)
        except LlmError as error:
            if waiting.answer.done():  # the caller went: the call was broken off, and has cost nobody knows what
                self._breaker.let_go(probe=probe)
            else:
                self._settle(reservation, error, took_s=self._clock.monotonic() - began)
                self._failed(waiting, error, probe=probe)
        else:
            reservation.settle(input_tokens=completion.input_tokens, output_tokens=completion.output_tokens)
            self._breaker.worked(probe=probe)
            if not waiting.answer.done():
                waiting.answer.set_result(completion)
        self.sees = self.sees and self._model.sees
        self._book.changed()
        self._calls.discard(waiting)
        self._stirred.set()

    async def _complete(self, waiting: Waiting) -> Completion:
        """The model's answer within the time limit, and as long as somebody waits for it; raises LlmError."""
        timeout_s = self._limits.timeout_s
        if isinstance(self._model, Shared):
            call = asyncio.ensure_future(self._model.complete_job(waiting.job, deadline_s=timeout_s))
        else:
            call = asyncio.ensure_future(self._model.complete(waiting.job.prompt, deadline_s=timeout_s))
        alarm = asyncio.ensure_future(self._clock.sleep(timeout_s + GRACE_S))
        try:
            await asyncio.wait((call, alarm, waiting.answer), return_when=asyncio.FIRST_COMPLETED)
        finally:
            alarm.cancel()
            if not call.done():
                call.cancel()
                await asyncio.wait((call,), timeout=LET_GO_S)
            if call.done() and not call.cancelled():
                call.exception()  # taken note of, also where we are cancelled and nobody looks at it
        if call.cancelled() or not call.done():
            raise AwayError(f"{self._model.name} did not answer within {timeout_s:g} s")
        return call.result()

    def _settle(self, reservation: Reservation, error: LlmError, *, took_s: float) -> None:
        """What a call that failed has cost. Where nobody knows and it may have been worked on, the estimate stays."""
        match error:
            case GarbledError(spent=Completion() as spent):
                reservation.settle(input_tokens=spent.input_tokens, output_tokens=spent.output_tokens)
            case BusyError() | RefusedError() | TooLongError() | BlindError():
                reservation.release()
            case AwayError() if took_s < self._limits.timeout_s / 2:
                reservation.release()

    def _failed(self, waiting: Waiting, error: LlmError, *, probe: bool) -> None:
        self._judge(error, probe=probe)
        self._cool.pop(str(waiting.job.camera), None)  # nothing came of it: its repair need not wait
        again = isinstance(error, BusyError) or (isinstance(error, AwayError) and not waiting.tried)
        waiting.tried = waiting.tried or not isinstance(error, BusyError)
        if again and self._breaker.wait_s() < waiting.until - self._clock.monotonic():
            waiting.error = error
            self._line.join(waiting)
        else:
            waiting.turn_away(error)

    def _judge(self, error: LlmError, *, probe: bool) -> None:
        """What a failed call says of the model."""
        match error:
            case RefusedError():
                self._breaker.refused(str(error), probe=probe)
            case BusyError(retry_after_s=retry_after_s):
                self._breaker.busy(str(error), retry_after_s, probe=probe)
            case TooLongError() | GarbledError(spent=Completion()):
                self._breaker.worked(probe=probe)
            case BlindError():
                self.sees = False
                self._breaker.worked(probe=probe)
            case _:
                self._breaker.failed(str(error), probe=probe)

    # -- what is said of it --------------------------------------------------------------------------------------

    def _publish(self) -> None:
        before, now = self._published, replace(self.state(), waiting=0)
        self._published = now
        if now.phase is not before.phase:
            if now.phase is LlmPhase.READY:
                LOG.info("%s is asked again", now.model)
            else:
                LOG.warning("%s is not asked now: %s", now.model, now.problem)
        if now != before:
            self._changed()

    async def _pause(self, seconds: float) -> None:
        """Until something has happened, at most so long."""
        # a shorter sleep might not move a clock that counts from 1970
        alarm = asyncio.ensure_future(self._clock.sleep(max(seconds, SHORTEST_S)))
        stirred = asyncio.ensure_future(self._stirred.wait())
        try:
            await asyncio.wait((alarm, stirred), return_when=asyncio.FIRST_COMPLETED)
        finally:
            alarm.cancel()
            stirred.cancel()
