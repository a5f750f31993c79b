"""Language-model jobs of a site, with a real NATS server, real workers and a model server that fails to order."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import pytest
from fleet_jobs import CLOCK, WorkerProcess, asker, job, model, options, prompt, working
from llm_server import LlmServer, Say, refusal
from nats_server import NatsServer
from ports import free_port
from sink_samples import until

from blikk_edge.core.picture import Picture
from blikk_edge.fleet.jobs import ModelJob, answer_in, completion_bytes, error_bytes, job_in
from blikk_edge.fleet.link import Link
from blikk_edge.fleet.names import Names
from blikk_edge.fleet.site_budget import SiteBudget, SiteLimits, Spent
from blikk_edge.llm.port import AwayError, Completion, GarbledError, Prompt, TooLongError
from blikk_edge.llm.queue.port import NotNowError, Priority

PATIENT_S = 60.0
TITLE = '{"title": "A person came"}'


@pytest.fixture
async def llm() -> AsyncIterator[LlmServer]:
    """Who answers the workers; well, unless told otherwise."""
    async with LlmServer(lambda _: Say(text=TITLE)) as server:
        yield server


class Own:
    """The node's own model: it always answers."""

    name = "own"
    sees = True

    async def complete(self, prompt: Prompt, *, deadline_s: float) -> Completion:
        return Completion(text=TITLE, model="own", input_tokens=1, output_tokens=1)

    async def close(self) -> None:
        return


def test_a_job_is_the_same_on_the_other_side() -> None:
    shown = Picture(camera="yard", name="person", time=1.5, jpeg=b"\xff\xd8", width_px=4, height_px=2, faces=1)
    made = Prompt(system="s", user="ä\ud800", schema_name="n", schema={"a": [1]}, pictures=(shown,), max_tokens=9)
    sent = ModelJob(node="one", camera=None, answer_to="x", prompt=made)
    read = job_in(sent.to_bytes())
    assert read.prompt.pictures == (shown,)
    assert (read.node, read.camera, read.answer_to, read.prompt.max_tokens) == ("one", None, "x", 9)
    assert read.prompt.user == "ä?"
    done = Completion(text="t", model="m", input_tokens=3, output_tokens=4, estimated=True)
    assert answer_in(completion_bytes(done)) == done
    with pytest.raises(GarbledError, match="half") as caught:
        answer_in(error_bytes(GarbledError("half", spent=done)))
    assert caught.value.spent == done


async def test_a_worker_answers_and_says_so_in_its_heartbeat(nats: NatsServer, site: str, llm: LlmServer) -> None:
    asking = asker(nats.url, site)
    async with working(nats.url, site, model(llm)) as worker:
        done = await asking.complete_job(job(), deadline_s=PATIENT_S)
        assert (done.text, done.model) == (TITLE, "tiny-1")
        await until(lambda: worker.counts["done"] == 1, "it is counted")
        link = Link(options(nats.url, site), name="looks")
        bucket = await (await link.open()).key_value(Names(site).workers)
        entry = await bucket.get("rack_1")
        beat = json.loads(entry.value or b"")
        assert (beat["node"], beat["model"], beat["problems"]) == ("rack_1", "tiny-1", [])
        stream = await (await link.open()).stream_info(Names(site).jobs)
        assert stream.state.messages == 0
        await link.close()
    await asking.close()


async def test_a_worker_that_is_killed_loses_no_job(
    nats: NatsServer, site: str, llm: LlmServer, tmp_path: Path
) -> None:
    llm.say(Say(delay_s=300))  # the first is killed meanwhile
    asking = asker(nats.url, site)
    first = WorkerProcess(tmp_path, nats.url, site, llm.base_url, name="rack_1", more=("--log-json",))
    try:
        await until(lambda: first.said("takes jobs of site"), "it is ready")
        answer = asyncio.create_task(asking.complete_job(job(), deadline_s=PATIENT_S))
        await until(lambda: len(llm.asked) == 1, "the first works on it")
        first.kill()
        async with working(nats.url, site, model(llm), name="rack_2") as second:
            assert (await answer).text == TITLE
            await until(lambda: second.counts["done"] == 1, "the second has done it")
        assert len(llm.asked) == 2
    finally:
        first.kill()
        await asking.close()
    lines = [json.loads(line) for line in first.log.read_text().splitlines()]
    assert {(line["site"], line["node"]) for line in lines} == {(site, "rack_1")}


async def test_a_slow_job_is_not_given_to_another(nats: NatsServer, site: str, llm: LlmServer) -> None:
    llm.say(Say(text=TITLE, delay_s=8))  # longer than a worker may be silent
    asking = asker(nats.url, site)
    async with working(nats.url, site, model(llm)), working(nats.url, site, model(llm), name="rack_2"):
        assert (await asking.complete_job(job(), deadline_s=PATIENT_S)).text == TITLE
        assert len(llm.asked) == 1
    await asking.close()


async def test_a_worker_that_is_stopped_hands_its_job_over_at_once(nats: NatsServer, site: str, llm: LlmServer) -> None:
    llm.say(Say(delay_s=300))
    asking = asker(nats.url, site)
    async with working(nats.url, site, model(llm)):
        answer = asyncio.create_task(asking.complete_job(job(), deadline_s=PATIENT_S))
        await until(lambda: len(llm.asked) == 1, "it works on it")
    async with working(nats.url, site, model(llm), name="rack_2"):
        assert (await answer).text == TITLE
    await asking.close()


async def test_rings_go_first(nats: NatsServer, site: str) -> None:
    order: list[str] = []
    free = asyncio.Event()

    class Slow(Own):
        async def complete(self, prompt: Prompt, *, deadline_s: float) -> Completion:
            order.append(prompt.user)
            await free.wait()
            return await super().complete(prompt, deadline_s=deadline_s)

    asking = asker(nats.url, site, wait_s=PATIENT_S)
    link = Link(options(nats.url, site), name="looks")
    async with working(nats.url, site, Slow()):
        answers = [asyncio.create_task(asking.complete_job(job("first"), deadline_s=PATIENT_S))]
        await until(lambda: order == ["first"], "the worker is busy")
        jetstream = await link.open()
        for number, (words, priority) in enumerate(
            (("digest", Priority.DIGEST), ("person", Priority.PERSON), ("ring", Priority.RING)), start=2
        ):
            answers.append(asyncio.create_task(asking.complete_job(job(words, priority), deadline_s=PATIENT_S)))
            while (await jetstream.stream_info(Names(site).jobs)).state.messages < number:
                await asyncio.sleep(0.01)
        free.set()
        await asyncio.gather(*answers)
    assert order == ["first", "ring", "person", "digest"]
    await link.close()
    await asking.close()


async def test_what_nobody_waits_for_any_more_is_not_worked_on(nats: NatsServer, site: str, llm: LlmServer) -> None:
    asking = asker(nats.url, site, wait_s=0.3, own=Own())
    async with working(nats.url, site, model(llm)):
        pass  # the queue is there, and no worker
    assert (await asking.complete_job(job("given up"), deadline_s=PATIENT_S)).model == "own"
    late = asker(nats.url, site)
    async with working(nats.url, site, model(llm)) as worker:
        await until(lambda: worker.counts["unwanted"] == 1, "it is thrown away")
        assert (await late.complete_job(job("wanted"), deadline_s=PATIENT_S)).text == TITLE
    assert ["wanted" in str(each.body) for each in llm.asked] == [True]
    await asking.close()
    await late.close()


async def test_without_workers_or_nats_the_node_helps_itself_in_bounded_time(nats: NatsServer, site: str) -> None:
    for url in (nats.url, f"nats://127.0.0.1:{free_port()}"):
        asking = asker(url, site, own=Own())
        assert (await asking.complete_job(job(), deadline_s=PATIENT_S)).model == "own"
        began = time.monotonic()
        for _ in range(50):  # from now on it does not even try
            assert (await asking.complete_job(job(), deadline_s=PATIENT_S)).model == "own"
        assert time.monotonic() - began < PATIENT_S
        await asking.close()
    alone = asker(nats.url, site)
    with pytest.raises(AwayError, match=r"has never had a worker; start `blikk worker`"):
        await alone.complete_job(job(), deadline_s=PATIENT_S)
    await alone.close()


async def test_a_model_that_is_away_is_left_to_the_worker_with_another(
    nats: NatsServer, site: str, llm: LlmServer
) -> None:
    asking = asker(nats.url, site)
    async with (
        LlmServer(lambda _: refusal(401, "no such key")) as broken,
        working(nats.url, site, model(broken)) as ill,
    ):
        answer = asyncio.create_task(asking.complete_job(job(), deadline_s=PATIENT_S))
        await until(lambda: ill.problems, "it says that its model refuses")
        async with working(nats.url, site, model(llm), name="rack_2"):
            assert (await answer).text == TITLE
    await asking.close()


async def test_what_the_model_says_of_the_prompt_reaches_the_asker(nats: NatsServer, site: str) -> None:
    class Small(Own):
        async def complete(self, prompt: Prompt, *, deadline_s: float) -> Completion:
            raise TooLongError("4096 tokens at most")

    asking = asker(nats.url, site)
    async with working(nats.url, site, Small()):
        with pytest.raises(TooLongError, match="4096 tokens at most"):
            await asking.complete_job(job(), deadline_s=PATIENT_S)
    await asking.close()


async def test_a_job_that_nobody_can_finish_is_given_up_and_said(
    nats: NatsServer, site: str, caplog: pytest.LogCaptureFixture
) -> None:
    tried = count()

    class Breaks(Own):
        async def complete(self, prompt: Prompt, *, deadline_s: float) -> Completion:
            next(tried)
            raise RuntimeError("secret words of a prompt")

    asking = asker(nats.url, site)
    async with working(nats.url, site, Breaks()) as worker:
        with pytest.raises(NotNowError, match="came to nothing with 4 workers or tries"):
            await asking.complete_job(job(), deadline_s=PATIENT_S)
        assert next(tried) == 4
        assert worker.counts["dead"] == 1
    assert "a job of node_1 was given up" in caplog.text
    assert "secret words" not in caplog.text
    await asking.close()


async def test_workers_keep_the_budget_of_the_site_together(nats: NatsServer, site: str, llm: LlmServer) -> None:
    limits = SiteLimits(calls_per_day=5)
    asking = asker(nats.url, site, wait_s=PATIENT_S)
    async with (
        working(nats.url, site, model(llm), concurrency=4, limits=limits),
        working(nats.url, site, model(llm), name="rack_2", concurrency=4, limits=limits),
    ):
        jobs = [asking.complete_job(job(f"job {number}"), deadline_s=PATIENT_S) for number in range(9)]
        ends = await asyncio.gather(*jobs, return_exceptions=True)
    refused = [end for end in ends if isinstance(end, NotNowError)]
    assert len(refused) == 4
    assert str(refused[0]) == "over the budget of the site: limits.calls_per_day of its workers is 5"
    assert len(llm.asked) == 5
    link = Link(options(nats.url, site), name="looks")
    bucket = await (await link.open()).key_value(Names(site).budget)
    spent = await SiteBudget(bucket, limits, CLOCK).today()
    assert spent == Spent(5, 5 * 49)  # what the server counted, not what was estimated
    await link.close()
    await asking.close()


async def test_a_worker_outlives_its_nats(tmp_path: Path, llm: LlmServer) -> None:
    with NatsServer(tmp_path) as server:
        async with working(server.url, "hall", model(llm)) as worker:
            await asyncio.to_thread(server.kill)
            await until(lambda: worker.problems, "it says that NATS is away")
            await asyncio.to_thread(server.start)
            await until(lambda: not worker.problems, "it works again")
            asking = asker(server.url, "hall", wait_s=PATIENT_S)
            assert (await asking.complete_job(job(), deadline_s=PATIENT_S)).text == TITLE
            await asking.close()


async def test_what_is_no_job_does_not_stop_a_worker(
    nats: NatsServer, site: str, llm: LlmServer, caplog: pytest.LogCaptureFixture
) -> None:
    asking = asker(nats.url, site)
    link = Link(options(nats.url, site), name="looks")
    other = ModelJob(node="node_1", camera=None, answer_to="blikk.elsewhere", prompt=prompt())
    async with working(nats.url, site, model(llm)) as worker:
        jetstream = await link.open()
        for data in (b"\xff", b"[]", b'{"v": 2}', b'{"v": 1}', other.to_bytes()):
            await jetstream.publish(Names(site).job("llm", "ring"), data)
        assert (await asking.complete_job(job(), deadline_s=PATIENT_S)).text == TITLE
        assert worker.counts["dead"] == 5
    assert "its answer would not go to node_1, who asks" in caplog.text
    await link.close()
    await asking.close()
