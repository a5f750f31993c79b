"""What an OpenAI-compatible endpoint is asked, and what is made of a good answer."""

import base64
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import openai
import pytest
from llm_asking import KEY, SCHEMA, model_at, picture, prompt
from llm_server import GOOD, LlmServer, Say
from patience import PATIENCE

from blikk_edge.llm.openai_api import OpenAiModel
from blikk_edge.llm.port import BlindError, GarbledError


@asynccontextmanager
async def asking(server: LlmServer, **changed: Any) -> AsyncIterator[OpenAiModel]:
    model = model_at(server.base_url, **changed)
    try:
        yield model
    finally:
        await model.close()


@pytest.fixture
async def server() -> AsyncIterator[LlmServer]:
    async with LlmServer() as server:
        yield server


async def test_an_answer_comes_with_what_it_cost(server: LlmServer) -> None:
    async with asking(server) as model:
        done = await model.complete(prompt(), deadline_s=5)
    assert json.loads(done.text) == GOOD
    assert (done.model, done.input_tokens, done.output_tokens, done.estimated) == ("tiny-1", 40, 9, False)


async def test_the_request_is_a_chat_completion_held_to_the_schema(server: LlmServer) -> None:
    async with asking(server) as model:
        await model.complete(prompt(max_tokens=77), deadline_s=5)
    (asked,) = server.asked
    assert asked.path == "/v1/chat/completions"
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert asked.body == {
        "model": "tiny",
        "messages": [
            {"role": "system", "content": prompt().system},
            {"role": "user", "content": prompt().user},
        ],
        "max_tokens": 77,
        "temperature": 0.2,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "summary", "strict": True, "schema": SCHEMA},
        },
    }


async def test_the_official_client_asks_the_same_and_understands_the_same_answer(server: LlmServer) -> None:
    """The `openai` package costs 27 MB resident, so it is no part of the node: it judges our request."""
    jpeg = os.urandom(500)
    async with asking(server) as model:
        done = await model.complete(prompt(picture(jpeg)), deadline_s=5)
    ours = server.asked[0]
    async with openai.AsyncOpenAI(base_url=server.base_url, api_key=KEY, max_retries=0) as official:
        answer = await official.chat.completions.create(**ours.body)
    theirs = server.asked[1]
    assert (theirs.path, theirs.body) == (ours.path, ours.body)
    for name in ("authorization", "content-type", "accept"):
        assert theirs.headers[name] == ours.headers[name]
    assert answer.choices[0].message.content == done.text
    assert answer.usage is not None
    assert (answer.model, answer.usage.prompt_tokens, answer.usage.completion_tokens) == (
        done.model,
        done.input_tokens,
        done.output_tokens,
    )


async def test_the_endpoint_receives_just_the_bytes_of_the_pictures(server: LlmServer) -> None:
    jpegs = [os.urandom(5000), os.urandom(80_000)]
    async with asking(server) as model:
        await model.complete(prompt(*map(picture, jpegs)), deadline_s=5)
    text, *images = server.asked[0].body["messages"][1]["content"]
    assert text == {"type": "text", "text": prompt().user}
    sent = []
    for image in images:
        head, _, data = image["image_url"]["url"].partition(",")
        assert head == "data:image/jpeg;base64"
        sent.append(base64.b64decode(data, validate=True))
    assert [hashlib.sha256(s).digest() for s in sent] == [hashlib.sha256(j).digest() for j in jpegs]
    assert json.dumps(server.asked[0].body).count("data:image") == 2


async def test_a_prompt_without_pictures_holds_no_image(server: LlmServer) -> None:
    async with asking(server) as model:
        await model.complete(prompt(), deadline_s=5)
    assert "image" not in json.dumps(server.asked[0].body)


async def test_a_model_that_is_said_to_be_blind_is_sent_no_picture(server: LlmServer) -> None:
    async with asking(server, sees=False) as model:
        with pytest.raises(BlindError):
            await model.complete(prompt(picture(b"x")), deadline_s=5)
    assert server.asked == []


async def test_without_a_key_none_is_sent_whatever_the_environment_holds(
    server: LlmServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-somebody-else")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-of-somebody-else")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "project-of-somebody-else")
    async with asking(server, api_key=None) as model:
        await model.complete(prompt(), deadline_s=5)
    headers = server.asked[0].headers
    assert "authorization" not in headers
    assert "somebody-else" not in str(headers)


async def test_nothing_of_this_machine_is_reported(server: LlmServer) -> None:
    async with asking(server) as model:
        await model.complete(prompt(), deadline_s=5)
    headers = server.asked[0].headers
    assert not [n for n in headers if n.startswith(("x-", "openai"))]
    assert headers["user-agent"] == "blikk-edge"


async def test_further_fields_are_sent_but_never_instead_of_ours(server: LlmServer) -> None:
    extra = {"reasoning_effort": "low", "model": "other", "messages": []}
    async with asking(server, extra=extra, temperature=None) as model:
        await model.complete(prompt(), deadline_s=5)
    body = server.asked[0].body
    assert (body["reasoning_effort"], body["model"], len(body["messages"])) == ("low", "tiny", 2)
    assert "temperature" not in body


async def test_half_a_character_does_not_break_a_request(server: LlmServer) -> None:
    async with asking(server) as model:
        await model.complete(prompt(user="porch \ud83d open"), deadline_s=5)
    assert server.asked[0].body["messages"][1]["content"] == "porch ? open"


@pytest.mark.parametrize(
    ("structured", "field", "reported"),
    [("json_object", "response_format", True), ("grammar", "grammar", False), ("none", None, True)],
)
async def test_the_form_that_was_chosen_is_kept(
    server: LlmServer, structured: str, field: str | None, *, reported: bool
) -> None:
    server.say(Say(text="no"), Say(text="no"), Say(text="no"))
    async with asking(server, structured=structured) as model:
        for _ in range(3):
            with pytest.raises(GarbledError):
                await model.complete(prompt(), deadline_s=5)
    for asked in server.asked:
        assert {"response_format", "grammar"} & set(asked.body) == ({field} if field else set())
        assert ('"importance"' in asked.body["messages"][0]["content"]) is reported


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": 0, "completion_tokens": -3}, "many", [1]])
async def test_what_is_not_counted_is_estimated(server: LlmServer, usage: object) -> None:
    server.say(Say(usage=usage))
    async with asking(server) as model:
        expected = model.expected_tokens(prompt())
        done = await model.complete(prompt(), deadline_s=5)
    assert done.estimated
    assert done.input_tokens == expected > 20
    assert done.output_tokens > 10


async def test_what_was_counted_corrects_later_estimates(server: LlmServer) -> None:
    async with asking(server) as model:
        first = model.expected_tokens(prompt())
        for _ in range(12):
            await model.complete(prompt(), deadline_s=5)  # each counts 40
        later = model.expected_tokens(prompt())
    assert first > 60
    assert abs(later - 40) < abs(first - 40) / 2


@pytest.mark.parametrize(
    "written",
    [
        '```json\n{"title": "x"}\n```',
        'Here it is: {"title": "x"} I hope it helps.',
        '<think>perhaps {"title": "draft"}</think>\n{"title": "x"}',
        'a set {1, 2} then {"title": "x"}',
    ],
)
async def test_an_object_is_found_in_what_surrounds_it(server: LlmServer, written: str) -> None:
    server.say(Say(text=written))
    async with asking(server) as model:
        assert (await model.complete(prompt(), deadline_s=5)).text == '{"title": "x"}'


async def test_content_in_parts_is_put_together(server: LlmServer) -> None:
    parts = [{"type": "text", "text": '{"title":'}, {"type": "text", "text": ' "x"}'}]
    server.say(Say(more={"content": parts}))
    async with asking(server) as model:
        assert json.loads((await model.complete(prompt(), deadline_s=5)).text) == {"title": "x"}


async def test_a_stream_is_put_together(server: LlmServer) -> None:
    async with asking(server, stream=True) as model:
        done = await model.complete(prompt(), deadline_s=5)
    assert json.loads(done.text) == GOOD
    assert (done.input_tokens, done.estimated) == (40, False)
    assert server.asked[0].body["stream_options"] == {"include_usage": True}


async def test_a_stream_that_does_not_count_is_estimated(server: LlmServer) -> None:
    server.say(Say(usage=None))
    async with asking(server, stream=True) as model:
        assert (await model.complete(prompt(), deadline_s=5)).estimated


async def test_an_endpoint_that_answers_a_stream_at_once_is_understood(server: LlmServer) -> None:
    whole = {"choices": [{"message": {"content": "{}"}, "finish_reason": "stop"}]}
    server.say(Say(body=whole))
    async with asking(server, stream=True) as model:
        assert (await model.complete(prompt(), deadline_s=5)).text == "{}"


async def test_a_name_that_is_none_does_not_reach_the_user(server: LlmServer) -> None:
    server.say(Say(body={"model": "<b>\n", "choices": [{"message": {"content": "{}"}, "finish_reason": "stop"}]}))
    async with asking(server) as model:
        assert (await model.complete(prompt(), deadline_s=5)).model == "tiny"


def test_no_other_http_library_is_loaded() -> None:
    code = (
        "import sys, blikk_edge.llm.openai_api as api\n"
        "api.require_httpx()\n"
        "assert not {'aiohttp', 'openai', 'pydantic'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60 * PATIENCE)


def test_the_package_is_not_loaded_before_a_model_is_made() -> None:
    code = (
        "import sys, blikk_edge.llm.openai_api as api\n"
        "from blikk_edge.core.clock import SystemClock\n"
        "assert not {'openai', 'httpx2'} & set(sys.modules)\n"
        "api.OpenAiModel(base_url='http://127.0.0.1:1/v1', model='m', clock=SystemClock())\n"
        "assert 'httpx2' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60 * PATIENCE)
