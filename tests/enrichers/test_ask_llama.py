"""Questions put to a real llama.cpp: whatever it makes up, a query is one, and an answer is the computed one."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from ask_props import CAMERAS, LOCALE, NOW, WALL, visit
from jsonschema import Draft202012Validator
from tiny_gguf import tiny_model

from blikk_edge.asking.model import ANSWER_MAX, fill_prompt, word_prompt
from blikk_edge.asking.question_service import LIMITS_S, QuestionService
from blikk_edge.core.clock import SystemClock, VirtualClock
from blikk_edge.core.inquiry import AskQuestion
from blikk_edge.core.summary import Author
from blikk_edge.language.grounding import check
from blikk_edge.language.language import language
from blikk_edge.llm.gbnf import gbnf
from blikk_edge.llm.llama import LlamaModel
from blikk_edge.llm.port import Completion, LanguageModel, Prompt
from blikk_edge.llm.queue.budget import Limits
from blikk_edge.llm.queue.model_queue import ModelQueue
from blikk_edge.store.store import Store

LIMITS = Limits(calls_per_minute=600, tokens_per_minute=10**7, cooldown_s=0.0, timeout_s=300.0)
FILL = fill_prompt("who?", CAMERAS, NOW, WALL)
WORD = word_prompt("who?", "Nobody.", (), language("en"))


class Heard:
    """A model whose completions are kept; it writes letter by letter, so it is given more tokens."""

    sees = False

    def __init__(self, model: LanguageModel) -> None:
        self.name = model.name
        self.wrote: list[tuple[str, str]] = []
        self._model = model

    async def complete(self, prompt: Prompt, *, deadline_s: float) -> Completion:
        completion = await self._model.complete(replace(prompt, max_tokens=900), deadline_s=deadline_s)
        self.wrote.append((prompt.schema_name, completion.text))
        return completion

    async def close(self) -> None:
        await self._model.close()


@pytest.fixture
async def model(tmp_path: Path) -> AsyncIterator[Heard]:
    pytest.importorskip("xllamacpp", reason="xllamacpp is in the llama extra")
    model = Heard(LlamaModel(path=tiny_model(tmp_path / "tiny.gguf"), clock=SystemClock(), threads=1))
    yield model
    await model.close()


@pytest.mark.parametrize("prompt", [FILL, WORD], ids=["fill", "word"])
def test_a_schema_can_be_written_as_a_grammar(prompt: Prompt) -> None:
    Draft202012Validator.check_schema(dict(prompt.schema))
    assert gbnf(prompt.schema).startswith("root ::= ")


async def test_a_real_model_cannot_lead_an_answer_astray(
    model: Heard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(LIMITS_S, AskQuestion, 600.0)
    store = Store(tmp_path / "blikk.db")
    store.open()
    for started in ("08:00", "09:00", "10:00"):
        store.put(visit(started))
    service = ModelQueue(model, limits=LIMITS, clock=SystemClock(), estimate=lambda prompt: 400)
    running = asyncio.ensure_future(service.run())
    # it is open: from Python 3.14 on a look through the store may end before anything else begins
    await asyncio.sleep(0)
    asking = QuestionService(
        history=store, cameras=CAMERAS, clock=VirtualClock(NOW), locale=lambda: LOCALE, queue=service, check=check
    )
    try:
        for question in ("How many people came today?", "What about Anna's red hat?", "Was a fox in the yard today?"):
            reply = await asking.answer(AskQuestion(question=question))
            assert reply.ok
            assert reply.input_tokens > 0
            assert len(reply.text or "") <= max(ANSWER_MAX, 600)
            if reply.source is Author.TEMPLATE and "people" in question:
                assert (reply.text or "").startswith("Three people were seen today")
    finally:
        running.cancel()
        await asyncio.wait((running,))
        store.close()
    assert {name for name, _ in model.wrote} == {"query", "answer"}
    for name, text in model.wrote:
        Draft202012Validator(dict((FILL if name == "query" else WORD).schema)).validate(json.loads(text))
