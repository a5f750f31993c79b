"""Whole nodes (`blikk run`) whose texts the workers of their site write (`blikk worker`): `provider: fleet`."""

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from broker import Broker
from fleet_jobs import WorkerProcess
from llm_server import LlmServer, Say
from nats_server import NatsServer
from patience import PATIENCE
from site_nodes import Site, cameras_yaml, content

BY_WORKERS, BY_ITSELF = "A person was there.", "A person came."
CAMERA = cameras_yaml(1, more=", loiter_s: 1s")
"""Whoever is there for so long is worth a model's text each time."""

LIMITS = "limits: {cooldown_s: 0, calls_per_minute: 100, tokens_per_minute: 100000}"
SHARED = f"provider: fleet, wait_s: 2s, {LIMITS}"


def written_by(hall: Site, source: str, *, since: float = 0.0) -> list[dict[str, Any]]:
    """The last texts about visits that were told since then; an early one has nothing to add without pictures."""
    told = [content(each) for each in hall.ears.of("/summary", since=since)]
    return [summary for summary in told if (summary["revision"], summary["source"]) == (2, source)]


def said(text: str) -> Say:
    return Say(text=json.dumps({"title": "A person came", "text": text, "importance": "normal"}))


@pytest.mark.timeout(600)
async def test_workers_write_for_a_node_and_the_template_does_where_none_is_there(
    tmp_path: Path, nats: NatsServer
) -> None:
    def told(model: str) -> None:
        with (
            Broker(tmp_path) as broker,
            Site(tmp_path, "hall", "one", nats=nats.url, broker=broker.port, summary=f"{{{SHARED}}}") as hall,
            worker(tmp_path, nats, model, "rack_1") as first,
        ):
            hall["one"].apply(CAMERA)
            hall.start()
            hall.until(lambda: written_by(hall, "llm"), "the text of a worker")
            assert {(text["text"], text["model"]) for text in written_by(hall, "llm")} == {(BY_WORKERS, "tiny-1")}
            first.kill()
            killed = time.monotonic()
            hall.until(lambda: written_by(hall, "template", since=killed), "the text of the template")
            with worker(tmp_path, nats, model, "rack_2"):
                back = time.monotonic()
                # the node has learned that none is there, and asks again after a while
                hall.until(lambda: written_by(hall, "llm", since=back), "the text of another worker", within_s=60)

    async with LlmServer(lambda _: said(BY_WORKERS)) as server:
        await asyncio.to_thread(told, server.base_url)


@pytest.mark.timeout(600)
async def test_a_nodes_own_model_writes_where_no_worker_is_there(tmp_path: Path, nats: NatsServer) -> None:
    def told(own: str, shared: str) -> None:
        summary = f"{{{SHARED}, fallback: openai, base_url: '{own}', model: small}}"
        with (
            Broker(tmp_path) as broker,
            Site(tmp_path, "yard", "one", nats=nats.url, broker=broker.port, summary=summary) as yard,
        ):
            yard["one"].apply(CAMERA)
            yard.start()
            yard.until(lambda: written_by(yard, "llm"), "the text of its own model")
            assert {text["text"] for text in written_by(yard, "llm")} == {BY_ITSELF}
            with worker(tmp_path, nats, shared, "rack_1", site="yard"):
                # as above
                yard.until(
                    lambda: BY_WORKERS in {text["text"] for text in written_by(yard, "llm")}, "a worker's", within_s=60
                )

    async with LlmServer(lambda _: said(BY_ITSELF)) as own, LlmServer(lambda _: said(BY_WORKERS)) as shared:
        await asyncio.to_thread(told, own.base_url, shared.base_url)


@contextmanager
def worker(folder: Path, nats: NatsServer, model: str, name: str, *, site: str = "hall") -> Iterator[WorkerProcess]:
    """One that takes jobs."""
    made = WorkerProcess(folder, nats.url, site, model, name=name)
    try:
        deadline = time.monotonic() + 30 * PATIENCE
        while not made.said("takes jobs"):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield made
    finally:
        made.kill()
