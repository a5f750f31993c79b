"""Traces of events, taken by a collector that speaks OTLP over HTTP, or not taken."""

import asyncio
import logging
import subprocess
import sys
import time
from collections.abc import Callable

import pytest
from otlp_receiver import OtlpReceiver, attributes
from patience import PATIENCE
from ports import free_port

from blikk_edge.core.clock import SystemClock
from blikk_edge.core.errors import BlikkError, ConfigError
from blikk_edge.core.observation import Event, Observed, Phase
from blikk_edge.core.probe import FrameNote, Outcome, Stage, Why
from blikk_edge.core.sightings import Label, View
from blikk_edge.grammar.secrets import Secret
from blikk_edge.sinks.traces import GLANCED, REPORTED, Traces
from blikk_edge.sinks.traces_options import TracesOptions, traces

TOKEN = "a-token-that-nobody-guesses"


class Told:
    def __init__(self) -> None:
        self.failures: list[str] = []
        self.wells = 0

    def failed(self, error: BlikkError) -> None:
        self.failures.append(str(error))

    def well(self) -> None:
        self.wells += 1


def made(url: str, told: Told) -> Traces:
    return Traces(
        TracesOptions(endpoint=url, token=Secret(TOKEN)),
        node="hall",
        version="1",
        cameras=("door",),
        failed=told.failed,
        well=told.well,
        clock=SystemClock(),
    )


def event(number: int = 1, revision: int = 1) -> Event:
    return Event(
        id=f"door-{number}",
        camera="door",
        phase=Phase.STARTED,
        revision=revision,
        time=1000.0,
        started=999.0,
        label=Label.PERSON,
        reason=Observed.APPEARED,
    )


def pass_on(subject: Traces, seq: int, *, outcome: Outcome = Outcome.WAITING) -> None:
    now = time.perf_counter()
    note = FrameNote(
        seq=seq, time=time.time() - 0.5, view=View.MOVING, score=0.5, threshold=0.3, why=Why.MOTION, outcome=outcome
    )
    subject.camera("door").glanced(note, (now, now + 0.001), (now + 0.001, now + 0.002))


def report(subject: Traces, seq: int, *events: Event) -> None:
    camera, now = subject.camera("door"), time.perf_counter()
    camera.taken(seq, now + 0.003)
    camera.spent(Stage.DETECT, (now + 0.003, now + 0.02))
    for each in events:
        camera.reported(each)
    camera.done(seq, Outcome.LOOKED)


async def stopped(subject: Traces) -> float:
    """End it as a node does; how long that took."""
    running = asyncio.ensure_future(subject.run())
    await asyncio.sleep(0)
    began = time.monotonic()
    running.cancel()
    await asyncio.wait((running,))
    return time.monotonic() - began


async def until(state: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE * 30
    while not state():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def test_what_is_left_at_a_stop_is_sent() -> None:
    told = Told()
    with OtlpReceiver() as receiver:
        subject = made(receiver.url, told)
        pass_on(subject, 1)
        report(subject, 1, event(1), event(2))
        subject.journaled(event(1), (0.0, 0.1))
        await stopped(subject)
        await until(lambda: receiver.spans)
        first, second = receiver.traces("started")
        assert set(first) == {"event started", "frame", "gate", "select", "wait", "detect", "journal"}
        assert set(second) == set(first) - {"journal"}
        assert attributes(second["event started"][0])["blikk.event"] == "door-2"
        assert told.failures == []
        assert told.wells == 1


async def test_frames_that_bring_nothing_and_records_of_no_frame_are_no_traces_and_what_is_kept_is_bounded() -> None:
    with OtlpReceiver() as receiver:
        subject = made(receiver.url, Told())
        for seq in range(3 * GLANCED):
            pass_on(subject, seq)
        subject.camera("door").dropped(3 * GLANCED - 2, Outcome.NEWER)
        report(subject, 0, event(1))  # forgotten meanwhile
        report(subject, 3 * GLANCED - 2, event(2))  # dropped
        subject.journaled(event(3), (0.0, 0.1))
        report(subject, 3 * GLANCED - 1, *(event(4, revision) for revision in range(REPORTED + 1)))
        assert subject.camera("door").context(event(4, 0)) is None
        assert subject.camera("door").context(event(4, REPORTED)) is not None
        await stopped(subject)
        await until(lambda: len(receiver.traces("started")) > REPORTED)
        roots = [attributes(span)["blikk.event"] for span in receiver.spans if span.name.startswith("event")]
        assert set(roots) == {"door-4"}


async def test_a_collector_that_refuses_is_told_without_the_token_and_the_next_batch_is_taken(
    caplog: pytest.LogCaptureFixture,
) -> None:
    told = Told()
    with OtlpReceiver(status=401) as receiver, caplog.at_level(logging.DEBUG):
        subject = made(receiver.url, told)
        pass_on(subject, 1)
        report(subject, 1, event(1))
        await until(lambda: told.failures)
        assert receiver.url in told.failures[0]
        receiver.status = 200
        pass_on(subject, 2)
        report(subject, 2, event(2))
        await stopped(subject)
        await until(lambda: receiver.traces("started"))
        assert told.wells == 1
    assert TOKEN not in caplog.text + "".join(told.failures)


@pytest.mark.parametrize("status", [301, 302, 304, 307, 308])
async def test_a_collector_that_sends_elsewhere_is_told_and_is_not_followed(status: int) -> None:
    told = Told()
    with OtlpReceiver() as elsewhere, OtlpReceiver(status=status, elsewhere=f"{elsewhere.url}/v1/traces") as receiver:
        subject = made(receiver.url, told)
        pass_on(subject, 1)
        report(subject, 1, event(1))
        await stopped(subject)
        await until(lambda: told.failures)
        assert f"HTTP {status}" in told.failures[0]
        assert (elsewhere.requests, told.wells) == ([], 0)


async def test_a_collector_that_is_away_does_not_hold_up_the_stop() -> None:
    told = Told()
    subject = made(f"http://127.0.0.1:{free_port()}", told)
    pass_on(subject, 1)
    report(subject, 1, event(1))
    took_s = await stopped(subject)
    await until(lambda: told.failures)  # its thread ends
    assert took_s < 5.0 * PATIENCE


def test_only_a_node_with_traces_imports_their_package() -> None:
    code = """
import sys
import blikk_edge.app.wiring
import blikk_edge.sinks.traces, blikk_edge.web.exposition, blikk_edge.web.metrics
late = ("opentelemetry", "requests", "prometheus_client", "blikk_edge.runtime.probe")
print([name for name in late if name in sys.modules])
"""
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60 * PATIENCE, check=False
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "[]\n", "")


def test_without_the_package_the_error_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(ConfigError, match=r"pip install 'blikk-edge\[otel\]'"):
        made("http://127.0.0.1:1", Told())


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
        ("http://127.0.0.1:4318/", "http://127.0.0.1:4318/v1/traces"),
        ("https://collector.example/otlp/v1/traces", "https://collector.example/otlp/v1/traces"),
    ],
)
def test_an_endpoint_without_a_path_gets_the_usual_one(endpoint: str, url: str) -> None:
    assert TracesOptions(endpoint=endpoint).url == url


def test_a_token_in_the_clear_is_refused_beyond_this_machine(tmp_path) -> None:
    section = traces(tmp_path)
    assert section({"endpoint": "http://127.0.0.1:4318", "token": TOKEN}).token.reveal() == TOKEN
    with pytest.raises(Exception, match="a token that everybody on the way can read"):
        section({"endpoint": "http://collector.local:4318", "token": TOKEN})
