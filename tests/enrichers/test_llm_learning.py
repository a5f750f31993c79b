"""An endpoint that refuses a field is asked without it at once, and from then on."""

import json

import pytest
from llm_asking import SCHEMA, model_at, prompt
from llm_server import Answers, Asked, LlmServer, Say, refusal

from blikk_edge.enrichers.models.gbnf import GrammarError
from blikk_edge.enrichers.models.openai_request import without_bounds
from blikk_edge.enrichers.models.port import GarbledError, RefusedError


def of_openai_reasoning(asked: Asked) -> Say:
    if "max_tokens" in asked.body:
        return refusal(400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")
    if "temperature" in asked.body:
        return refusal(400, "Unsupported value: 'temperature' does not support 0.2 with this model.")
    return Say()


def of_openai_strict(asked: Asked) -> Say:
    if "maxLength" in json.dumps(asked.body):
        said = "Invalid schema for response_format 'summary': In context=('properties',), 'maxLength' is not permitted."
        return refusal(400, said)
    return Say()


def of_llama_cpp_python(asked: Asked) -> Say:
    if asked.body.get("response_format", {}).get("type") == "json_schema":
        said = "[{'type': 'literal_error', 'loc': ('body', 'response_format', 'type'), 'msg': \"Input should be "
        return refusal(500, said + "'text' or 'json_object'\"}]")
    return Say()


def of_json_object_only(asked: Asked) -> Say:
    kind = asked.body.get("response_format", {}).get("type")
    return refusal(400, "This response_format type is unavailable now") if kind == "json_schema" else Say()


def of_no_form_at_all(asked: Asked) -> Say:
    return refusal(422, "response_format: extra fields not permitted") if "response_format" in asked.body else Say()


def of_no_stream_options(asked: Asked) -> Say:
    return refusal(400, "Unrecognized request argument: stream_options") if "stream_options" in asked.body else Say()


@pytest.mark.parametrize(
    ("endpoint", "refusals", "last"),
    [
        (of_openai_reasoning, 2, {"max_completion_tokens": 240}),
        (of_openai_strict, 1, {"max_tokens": 240}),
        (of_llama_cpp_python, 1, {}),
        (of_json_object_only, 1, {"response_format": {"type": "json_object", "schema": SCHEMA}}),
        (of_no_form_at_all, 3, {}),
    ],
)
async def test_what_is_refused_is_asked_once(endpoint: Answers, refusals: int, last: dict[str, object]) -> None:
    async with LlmServer(endpoint) as server:
        model = model_at(server.base_url)
        for _ in range(3):
            await model.complete(prompt(), deadline_s=5)
        await model.close()
    assert len(server.asked) == refusals + 3
    assert last.items() <= server.asked[-1].body.items()


async def test_a_server_of_llama_cpp_python_is_given_a_grammar() -> None:
    async with LlmServer(of_llama_cpp_python) as server:
        model = model_at(server.base_url)
        await model.complete(prompt(), deadline_s=5)
        await model.close()
    assert server.asked[-1].body["grammar"].startswith("root ::=")


async def test_a_strict_service_keeps_the_schema_without_its_bounds() -> None:
    async with LlmServer(of_openai_strict) as server:
        model = model_at(server.base_url, structured="json_schema")
        await model.complete(prompt(), deadline_s=5)
        await model.close()
    assert server.asked[-1].body["response_format"]["json_schema"]["schema"] == without_bounds(SCHEMA)


def test_a_property_that_is_named_like_a_bound_stays() -> None:
    named = {"type": "object", "properties": {"minimum": {"type": "integer", "minimum": 1}}, "required": ["minimum"]}
    slim = without_bounds(named)
    assert slim == {"type": "object", "properties": {"minimum": {"type": "integer"}}, "required": ["minimum"]}


async def test_a_stream_that_may_not_count_goes_on_without() -> None:
    async with LlmServer(of_no_stream_options) as server:
        model = model_at(server.base_url, stream=True)
        await model.complete(prompt(), deadline_s=5)
        await model.complete(prompt(), deadline_s=5)
        await model.close()
    assert len(server.asked) == 3


async def test_a_form_that_is_ignored_twice_is_given_up() -> None:
    def ignores(asked: Asked) -> Say:
        told = "JSON Schema" in asked.body["messages"][0]["content"]
        return Say() if told else Say(text="A person came.")

    async with LlmServer(ignores) as server:
        model = model_at(server.base_url)
        for _ in range(2):
            with pytest.raises(GarbledError):
                await model.complete(prompt(), deadline_s=5)
        assert json.loads((await model.complete(prompt(), deadline_s=5)).text)
        await model.close()


async def test_a_chosen_form_is_not_changed() -> None:
    async with LlmServer(of_json_object_only) as server:
        model = model_at(server.base_url, structured="json_schema")
        with pytest.raises(RefusedError, match="response_format"):
            await model.complete(prompt(), deadline_s=5)
        await model.close()
    assert len(server.asked) == 1


async def test_learning_ends_where_an_endpoint_refuses_everything() -> None:
    async with LlmServer(lambda _: refusal(400, "max_completion_tokens temperature response_format grammar")) as server:
        model = model_at(server.base_url)
        with pytest.raises(RefusedError):
            await model.complete(prompt(), deadline_s=5)
        await model.close()
    assert len(server.asked) <= 6


UNBOUNDED = {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}


async def test_a_schema_that_cannot_be_a_grammar_says_so() -> None:
    async with LlmServer() as server:
        model = model_at(server.base_url, structured="grammar")
        with pytest.raises(GrammarError, match="maxLength"):
            await model.complete(prompt(schema=UNBOUNDED), deadline_s=5)
        await model.close()
    assert server.asked == []


async def test_a_schema_that_cannot_be_a_grammar_is_told_instead_where_that_may_be() -> None:
    async with LlmServer(of_llama_cpp_python) as server:
        model = model_at(server.base_url)
        await model.complete(prompt(schema=UNBOUNDED), deadline_s=5)
        await model.close()
    assert server.asked[-1].body["response_format"] == {"type": "json_object", "schema": UNBOUNDED}


async def test_what_was_learnt_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="blikk")
    async with LlmServer(of_json_object_only) as server:
        model = model_at(server.base_url)
        for _ in range(3):
            await model.complete(prompt(), deadline_s=5)
        await model.close()
    assert len([r for r in caplog.records if r.name == "blikk.llm"]) == 1
