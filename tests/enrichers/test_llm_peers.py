"""Servers of others, where they are installed: what we take for the protocol is what they take for it too."""

import asyncio
import importlib.util
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import jsonschema
import pytest
from llm_asking import SCHEMA, model_at, picture
from llm_asking import prompt as short
from patience import PATIENCE, in_time
from tiny_gguf import tiny_model

from blikk_edge.core.clock import SystemClock
from blikk_edge.core.errors import LlmError
from blikk_edge.llm.llama import LlamaModel
from blikk_edge.llm.port import AwayError, BusyError, GarbledError, Prompt, RefusedError, TooLongError

needs_llama_cpp = pytest.mark.skipif(
    importlib.util.find_spec("llama_cpp") is None,
    reason="llama-cpp-python is in the llama-cpp extra, and is compiled at its installation",
)
needs_llmock = pytest.mark.skipif(importlib.util.find_spec("llmock") is None, reason="llmock is not installed")

DEADLINE_S = 60.0


def prompt(**changed: object) -> Prompt:
    return short(**{"max_tokens": 500, **changed})


# -- llama-cpp-python ------------------------------------------------------------------------------------------------


@pytest.fixture
async def bare(tmp_path: Path) -> AsyncIterator[LlamaModel]:
    gguf = tiny_model(tmp_path / "tiny.gguf")
    model = LlamaModel(path=gguf, clock=SystemClock(), threads=1, context_tokens=2048, engine="llama_cpp")
    yield model
    await model.close()


@needs_llama_cpp
async def test_llama_cpp_python_answers_within_the_schema(bare: LlamaModel) -> None:
    for _ in range(10):
        done = await bare.complete(prompt(), deadline_s=DEADLINE_S)
        jsonschema.validate(json.loads(done.text), SCHEMA)
        assert done.estimated  # it does not count in streams


@needs_llama_cpp
async def test_llama_cpp_python_reports_that_a_prompt_is_too_long(bare: LlamaModel) -> None:
    with pytest.raises(TooLongError):
        await bare.complete(prompt(user="x" * 4000), deadline_s=DEADLINE_S)
    await bare.complete(prompt(), deadline_s=DEADLINE_S)


@needs_llama_cpp
@in_time
async def test_llama_cpp_python_is_free_again_after_a_call_was_given_up(bare: LlamaModel) -> None:
    await bare.complete(prompt(), deadline_s=DEADLINE_S)
    assert bare._process is not None
    same = bare._process.pid
    many = {"type": "string", "minLength": 990, "maxLength": 1000}
    with pytest.raises(AwayError):
        await bare.complete(prompt(schema={"type": "object", "properties": {"p": many}}), deadline_s=0.2)
    began = time.monotonic()
    await bare.complete(prompt(), deadline_s=DEADLINE_S)
    assert time.monotonic() - began < 5.0
    assert bare._process.pid == same


@needs_llama_cpp
async def test_llama_cpp_python_refuses_a_cut_off_model(bare: LlamaModel, tmp_path: Path) -> None:
    gguf = tmp_path / "tiny.gguf"
    gguf.write_bytes(gguf.read_bytes()[:200_000])
    with pytest.raises(RefusedError, match=str(gguf)):
        await bare.complete(prompt(), deadline_s=DEADLINE_S)


# -- llmock, an emulator with a true rate limit ----------------------------------------------------------------------


@contextmanager
def served(port: int, *options: str) -> Iterator[str]:
    command = [sys.executable, "-m", "llmock.cli", "serve", "--port", str(port), "--log-level", "error", *options]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            until_it_listens(port)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            server.kill()


def until_it_listens(port: int) -> None:
    end = time.monotonic() + 30 * PATIENCE
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).close()
        except urllib.error.HTTPError as error:
            error.close()
            return
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail("llmock did not start within 30 s")


@needs_llmock
@pytest.mark.parametrize("stream", [False, True])
async def test_llmock_holds_to_the_schema_and_counts(free_port: int, *, stream: bool) -> None:
    with served(free_port) as url:
        model = model_at(url, stream=stream)
        done = await model.complete(prompt(), deadline_s=DEADLINE_S)
        seen = await model.complete(short(picture(b"\xff\xd8\xff\xd9")), deadline_s=DEADLINE_S)
        await model.close()
    for each in (done, seen):
        jsonschema.validate(json.loads(each.text), SCHEMA)
        assert each.input_tokens > 0
        assert not each.estimated


@needs_llmock
async def test_llmock_says_how_long_to_wait_and_means_it(free_port: int) -> None:
    with served(free_port, "--rpm", "30") as url:
        model = model_at(url)
        with pytest.raises(BusyError) as caught:
            await asyncio.gather(*(model.complete(prompt(), deadline_s=DEADLINE_S) for _ in range(40)))
        wait_s = caught.value.retry_after_s
        assert wait_s is not None
        assert 0 < wait_s <= 60
        if wait_s <= 5:
            await asyncio.sleep(wait_s)
            await model.complete(prompt(), deadline_s=DEADLINE_S)
        await model.close()


@needs_llmock
async def test_llmock_reports_that_a_prompt_is_too_long(free_port: int) -> None:
    with served(free_port, "--context-window", "1000") as url:
        model = model_at(url)
        with pytest.raises(TooLongError):
            await model.complete(prompt(user="a person in the porch " * 1000), deadline_s=DEADLINE_S)
        await model.close()


@needs_llmock
@pytest.mark.parametrize("fault", ["disconnect", "truncate", "stall", "malformed"])
async def test_llmocks_broken_streams_are_no_answers(free_port: int, fault: str) -> None:
    with served(free_port, "--stream-fault", f"{fault}=1", "--stream-stall-seconds", "20") as url:
        model = model_at(url, stream=True)
        with pytest.raises((AwayError, GarbledError)):
            await model.complete(prompt(), deadline_s=2)
        await model.close()


@needs_llmock
@pytest.mark.parametrize(("status", "expected"), [(401, RefusedError), (429, BusyError), (500, AwayError)])
async def test_llmocks_errors_are_ours(free_port: int, status: int, expected: type[LlmError]) -> None:
    with served(free_port, "--error-rate", f"{status}=1") as url:
        model = model_at(url)
        with pytest.raises(expected):
            await model.complete(prompt(), deadline_s=DEADLINE_S)
        await model.close()
