"""The accounts and rights in docker/fleet, at a real NATS server with TLS: enough for the work, and no more."""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path

import nkeys
import pytest
from broker import Certificates, make_certificates
from fleet_jobs import CLOCK, job, model, taking
from llm_server import LlmServer, Say
from nacl.signing import SigningKey
from nats.aio.client import Client
from nats.js.errors import BucketNotFoundError, NoStreamResponseError, NotFoundError
from nats_server import NatsServer, nats_server_binary
from sink_samples import Box1, event, observation, picture, until

from blikk_edge.core.errors import SinkError
from blikk_edge.core.inquiry import Forget
from blikk_edge.core.ports import Pending
from blikk_edge.fleet import applied
from blikk_edge.fleet.applied import Applied
from blikk_edge.fleet.bucket import Bucket
from blikk_edge.fleet.centre.intake import Intake
from blikk_edge.fleet.centre.options import SiteSource
from blikk_edge.fleet.centre.pictures import Pictures
from blikk_edge.fleet.jobs import ModelJob
from blikk_edge.fleet.leases import Leases
from blikk_edge.fleet.link import Link
from blikk_edge.fleet.model_work import ModelWork
from blikk_edge.fleet.names import Names
from blikk_edge.fleet.options import FleetOptions
from blikk_edge.fleet.past import PLACE, SitePast
from blikk_edge.fleet.placing import Place, Wanted
from blikk_edge.fleet.shared_model import SharedModel
from blikk_edge.fleet.state import site_state
from blikk_edge.fleet.uplink import Uplink
from blikk_edge.fleet.worker import Worker
from blikk_edge.fleet.worker_options import WorkerOptions
from blikk_edge.net.options import ClientTlsSettings
from blikk_edge.sinks.uplink import UplinkOptions
from blikk_edge.sinks.watched import KEY as WATCHED
from blikk_edge.store.store import Store
from blikk_edge.wire.topics import Topics

FLEET = Path(__file__).parents[2] / "docker" / "fleet"
ROLES = ("node", "worker", "operator", "collector", "viewer")
SITES = ("hall", "yard")
CAMERAS = "cameras:\n  door: {source: /dev/video0}\n"
HALL = Names("hall")


class Guarded:
    """The server of docker/fleet/nats.conf with two sites, and a third account that may do everything within itself."""

    def __init__(self, folder: Path, certificates: Certificates) -> None:
        self.folder = folder
        self.certificates = certificates
        self.environ: dict[str, str] = {}
        self.text = (FLEET / "nats.conf").read_text()
        for inside, here in (
            ("/run/secrets/nats_certificate_key", certificates.server_key),
            ("/run/secrets/nats_certificate", certificates.server),
        ):
            assert inside in self.text
            self.text = self.text.replace(inside, str(here))
        accounts = "accounts {\n  other { $OTHER }"
        ours = self.text.replace("# yard {", "yard {").replace("accounts {", accounts)
        ours = re.sub("(?m)^(server_name|listen): .*$", "", ours).replace("/data", str(folder / "jetstream"))
        own = folder / "nats"
        own.mkdir()
        for site in SITES:
            (own / site).mkdir()
            for file in (FLEET / "hall").iterdir():
                rules = file.read_text().replace("hall", site).replace("HALL", site.upper())
                (own / site / file.name).write_text(rules)
        for site in SITES:
            for role in ROLES:
                name = f"{site}_{role}"
                self.environ[name.upper()] = public = self.key(name)
                self.environ[f"{name}_INBOX".upper()] = f"_INBOX.{public}.>"
        ours = ours.replace("$OTHER", f"jetstream: enabled, users: [{{nkey: {self.key('other')}}}]")
        self.server = NatsServer(own, extra=ours.splitlines(), jetstream=False)

    def key(self, name: str) -> str:
        """A new key, whose seed is in a file of this name; its public half."""
        pair = nkeys.from_seed(nkeys.encode_seed(bytes(SigningKey.generate()), nkeys.PREFIX_BYTE_USER))
        (self.folder / f"{name}.nk").write_bytes(pair.seed)
        return pair.public_key.decode()

    def options(self, key: str) -> FleetOptions:
        """Of who has this key, whosever it is, and works for the site `hall`."""
        tls = ClientTlsSettings(ca=self.certificates.ca)
        return FleetOptions(site="hall", servers=(self.server.url,), nkey=self.folder / f"{key}.nk", tls=tls)

    def link(self, key: str) -> Link:
        return Link(self.options(key), name=key)

    @property
    def violations(self) -> list[str]:
        """What the log of the server says that somebody was not allowed."""
        return [line for line in (self.server.folder / "nats.log").read_text().splitlines() if "Violation" in line]


@pytest.fixture(scope="module")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("rights")
    made = Guarded(folder, make_certificates(folder))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in made.environ.items():
            patch.setenv(name, value)
        with made.server:
            yield made


@asynccontextmanager
async def linked(nats: Guarded, *keys: str) -> AsyncIterator[list[Link]]:
    """Connections with these keys, all for the site `hall`."""
    links = [nats.link(key) for key in keys]
    try:
        yield links
    finally:
        for each in links:
            await each.close()


@asynccontextmanager
async def working(nats: Guarded, llm: LlmServer) -> AsyncIterator[Worker[ModelJob]]:
    work = ModelWork(model(llm), timeout_s=60.0, clock=CLOCK)
    worker = Worker(WorkerOptions(id="rack_1"), nats.link("hall_worker"), HALL, work=work, clock=CLOCK)
    async with taking(worker):
        yield worker


def test_the_file_is_valid_as_a_whole(nats: Guarded) -> None:
    file = nats.server.folder / "whole.conf"
    file.write_text(nats.text)
    command = [nats_server_binary(), "-t", "-c", str(file)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=os.environ | nats.environ)
    assert done.returncode == 0, done.stderr


async def known(link: Link, store: Store) -> None:
    """Tell the site something, read what is told, and read on in a stream that has let go of what was read."""

    async def forget(_request: Forget) -> int:
        return 0

    given = {"member": "porch", "clock": CLOCK, "forget": forget, "max_bytes": 10**6}
    past = SitePast(link, HALL, store, lost=lambda *_: False, others_watch=lambda _: False, **given)
    store.remember(WATCHED, '{"cameras":{}}')
    reading = asyncio.create_task(past.run())
    await past.sink.open()
    store.put(event(1))
    await past.sink.send([Pending(seq=1, record=event(1))])
    await past.forget(Forget(event="event-1"))
    await until(lambda: not store.forgotten(), "it is told")
    reading.cancel()
    await asyncio.wait((reading,))
    store.remember(PLACE, "[]")  # the stream begins with what was told last
    reading = asyncio.create_task(past.run())
    await until(lambda: store.recall(PLACE) != "[]", "it is read anew")
    reading.cancel()
    await asyncio.wait((reading,))


async def test_each_does_its_work_and_asks_for_nothing_else(nats: Guarded, tmp_path: Path) -> None:
    before = len(nats.violations)
    keys = ("hall_node", "hall_node", "hall_operator", "hall_collector")
    async with linked(nats, *keys) as (node, up, operator, centre):
        # a node may be there before cameras were applied
        assert (await applied.applied(node, HALL)).version == 0
        assert (await applied.apply(operator, HALL, CAMERAS, after=Applied())).version == 1
        assert [each.text for each in await applied.versions(operator, HALL)] == [CAMERAS]
        assert (await applied.applied(node, HALL)).text == CAMERAS
        followed = Bucket(node, HALL.cameras, clock=CLOCK)
        while not await followed.current():
            await asyncio.sleep(0.05)
        await followed.close()

        place = Place(member="porch", cameras_max=4)
        leases = Leases(node, HALL, place, wanted=[Wanted(camera="door")], clock=CLOCK, version=1, beat_s=0.2)
        sharing = asyncio.create_task(leases.run())
        await until(lambda: leases.fence("door") is not None and leases.leads, "the camera is held")

        with closing(Store(tmp_path / "porch.db")) as store:
            store.open()
            await known(node, store)

        options = UplinkOptions(pictures_s=60.0)
        sink = Uplink(options, up, HALL, topics=Topics("blikk", "hall", member="porch"), clock=CLOCK)
        await sink.open()
        inbox = Box1()
        showing = asyncio.create_task(sink.run(inbox))
        sending = asyncio.create_task(sink.send([Pending(seq=1, record=observation(1))]))
        inbox.put(picture(1))
        intake = Intake(centre, HALL)
        await intake.open()
        taken: list[str] = []
        while len(taken) < 2:
            batch = await intake.take(10)
            taken += [message.subject.rpartition(".")[2] for message in batch]
            await intake.stored(batch)
        assert sorted(taken) == ["observation", "picture"]
        assert await intake.waiting(CLOCK) is not None
        await sending
        shown = Pictures([SiteSource(fleet=nats.options("hall_viewer"))], clock=CLOCK)
        name = "hall/front_door/-/20261121T120001000.person.jpg"
        assert await shown.jpeg(name) == picture(1).jpeg
        assert await shown.jpeg(f"{name}x") is None
        await shown.close()

        state = await site_state(operator, HALL, cameras=("door",), version=1, clock=CLOCK)
        assert ("door", "porch") in [(each.id, each.owner) for each in state.cameras]
        assert state.waiting is not None
        assert state.problems == ()

        async with LlmServer(lambda _: Say(text='{"title": "A person came"}')) as llm, working(nats, llm) as worker:
            asker = SharedModel(nats.link("hall_node"), HALL, node="porch", wait_s=60.0, clock=CLOCK)
            assert "A person" in (await asker.complete_job(job(), deadline_s=60.0)).text
            await until(lambda: worker.counts["done"] == 1, "it is counted")
            workers = (await site_state(operator, HALL, cameras=(), version=1, clock=CLOCK)).workers
            assert [each.id for each in workers] == ["rack_1"]
            note = await worker.note()
            assert note.spent is not None
            assert (note.spent.calls, set((note.queued or {}).values())) == (1, {0})
            await asker.close()

        for task in (sharing, showing):
            task.cancel()
        await asyncio.gather(sharing, showing, return_exceptions=True)
        await intake.close()
    assert nats.violations[before:] == []


class Raw:
    """A client of NATS with one of the keys, and what the server has refused it."""

    def __init__(self, nats: Guarded, key: str) -> None:
        self._link = nats.link(key)
        self.refused: list[str] = []
        self.client = Client()

    async def __aenter__(self) -> "Raw":
        self.client = await self._link.client()

        async def failed(error: Exception) -> None:
            self.refused.append(str(error))

        self.client._error_cb = failed
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._link.close()

    async def none_of(self, *, publish: Sequence[str] = (), subscribe: Sequence[str] = ()) -> None:
        """Try each, and wait until the server has refused all of them."""
        wanted = {f'for publish to "{subject}"'.lower() for subject in publish}
        wanted |= {f'for subscription to "{subject}"'.lower() for subject in subscribe}
        for subject in publish:
            await self.client.publish(subject, b"{}")
        for subject in subscribe:
            await self.client.subscribe(subject)

        def missing() -> set[str]:
            return {each for each in wanted if not any(each in said for said in self.refused)}

        try:
            await until(lambda: not missing(), "all are refused")
        except AssertionError:
            raise AssertionError(f"not refused: {sorted(missing())}") from None


def rights(site: str) -> list[str]:
    """Every subject that anybody of the site may publish to; wildcards as some word."""
    text = "".join(file.read_text() for file in (FLEET / "hall").iterdir()).replace("hall", site)
    found = re.findall(r'"((?:\$|blikk)[^"]*)"', text)
    assert len(found) > 50
    return [subject.replace("*", "x").replace(">", "x") for subject in found]


@pytest.mark.parametrize("role", ROLES)
async def test_a_key_of_another_site_may_name_nothing_of_this_one(nats: Guarded, role: str) -> None:
    async with Raw(nats, f"yard_{role}") as raw:
        await raw.none_of(publish=rights("hall"), subscribe=("blikk.hall.>", "$KV.>", "$JS.>", ">"))


async def test_another_account_reaches_nothing_whatever_its_rights(nats: Guarded) -> None:
    async with linked(nats, "hall_node", "hall_collector", "other") as (node, centre, other):
        lease = Bucket(node, HALL.leases, clock=CLOCK)
        await lease.open()
        intake = Intake(centre, HALL)
        await intake.open()
        jetstream, client = await other.open(), await other.client()
        heard: list[str] = []

        async def hear(message: object) -> None:
            heard.append(str(message))

        everything = await client.subscribe(">", cb=hear)
        await client.flush(60)
        await lease.put("camera.gate", {"owner": "porch"})
        await (await node.open()).publish(HALL.record("gate", "ring"), b"{}", stream=HALL.records)
        batch = await intake.take(1)
        assert [each.subject for each in batch] == [HALL.record("gate", "ring")]
        await intake.stored(batch)
        await client.flush(60)
        await everything.unsubscribe()
        assert [each for each in heard if "hall" in each] == []
        with pytest.raises(BucketNotFoundError):
            await jetstream.key_value(HALL.leases)
        with pytest.raises(NotFoundError):
            await jetstream.stream_info(HALL.records)
        with pytest.raises(NoStreamResponseError):
            await jetstream.publish(HALL.record("gate", "ring"), b"{}")
        await lease.close()
        await intake.close()


REFUSED = [
    ("node", "$KV.blikk_hall_cameras.cameras"),
    ("node", "$KV.blikk_hall_budget.2026-01-01"),
    ("node", "$KV.blikk_hall_workers.rack_1"),
    ("node", "$JS.API.STREAM.UPDATE.KV_blikk_hall_leases"),
    ("node", "$JS.API.STREAM.DELETE.KV_blikk_hall_cameras"),
    ("node", "$JS.API.STREAM.PURGE.blikk_hall_records"),
    ("node", "$JS.API.STREAM.PURGE.blikk_hall_past"),
    ("node", "$JS.API.STREAM.DELETE.blikk_hall_past"),
    ("node", "$JS.API.STREAM.UPDATE.blikk_hall_past"),
    ("node", "$JS.API.STREAM.MSG.DELETE.blikk_hall_past"),
    ("worker", "blikk.hall.past.event.x"),
    ("worker", "$JS.API.CONSUMER.CREATE.blikk_hall_past"),
    ("operator", "blikk.hall.past.event.x"),
    ("operator", "$JS.API.CONSUMER.CREATE.blikk_hall_past"),
    ("collector", "blikk.hall.past.event.x"),
    ("collector", "$JS.API.STREAM.INFO.blikk_hall_past"),
    ("viewer", "$JS.API.STREAM.MSG.GET.blikk_hall_past"),
    ("node", "$JS.API.STREAM.MSG.GET.blikk_hall_past"),
    ("node", "$JS.API.STREAM.MSG.GET.blikk_hall_records"),
    ("node", "$JS.API.CONSUMER.MSG.NEXT.blikk_hall_records.collect"),
    ("node", "$JS.ACK.blikk_hall_records.collect.1.1.1.1.0"),
    ("node", "$JS.API.CONSUMER.MSG.NEXT.blikk_hall_jobs.llm_ring"),
    ("node", "blikk.hall.answer.other.1"),
    ("node", "_INBOX.other.1"),
    ("worker", "$KV.blikk_hall_cameras.cameras"),
    ("worker", "$KV.blikk_hall_leases.camera.door"),
    ("worker", "$KV.blikk_hall_members.porch"),
    ("worker", "blikk.hall.record.door.ring"),
    ("worker", "$JS.API.STREAM.MSG.GET.blikk_hall_records"),
    ("worker", "$JS.API.STREAM.DELETE.blikk_hall_jobs"),
    ("operator", "$KV.blikk_hall_leases.camera.door"),
    ("operator", "$KV.blikk_hall_members.porch"),
    ("operator", "blikk.hall.record.door.ring"),
    ("operator", "$JS.API.STREAM.MSG.GET.blikk_hall_records"),
    ("operator", "$JS.API.STREAM.DELETE.KV_blikk_hall_cameras"),
    ("collector", "$KV.blikk_hall_cameras.cameras"),
    ("collector", "$JS.API.STREAM.MSG.GET.KV_blikk_hall_cameras"),
    ("collector", "$JS.API.CONSUMER.MSG.NEXT.blikk_hall_jobs.llm_ring"),
    ("collector", "blikk.hall.record.door.ring"),
    ("collector", "$JS.API.STREAM.DELETE.blikk_hall_records"),
    ("viewer", "$JS.API.STREAM.MSG.GET.blikk_hall_records"),
    ("viewer", "$JS.API.CONSUMER.MSG.NEXT.blikk_hall_records.collect"),
    ("viewer", "$JS.API.STREAM.DELETE.OBJ_blikk_hall_pictures"),
    ("viewer", "$O.blikk_hall_pictures.M.x"),
    ("viewer", "$KV.blikk_hall_cameras.cameras"),
    ("viewer", "blikk.hall.record.door.ring"),
]


async def test_a_role_may_not_do_what_is_anothers_nor_hear_its_answers(nats: Guarded) -> None:
    for role in ROLES:
        others = [nats.environ[f"HALL_{other.upper()}_INBOX"] for other in ROLES if other != role]
        async with Raw(nats, f"hall_{role}") as raw:
            await raw.none_of(
                publish=[subject for who, subject in REFUSED if who == role],
                subscribe=(
                    ">", "blikk.hall.>", "blikk.hall.record.>", "blikk.hall.job.>", "$KV.>", "$JS.ACK.>", "_INBOX.>",
                    *others,
                ),
            )  # fmt: skip


async def test_who_asks_how_the_site_is_doing_sees_no_lines_of_the_library_that_encrypts(
    nats: Guarded, tmp_path: Path
) -> None:
    config = tmp_path / "operator.yaml"
    fleet = {
        "site": "hall",
        "servers": [nats.server.url],
        "nkey": str(nats.folder / "hall_operator.nk"),
        "tls": {"ca": str(nats.certificates.ca)},
    }
    config.write_text(json.dumps({"node": "operator", "mqtt": False, "fleet": fleet}))
    command = [Path(sys.executable).with_name("blikk"), "fleet", "status", "--config", config]
    asked = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = await asked.communicate()
    assert out.startswith(b"site hall: ")
    assert err == b""


async def test_it_is_said_why_the_certificate_of_nats_is_not_trusted(nats: Guarded) -> None:
    options = replace(nats.options("hall_node"), tls=ClientTlsSettings())
    link = Link(options, name="hall_node")
    with pytest.raises(SinkError, match=r"certificate is not trusted \(.*local issuer.*\); check `fleet\.tls`"):
        await link.open()
    await link.close()


async def test_the_log_of_nats_says_whose_key_lacks_which_right(
    nats: Guarded, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "blikk.fleet")
    async with linked(nats, "hall_node") as (node,):
        there = await applied.applied(node, HALL)
        with pytest.raises(SinkError) as caught:
            await applied.apply(node, HALL, CAMERAS, after=there)
    assert "this key has no right for publish to" in str(caught.value)
    assert "$kv.blikk_hall_cameras.cameras" in str(caught.value)
    assert 'permissions violation for publish to "$kv.blikk_hall_cameras.cameras"' in caplog.text
    said = nats.violations[-1]
    assert nats.environ["HALL_NODE"] in said
    assert '"$KV.blikk_hall_cameras.cameras"' in said
    seeds = [file.read_text() for file in nats.folder.glob("*.nk")]
    log = caplog.text + str(caught.value) + (nats.server.folder / "nats.log").read_text()
    assert len(seeds) == 11
    assert not [seed for seed in seeds if seed in log]


@pytest.mark.parametrize("role", ROLES)
async def test_a_key_that_is_taken_out_is_shut_out_at_once(nats: Guarded, role: str) -> None:
    file = nats.server.folder / "yard" / "account.conf"
    before = file.read_text()
    (entry,) = re.findall(rf"(?ms)^  \{{\n    nkey: \$YARD_{role.upper()}\n.*?^  \}}\n", before)
    async with linked(nats, f"yard_{role}", "hall_node") as (gone, other):
        await gone.client()
        await other.client()
        try:
            file.write_text(before.replace(entry, ""))
            nats.server.reload()
            await until(lambda: not gone.connected, "it is shut out")
            assert other.connected
            with pytest.raises(SinkError, match=r"it does not take this key; check `fleet\.nkey`"):
                await nats.link(f"yard_{role}").open()
        finally:
            file.write_text(before)
            nats.server.reload()
    async with linked(nats, f"yard_{role}", "hall_node") as (again, other):
        while True:  # the server reads its files when it gets to it
            try:
                await again.open()
                await applied.applied(other, HALL)  # there is still room for JetStream of each account
                break
            except SinkError:
                await asyncio.sleep(0.1)
