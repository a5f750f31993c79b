"""Looks at redacted crops by a site's workers: a real NATS server, real workers, a CLIP model made here."""

import asyncio
import hashlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from fleet_jobs import CLOCK, options, taking
from nats_server import NatsServer
from numpy.typing import NDArray
from sink_samples import until
from tiny_clip import COLOURS, write_pair

from blikk_edge.app.shared_search import SharedSearch
from blikk_edge.config.loading import load
from blikk_edge.core.clock import VirtualClock
from blikk_edge.core.errors import ModelError, SinkError, WireError
from blikk_edge.core.geometry import Box
from blikk_edge.core.observation import Sighting
from blikk_edge.core.picture import Picture
from blikk_edge.core.sightings import Detection, Label
from blikk_edge.fleet.asking import Asker
from blikk_edge.fleet.jobs import Urgency
from blikk_edge.fleet.link import Link
from blikk_edge.fleet.look_jobs import DETECT, LookJob, embed_kind, found_in, look_job_in, refusal_bytes, vector_in
from blikk_edge.fleet.look_work import LookWork, detector_work, embedding_work
from blikk_edge.fleet.names import Names
from blikk_edge.fleet.shared_looks import SharedLooks
from blikk_edge.fleet.work_queue import make_queue
from blikk_edge.fleet.worker import Worker
from blikk_edge.fleet.worker_options import WorkerOptions
from blikk_edge.runtime.scheduler import Supervisor
from blikk_edge.transforms.embedding.reader import LookReader
from blikk_edge.transforms.embedding.shared import SIDE_PX, ServedDetector, ServedTowers, SharedTowers, crop
from blikk_edge.transforms.embedding.towers import Towers
from blikk_edge.transforms.privacy.paint import encode

if TYPE_CHECKING:
    from nats.aio.msg import Msg

PATIENT_S = 60.0
RED_BOX = Box(0.05, 0.2, 0.45, 0.9)


@pytest.fixture(scope="module")
def towers(tmp_path_factory: pytest.TempPathFactory) -> Towers:
    return Towers("tiny", *write_pair(tmp_path_factory.mktemp("pair")))


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loaded machine is waited for."""
    for name in ("WAIT_S", "ANSWER_S"):
        monkeypatch.setattr(f"blikk_edge.fleet.shared_looks.{name}", PATIENT_S)


class Larger:
    """A detector that takes what is not grey for a truck, wherever it is in its picture."""

    name = "larger"

    def __init__(self, label: Label = Label.VEHICLE) -> None:
        self.label = label

    def detect(self, bgr: np.ndarray) -> tuple[Detection, ...]:
        rows, columns = np.nonzero(np.ptp(bgr.astype(int), axis=2) > 60)
        if not rows.size:
            return ()
        height, width = bgr.shape[:2]
        box = Box(columns.min() / width, rows.min() / height, (columns.max() + 1) / width, (rows.max() + 1) / height)
        return (Detection(label=self.label, sub_label="truck", score=0.9, box=box),)


def picture() -> Picture:
    """A red object to the left on grey."""
    bgr = np.full((480, 640, 3), COLOURS["grey"][::-1], np.uint8)
    x1, y1, x2, y2 = RED_BOX.pixels(640, 480)
    bgr[y1:y2, x1:x2] = COLOURS["red"][::-1]
    return Picture(camera="gate", name="frame", time=1.0, jpeg=encode(bgr, 85), width_px=640, height_px=480)


def jpeg_of(width: int, height: int) -> bytes:
    """The beginning of a JPEG that says it is so large."""
    return b"\xff\xd8\xff\xc0\x00\x11\x08" + height.to_bytes(2) + width.to_bytes(2) + b"\x03" + bytes(9)


SEEN = Sighting(track=1, label=Label.VEHICLE, sub_label="car", score=0.9, box=RED_BOX, since=1.0, dwell_s=0.0)


@asynccontextmanager
async def looking(url: str, site: str, work: LookWork) -> AsyncIterator[Worker[LookJob]]:
    """A worker that does this work."""
    chosen = WorkerOptions(id="rack_1", concurrency=2)
    worker = Worker(chosen, Link(options(url, site), name=f"rack_1.{work.kind}"), Names(site), work=work, clock=CLOCK)
    async with taking(worker):
        yield worker


@asynccontextmanager
async def asking(url: str, site: str) -> AsyncIterator[SharedLooks]:
    """A node that asks, in other threads."""
    looks = SharedLooks(Link(options(url, site), name="node_1.looks"), Names(site), node="node_1", clock=CLOCK)
    looks.attach()
    try:
        yield looks
    finally:
        await looks.close()


async def test_an_embedding_by_a_worker_is_that_of_the_model_itself(
    nats: NatsServer, site: str, towers: Towers
) -> None:
    work = embedding_work(ServedTowers(towers))
    async with looking(nats.url, site, work) as worker, asking(nats.url, site) as looks:
        shared = SharedTowers("tiny", looks)
        read = await asyncio.to_thread(LookReader(lambda: shared).look, picture(), [SEEN], {"blue": "blue car"})
        own = LookReader(lambda: towers).look(picture(), [SEEN], {"blue": "blue car"})
        assert read[0].appearance.embedding is not None
        assert own[0].appearance.embedding is not None
        assert read[0].appearance.embedding.model == "tiny"
        pair = [np.array(each.appearance.embedding.numbers) for each in (read[0], own[0]) if each.appearance.embedding]
        assert float(pair[0] @ pair[1]) > 0.99
        assert read[0].scores["blue"] == pytest.approx(own[0].scores["blue"], abs=0.05)
        await until(lambda: worker.counts["done"] == 8, "one crop and seven texts, of which each is asked for once")
        await asyncio.to_thread(shared.text, "a photo of blue car")
        assert shared.text.cache_info().misses == 7


@dataclass
class Called:
    """An embedding model that is called something."""

    name: str
    number: int
    asked: list[str] = field(default_factory=list)

    def of_words(self, words: str) -> NDArray[np.float32]:
        self.asked.append(words)
        return np.eye(4, dtype=np.float32)[self.number]

    def of_jpeg(self, jpeg: bytes) -> NDArray[np.float32]:
        return self.of_words("a picture")


async def test_of_workers_with_different_models_each_gets_the_jobs_for_its_own(
    nats: NatsServer, site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None refuses what another could do, and a job for a model that nobody has is given up in time."""
    first, second = Called("first.v1", 0), Called("second@v1", 1)
    works = [embedding_work(each) for each in (first, second)]
    async with looking(nats.url, site, works[0]), looking(nats.url, site, works[1]), asking(nats.url, site) as looks:
        for _ in range(4):
            for model in (first, second):
                vector = await asyncio.to_thread(partial(looks.embedding, model.name, words="red"))
                assert vector[model.number] == pytest.approx(1.0)
        assert (first.asked, second.asked) == (["red"] * 4, ["red"] * 4)
    monkeypatch.setattr("blikk_edge.fleet.shared_looks.WAIT_S", 0.3)
    async with looking(nats.url, site, works[0]), asking(nats.url, site) as looks:
        with pytest.raises(ModelError, match="took a job of kind embed-third"):
            await asyncio.to_thread(partial(looks.embedding, "third", words="red"))
        assert looks.answers


async def test_a_model_whose_name_only_looks_the_same_is_not_compared_with(nats: NatsServer, site: str) -> None:
    async with looking(nats.url, site, embedding_work(Called("ti.ny", 0))), asking(nats.url, site) as looks:
        with pytest.raises(ModelError, match=r"this worker has the model ti.ny, and ti@ny is asked for"):
            await asyncio.to_thread(SharedTowers("ti@ny", looks).text, "red")
        assert looks.answers
        assert looks.refused == "this worker has the model ti.ny, and ti@ny is asked for"
        await asyncio.to_thread(SharedTowers("ti.ny", looks).text, "red")
        assert looks.refused is None


async def test_a_job_that_was_given_up_is_answered_to_its_asker_alone(
    nats: NatsServer, site: str, towers: Towers
) -> None:
    names, link = Names(site), Link(options(nats.url, site), name="node_1")
    async with looking(nats.url, site, embedding_work(ServedTowers(towers))) as worker:
        client, jetstream, heard = await link.client(), await link.open(), []

        async def hear(message: "Msg") -> None:
            heard.append(message.subject)

        for subject in ("elsewhere.>", f"{names.answer('node_1')}.>"):
            await client.subscribe(subject, cb=hear)
        mine = f"{names.answer('node_1')}.1"
        for answer_to in ("elsewhere.1", mine):
            job = LookJob(node="node_1", answer_to=answer_to, words="red").to_bytes()
            seq = (await jetstream.publish(names.job("other", "ring"), job)).seq
            advisory = f"$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.{names.jobs}.other_ring"
            await client.publish(advisory, b'{"stream_seq": %d}' % seq)
        await until(lambda: worker.counts["dead"] == 2 and mine in heard, "both are given up")
        assert heard == [mine]
    await link.close()


@pytest.mark.parametrize(
    ("called", "said"),
    [
        ("other", "took a job of kind embed-my_model-{digest} within"),
        ("my@model-{digest}", "has the model my@model-{digest}, and my.model-{digest} is asked for"),
    ],
)
async def test_workers_that_have_another_model_are_said_in_the_nodes_health(
    nats: NatsServer, site: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, called: str, said: str
) -> None:
    """Whether none takes its jobs, or one whose model only has a name that looks the same."""
    monkeypatch.setattr("blikk_edge.app.shared_search.LOOK_S", 0.05)
    monkeypatch.setattr("blikk_edge.app.shared_search.at_hand", lambda *_: None)
    if called == "other":
        monkeypatch.setattr("blikk_edge.fleet.shared_looks.WAIT_S", 0.3)
    model = tmp_path / "my.model.onnx"
    model.write_bytes(b"a model that nobody opens")
    digest = hashlib.sha256(model.read_bytes()).hexdigest()[:8]
    (tmp_path / "yard.mp4").touch()
    (tmp_path / "words.json").touch()
    file = tmp_path / "blikk.yaml"
    file.write_text(
        "node: one\nmqtt: false\ncameras: {yard: {source: yard.mp4}}\n"
        f"fleet: {{site: {site}, servers: [{nats.url}]}}\n"
        f"search: {{model: {model}, tokenizer: {tmp_path / 'words.json'}, workers: [embedding]}}\n"
    )
    supervisor = Supervisor()
    search = SharedSearch(load(file, environ={}), supervisor, CLOCK)
    async with looking(nats.url, site, embedding_work(Called(called.format(digest=digest), 0))):
        running = asyncio.create_task(search.run())
        try:
            await until(lambda: search.towers is not None, "the workers may be asked")
            for _ in range(2):
                await asyncio.to_thread(search.reader().look, picture(), [SEEN], {})
            await until(lambda: said.format(digest=digest) in supervisor.problems.get("search", ""), "it is said")
        finally:
            running.cancel()
            await asyncio.wait((running,))


@pytest.mark.parametrize(("label", "kind"), [(Label.VEHICLE, "truck"), (Label.ANIMAL, "car")])
async def test_a_larger_detector_says_more_exactly_what_it_is_but_nothing_else(
    nats: NatsServer, site: str, label: Label, kind: str
) -> None:
    work = detector_work(ServedDetector(Larger(label)))
    async with looking(nats.url, site, work), asking(nats.url, site) as looks:
        reader = LookReader(second=lambda: lambda pixels: looks.found(crop(pixels)))
        (look,) = await asyncio.to_thread(reader.look, picture(), [SEEN], {})
        assert (look.appearance.label, look.appearance.kind) == (Label.VEHICLE, kind)


async def test_what_a_larger_detector_finds_elsewhere_is_not_this_object(nats: NatsServer, site: str) -> None:
    """The object is grey; the red one beside it, partly in its crop, is a truck."""
    beside = Sighting(
        track=2, label=Label.VEHICLE, sub_label="car", score=0.9, box=Box(0.5, 0.2, 0.95, 0.9), since=1.0, dwell_s=0.0
    )
    work = detector_work(ServedDetector(Larger()))
    async with looking(nats.url, site, work), asking(nats.url, site) as looks:
        reader = LookReader(second=lambda: lambda pixels: looks.found(crop(pixels)))
        (look,) = await asyncio.to_thread(reader.look, picture(), [beside], {})
        assert look.appearance.kind == "car"


async def test_without_a_worker_a_look_has_colours_and_the_next_asks_nobody(nats: NatsServer, site: str) -> None:
    async with asking(nats.url, site) as looks:
        shared = SharedTowers("tiny", looks)
        reader = LookReader(lambda: shared if looks.answers else None)
        (first,) = await asyncio.to_thread(reader.look, picture(), [SEEN], {})
        assert first.appearance.embedding is None
        assert first.appearance.colours
        assert not looks.answers
        assert "never had a worker" in (looks.problem or "")


async def test_two_jobs_that_none_took_are_a_rest_of_15_seconds_and_each_further_one_a_longer_rest(
    nats: NatsServer, site: str
) -> None:
    clock, link = VirtualClock(), Link(options(nats.url, site), name="node_1")
    asker = Asker(link, Names(site), node="node_1", wait_s=0.01, clock=clock)
    await make_queue(await link.open(), Names(site), DETECT, copies=1)
    rests = []
    for _ in range(7):
        with pytest.raises(SinkError, match="no worker of"):
            await asker.ask(DETECT, Urgency.PERSON, lambda _: b"{}", within_s=PATIENT_S)
        rests.append(asker.rest_s)
        clock.set(clock.monotonic() + asker.rest_s)
    await asker.close()
    assert rests == pytest.approx([0, 15, 30, 60, 120, 240, 240])


async def test_jobs_that_wait_at_the_same_time_are_one_reason_to_rest(nats: NatsServer, site: str) -> None:
    clock, link = VirtualClock(), Link(options(nats.url, site), name="node_1")
    asker = Asker(link, Names(site), node="node_1", wait_s=0.5, clock=clock)
    await make_queue(await link.open(), Names(site), DETECT, copies=1)
    asks = [asker.ask(DETECT, Urgency.PERSON, lambda _: b"{}", within_s=PATIENT_S) for _ in range(4)]
    assert {type(each) for each in await asyncio.gather(*asks, return_exceptions=True)} == {SinkError}
    await asker.close()
    assert asker.rest_s == pytest.approx(15)


async def test_a_server_that_does_not_answer_is_left_alone_for_a_while(site: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        link = Link(options(f"nats://127.0.0.1:{silent.getsockname()[1]}", site), name="node_1")
        asker = Asker(link, Names(site), node="node_1", wait_s=1.0, clock=VirtualClock())
        with pytest.raises(SinkError, match=r"no connection within 0.1 s"):
            await asker.ask(DETECT, Urgency.PERSON, lambda _: b"{}", within_s=0.1)
        assert asker.rest_s == pytest.approx(15)
        assert "no connection" in (asker.problem or "")
        await asker.close()


async def test_who_waits_while_the_node_stops_gets_an_error_of_ours(
    nats: NatsServer, site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blikk_edge.fleet.shared_looks.WAIT_S", 0.5)
    here = Link(options(nats.url, site), name="here")
    jetstream = await here.open()
    await make_queue(jetstream, Names(site), embed_kind("tiny"), copies=1)
    async with asking(nats.url, site) as looks:
        asked = asyncio.create_task(asyncio.to_thread(SharedTowers("tiny", looks).text, "red"))
        while not (await jetstream.stream_info(Names(site).jobs)).state.messages:
            await asyncio.sleep(0.01)
    with pytest.raises(ModelError):
        await asked
    await here.close()


async def test_the_nodes_own_copy_serves_while_no_worker_answers(
    nats: NatsServer, site: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blikk_edge.app.shared_search.LOOK_S", 0.05)
    model, tokenizer = write_pair(tmp_path)
    (tmp_path / "yard.mp4").touch()
    file = tmp_path / "blikk.yaml"
    file.write_text(
        "node: one\nmqtt: false\ncameras: {yard: {source: yard.mp4}}\n"
        f"fleet: {{site: {site}, servers: [{nats.url}]}}\n"
        f"search: {{model: {model}, tokenizer: {tokenizer}, workers: [embedding]}}\n"
    )
    supervisor = Supervisor()
    search = SharedSearch(load(file, environ={}), supervisor, CLOCK)
    running = asyncio.create_task(search.run())
    reader = search.reader()
    try:
        await until(lambda: search.towers is not None, "the workers may be asked")
        assert isinstance(search.towers, SharedTowers)
        (first,) = await asyncio.to_thread(reader.look, picture(), [SEEN], {})
        assert first.appearance.embedding is None
        await until(lambda: isinstance(search.towers, Towers), "its own copy")
        (second,) = await asyncio.to_thread(reader.look, picture(), [SEEN], {})
        assert second.appearance.embedding is not None
        assert "searches use this node's own model" in supervisor.problems["search"]
    finally:
        running.cancel()
        await asyncio.wait((running,))


async def test_a_loop_that_ended_leaves_nobody_waiting(nats: NatsServer, site: str) -> None:
    looks = SharedLooks(Link(options(nats.url, site), name="node_1.looks"), Names(site), node="n", clock=CLOCK)
    with pytest.raises(ModelError, match="cannot be asked now"):
        looks.embedding("tiny", words="red")


@pytest.mark.parametrize(
    "data",
    [
        b"[]",
        b"\xff",
        b'{"v": 2, "node": "n", "answer_to": "a", "model": null, "jpeg": null, "words": "w"}',
        b'{"v": 1, "node": "n", "answer_to": "a", "model": null, "jpeg": null, "words": null}',
        b'{"v": 1, "node": "n", "answer_to": "a", "model": null, "jpeg": "=", "words": null}',
        b'{"v": 1, "node": 1, "answer_to": "a", "model": null, "jpeg": null, "words": "w"}',
        b"[" * 200_000,
        LookJob(node="n", answer_to="a", words="w" * 1001).to_bytes(),
        LookJob(node="n", answer_to="a", jpeg=b"\x89PNG\r\n\x1a\n").to_bytes(),
        LookJob(node="n", answer_to="a", jpeg=jpeg_of(65_000, 65_000)).to_bytes(),
    ],
)
def test_what_is_no_job_is_refused(data: bytes) -> None:
    with pytest.raises(WireError):
        look_job_in(data)


def test_a_job_is_the_same_on_the_other_side() -> None:
    for job in (
        LookJob(node="n", answer_to="a", model="tiny", jpeg=jpeg_of(448, 448)),
        LookJob(node="n", answer_to="a", words="ä"),
    ):
        assert look_job_in(job.to_bytes()) == job


@pytest.mark.parametrize(
    "data",
    [
        b"{}",
        b'{"vector": 3}',
        b'{"vector": ""}',
        b'{"vector": "AAAAAA=="}',
        b'{"vector": "AADAfw=="}',
        b'{"found": 3}',
        b'{"found": [["person", "person", 0.5, 0, 0, 2, 1]]}',
        b'{"found": [["ghost", "person", 0.5, 0, 0, 1, 1]]}',
        b'{"found": [["person", "person", NaN, 0, 0, 1, 1]]}',
        b'{"found": [["person", "person", 1%s, 0, 0, 1, 1]]}' % (b"0" * 400),
        b'{"found": [["person", "a\\u0000b", 0.5, 0, 0, 1, 1]]}',
        b'{"found": [["person", "\\ud800", 0.5, 0, 0, 1, 1]]}',
        b'{"found": [["person", "%s", 0.5, 0, 0, 1, 1]]}' % (b"x" * 101),
        b'{"found": ' + b"[" * 200_000,
        b'{"vector": ' + b"[" * 200_000,
    ],
)
def test_what_is_no_answer_is_refused(data: bytes) -> None:
    with pytest.raises(WireError):
        (found_in if b"found" in data else vector_in)(data)


def test_why_a_worker_failed_is_told() -> None:
    with pytest.raises(ModelError, match="no crop"):
        vector_in(refusal_bytes("no crop"))


def test_crops_go_out_no_larger_than_a_model_looks(tmp_path: Path) -> None:
    seen = []

    class Sees:
        name = "sees"

        def detect(self, bgr: np.ndarray) -> tuple[Detection, ...]:
            seen.append(bgr.shape)
            return ()

    ServedDetector(Sees()).in_jpeg(crop(np.zeros((1000, 2000, 3), np.uint8)))
    assert seen == [(SIDE_PX // 2, SIDE_PX, 3)]
    with pytest.raises(ModelError, match="no picture"):
        ServedDetector(Sees()).in_jpeg(b"none")
