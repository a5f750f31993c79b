"""What stands in blikk.yaml about how a service is asked is what the service is sent."""

import json
from datetime import UTC
from pathlib import Path

import pytest
from llm_asking import prompt
from llm_server import LlmServer

from blikk_edge.app.writing import writing
from blikk_edge.config import load
from blikk_edge.core.clock import SystemClock
from blikk_edge.core.locale import Locale
from blikk_edge.core.status import SummaryMode
from blikk_edge.llm.queue.port import Job, Priority
from blikk_edge.runtime.scheduler import Scheduler, Supervisor
from blikk_edge.store.store import Store

HEAD = """
node: hallway
mqtt: broker.local
cameras: {front_door: {source: "rtsp://cam/1"}}
summary:
  provider: openai
  model: tiny
"""


async def sent(tmp_path: Path, keys: str) -> dict[str, object]:
    """The body of a request, as a node with these keys sends it."""
    async with LlmServer() as server:
        path = tmp_path / "blikk.yaml"
        path.write_text(f"{HEAD}  base_url: {server.base_url}\n{keys}")
        clock, supervisor = SystemClock(), Supervisor()
        store = Store(tmp_path / "events.sqlite")
        store.open()
        made = writing(
            load(path, environ={}),
            mode_of=lambda _: SummaryMode.TEXT,
            history=store,
            memory=store,
            publish=lambda _: None,
            order=lambda _: None,
            supervisor=supervisor,
            clock=clock,
            locale=lambda: Locale(timezone=UTC),
        )
        assert made is not None
        assert made.queue is not None
        scheduler = Scheduler(clock, supervisor)
        scheduler.task("desk", made.queue.run)
        try:
            job = Job(key=1, camera=None, priority=Priority.USER, prompt=prompt(max_tokens=77))
            await scheduler.task("ask", lambda: _asked(made.queue.ask(job)))
        finally:
            await scheduler.end_tasks()
            await made.close()
            store.close()
    return server.asked[0].body


async def _asked(answer: object) -> None:
    assert json.loads((await answer).text)  # type: ignore[misc]


async def test_without_a_word_the_usual_is_sent(tmp_path: Path) -> None:
    body = await sent(tmp_path, "")
    assert set(body) == {"model", "messages", "max_tokens", "temperature", "response_format"}
    assert body["temperature"] == 0.2


async def test_each_key_reaches_the_service(tmp_path: Path) -> None:
    body = await sent(
        tmp_path,
        "  structured: none\n  stream: always\n  tokens_field: max_completion_tokens\n  system_role: user\n"
        "  temperature: none\n  fields: {reasoning_effort: low, chat_template_kwargs: {enable_thinking: false}}\n",
    )
    messages = body.pop("messages")
    assert [message["role"] for message in messages] == ["user"]  # type: ignore[attr-defined]
    assert body == {
        "model": "tiny",
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_completion_tokens": 77,
        "reasoning_effort": "low",
        "chat_template_kwargs": {"enable_thinking": False},
    }


async def test_a_temperature_that_was_chosen_is_sent(tmp_path: Path) -> None:
    assert (await sent(tmp_path, "  temperature: 0\n"))["temperature"] == 0.0


async def test_a_model_that_cannot_be_made_stays_a_problem_while_the_template_writes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    path = tmp_path / "blikk.yaml"
    path.write_text(HEAD.replace("provider: openai", "provider: nobody"))
    clock, supervisor = SystemClock(), Supervisor()
    store = Store(tmp_path / "events.sqlite")
    store.open()
    made = writing(
        load(path, environ={}),
        mode_of=lambda _: SummaryMode.TEXT,
        history=store,
        memory=store,
        publish=lambda _: None,
        order=lambda _: None,
        supervisor=supervisor,
        clock=clock,
        locale=lambda: Locale(timezone=UTC),
    )
    assert made is not None
    before = dict(supervisor.problems)
    for part in made.enrichers:  # as the scheduler says of each part that has run for some seconds
        supervisor.well(part.name)
    store.close()
    assert ["no language model 'nobody'" in problem for problem in supervisor.problems.values()] == [True]
    assert supervisor.problems == before
    assert "works" not in caplog.text
