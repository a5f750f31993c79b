"""Providers by name: ours, one that stands in the guide and really runs, and broken ones that are reported clearly."""

import base64
import json
import re
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import voluptuous as vol
from aiohttp import web
from llm_asking import KEY, SCHEMA, picture, prompt

from blikk_edge.core.clock import SystemClock
from blikk_edge.core.errors import LlmError
from blikk_edge.grammar.secrets import Secret
from blikk_edge.kinds.chosen import chosen
from blikk_edge.kinds.plugins import PluginError
from blikk_edge.llm.kinds import MODELS
from blikk_edge.llm.llama import LlamaModel
from blikk_edge.llm.openai_api import OpenAiModel
from blikk_edge.llm.port import (
    AwayError,
    BlindError,
    BusyError,
    GarbledError,
    LanguageModel,
    ModelContext,
    RefusedError,
    TooLongError,
)

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "language-models.md"
CLOCK = SystemClock()

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs a module with an entry point, as a package's installation does."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(MODELS, "_found", {})
    modules = set(sys.modules)

    def install(module: str, code: str, entry_point: str, distribution: str | None = None) -> None:
        (tmp_path / f"{module}.py").write_text(code)
        info = tmp_path / f"{distribution or module}-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution or module}\nVersion: 1\n")
        (info / "entry_points.txt").write_text(f"[blikk.language_models]\n{entry_point}\n")

    yield install
    for name in set(sys.modules) - modules:
        if name.startswith(("blikk_messages", "plug_")):
            del sys.modules[name]


def language_model(provider: str, options: dict[str, Any]) -> LanguageModel:
    """The model, made of options as they stand in `blikk.yaml`."""
    return chosen(MODELS, provider, options, Path()).make(ModelContext(clock=CLOCK))


# -- ours ------------------------------------------------------------------------------------------------------------


def test_openai_is_made_of_its_options() -> None:
    model = language_model("openai", {"base_url": "http://127.0.0.1:1/v1", "model": "m", "image_tokens": "85"})
    assert isinstance(model, OpenAiModel)
    assert (model.name, model.sees) == ("m", True)


def test_llama_is_made_of_its_options(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp", reason="xllamacpp is in the llama extra")
    (tmp_path / "p.gguf").touch()
    model = language_model("llama", {"model": str(tmp_path / "a.gguf"), "projector": str(tmp_path / "p.gguf")})
    assert isinstance(model, LlamaModel)
    assert (model.name, model.sees) == ("a", True)


@pytest.mark.parametrize(
    ("provider", "options", "said"),
    [
        ("openai", {"base_url": "http://a/v1"}, "`model` is missing"),
        ("openai", {"model": "m"}, "`base_url` is missing"),
        ("openai", {"model": "m", "base_url": "http://a/v1", "base_ulr": "x"}, "the key `base_ulr` is not known here"),
        ("llama", {}, "`model` is missing"),
        ("llama", {"model": "m", "thread": "1"}, "the key `thread` is not known here"),
    ],
)
def test_what_is_wrong_with_options_of_ours_is_reported(provider: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(vol.Invalid, match=re.escape(said)):
        language_model(provider, options)


@pytest.mark.parametrize(
    ("provider", "said"),
    [
        ("opnai", "no language model 'opnai'; did you mean 'openai'?"),
        ("", "no language model ''"),
        ("x" * 5000, "no language model"),
    ],
)
def test_a_provider_that_is_not_there_is_reported_with_what_was_meant(provider: str, said: str) -> None:
    with pytest.raises(PluginError, match=re.escape(said)) as caught:
        language_model(provider, {})
    assert len(str(caught.value)) < 400


# -- the example of the guide ----------------------------------------------------------------------------------------


class MessagesApi:
    """The Messages API as its documentation describes it, strict about what it is sent."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.answers: list[web.Response] = []

    async def handle(self, request: web.Request) -> web.Response:
        assert request.headers["anthropic-version"] == "2023-06-01"
        if request.headers.get("x-api-key") != KEY:
            return self.error(401, "authentication_error", f"invalid x-api-key: {request.headers.get('x-api-key')}")
        body = await request.json()
        self.asked.append(body)
        if self.answers:
            return self.answers.pop(0)
        (tool,) = body["tools"]
        assert body["tool_choice"] == {"type": "tool", "name": tool["name"]}
        assert {"model", "max_tokens", "system", "messages"} <= set(body)
        return web.json_response(self.answer({"type": "tool_use", "id": "1", "name": tool["name"], "input": {"a": 1}}))

    @staticmethod
    def answer(*content: dict[str, Any], why: str = "tool_use") -> dict[str, Any]:
        usage = {"input_tokens": 321, "output_tokens": 45}
        return {"type": "message", "model": "m-1", "content": content, "stop_reason": why, "usage": usage}

    @staticmethod
    def error(status: int, kind: str, message: str, **headers: str) -> web.Response:
        body = {"type": "error", "error": {"type": kind, "message": message}}
        return web.json_response(body, status=status, headers={n.replace("_", "-"): v for n, v in headers.items()})


@pytest.fixture
async def api() -> AsyncIterator[MessagesApi]:
    api = MessagesApi()
    app = web.Application(client_max_size=10_000_000)
    app.router.add_post("/v1/messages", api.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    api.port = runner.addresses[0][1]  # type: ignore[attr-defined]
    yield api
    await runner.cleanup()


@pytest.fixture
async def messages(api: MessagesApi, install: Install) -> AsyncIterator[LanguageModel]:
    page = GUIDE.read_text()
    (code,) = re.findall(r"^```python\n(.*?)^```$", page, re.S | re.M)
    (entry,) = re.findall(r'^\[project\.entry-points\."blikk\.language_models"\]\n(.+)$', page, re.M)
    install("blikk_messages", code, entry.replace('"', ""))
    model = language_model("messages", options_for(api))
    yield model
    await model.close()


def options_for(api: MessagesApi, **changed: Any) -> dict[str, Any]:
    base_url = f"http://127.0.0.1:{api.port}"  # type: ignore[attr-defined]
    return {"base_url": base_url, "model": "m", "api_key": KEY, **changed}


async def test_the_example_of_the_guide_answers(messages: LanguageModel, api: MessagesApi) -> None:
    done = await messages.complete(prompt(max_tokens=99), deadline_s=5)
    assert (json.loads(done.text), done.model, done.input_tokens, done.output_tokens) == ({"a": 1}, "m-1", 321, 45)
    assert not done.estimated
    (body,) = api.asked
    assert (body["model"], body["max_tokens"], body["system"]) == ("m", 99, prompt().system)
    assert body["messages"] == [{"role": "user", "content": [{"type": "text", "text": prompt().user}]}]
    assert body["tools"][0]["input_schema"] == SCHEMA
    assert "messages" in MODELS.names()


async def test_the_example_of_the_guide_sends_pictures_as_they_are(messages: LanguageModel, api: MessagesApi) -> None:
    await messages.complete(prompt(picture(b"one"), picture(b"two")), deadline_s=5)
    *images, _ = api.asked[0]["messages"][0]["content"]
    assert [base64.b64decode(image["source"]["data"]) for image in images] == [b"one", b"two"]
    assert {image["source"]["media_type"] for image in images} == {"image/jpeg"}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (lambda: MessagesApi.error(429, "rate_limit_error", "slow down", retry_after="7"), BusyError),
        (lambda: MessagesApi.error(529, "overloaded_error", "Overloaded"), AwayError),
        (lambda: MessagesApi.error(500, "api_error", "oops"), AwayError),
        (lambda: MessagesApi.error(404, "not_found_error", "model: m"), RefusedError),
        (lambda: MessagesApi.error(400, "invalid_request_error", "prompt is too long: 210000 tokens"), TooLongError),
        (lambda: MessagesApi.error(400, "invalid_request_error", "this model does not support images"), BlindError),
        (lambda: web.Response(text="<html>", content_type="text/html"), GarbledError),
        (lambda: web.json_response([]), GarbledError),
        (lambda: web.json_response({"content": []}), GarbledError),
        (lambda: web.json_response(MessagesApi.answer({"type": "text", "text": "no"})), GarbledError),
        (lambda: web.json_response(MessagesApi.answer(why="max_tokens")), GarbledError),
        (lambda: web.Response(status=307, headers={"Location": "http://127.0.0.1:9/"}), RefusedError),
        (lambda: web.Response(body=b"x" * 2_000_000), GarbledError),
    ],
)
async def test_the_example_of_the_guide_raises_what_it_should_and_goes_on(
    messages: LanguageModel, api: MessagesApi, answer: Callable[[], web.Response], expected: type[LlmError]
) -> None:
    api.answers.append(answer())
    with pytest.raises(LlmError) as caught:
        await messages.complete(prompt(picture(b"jpeg")), deadline_s=5)
    assert type(caught.value) is expected
    if isinstance(caught.value, BusyError):
        assert caught.value.retry_after_s == 7.0
    assert json.loads((await messages.complete(prompt(), deadline_s=5)).text) == {"a": 1}


@pytest.mark.usefixtures("messages")
async def test_the_example_of_the_guide_does_not_show_the_key(api: MessagesApi) -> None:
    model = language_model("messages", options_for(api, api_key="sk-wrong"))
    with pytest.raises(RefusedError, match="api_key") as caught:
        await model.complete(prompt(), deadline_s=5)
    assert "sk-wrong" not in str(caught.value)
    await model.close()


@pytest.mark.usefixtures("messages")
def test_the_example_of_the_guide_says_what_is_missing() -> None:
    with pytest.raises(RefusedError, match="model and api_key missing"):
        language_model("messages", {})


# -- plug-ins that are broken ----------------------------------------------------------------------------------------

BROKEN = {
    "syntax": ("def (", "SyntaxError"),
    "import": ("import no_such_module_at_all", "no_such_module_at_all"),
    "at import": ("raise RuntimeError('because')", "because"),
    "no function": ("make = 7", "is no Kind, and no function that makes one"),
    "no such name": ("", "cannot be loaded"),
    "other arguments": ("def make(): ...", "TypeError"),
    "fails": ("def make(options, clock): raise ValueError('your key ' + options['api_key'])", "your key ***"),
    "nothing": ("def make(options, clock): ...", "lacks async complete(), async close(), name: str, sees: bool"),
    "not async": (
        "class M:\n name, sees = 'm', True\n def complete(s): ...\n async def close(s): ...\nmake = lambda o, c: M()",
        "made M, which lacks async complete()",
    ),
}


@pytest.mark.parametrize(("code", "said"), BROKEN.values(), ids=BROKEN)
def test_a_broken_plug_in_is_reported_by_name_and_cause(install: Install, code: str, said: str) -> None:
    install("plug_broken", code, "mine = plug_broken:make")
    with pytest.raises(PluginError, match=re.escape(said)) as caught:
        language_model("mine", {"api_key": Secret(KEY)})
    assert "mine" in str(caught.value)
    assert KEY not in str(caught.value)


def test_an_error_of_the_plug_in_for_its_user_stays_as_it_is(install: Install) -> None:
    code = "from blikk_edge.llm.port import RefusedError\ndef make(o, c): raise RefusedError('set region')"
    install("plug_asks", code, "mine = plug_asks:make")
    with pytest.raises(RefusedError, match=r"^set region$"):
        language_model("mine", {})


def test_two_plug_ins_of_one_name_are_reported(install: Install) -> None:
    install("plug_one", "", "mine = plug_one:make")
    install("plug_two", "", "mine = plug_two:make")
    with pytest.raises(PluginError, match=r"several plug-ins .*plug_one:make, plug_two:make"):
        language_model("mine", {})


def test_a_plug_in_does_not_take_the_name_of_ours(install: Install) -> None:
    install("plug_thief", "raise RuntimeError", "openai = plug_thief:make")
    assert isinstance(language_model("openai", {"base_url": "http://127.0.0.1:1/v1", "model": "m"}), OpenAiModel)
