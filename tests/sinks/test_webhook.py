"""The webhook against real servers: one that takes everything, and those that hang, refuse, fail, redirect and lie."""

import asyncio
import gc
import json
import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from patience import PATIENCE
from sink_samples import T0, Box1, Hasty, event, observation, picture, ring, state, until

from blikk_edge.core.ports import DurableSink, Item
from blikk_edge.core.summary import Answer, Summary
from blikk_edge.runtime.delivery import Delivery
from blikk_edge.sinks.webhook import TRIES, WebhookSink
from blikk_edge.store.store import Store
from blikk_edge.wire.messages import encode
from blikk_edge.wire.topics import Topics

TOPICS = Topics("blikk", "porch")
TOKEN = "tell-nobody-4711"
PATH = "/api/webhook/secret-path-0815"


def answer(number: int, *, changed: bool = True, text: str = "yes") -> Answer:
    return Answer(
        id=f"answer-{number}",
        camera="front_door",
        question="gate_open",
        asked="Is the gate open?",
        answer=text,
        confidence=0.9,
        time=T0 + number,
        since=T0,
        changed=changed,
    )


def summary(number: int) -> Summary:
    return Summary(
        id=f"summary-{number}",
        camera="front_door",
        event="event-1",
        revision=1,
        time=T0,
        since=T0,
        until=T0,
        title="A person",
        text="A person came.",
    )


Act = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Hook:
    """A web server that notes what is posted. `acts` are statuses or handlers for the next requests; then 200."""

    port: int = 0
    heads: list[Any] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    acts: list[int | Act] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{PATH}"

    @property
    def ids(self) -> list[str]:
        return [body["id"] for body in self.bodies]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.heads.append(request.headers)
        self.paths.append(request.path)
        self.bodies.append(json.loads(await request.read()))
        act = self.acts.pop(0) if self.acts else 200
        return web.Response(status=act) if isinstance(act, int) else await act(request)


@asynccontextmanager
async def serving(hook: Hook, port: int = 0) -> AsyncIterator[Hook]:
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", hook.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    hook.port = runner.addresses[0][1]
    try:
        yield hook
    finally:
        await runner.cleanup()


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    async with serving(Hook()) as hook:
        yield hook


class Posting:
    """A sink that is delivered to in a task, with its inbox, its clock and its store."""

    def __init__(self, url: str, path: Path, *, outbox_records: int = 20_000, **more: Any) -> None:
        self.clock = Hasty()
        self.inbox = Box1()
        self.sink = WebhookSink(url, topics=TOPICS, **more)
        self.store = Store(path, outbox_records=outbox_records)
        self.store.open()
        self.store.follow({self.sink.name: self.sink.takes})
        self._delivery = Delivery(self.store, (self.sink,), clock=self.clock)
        self.task = asyncio.ensure_future(self._delivery.run(self.inbox))

    @property
    def problem(self) -> str | None:
        return self._delivery.problems.get("webhook")

    @property
    def lost(self) -> int:
        return self._delivery.lost

    @property
    def waits(self) -> int:
        return self._delivery.outbox

    def put(self, *items: Item) -> None:
        assert not self.task.done() or self.task.result()
        self.inbox.put(*items)

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.wait((self.task,))
        if not self.task.cancelled():
            self.task.result()
        self.store.close()


@pytest.fixture
async def post(tmp_path: Path) -> AsyncIterator[Callable[..., Posting]]:
    made: list[Posting] = []

    def start(url: str, name: str = "", **more: Any) -> Posting:
        made.append(Posting(url, tmp_path / (name or f"{len(made)}.db"), **more))
        return made[-1]

    yield start
    for posting in made:
        await posting.stop()
    gc.collect()  # a connection that was not closed is a ResourceWarning, an error here


Post = Callable[..., Posting]


async def delivered(hook: Hook, *ids: str) -> None:
    await until(lambda: len(hook.ids) >= len(ids), f"{ids} among {hook.ids}")
    assert hook.ids == list(ids)


# -- what is posted ----------------------------------------------------------------------------------------------


async def test_a_changed_answer_is_posted_as_on_mqtt(hook: Hook, post: Post) -> None:
    sink: DurableSink = (posting := post(hook.url, token=TOKEN)).sink
    assert sink.name == "webhook"
    posting.put(answer(1))
    await delivered(hook, "answer-1")
    assert hook.bodies == [json.loads(encode(answer(1), TOPICS).payload)]
    assert hook.paths == [PATH]
    head = hook.heads[0]
    assert head["Authorization"] == f"Bearer {TOKEN}"
    assert head["Content-Type"] == "application/json"
    assert head["Blikk-Topic"] == "blikk/porch/front_door/answer/gate_open"
    assert head["User-Agent"] == "blikk-edge"


async def test_without_a_token_none_is_sent(hook: Hook, post: Post) -> None:
    post(hook.url).put(answer(1))
    await delivered(hook, "answer-1")
    assert "Authorization" not in hook.heads[0]


async def test_only_what_is_asked_for_is_posted_and_only_answers_that_changed(hook: Hook, post: Post) -> None:
    everything = (answer(1, changed=False), event(1), ring(1), summary(1), observation(1), picture(1), state())
    post(hook.url).put(*everything, answer(2))
    await delivered(hook, "answer-2")
    hook.bodies.clear()
    post(hook.url, tell=("event", "ring", "summary")).put(*everything, answer(3), ring(9))
    await delivered(hook, "event-1", "ring-1", "summary-1", "ring-9")


async def test_records_arrive_in_order_over_one_connection(hook: Hook, post: Post) -> None:
    ports = set()

    async def note(request: web.Request) -> web.Response:
        assert request.transport is not None
        ports.add(request.transport.get_extra_info("peername")[1])
        return web.Response(text="ok")

    hook.acts = [note] * 20
    post(hook.url).put(*(answer(n) for n in range(20)))
    await delivered(hook, *(f"answer-{n}" for n in range(20)))
    assert len(ports) == 1


async def test_text_of_all_the_world_arrives_whole(hook: Hook, post: Post) -> None:
    post(hook.url).put(answer(1, text="open — 门开着 🚪\r\nX: y"))
    await until(lambda: hook.bodies)
    assert hook.bodies[0]["answer"] == "open — 门开着 🚪\r\nX: y"


# -- servers that fail -------------------------------------------------------------------------------------------


async def test_after_a_500_it_is_posted_again(hook: Hook, post: Post, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "blikk.delivery")
    hook.acts = [200, 500, 500]
    posting = post(hook.url)
    posting.put(answer(0), answer(1), answer(2))
    await delivered(hook, "answer-0", "answer-1", "answer-1", "answer-1", "answer-2")
    await until(lambda: posting.problem is None)
    assert posting.lost == 0
    assert posting.clock.pauses[0] == 1.0
    assert 1.0 <= posting.clock.pauses[1] <= 2.0
    assert [record.getMessage() for record in caplog.records] == [
        f"webhook http://127.0.0.1:{hook.port}: it answers 500",
        "webhook works again",
    ]


async def test_what_never_worked_does_not_work_again(hook: Hook, post: Post, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "blikk.delivery")
    hook.acts = [500]
    posting = post(hook.url)
    posting.put(answer(1))
    await delivered(hook, "answer-1", "answer-1")
    await until(lambda: posting.problem is None)
    assert caplog.records[-1].getMessage() == "webhook works now"


async def test_what_waited_through_an_outage_says_so(hook: Hook, post: Post) -> None:
    hook.acts = [503]
    posting = post(hook.url)
    posting.put(answer(1))
    await delivered(hook, "answer-1", "answer-1")
    posting.put(answer(2))
    await delivered(hook, "answer-1", "answer-1", "answer-2")
    assert [body.get("replayed") for body in hook.bodies] == [None, True, None]


async def test_a_server_that_refuses_connections_gets_it_all_when_it_is_there(post: Post, free_port: int) -> None:
    hook = Hook(port=free_port)
    posting = post(hook.url)
    posting.put(answer(1), answer(2))
    await until(lambda: len(posting.clock.pauses) >= 3)
    assert f"127.0.0.1:{free_port}: cannot connect" in str(posting.problem)
    async with serving(hook, free_port):
        await delivered(hook, "answer-1", "answer-2")
        await until(lambda: posting.problem is None)
    assert posting.lost == 0


async def test_a_server_that_hangs_is_left_after_the_time_limit(
    hook: Hook, post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    async def hang(request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    hook.acts = [hang]
    posting = post(hook.url, timeout_s=0.2)
    posting.put(answer(1))
    await until(lambda: len(hook.ids) >= 2)
    assert set(hook.ids) == {"answer-1"}
    assert "no answer within 0.2 s" in caplog.text


async def test_an_answer_that_drips_for_ever_is_not_waited_for(hook: Hook, post: Post) -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b".")
            await asyncio.sleep(0.02)

    hook.acts = [drip]
    posting = post(hook.url, timeout_s=5.0)
    posting.put(answer(1), answer(2))
    await delivered(hook, "answer-1", "answer-2")
    assert posting.problem is None


@pytest.mark.parametrize(
    ("says", "problem"),
    [
        (b"", "it hung up without an answer"),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "no HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", "no HTTP"),
    ],
)
async def test_what_is_no_web_server_is_an_outage(says: bytes, problem: str, post: Post) -> None:
    async def lie(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(says)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(lie, "127.0.0.1", 0)
    async with server:
        posting = post(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}{PATH}")
        posting.put(answer(1))
        await until(lambda: len(posting.clock.pauses) >= 2)
        assert problem in str(posting.problem)
        assert posting.lost == 0


async def test_retry_after_is_honoured(hook: Hook, post: Post) -> None:
    async def busy(request: web.Request) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": "17"})

    async def forever(request: web.Request) -> web.Response:
        return web.Response(status=503, headers={"Retry-After": "99999999"})

    hook.acts = [busy, forever]
    posting = post(hook.url)
    posting.put(answer(1))
    await delivered(hook, "answer-1", "answer-1", "answer-1")
    assert posting.clock.pauses == [17.0, 300.0]


@pytest.mark.parametrize(
    ("status", "hint"),
    [
        *((400, "answers 400"), (401, "check webhook.token"), (404, "check webhook.url"), (405, "does not take POST")),
        *((410, "answers 410"), (413, "answers 413")),
    ],
)
async def test_what_is_refused_is_reported_once_and_dropped(
    status: int, hint: str, hook: Hook, post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    hook.acts = [status, status, status]
    posting = post(hook.url)
    posting.put(*(answer(n) for n in range(3)))
    await delivered(hook, "answer-0", "answer-1", "answer-2")
    await until(lambda: posting.lost == 3)
    assert hint in str(posting.problem)
    assert len(caplog.records) == 1
    posting.put(answer(3))
    await until(lambda: posting.problem is None)
    assert posting.clock.pauses == []


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed(status: int, hook: Hook, post: Post) -> None:
    async with serving(Hook()) as elsewhere:

        async def move(request: web.Request) -> web.Response:
            return web.Response(status=status, headers={"Location": elsewhere.url})

        hook.acts = [move]
        posting = post(hook.url, token=TOKEN)
        posting.put(answer(1), answer(2))
        await delivered(hook, "answer-1", "answer-2")
        await until(lambda: posting.lost == 1)
        assert elsewhere.bodies == []


async def test_a_record_on_which_the_server_always_fails_does_not_block_the_others(hook: Hook, post: Post) -> None:
    async def choke(request: web.Request) -> web.Response:
        return web.Response(status=500 if hook.bodies[-1]["id"] == "answer-1" else 200)

    hook.acts = [choke] * (TRIES + 5)
    posting = post(hook.url)
    posting.put(answer(1), answer(2))
    await until(lambda: "answer-2" in hook.ids)
    assert hook.ids == ["answer-1"] * TRIES + ["answer-2"]
    assert posting.lost == 1


async def test_a_gateway_without_its_server_costs_no_record(hook: Hook, post: Post) -> None:
    hook.acts = [502, 503, 504] * TRIES
    posting = post(hook.url)
    posting.put(answer(1))
    await until(lambda: len(hook.ids) == 3 * TRIES + 1)
    assert posting.lost == 0


# -- bounds, secrets, surroundings -------------------------------------------------------------------------------


async def test_the_newest_are_kept_and_drops_are_reported_once(
    post: Post, free_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    hook = Hook(port=free_port)
    posting = post(hook.url, outbox_records=5)
    posting.put(*(answer(n) for n in range(500)))
    await until(posting.inbox.empty)
    await until(lambda: posting.lost == 495)
    assert len([r for r in caplog.records if "the journal is full (5 records)" in r.getMessage()]) == 1
    async with serving(hook, free_port):
        await delivered(hook, *(f"answer-{n}" for n in range(495, 500)))
    assert posting.lost == 495


async def test_what_a_stop_left_behind_is_posted_after_the_next_start(post: Post, free_port: int) -> None:
    hook = Hook(port=free_port)
    posting = post(hook.url, "kept.db")
    posting.put(answer(1), answer(2))
    await until(lambda: posting.waits == 2)
    await posting.stop()
    async with serving(hook, free_port):
        again = post(hook.url, "kept.db")
        again.put(answer(3))
        await delivered(hook, "answer-1", "answer-2", "answer-3")
        assert [body.get("replayed") for body in hook.bodies] == [True, True, None]
        await until(lambda: again.waits == 0)


async def test_secrets_are_never_logged(
    hook: Hook, post: Post, caplog: pytest.LogCaptureFixture, free_port: int
) -> None:
    caplog.set_level(logging.DEBUG)
    hook.acts = [500, 401, 302, 503]
    posting = post(hook.url, token=TOKEN)
    posting.put(*(answer(n) for n in range(4)))
    away = post(f"http://127.0.0.1:{free_port}{PATH}", token=TOKEN)
    away.put(answer(1))
    await until(lambda: len(hook.ids) >= 6 and away.problem)
    await posting.stop()
    await away.stop()
    said = caplog.text + str(away.problem) + repr(posting.sink)
    assert f"webhook http://127.0.0.1:{free_port}: cannot connect" in said
    assert TOKEN not in said
    assert PATH not in said


async def test_a_password_in_the_address_is_refused_without_reporting_it(post: Post) -> None:
    posting = post(f"http://me:{TOKEN}@hook.invalid/")
    await until(lambda: posting.problem)
    assert "webhook http://hook.invalid: webhook.url holds" in str(posting.problem)
    assert TOKEN not in str(posting.problem)


async def test_a_token_that_cannot_be_sent_is_reported_without_it(hook: Hook, post: Post) -> None:
    posting = post(hook.url, token=f"{TOKEN}\r\nX-Admin: 1")
    await until(lambda: posting.problem)
    assert "webhook.token" in str(posting.problem)
    assert TOKEN not in str(posting.problem)


async def test_an_unencrypted_token_beyond_this_machine_is_reported(
    post: Post, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    post("http://hook.invalid/", token=TOKEN)
    await until(lambda: "unencrypted" in caplog.text)


async def test_the_proxy_of_the_environment_is_not_for_this_machine(
    hook: Hook, post: Post, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    post(hook.url).put(answer(1))
    await delivered(hook, "answer-1")


async def test_the_proxy_of_the_environment_serves_for_other_machines(
    hook: Hook, post: Post, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{hook.port}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".netrc").write_text("machine hook.invalid login me password mine\n")
    post(f"http://hook.invalid{PATH}", token=TOKEN).put(answer(1))
    await delivered(hook, "answer-1")
    assert hook.heads[0]["Host"] == "hook.invalid"
    assert hook.heads[0]["Authorization"] == f"Bearer {TOKEN}"


async def test_a_proxy_that_is_not_spoken_is_reported(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"socks5://me:{TOKEN}@127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    posting = post("http://hook.invalid/")
    await until(lambda: posting.problem)
    assert "proxy that is not http" in str(posting.problem)
    assert TOKEN not in str(posting.problem)


async def test_what_is_left_goes_out_at_the_end(hook: Hook, post: Post) -> None:
    async def slow(request: web.Request) -> web.Response:
        await asyncio.sleep(0.1)
        return web.Response()

    hook.acts = [slow] * 3
    posting = post(hook.url)
    posting.put(*(answer(n) for n in range(3)))
    await until(lambda: hook.bodies)
    await posting.stop()
    assert list(dict.fromkeys(hook.ids)) == ["answer-0", "answer-1", "answer-2"]
    assert posting.lost == 0


async def test_the_end_does_not_wait_for_a_server_that_hangs(
    hook: Hook, post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    async def hang(request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    caplog.set_level(logging.INFO, "blikk.delivery")
    hook.acts = [hang] * 3
    posting = post(hook.url)
    posting.put(answer(1), answer(2))
    await until(lambda: hook.bodies)
    began = asyncio.get_running_loop().time()
    await posting.stop()
    assert asyncio.get_running_loop().time() - began < 8.0
    assert posting.lost == 0
    assert "webhook: 2 records wait for the next start" in caplog.text


def test_aiohttp_is_imported_only_when_it_runs() -> None:
    code = "import sys, blikk_edge.sinks.webhook; sys.exit('aiohttp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=30 * PATIENCE).returncode == 0
