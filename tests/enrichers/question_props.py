"""A QuestionWatcher at work on a virtual clock, with what it was given and what it reported."""

import asyncio
import contextlib
import json
import time as real_time
from concurrent.futures import ThreadPoolExecutor

from summary_props import IN_UTC, NOON

from blikk_edge.core.clock import VirtualClock
from blikk_edge.core.errors import StoreError
from blikk_edge.core.picture import Picture
from blikk_edge.core.sightings import Label
from blikk_edge.core.status import CameraState, SummaryMode
from blikk_edge.core.summary import AnswerKind, Question
from blikk_edge.enrichers.questions.watcher import QuestionWatcher


def question(text="Is the gate open?", id="gate_open", kind=AnswerKind.YES_NO, every_s=300.0):  # noqa: A002
    """One question at the porch."""
    return Question(id=id, camera="porch", text=text, kind=kind, every_s=every_s)


def state(online=True, detect=True, **counts):
    """How the porch camera is doing; it looks for everything."""
    every = tuple((label, counts.get(label.value, 0)) for label in Label)
    return CameraState(camera="porch", online=online, detect=detect, counts=every)


def snapshot(at=0.0, size=100, name="snapshot"):
    """A redacted still, `at` seconds after noon."""
    return Picture(camera="porch", name=name, time=NOON + at, jpeg=b"j" * size, width_px=480, height_px=270)


def says(answer="yes", confidence=0.9, evidence="", **more):
    """What a model answers that does as it is reported."""
    return json.dumps({"answer": answer, "confidence": confidence, "evidence": evidence, **more})


class FakeMemory:
    """A Memory of this process; `broken` makes it fail."""

    def __init__(self):
        self.kept = {}
        self.broken = False

    def recall(self, key):
        if self.broken:
            raise StoreError("the disk is gone")
        return self.kept.get(key)

    def remember(self, key, text):
        if self.broken:
            raise StoreError("the disk is full")
        self.kept[key] = text


class SetClock(VirtualClock):
    """A machine whose wall clock may be set."""

    ahead_s = 0.0

    def now(self):
        return super().now() + self.ahead_s

    def monotonic(self):
        return super().now()


class Watch:
    """`async with Watch(...)` runs the watcher; `deliver` hands it items, `pass_s` lets time pass."""

    def __init__(self, *questions, queue=None, mode=SummaryMode.TEXT, memory=None, at=0.0, **more):
        self.clock = SetClock(NOON + at)
        self.answers = []
        self.orders = []
        self.mode = mode
        self.memory = memory or FakeMemory()
        self.queue = queue
        self._inbox = asyncio.Queue()
        self.watcher = QuestionWatcher(
            questions or (question(),),
            publish=self.answers.append,
            clock=self.clock,
            queue=queue,
            order=self.orders.append,
            memory=self.memory,
            mode_of=lambda camera: self.mode,
            names={"porch": "Porch"},
            zones={"porch": ("door mat", "driveway")},
            locale=lambda: IN_UTC,
            **more,
        )

    async def __aenter__(self):
        # one thread: whoever has waited for it knows that every call before has ended
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(max_workers=1))
        self._task = asyncio.create_task(self.watcher.run(self._inbox))
        await self.pass_s(0)
        return self

    async def __aexit__(self, *_):
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def publish(self, *items):
        """Hand over, and let it settle."""
        for item in items:
            self._inbox.put_nowait(item)
        await self.pass_s(2)

    async def pass_s(self, seconds):
        """Let time pass in small steps; threads that read or write the memory are waited for."""
        end = self.clock.monotonic() + seconds
        while True:
            await self._quiet()
            if self.clock.monotonic() >= end:
                return
            await self.clock.advance(min(0.5, end - self.clock.monotonic()))

    async def until(self, happened):
        """Let it work until that is so; time stands still."""
        deadline = real_time.monotonic() + 60
        while not happened():
            assert real_time.monotonic() < deadline
            await asyncio.sleep(0.001)

    async def _quiet(self):
        """Nothing is left to do but to wait for time or items: no call runs in a thread."""
        loop = asyncio.get_running_loop()
        for _ in range(3):
            await loop.run_in_executor(None, lambda: None)
            for _ in range(5):
                await asyncio.sleep(0)

    @property
    def said(self):
        return [answer.answer for answer in self.answers]
