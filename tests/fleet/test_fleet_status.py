"""`blikk fleet status` at a real NATS server."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from centre_kit import uplink
from nats_server import NatsServer
from sink_samples import observation

from blikk_edge.cli.program import program
from blikk_edge.core.clock import SystemClock
from blikk_edge.core.ports import Pending
from blikk_edge.fleet import applied
from blikk_edge.fleet.applied import Applied
from blikk_edge.fleet.bucket import Bucket
from blikk_edge.fleet.leases import fence_of
from blikk_edge.fleet.link import Link
from blikk_edge.fleet.names import Names
from blikk_edge.fleet.options import FleetOptions
from blikk_edge.fleet.work_queue import bucket, make_queue

CAMERAS = "cameras:\n  door: {source: /dev/video0}\n  gate: {source: /dev/video1}\n  yard: {source: /dev/video2}\n"


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[NatsServer]:
    with NatsServer(tmp_path / "nats") as server:
        yield server


async def _fill(url: str) -> None:
    """A site with three cameras, of whose nodes one was heard of long ago, and with records that wait."""
    from nats.js.api import KeyValueConfig

    link, names = Link(FleetOptions(site="hall", servers=(url,)), name="test"), Names("hall")
    await applied.apply(link, names, CAMERAS, after=Applied())
    jetstream = await link.open()
    leases = await jetstream.create_key_value(KeyValueConfig(bucket=names.leases))
    for key, owner in (("camera.door", "porch"), ("camera.gate", "rack"), ("leader", "porch")):
        await leases.put(key, json.dumps({"owner": owner}).encode())
    sink = uplink(url, "hall", silent_s=0.0)
    await sink.open()
    task = asyncio.create_task(
        sink.send([Pending(seq=1, record=observation(1)), Pending(seq=2, record=observation(2))])
    )
    await asyncio.wait((task,))
    assert "`blikk collect`" in str(task.exception())
    await sink.close()
    await link.close()


async def _leases_made_s(url: str) -> int:
    link = Link(FleetOptions(site="hall", servers=(url,)), name="test")
    leases = Bucket(link, Names("hall").leases, clock=SystemClock())
    while not await leases.current():
        await asyncio.sleep(0.01)
    await leases.close()
    await link.close()
    return leases.made_s


PORCH = {
    "beat": 1,
    "cameras_max": 16,
    "load": 0.25,
    "version": 1,
    "program": "9.9.0",
    "refused": ["cameras.yard.source: there is no secret `yard`"],
    "refused_count": 3,
    "uplink": {"waiting": 12, "problem": "nats: 12 records of the site wait for the centre"},
    "past": "it has no room left",
    "of a later version": [1, {}],
}
ATTIC = {"beat": 1, "cameras_max": 16, "load": 0.5, "version": 0}
"""As an older program says it."""
WORKER = {
    "version": "9.8.0",
    "model": "m",
    "model_up": False,
    "load": 10**400,
    "running": 1,
    "concurrency": 2,
    "problems": ["it is away"],
}


@contextmanager
def beating(url: str) -> Iterator[None]:
    """Two nodes and a worker, which say every half a second that they are there."""
    from nats.js.api import KeyValueConfig

    began, stop = threading.Event(), threading.Event()

    async def beat() -> None:
        link = Link(FleetOptions(site="hall", servers=(url,)), name="porch")
        jetstream, names = await link.open(), Names("hall")
        members = await jetstream.create_key_value(KeyValueConfig(bucket=names.members))
        workers = await jetstream.create_key_value(KeyValueConfig(bucket=names.workers))
        while not stop.is_set():
            await members.put("porch", json.dumps(PORCH).encode())
            await members.put("attic", json.dumps(ATTIC).encode())
            await members.put("broken", b"[" * 200_000)
            await workers.put("rack_1", json.dumps(WORKER).encode())
            began.set()
            await asyncio.sleep(0.5)
        await link.close()

    thread = threading.Thread(target=lambda: asyncio.run(beat()))
    thread.start()
    try:
        assert began.wait(60)
        yield
    finally:
        stop.set()
        thread.join()


def test_it_says_who_watches_what_waits_and_what_is_wrong(
    nats: NatsServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(_fill(nats.url))
    config = tmp_path / "blikk.yaml"
    config.write_text(
        f"node: n\nmqtt: false\ncameras: {{d: /dev/video0}}\nfleet: {{site: hall, servers: [{nats.url}]}}\n"
    )

    def asked(*more: str) -> tuple[int, str]:
        status = program(["fleet", "status", "--config", str(config), *more])
        return status, capsys.readouterr().out

    with beating(nats.url):
        status, text = asked("--json")
        lines = asked()[1].splitlines()
    said: dict[str, Any] = json.loads(text)
    assert (status, said["ok"], said["site"], said["version"]) == (1, False, "hall", 1)
    assert [(each["id"], each["owner"]) for each in said["cameras"]] == [
        ("door", "porch"),
        ("gate", "rack"),
        ("yard", None),
    ]
    assert [(each["id"], each["here"], each["program"]) for each in said["nodes"]] == [
        ("attic", True, None),
        ("porch", True, "9.9.0"),
    ]
    assert said["leader"] == "porch"
    assert said["nodes"][1]["uplink"]["waiting"] == 12
    assert [(each["id"], each["model_up"], each["program"]) for each in said["workers"]] == [("rack_1", False, "9.8.0")]
    assert said["programs"] == {"": ["node attic"], "9.8.0": ["worker rack_1"], "9.9.0": ["node porch"]}
    assert (said["waiting"]["records"], said["waiting"]["collects"]) == (2, False)
    assert said["notes"] == [
        "programs of different versions are there: an older one (node attic); 9.8.0 (worker rack_1); 9.9.0 (node porch)"
    ]
    assert said["problems"] == [
        "node attic: it has version 0 of the cameras, and 1 is applied; it starts again in its turn",
        "node porch: it refuses a camera of the site: cameras.yard.source: there is no secret `yard`",
        "node porch: it refuses 2 more cameras of the site",
        "node porch: uplink: nats: 12 records of the site wait for the centre",
        "node porch: the past of the site: it has no room left",
        "camera gate: rack is to watch it, and is not there",
        "camera yard: nobody watches it",
        "worker rack_1: it is away",
        "there is no stream of jobs, though a worker is there; its log says why",
        "2 records wait, and nobody takes them; see whether `blikk collect` runs",
    ]
    made_s = asyncio.run(_leases_made_s(nats.url))
    assert lines[:4] == [
        "site hall: 3 cameras, version 1, porch speaks for it",
        f"  door: porch, fence {fence_of(made_s, 1)}",
        f"  gate: rack, fence {fence_of(made_s, 2)}",
        "  yard: nobody",
    ]
    assert lines[4:7] == [
        "node attic: is there, load 0.50, 0 of at most 16 cameras, cameras of version 0",
        "node porch: is there, program 9.9.0, load 0.25, 1 of at most 16 cameras, 12 records in its journal",
        "worker rack_1: is there, program 9.8.0, 1 of at most 2 jobs, model m (away)",
    ]
    assert f"note: {said['notes'][0]}" in lines
    assert f"problem: {said['problems'][0]}" in lines
    (records,) = (line for line in lines if line.startswith("records: 2 wait for the centre, the oldest for "))
    assert records.endswith(" s; no `blikk collect` asks for any")

    while asked("--json")[1].count('"here": true'):  # nobody renews it
        time.sleep(0.2)
    assert "node porch: it has not been heard of for " in asked()[1]


async def test_jobs_that_none_of_the_workers_does_are_a_problem(
    nats: NatsServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = Names("shed")
    link = Link(FleetOptions(site="shed", servers=(nats.url,)), name="a node")
    jetstream = await link.open()
    await make_queue(jetstream, names, "llm", copies=1)
    workers = await bucket(jetstream, names.workers, ttl_s=600.0, copies=1)
    for kind in ("llm", "embed-first", "embed-first"):
        await jetstream.publish(names.job(kind, "person"), b"{}")
    config = tmp_path / "blikk.yaml"
    config.write_text(
        f"node: n\nmqtt: false\ncameras: {{d: /dev/video0}}\nfleet: {{site: shed, servers: [{nats.url}]}}\n"
    )
    await workers.put("rack_1", b'{"kind": "llm", "model_up": true, "running": 1, "concurrency": 1}')
    status = await asyncio.to_thread(program, ["fleet", "status", "--config", str(config)])
    await link.close()
    assert status == 1
    lines = capsys.readouterr().out.splitlines()
    assert "jobs: 2 of kind embed-first, 1 of kind llm" in lines
    assert [line for line in lines if line.startswith("problem: ")] == [
        "problem: 2 jobs of kind embed-first wait, and no worker is there that does them; start `blikk worker`"
    ]


def test_a_site_that_has_nothing_yet_is_not_wrong(
    nats: NatsServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "blikk.yaml"
    config.write_text(
        f"node: n\nmqtt: false\ncameras: {{d: /dev/video0}}\nfleet: {{site: hall, servers: [{nats.url}]}}\n"
    )
    assert program(["fleet", "status", "--config", str(config)]) == 0
    assert capsys.readouterr().out == "site hall: 0 cameras, version 0\n"
