"""Bodies that are an answer, though not quite as the protocol has it."""

import gzip
import json
import zlib
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest
from llm_asking import KEY, model_at, prompt
from llm_server import LlmServer, Say

from blikk_edge.core.errors import LlmError
from blikk_edge.llm.openai_client import REPLY_BYTES
from blikk_edge.llm.port import AwayError, Completion, GarbledError, RefusedError

TITLED: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"title": {"type": "string", "minLength": 1}},
    "required": ["title"],
}
TITLE: Final = "Ein Mädchen"
TEXT: Final = json.dumps({"title": TITLE}, ensure_ascii=False)
WHOLE: Final[dict[str, Any]] = {"choices": [{"index": 0, "finish_reason": "stop", "message": {"content": TEXT}}]}
BODY: Final = json.dumps(WHOLE, ensure_ascii=False)
ESCAPED: Final = json.dumps(WHOLE)


def chunk(text: str, finish: str | None = None) -> str:
    """One part of a stream."""
    return json.dumps(
        {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]}, ensure_ascii=False
    )


PARTS: Final = f"data: {chunk(TEXT[:9])}\n\ndata: {chunk(TEXT[9:], 'stop')}\n\ndata: [DONE]\n\n"
STREAM: Final = "text/event-stream"
JSON: Final = "application/json"

BODIES: Final[dict[str, tuple[bytes, str]]] = {
    "Latin-1, as it says": (BODY.encode("latin-1"), f"{JSON}; charset=ISO-8859-1"),
    "Latin-1, though it does not say so": (BODY.encode("latin-1"), JSON),
    "UTF-8 with a mark": (b"\xef\xbb\xbf" + BODY.encode(), JSON),
    "UTF-16": (BODY.encode("utf-16"), JSON),
    "called a web page": (BODY.encode(), "text/html; charset=utf-8"),
    "a zero behind it": (BODY.encode() + b"\0", JSON),
    "kept awake by comments": (b": OPENROUTER PROCESSING\n\n: OPENROUTER PROCESSING\n\n" + BODY.encode(), JSON),
    "in a list": (f"[{BODY}]".encode(), JSON),
    "in what a gateway says": (json.dumps({"code": 0, "msg": "ok", "data": WHOLE}).encode(), JSON),
    "a stream that is called JSON and begins with a comment": (b": ping\n\n" + PARTS.encode(), JSON),
    "a stream that is called JSON and names its events": (b"event: message\n" + PARTS.encode(), JSON),
    "a stream of lines of JSON": (f"{chunk(TEXT[:9])}\n{chunk(TEXT[9:], 'stop')}\n".encode(), "application/x-ndjson"),
    "a stream with a mark": (b"\xef\xbb\xbf" + PARTS.encode(), STREAM),
    "a stream whose end is said in small letters": (PARTS.replace("[DONE]", "[done]").encode(), STREAM),
    "a stream whose end is a text": (PARTS.replace("[DONE]", '"[DONE]"').encode(), STREAM),
    "a part in several lines": (PARTS.replace("{", "{\ndata: ", 1).encode(), STREAM),
    "a part in very many lines, each of which may be its last": (
        PARTS.replace("{", '{"pad": [0' + "\ndata: ,[]" * 140_000 + "\ndata: ], ", 1).encode(),
        STREAM,
    ),
    "parts without an empty line between them": (PARTS.replace("\n\n", "\n").encode(), STREAM),
}


@pytest.fixture
async def server() -> AsyncIterator[LlmServer]:
    async with LlmServer() as server:
        yield server


async def answered(server: LlmServer, *say: Say) -> Completion:
    """What a model makes of these answers."""
    server.say(*say)
    model = model_at(server.base_url)
    try:
        return await model.complete(prompt(schema=TITLED), deadline_s=20.0)
    finally:
        await model.close()


@pytest.mark.parametrize(("body", "kind"), BODIES.values(), ids=BODIES)
async def test_an_answer_in_an_odd_body_is_read(server: LlmServer, body: bytes, kind: str) -> None:
    assert json.loads((await answered(server, Say(body=body, kind=kind))).text) == {"title": TITLE}


@pytest.mark.parametrize("kind", [JSON, STREAM])
@pytest.mark.parametrize("sign", ["\u2028", "\u2029", "\u0085", "\x0b", "\x0c", "\x1e"])
async def test_signs_that_unicode_calls_ends_of_lines_end_no_part_of_a_stream(
    server: LlmServer, kind: str, sign: str
) -> None:
    text = json.dumps({"title": f"One{sign}two"}, ensure_ascii=ord(sign) < 32)
    body = f"data: {chunk(text, 'stop')}\n\ndata: [DONE]\n\n".encode()
    assert json.loads((await answered(server, Say(body=body, kind=kind))).text) == {"title": f"One{sign}two"}


@pytest.mark.parametrize(
    ("coding", "packed"), [("gzip", gzip.compress(ESCAPED.encode())), ("deflate", zlib.compress(ESCAPED.encode()))]
)
async def test_what_a_proxy_compresses_unasked_is_read(server: LlmServer, coding: str, packed: bytes) -> None:
    assert (await answered(server, Say(body=packed, headers={"Content-Encoding": coding}))).text


async def test_what_is_compressed_is_bounded_as_it_is_read(server: LlmServer) -> None:
    bomb = gzip.compress(b" " * (20 * REPLY_BYTES))
    with pytest.raises(AwayError, match="longer than"):
        await answered(server, Say(body=bomb, headers={"Content-Encoding": "gzip"}))


COUNTS: Final = [
    {"prompt_tokens": "40", "completion_tokens": "9"},
    {"prompt_tokens": 40.0, "completion_tokens": 9.0},
    {"input_tokens": 40, "output_tokens": 9},
]


@pytest.mark.parametrize("usage", COUNTS)
async def test_tokens_are_read_however_they_are_counted(server: LlmServer, usage: dict[str, Any]) -> None:
    said = await answered(server, Say(body={**WHOLE, "usage": usage}))
    assert (said.input_tokens, said.output_tokens, said.estimated) == (40, 9, False)


@pytest.mark.parametrize(
    "usage", [{"prompt_tokens": float("inf")}, {"prompt_tokens": "²"}, {"prompt_tokens": "9" * 400}]
)
async def test_counts_that_are_none_are_estimated(server: LlmServer, usage: dict[str, Any]) -> None:
    assert (await answered(server, Say(body={**WHOLE, "usage": usage}))).estimated


async def test_a_web_page_is_no_answer(server: LlmServer) -> None:
    with pytest.raises(GarbledError, match="web page"):
        await answered(server, Say(body=b"<!-- x --><html></html>", kind="text/html"))


GONE: Final = {
    "LM Studio without a model": (400, "No models loaded. Please load a model in the developer page."),
    "LM Studio's model is put away": (400, "Model unloaded."),
    "LM Studio's model fell": (400, "The model has crashed without additional information. (Exit code: 11)"),
    "LM Studio's loading was ended": (400, "Model load was canceled"),
    "a proxy that is loading": (404, "model is loading, try again"),
    "Groq's tier is full": (498, "Flex tier capacity exceeded"),
    "a proxy whose connection ended": (499, "client closed request"),
}


@pytest.mark.parametrize(("status", "said"), GONE.values(), ids=GONE)
async def test_a_model_that_may_be_back_in_a_moment_is_away_and_not_refused(
    server: LlmServer, status: int, said: str
) -> None:
    with pytest.raises(AwayError):
        await answered(server, Say(status=status, body={"error": said}))
    assert len(server.asked) == 1


@pytest.mark.parametrize("said", ["No model found with that name", "The model `m` does not exist", "model not found"])
async def test_a_model_that_is_not_there_is_refused(server: LlmServer, said: str) -> None:
    with pytest.raises(RefusedError):
        await answered(server, Say(status=404, body={"error": {"message": said}}))


async def test_a_place_that_the_server_does_not_know_is_told_as_such(server: LlmServer) -> None:
    body = {"error": "Unexpected endpoint or method. (POST /chat/completions). Returning 200 anyway"}
    with pytest.raises(RefusedError, match="check model and base_url"):
        await answered(server, Say(body=body))


PLACES: Final = {
    "/v1": "/v1/chat/completions",
    "/v1/": "/v1/chat/completions",
    "/v1/chat/completions": "/v1/chat/completions",
    "/v1/chat/completions/": "/v1/chat/completions",
    "/openai/deployments/d?api-version=2024-10-21": "/openai/deployments/d/chat/completions?api-version=2024-10-21",
    "/openai/deployments/d/chat/completions?api-version=2024-10-21": (
        "/openai/deployments/d/chat/completions?api-version=2024-10-21"
    ),
}


@pytest.mark.parametrize(("place", "asked"), PLACES.items())
async def test_the_place_that_is_asked_is_the_one_that_is_meant(server: LlmServer, place: str, asked: str) -> None:
    model = model_at(server.base_url.removesuffix("/v1") + place)
    try:
        await model.complete(prompt(schema=TITLED), deadline_s=20.0)
    finally:
        await model.close()
    assert server.asked[0].path == asked
    assert server.asked[0].headers.get("api-key") == (KEY if "api-version" in place else None)


@pytest.mark.parametrize("query", ["api-version=1&key=hidden", "key=hidden", "api-version=a%20b", "api-version="])
def test_any_other_query_is_refused_and_not_shown(query: str) -> None:
    with pytest.raises(LlmError) as refused:
        model_at(f"http://127.0.0.1:1/v1?{query}")
    assert "hidden" not in str(refused.value)


async def test_a_key_may_be_given_as_it_stands_in_the_header(server: LlmServer) -> None:
    model = model_at(server.base_url, api_key=f"Bearer {KEY}")
    try:
        await model.complete(prompt(schema=TITLED), deadline_s=20.0)
    finally:
        await model.close()
    assert server.asked[0].headers["authorization"] == f"Bearer {KEY}"
