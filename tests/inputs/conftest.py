"""Polling for a fact, and an input that runs in a task."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol

import pytest
from patience import PATIENCE


class Input(Protocol):
    async def run(self) -> None: ...


Start = Callable[[Input], "asyncio.Task[None]"]
Until = Callable[[Callable[[], object]], Awaitable[None]]


@pytest.fixture
def until() -> Until:
    async def wait(fact: Callable[[], object]) -> None:
        end = time.monotonic() + 60.0 * PATIENCE
        while not fact():
            assert time.monotonic() < end, "it did not happen within 60 s"
            await asyncio.sleep(0.002)

    return wait


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    tasks: list[asyncio.Task[None]] = []

    def begin(part: Input) -> "asyncio.Task[None]":
        tasks.append(asyncio.ensure_future(part.run()))
        return tasks[-1]

    yield begin
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
