"""A real llama.cpp in a child process: it answers and sees, may crash, hang or not load, and never outlives us."""

import asyncio
import contextlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import psutil
import pytest
from llm_asking import SCHEMA, picture
from llm_asking import prompt as short
from patience import PATIENCE, in_time
from tiny_gguf import tiny_model, tiny_projector

from blikk_edge.core.clock import SystemClock, VirtualClock
from blikk_edge.core.picture import Picture
from blikk_edge.llm import llama_process
from blikk_edge.llm.gbnf import gbnf
from blikk_edge.llm.llama import LlamaModel
from blikk_edge.llm.llama_child import Order
from blikk_edge.llm.port import (
    AwayError,
    BlindError,
    BusyError,
    LlmError,
    Prompt,
    RefusedError,
    TooLongError,
)

pytest.importorskip("xllamacpp", reason="xllamacpp is in the llama extra")

DEADLINE_S = 30.0


def prompt(*pictures: Picture, **changed: Any) -> Prompt:
    """Long enough for a model that writes letter by letter."""
    return short(*pictures, **{"max_tokens": 500, **changed})


@pytest.fixture(scope="module")
def gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("models") / "tiny.gguf")


@pytest.fixture(scope="module")
def projector(gguf: Path) -> Path:
    return tiny_projector(gguf.with_name("projector.gguf"))


Make = Callable[..., LlamaModel]


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    made: list[LlamaModel] = []

    def make(path: Path, **changed: Any) -> LlamaModel:
        made.append(LlamaModel(**{"path": path, "clock": SystemClock(), "threads": 1, **changed}))
        return made[-1]

    yield make
    for model in made:
        await model.close()


def process_of(model: LlamaModel) -> psutil.Process:
    assert model._process is not None
    return psutil.Process(model._process.pid)


async def until(fact: Callable[[], object]) -> None:
    end = time.monotonic() + 60 * PATIENCE
    while not fact():
        assert time.monotonic() < end, "it did not happen within 60 s"
        await asyncio.sleep(0.01)


async def test_a_local_model_answers_within_the_schema_and_counts(make: Make, gguf: Path) -> None:
    model = make(gguf)
    for _ in range(5):
        done = await model.complete(prompt(), deadline_s=DEADLINE_S)
        jsonschema.validate(json.loads(done.text), SCHEMA)
        assert done.model == model.name == "tiny"
        assert done.input_tokens > 100  # a letter, a token
        assert done.output_tokens > 20
        assert not done.estimated


async def test_json_schema_may_be_chosen(make: Make, gguf: Path) -> None:
    # llama.cpp's own grammar has no bounds for numbers, so that only the shape is looked at
    model = make(gguf, structured="json_schema", name="chosen")
    schema = {"type": "object", "properties": {"gate_open": {"type": "boolean"}}, "required": ["gate_open"]}
    done = await model.complete(prompt(schema=schema), deadline_s=DEADLINE_S)
    assert json.loads(done.text)["gate_open"] in {True, False}
    assert done.model == "chosen"


def some_schema(rng: random.Random, depth: int = 0) -> dict[str, Any]:
    """A bounded schema of any kind that we write."""
    low, high = sorted(rng.choices(range(-120, 121), k=2))
    texts = ["ja", 'n"ein', "a\\b", "ü\n", "{|}", "::=", "]", "'", "🙂"]
    kinds: list[dict[str, Any]] = [
        {"type": "string", "minLength": (least := rng.randint(0, 3)), "maxLength": least + rng.randint(0, 9)},
        {"type": "integer", "minimum": low, "maximum": high},
        {"type": "number", "minimum": low, "maximum": high},
        {"type": "boolean"},
        {"type": ["string", "null"], "maxLength": 5},
        {"enum": [*rng.sample(texts, 3), 1.5, None, True]},
        {"const": rng.choice(texts)},
    ]
    if depth < 2:
        least = rng.randint(0, 2)
        item = some_schema(rng, depth + 1)
        kinds += [
            {"type": "array", "items": item, "minItems": least, "maxItems": least + rng.randint(0, 2)},
            {"anyOf": [some_schema(rng, depth + 1), some_schema(rng, depth + 1)]},
            some_object(rng, depth + 1),
        ]
    return rng.choice(kinds)


def some_object(rng: random.Random, depth: int = 0) -> dict[str, Any]:
    names = rng.sample(["a", "gate_open", 'quo"te', "Größe", "back\\slash", "x y"], rng.randint(1, 4))
    return {
        "type": "object",
        "properties": {name: some_schema(rng, depth) for name in names},
        "required": names,
        "additionalProperties": False,
    }


async def test_llama_cpp_takes_every_grammar_that_we_write_and_keeps_to_it(make: Make, gguf: Path) -> None:
    model = make(gguf)
    rng = random.Random(7)
    for _ in range(40):
        schema = some_object(rng)
        done = await model.complete(prompt(schema=schema, user="go", max_tokens=1500), deadline_s=DEADLINE_S)
        try:
            jsonschema.validate(json.loads(done.text), schema)
        except jsonschema.ValidationError as error:
            pytest.fail(f"{error.message} by {gbnf(schema)}")


async def test_a_local_model_sees_pictures(make: Make, gguf: Path, projector: Path, jpegs: list[bytes]) -> None:
    model = make(gguf, projector=projector)
    assert model.sees
    blind = await model.complete(prompt(), deadline_s=DEADLINE_S)
    seen = [await model.complete(prompt(picture(jpeg)), deadline_s=DEADLINE_S) for jpeg in jpegs]
    both = await model.complete(prompt(*map(picture, jpegs)), deadline_s=DEADLINE_S)
    for done in (*seen, both):
        jsonschema.validate(json.loads(done.text), SCHEMA)
    assert seen[0].input_tokens - blind.input_tokens >= 16
    assert both.input_tokens - seen[0].input_tokens >= 16


@pytest.fixture(scope="module")
def jpegs() -> list[bytes]:
    import cv2
    import numpy as np

    shades = [np.full((48, 64, 3), shade, np.uint8) for shade in (20, 230)]
    return [cv2.imencode(".jpg", shade)[1].tobytes() for shade in shades]


async def test_without_a_projector_it_takes_no_pictures(make: Make, gguf: Path) -> None:
    model = make(gguf)
    assert not model.sees
    with pytest.raises(BlindError, match="projector"):
        await model.complete(prompt(picture(b"jpeg")), deadline_s=DEADLINE_S)
    assert model._process is None


async def test_too_long_a_prompt_is_reported_as_such(make: Make, gguf: Path) -> None:
    model = make(gguf, context_tokens=512)
    with pytest.raises(TooLongError):
        await model.complete(prompt(user="person " * 500), deadline_s=DEADLINE_S)


async def test_it_is_served_to_who_has_the_key_and_the_key_is_on_no_command_line(make: Make, gguf: Path) -> None:
    model = make(gguf)
    await model.complete(prompt(), deadline_s=DEADLINE_S)
    process, url = model._process, model._process.ready.result()  # type: ignore[union-attr]
    assert process is not None
    assert await process.healthy(url)
    child = process_of(model)
    assert process.key not in " ".join(child.cmdline())
    with contextlib.suppress(psutil.AccessDenied):  # nobody but root can read it at all
        assert process.key not in str(child.environ())
    port = urlsplit(url).port
    listening = [c for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN and c.laddr.port == port]
    assert [c.laddr.ip for c in listening] == ["127.0.0.1"]
    process.key = "guessed"
    assert not await process.healthy(url)


async def test_it_gives_way_to_frames_and_goes_first_where_memory_ends(make: Make, gguf: Path) -> None:
    model = make(gguf)
    await model.complete(prompt(), deadline_s=DEADLINE_S)
    child = process_of(model)
    assert child.nice() >= 10
    assert Path(f"/proc/{child.pid}/oom_score_adj").read_text().strip() == "800"


async def test_a_crash_of_it_leaves_no_core_dump(make: Make, gguf: Path) -> None:
    model = make(gguf)
    await model.complete(prompt(), deadline_s=DEADLINE_S)
    limits = Path(f"/proc/{process_of(model).pid}/limits").read_text()
    assert re.search(r"Max core file size +0 +0 ", limits)


async def test_after_a_crash_while_idle_the_next_call_works(make: Make, gguf: Path) -> None:
    model = make(gguf)
    await model.complete(prompt(), deadline_s=DEADLINE_S)
    dead = process_of(model)
    dead.kill()
    await until(lambda: not dead.is_running())
    await model.complete(prompt(), deadline_s=DEADLINE_S)
    assert process_of(model) != dead


def long(**changed: Any) -> Any:
    """A prompt whose answer takes seconds."""
    many = {"type": "string", "minLength": 990, "maxLength": 1000}
    properties = {f"p{i}": many for i in range(5)}
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return prompt(**{"schema": schema, "max_tokens": 7000, **changed})


async def test_a_crash_in_the_middle_of_an_answer_is_away_and_the_next_call_works(make: Make, gguf: Path) -> None:
    model = make(gguf, context_tokens=8192)
    await model.complete(prompt(), deadline_s=DEADLINE_S)
    child = process_of(model)
    idle_s = child.cpu_times().user
    call = asyncio.ensure_future(model.complete(long(), deadline_s=DEADLINE_S))
    await until(lambda: child.cpu_times().user > idle_s + 0.1)
    child.send_signal(signal.SIGSEGV)
    with pytest.raises(AwayError, match="killed by SIGSEGV"):
        await call
    await model.complete(prompt(), deadline_s=DEADLINE_S)


@in_time
async def test_a_process_that_hangs_is_away_in_time_and_replaced_by_the_next_call(
    make: Make, gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blikk_edge.llm.llama.HEALTH_S", 0.3)
    model = make(gguf)
    await model.complete(prompt(), deadline_s=DEADLINE_S)
    hung = process_of(model)
    hung.suspend()
    began = time.monotonic()
    with pytest.raises(AwayError):
        await model.complete(prompt(), deadline_s=0.5)
    assert time.monotonic() - began < 5.0
    await model.complete(prompt(), deadline_s=DEADLINE_S)
    assert process_of(model) != hung
    assert not hung.is_running()


@in_time
async def test_a_call_that_was_given_up_frees_the_model(make: Make, gguf: Path) -> None:
    model = make(gguf, context_tokens=8192)
    await model.complete(prompt(), deadline_s=DEADLINE_S)
    same = process_of(model)
    with pytest.raises(AwayError):
        await model.complete(long(), deadline_s=0.3)
    began = time.monotonic()
    await model.complete(prompt(), deadline_s=DEADLINE_S)
    assert time.monotonic() - began < 5.0
    assert process_of(model) == same


def children() -> list[psutil.Process]:
    there = [each for each in psutil.Process().children() if each.status() != psutil.STATUS_ZOMBIE]
    return [each for each in there if "llama_child" in " ".join(each.cmdline())]


async def test_calls_at_once_share_one_process(make: Make, gguf: Path) -> None:
    model = make(gguf)
    for _ in range(2):
        await asyncio.gather(*(model.complete(prompt(), deadline_s=DEADLINE_S) for _ in range(3)))
        assert children() == [process_of(model)]
        dead = process_of(model)
        dead.kill()
        await until(lambda dead=dead: not dead.is_running())  # type: ignore[misc]


async def test_a_call_that_ends_while_it_loads_is_away_and_the_loading_goes_on(make: Make, gguf: Path) -> None:
    model = make(gguf)
    with pytest.raises(AwayError, match="still loading"):
        await model.complete(prompt(), deadline_s=0.01)
    same = process_of(model)
    await model.complete(prompt(), deadline_s=DEADLINE_S)
    assert process_of(model) == same


async def test_loading_has_a_limit(make: Make, gguf: Path) -> None:
    model = make(gguf, load_s=0.01)
    with pytest.raises(AwayError, match=r"not loaded within 0\.01 s"):
        await model.complete(prompt(), deadline_s=DEADLINE_S)
    assert model._process is None


def missing(folder: Path) -> Path:
    return folder / "missing.gguf"


def a_folder(folder: Path) -> Path:
    return folder


def a_web_page(folder: Path) -> Path:
    (folder / "page.gguf").write_text("<html>")
    return folder / "page.gguf"


@pytest.mark.parametrize(
    ("written", "said"),
    [(missing, "No such file"), (a_folder, "Is a directory"), (a_web_page, "no GGUF file")],
)
async def test_a_file_that_is_no_model_is_refused_by_its_path(
    make: Make, tmp_path: Path, written: Callable[[Path], Path], said: str
) -> None:
    path = written(tmp_path)
    model = make(path)
    for _ in range(2):
        with pytest.raises(RefusedError, match=said) as caught:
            await model.complete(prompt(), deadline_s=DEADLINE_S)
        assert str(path) in str(caught.value)
    assert model._process is None


async def test_a_model_that_was_cut_off_is_refused_and_not_loaded_again_and_again(
    make: Make, gguf: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(gguf.read_bytes()[: gguf.stat().st_size // 2])
    model = make(cut)
    for _ in range(4):
        with pytest.raises(RefusedError, match="corrupted or incomplete") as caught:
            await model.complete(prompt(), deadline_s=DEADLINE_S)
        assert str(cut) in str(caught.value)
    assert len([r for r in caplog.records if r.name == "blikk.llm"]) == 2  # then it rests


@pytest.mark.parametrize(("ends", "words"), [(True, "the file is cut off"), (False, "check the input params")])
async def test_why_a_model_cannot_be_loaded_is_said_though_it_is_logged_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: bool, words: str
) -> None:
    late = (
        "time.sleep(0.3)\nprint('error loading model: the file is cut off', file=sys.stderr)"  # llama.cpp has a thread
    )
    report = json.dumps({"failed": "RuntimeError: check the input params"})
    child = f"import sys, time\nprint({report!r}, flush=True)\n{late if ends else 'time.sleep(600)'}\n"
    (tmp_path / "late_words.py").write_text(child)
    monkeypatch.setattr(llama_process, "_HOME", tmp_path)
    monkeypatch.setattr(llama_process, "_CHILD", "late_words")
    if not ends:
        monkeypatch.setattr(llama_process, "LAST_WORDS_S", 0.1)
    order = Order(
        engine="xllamacpp", model="", projector=None, name="", context_tokens=0, threads=1, key="", parent=os.getpid()
    )
    process = llama_process.LlamaProcess(order, who="the model")
    try:
        with pytest.raises(RefusedError, match=f"the model: llama.cpp cannot load it: .*{words}"):
            await process.ready
    finally:
        await process.kill()


async def test_a_projector_that_fits_no_model_is_refused(make: Make, gguf: Path) -> None:
    model = make(gguf, projector=gguf)
    with pytest.raises(RefusedError, match="tiny"):
        await model.complete(prompt(), deadline_s=DEADLINE_S)


async def test_a_process_that_dies_again_and_again_is_given_pauses(
    make: Make, gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blikk_edge.llm.llama_process._CHILD", "blikk_edge.no_such_module")
    model = make(gguf, clock=VirtualClock(0.0))  # in which no pause ends
    errors: list[LlmError] = []
    for _ in range(4):
        with pytest.raises(AwayError) as caught:
            await model.complete(prompt(), deadline_s=DEADLINE_S)
        errors.append(caught.value)
    assert "no_such_module" in str(errors[0])
    assert [type(error) for error in errors] == [AwayError, AwayError, BusyError, BusyError]
    assert isinstance(errors[2], BusyError)
    assert 0 < (errors[2].retry_after_s or 0) <= 1.0


async def test_of_a_process_that_ends_before_it_is_asked_it_is_said_why(monkeypatch: pytest.MonkeyPatch) -> None:
    before = set(psutil.Process().children())

    class Late(Order):
        def line(self) -> bytes:
            (child,) = set(psutil.Process().children()) - before
            end = time.monotonic() + 60 * PATIENCE
            while child.status() != psutil.STATUS_ZOMBIE:
                assert time.monotonic() < end, "it did not end"
                time.sleep(0.01)
            return super().line()

    monkeypatch.setattr(llama_process, "_CHILD", "blikk_edge.no_such_module")
    order = Late(
        engine="xllamacpp", model="", projector=None, name="", context_tokens=0, threads=1, key="", parent=os.getpid()
    )
    process = llama_process.LlamaProcess(order, who="the model")
    with pytest.raises(AwayError, match="no_such_module"):
        await process.ready
    await process.kill()


async def test_close_ends_the_process_and_a_later_call_starts_it_again(make: Make, gguf: Path) -> None:
    model = make(gguf)
    await model.complete(prompt(), deadline_s=DEADLINE_S)
    ended = process_of(model)
    await model.close()
    assert not ended.is_running()
    await model.complete(prompt(), deadline_s=DEADLINE_S)


PARENT = """
import asyncio, sys
from pathlib import Path
from blikk_edge.core.clock import SystemClock
from blikk_edge.llm.llama import LlamaModel
from test_llm_local import prompt
async def main():
    model = LlamaModel(path=Path(sys.argv[1]), clock=SystemClock(), threads=1)
    await model.complete(prompt(), deadline_s=60)
    print(model._process.pid, flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


async def test_it_dies_with_us_however_we_die(gguf: Path) -> None:
    here = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(gguf)], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": here}
    )
    with parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        assert child.is_running()
        parent.kill()
    await until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


@pytest.mark.parametrize(("engine", "extra"), [(None, "llama"), ("xllamacpp", "llama"), ("llama_cpp", "llama-cpp")])
def test_an_engine_that_is_not_installed_is_reported_with_the_way_to_it(
    gguf: Path, monkeypatch: pytest.MonkeyPatch, engine: str | None, extra: str
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(RefusedError, match=rf"/python[0-9.]* -m pip install 'blikk-edge\[{extra}\]'"):
        LlamaModel(path=gguf, clock=SystemClock(), engine=engine)
