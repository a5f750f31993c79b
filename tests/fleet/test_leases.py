"""Who watches which camera, at a real NATS server."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from nats_server import NatsServer
from sink_samples import until

from blikk_edge.core.clock import SystemClock
from blikk_edge.fleet.leases import REVISION_BITS, Leases
from blikk_edge.fleet.link import Link
from blikk_edge.fleet.names import Names
from blikk_edge.fleet.options import FleetOptions
from blikk_edge.fleet.placing import Place, Wanted

CAMERAS = tuple(Wanted(camera=f"camera_{number}") for number in range(6))
TTL_S = 6.0


class Paused(SystemClock):
    """A clock that a test lets run on while nothing else does, as for a process that was stopped."""

    ahead_s = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead_s


class Member:
    """A member in a task, which may be killed: it says nothing then, and its leases stay."""

    def __init__(self, server: NatsServer, name: str) -> None:
        self.clock = Paused()
        self.link = Link(FleetOptions(site="hall", servers=(server.url,)), name=name)
        place = Place(member=name, cameras_max=20)
        self.leases = Leases(self.link, Names("hall"), place, wanted=CAMERAS, clock=self.clock, ttl_s=TTL_S, beat_s=0.4)
        self.task = asyncio.create_task(self.leases.run())

    @property
    def fences(self) -> dict[str, int]:
        found = {each.camera: self.leases.fence(each.camera) for each in CAMERAS}
        return {camera: fence for camera, fence in found.items() if fence is not None}

    async def kill(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self.link.close()


Start = Callable[[NatsServer, str], Member]


@pytest.fixture
async def member() -> AsyncIterator[Start]:
    """Members that are ended after the test."""
    made: list[Member] = []

    def start(server: NatsServer, name: str) -> Member:
        made.append(Member(server, name))
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
        await jetstream.delete_key_value(Names("hall").leases)
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
