"""Summaries, questions and the webhook in a configuration."""

from types import SimpleNamespace

import pytest

from blikk_edge.config import check, load
from blikk_edge.core.clock import SystemClock
from blikk_edge.core.status import SummaryMode
from blikk_edge.core.summary import AnswerKind
from blikk_edge.enrichers.questions.kind import QuestionSettings
from blikk_edge.enrichers.summaries.kind import SummarySettings
from blikk_edge.grammar.secrets import Secret
from blikk_edge.kinds.chosen import Chosen
from blikk_edge.llm.kinds import MODELS, _adapted
from blikk_edge.llm.openai import OpenAiOptions
from blikk_edge.llm.port import ModelContext
from blikk_edge.llm.queue.budget import Limits
from blikk_edge.sinks.webhook import KIND, WebhookOptions, WebhookUrl
from blikk_edge.wire.topics import Topics

HEAD = "node: hallway\nmqtt: broker.local\n"
CAMERAS = "cameras: {front_door: {source: 'rtsp://cam/1'}}\n"


def settings(write, text: str):
    return load(write(HEAD + CAMERAS + text), environ={})


def test_without_a_word_the_template_writes(write):
    assert settings(write, "").summary == SummarySettings(provider="template")


def test_summaries_can_be_turned_off(write):
    assert settings(write, "summary: false").summary is None


def test_any_openai_compatible_address_can_write(write):
    got = settings(
        write,
        "summary: {provider: openai, mode: vision, base_url: 'http://127.0.0.1:8080/v1', model: qwen, api_key: k,\n"
        "  limits: {calls_per_day: 0, price_input: 0.1, price_output: 2, currency: EUR, cost_per_day: 1}}",
    ).summary
    options = OpenAiOptions(base_url="http://127.0.0.1:8080/v1", model="qwen", api_key=Secret("k"))
    assert got == SummarySettings(
        provider="openai",
        mode=SummaryMode.VISION,
        model=Chosen(kinds=MODELS, name="openai", options=options),
        limits=Limits(calls_per_day=0, price_input=0.1, price_output=2.0, currency="EUR", cost_per_day=1.0),
    )
    assert "'k'" not in repr(got)


def test_a_local_model_is_a_path_from_the_folder_of_the_file(write, tmp_path):
    assert settings(write, "summary: {provider: llama, model: m/tiny.gguf}").summary.model.options.model == (
        tmp_path / "m/tiny.gguf"
    )


def test_a_plug_in_of_the_first_port_is_given_its_options_as_texts(write, monkeypatch):
    monkeypatch.setattr(MODELS, "_found", {"my_model": _adapted("my_model", lambda options, clock: options)})
    text = "summary: {provider: my_model, model: m, api_key: k, options: {region: eu, level: 3}}"
    got = settings(write, text).summary
    assert got.provider == "my_model"
    assert got.model.options == {"model": "m", "api_key": Secret("k"), "region": "eu", "level": "3"}
    kind = MODELS.get("my_model")
    given = kind.make(got.model.options, ModelContext(clock=SystemClock()))
    assert given == {"model": "m", "api_key": "k", "region": "eu", "level": "3"}


def test_what_a_service_wants_to_be_asked_has_a_key_each(write):
    got = settings(
        write,
        "summary:\n  provider: openai\n  base_url: http://127.0.0.1:8080/v1\n  model: qwen\n"
        "  structured: any_object\n  stream: always\n  tokens_field: none\n  system_role: user\n  temperature: none\n"
        "  fields:\n    enable_thinking: false\n    seed: 7\n    top_p: 0.9\n    reasoning_effort: low\n    user: ~\n"
        "    stop: [a, 'b']\n    chat_template_kwargs: {enable_thinking: false}\n",
    ).summary.model.options
    assert (got.structured, got.stream, got.tokens_field, got.system_role, got.temperature) == (
        *("any_object", "always", "none", "user"),
        None,
    )
    assert got.fields == {
        "enable_thinking": False,
        "seed": 7,
        "top_p": 0.9,
        "reasoning_effort": "low",
        "user": None,
        "stop": ["a", "b"],
        "chat_template_kwargs": {"enable_thinking": False},
    }


def test_questions_stand_at_their_camera(write):
    path = write(
        f"{HEAD}cameras:\n  gate:\n    source: 'rtsp://cam/1'\n    questions:\n      open: Is it open?\n"
        "      bins: {ask: 'Which bins?', answer: text, every_s: 1h}\n"
    )
    assert load(path, environ={}).cameras[0].questions == (
        QuestionSettings(id="open", ask="Is it open?"),
        QuestionSettings(id="bins", ask="Which bins?", answer=AnswerKind.TEXT, every_s=3600.0),
    )


def test_a_web_address_alone_is_a_webhook(write):
    expected = WebhookOptions(url=WebhookUrl("https://hooks.local/x"))
    assert settings(write, "webhook: https://hooks.local/x").webhook == expected


def test_the_path_of_a_webhook_may_be_a_secret_and_is_never_shown(write, tmp_path):
    (tmp_path / "secrets.yaml").write_text("hook: https://hooks.local:8443/services/T0/tr0ub4dor\n")
    (tmp_path / "secrets.yaml").chmod(0o600)
    got = settings(write, "webhook: !secret hook")
    assert got.webhook.url.reveal() == "https://hooks.local:8443/services/T0/tr0ub4dor"
    assert {str(got.webhook.url), f"{got.webhook.url}", got.webhook.url.public} == {"https://hooks.local:8443"}
    assert "https://hooks.local:8443" in repr(got.webhook)
    assert "tr0ub4dor" not in repr(got)
    hook = KIND.make(got.webhook, SimpleNamespace(topics=Topics("blikk", "hallway")))
    assert hook._url == got.webhook.url.reveal()
    assert "tr0ub4dor" not in repr(hook)


def test_a_secret_that_is_no_webhook_address_is_refused_without_a_word_of_it(write, tmp_path):
    (tmp_path / "secrets.yaml").write_text("hook: https://user:tr0ub4dor@hooks.local/x\n")
    (tmp_path / "secrets.yaml").chmod(0o600)
    (problem,) = check(write(HEAD + CAMERAS + "webhook: {url: !secret hook}"), {})
    assert "plain web address" in str(problem)
    assert "tr0ub4dor" not in str(problem)


@pytest.mark.parametrize(
    ("text", "path", "says"),
    [
        ("summary: openai", "summary.provider", "without `base_url`"),
        ("summary: {provider: openai, base_url: 'http://h/v1'}", "summary.provider", "without `model`"),
        ("summary: llama", "summary.provider", "without `model`"),
        ("summary: {model: qwen}", "summary.model", "without a provider"),
        ("summary: {mode: off}", "summary.mode", "`text`"),
        ("summary: {limits: {cost_per_day: 1}}", "summary.limits.cost_per_day", "without prices"),
        ("summary: {limits: {calls_per_minute: 0}}", "summary.limits.calls_per_minute", "out of range"),
        ("summary: {provider: a, options: [b]}", "summary.options", "not a mapping"),
        ("summary: {provider: a, options: {b: {c: d}}}", "summary.options.b", "one value"),
        ("summary: {stream: perhaps}", "summary.stream", "`auto`"),
        ("summary: {temperature: 3}", "summary.temperature", "out of range"),
        ("summary: {tokens_field: max}", "summary.tokens_field", "`max_tokens`"),
        ("summary: {fields: low}", "summary.fields", "not a mapping"),
        ("summary: {fields: {stream: true}}", "summary.fields.stream", "a key of its own"),
        ("summary: {fields: {messages: []}}", "summary.fields.messages", "writes itself"),
        ("summary: {fields: {a: {b: {c: {d: {e: 1}}}}}}", "summary.fields.a", "too deeply"),
        ("webhook: {url: 'https://h', tell: [events]}", "webhook.tell[0]", "Did you mean `event`?"),
        ("webhook: 'https://user:pw@h'", "webhook.url", "plain web address"),
    ],
)
def test_what_is_wrong_is_said_with_its_path(write, text, path, says):
    (problem,) = check(write(HEAD + CAMERAS + text), {})
    assert problem.path == path
    assert says in str(problem)


def test_a_question_is_short(write):
    text = f"{HEAD}cameras: {{gate: {{source: 'rtsp://cam/1', questions: {{a: '{'why ' * 60}'}}}}}}"
    (problem,) = check(write(text), {})
    assert "too long" in problem.text


@pytest.mark.parametrize(
    ("camera", "rest", "path", "says"),
    [
        ("{source: push}", "", "cameras.front.source", "without `push_token`"),
        ("{source: push, push_token: short}", "", "cameras.front.push_token", "guessed"),
        ("{source: push, push_token: 0123456789abcdef, rotate: 90}", "", "cameras.front.rotate", "blikk push --rotate"),
        ("{source: 'rtsp://c/1', push_token: 0123456789abcdef}", "", "cameras.front.push_token", "without `source"),
        ("{source: 'rtsp://c/1'}", "http: {tokens: {view: short}}", "http.tokens.view", "guessed"),
        (
            "{source: 'rtsp://c/1'}",
            "http: {host: 10.0.0.1, tokens: {view: 0123456789abcdef}}",
            "http.host",
            "without `tls`",
        ),
        ("{source: 'rtsp://c/1'}", "http: {host: 10.0.0.1}", "http.host", "without `tokens`"),
        (
            "{source: 'rtsp://c/1'}",
            "http: {host: 0.0.0.0, tokens: {view: 0123456789abcdef}}",
            "http.host",
            "without `url`",
        ),
        ("{source: 'rtsp://c/1'}", "http: {tls: {certificate: none.pem}}", "http.tls.certificate", "no such file"),
    ],
)
def test_an_open_door_is_refused(write, camera, rest, path, says):
    problems = check(write(f"{HEAD}cameras: {{front: {camera}}}\n{rest}"), {})
    assert path in {problem.path for problem in problems}
    assert any(says in str(problem) for problem in problems)


def test_a_camera_may_be_brought_by_an_edge_client(write):
    text = f"{HEAD}http: true\ncameras: {{shed: {{source: push, push_token: 0123456789abcdef}}}}"
    camera = load(write(text), environ={}).cameras[0]
    assert camera.pushed
    assert camera.push_token == Secret("0123456789abcdef")


PLAIN = (
    CAMERAS + "http: {host: 0.0.0.0, tokens: {view: 0123456789abcdef}, url: 'http://local-blikk:8428'}\nmedia: true\n"
)


def test_inside_the_home_assistant_app_pictures_need_no_tls(write):
    http = load(write(HEAD + PLAIN), environ={"BLIKK_APP": "1"}).http
    assert http is not None
    assert (http.host, http.tls, http.address) == ("0.0.0.0", None, "http://local-blikk:8428")
    assert http.in_the_clear
    assert not load(write(HEAD + CAMERAS + "http: true\n"), environ={}).http.in_the_clear


@pytest.mark.parametrize("environ", [{}, {"BLIKK_APP": ""}, {"BLIKK_APP": "0"}, {"BLIKK_APP": "true"}])
def test_anywhere_else_they_do(write, environ: dict[str, str]):
    (problem,) = check(write(HEAD + PLAIN), environ)
    assert problem.path == "http.host"
    assert "without `tls`" in problem.text


def test_the_app_opens_no_other_server_without_tls(write):
    text = CAMERAS + "sinks: {zeromq: {host: 0.0.0.0}}\n"
    (problem,) = check(write(HEAD + text), {"BLIKK_APP": "1"})
    assert problem.path == "sinks.zeromq.host"
