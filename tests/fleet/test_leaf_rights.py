"""Accounts and rights of a site whose server is a leaf node of the centre: the files of docker/fleet/leaf, with TLS."""

import asyncio
import re
import shutil
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import nkeys
import pytest
from broker import Certificates, make_certificates
from centre_kit import CLOCK
from nacl.signing import SigningKey
from nats_server import NatsServer
from ports import free_port
from sink_samples import observation, until

from blikk_edge.core.errors import SinkError
from blikk_edge.core.ports import Pending
from blikk_edge.fleet import applied
from blikk_edge.fleet.applied import Applied
from blikk_edge.fleet.centre.intake import Intake
from blikk_edge.fleet.link import Link
from blikk_edge.fleet.names import Names
from blikk_edge.fleet.options import FleetOptions
from blikk_edge.fleet.uplink import Uplink
from blikk_edge.net.options import ClientTlsSettings
from blikk_edge.sinks.uplink import UplinkOptions
from blikk_edge.wire.topics import Topics

FLEET = Path(__file__).parents[2] / "docker" / "fleet"
HALL = Names("hall")


@dataclass
class Leaf:
    """Both servers, and the keys of who connects to them."""

    folder: Path
    certificates: Certificates
    centre: NatsServer
    site: NatsServer

    def link(self, server: NatsServer, key: str) -> Link:
        tls = ClientTlsSettings(ca=self.certificates.ca)
        options = FleetOptions(site="hall", servers=(server.url,), nkey=self.folder / f"{key}.nk", tls=tls)
        return Link(options, name=key)

    @property
    def violations(self) -> list[str]:
        """What the logs of both say that somebody was not allowed."""
        logs = [(server.folder / "nats.log").read_text() for server in (self.centre, self.site)]
        return [line for log in logs for line in log.splitlines() if "Violation" in line]


def ours(name: str, certificates: Certificates, *, leaves: int, store: Path) -> list[str]:
    """A configuration with certificates and ports of ours, without the name and port that the test gives it."""
    text = (FLEET / "leaf" / name).read_text()
    for theirs, here in (
        ("/run/secrets/nats_certificate_key", str(certificates.server_key)),
        ("/run/secrets/nats_certificate", str(certificates.server)),
        ("/run/secrets/ca", str(certificates.ca)),
        ("tls://nats.centre:7422", f"tls://127.0.0.1:{leaves}"),
        ("0.0.0.0:7422", f"127.0.0.1:{leaves}"),
        ("/data", str(store)),
    ):
        text = text.replace(theirs, here)
    return re.sub("(?m)^(server_name|listen): .*$", "", text).splitlines()


@pytest.fixture(scope="module")
def leaf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Leaf]:
    folder, leaves = tmp_path_factory.mktemp("leaf"), free_port()
    certificates = make_certificates(folder)
    servers = []
    with pytest.MonkeyPatch.context() as patch:
        for name in ("node", "worker", "operator", "collector", "viewer", "link"):
            pair = nkeys.from_seed(nkeys.encode_seed(bytes(SigningKey.generate()), nkeys.PREFIX_BYTE_USER))
            (folder / f"{name}.nk").write_bytes(pair.seed)
            public = pair.public_key.decode()
            patch.setenv(f"HALL_{name.upper()}", public)
            patch.setenv(f"HALL_{name.upper()}_INBOX", f"_INBOX.{public}.>")
        for name in ("centre", "site"):
            own = folder / name
            shutil.copytree(FLEET / "leaf", own)
            shutil.copytree(FLEET / "hall", own / "hall")
            account = own / "hall" / "account.conf"
            without, removed = re.subn(r"(?ms)^  \{\n    nkey: \$HALL_COLLECTOR\n.*?^  \}\n", "", account.read_text())
            assert removed == 1
            account.write_text(without)
            (own / "link.conf").write_text(f"nkey: {(folder / 'link.nk').read_text()}\n")
            extra = ours(f"{name}.conf", certificates, leaves=leaves, store=folder / "kept")
            servers.append(NatsServer(own, name=name, extra=extra, jetstream=False))
        with servers[0], servers[1]:
            yield Leaf(folder, certificates, *servers)


async def connected(leaf: Leaf, stack: AsyncExitStack, server: NatsServer, key: str) -> Link:
    link = leaf.link(server, key)
    stack.push_async_callback(link.close)
    await link.open()
    return link


async def test_the_centre_takes_records_out_of_a_site_by_way_of_its_leaf_node(leaf: Leaf) -> None:
    before = len(leaf.violations)
    async with AsyncExitStack() as stack:
        node = await connected(leaf, stack, leaf.site, "node")
        operator = await connected(leaf, stack, leaf.site, "operator")
        there = await applied.apply(operator, HALL, "cameras:\n  door: {source: /dev/video0}\n", after=Applied())
        assert (await applied.applied(node, HALL)).version == there.version
        sink = Uplink(UplinkOptions(), node, HALL, topics=Topics("blikk", "hall", member="porch"), clock=CLOCK)
        await sink.open()
        sending = asyncio.create_task(sink.send([Pending(seq=number, record=observation(number)) for number in (1, 2)]))
        intake = Intake(leaf.link(leaf.centre, "collector"), HALL, domain="hall")
        stack.push_async_callback(intake.close)
        while True:  # the leaf node connects when it gets to it
            try:
                await intake.open()
                break
            except SinkError:
                await asyncio.sleep(0.1)
        taken: list[str] = []
        while len(taken) < 2:
            batch = await intake.take(10)
            taken += [message.subject for message in batch]
            await intake.stored(batch)
        await sending
        assert set(taken) == {HALL.record("front_door", "observation")}
        waiting = await intake.waiting(CLOCK)
        assert waiting is not None
        assert waiting.records == 0
    assert leaf.violations[before:] == []


async def test_what_crosses_the_link_is_what_the_collector_may_ask_and_its_answers(leaf: Leaf) -> None:
    """Whoever has the key of the link, or that of the collector, reaches nothing else."""
    async with AsyncExitStack() as stack:
        for key in ("link", "collector"):
            client = await (await connected(leaf, stack, leaf.centre, key)).client()
            refused: list[str] = []

            async def failed(error: Exception, refused: list[str] = refused) -> None:
                refused.append(str(error))

            client._error_cb = failed
            subjects = (
                "$KV.blikk_hall_cameras.cameras",
                "$JS.hall.API.STREAM.MSG.GET.KV_blikk_hall_cameras",
                "$JS.hall.API.STREAM.DELETE.blikk_hall_records",
                "blikk.hall.record.door.ring",
            )
            for subject in subjects:
                await client.publish(subject, b"{}")
            for subject in (">", "blikk.hall.>", "_INBOX.>"):
                await client.subscribe(subject)
            wanted = len(subjects) + 3
            await until(lambda refused=refused, wanted=wanted: len(refused) >= wanted, "all are refused")
