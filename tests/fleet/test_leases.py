"""Who watches which camera, at a real NATS server."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from nats_server import NatsServer
from sink_samples import until

from blikk_edge.core.clock import SystemClock
from blikk_edge.fleet.bucket import Bucket
from blikk_edge.fleet.leases import REVISION_BITS, Leases
from blikk_edge.fleet.link import Link
from blikk_edge.fleet.names import Names
from blikk_edge.fleet.options import FleetOptions
from blikk_edge.fleet.placing import Place, Wanted

CAMERAS = tuple(Wanted(camera=f"camera_{number}") for number in range(6))
MANY = tuple(Wanted(camera=f"camera_{number}") for number in range(60))
NAMES = Names("hall")
TTL_S = 6.0
FORGET_S = 9.0


class Paused(SystemClock):
    """A clock that a test lets run on while nothing else does, as for a process that was stopped."""

    ahead_s = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead_s


class Member:
    """A member in a task, which may be killed: it says nothing then, and its leases stay."""

    def __init__(
        self,
        server: NatsServer,
        name: str,
        *,
        wanted: Sequence[Wanted] = CAMERAS,
        cameras_max: int = 100,
        beat_s: float = 0.4,
    ) -> None:
        self.clock = Paused()
        self.link = Link(FleetOptions(site="hall", servers=(server.url,)), name=name)
        self.wanted = wanted
        self.leases = Leases(
            self.link,
            NAMES,
            Place(member=name, cameras_max=cameras_max),
            wanted=wanted,
            clock=self.clock,
            ttl_s=TTL_S,
            beat_s=beat_s,
            forget_s=FORGET_S,
        )
        self.task = asyncio.create_task(self.leases.run())

    @property
    def fences(self) -> dict[str, int]:
        found = {each.camera: self.leases.fence(each.camera) for each in self.wanted}
        return {camera: fence for camera, fence in found.items() if fence is not None}

    async def kill(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self.link.close()


Start = Callable[..., Member]


@pytest.fixture
async def member() -> AsyncIterator[Start]:
    """Members that are ended after the test."""
    made: list[Member] = []

    def start(server: NatsServer, name: str, **more: Any) -> Member:
        made.append(Member(server, name, **more))
        return made[-1]

    yield start
    for each in made:
        await each.kill()


async def test_each_camera_has_one_owner_and_those_of_a_dead_member_another_with_a_higher_fence(
    tmp_path: Path, member: Start
) -> None:
    with NatsServer(tmp_path) as server:
        one, two = member(server, "one"), member(server, "two")
        await until(lambda: len(one.fences) + len(two.fences) == len(CAMERAS), "all are watched")
        assert not one.fences.keys() & two.fences.keys()
        dead, left = (one, two) if one.fences else (two, one)
        before, kept = dict(dead.fences), dict(left.fences)
        await dead.kill()
        await until(lambda: len(left.fences) == len(CAMERAS), "the other has taken over")
        assert all(left.fences[camera] > fence for camera, fence in before.items())
        assert kept.items() <= left.fences.items()
        assert left.leases.counts["claimed"] >= len(before)
        await until(lambda: left.leases.members == {left.leases.me: True}, "the dead one is forgotten")


async def test_who_is_gone_watches_its_cameras_no_more_though_nobody_has_room_for_them(
    tmp_path: Path, member: Start
) -> None:
    with NatsServer(tmp_path) as server:
        one, two = member(server, "one"), member(server, "two", cameras_max=0)
        await until(lambda: len(one.fences) == len(CAMERAS) and two.leases.alive.keys() == {"one", "two"}, "it watches")
        held = dict(one.fences)
        await until(lambda: all(two.leases.owner(camera) == "one" for camera in held), "the other knows it")
        assert not any(two.leases.has_lost(camera, fence) for camera, fence in held.items())
        assert all(two.leases.has_lost(camera, fence - 1) for camera, fence in held.items())
        assert not two.leases.has_lost("another", 1)
        await one.kill()
        await until(lambda: all(two.leases.has_lost(camera, fence) for camera, fence in held.items()), "it is gone")


async def test_a_member_beats_though_its_claims_take_long(
    tmp_path: Path, member: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the disk of NATS is slow: all of them one after the other would take longer than TTL."""
    real = Bucket.claim

    async def slow(bucket: Bucket, key: str, content: Mapping[str, Any]) -> int | None:
        await asyncio.sleep(2 * TTL_S / len(MANY))
        return await real(bucket, key, content)

    monkeypatch.setattr(Bucket, "claim", slow)
    with NatsServer(tmp_path) as server:
        looks = member(server, "looks", cameras_max=0)
        one = member(server, "one", wanted=MANY)
        await until(lambda: "one" in looks.leases.alive, "it is there")
        seen: list[bool] = []
        await until(lambda: seen.append("one" in looks.leases.alive) or len(one.fences) == len(MANY), "all are watched")
        assert all(seen)


async def test_a_member_that_hears_nothing_takes_nobody_for_gone(tmp_path: Path, member: Start) -> None:
    """As where the server dies on which its subscriptions were, and another one answers."""
    with NatsServer(tmp_path) as server:
        one, two = (member(server, name, beat_s=TTL_S / 3) for name in ("one", "two"))
        await until(lambda: len(one.fences) + len(two.fences) == len(CAMERAS), "all are watched")
        await until(lambda: one.leases.calm and two.leases.calm, "none comes or goes", 60.0)
        jetstream = await one.link.open()
        for stream in (f"KV_{NAMES.members}", f"KV_{NAMES.leases}"):
            for consumer in await jetstream.consumers_info(stream):
                await jetstream.delete_consumer(stream, consumer.name)
        heard = one.leases._members.values["two"].revision
        seen: list[int] = []
        await until(
            lambda: seen.append(len(one.leases.alive)) or one.leases._members.values["two"].revision > heard,
            "it listens anew",
        )
        assert set(seen) == {2}


async def test_a_bucket_that_is_behind_while_more_comes_is_not_listened_to_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when thousands of cameras are claimed: to hear all of it from the start would make it only later."""
    with NatsServer(tmp_path) as server:
        link = Link(FleetOptions(site="hall", servers=(server.url,)), name="one")
        bucket = Bucket(link, NAMES.leases, clock=SystemClock())
        real = (await bucket.open()).status

        async def ahead() -> object:
            status = await real()
            status.stream_info.state.last_seq += 10
            return status

        monkeypatch.setattr(bucket._kv, "status", ahead)
        listening = bucket._listening
        for number in range(10):
            await bucket.put(f"camera.{number}", {})
            await until(lambda number=number: f"camera.{number}" in bucket.values, "it is heard")
            assert not await bucket.current()
        assert bucket._listening is listening
        while bucket._listening is listening:  # nothing comes any more
            await bucket.current()
        await bucket.close()
        await link.close()


async def test_what_was_heard_of_a_member_that_is_gone_stays_old_when_nats_is_lost_from_sight(
    tmp_path: Path, member: Start
) -> None:
    with NatsServer(tmp_path) as server:
        one, _two, dead = (member(server, name, cameras_max=0) for name in ("one", "two", "dead"))
        await until(lambda: len(one.leases.alive) == 3, "all are there")
        await dead.kill()
        await until(lambda: one.leases.alive.keys() == {"one", "two"}, "it is gone")
        before = dict(one.leases._members.values)
        one.leases._lose_sight()
        after = one.leases._members.values
        assert after["dead"].heard_at == before["dead"].heard_at
        assert after["two"].heard_at > before["two"].heard_at


async def test_a_member_that_is_gone_is_not_there_again_when_nats_has_lost_its_last_writes(
    tmp_path: Path, member: Start
) -> None:
    """As a server that is killed before it has synced: it knows less than was heard of it."""
    with NatsServer(tmp_path) as server:
        one, _two, dead = (member(server, name, cameras_max=0) for name in ("one", "two", "dead"))
        await until(lambda: len(one.leases.alive) == 3, "all are there")
        await dead.kill()
        await until(lambda: one.leases.alive.keys() == {"one", "two"}, "it is gone")
        bucket = one.leases._members
        heard_at = bucket.values["dead"].heard_at
        bucket._seen += 1000
        await until(lambda: bucket._seen < 1000 and "dead" in bucket.values, "all is heard anew")
        assert bucket.values["dead"].heard_at == heard_at
        await until(lambda: one.leases.calm, "it sees the others")
        assert one.leases.alive.keys() == {"one", "two"}


async def test_a_process_that_was_stopped_speaks_for_nothing_until_it_has_seen_what_is_left_to_it(
    tmp_path: Path, member: Start
) -> None:
    with NatsServer(tmp_path) as server:
        one = member(server, "one")
        await until(lambda: len(one.fences) == len(CAMERAS), "all are watched")
        one.task.cancel()
        await asyncio.gather(one.task, return_exceptions=True)
        two = member(server, "two")
        await until(lambda: len(two.fences) == len(CAMERAS), "the other has taken over")
        one.clock.ahead_s += 2 * TTL_S
        assert one.fences == {}  # before its loop had a turn
        spoke: list[dict[str, int]] = []
        one.task = asyncio.create_task(one.leases.run())
        await until(lambda: spoke.append(one.fences) or one.leases.owner("camera_0") == "two", "it has heard")
        await until(lambda: spoke.append(one.fences) or one.leases._live, "it is one of them again")
        assert not any(spoke)
        assert one.fences == {}
        assert len(two.fences) == len(CAMERAS)


async def test_without_nats_what_is_held_stays_and_is_the_same_afterwards(tmp_path: Path, member: Start) -> None:
    with NatsServer(tmp_path) as server:
        one = member(server, "one")
        await until(lambda: len(one.fences) == len(CAMERAS), "all are watched")
        before = one.fences
        await asyncio.to_thread(server.kill)
        await until(lambda: one.leases.problem, "the loss is noticed")
        assert one.fences == before
        await asyncio.to_thread(server.start)
        await until(lambda: one.leases.problem is None and one.leases._live, "it is there again")
        assert one.fences == before


async def test_of_two_processes_with_one_id_the_later_watches_and_the_other_says_why_not(
    tmp_path: Path, member: Start
) -> None:
    with NatsServer(tmp_path) as server:
        first = member(server, "one")
        await until(lambda: len(first.fences) == len(CAMERAS), "all are watched")
        second = member(server, "one")
        await until(lambda: len(second.fences) == len(CAMERAS) and not first.fences, "the later has them")
        assert "another node calls itself one" in (first.leases.problem or "")


async def test_fences_grow_when_nats_has_lost_all(tmp_path: Path, member: Start) -> None:
    with NatsServer(tmp_path) as server:
        one = member(server, "one")
        await until(lambda: len(one.fences) == len(CAMERAS), "all are watched")
        before = one.fences
        await until(lambda: time.time() > (before["camera_0"] >> REVISION_BITS) + 1, "another second")
        jetstream = await one.link.open()
        await jetstream.delete_key_value(NAMES.leases)
        await until(lambda: one.fences.keys() == before.keys() and min(one.fences.values()) > max(before.values()))


async def test_it_ends_though_a_library_swallows_that_it_was_asked_to(
    tmp_path: Path, member: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    with NatsServer(tmp_path) as server:
        one = member(server, "one")
        await until(lambda: len(one.fences) == len(CAMERAS), "all are watched")
        asked = asyncio.Event()

        async def put(*_: object) -> None:
            asked.set()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(60)

        monkeypatch.setattr(one.leases._members, "put", put)
        await until(asked.is_set, "a beat")
        one.task.cancel()
        await until(one.task.done, "the end")
        assert one.task.cancelled()
