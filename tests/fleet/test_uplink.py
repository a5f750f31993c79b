"""The uplink of a node: by way of a leaf node, its redacted pictures, and what it says when the centre is silent."""

import asyncio
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from centre_kit import Centre, collecting, settled, source, uplink
from nats.errors import Error
from nats_server import NatsServer
from ports import free_port
from postgres_server import PostgresServer
from sink_samples import Box1, Hasty, delivering, event, observation, picture, ring, until

from blikk_edge.app.uplink import uplink_of
from blikk_edge.config import load
from blikk_edge.config.loading import check
from blikk_edge.core.clock import SystemClock
from blikk_edge.core.errors import SinkError
from blikk_edge.core.observation import Observed, Phase
from blikk_edge.core.picture import SNAPSHOT
from blikk_edge.core.ports import Pending
from blikk_edge.fleet.centre.rows import row_in
from blikk_edge.fleet.link import Link
from blikk_edge.fleet.names import Names
from blikk_edge.fleet.options import FleetOptions
from blikk_edge.fleet.records import make_records
from blikk_edge.fleet.uplink import BATCH
from blikk_edge.sinks.album import PictureAlbum
from blikk_edge.sinks.uplink import UplinkOptions
from blikk_edge.store.store import Store
from blikk_edge.wire.envelope import enveloped
from blikk_edge.wire.topics import Topics

PATIENT_S = 120.0


async def test_a_site_whose_link_fails_goes_on_by_way_of_its_leaf_node(tmp_path: Path, store: Store) -> None:
    """The centre's server keeps nothing; what waits is in the site's."""
    leaves = free_port()
    hub = NatsServer(tmp_path / "hub", name="hub", jetstream=False, extra=[f"leafnodes {{listen: 127.0.0.1:{leaves}}}"])
    keeps = f'jetstream {{store_dir: "{tmp_path / "kept"}", sync_interval: always, domain: yard}}'
    remote = f'leafnodes {{reconnect: 1, remotes: [{{url: "nats-leaf://127.0.0.1:{leaves}"}}]}}'
    leaf = NatsServer(tmp_path / "leaf", name="leaf", jetstream=False, extra=[keeps, remote])
    with hub, leaf, PostgresServer() as server:
        centre = Centre(server)
        await centre.make()
        options = centre.options(source(hub.url, "yard", domain="yard"))
        async with collecting(options), delivering(store, uplink(leaf.url, "yard")) as (inbox, delivery):
            inbox.put(*(observation(number) for number in range(20)))
            await settled(inbox, delivery)
            await asyncio.to_thread(hub.kill)
            inbox.put(*(observation(number) for number in range(20, 40)), event(1))
            link = Link(FleetOptions(site="yard", servers=(leaf.url,)), name="looks")
            jetstream = await link.open()
            while (await jetstream.stream_info(Names("yard").records)).state.messages == 0:
                await asyncio.sleep(0.02)
            await link.close()
            await asyncio.to_thread(hub.start)
            await settled(inbox, delivery)
        assert await centre.ids() == [f"observation-{number}" for number in range(40)]
        assert await centre.ids("event") == ["event-1"]


async def test_of_what_waited_through_an_outage_the_newest_alert_is_the_first_at_the_centre(
    nats: NatsServer, site: str, store: Store
) -> None:
    """More waits than is under way at a time, and is sent no faster than is allowed."""
    sink = uplink(nats.url, site, max_per_second=2000)
    store.follow({sink.name: sink.takes})
    for number in range(BATCH + 100):
        store.put(observation(number))
    alert = replace(observation(1000), kind=Observed.ALERT)
    ended = replace(event(3), phase=Phase.ENDED)
    for record in (ring(1), event(2), ended, alert, ring(4), observation(1001)):
        store.put(record)
    link = Link(FleetOptions(site=site, servers=(nats.url,)), name="other")
    try:
        async with delivering(store, sink):
            jetstream = await link.open()
            await make_records(jetstream, Names(site), max_bytes=UplinkOptions().max_mb * 10**6, copies=1)
            stream = await jetstream.pull_subscribe_bind("collect", Names(site).records)
            came: list[str] = []
            while len(came) < BATCH + 106:
                for message in await stream.fetch(100, timeout=60):
                    came.append(row_in(message.data).id)
                    await message.ack()
    finally:
        await link.close()
    assert came[:4] == ["ring-4", "observation-1000", "event-2", "ring-1"]
    others = [*(f"observation-{number}" for number in range(BATCH + 100)), "event-3", "observation-1001"]
    assert came[4:] == others, "the others come in order, and none twice"


async def test_what_calls_for_somebody_while_only_the_centre_is_away_goes_newest_first_too(
    nats: NatsServer, site: str, store: Store
) -> None:
    """In the stream it would stand behind what came before it."""
    sink = uplink(nats.url, site, silent_s=0.2, clock=(clock := Hasty()))
    sink.batch = 2
    link = Link(FleetOptions(site=site, servers=(nats.url,)), name="other")
    came: list[str] = []
    at_once = Box1()
    running = asyncio.create_task(sink.run(at_once))
    try:
        async with delivering(store, sink) as (inbox, delivery):
            inbox.put(observation(0), observation(1))
            await until(lambda: "see whether `blikk collect` runs" in delivery.problems.get("uplink", ""), "a problem")
            clock.pauses.clear()
            await until(lambda: clock.pauses, "waiting for the centre")
            for box in (at_once, inbox):
                box.put(ring(1), observation(2), event(2), observation(3), ring(4))
            await until(lambda: delivery.outbox == 7 and at_once.empty(), "all of it kept")
            jetstream = await link.open()
            stream = await jetstream.pull_subscribe_bind("collect", Names(site).records)
            while len(came) < 7:
                for message in await stream.fetch(7, timeout=60):
                    came.append(row_in(message.data).id)
                    await message.ack()
            await settled(inbox, delivery)
    finally:
        running.cancel()
        await asyncio.wait([running])
        await link.close()
    assert came == [
        *(f"observation-{n}" for n in (0, 1)),
        "ring-4",
        "event-2",
        "ring-1",
        "observation-2",
        "observation-3",
    ]


async def test_pictures_go_out_as_they_come_and_those_of_an_outage_out_of_the_album(
    nats: NatsServer, site: str, tmp_path: Path
) -> None:
    album = PictureAlbum(tmp_path / "album", clock=SystemClock(), max_bytes=10**7, keep_days=9000)
    missed = replace(picture(2), event="event-2")
    album.keep(missed)
    sink = uplink(nats.url, site, pictures_s=3600, album=album)
    await sink.open()
    inbox = Box1()
    showing = asyncio.create_task(sink.run(inbox))
    ended = replace(event(2, revision=2), phase=Phase.ENDED)
    sending = asyncio.create_task(sink.send([Pending(seq=1, record=ended, replayed=True)]))
    link = Link(FleetOptions(site=site, servers=(nats.url,)), name="looks")
    pictures = await (await link.open()).object_store(Names(site).pictures)
    try:
        inbox.put(replace(picture(1), event="event-1"), replace(picture(3), name=SNAPSHOT), picture(4))
        wanted = {
            "front_door/event-1/20261121T120001000.person.jpg",
            "front_door/event-2/20261121T120002000.person.jpg",
            "front_door/-/20261121T120004000.person.jpg",
        }
        while {each.name for each in await _listed(pictures)} < wanted:
            await asyncio.sleep(0.02)
        assert {each.name for each in await _listed(pictures)} == wanted
        found = await pictures.get("front_door/event-2/20261121T120002000.person.jpg")
        assert found.data == missed.jpeg
        stream = await (await link.open()).pull_subscribe_bind("collect", Names(site).records)
        said: set[str] = set()
        while not wanted <= said:
            said |= {row_in(message.data).id for message in await stream.fetch(3, timeout=60)}
        status = await pictures.status()
        assert status.ttl == 3600
    finally:
        for task in (showing, sending):
            task.cancel()
        await asyncio.wait((showing, sending))
        await sink.close()
        await link.close()


async def _listed(pictures: object) -> list:
    from nats.js.errors import NotFoundError

    try:
        return await pictures.list()
    except NotFoundError:
        return []


async def test_a_silent_centre_is_a_problem_and_a_stream_that_was_made_anew_is_filled_again(
    nats: NatsServer, site: str, store: Store
) -> None:
    sink = uplink(nats.url, site, silent_s=0.2)
    link = Link(FleetOptions(site=site, servers=(nats.url,)), name="other")
    jetstream = await link.open()
    async with delivering(store, sink) as (inbox, delivery):
        inbox.put(ring(1), ring(2))
        await until(lambda: "see whether `blikk collect` runs" in delivery.problems.get("uplink", ""), "a problem")
        assert delivery.outbox == 2
        await jetstream.delete_stream(Names(site).records)
        ids: list[str] = []
        while len(ids) < 2:  # as a collector does, but for the database
            try:
                sub = await jetstream.pull_subscribe_bind("collect", Names(site).records)
                for message in await sub.fetch(2, timeout=1):
                    ids.append(json.loads(message.data)["content"]["id"])
                    await message.ack()
            except (Error, TimeoutError):  # the node has not made it anew yet
                await asyncio.sleep(0.05)
        await settled(inbox, delivery)
        assert not delivery.problems
    assert sorted(ids) == ["ring-1", "ring-2"]
    await link.close()


async def test_a_stream_that_would_let_go_of_records_is_not_used(nats: NatsServer, site: str) -> None:
    link = Link(FleetOptions(site=site, servers=(nats.url,)), name="other")
    await (await link.open()).add_stream(name=Names(site).records, subjects=[Names(site).every_record])
    sink = uplink(nats.url, site)
    with pytest.raises(SinkError, match=r"would let go of records that are not stored; remove it"):
        await sink.open()
    await sink.close()
    await link.close()


def test_a_configuration_names_it_beside_the_fleet(tmp_path: Path, site: str) -> None:
    path = tmp_path / "blikk.yaml"
    head = "node: porch\nmqtt: false\ncameras: {d: /dev/video0}\n"
    path.write_text(f"{head}fleet: {site}\nsinks: {{uplink: {{max_per_second: 5}}}}\n")
    settings = load(path, environ={})
    (chosen,) = settings.sinks
    assert (chosen.name, chosen.options.max_per_second, chosen.options.pictures_s) == ("uplink", 5, None)
    made = uplink_of(settings)
    assert made is not None
    assert check(path, {}) == []

    path.write_text(f"{head}sinks: {{uplink: true}}\n")
    assert uplink_of(load(path, environ={})) is None


def test_a_node_without_a_fleet_imports_nothing_of_it() -> None:
    code = """
import sys
import blikk_edge.app.wiring, blikk_edge.cli.program
print(sorted(name for name in sys.modules if name.partition(".")[0] in {"nats", "asyncpg"} or "fleet.centre" in name
             or name in {"blikk_edge.fleet.uplink", "blikk_edge.fleet.records", "blikk_edge.fleet.state",
                         "blikk_edge.fleet.past", "blikk_edge.fleet.past_stream", "blikk_edge.fleet.pull"}))
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENT_S, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "[]\n", "")


async def test_a_server_whose_disk_has_too_little_room_is_said(tmp_path: Path) -> None:
    with NatsServer(tmp_path, room="10MB") as small:
        sink = uplink(small.url, "hall")
        with pytest.raises(SinkError, match="its disk has too little room; make room, or lower"):
            await sink.open()
        await sink.close()


async def test_a_record_that_is_too_large_with_its_headers_is_given_up_and_breaks_no_connection(tmp_path: Path) -> None:
    with NatsServer(tmp_path / "nats", extra=["max_payload: 20000"]) as server:
        sink = uplink(server.url, "yard")
        await sink.open()
        empty = enveloped(replace(ring(1), via=""), Topics("blikk", "yard", member="porch"), replayed=False)
        large = replace(ring(1), via="x" * (20000 - 20 - len(empty.text)))
        with pytest.raises(SinkError, match="max_payload") as told:
            await sink.send([Pending(seq=1, record=large, replayed=False)])
        assert told.value.refused == {1}
        await sink.close()
