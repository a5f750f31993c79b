"""Events to Summaries through the real desk and a real llama.cpp with a tiny model that writes noise and sees."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from summary_props import IN_UTC, ended, event, observation, ring, sighting
from tiny_gguf import tiny_model, tiny_projector

from blikk_edge.core.clock import SystemClock
from blikk_edge.core.picture import Picture
from blikk_edge.core.status import SummaryMode
from blikk_edge.core.summary import TEXT_MAX, TITLE_MAX, Author, Importance, Summary
from blikk_edge.enrichers.summaries.note import note_from_json
from blikk_edge.enrichers.summaries.prompts import Brief
from blikk_edge.enrichers.summaries.summarizer import Summarizer
from blikk_edge.enrichers.summaries.text_writer import TextWriter
from blikk_edge.language.facts import event_facts
from blikk_edge.language.grounding import check
from blikk_edge.llm.llama import LlamaModel
from blikk_edge.llm.queue.budget import Limits
from blikk_edge.llm.queue.model_queue import ModelQueue
from blikk_edge.transforms.privacy.shrink import shrink

pytest.importorskip("xllamacpp", reason="xllamacpp is in the llama extra")

WIDE = Limits(calls_per_minute=600, tokens_per_minute=10**7, cooldown_s=0.0)
DEADLINE_S = 30.0


@pytest.fixture(scope="module")
def gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("models") / "tiny.gguf")


class Patient(LlamaModel):
    """Lets the model, which writes letter by letter, write to the end of its form."""

    async def complete(self, prompt, *, deadline_s):
        return await super().complete(replace(prompt, max_tokens=1500), deadline_s=deadline_s)


@asynccontextmanager
async def chain(
    gguf: Path, *, mode: SummaryMode, judge: Callable[..., Any] = lambda *_, **__: (), **more: Any
) -> AsyncIterator[tuple[asyncio.Queue[Any], list[Summary], ModelQueue]]:
    """A summarizer, its desk and its model at work."""
    clock = SystemClock()
    model = Patient(path=gguf, clock=clock, threads=1, **more)
    queue = ModelQueue(model, limits=WIDE, clock=clock, estimate=model.expected_tokens)
    reported: list[Summary] = []
    inbox: asyncio.Queue[Any] = asyncio.Queue()
    summarizer = Summarizer(
        writer=TextWriter(queue=queue, check=judge, clock=clock),
        publish=reported.append,
        clock=clock,
        mode_of=lambda _camera: mode,
        names={"porch": "Front door"},
        shrink=shrink,
        locale=lambda: IN_UTC,
    )
    tasks = [asyncio.ensure_future(queue.run()), asyncio.ensure_future(summarizer.run(inbox))]
    try:
        yield inbox, reported, queue
        assert not any(task.done() for task in tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await queue.close()


async def until(reported: list[Summary], count: int) -> None:
    end = time.monotonic() + DEADLINE_S
    while len(reported) < count:
        assert time.monotonic() < end, reported
        await asyncio.sleep(0.02)


async def test_text_by_a_real_model_is_reported(gguf):
    async with chain(gguf, mode=SummaryMode.TEXT) as (inbox, reported, queue):
        for item in (event(sighting()), observation(sighting()), ring(1.0), ended(sighting(dwell_s=9.0), at=9.0)):
            inbox.put_nowait(item)
        await until(reported, 1)
        state = queue.state()
    final = reported[-1]
    assert (final.event, final.revision, final.source, final.model) == ("porch-1", 2, Author.LLM, "tiny")
    assert 0 < len(final.title) <= TITLE_MAX
    assert 0 < len(final.text) <= TEXT_MAX
    assert final.input_tokens > 100
    assert (final.input_tokens + final.output_tokens, state.calls_today) == (state.tokens_today, 1)


async def test_a_real_model_that_sees_is_shown_pictures_that_were_made_small(gguf):
    projector = tiny_projector(gguf.with_name("projector.gguf"))
    jpeg = cv2.imencode(".jpg", np.random.default_rng(1).integers(0, 256, (720, 1280, 3), np.uint8))[1].tobytes()
    shown = Picture(camera="porch", name="person", time=0.0, jpeg=jpeg, width_px=1280, height_px=720, event="porch-1")
    async with chain(gguf, mode=SummaryMode.VISION, projector=projector) as (inbox, reported, _):
        for item in (event(sighting()), shown, ring(1.0)):
            inbox.put_nowait(item)
        await until(reported, 1)
        inbox.put_nowait(ended(sighting(), at=9.0))
        await until(reported, 2)
    assert [(one.revision, one.source, one.pictures) for one in reported] == [(1, Author.LLM, 1), (2, Author.LLM, 0)]
    assert all(one.importance in {Importance.NORMAL, Importance.HIGH} for one in reported)


async def test_noise_is_not_supported_by_what_was_observed(gguf):
    async with chain(gguf, mode=SummaryMode.TEXT, judge=check) as (inbox, reported, _):
        inbox.put_nowait(ended(sighting(dwell_s=9.0), at=9.0))
        await until(reported, 1)
    assert (reported[0].source, reported[0].text) == (
        Author.TEMPLATE,
        "A person was at the front door for 9 s and left.",
    )
    assert reported[0].output_tokens > 0


async def test_a_model_that_cannot_be_loaded_costs_only_its_words(tmp_path):
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF, but no more")
    async with chain(broken, mode=SummaryMode.TEXT) as (inbox, reported, _):
        inbox.put_nowait(ended(sighting(dwell_s=9.0), at=9.0))
        await until(reported, 1)
    assert reported[0].source is Author.TEMPLATE


async def test_answers_of_a_real_model_can_be_read(gguf):
    """The form holds for its grammar as it does for the reader."""
    model = Patient(path=gguf, clock=SystemClock(), threads=1)
    try:
        facts = event_facts(event(sighting()), name="Front door", locale=IN_UTC)
        for n in range(5):
            answer = await model.complete(Brief(facts=facts, lines=(f"line {n}",)).prompt(), deadline_s=DEADLINE_S)
            assert note_from_json(answer.text).importance in Importance
    finally:
        await model.close()
