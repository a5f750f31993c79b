"""What Prometheus reads of a fleet: two nodes, a worker and the centre as processes, at real servers that go."""

import asyncio
import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from broker import Broker
from centre_kit import Centre, CollectProcess
from fleet_jobs import WorkerProcess, asker, job
from llm_server import LlmServer, Say, refusal
from nats_server import NatsServer
from patience import PATIENCE
from ports import free_port
from postgres_server import PostgresServer
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_server import Prometheus, expressions, names_in, promtool_finds_fault
from sink_samples import until
from site_nodes import BLIKK, Site, cameras_yaml

from blikk_edge import __version__
from blikk_edge.core.clock import SystemClock
from blikk_edge.core.errors import ConfigError, LlmError
from blikk_edge.fleet.metrics_server import Families, metrics_served
from blikk_edge.net.http.options import HttpSettings
from blikk_edge.web.prometheus import build_info

EXPRESSIONS = expressions("alerts-fleet.yml", "grafana-fleet.json")
TOKEN = "a-token-that-nobody-guesses"
TITLE = '{"title": "A person came"}'
WITHIN_S = 20.0 * PATIENCE
NODES = ("one", "two")
CAMERAS = 3
ROOM = 2
"""So many cameras each node watches at most."""


@dataclass
class Fleet:
    """A site with its centre, whose programs serve `/metrics`."""

    site: Site
    nats: NatsServer
    postgres: PostgresServer
    refuses: asyncio.Event
    collect: CollectProcess
    prometheus: Prometheus
    ports: Mapping[str, int]
    texts: dict[str, str] = field(default_factory=dict)

    def page(self, program: str) -> list[Metric]:
        """What a program tells now; nothing where it does not answer."""
        url = f"http://127.0.0.1:{self.ports[program]}/metrics"
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {TOKEN}"})
        try:
            with urllib.request.urlopen(request, timeout=10 * PATIENCE) as answer:
                self.texts[program] = answer.read().decode()
        except OSError:
            return []
        return list(text_string_to_metric_families(self.texts[program]))

    def value(self, program: str, name: str, **labels: str) -> float | None:
        """The first figure of this name with these labels."""
        samples = (sample for family in self.page(program) for sample in family.samples)
        return next(
            (s.value for s in samples if s.name == f"blikk_{name}" and labels.items() <= s.labels.items()), None
        )

    async def until(self, program: str, name: str, wanted: float | Callable[[float], bool], **labels: str) -> None:
        """Wait until that figure is as wanted."""
        deadline = time.monotonic() + WITHIN_S
        while True:
            value = await asyncio.to_thread(self.value, program, name, **labels)
            if value is not None and (wanted(value) if callable(wanted) else value == wanted):
                return
            assert time.monotonic() < deadline, f"{program}: {name} {labels} is {value}"
            await asyncio.sleep(0.1)

    async def leader(self) -> str:
        """The node that speaks for the site."""
        deadline = time.monotonic() + WITHIN_S
        while True:
            for name in NODES:
                if await asyncio.to_thread(self.value, name, "fleet_leader") == 1:
                    return name
            assert time.monotonic() < deadline
            await asyncio.sleep(0.1)

    def status(self) -> dict[str, Any]:
        """What `blikk fleet status` says."""
        node = self.site["one"]
        command = [str(BLIKK), "fleet", "status", "--json", "--config", str(node.config)]
        done = subprocess.run(command, check=False, capture_output=True, env=node.environ, timeout=WITHIN_S)
        said: dict[str, Any] = json.loads(done.stdout)
        return said


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Fleet]:
    ports = {name: free_port() for name in (*NODES, "worker", "collect")}
    keys = {
        name: f"{'http' if name in NODES else 'metrics'}: {{port: {port}, tokens: {{view: {TOKEN}}}}}"
        for name, port in ports.items()
    }
    addresses = {name: f"127.0.0.1:{port}" for name, port in ports.items()}
    targets = {
        "blikk": [addresses[name] for name in NODES],
        "blikk-worker": [addresses["worker"]],
        "blikk-collect": [addresses["collect"]],
    }
    limits = "timeout_s: 60, calls_per_day: 50, tokens_per_day: 100000"
    with (
        NatsServer(folder / "nats") as nats,
        Broker(folder) as broker,
        PostgresServer() as postgres,
        Site(folder, "hall", *NODES, nats=nats.url, broker=broker.port) as site,
        Prometheus(folder / "prometheus", targets=targets, token=TOKEN, file="prometheus-fleet.yml") as prometheus,
    ):
        centre = Centre(postgres)
        await centre.make()
        for name in NODES:
            file = site[name].config
            text = file.read_text().replace("cameras_max: 16", f"cameras_max: {ROOM}")
            file.write_text(f"{text}{keys[name]}\nsinks: {{uplink: true}}\n")
        await asyncio.to_thread(site["one"].apply, cameras_yaml(CAMERAS))
        refuses = asyncio.Event()
        async with LlmServer(lambda _: refusal(401, "no") if refuses.is_set() else Say(text=TITLE)) as llm:
            worker = WorkerProcess(
                folder, nats.url, "hall", llm.base_url, name="rack_1", keys=keys["worker"], limits=limits
            )
            collect = CollectProcess(folder, centre, nats.url, "hall", more=["--log-json"], keys=keys["collect"])
            site.start()
            try:
                yield Fleet(site, nats, postgres, refuses, collect, prometheus, ports)
            finally:
                worker.kill()
                collect.kill()


async def test_a_fleet_says_how_it_is_doing_and_what_is_wrong(tmp_path: Path) -> None:
    async with running(tmp_path) as hall:
        for name in NODES:
            await hall.until(name, "fleet_cameras_held", lambda count: count >= 1)
            await hall.until(name, "fleet_cameras_max", ROOM)
            await hall.until(name, "fleet_members", 2)
        await hall.until("collect", "collect_records_total", lambda count: count > 0, kind="event")
        await hall.until("collect", "collect_oldest_seconds", lambda age: age < 60)
        await a_job_is_done(hall)
        await until_every_name_is_there(hall)
        await status_says_the_same(hall)
        await the_model_goes(hall)
        await the_database_goes(hall)
        await a_node_goes(hall)
        await nats_goes(hall)
        assert TOKEN not in "".join(hall.texts.values())
    lines = [json.loads(line) for line in hall.collect.log.read_text().splitlines()]
    of_site = [line for line in lines if "site" in line]
    assert {(line["part"], line["site"]) for line in of_site} == {("collect.hall", "hall")}
    assert [line for line in of_site if "collects the records" in line["message"]]


async def a_job_is_done(hall: Fleet) -> None:
    node = asker(hall.nats.url, "hall", wait_s=WITHIN_S)
    try:
        assert (await node.complete_job(job(), deadline_s=WITHIN_S)).text == TITLE
    finally:
        await node.close()
    await hall.until("worker", "worker_jobs_total", 1, queue="person", outcome="done")
    await hall.until("worker", "worker_job_seconds_count", 1, queue="person")
    await hall.until("worker", "worker_tokens_total", 49 - 9, direction="sent")
    await hall.until("worker", "worker_budget_used", 1, limit="calls")
    await hall.until("worker", "worker_budget_limit", 50, limit="calls")
    await hall.until("worker", "worker_queue_jobs", 0, queue="person")
    await hall.until("worker", "worker_model_up", 1)


async def until_every_name_is_there(hall: Fleet) -> None:
    """Each name in rules and dashboard has a sample, and Prometheus understands each expression."""
    await asyncio.to_thread(hall.prometheus.until, "sum(up) == 4", 60)
    pages = [await asyncio.to_thread(hall.page, name) for name in hall.ports]
    told = {sample.name for families in pages for family in families for sample in family.samples}
    used = names_in(EXPRESSIONS)
    assert len(used) > 30
    assert used - told == set()
    for expression in EXPRESSIONS:
        assert await asyncio.to_thread(hall.prometheus.ask, "query", query=expression) is not None

    def judged() -> list[dict[str, Any]]:
        groups = hall.prometheus.ask("rules")["groups"]
        return [rule for group in groups for rule in group["rules"]]

    deadline = time.monotonic() + WITHIN_S
    while {rule["health"] for rule in await asyncio.to_thread(judged)} != {"ok"}:
        assert time.monotonic() < deadline, judged()
        await asyncio.sleep(0.2)
    versions = {(name, hall.value(name, "build_info", version=__version__)) for name in hall.ports}
    assert versions == {(name, 1) for name in hall.ports}


async def status_says_the_same(hall: Fleet) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not (said := await asyncio.to_thread(hall.status))["ok"]:
        assert time.monotonic() < deadline, said["problems"]
    assert said["leader"] == await hall.leader()
    assert [(each["id"], each["program"], each["version"]) for each in said["nodes"]] == [
        (name, __version__, 1) for name in NODES
    ]
    assert all(each["uplink"]["waiting"] >= 0 for each in said["nodes"])
    assert [(each["id"], each["model_up"]) for each in said["workers"]] == [("rack_1", True)]
    assert said["programs"] == {__version__: ["node one", "node two", "worker rack_1"]}
    assert said["notes"] == []


async def the_model_goes(hall: Fleet) -> None:
    def wrong() -> list[str]:
        return [text for text in hall.status()["problems"] if text.startswith("worker rack_1: ")]

    hall.refuses.set()
    node = asker(hall.nats.url, "hall", wait_s=WITHIN_S)
    waiting = asyncio.create_task(node.complete_job(job("again"), deadline_s=WITHIN_S))
    await hall.until("worker", "worker_model_up", 0)
    await hall.until("worker", "worker_jobs_total", lambda count: count > 0, queue="person", outcome="back")
    deadline = time.monotonic() + WITHIN_S
    while not await asyncio.to_thread(wrong):
        assert time.monotonic() < deadline
    hall.refuses.clear()
    with suppress(LlmError):  # it may have been given up by now
        await waiting
    while True:
        with suppress(LlmError):
            assert (await node.complete_job(job("once more"), deadline_s=WITHIN_S)).text == TITLE
            break
        await asyncio.sleep(0.2)
    await node.close()
    await hall.until("worker", "worker_model_up", 1)


async def the_database_goes(hall: Fleet) -> None:
    await asyncio.to_thread(hall.postgres.kill)
    await hall.until("collect", "collect_database_connected", 0)
    await hall.until("collect", "collect_problem", 1)
    await hall.until("collect", "collect_waiting", lambda count: count > 0)
    await hall.until("one", "sink_backlog", lambda count: count > 0, sink="uplink")
    await asyncio.to_thread(hall.postgres.start)
    await hall.until("collect", "collect_database_connected", 1)
    await hall.until("collect", "collect_problem", 0)
    assert (hall.value("collect", "collect_retries_total") or 0) > 0


async def a_node_goes(hall: Fleet) -> None:
    leader = await hall.leader()
    (other,) = set(NODES) - {leader}
    hall.site[other].signal(signal.SIGKILL)
    await asyncio.to_thread(hall.site[other].wait)
    await hall.until(leader, "fleet_member_up", 0, member=other)
    await hall.until(leader, "fleet_cameras_held", ROOM)
    await hall.until(leader, "fleet_members", 1)
    # there is room for all but one: the leader says of which nobody watches it, and nothing else of it
    unwatched = "count(min by (site, camera) (blikk_fleet_camera_watched) == 0) == 1"
    await asyncio.to_thread(hall.prometheus.until, unwatched, 60)
    watched = {
        f"camera_{number}": hall.value(leader, "fleet_camera_watched", camera=f"camera_{number}")
        for number in range(CAMERAS)
    }
    assert sorted(watched.values(), key=bool) == [0, 1, 1]
    for camera, by_leader in watched.items():
        if by_leader:
            await hall.until(leader, "camera_online", 1, camera=camera)
        else:
            assert hall.value(leader, "camera_online", camera=camera) is None
    starts = (f"node {other}: it has not been heard of for", f"node {leader}: nobody has room for camera_")
    deadline = time.monotonic() + WITHIN_S
    while True:  # the second comes with the leader's next heartbeat
        said = await asyncio.to_thread(hall.status)
        told = all(any(text.startswith(start) for text in said["problems"]) for start in starts)
        if told and said["leader"] == leader:
            break
        assert time.monotonic() < deadline, (said["leader"], said["problems"])


async def nats_goes(hall: Fleet) -> None:
    leader = await hall.leader()
    hall.nats.kill()
    await hall.until(leader, "fleet_sees_others", 0)
    await hall.until(leader, "fleet_nats_connected", 0)
    await hall.until(leader, "fleet_cameras_held", ROOM)
    await hall.until("worker", "worker_nats_connected", 0)
    await hall.until("collect", "collect_nats_connected", 0)
    await hall.until("collect", "collect_problem", 1)
    assert hall.value("collect", "collect_database_connected") in {None, 1}  # nothing is wrong with the database
    hall.nats.start()
    await hall.until(leader, "fleet_sees_others", 1)
    await hall.until("worker", "worker_nats_connected", 1)
    await hall.until("collect", "collect_nats_connected", 1)
    await hall.until("collect", "collect_database_connected", 1)


async def test_a_port_that_is_taken_is_said_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    clock, port = SystemClock(), free_port()
    url = f"http://127.0.0.1:{port}/metrics"

    async def read(program: str) -> Families:
        return lambda: iter([build_info(program)])

    def answered(program: str) -> bool:
        try:
            with urllib.request.urlopen(url, timeout=10 * PATIENCE) as answer:
                return f'program="{program}"' in answer.read().decode()
        except OSError:
            return False

    async def until_answered(program: str) -> None:
        deadline = time.monotonic() + WITHIN_S
        while not await asyncio.to_thread(answered, program):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)

    http = HttpSettings(port=port)
    async with AsyncExitStack() as later:
        async with metrics_served(http, lambda: read("first"), clock=clock):
            await until_answered("first")
            await later.enter_async_context(metrics_served(http, lambda: read("second"), clock=clock))
            await until(lambda: "choose another `metrics.port`" in caplog.text, "it is said", WITHIN_S)
        await until_answered("second")


async def test_without_the_package_a_program_that_shall_serve_says_what_to_type(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)

    async def nothing() -> Families:
        return lambda: iter(())

    with pytest.raises(ConfigError, match=r"pip install 'blikk-edge\[metrics\]'"):
        async with metrics_served(HttpSettings(port=free_port()), nothing, clock=SystemClock()):
            pass


def test_the_rules_fire_when_they_should_and_else_are_silent() -> None:
    assert promtool_finds_fault("alerts-fleet_test.yml") == ""
