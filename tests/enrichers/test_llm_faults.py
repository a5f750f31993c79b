"""Whatever an endpoint does wrong is the right LlmError within the deadline, and the next call works again."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx2
import pytest
from llm_asking import model_at, picture, prompt
from llm_server import LlmServer, Say, refusal
from patience import PATIENCE

from blikk_edge.core.clock import VirtualClock
from blikk_edge.core.errors import LlmError
from blikk_edge.llm.openai_api import OpenAiModel
from blikk_edge.llm.openai_client import REPLY_BYTES
from blikk_edge.llm.openai_faults import retry_after_s
from blikk_edge.llm.port import (
    AwayError,
    BlindError,
    BusyError,
    GarbledError,
    RefusedError,
    TooLongError,
)

DEADLINE_S = 1.5
LATE_S = 4.0 * PATIENCE


@pytest.fixture
async def server() -> AsyncIterator[LlmServer]:
    async with LlmServer() as server:
        yield server


@pytest.fixture
async def model(server: LlmServer) -> AsyncIterator[OpenAiModel]:
    model = model_at(server.base_url, structured="json_schema", tokens_field="max_tokens", temperature=None)
    yield model
    await model.close()


FAULTS: dict[str, tuple[Say, type[LlmError]]] = {
    "429 with Retry-After": (refusal(429, "slow down", headers={"Retry-After": "7"}), BusyError),
    "429": (refusal(429, "slow down"), BusyError),
    "503 with Retry-After": (refusal(503, "loading", headers={"Retry-After": "7"}), BusyError),
    "503": (refusal(503, "loading"), AwayError),
    "500": (refusal(500, "oops"), AwayError),
    "502 of a proxy": (Say(status=502, body="<html>Bad gateway</html>", kind="text/html"), AwayError),
    "529": (refusal(529, "overloaded"), AwayError),
    "408": (refusal(408, "too slow"), AwayError),
    "no credit": (refusal(429, "You exceeded your current quota", code="insufficient_quota"), RefusedError),
    "wrong key": (refusal(401, "Incorrect API key provided"), RefusedError),
    "wrong key by FastAPI": (Say(status=401, body={"detail": "Invalid API key"}), RefusedError),
    "forbidden": (refusal(403, "not in your country"), RefusedError),
    "unknown model": (refusal(404, "no such model"), RefusedError),
    "wrong address": (Say(status=404, body="not here", kind="text/plain"), RefusedError),
    "redirect": (
        Say(status=307, headers={"Location": "http://127.0.0.1:9/v1/chat/completions"}, body=b""),
        RefusedError,
    ),
    "unknown field": (refusal(400, "what is this?"), RefusedError),
    "OpenAI's too long": (refusal(400, "maximum context length is 10", code="context_length_exceeded"), TooLongError),
    "llama.cpp's too long": (refusal(400, "request exceeds", type="exceed_context_size_error"), TooLongError),
    "Gemini's too long": (
        refusal(400, "The input token count (1048577) exceeds the maximum number of tokens allowed (1048576)."),
        TooLongError,
    ),
    "no bound that high": (refusal(400, "max_tokens is too large: 240"), RefusedError),
    "413": (Say(status=413, body="", kind="text/plain"), TooLongError),
    "content policy": (refusal(400, "filtered", code="content_filter"), GarbledError),
    "own output not understood": (refusal(500, "does not match the expected peg-native format"), GarbledError),
    "stall in the middle of a body": (Say(stall=0.5), AwayError),
    "no first byte": (Say(stall=0.0), AwayError),
    "silence": (Say(delay_s=30), AwayError),
    "slow drip": (Say(drip_s=0.2), AwayError),
    "hang up": (Say(hang_up=True), AwayError),
    "broken off": (Say(keep=0.5), AwayError),
    "endless": (Say(body=b" " * (REPLY_BYTES + 1)), AwayError),
    "compressed unasked": (Say(headers={"Content-Encoding": "gzip"}), AwayError),
    "HTML": (Say(body="<html>Welcome</html>", kind="text/html"), GarbledError),
    "text": (Say(body="hello", kind="text/plain"), GarbledError),
    "nothing": (Say(body=b""), GarbledError),
    "not UTF-8": (Say(body=b'{"\xff\xfe": 1}'), GarbledError),
    "deep": (Say(body=b"[" * 100_000), GarbledError),
    "cut-off JSON": (Say(body=b'{"choices": [{"message": {"conte'), GarbledError),
    "a list": (Say(body=[]), GarbledError),
    "null": (Say(body=b"null"), GarbledError),
    "empty choices": (Say(body={"choices": []}), GarbledError),
    "no choices": (Say(body={"object": "chat.completion"}), GarbledError),
    "choices of nothing": (Say(body={"choices": [None, 3]}), GarbledError),
    "a choice of an odd number": (Say(body={"choices": [{"index": [], "message": {"content": "{}"}}]}), GarbledError),
    "a call of an odd number": (Say(text="", more={"tool_calls": [{"index": {}}, 3, None]}), GarbledError),
    "calls that are none": (Say(text="", more={"tool_calls": {"function": 3}, "function_call": "x"}), GarbledError),
    "choice without message": (Say(body={"choices": [{}]}), GarbledError),
    "content null": (Say(more={"content": None}), GarbledError),
    "content a number": (Say(more={"content": 7}), GarbledError),
    "refusal": (Say(text="", more={"refusal": "I will not"}), GarbledError),
    "content filter": (Say(text="{", finish="content_filter"), GarbledError),
    "cut off by length": (Say(text='{"title": "A per', finish="length"), GarbledError),
    "no JSON": (Say(text="A person came."), GarbledError),
    "JSON cut off": (Say(text='{"title": "A per'), GarbledError),
    "a number too large": (Say(text='{"count": 1e999}'), GarbledError),
    "no JSON at all": (Say(text='{"count": NaN}'), GarbledError),
    "deep JSON": (Say(text='{"a":' * 30_000), GarbledError),
    "error with 200": (Say(body={"error": {"message": "upstream fell over"}}), AwayError),
    "429 with 200": (Say(body={"error": {"message": "slow down", "code": 429}}), BusyError),
}


@pytest.mark.parametrize(("say", "expected"), FAULTS.values(), ids=FAULTS)
async def test_a_fault_is_the_right_error_in_time_and_the_next_call_works(
    server: LlmServer, model: OpenAiModel, say: Say, expected: type[LlmError]
) -> None:
    server.say(say)
    began = time.monotonic()
    with pytest.raises(LlmError) as caught:
        await model.complete(prompt(), deadline_s=DEADLINE_S)
    assert time.monotonic() - began < DEADLINE_S + LATE_S
    assert type(caught.value) is expected
    assert "tiny" in str(caught.value)
    assert len(str(caught.value)) < 400
    assert len(server.asked) == 1  # nothing is sent again behind the back of the budget
    assert json.loads((await model.complete(prompt(), deadline_s=5)).text)


STREAM_FAULTS: dict[str, tuple[Say, type[LlmError]]] = {
    "no end": (Say(finish=None, done=False), AwayError),
    "cut": (Say(keep=0.5), AwayError),
    "stall": (Say(stall=0.5), AwayError),
    "drip": (Say(drip_s=0.05), AwayError),
    "length": (Say(text='{"tit', finish="length"), GarbledError),
    "error inside": (
        Say(
            body='data: {"choices":[{"delta":{"content":"{"}}]}\n\ndata: {"error":{"message":"out of memory"}}\n\n',
            kind="text/event-stream",
        ),
        AwayError,
    ),
    "no JSON": (Say(body="data: hello\n\n", kind="text/event-stream"), GarbledError),
    "no choices": (Say(body="data: {}\n\ndata: [DONE]\n\n", kind="text/event-stream"), GarbledError),
    "endless line": (Say(body=b"data: " + b"x" * REPLY_BYTES, kind="text/event-stream"), AwayError),
}


@pytest.mark.parametrize(("say", "expected"), STREAM_FAULTS.values(), ids=STREAM_FAULTS)
async def test_a_faulty_stream_is_the_right_error_in_time_and_the_next_call_works(
    server: LlmServer, say: Say, expected: type[LlmError]
) -> None:
    server.say(say)
    model = model_at(server.base_url, stream=True)
    began = time.monotonic()
    with pytest.raises(LlmError) as caught:
        await model.complete(prompt(), deadline_s=DEADLINE_S)
    assert time.monotonic() - began < DEADLINE_S + LATE_S
    assert type(caught.value) is expected
    assert json.loads((await model.complete(prompt(), deadline_s=5)).text)
    await model.close()


async def test_an_empty_stream_is_asked_for_its_reason(server: LlmServer) -> None:
    server.say(Say(body="", kind="text/event-stream"), refusal(400, "too much", code="context_length_exceeded"))
    model = model_at(server.base_url, stream=True)
    with pytest.raises(TooLongError):
        await model.complete(prompt(), deadline_s=5)
    await model.close()
    assert [asked.body.get("stream", False) for asked in server.asked] == [True, False]


async def test_a_refused_connection_is_away_until_the_server_is_back(free_port: int) -> None:
    model = model_at(f"http://127.0.0.1:{free_port}/v1")
    with pytest.raises(AwayError, match="Connection refused"):
        await model.complete(prompt(), deadline_s=2)
    await model.close()


async def test_a_name_that_nobody_knows_is_away() -> None:
    model = model_at("http://no-such-host.invalid/v1", api_key=None)
    with pytest.raises(AwayError, match=r"no-such-host\.invalid"):
        await model.complete(prompt(), deadline_s=5)
    await model.close()


async def test_a_system_error_that_the_transport_lets_through_is_away(
    model: OpenAiModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(httpx2.AsyncClient, "stream", fails)
    with pytest.raises(AwayError, match="Too many open files"):
        await model.complete(prompt(), deadline_s=5)


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_that_is_given_up_is_closed_at_the_server(server: LlmServer, *, stream: bool) -> None:
    model = model_at(server.base_url, stream=stream)
    server.say(Say(stall=0.5))
    with pytest.raises(AwayError, match=r"within 0\.3 s"):
        await model.complete(prompt(), deadline_s=0.3)
    await until(lambda: server.cut_off == 1)
    await model.close()


async def test_a_cancelled_call_is_cancelled_not_away(server: LlmServer, model: OpenAiModel) -> None:
    server.say(Say(delay_s=30))
    call = asyncio.ensure_future(model.complete(prompt(), deadline_s=20))
    await until(lambda: server.asked)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert json.loads((await model.complete(prompt(), deadline_s=5)).text)


@pytest.mark.parametrize("finish", ["length", "content_filter", "stop"])
async def test_what_a_useless_answer_cost_is_reported(server: LlmServer, model: OpenAiModel, finish: str) -> None:
    server.say(Say(text="no object", finish=finish))
    with pytest.raises(GarbledError) as caught:
        await model.complete(prompt(), deadline_s=5)
    assert caught.value.spent is not None
    assert (caught.value.spent.input_tokens, caught.value.spent.output_tokens) == (40, 9)


NOW = 1_800_000_000.0  # Fri, 15 Jan 2027 08:00:00 GMT


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 2.5 "}, 2.5),
        ({"retry-after-ms": "300"}, 0.3),
        ({"retry-after-ms": "300", "retry-after": "7"}, 0.3),
        ({"retry-after-ms": "soon", "retry-after": "7"}, 7.0),
        ({"retry-after": "Fri, 15 Jan 2027 08:00:30 GMT"}, 30.0),
        ({"retry-after": "Fri, 15 Jan 2027 09:00:30 +0100"}, 30.0),
        ({"retry-after": "Fri, 15 Jan 2027 07:59:30 GMT"}, None),
        ({"retry-after": "Fri, 15 Jan 2027 08:00:30 -0000"}, 30.0),
        ({"retry-after": "9" * 400}, None),
        ({"retry-after": "1e7"}, 86_400.0),
        ({"retry-after": "Fri, 15 Jan 9999 08:00:30 GMT"}, 86_400.0),
        ({"retry-after": "0"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "99, 99 Foo 99999 99:99:99"}, None),
        ({"retry-after": ""}, None),
        ({}, None),
    ],
)
def test_how_long_to_wait(headers: Mapping[str, str], expected: float | None) -> None:
    assert retry_after_s(headers, now=NOW) == pytest.approx(expected)


async def test_a_date_counts_from_our_clock(server: LlmServer) -> None:
    model = model_at(server.base_url, clock=VirtualClock(NOW))
    server.say(refusal(429, "slow down", headers={"Retry-After": "Fri, 15 Jan 2027 08:02:00 GMT"}))
    with pytest.raises(BusyError) as caught:
        await model.complete(prompt(), deadline_s=5)
    assert caught.value.retry_after_s == pytest.approx(120.0)
    await model.close()


BLIND: dict[str, Say] = {
    "llama.cpp": refusal(500, "image input is not supported - hint: if this is unexpected, you may need the mmproj"),
    "a service": refusal(400, "Invalid content type. image_url is only supported by certain models.", code="x"),
    "a plain one": refusal(400, "This model does not support image input."),
    "a gateway": refusal(404, "No endpoints found that support image input"),
    "serde": refusal(422, "messages[1]: unknown variant `image_url`, expected `text` at line 1 column 60"),
    "strings only": refusal(400, "messages[1].content must be a string"),
    "pydantic": Say(status=422, body={"detail": [{"loc": ["body", "messages", 1], "msg": "Unexpected image_url"}]}),
}


@pytest.mark.parametrize("say", BLIND.values(), ids=BLIND)
async def test_a_model_that_cannot_see_is_noticed_once(server: LlmServer, model: OpenAiModel, say: Say) -> None:
    server.say(say)
    assert model.sees
    for _ in range(2):
        with pytest.raises(BlindError):
            await model.complete(prompt(picture(b"jpeg")), deadline_s=5)
    assert not model.sees
    assert len(server.asked) == 1
    assert json.loads((await model.complete(prompt(), deadline_s=5)).text)


@pytest.mark.parametrize("text", ["could not decode image", "image too large", "upstream fell over"])
async def test_other_trouble_with_a_picture_is_no_blindness(server: LlmServer, model: OpenAiModel, text: str) -> None:
    server.say(refusal(400, text))
    with pytest.raises(RefusedError):
        await model.complete(prompt(picture(b"jpeg")), deadline_s=5)
    assert model.sees


async def until(fact: Any) -> None:
    end = time.monotonic() + 60 * PATIENCE
    while not fact():
        assert time.monotonic() < end, "it did not happen within 60 s"
        await asyncio.sleep(0.005)
