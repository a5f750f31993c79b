"""The desk in front of a real client and a real endpoint that misbehaves, on the real clock."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from llm_asking import model_at, prompt
from llm_server import LlmServer, Say, refusal
from patience import PATIENCE

from blikk_edge.core.clock import SystemClock
from blikk_edge.core.status import LlmPhase
from blikk_edge.llm.port import AwayError, GarbledError, RefusedError
from blikk_edge.llm.queue.budget import Limits
from blikk_edge.llm.queue.model_queue import ModelQueue
from blikk_edge.llm.queue.port import Job, NotNowError, Priority

LIMITS = Limits(calls_per_minute=60, tokens_per_minute=10**6, cooldown_s=0.0)


def job(key: str, priority: Priority = Priority.PERSON, *, useful_s: float = 30.0) -> Job:
    return Job(key=key, camera="porch", priority=priority, prompt=prompt(user=key), useful_s=useful_s)


class WithQueue:
    """A running desk and what its endpoint heard, in order."""

    def __init__(self, server: LlmServer, limits: Limits) -> None:
        self.server = server
        self.model = model_at(server.base_url, structured="json_schema", tokens_field="max_tokens", temperature=None)
        self.queue = ModelQueue(
            self.model, limits=limits, clock=SystemClock(), estimate=self.model.expected_tokens, memory=None
        )
        self.task = asyncio.ensure_future(self.queue.run())

    @property
    def heard(self) -> list[str]:
        return [asked.body["messages"][-1]["content"] for asked in self.server.asked]

    async def close(self) -> None:
        self.task.cancel()
        await asyncio.wait((self.task,))
        await self.queue.close()


@pytest.fixture
async def server() -> AsyncIterator[LlmServer]:
    async with LlmServer() as server:
        yield server


@pytest.fixture
async def desked(server: LlmServer) -> AsyncIterator[WithQueue]:
    desked = WithQueue(server, LIMITS)
    await asyncio.sleep(0)
    yield desked
    await desked.close()


async def test_an_answer_costs_what_the_endpoint_counted(desked: WithQueue) -> None:
    answer = await desked.queue.ask(job("visit"))
    assert (answer.input_tokens, answer.output_tokens) == (40, 9)
    state = desked.queue.state()
    assert (state.model, state.phase, state.calls_today, state.tokens_today) == ("tiny", LlmPhase.READY, 1, 49)


async def test_retry_after_is_kept_and_the_ring_goes_first_then(desked: WithQueue, server: LlmServer) -> None:
    server.say(refusal(429, "slow down", headers={"Retry-After": "1"}))
    began = time.monotonic()
    visit = asyncio.ensure_future(desked.queue.ask(job("visit")))
    while desked.queue.state().phase is LlmPhase.READY:
        await asyncio.sleep(0.005)
    assert time.monotonic() - began < 5.0 * PATIENCE
    ring = asyncio.ensure_future(desked.queue.ask(job("ring", Priority.RING)))
    await asyncio.wait_for(asyncio.gather(visit, ring), 10 * PATIENCE)
    assert time.monotonic() - began >= 1.0
    assert desked.heard == ["visit", "ring", "visit"]
    assert desked.queue.state().phase is LlmPhase.READY


async def test_a_broken_body_is_asked_for_again(desked: WithQueue, server: LlmServer) -> None:
    server.say(Say(hang_up=True))
    await asyncio.wait_for(desked.queue.ask(job("visit")), 10 * PATIENCE)
    assert desked.heard == ["visit", "visit"]


async def test_an_endpoint_that_hangs_is_left_at_the_deadline(server: LlmServer) -> None:
    server.say(Say(stall=0.5), Say(stall=0.5))
    desked = WithQueue(server, replace(LIMITS, timeout_s=0.4))
    await asyncio.sleep(0)
    began = time.monotonic()
    with pytest.raises(AwayError):
        await asyncio.wait_for(desked.queue.ask(job("visit", useful_s=1.0)), 10 * PATIENCE)
    assert time.monotonic() - began < 8.0 * PATIENCE
    state = desked.queue.state()
    assert state.phase is LlmPhase.RESTING
    assert state.calls_today == len(server.asked)  # it may have worked on it: the estimate counts
    assert state.tokens_today > 100
    await desked.close()


async def test_a_wrong_key_is_asked_about_once(desked: WithQueue, server: LlmServer) -> None:
    server.say(refusal(401, "Incorrect API key provided"))
    with pytest.raises(RefusedError):
        await desked.queue.ask(job("visit"))
    with pytest.raises(NotNowError):
        await desked.queue.ask(job("later"))
    assert desked.heard == ["visit"]
    assert desked.queue.state().phase is LlmPhase.REFUSED


async def test_a_log_in_page_in_its_place_rests_it(desked: WithQueue, server: LlmServer) -> None:
    server.say(Say(body="<html>Log in</html>", kind="text/html"))
    with pytest.raises(GarbledError):
        await desked.queue.ask(job("visit"))
    assert desked.queue.state().phase is LlmPhase.RESTING
    await asyncio.wait_for(desked.queue.ask(job("later")), 10 * PATIENCE)
    assert desked.queue.state().phase is LlmPhase.READY


async def test_a_caller_who_goes_takes_his_request_back(desked: WithQueue, server: LlmServer) -> None:
    server.say(Say(stall=0.0))
    asking = asyncio.ensure_future(desked.queue.ask(job("visit")))
    while not server.asked:
        await asyncio.sleep(0.005)
    asking.cancel()
    end = time.monotonic() + 5 * PATIENCE
    while not server.cut_off:
        assert time.monotonic() < end
        await asyncio.sleep(0.005)
    await asyncio.wait_for(desked.queue.ask(job("later")), 10 * PATIENCE)
