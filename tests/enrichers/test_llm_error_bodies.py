"""Services say what is wrong in many shapes: each is read, and a wrong key is reported apart."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from llm_asking import KEY, model_at, picture, prompt
from llm_server import Asked, LlmServer, Say, refusal

from blikk_edge.core.clock import SystemClock
from blikk_edge.core.errors import LlmError
from blikk_edge.core.status import LlmPhase
from blikk_edge.llm.openai_faults import is_garbled, said_in
from blikk_edge.llm.port import AwayError, BlindError, BusyError, GarbledError, RefusedError
from blikk_edge.llm.queue.budget import Limits
from blikk_edge.llm.queue.model_queue import ModelQueue
from blikk_edge.llm.queue.port import Job, Priority


@pytest.fixture
async def server() -> AsyncIterator[LlmServer]:
    async with LlmServer() as server:
        yield server


GEMINI_FIELD = [
    {
        "error": {
            "code": 400,
            "message": 'Invalid JSON payload received. Unknown name "temperature": Cannot find field.',
            "status": "INVALID_ARGUMENT",
            "details": [
                {
                    "@type": "type.googleapis.com/google.rpc.BadRequest",
                    "fieldViolations": [{"description": 'Unknown name "temperature": Cannot find field.'}],
                }
            ],
        }
    }
]
REFUSED_FIELD: dict[str, Any] = {
    "Gemini": GEMINI_FIELD,
    "OpenAI": {"error": {"message": "Unsupported parameter", "param": "temperature", "code": "unsupported_parameter"}},
    "a text": {"error": "unknown field: temperature"},
    "FastAPI": {
        "detail": [{"type": "extra_forbidden", "loc": ["body", "temperature"], "msg": "Extra inputs", "input": 1}]
    },
    "FastAPI's text": {"detail": "temperature is not supported"},
    "a message": {"message": "temperature is not supported", "request_id": "1"},
    "errors": {"errors": [{"message": "temperature: not allowed"}]},
    "errors by field": {"errors": ["temperature: not allowed"]},
    "vLLM": {"object": "error", "message": "temperature must be 1", "type": "BadRequestError", "code": 400},
    "problem details": {
        "type": "about:blank",
        "title": "Bad Request",
        "detail": "temperature must be 1",
        "status": 400,
    },
    "JSON in a text": {"error": {"message": json.dumps({"error": {"message": "temperature must be 1"}})}},
    "JSON as a text": json.dumps(json.dumps({"error": "temperature must be 1"})),
    "capitals": {"Error": {"Message": "temperature must be 1"}},
    "msg": {"code": 1210, "msg": "temperature must be 1", "success": False},
    "a fault": {"fault": {"faultstring": "temperature must be 1", "detail": {"errorcode": "x"}}},
    "behind a gateway": {
        "error": {"message": "Provider error", "metadata": {"raw": '{"error":"temperature must be 1"}'}}
    },
    "plain text": "temperature is not a field here",
}


# with 200, a text is no error: it is no answer
@pytest.mark.parametrize(
    ("status", "body"),
    [
        (status, body)
        for status in (400, 422, 200)
        for body in REFUSED_FIELD.values()
        if status > 200 or not isinstance(body, str)
    ],
)
async def test_a_refused_field_is_learnt_from_whatever_shape_it_is_said_in(status: int, body: Any) -> None:
    def answers(asked: Asked) -> Say:
        return Say(status=status, body=body) if "temperature" in asked.body else Say()

    async with LlmServer(answers) as server:
        model = model_at(server.base_url)
        for _ in range(2):
            assert json.loads((await model.complete(prompt(), deadline_s=5)).text)
        await model.close()
    assert ["temperature" in asked.body for asked in server.asked] == [True, False, False]


WRONG_KEY: dict[str, Say] = {
    "Gemini": Say(
        status=400,
        body=[
            {
                "error": {
                    "code": 400,
                    "message": f"API key not valid. Please pass a valid API key. {KEY}",
                    "status": "INVALID_ARGUMENT",
                    "details": [{"reason": "API_KEY_INVALID", "domain": "googleapis.com"}],
                }
            }
        ],
    ),
    "Gemini, expired": Say(status=400, body=[{"error": {"message": "API key expired. Please renew the API key."}}]),
    "FastAPI": Say(status=401, body={"detail": "Not authenticated"}),
    "OpenAI": refusal(401, "Incorrect API key provided: sk-se****", code="invalid_api_key"),
    "a gateway": Say(status=400, body={"error": "Invalid API Key"}),
    "xAI": Say(status=400, body={"code": "Client specified an invalid argument", "error": f"Incorrect API key: {KEY}"}),
    "with 200": Say(body={"error": {"message": "Invalid API key", "code": 401}}),
    "with 200, a text": Say(body={"base_resp": {"status_code": 1004, "status_msg": "login fail: no api key"}}),
    "nothing said": Say(status=403, body=b""),
    "a proxy's page": Say(status=403, body="<!DOCTYPE html><title>Access denied</title>", kind="text/html"),
}


@pytest.mark.parametrize("say", WRONG_KEY.values(), ids=WRONG_KEY)
async def test_a_wrong_key_is_reported_apart_and_nothing_is_learnt_from_it(server: LlmServer, say: Say) -> None:
    model = model_at(server.base_url)
    server.say(say)
    with pytest.raises(RefusedError, match="check api_key") as caught:
        await model.complete(prompt(), deadline_s=5)
    assert "sk-" not in str(caught.value)
    await model.complete(prompt(), deadline_s=5)
    await model.close()
    first, second = server.asked
    assert first.body == second.body


async def test_a_refused_field_does_not_speak_of_the_key(server: LlmServer) -> None:
    model = model_at(server.base_url, temperature=None)
    server.say(refusal(400, "Invalid value for 'max_output_tokens': the token limit is 100"))
    with pytest.raises(RefusedError) as caught:
        await model.complete(prompt(), deadline_s=5)
    await model.close()
    assert "api_key" not in str(caught.value)


async def test_a_bill_that_was_not_paid_is_reported(server: LlmServer) -> None:
    model = model_at(server.base_url)
    server.say(Say(status=402, body={"error": "Payment required"}))
    with pytest.raises(RefusedError, match="no credit left"):
        await model.complete(prompt(), deadline_s=5)
    await model.close()


GEMINI_MINUTE = [
    {
        "error": {
            "code": 429,
            "message": "You exceeded your current quota, please check your plan and billing details.",
            "status": "RESOURCE_EXHAUSTED",
            "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34s"}],
        }
    }
]


@pytest.mark.parametrize(
    ("body", "wait_s"),
    [
        (GEMINI_MINUTE, 34.0),
        ({"error": {"message": "Rate limit reached. Please try again in 7.66s."}}, 7.66),
        ({"error": {"message": "Rate limit reached. Please try again in 6m0s."}}, 360.0),
        ({"error": {"message": "Rate limit reached. Please try again in 900ms."}}, 0.9),
        ({"error": {"message": "Rate limit reached. Please try again in 1h2m3.5s."}}, 3723.5),
        ({"error": {"message": "Rate limit reached. Retry after 5 seconds."}}, 5.0),
        ({"error": {"message": "Try again later."}}, None),
        ({"error": {"message": "wait " + "9" * 400 + "s"}}, 86_400.0),
    ],
)
async def test_a_full_minute_is_patience_and_no_bill(server: LlmServer, body: Any, wait_s: float | None) -> None:
    model = model_at(server.base_url)
    server.say(Say(status=429, body=body))
    with pytest.raises(BusyError) as caught:
        await model.complete(prompt(), deadline_s=5)
    await model.close()
    assert caught.value.retry_after_s == (None if wait_s is None else pytest.approx(wait_s))


NO_JSON: dict[str, Say] = {
    "Groq": Say(
        status=400,
        body={
            "error": {
                "message": "Failed to generate JSON. See 'failed_generation' for more details.",
                "type": "invalid_request_error",
                "code": "json_validate_failed",
                "failed_generation": '{"title": "max_completion_tokens temperature',
            }
        },
    ),
    "Groq's schema": refusal(400, "Generated JSON does not match the expected schema. Please adjust your prompt."),
    "could not make": refusal(400, "The model could not make valid JSON"),
    "did not generate": refusal(422, "Model did not generate valid JSON for the requested schema"),
    "output not valid": refusal(400, "Model output was not valid JSON"),
    "not parsed": refusal(400, "The model's response could not be parsed as JSON"),
    "unable": refusal(500, "Unable to generate a valid structured output"),
    "failed to parse": refusal(500, "Failed to parse model output as JSON"),
    "llama.cpp": refusal(500, "Failed to parse input at pos 12: <|im_end|>"),
    "a tool": refusal(400, "Failed to call a function.", code="tool_use_failed"),
    "a list": Say(status=400, body=[{"error": {"message": "Could not generate valid JSON"}}]),
    "in a stream": Say(
        body='data: {"error": {"message": "Failed to generate JSON", "code": "json_validate_failed"}}\n\n',
        kind="text/event-stream",
    ),
}


def job(number: int) -> Job:
    return Job(key=number, camera=None, priority=Priority.USER, prompt=prompt(), useful_s=20.0)


@pytest.mark.parametrize("say", NO_JSON.values(), ids=NO_JSON)
async def test_one_answer_that_was_no_json_is_garbled_and_the_next_question_is_asked(
    server: LlmServer, say: Say
) -> None:
    model = model_at(server.base_url)
    queue = ModelQueue(model, limits=Limits(), clock=SystemClock(), estimate=model.expected_tokens)
    running = asyncio.ensure_future(queue.run())
    await asyncio.sleep(0)
    server.say(say)
    try:
        with pytest.raises(GarbledError) as caught:
            await queue.ask(job(1))
        assert caught.value.spent is not None
        assert caught.value.spent.input_tokens > 20
        assert queue.state().phase is LlmPhase.READY
        assert json.loads((await queue.ask(job(2))).text)
    finally:
        running.cancel()
        await asyncio.wait((running,))
        await queue.close()
    first, second = server.asked
    assert first.body == second.body


async def test_what_a_service_that_worked_refuses_once_is_of_that_prompt(server: LlmServer) -> None:
    model = model_at(server.base_url)
    odd = refusal(400, "Something about this one went wrong")
    server.say(Say(), odd, Say(), odd, odd, Say())
    await model.complete(prompt(), deadline_s=5)
    with pytest.raises(GarbledError) as caught:
        await model.complete(prompt(), deadline_s=5)
    assert caught.value.spent is not None
    await model.complete(prompt(), deadline_s=5)
    with pytest.raises(GarbledError):
        await model.complete(prompt(), deadline_s=5)
    with pytest.raises(RefusedError):  # twice in a row it is of us
        await model.complete(prompt(), deadline_s=5)
    await model.close()


async def test_a_key_that_is_refused_later_is_not_of_one_prompt(server: LlmServer) -> None:
    model = model_at(server.base_url)
    server.say(Say(), WRONG_KEY["Gemini"])
    await model.complete(prompt(), deadline_s=5)
    with pytest.raises(RefusedError, match="check api_key"):
        await model.complete(prompt(), deadline_s=5)
    await model.close()


async def test_a_form_with_which_no_json_comes_twice_is_given_up() -> None:
    def answers(asked: Asked) -> Say:
        kind = asked.body.get("response_format", {}).get("type")
        return refusal(400, "Failed to generate JSON", code="json_validate_failed") if kind == "json_schema" else Say()

    async with LlmServer(answers) as server:
        model = model_at(server.base_url)
        for _ in range(2):
            with pytest.raises(GarbledError):
                await model.complete(prompt(), deadline_s=5)
        assert json.loads((await model.complete(prompt(), deadline_s=5)).text)
        await model.close()


@pytest.mark.parametrize(
    "text",
    [
        "The model failed to generate a valid JSON response",
        "Model did not produce valid JSON output",
        "The model could not make valid JSON",
        "Invalid JSON was generated by the model",
        "Could not parse response as JSON",
        "Unable to get json response - Expecting value: line 1 column 1 (char 0)",
        "The model produced invalid content. Consider modifying your prompt.",
        "Parsing failed. The model generated output that could not be parsed.",
        "Model generated invalid structured output",
        "LLM response was not valid JSON",
        "The generated JSON failed to validate against the schema",
        "json_generation_failed",
    ],
)
def test_that_a_model_wrote_no_json_is_said_in_many_words(text: str) -> None:
    assert is_garbled(text)


@pytest.mark.parametrize(
    "text",
    [
        "Invalid JSON payload received. Unknown name 'x': Cannot find field.",
        "Could not parse request body as JSON",
        "json: cannot unmarshal object into Go struct field ChatRequest.response_format of type string",
        "json_invalid: JSON decode error",
        "We could not parse the JSON body of your request",
        "Failed to deserialize the JSON body into the target type: unknown field `temperature`",
        "Invalid schema for response_format 'summary'",
        "failed to parse grammar",
        "failed to generate JSON schema grammar",
        "This model does not support response_format json_object",
        "The model `tiny` does not exist",
        "'messages' must contain the word 'json'",
        "The response_format is not valid",
    ],
)
def test_what_is_wrong_with_the_request_is_not_laid_to_the_model(text: str) -> None:
    assert not is_garbled(text)


ODD: dict[str, tuple[Say, type[LlmError]]] = {
    "an empty body": (Say(status=400, body=b""), RefusedError),
    "an empty list": (Say(status=500, body=[]), AwayError),
    "a number": (Say(status=500, body=7), AwayError),
    "a proxy's page": (Say(status=502, body="\n<html><body>temperature</body></html>", kind="text/html"), AwayError),
    "deep": (Say(status=400, body=b'{"error":' * 5000), RefusedError),
    "deep but whole": (Say(status=400, body=b"[" * 900 + b"]" * 900), RefusedError),
    "many": (Say(status=400, body=[{"error": "x" * 5000}] * 300), RefusedError),
    "an error in a choice": (Say(body={"choices": [{"error": {"code": 502, "message": "upstream"}}]}), AwayError),
    "a code in a text": (Say(body={"error": {"code": "429", "message": "slow down"}}), BusyError),
    "vLLM with 200": (Say(body={"object": "error", "message": "no such model", "code": 404}), RefusedError),
    "FastAPI with 200": (Say(body={"detail": "upstream fell over"}), AwayError),
    "msg with 200": (Say(body={"code": 1001, "msg": "the service is tired"}), AwayError),
    "a key with 200": (Say(body={"code": 401, "msg": "who are you?"}), RefusedError),
    "a gateway with 200": (Say(body={"message": "no route matched"}), AwayError),
}


@pytest.mark.parametrize(("say", "expected"), ODD.values(), ids=ODD)
async def test_an_odd_error_is_one_error_of_the_right_kind(
    server: LlmServer, say: Say, expected: type[LlmError]
) -> None:
    model = model_at(server.base_url)
    server.say(say)
    with pytest.raises(LlmError) as caught:
        await model.complete(prompt(), deadline_s=5)
    assert type(caught.value) is expected
    assert len(str(caught.value)) < 400
    assert len(server.asked) == 1
    assert json.loads((await model.complete(prompt(), deadline_s=5)).text)
    await model.close()


@pytest.mark.parametrize("code", [0, "0", 200])
async def test_an_error_that_is_none_beside_an_answer_is_passed_over(server: LlmServer, code: object) -> None:
    answer = {"choices": [{"message": {"content": '{"title": "x"}'}, "finish_reason": "stop"}]}
    server.say(Say(body={"error": {"code": code, "message": "success"}, **answer}))
    model = model_at(server.base_url)
    assert json.loads((await model.complete(prompt(), deadline_s=5)).text) == {"title": "x"}
    await model.close()


@pytest.mark.parametrize(
    "said",
    [
        "image_url is not permitted",
        "invalid content part type: image_url",
        "'image_url' is not one of ['text']",
        "Image inputs are not enabled for this model",
        "model does not have vision capabilities",
        "At most 0 image(s) may be provided in one request",
        "Input should be a valid string string_type body messages 1 content",
        "json: cannot unmarshal array into Go struct field ChatRequest.messages.content of type string",
        "invalid type: sequence, expected a string",
        "unsupported message content type",
    ],
)
async def test_a_model_that_takes_no_pictures_is_found_out(server: LlmServer, said: str) -> None:
    server.say(refusal(400, said))
    model = model_at(server.base_url)
    with pytest.raises(BlindError):
        await model.complete(prompt(picture(b"jpeg")), deadline_s=5)
    await model.close()
    assert not model.sees


@pytest.mark.parametrize("said", ["image is too large", "Could not process image", "At most 2 images per request"])
async def test_a_picture_that_is_refused_is_not_all_of_them(server: LlmServer, said: str) -> None:
    server.say(refusal(400, said))
    model = model_at(server.base_url)
    with pytest.raises(RefusedError):
        await model.complete(prompt(picture(b"jpeg")), deadline_s=5)
    await model.close()
    assert model.sees


def test_what_an_error_repeats_of_our_request_is_not_read() -> None:
    said = said_in({"detail": [{"msg": "too short", "loc": ["body", "model"], "input": {"temperature": 1}}]})
    assert re.search("too short.*body.*model", said)
    assert "temperature" not in said
