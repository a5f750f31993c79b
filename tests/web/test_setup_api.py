"""Set-up over HTTP: the code is guessed in vain, nothing of the household is told, and it ends."""

import asyncio
import json
import stat
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from broker import Broker
from onvif_device import OnvifDevice, Stream
from ports import free_port

from blikk_edge.app.setting_up import SettingUp
from blikk_edge.config.loading import load
from blikk_edge.core.clock import SystemClock, VirtualClock
from blikk_edge.net.http.server import HttpServer
from blikk_edge.sources.onvif.search import on_network
from blikk_edge.web.setup import SetupPages
from blikk_edge.web.setup_code import (
    ALL_TRIES,
    ALL_TRIES_PER_S,
    LETTERS,
    TRIES,
    VALID_S,
    WRONG_MAX,
    SetupCode,
    Tries,
    new_code,
    read_code,
)

ANSWERS: dict[str, Any] = {
    "name": "Küche: {x}\\ 'y'",
    "language": "de",
    "cameras": [{"name": "Front door", "source": "rtsp://ann:hunter2@10.0.0.9/1", "doorbell": True}],
    "broker": {"host": "broker.local", "username": "ann", "password": "open: 'sesame' #1", "tls": True},
}


@dataclass
class Running:
    """A set-up page that is served."""

    path: Path
    url: str
    port: int
    told: list[str]
    done: asyncio.Event


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    port, told, done = free_port(), list[str](), asyncio.Event()
    path = tmp_path / "etc" / "blikk.yaml"
    work = SettingUp(path, environ={"HOME": str(tmp_path)}, host="127.0.0.1", port=port)
    pages = SetupPages(work, SetupCode(SystemClock(), told.append), clock=SystemClock(), done=done.set)
    server = HttpServer([pages], pages.access, clock=SystemClock(), port=port)
    task = asyncio.ensure_future(server.run())
    async with aiohttp.ClientSession() as client:
        while True:
            with suppress(aiohttp.ClientConnectorError):
                async with client.get(f"http://127.0.0.1:{port}/v1/session") as answer:
                    assert (await answer.json())["setup"]
                    break
            await asyncio.sleep(0.05)
    yield Running(path=path, url=f"http://127.0.0.1:{port}/", port=port, told=told, done=done)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def browser(running: Running) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(running.url, cookie_jar=aiohttp.CookieJar(unsafe=True))


async def sent(client: aiohttp.ClientSession, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, Any]:
    async with client.request(method, path, json=body, **more) as answer:
        return answer.status, await answer.json()


async def enter(client: aiohttp.ClientSession, running: Running) -> dict[str, str]:
    """Begin with the code; the header that changes need."""
    assert (await sent(client, "POST", "v1/session", {"token": running.told[-1].lower()}))[0] == 200
    _, found = await sent(client, "GET", "v1/session")
    return {"X-Blikk-CSRF": found["csrf"]}


async def test_without_the_code_nothing_is_told_and_nothing_tried(running: Running) -> None:
    async with browser(running) as client:
        for path in ("v1/setup", "v1/setup/cameras", "v1/setup/camera", "v1/setup/broker", "v1/setup/review"):
            method = "GET" if path == "v1/setup" else "POST"
            assert (await sent(client, method, path, ANSWERS))[0] == 401
        headers = {"Authorization": f"Bearer {running.told[-1]}"}
        assert (await sent(client, "GET", "v1/setup", headers=headers))[0] == 401  # the code is no token
        assert (await sent(client, "GET", "v1/session", headers={"Host": "elsewhere.example"}))[0] == 421
        assert (await sent(client, "GET", "v1/node"))[0] == 404
    assert not running.path.exists()


async def test_cameras_of_the_network_are_found_and_say_where_they_are(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    # a search on loopback alone: other networks of this machine are nobody's business here
    monkeypatch.setattr("blikk_edge.app.setting_up.on_network", lambda: on_network(interfaces=["127.0.0.1"], wait_s=1))
    stream = Stream(token="sub", width=640, height=480, url="rtsp://10.9.9.9/sub")
    with OnvifDevice([stream], discovered=True) as device:
        async with browser(running) as client:
            headers = await enter(client, running)
            status, found = await sent(client, "POST", "v1/setup/cameras", {}, headers=headers)
    assert (status, found["problem"]) == (200, None)
    assert {"what": "Porch camera", "source": f"onvif://127.0.0.1:{device.port}"} in found["cameras"]


async def test_who_guesses_is_slowed_down_and_the_code_stays_for_who_has_another_address(running: Running) -> None:
    async with browser(running) as guesser:
        for _ in range(TRIES):
            assert (await sent(guesser, "POST", "v1/session", {"token": "0000-0000"}))[0] == 401
        for _ in range(3 * TRIES):
            assert (await sent(guesser, "POST", "v1/session", {"token": running.told[-1]}))[0] == 429
    assert len(running.told) == 1
    async with aiohttp.ClientSession(
        running.url,
        cookie_jar=aiohttp.CookieJar(unsafe=True),
        connector=aiohttp.TCPConnector(local_addr=("127.0.0.2", 0)),
    ) as owner:
        await enter(owner, running)


async def test_nobody_uses_up_the_tries_of_others_and_all_together_cannot_guess() -> None:
    clock = VirtualClock(0.0)
    tries = Tries(clock)
    assert sum(tries.allowed("192.0.2.1") for _ in range(100)) == TRIES
    assert tries.allowed("192.0.2.2")
    own_network = [f"2001:db8::{number:x}" for number in range(100)]
    assert sum(map(tries.allowed, own_network)) == TRIES  # one device may have all of them
    assert all(map(tries.allowed, ("fe80::1%eth0", "fe80::2%eth0", "::ffff:192.0.2.3", "192.0.2.3")))
    await clock.advance(3600)
    seconds = 60
    taken = 0
    for second in range(seconds):
        taken += sum(tries.allowed(f"10.{second}.{number}.1") for number in range(200))
        await clock.advance(1)
    assert taken <= ALL_TRIES + seconds * ALL_TRIES_PER_S  # of 2 ** 40


async def test_after_very_many_wrong_codes_there_is_a_new_one_and_the_console_says_why() -> None:
    told, warned = list[str](), list[str]()
    code = SetupCode(VirtualClock(0.0), told.append, warn=warned.append)
    for number in range(WRONG_MAX - 1):
        assert not code.knows(f"wrong {number}")
    assert code.knows(told[0])
    assert not code.knows("wrong")
    assert len(told) == 2
    assert not code.knows(told[0])
    assert len(warned) == 1


async def test_what_is_written_needs_the_header_of_the_page_and_the_right_origin(running: Running) -> None:
    async with browser(running) as client:
        headers = await enter(client, running)
        assert (await sent(client, "POST", "v1/setup", ANSWERS))[0] == 403
        elsewhere = headers | {"Origin": "http://elsewhere.example"}
        assert (await sent(client, "POST", "v1/setup", ANSWERS, headers=elsewhere))[0] == 403
        async with client.post("v1/setup", data=json.dumps(ANSWERS), headers=headers) as answer:
            assert answer.status == 415
        assert (await sent(client, "POST", "v1/setup", {"name": "x" * 300_000}, headers=headers))[0] == 413
        for wrong in (
            {"cameras": []},
            {"cameras": "x"},
            {"cameras": [{"name": "a", "source": 1}]},
            {"cameras": [{"name": "a", "source": "x" * 2000}]},
            {"name": ["a"]},
            {"broker": 1},
            {"broker": {"host": "a", "port": 99999}},
            {"broker": {"host": "a", "tls": "yes"}},
        ):
            assert (await sent(client, "POST", "v1/setup", ANSWERS | wrong, headers=headers))[0] == 400
    assert not running.path.exists()
    assert not running.done.is_set()


async def test_what_is_reviewed_is_written_and_then_set_up_is_over(running: Running) -> None:
    async with browser(running) as client:
        headers = await enter(client, running)
        _, review = await sent(client, "POST", "v1/setup/review", ANSWERS, headers=headers)
        assert review["problems"] == []
        assert review["secrets"] == ["mqtt_password", "http_view", "http_control", "front_door_source"]
        assert "hunter2" not in json.dumps(review)
        assert "sesame" not in json.dumps(review)
        assert not running.path.exists()
        status, written = await sent(client, "POST", "v1/setup", ANSWERS, headers=headers)
        assert (status, written["here_only"]) == (200, True)
        assert running.done.is_set()
        assert (await sent(client, "POST", "v1/setup", ANSWERS, headers=headers))[0] in {401, 403, 409}
        code = {"token": running.told[-1]}
        assert (await sent(client, "POST", "v1/session", code))[0] == 401  # it is void
    assert running.path.read_text() == review["yaml"]
    settings = load(running.path, environ={})
    assert (settings.node.id, settings.node.name, settings.language) == ("kuche_x_y", ANSWERS["name"], "de")
    assert settings.mqtt is not None
    assert settings.mqtt.password is not None
    assert (settings.mqtt.port, settings.mqtt.password.reveal()) == (8883, "open: 'sesame' #1")
    assert settings.cameras[0].source.reveal() == ANSWERS["cameras"][0]["source"]
    assert settings.cameras[0].ring is not None
    assert settings.http is not None
    assert settings.http.tokens.control is not None
    assert settings.http.tokens.control.reveal() == written["control"]
    assert stat.S_IMODE(running.path.with_name("secrets.yaml").stat().st_mode) == 0o600


async def test_nothing_that_is_there_is_replaced_and_problems_are_said(running: Running) -> None:
    async with browser(running) as client:
        headers = await enter(client, running)
        twice = ANSWERS | {"cameras": ANSWERS["cameras"] * 2}
        _, review = await sent(client, "POST", "v1/setup/review", twice, headers=headers)
        assert [each["text"] for each in review["problems"]] == ["`front_door` has the same name"]
        bad = ANSWERS | {"cameras": [{"name": "a", "source": "ftp://x"}], "broker": {"host": "a b"}}
        status, answer = await sent(client, "POST", "v1/setup", bad, headers=headers)
        assert status == 422
        assert "an address of a kind that is not known" in answer["error"]
        assert "not a host name" in answer["error"]
        status, answer = await sent(client, "POST", "v1/setup", ANSWERS | {"name": "☕"}, headers=headers)
        assert "no id can be made of this name" in answer["error"]
        running.path.parent.mkdir()
        secrets = running.path.with_name("secrets.yaml")
        secrets.write_text("mine: 1\n")
        status, answer = await sent(client, "POST", "v1/setup", ANSWERS, headers=headers)
        assert (status, answer["error"]) == (422, "secrets.yaml is there already; nothing was written")
        assert secrets.read_text() == "mine: 1\n"
    assert not running.done.is_set()


async def test_what_cannot_be_reached_is_said_without_the_password(running: Running) -> None:
    async with browser(running) as client:
        headers = await enter(client, running)
        for source, said, trouble in (
            ("rtsp://ann:hunter2@127.0.0.1:1/x", "connection refused", "refused"),
            ("rtsp://ann:hunter2@127.0.0.1:1/h264Preview_01_main", "; Reolink: RTSP, HTTP and ONVIF are", "refused"),
            ("/no/such/file.mp4", "nor a file that is there", "address"),
            ("gopher://ann:hunter2@x/", "a kind that is not known", "address"),
        ):
            camera = {"name": "a", "source": source}
            _, answer = await sent(client, "POST", "v1/setup/camera", camera, headers=headers)
            assert said in answer["problem"]
            assert answer["trouble"] == trouble
            assert ("Reolink" in answer["more"]) == ("Reolink" in said)
            assert "hunter2" not in json.dumps(answer)
        for host, port, said, trouble in (
            ("127.0.0.1", 1, "nobody listens there", "refused"),
            ("no.such.host.invalid", None, "no host of this name", "unknown_host"),
        ):
            broker = {"host": host, "port": port, "username": "ann", "password": "hunter2"}
            _, answer = await sent(client, "POST", "v1/setup/broker", broker, headers=headers)
            assert said in answer["problem"]
            assert (answer["trouble"], answer["place"]) == (trouble, host)
            assert "hunter2" not in json.dumps(answer)


async def test_what_keeps_a_broker_away_has_a_code(running: Running, tmp_path: Path) -> None:
    (tmp_path / "broker").mkdir()
    with Broker(tmp_path / "broker", password=("ann", "open sesame")) as mosquitto:
        async with browser(running) as client:
            headers = await enter(client, running)
            for more, trouble in (
                ({"port": mosquitto.port, "password": "hunter2"}, "login"),
                ({"port": mosquitto.port, "tls": True}, "tls"),
                ({"port": running.port}, "no_mqtt"),  # the set-up page itself
            ):
                asked = {"host": "127.0.0.1", "username": "ann", **more}
                _, answer = await sent(client, "POST", "v1/setup/broker", asked, headers=headers)
                assert answer["trouble"] == trouble, answer["problem"]


async def test_a_code_is_valid_for_an_hour() -> None:
    clock, told = VirtualClock(0.0), list[str]()
    code = SetupCode(clock, told.append)
    await clock.advance(VALID_S - 1)
    assert code.knows(told[-1])
    await clock.advance(2)
    assert not code.knows(told[-1])
    assert len(told) == 2
    assert code.knows(told[-1])


def test_a_code_may_be_typed_as_people_do() -> None:
    code = SetupCode(VirtualClock(0.0), lambda _code: None, first="AB01CDEF")
    assert all(code.knows(text) for text in ("AB01-CDEF", "ab01 cdef", " abOl-cdef ", "ABOI_CDEF"))
    assert not any(code.knows(text) for text in ("", "AB01CDE", "é" * 8))


def test_codes_are_of_letters_that_are_not_mistaken() -> None:
    made = {new_code() for _ in range(200)}
    assert len(made) == 200
    assert all(read_code(code) == code and set(code) <= set(LETTERS) for code in made)
