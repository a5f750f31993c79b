"""An endpoint that refuses a field is asked without it at once, and from then on."""

import json

import pytest
from llm_asking import SCHEMA, model_at, prompt
from llm_server import Answers, Asked, LlmServer, Say, refusal

from blikk_edge.llm.gbnf import GrammarError
from blikk_edge.llm.openai_request import without_bounds
from blikk_edge.llm.port import AwayError, GarbledError, RefusedError


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


def of_strict_objects(asked: Asked) -> Say:
    form = asked.body.get("response_format", {})
    if form.get("type") == "json_schema":
        return refusal(400, "response_format.type: json_schema is not supported")
    return refusal(400, "response_format.schema: unknown field") if "schema" in form else Say()


def of_stream_only(asked: Asked) -> Say:
    said = "This model only support stream mode, please enable the stream parameter to access the model."
    return Say() if asked.body.get("stream") else refusal(400, said, code="invalid_parameter_error")


def of_users_only(asked: Asked) -> Say:
    said = "Conversation roles must alternate user/assistant/user/assistant/..."
    return Say() if asked.body["messages"][0]["role"] == "user" else refusal(400, said)


def of_everything(asked: Asked) -> Say:
    """Refuses one thing after the other."""
    body = asked.body
    if not body.get("stream"):
        return refusal(400, "stream: must be true")
    if "stream_options" in body:
        return refusal(400, "stream_options is unknown")
    if "max_tokens" in body:
        return refusal(400, "Use 'max_completion_tokens' instead.")
    if "max_completion_tokens" in body:
        return refusal(400, "max_completion_tokens: extra inputs are not allowed")
    if "temperature" in body:
        return refusal(400, "temperature: extra inputs are not allowed")
    if "response_format" in body:
        return refusal(400, "unknown field response_format")
    if body["messages"][0]["role"] != "user":
        return refusal(400, "System role not supported")
    return Say()


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
        (of_strict_objects, 2, {"response_format": {"type": "json_object"}}),
        (of_stream_only, 1, {"stream": True}),
        (of_users_only, 1, {}),
        (of_everything, 8, {"stream": True}),
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


STREAM_ONLY = (
    "This model only support stream mode, please enable the stream parameter to access the model.",
    "This model only supports streaming",
    "stream must be set to true",
    "'stream' should be true for this model",
    "Streaming is required for this model",
    "Non-streaming requests are not supported",
    "This endpoint requires streaming",
    "stream=false is not supported",
    "This is a stream-only model",
    "This model does not support non-streaming output.",
    "parameter.enable_thinking must be set to false for non-streaming calls",
    "当前模型仅支持流式输出",
    "不支持非流式调用",
    "Input should be True literal_error body stream",
    "Field required: body.stream",
    "stream can not be false",
    "Only SSE responses are supported",
    "synchronous requests are not supported; use server-sent events",
)


@pytest.mark.parametrize("said", STREAM_ONLY)
async def test_a_service_that_only_streams_is_asked_for_a_stream(said: str) -> None:
    async with LlmServer(lambda asked: Say() if asked.body.get("stream") else refusal(400, said)) as server:
        model = model_at(server.base_url)
        for _ in range(2):
            assert json.loads((await model.complete(prompt(), deadline_s=5)).text)
        await model.close()
    assert [asked.body.get("stream", False) for asked in server.asked] == [False, True, True]


NO_STREAM = (
    "Streaming is not supported",
    "This model does not support streaming",
    "stream: not supported",
    "stream must be false",
    "Only stream=false is supported",
    "Unrecognized request argument supplied: stream",
    "streaming mode is not enabled here",
    "please disable streaming",
    "stream is not a valid field",
    "Input should be False literal_error body stream",
    "SSE is not supported",
)


@pytest.mark.parametrize("said", NO_STREAM)
async def test_a_service_that_learnt_to_stream_and_refuses_it_is_not_asked_to_and_fro(said: str) -> None:
    """Where both are refused nothing helps, and each way is tried once."""

    def answers(asked: Asked) -> Say:
        return refusal(400, said if asked.body.get("stream") else "only streaming is supported")

    async with LlmServer(answers) as server:
        model = model_at(server.base_url)
        with pytest.raises(RefusedError):
            await model.complete(prompt(), deadline_s=5)
        await model.close()
    assert [asked.body.get("stream", False) for asked in server.asked] == [False, True]


NO_SYSTEM = (
    "System role not supported",
    "Developer instruction is not enabled for models/gemma-3-27b-it",
    "Unsupported value: 'messages[0].role' does not support 'system' with this model.",
    "Conversation roles must alternate user/assistant/user/assistant/...",
    "'system' is not one of ['user', 'assistant']",
    "messages.0.role: Input should be 'user' or 'assistant'",
    "unknown variant `system`, expected `user` or `assistant`",
    "Only user and assistant roles are supported!",
    "only 'user' role is supported",
    "Input should be 'user' literal_error body messages 0 role",
    "First message must be a user message",
    "system_instruction is not supported",
)


@pytest.mark.parametrize("said", NO_SYSTEM)
async def test_where_no_system_role_is_taken_instructions_stand_in_the_prompt(said: str) -> None:
    def answers(asked: Asked) -> Say:
        return Say() if asked.body["messages"][0]["role"] == "user" else refusal(400, said)

    async with LlmServer(answers) as server:
        model = model_at(server.base_url)
        for _ in range(2):
            await model.complete(prompt(), deadline_s=5)
        await model.close()
    assert len(server.asked) == 3
    (message,) = server.asked[-1].body["messages"]
    assert message["content"].startswith(prompt().system)
    assert message["content"].endswith(prompt().user)


@pytest.mark.parametrize("said", ["Temperature must be 1", "Sampling parameters are not supported here"])
async def test_a_temperature_that_is_refused_is_left_out(said: str) -> None:
    async with LlmServer(lambda asked: refusal(400, said) if "temperature" in asked.body else Say()) as server:
        model = model_at(server.base_url)
        await model.complete(prompt(), deadline_s=5)
        await model.close()
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    "said",
    ["max_tokens can't be set", "max_tokens: replaced by max_output_tokens", "The field max_tokens should not be sent"],
)
async def test_a_bound_that_is_refused_is_named_otherwise(said: str) -> None:
    async with LlmServer(lambda asked: refusal(400, said) if "max_tokens" in asked.body else Say()) as server:
        model = model_at(server.base_url)
        await model.complete(prompt(), deadline_s=5)
        await model.close()
    assert "max_completion_tokens" in server.asked[-1].body


async def test_an_upstream_that_is_down_is_not_asked_for_a_stream() -> None:
    async with LlmServer(lambda _: refusal(500, "upstream connect error")) as server:
        model = model_at(server.base_url)
        with pytest.raises(AwayError):
            await model.complete(prompt(), deadline_s=5)
        await model.close()
    assert len(server.asked) == 1


async def test_a_choice_of_tools_that_is_refused_goes_with_them() -> None:
    def answers(asked: Asked) -> Say:
        if "tools" in asked.body:
            return refusal(400, "tools is not supported")
        return (
            refusal(400, "'tool_choice' is only allowed when 'tools' are specified")
            if "tool_choice" in asked.body
            else Say()
        )

    async with LlmServer(answers) as server:
        model = model_at(server.base_url, extra={"tools": [], "tool_choice": "none"})
        await model.complete(prompt(), deadline_s=5)
        await model.close()
    assert not {"tools", "tool_choice"} & set(server.asked[-1].body)


async def test_a_field_of_the_users_that_is_refused_is_left_out() -> None:
    def answers(asked: Asked) -> Say:
        if "seed" in asked.body:
            return refusal(400, "Unknown name 'seed': Cannot find field.")
        return refusal(422, "stop: extra inputs are not permitted") if "stop" in asked.body else Say()

    async with LlmServer(answers) as server:
        model = model_at(server.base_url, extra={"seed": 7, "stop": ["x"], "top_p": 0.9})
        for _ in range(2):
            await model.complete(prompt(), deadline_s=5)
        await model.close()
    assert len(server.asked) == 4
    assert server.asked[-1].body["top_p"] == 0.9
    assert not {"seed", "stop"} & set(server.asked[-1].body)
    assert server.asked[-1].body["response_format"]["type"] == "json_schema"


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"stream": "never"}, "only streaming is supported"),
        ({"stream": "always"}, "streaming is not supported"),
        ({"tokens_field": "max_tokens"}, "use max_completion_tokens"),
        ({"tokens_field": "max_completion_tokens"}, "unknown field max_completion_tokens"),
        ({"system_role": "system"}, "System role not supported"),
    ],
)
async def test_what_was_chosen_is_not_changed(chosen: dict[str, str], said: str) -> None:
    async with LlmServer(lambda _: refusal(400, said)) as server:
        model = model_at(server.base_url, **chosen)
        with pytest.raises(RefusedError):
            await model.complete(prompt(), deadline_s=5)
        await model.close()
    assert len(server.asked) == 1


async def test_what_was_chosen_is_sent() -> None:
    chosen = {"stream": "always", "tokens_field": "none", "system_role": "developer", "structured": "any_object"}
    async with LlmServer() as server:
        model = model_at(server.base_url, temperature=None, **chosen)
        await model.complete(prompt(), deadline_s=5)
        await model.close()
    body = server.asked[0].body
    assert set(body) == {"model", "messages", "stream", "stream_options", "response_format"}
    assert body["messages"][0]["role"] == "developer"
    assert body["response_format"] == {"type": "json_object"}


@pytest.mark.parametrize("name", ["stream", "tokens_field", "system_role", "structured"])
def test_a_choice_that_is_none_says_which_there_are(name: str) -> None:
    with pytest.raises(RefusedError, match=f"{name} is 'perhaps'; use auto, "):
        model_at("http://127.0.0.1:1/v1", **{name: "perhaps"})


async def test_a_stream_that_is_not_called_one_is_read() -> None:
    body = (
        'data: {"choices":[{"delta":{"content":"{\\"title\\": \\"x\\"}"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    )
    async with LlmServer() as server:
        server.say(Say(body=body, kind="text/plain"))
        model = model_at(server.base_url)
        assert json.loads((await model.complete(prompt(), deadline_s=5)).text) == {"title": "x"}
        await model.close()


@pytest.mark.parametrize(
    "said",
    [
        "This model does not support response format `json_schema`.",
        "Unknown name \"additionalProperties\" at 'generation_config.response_schema': Cannot find field.",
        "invalid request: unknown field 'strict'",
        "json: cannot unmarshal object into Go struct field ChatRequest.response_format of type string",
        "JSON mode is not enabled for this model",
        "Structured outputs are not available",
        "At body -> response_format -> type: input should be 'text'",
        "JSON schema is not supported by this model",
        "The specified schema produces a constraint that has too many states for serving.",
        "Response MIME type 'application/json' is not supported",
        "Constrained decoding is not enabled",
        "Logits processors are not supported with speculative decoding",
        "JSON output is not supported",
    ],
)
async def test_a_form_that_is_refused_in_other_words_is_given_up(said: str) -> None:
    def answers(asked: Asked) -> Say:
        kind = asked.body.get("response_format", {}).get("type")
        return refusal(400, said) if kind == "json_schema" else Say()

    async with LlmServer(answers) as server:
        model = model_at(server.base_url)
        assert json.loads((await model.complete(prompt(), deadline_s=5)).text)
        await model.close()
    assert len(server.asked) == 2


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
        reported = "JSON Schema" in asked.body["messages"][0]["content"]
        return Say() if reported else Say(text="A person came.")

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


async def test_a_schema_that_cannot_be_a_grammar_is_reported_instead_where_that_may_be() -> None:
    async with LlmServer(of_llama_cpp_python) as server:
        model = model_at(server.base_url)
        await model.complete(prompt(schema=UNBOUNDED), deadline_s=5)
        await model.close()
    assert server.asked[-1].body["response_format"] == {"type": "json_object", "schema": UNBOUNDED}


async def test_what_was_learnt_is_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="blikk")
    async with LlmServer(of_json_object_only) as server:
        model = model_at(server.base_url)
        for _ in range(3):
            await model.complete(prompt(), deadline_s=5)
        await model.close()
    assert len([r for r in caplog.records if r.name == "blikk.llm"]) == 1
