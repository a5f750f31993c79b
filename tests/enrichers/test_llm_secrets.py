"""Keys stay out of every text, prompts stay with the endpoint that was configured, and so do pictures."""

import logging
import ssl
import sys
import traceback
from typing import Any

import httpx2
import pytest
from llm_asking import KEY, model_at, picture, prompt
from llm_server import LlmServer, Say, refusal

from blikk_edge.core.errors import LlmError
from blikk_edge.llm.openai_client import Client
from blikk_edge.llm.port import RefusedError

ECHOES = [
    refusal(400, f"bad request, you sent Bearer {KEY}"),
    refusal(401, f"Incorrect API key provided: {KEY}"),
    refusal(404, f"no model for {KEY}"),
    refusal(429, f"{KEY} is too fast"),
    refusal(500, f"dump: {KEY}", code=KEY),
    Say(status=500, body=f"dump: {KEY}", kind="text/plain"),
    Say(body={"error": {"message": f"dump: {KEY}"}}),
    Say(body={"detail": KEY}, status=422),
    Say(text=f"the key is {KEY}"),
]


@pytest.mark.parametrize("say", ECHOES)
async def test_a_key_that_an_endpoint_repeats_is_in_no_error_and_no_log(
    say: Say, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with LlmServer() as server:
        server.say(say)
        model = model_at(server.base_url)
        with pytest.raises(LlmError) as caught:
            await model.complete(prompt(), deadline_s=5)
        await model.close()
    assert KEY not in "".join(traceback.format_exception(caught.value))
    assert KEY not in caplog.text
    assert KEY not in repr(model)
    assert prompt().user not in caplog.text


@pytest.mark.parametrize("key", ["sk-ünïcode", "sk-two\nlines", "sk two words", "sk-\x00"])
def test_a_key_that_cannot_be_one_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(RefusedError, match="api_key") as caught:
        model_at("http://127.0.0.1:1/v1", api_key=key)
    assert key not in str(caught.value)


async def test_the_line_end_of_a_secrets_file_is_no_part_of_a_key() -> None:
    async with LlmServer() as server:
        model = model_at(server.base_url, api_key=f"{KEY}\n")
        await model.complete(prompt(), deadline_s=5)
        await model.close()
    assert server.asked[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_takes_nothing_elsewhere(status: int) -> None:
    async with LlmServer() as server, LlmServer() as elsewhere:
        server.say(Say(status=status, headers={"Location": f"{elsewhere.base_url}/chat/completions"}, body=b""))
        model = model_at(server.base_url)
        with pytest.raises(RefusedError, match="redirects"):
            await model.complete(prompt(picture(b"jpeg")), deadline_s=5)
        await model.close()
    assert elsewhere.asked == []


PROXIES = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"]


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PROXIES, "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("no_proxies")
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_no_proxy_stands_before_this_machine(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    async with LlmServer() as server, LlmServer() as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{proxy.port}")
        model = model_at(f"http://{host}:{server.port}/v1")
        await model.complete(prompt(), deadline_s=5)
        await model.close()
    assert (len(server.asked), len(proxy.asked)) == (1, 0)


@pytest.mark.usefixtures("no_proxies")
async def test_a_proxy_serves_for_other_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    async with LlmServer() as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        model = model_at("http://llm.invalid/v1", api_key=None)
        await model.complete(prompt(), deadline_s=5)
        await model.close()
    assert proxy.asked[0].path == "http://llm.invalid/v1/chat/completions"


def test_a_key_that_would_go_in_the_clear_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    model_at("http://192.0.2.7:11434/v1")
    model_at("http://192.0.2.7:11434/v1", api_key=None)
    model_at("https://192.0.2.7:11434/v1")
    model_at("http://[::1]:11434/v1")
    assert [record.getMessage() for record in caplog.records] == [
        "language model tiny at 192.0.2.7:11434: api_key and prompts go over the network unencrypted; use https"
    ]


@pytest.mark.parametrize(
    "base_url",
    ["", "api.example.com/v1", "ftp://host/v1", "http://", "http:///v1", "http://host:99999/v1", "http://[::1/v1"],
)
def test_an_address_that_is_none_is_refused(base_url: str) -> None:
    with pytest.raises(RefusedError, match="base_url is no address"):
        model_at(base_url)


@pytest.mark.parametrize(
    "base_url", ["https://me:hidden@host/v1", "https://host/v1?key=hidden", "https://host/#hidden"]
)
def test_secrets_in_an_address_are_refused_without_being_shown(base_url: str) -> None:
    with pytest.raises(RefusedError, match="api_key") as caught:
        model_at(base_url)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(("name", "value"), [("structured", "xml"), ("tokens_field", "tokens")])
def test_an_unknown_choice_is_refused_with_what_there_is(name: str, value: str) -> None:
    with pytest.raises(RefusedError, match=f"{name} is '{value}'; use auto, "):
        model_at("http://127.0.0.1:1/v1", **{name: value})


@pytest.mark.parametrize(
    ("base_url", "loaded"), [("https://host/v1", True), ("HTTPS://host/v1", True), ("http://host/v1", False)]
)
def test_authorities_are_loaded_where_tls_is_spoken_and_nobody_is_trusted_elsewhere(
    base_url: str, loaded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen: dict[str, Any] = {}
    monkeypatch.setattr(httpx2, "AsyncClient", lambda **options: chosen.update(options))
    Client(base_url=base_url, api_key=None, who="tiny", proxied=False)
    if loaded:
        assert chosen["verify"].verify_mode is ssl.CERT_REQUIRED
        assert chosen["verify"].check_hostname
        assert chosen["verify"].cert_store_stats()["x509_ca"] > 0
    else:
        assert chosen["verify"].verify_mode is ssl.CERT_REQUIRED
        assert chosen["verify"].get_ca_certs() == []


def test_a_missing_package_is_reported_with_the_way_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx2", None)
    monkeypatch.delitem(sys.modules, "blikk_edge.llm.openai_client", raising=False)
    with pytest.raises(RefusedError, match=r"/python[0-9.]* -m pip install 'blikk-edge\[openai\]'"):
        model_at("http://127.0.0.1:1/v1")
