"""A model that does what a test wants, and a queue that runs on a clock which the test moves."""

import asyncio
import random
from collections.abc import Callable
from typing import Any

from blikk_edge.core.clock import VirtualClock
from blikk_edge.core.errors import StoreError
from blikk_edge.core.picture import Picture
from blikk_edge.core.status import LlmPhase
from blikk_edge.llm.port import Completion, Prompt
from blikk_edge.llm.queue.budget import Limits
from blikk_edge.llm.queue.model_queue import ModelQueue
from blikk_edge.llm.queue.port import Job, Priority

NOON = 1795262400.0  # 2026-11-21 12:00 UTC
WIDE = Limits(calls_per_minute=600, tokens_per_minute=10**7, cooldown_s=0.0)
PICTURE = Picture(camera="door", name="person", time=NOON, jpeg=b"\xff\xd8\xff\xd9", width_px=64, height_px=48)


def prompt(text: str = "a person in porch", *, pictures: tuple[Picture, ...] = (), max_tokens: int = 100) -> Prompt:
    return Prompt(
        system="Describe.", user=text, schema_name="text", schema={}, pictures=pictures, max_tokens=max_tokens
    )


def job(key: object, priority: Priority = Priority.PERSON, *, camera: str | None = "door", **more: Any) -> Job:
    useful_s = more.pop("useful_s", 60.0)
    return Job(key=key, camera=camera, priority=priority, prompt=prompt(str(key), **more), useful_s=useful_s)


def completion(text: str, *, input_tokens: int = 50, output_tokens: int = 20) -> Completion:
    return Completion(text=text, model="tiny", input_tokens=input_tokens, output_tokens=output_tokens)


class Model:
    """Answers with the prompt's own text; `script` holds what to do instead: an error, or a coroutine function."""

    name = "tiny"

    def __init__(self, clock: VirtualClock) -> None:
        self.sees = True
        self.asked: list[str] = []
        self.times: list[float] = []
        self.script: list[Exception | Callable[[], Any]] = []
        self.always: Exception | None = None
        self.takes_s = 0.0
        self.at_once = 0
        self.most_at_once = 0
        self.broken_off = 0
        self.closed = False
        self._clock = clock

    async def complete(self, prompt: Prompt, *, deadline_s: float) -> Completion:
        self.asked.append(prompt.user)
        self.times.append(self._clock.monotonic())
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self._clock.sleep(self.takes_s)
            act = self.script.pop(0) if self.script else self.always
            if isinstance(act, Exception):
                raise act
            if act is not None:
                return await act()
            return completion(prompt.user)
        except asyncio.CancelledError:
            self.broken_off += 1
            raise
        finally:
            self.at_once -= 1

    async def close(self) -> None:
        self.closed = True


class Drawer:
    """A Memory in a dict, which may be jammed, or `deaf` to questions only."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        self.jammed = False
        self.deaf = False
        self.writes = 0

    def recall(self, key: str) -> str | None:
        self._try()
        if self.deaf:
            raise StoreError("store: its disk cannot be read")
        return self.kept.get(key)

    def remember(self, key: str, text: str) -> None:
        self._try()
        self.writes += 1
        self.kept[key] = text

    def _try(self) -> None:
        if self.jammed:
            raise StoreError("store: its disk is full")


class Office:
    """A desk, its model and its clock. `ask` gives the task of somebody who asks."""

    def __init__(self, *, limits: Limits = WIDE, memory: Drawer | None = None, start: float = NOON) -> None:
        self.clock = VirtualClock(start)
        self.model = Model(self.clock)
        self.changes: list[LlmPhase] = []
        self.queue = ModelQueue(
            self.model,
            limits=limits,
            clock=self.clock,
            estimate=lambda prompt: 100,
            memory=memory,
            changed=lambda: self.changes.append(self.queue.state().phase),
            rng=random.Random(7),
        )
        self.task: asyncio.Task[None] | None = None
        self.asking: list[asyncio.Task[Completion]] = []

    async def open(self) -> None:
        self.task = asyncio.ensure_future(self.queue.run())
        await self.rest()

    async def rest(self) -> None:
        """Let everybody do what can be done without time passing; memory is read in a real thread."""
        for _ in range(40):
            await asyncio.sleep(0)
        await asyncio.sleep(0.002)
        for _ in range(40):
            await asyncio.sleep(0)

    async def pass_time(self, seconds: float, *, step_s: float = 0.25) -> None:
        end = self.clock.monotonic() + seconds
        while self.clock.monotonic() < end - 1e-6:
            await self.clock.advance(min(step_s, end - self.clock.monotonic()))
            for _ in range(40):
                await asyncio.sleep(0)

    async def ask(self, *jobs: Job) -> list["asyncio.Task[Completion]"]:
        tasks = []
        for each in jobs:
            tasks.append(asyncio.ensure_future(self.queue.ask(each)))
            await asyncio.sleep(0)
        self.asking += tasks
        await self.rest()
        return tasks

    async def close(self) -> None:
        for task in (self.task, *self.asking):
            if task is not None and not task.done():
                task.cancel()
        await self.rest()
        await asyncio.gather(*self.asking, return_exceptions=True)
        if self.task is not None:
            await asyncio.wait((self.task,))
            self.task = None
