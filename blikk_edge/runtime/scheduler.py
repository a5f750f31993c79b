"""Starts, watches and ends every thread and task; the one place that outlives a bug in any of them."""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Coroutine
from functools import partial
from types import TracebackType
from typing import Any, Final, Self

from blikk_edge.core.allowance import log_allowance
from blikk_edge.core.backoff import Backoff
from blikk_edge.core.clock import Clock, SystemClock
from blikk_edge.core.errors import BlikkError, SourceError
from blikk_edge.core.loose_thread import LooseThread
from blikk_edge.runtime import log

STEADY_S: Final = 5.0
"""What has worked for so long works."""

RELAPSES: Final = 2
"""So often in a row something may fail soon after it began before it has to prove itself: a camera that starts does."""


class Supervisor:
    """Catches what goes wrong in a part and logs it: when it starts, when it ends, and rarely while it goes on.

    Expected failures (BlikkError) are one warning line; anything else is a bug and comes with its traceback. `problems`
    holds what is wrong now, a sentence by part. Safe from any thread.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self.problems: dict[str, str] = {}
        self._worked: set[str] = set()
        self._allowance = log_allowance(clock or SystemClock())
        self._untold: Counter[tuple[str, str]] = Counter()
        self._logged: set[str] = set()

    def guard(
        self, part: str, *, let: type[Exception] | None = None, over: Callable[[], bool] | None = None
    ) -> "Guard":
        """A context in which `part` may fail without harm to others; errors of kind `let` pass through.

        Once it is `over`, what fails is no problem any more: another may have taken its place.
        """
        return Guard(self, part, let, over=over)

    def attempt(self, part: str) -> "Guard":
        """As `guard`, around all that `part` does: where nothing fails it works."""
        return Guard(self, part, None, heals=True)

    def fail(self, part: str, error: BaseException) -> None:
        """Report that `part` failed."""
        bug = not isinstance(error, BlikkError)
        text = f"{type(error).__name__}: {error}" if bug else str(error)
        if self.problems.get(part) != text:
            self._log(part, text, error if bug else None)
        self.problems[part] = text

    def failed_late(self, part: str, error: BaseException) -> None:
        """Report that what was asked to end failed before it did; only a bug is worth a line."""
        if not isinstance(error, BlikkError):
            log.part(part).error("a bug while it ended", exc_info=error)

    def well(self, part: str) -> None:
        """Report that `part` works; again, where it did before."""
        self.problems.pop(part, None)
        if part in self._logged:
            log.part(part).info("works again" if part in self._worked else "works now")
        self._logged.discard(part)
        self._worked.add(part)

    def _log(self, part: str, text: str, bug: BaseException | None) -> None:
        if not self._allowance.take((part, text)):
            self._untold[part, text] += 1
            return
        self._logged.add(part)
        untold = self._untold.pop((part, text), 0)
        more = f" (and {untold} times more before)" if untold else ""
        if bug is None:
            log.part(part).warning("%s%s", text, more)
        else:
            log.part(part).error("restarted after a bug%s", more, exc_info=bug)


class Guard:
    """One try of a part. Afterwards `failed` says how it went; exits of the program pass through.

    `retry_s` is how long the failure itself asks to be left alone.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        part: str,
        let: type[Exception] | None,
        *,
        heals: bool = False,
        over: Callable[[], bool] | None = None,
    ) -> None:
        self._supervisor = supervisor
        self._part = part
        self._let = let
        self._heals = heals
        self._over = over
        self.failed = False
        self.retry_s = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> bool:
        if error is None and self._heals:
            self._supervisor.well(self._part)
        if not isinstance(error, Exception) or (self._let is not None and isinstance(error, self._let)):
            return False
        self.failed = True
        self.retry_s = error.retry_s if isinstance(error, SourceError) else 0.0
        if self._over is not None and self._over():
            self._supervisor.failed_late(self._part, error)
        else:
            self._supervisor.fail(self._part, error)
        return True


class SupervisedThread:
    """What a supervised thread listens to and says: `stop` asks it to end, `well()` says that its work goes on.

    A body that failed soon after its work had begun, `RELAPSES` times in a row, is well again only when its work has
    gone on for `STEADY_S`: what comes and goes is logged as a trouble, once, and is tried again ever more rarely. What
    fails after it was asked to end is no trouble: another thread may have taken its place. `leave_after_s`: see
    `Scheduler.thread`.
    """

    def __init__(self, supervisor: Supervisor, part: str, clock: Clock, *, leave_after_s: float | None = None) -> None:
        self.part = part
        self.leave_after_s = leave_after_s
        self.stop = threading.Event()
        self.ended = threading.Event()
        self._supervisor = supervisor
        self._clock = clock
        self._backoff = Backoff()
        self._ill = True
        self._began: float | None = None
        self._steady = False
        self._relapses = 0

    def well(self) -> bool:
        """The work goes on; says whether that is to be believed. Cheap enough to call for every frame."""
        if self._steady:
            return True
        now = self._clock.monotonic()
        if self._began is None:
            self._began = now
        if now - self._began >= STEADY_S:
            self._steady, self._relapses = True, 0
        if self._ill and (self._steady or self._relapses < RELAPSES):
            self._ill = False
            self._backoff.reset()
            self._supervisor.well(self.part)
        return not self._ill

    def go(self, body: Callable[["SupervisedThread"], None]) -> None:
        """The thread itself: `body` again and again until it returns or is asked to end."""
        try:
            while not self.stop.is_set():
                self._began, self._steady = None, False
                with self._supervisor.guard(self.part, over=self.stop.is_set) as outcome:
                    body(self)
                if not outcome.failed:
                    return
                self._relapses += self._began is not None and not self._steady
                self._ill = True
                self.stop.wait(max(self._backoff.next_s(), outcome.retry_s))
        finally:
            self.ended.set()


class Scheduler:
    """The threads and tasks of one node.

    Threads and tasks that fail are started again after a jittered pause, for ever; those that return are done. Ending
    takes at most `grace_s` seconds for all threads, and as much again for all tasks.
    """

    def __init__(self, clock: Clock, supervisor: Supervisor, *, grace_s: float = 2.0) -> None:
        self.supervisor = supervisor
        self._clock = clock
        self._grace_s = grace_s
        self._threads: list[SupervisedThread] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def thread(
        self, part: str, body: Callable[[SupervisedThread], None], *, leave_after_s: float | None = None
    ) -> SupervisedThread:
        """Run `body` in a thread of its own until it returns or its `stop` is set.

        With `leave_after_s` the end waits no longer for it than that, and says nothing where it is left behind: it may
        wait in a library within a limit of its own, and does nothing any more when it comes back.
        """
        thread = SupervisedThread(self.supervisor, part, self._clock, leave_after_s=leave_after_s)
        LooseThread(part, partial(thread.go, body)).start()
        self._threads.append(thread)
        return thread

    def retire(self, thread: SupervisedThread) -> None:
        """Ask a thread to end and wait for it no longer: it hangs in a library that cannot be interrupted."""
        thread.stop.set()
        self._threads.remove(thread)

    def task(self, part: str, make: Callable[[], Coroutine[Any, Any, None]]) -> asyncio.Task[None]:
        """Run the coroutine that `make` gives, anew after each failure."""
        task = asyncio.get_running_loop().create_task(self._watch(part, make), name=part)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def end_threads(self) -> None:
        """Ask all threads to end and wait for them, at most the grace time."""
        for thread in self._threads:
            thread.stop.set()
        asked = self._clock.monotonic()
        for thread in self._threads:
            may_stay = thread.leave_after_s is not None
            allowed_s = self._grace_s if thread.leave_after_s is None else min(thread.leave_after_s, self._grace_s)
            left = max(0.0, asked + allowed_s - self._clock.monotonic())
            if not await asyncio.to_thread(thread.ended.wait, left) and not may_stay:
                log.part(thread.part).warning("did not end in %.0f s and is left behind", self._grace_s)
        self._threads.clear()

    async def end_task(self, task: asyncio.Task[None]) -> None:
        """Cancel one task and wait until it has cleaned up, at most the grace time."""
        task.cancel()
        await asyncio.wait((task,), timeout=self._grace_s)

    async def end_tasks(self) -> None:
        """Cancel all tasks and wait until they have cleaned up, at most the grace time."""
        ending = tuple(self._tasks)
        for task in ending:
            task.cancel()
        if ending:
            await asyncio.wait(ending, timeout=self._grace_s)

    async def _watch(self, part: str, make: Callable[[], Coroutine[Any, Any, None]]) -> None:
        backoff = Backoff()
        while True:
            started = self._clock.monotonic()
            # what failed before and has run for so long works again
            steady = asyncio.get_running_loop().call_later(STEADY_S, self.supervisor.well, part)
            with self.supervisor.guard(part) as outcome:
                await make()
            steady.cancel()
            if not outcome.failed:
                self.supervisor.well(part)
                return
            if self._clock.monotonic() - started > 60.0:  # it had worked: this is a new trouble
                backoff.reset()
            await self._clock.sleep(backoff.next_s())
