"""Questions put to a real llama.cpp by way of a real desk: whatever it makes up, the answer has its form."""

import asyncio
import time
from dataclasses import replace

import numpy as np
import pytest
from patience import PATIENCE
from question_props import FakeMemory, question, state
from summary_props import event, sighting
from tiny_gguf import tiny_model, tiny_projector

from blikk_edge.core.clock import SystemClock
from blikk_edge.core.picture import Picture
from blikk_edge.core.status import SummaryMode
from blikk_edge.core.summary import AnswerKind, Author
from blikk_edge.enrichers.questions.watcher import QuestionWatcher
from blikk_edge.llm.llama import LlamaModel
from blikk_edge.llm.queue.budget import Limits
from blikk_edge.llm.queue.model_queue import ModelQueue

pytest.importorskip("xllamacpp", reason="xllamacpp is in the llama extra")
cv2 = pytest.importorskip("cv2")

LIMITS = Limits(calls_per_minute=60, tokens_per_minute=10**6, cooldown_s=0.0)


class Wordy:
    """The tiny model writes letter by letter, so it needs more tokens for as many words; else itself."""

    def __init__(self, model):
        self._model = model
        self.pictures = []

    def __getattr__(self, name):
        return getattr(self._model, name)

    async def complete(self, prompt, *, deadline_s):
        self.pictures += prompt.pictures
        return await self._model.complete(replace(prompt, max_tokens=900), deadline_s=deadline_s)


def still(at):
    """A redacted picture in its place: noise."""
    noise = np.random.default_rng(1).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    _, jpeg = cv2.imencode(".jpg", noise)
    return Picture(camera="porch", name="snapshot", time=at, jpeg=jpeg.tobytes(), width_px=64, height_px=64)


@pytest.mark.parametrize("mode", [SummaryMode.TEXT, SummaryMode.VISION])
async def test_a_real_model_answers_in_form(tmp_path, mode):
    clock = SystemClock()
    gguf = tiny_model(tmp_path / "tiny.gguf")
    projector = tiny_projector(tmp_path / "projector.gguf") if mode is SummaryMode.VISION else None
    model = Wordy(LlamaModel(path=gguf, clock=clock, threads=1, projector=projector))
    queue = ModelQueue(model, limits=LIMITS, clock=clock, estimate=lambda prompt: 400)
    answers, inbox = [], asyncio.Queue()
    watcher = QuestionWatcher(
        [question(), question("What is going on?", "what", AnswerKind.TEXT)],
        publish=answers.append,
        clock=clock,
        queue=queue,
        order=lambda command: inbox.put_nowait(still(time.time())),
        memory=FakeMemory(),
        mode_of=lambda camera: mode,
        names={"porch": "Porch"},
        zones={},
    )
    tasks = [asyncio.ensure_future(queue.run()), asyncio.ensure_future(watcher.run(inbox))]
    try:
        for item in (state(), event(sighting())):
            inbox.put_nowait(item)
        async with asyncio.timeout(60 * PATIENCE):
            while len(answers) < 2:
                await asyncio.sleep(0.02)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await queue.close()
    gate = next(answer for answer in answers if answer.question == "gate_open")
    assert gate.answer in {"yes", "no", "unknown"}
    assert gate.source is Author.LLM
    assert gate.output_tokens > 0
    assert 0 <= gate.confidence <= 1
    assert bool(model.pictures) is (mode is SummaryMode.VISION)
    # noise is supported by nothing
    assert next(answer for answer in answers if answer.question == "what").answer == "unknown"
