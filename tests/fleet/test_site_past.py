"""The past of a site: each member knows what all have seen, also of members that are gone. At a real NATS server."""

import asyncio
from contextlib import closing, suppress
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from centre_kit import looked
from nats_server import NatsServer, nats_cluster
from past_kit import CLOCK, ended, member, text_of
from sink_samples import T0, event, observation, ring, until

from blikk_edge.core.inquiry import Forget
from blikk_edge.core.observation import Phase
from blikk_edge.core.sightings import Label
from blikk_edge.core.status import CameraState
from blikk_edge.fleet import past as past_module
from blikk_edge.fleet.link import Link
from blikk_edge.fleet.names import Names
from blikk_edge.fleet.options import FleetOptions
from blikk_edge.fleet.past_stream import make_past
from blikk_edge.sinks.watched import ELSEWHERE_UNTIL, KEY, watched_in
from blikk_edge.store.store import Store

_SITES = count()


@pytest.fixture
def names() -> Names:
    return Names(f"site_{next(_SITES)}")


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is said now and then is said at once."""
    monkeypatch.setattr(past_module, "AGAIN_S", 0.05)
    monkeypatch.setattr(past_module, "SAY_S", 0.05)
    monkeypatch.setattr(past_module, "WATCHED_S", 0.1)


async def test_each_knows_what_the_other_saw_and_has_nothing_of_it_to_deliver(
    tmp_path: Path, nats: NatsServer, names: Names
) -> None:
    async with member(tmp_path, "one", names, nats.url) as one, member(tmp_path, "two", names, nats.url) as two:
        one.inbox.put(event(1), ring(1), ended(1), text_of(1), observation(1))
        two.inbox.put(event(2), ended(2))
        await until(lambda: one.ids == two.ids == ["event-1", "event-2"], "both know both")
        await until(lambda: two.store.summaries(event="event-1"), "the text")
        await until(lambda: two.store.event("event-1").phase is Phase.ENDED, "the newest revision")
        assert two.store.event("event-1") == one.store.event("event-1")
        assert two.store.rings() == one.store.rings() == [ring(1)]
        await one.told()
        await two.told()
        assert (two.store.depth("past"), one.store.depth("past")) == (0, 0)


async def test_a_mark_reaches_who_was_away(tmp_path: Path, nats: NatsServer, names: Names) -> None:
    async with member(tmp_path, "one", names, nats.url) as one:
        async with member(tmp_path, "two", names, nats.url) as two:
            one.inbox.put(event(1), ring(2), event(3))
            await until(lambda: two.ids == ["event-1", "event-3"] and two.store.rings(), "it knows them")
        one.store.mark("event-1", "known")
        one.store.mark_ring("ring-2", "nobody")
        one.store.mark("event-3", "known")
        one.store.mark("event-3", "")
        one.inbox.put(ended(1))
        await until(lambda: not one.store.marks(), "they are told")
        await one.told()
        for name in ("two", "three"):
            async with member(tmp_path, name, names, nats.url) as other:
                await until(lambda other=other: other.ids == ["event-1", "event-3"], "it knows them")
                await until(lambda other=other: other.store.event("event-1").mark == "known", "it is marked")
                await until(lambda other=other: other.store.rings()[0].mark == "nobody", "the ring too")
                assert other.store.event("event-3").mark == ""
                assert other.store.marks() == {}


async def test_members_that_make_the_stream_at_once_with_other_settings_share_it(
    tmp_path: Path, nats: NatsServer, names: Names
) -> None:
    links = [Link(FleetOptions(site=names.site, servers=(nats.url,)), name=str(number)) for number in range(2)]
    opened = [await link.open() for link in links]
    made = (make_past(each, names, max_bytes=10**6 + number, copies=1) for number, each in enumerate(opened))
    await asyncio.gather(*made)
    for link in links:
        await link.close()


async def test_a_member_that_comes_later_knows_what_one_saw_that_is_gone(
    tmp_path: Path, nats: NatsServer, names: Names
) -> None:
    async with member(tmp_path, "one", names, nats.url) as one:
        one.inbox.put(event(1), ended(1), event(2))
        await one.told()
    async with member(tmp_path, "two", names, nats.url) as two:
        await until(lambda: two.ids == ["event-1", "event-2"], "it knows them")
    # what another left open is not this node's to end
    with closing(Store(tmp_path / "two.db")) as again:
        again.open()
        assert again.left_open() == []
        assert again.unwritten() == []


async def test_what_comes_again_or_too_late_changes_nothing(tmp_path: Path, nats: NatsServer, names: Names) -> None:
    async with member(tmp_path, "one", names, nats.url) as one, member(tmp_path, "two", names, nats.url) as two:
        one.inbox.put(event(1), ended(1, revision=3), text_of(1))
        await until(lambda: two.store.summaries(event="event-1"), "it knows them")
        two.store.mark("event-1", "known")
        one.inbox.put(event(1, revision=2), text_of(1, revision=1), event(2))
        await until(lambda: "event-2" in two.ids, "all came")
        kept = two.store.event("event-1")
        assert (kept.revision, kept.mark) == (3, "known")
        assert [each.revision for each in two.store.summaries(event="event-1")] == [2]
        one.inbox.put(ended(1, revision=4))
        await until(lambda: two.store.event("event-1").revision == 4, "a newer one")
        assert two.store.event("event-1").mark == "known"


async def test_what_was_seen_under_an_older_lease_is_not_told_twice(
    tmp_path: Path, nats: NatsServer, names: Names
) -> None:
    async with member(tmp_path, "one", names, nats.url) as one, member(tmp_path, "two", names, nats.url) as two:
        # cut off from NATS, the first went on when the second had the camera
        one.inbox.put(ended(1, fence=5))
        await until(lambda: two.ids == ["event-1"], "what was before")
        one.inbox.put(ended(30, fence=5))
        await until(lambda: two.ids == ["event-1", "event-30"], "it is not known to be older yet")
        two.inbox.put(ended(20, fence=6))
        await one.told()
        await two.told()
        one.inbox.put(ended(40, fence=5), replace(text_of(40), fence=5), ended(2, fence=5))
        await until(lambda: "event-2" in two.ids, "all came")
        async with member(tmp_path, "three", names, nats.url) as three:
            await until(lambda: three.ids == ["event-1", "event-2", "event-20"], "it knows what is true")
            assert three.store.summaries(event="event-40") == []


async def test_an_event_that_its_member_did_not_end_is_ended_when_another_has_the_camera(
    tmp_path: Path, nats: NatsServer, names: Names
) -> None:
    async with member(tmp_path, "one", names, nats.url) as one, member(tmp_path, "two", names, nats.url) as two:
        one.inbox.put(replace(event(1), fence=5))
        two.fences["front_door"] = 5
        await until(lambda: two.ids == ["event-1"], "it knows it")
        assert two.store.event("event-1").ended is None
        two.fences["front_door"] = 6
        await until(lambda: two.store.event("event-1").ended is not None, "it is ended")
        assert two.store.event("event-1").interrupted
        one.inbox.put(ended(1, fence=5))
        await until(lambda: not two.store.event("event-1").interrupted, "its own end")


async def test_who_is_there_now_is_known_of_cameras_that_another_watches(
    tmp_path: Path, nats: NatsServer, names: Names
) -> None:
    async with member(tmp_path, "one", names, nats.url) as one, member(tmp_path, "two", names, nats.url) as two:
        one.inbox.put(replace(event(1), fence=5))
        offline = CameraState(camera="front_door", online=False)
        await until(lambda: two.ids == ["event-1"], "it knows it")
        assert two.past.seen([offline]) == (offline,)
        two.elsewhere.add("front_door")
        there = ((Label.PERSON, 1),)
        await until(lambda: two.past.seen([offline]) == (replace(offline, online=True, counts=there),), "it is there")
        one.inbox.put(ended(1, fence=5))
        await until(lambda: two.past.seen([offline]) == (replace(offline, online=True),), "it is gone")


async def test_what_is_forgotten_goes_everywhere_also_out_of_the_stream(
    tmp_path: Path, nats: NatsServer, names: Names
) -> None:
    async with member(tmp_path, "two", names, nats.url, looks=True) as two:
        two.inbox.put(ended(3))
        await two.told()
    with closing(Store(tmp_path / "two.db")) as away:  # it sees something that it can tell later only
        away.open()
        away.follow({"past": None})
        away.put(ended(2))
    async with member(tmp_path, "one", names, nats.url, looks=True) as one:
        one.inbox.put(ended(1), text_of(1), ring(1), replace(looked(observation(1)), event="event-1"), ended(9))
        await until(lambda: one.ids == ["event-1", "event-3", "event-9"], "it knows all")
        await one.told()
        assert await one.past.forget(Forget(until=T0 + 5)) == 2
        assert one.ids == ["event-9"]
        await until(lambda: not one.store.forgotten(), "it is told")
        link = Link(FleetOptions(site=names.site, servers=(nats.url,)), name="looks")
        jetstream = await link.open()
        last = (await jetstream.stream_info(names.past)).state.last_seq
        kept = []
        for number in range(1, last + 1):
            with suppress(Exception):
                kept.append(await jetstream.get_msg(names.past, seq=number))
        await link.close()
        found = " ".join((each.data or b"").decode() for each in kept if ".watched." not in each.subject)
        assert "event-9" in found
        assert not [id_ for id_ in ("event-1", "event-3", "ring-1", "observation-1") if id_ in found]
        async with member(tmp_path, "two", names, nats.url, looks=True) as two:
            await until(lambda: two.ids == ["event-9"], "it is forgotten there too")
            await two.told()
            two.inbox.put(ended(10))
            await until(lambda: one.ids == ["event-10", "event-9"], "nothing of it comes back")
            assert two.ids == ["event-10", "event-9"]


async def test_what_things_looked_like_is_told_where_it_is_searched(
    tmp_path: Path, nats: NatsServer, names: Names
) -> None:
    async with (
        member(tmp_path, "one", names, nats.url, looks=True) as one,
        member(tmp_path, "two", names, nats.url, looks=True) as two,
    ):
        one.inbox.put(event(1), looked(observation(1), numbers=(0.5, 0.25)), observation(2))
        await until(two.store.appearances, "it knows it")
        async with member(tmp_path, "three", names, nats.url) as three:  # it searches for nothing
            await until(lambda: three.ids == ["event-1"] and not three.past.behind, "it knows the rest")
            await until(lambda: str(three.store.recall("past/place")) == str(one.store.recall("past/place")), "all")
            assert three.store.appearances() == []
        assert two.store.appearances() == one.store.appearances()
        assert [raw for _, raw in two.store.embeddings(model="tiny")] == [
            raw for _, raw in one.store.embeddings(model="tiny")
        ]
        await one.told()


async def test_without_nats_it_goes_on_and_what_was_missed_comes_later(tmp_path: Path, names: Names) -> None:
    with NatsServer(tmp_path / "nats") as server:
        async with member(tmp_path, "one", names, server.url) as one, member(tmp_path, "two", names, server.url) as two:
            one.inbox.put(event(1))
            await until(lambda: two.ids == ["event-1"], "it works")
            await asyncio.to_thread(server.kill)
            one.inbox.put(ended(1), event(2))
            two.inbox.put(event(3))
            await until(lambda: one.store.depth("past") == 2, "they wait")
            await asyncio.to_thread(server.start)
            await until(lambda: one.ids == two.ids == ["event-1", "event-2", "event-3"], "what was missed")
            await until(lambda: one.past.problem is None and two.past.problem is None, "all is well")


async def test_a_stream_that_was_made_anew_is_read_from_its_beginning(
    tmp_path: Path, nats: NatsServer, names: Names, caplog: pytest.LogCaptureFixture
) -> None:
    async with member(tmp_path, "one", names, nats.url) as one, member(tmp_path, "two", names, nats.url) as two:
        one.inbox.put(event(1), event(2), event(3))
        await until(lambda: len(two.ids) == 3, "it works")
        link = Link(FleetOptions(site=names.site, servers=(nats.url,)), name="other")
        await (await link.open()).delete_stream(names.past)
        await link.close()
        two.inbox.put(event(4))
        await until(lambda: len(one.ids) == 4, "it goes on", 120.0)
        one.inbox.put(event(5))
        await until(lambda: len(two.ids) == 5, "both ways", 120.0)


async def test_when_a_camera_was_watched_is_known_of_all_members(
    tmp_path: Path, nats: NatsServer, names: Names
) -> None:
    record = '{"cameras":{"front_door":{"known_since":0,"spans":[[%d,%d]]}}}'
    begin = int(CLOCK.now()) + 5000
    async with member(tmp_path, "one", names, nats.url) as one:
        one.store.remember(KEY, record % (begin, begin + 4000))
        async with member(tmp_path, "two", names, nats.url) as two:
            two.store.remember(KEY, record % (begin + 4000, begin + 9000))
            watched = watched_in(two.store, two.store)
            await until(lambda: two.store.recall(ELSEWHERE_UNTIL), "it is known until when")
            assert watched("front_door").gaps(begin, begin + 12000) == ()  # another may watch, and has not told it yet
            two.store.remember(ELSEWHERE_UNTIL, str(begin + 12000))
            await until(lambda: watched("front_door").gaps(begin, begin + 9000) == (), "nothing is missing")
            assert watched("front_door").gaps(begin, begin + 12000) == ((begin + 9000.0, begin + 12000.0),)
            # of what was before the stream nobody knows anything
            assert watched("front_door").gaps(1000, 9000) == ()


async def test_a_member_that_was_away_for_too_long_says_what_it_does_not_know(
    tmp_path: Path, nats: NatsServer, names: Names, caplog: pytest.LogCaptureFixture
) -> None:
    async with member(tmp_path, "one", names, nats.url, max_bytes=20_000) as one:
        async with member(tmp_path, "two", names, nats.url, max_bytes=20_000) as two:
            one.inbox.put(event(0))
            await until(lambda: two.ids == ["event-0"], "it works")
        one.inbox.put(*(event(number) for number in range(1, 100)))
        await one.told()
        async with member(tmp_path, "two", names, nats.url) as two:
            await until(lambda: "event-99" in two.ids, "what is still there")
            assert "event-1" not in two.ids
            assert "was away for longer than the site's past is kept" in caplog.text
            two.store.remember(KEY, '{"cameras":{"front_door":{"known_since":0,"spans":[]}}}')
            assert watched_in(two.store, two.store)("front_door").known_since > CLOCK.now() - 600


async def test_a_member_that_comes_back_in_time_misses_nothing(
    tmp_path: Path, nats: NatsServer, names: Names, caplog: pytest.LogCaptureFixture
) -> None:
    async with member(tmp_path, "one", names, nats.url) as one:
        async with member(tmp_path, "two", names, nats.url) as two:
            one.inbox.put(event(1))
            await until(lambda: two.ids == ["event-1"], "it works")
        for revision in range(2, 6):  # each takes the place of the one before in the stream
            one.inbox.put(ended(1, revision=revision))
            await one.told()
        async with member(tmp_path, "two", names, nats.url) as two:
            await until(lambda: two.store.event("event-1").revision == 5, "it has the newest")
        assert "was away" not in caplog.text


async def test_a_reader_whose_server_died_is_another_servers(tmp_path: Path, names: Names) -> None:
    with nats_cluster(tmp_path) as servers:
        urls = [server.url for server in servers]
        async with member(tmp_path, "one", names, *urls) as one, member(tmp_path, "two", names, *urls) as two:
            one.inbox.put(event(1))
            await until(lambda: two.ids == ["event-1"], "it works")
            for number, server in enumerate(servers, start=2):
                await asyncio.to_thread(server.kill)
                one.inbox.put(event(number))
                await until(lambda number=number: f"event-{number}" in two.ids, "it goes on", 120.0)
                await asyncio.to_thread(server.start)
