"""The past of a site when something is wrong with what is told, or with who tells it. At a real NATS server."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from centre_kit import looked
from nats_server import NatsServer
from past_kit import CLOCK, ended, member, text_of
from sink_samples import T0, event, observation, ring, until

from blikk_edge.core.errors import StoreError
from blikk_edge.core.inquiry import Forget
from blikk_edge.fleet import past as past_module
from blikk_edge.fleet.link import Link
from blikk_edge.fleet.names import Names
from blikk_edge.fleet.options import FleetOptions
from blikk_edge.fleet.past_stream import make_past
from blikk_edge.store.store import Store
from blikk_edge.wire.records import record_to_text


@pytest.fixture
def names(site: str) -> Names:
    return Names(site)


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is said now and then is said at once."""
    monkeypatch.setattr(past_module, "AGAIN_S", 0.05)
    monkeypatch.setattr(past_module, "SAY_S", 0.05)
    monkeypatch.setattr(past_module, "WATCHED_S", 0.1)


class Stream:
    """The stream, as somebody with NATS' own program has it."""

    def __init__(self, link: Link, names: Names) -> None:
        self._link = link
        self._names = names

    async def say(self, kind: str, key: str, text: str | bytes, headers: Mapping[str, str] | None = None) -> int:
        """Put a message; its number."""
        payload = text if isinstance(text, bytes) else text.encode()
        jetstream = await self._link.open()
        told = {"Blikk-Member": "other"} if headers is None else dict(headers)
        return (await jetstream.publish(self._names.of_past(kind, key), payload, headers=told)).seq

    async def texts(self) -> list[tuple[str, str]]:
        """Kind and text of all that is in it."""
        jetstream = await self._link.open()
        found = []
        for seq in range(1, (await jetstream.stream_info(self._names.past)).state.last_seq + 1):
            try:
                message = await jetstream.get_msg(self._names.past, seq=seq)
            except Exception:  # noqa: BLE001 - it is gone
                continue
            found.append((str(message.subject).split(".")[-2], (message.data or b"").decode()))
        return found

    async def delete(self, seq: int) -> None:
        """Take a message out."""
        await (await self._link.open()).delete_msg(self._names.past, seq)


@asynccontextmanager
async def stream_of(nats: NatsServer, names: Names) -> AsyncIterator[Stream]:
    link = Link(FleetOptions(site=names.site, servers=(nats.url,)), name="somebody")
    await make_past(await link.open(), names, max_bytes=10**7, copies=1)
    try:
        yield Stream(link, names)
    finally:
        await link.close()


def _changed(text: str, **values: object) -> str:
    return json.dumps({**json.loads(text), **values})


ODD = {
    "nothing of JSON": ("event", "\x00\xff{"),
    "a list": ("event", "[]"),
    "another kind": ("event", '{"record": "parade"}'),
    "a later word": ("event", _changed(record_to_text(event(9)), label="dragon")),
    "a large revision": ("summary", _changed(record_to_text(text_of(9)), revision=2**70)),
    "a large fence": ("event", _changed(record_to_text(event(9)), fence=2**70)),
    "half a letter": ("event", _changed(record_to_text(event(9)), id="event-\ud800")),
    "no time": ("event", record_to_text(event(9)).replace(str(T0 + 9), "NaN")),
    "no time at all": ("ring", record_to_text(ring(9)).replace(str(T0 + 9), "1e999")),
    "deep": ("event", "[" * 5000),
    "nothing to forget": ("forget", "[]"),
    "no word to forget": ("forget", '"all"'),
    "no time to forget": ("forget", '{"until": "now"}'),
    "half a letter to forget": ("forget", '{"until": 1, "camera": "\\ud800"}'),
    "no marks": ("mark", "[]"),
    "half a mark": ("mark", '{"event-\\ud800": "x", "event-1": "\\ud800"}'),
    "watched nothing": ("watched", "[1]"),
    "watched for ever": ("watched", '{"cameras": {"front_door": {"known_since": 0, "spans": [[0, 1e999]]}}}'),
}


@pytest.mark.parametrize("odd", ODD)
async def test_what_cannot_be_read_is_passed_over(tmp_path: Path, nats: NatsServer, names: Names, odd: str) -> None:
    async with stream_of(nats, names) as stream:
        kind, text = ODD[odd]
        await stream.say(kind, "odd", text)
        await stream.say("event", "event-1", record_to_text(event(1)))
        async with member(tmp_path, "one", names, nats.url) as one:
            await until(lambda: "event-1" in [each.id for each in one.store.events()], "what comes after", 20)
            await until(lambda: one.past.problem is None and not one.past.behind, "all is well", 20)


@pytest.mark.parametrize("status", ["404", "409", "100"])
async def test_a_message_that_looks_like_an_answer_of_the_server_is_one_of_the_stream(
    tmp_path: Path, nats: NatsServer, names: Names, status: str
) -> None:
    async with stream_of(nats, names) as stream:
        await stream.say("event", "odd", "", {"Status": status})
        await stream.say("event", "event-1", record_to_text(event(1)))
        async with member(tmp_path, "one", names, nats.url) as one:
            await until(lambda: one.ids == ["event-1"], "what comes after", 20)
            await until(lambda: one.past.problem is None and not one.past.behind, "all is well", 20)


async def test_a_message_that_was_taken_out_by_hand_is_not_waited_for(
    tmp_path: Path, nats: NatsServer, names: Names
) -> None:
    async with stream_of(nats, names) as stream:
        await stream.say("event", "event-1", record_to_text(event(1)))
        await stream.delete(await stream.say("event", "event-2", record_to_text(event(2))))
        async with member(tmp_path, "one", names, nats.url) as one:
            await until(lambda: one.ids == ["event-1"], "what is there", 20)
            one.store.mark("event-1", "known")
            await until(lambda: not one.store.marks(), "it tells what it has to", 40)


async def test_what_was_forgotten_is_not_told_by_who_has_much_to_read_first(
    tmp_path: Path, nats: NatsServer, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past_module, "SETTLES_S", 0.01)
    monkeypatch.setattr(past_module, "BATCH", 1)
    with closing(Store(tmp_path / "two.db")) as away:
        away.open()
        away.follow({"past": None})
        away.put(ended(2))
    async with stream_of(nats, names) as stream:
        for number in range(100, 400):
            await stream.say("event", f"event-{number}", record_to_text(event(number)))
        text = json.dumps({"camera": None, "event": None, "since": None, "until": T0 + 5})
        await stream.say("forget", "all", text)
        async with member(tmp_path, "two", names, nats.url) as two:
            await until(lambda: "event-399" in [each.id for each in two.store.events(limit=1000)], "it has read all")
            await until(lambda: two.store.event("event-2") is None, "it is forgotten")
            two.inbox.put(ended(500))
            await two.told()
            await until(lambda: not two.past.behind, "it has read what it told")
        assert '"event-2"' not in " ".join(text for _, text in await stream.texts())


async def test_a_record_that_is_too_large_for_nats_holds_up_no_other(
    tmp_path: Path, names: Names, caplog: pytest.LogCaptureFixture
) -> None:
    with NatsServer(tmp_path / "nats", extra=["max_payload: 20000"]) as server:
        async with member(tmp_path, "one", names, server.url) as one, member(tmp_path, "two", names, server.url) as two:
            for over in (20, -1500, -60, -20):
                large = replace(text_of(1), text="")
                spare = 20000 + over - len(record_to_text(large))
                one.inbox.put(replace(large, id=f"digest{over}", event=None, text="x" * spare))
            one.inbox.put(event(2))
            await until(lambda: two.ids == ["event-2"], "what comes after", 30)
            await one.told()
            assert [each.id for each in two.store.summaries()] == ["digest-1500"]
            assert one.past.problem is None


class LossyWay:
    """A way to a server; while it `loses`, the next that comes from there is lost, and the connection breaks off."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.loses = False

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self._listening.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> "LossyWay":
        self._listening = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listening.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            await asyncio.wait(
                [asyncio.ensure_future(self._there(reader, back)), asyncio.ensure_future(self._back(there, writer))],
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            back.close()
            writer.close()

    async def _there(self, reader: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        while raw := await reader.read(65536):
            back.write(raw)

    async def _back(self, there: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while raw := await there.read(65536):
            if self.loses:
                self.loses = False
                return
            writer.write(raw)


async def test_what_is_lost_on_its_way_when_the_connection_breaks_is_read_again(
    tmp_path: Path, nats: NatsServer, names: Names
) -> None:
    async with (
        stream_of(nats, names) as stream,
        LossyWay(nats.port) as way,
        member(tmp_path, "one", names, way.url) as one,
    ):
        await stream.say("event", "event-1", record_to_text(event(1)))
        await until(lambda: one.ids == ["event-1"] and one.past.problem is None, "it works")
        way.loses = True
        await stream.say("event", "event-2", record_to_text(event(2)))
        await until(lambda: not way.loses and not one.link.connected, "the connection broke")
        await until(lambda: one.link.connected, "it is back")
        await stream.say("event", "event-3", record_to_text(event(3)))
        await until(lambda: one.store.event("event-3"), "it goes on")
        await until(lambda: one.store.event("event-2"), "what was lost is known", 20)


async def test_what_was_said_before_it_was_to_be_forgotten_is_not_known_again(
    tmp_path: Path, nats: NatsServer, names: Names
) -> None:
    """Who told it has not read yet that it is to be forgotten."""
    async with stream_of(nats, names) as stream, member(tmp_path, "one", names, nats.url) as one:
        text = json.dumps({"camera": None, "event": None, "since": None, "until": T0 + 5})
        await stream.say("forget", "all", text)
        await stream.say("event", "event-1", record_to_text(event(1)))
        await stream.say("ring", "ring-1", record_to_text(ring(1)))
        goes_on = replace(event(2, revision=2), time=T0 + 6)
        await stream.say("event", "event-2", record_to_text(goes_on))
        for number in (1, 2):  # a text is written later, of an event that is gone, and of one that came back
            await stream.say("summary", f"event-{number}", record_to_text(replace(text_of(number), time=T0 + 20)))
        await stream.say("event", "event-9", record_to_text(event(9)))
        await until(lambda: "event-9" in one.ids, "it has read all")
        assert one.ids == ["event-2", "event-9"]
        assert one.store.rings() == []
        assert [each.event for each in one.store.summaries()] == ["event-2"]


@pytest.mark.parametrize("event_", ["event-1", None])
async def test_a_text_whose_event_is_not_there_is_forgotten_too(
    tmp_path: Path, nats: NatsServer, names: Names, event_: str | None
) -> None:
    """The event was emptied before somebody read it."""
    async with stream_of(nats, names) as stream, member(tmp_path, "one", names, nats.url) as one:
        for number in (1, 9):
            await stream.say("summary", f"event-{number}", record_to_text(text_of(number)))
        await until(lambda: len(one.store.summaries()) == 2, "it knows them")
        text = json.dumps({"camera": None, "event": event_, "since": None, "until": T0 + 5})
        await stream.say("forget", "all", text)
        await until(lambda: len(one.store.summaries()) < 2, "one is forgotten", 20)
        assert [each.event for each in one.store.summaries()] == ["event-9"]


@pytest.mark.parametrize("request_", [Forget(event="event-1"), Forget(), Forget(camera="front_door", since=T0)])
async def test_what_a_member_saw_whose_clock_is_ahead_is_forgotten_there_too(
    tmp_path: Path, nats: NatsServer, names: Names, request_: Forget
) -> None:
    ahead = CLOCK.now() + 300
    async with member(tmp_path, "one", names, nats.url) as one, member(tmp_path, "two", names, nats.url) as two:
        two.inbox.put(replace(event(1), time=ahead, started=ahead), replace(ring(1), time=ahead))
        await until(lambda: one.ids == ["event-1"] and one.store.rings(), "it knows it")
        await one.past.forget(request_)
        assert one.ids == []
        await until(lambda: two.ids == [], "it is forgotten there too")
        await until(
            lambda: bool(two.store.rings()) is (request_.event is not None), "rings with all, not with an event"
        )
        two.inbox.put(replace(event(2), time=ahead + 1, started=ahead + 1))
        await until(lambda: one.ids == two.ids == ["event-2"], "what comes then")


async def test_the_marks_of_what_is_forgotten_are_forgotten(tmp_path: Path, nats: NatsServer, names: Names) -> None:
    async with stream_of(nats, names) as stream, member(tmp_path, "one", names, nats.url) as one:
        one.inbox.put(event(1), ring(1), event(2))
        await one.told()
        one.store.mark("event-1", "grandmother")
        one.store.mark_ring("ring-1", "postman")
        await until(lambda: not one.store.marks(), "they are told")
        await one.past.forget(Forget())
        await until(lambda: not one.store.forgotten(), "it is told")
        assert [text for kind, text in await stream.texts() if kind in {"event", "ring", "mark"} and text] == []


async def test_a_mark_of_what_was_forgotten_elsewhere_is_not_told(
    tmp_path: Path, nats: NatsServer, names: Names
) -> None:
    async with member(tmp_path, "two", names, nats.url) as two:
        two.inbox.put(event(1))
        await two.told()
    with closing(Store(tmp_path / "two.db")) as away:
        away.open()
        away.follow({"past": None})
        away.mark("event-1", "grandmother")
    async with stream_of(nats, names) as stream:
        async with member(tmp_path, "one", names, nats.url) as one:
            await until(lambda: one.ids == ["event-1"], "it knows it")
            await one.past.forget(Forget())
            await until(lambda: not one.store.forgotten(), "it is told")
        async with member(tmp_path, "two", names, nats.url) as two:
            await until(lambda: two.ids == [] and not two.store.marks(), "it is forgotten")
            await until(lambda: not two.past.behind, "it has read all")
        assert "grandmother" not in json.dumps(await stream.texts())


async def test_a_mark_that_came_before_its_event_is_kept_over_a_restart(
    tmp_path: Path, nats: NatsServer, names: Names
) -> None:
    async with stream_of(nats, names) as stream:
        await stream.say("mark", "event-1", '{"event-1": "known"}')
        async with member(tmp_path, "one", names, nats.url) as one:
            one.inbox.put(event(2))
            await one.told()
            await until(lambda: one.store.recall("past/place").split(", ")[1] == "2", "it has read the mark")
        await stream.say("event", "event-1", record_to_text(event(1)))
        async with member(tmp_path, "one", names, nats.url) as one:
            await until(lambda: "event-1" in one.ids, "it knows it")
            assert one.store.event("event-1").mark == "known"


async def test_a_member_with_an_old_store_does_not_tell_what_is_out_of_date(
    tmp_path: Path, nats: NatsServer, names: Names
) -> None:
    async with member(tmp_path, "one", names, nats.url) as one:
        one.inbox.put(event(1))
        await one.told()
    (tmp_path / "old.db").write_bytes((tmp_path / "one.db").read_bytes())
    async with member(tmp_path, "one", names, nats.url) as one:
        one.inbox.put(ended(1, revision=5), text_of(1, revision=3))
        await one.told()
    (tmp_path / "old.db").rename(tmp_path / "one.db")
    async with member(tmp_path, "one", names, nats.url) as one:
        (left,) = one.store.left_open()
        one.inbox.put(left, text_of(1, revision=2))
        await one.told()
        assert one.store.event("event-1").revision == 5
    async with member(tmp_path, "two", names, nats.url) as two:
        await until(lambda: two.ids == ["event-1"] and two.store.summaries(), "it knows it")
        assert (two.store.event("event-1").revision, two.store.summaries()[0].revision) == (5, 3)


async def test_what_a_member_left_open_that_lost_its_store_is_ended_when_a_camera_is_claimed_anew(
    tmp_path: Path, nats: NatsServer, names: Names
) -> None:
    async with member(tmp_path, "one", names, nats.url) as one:
        one.inbox.put(replace(event(1), fence=5))
        await one.told()
    (tmp_path / "one.db").unlink()
    async with member(tmp_path, "one", names, nats.url) as one:
        await until(lambda: one.ids == ["event-1"], "it knows what it saw")
        one.fences["front_door"] = 6
        await until(lambda: one.store.event("event-1").ended is not None, "it is ended")
    with closing(Store(tmp_path / "one.db")) as again:  # and is not told as its own once more
        again.open()
        assert (again.left_open(), again.unwritten()) == ([], [])


async def test_telling_for_long_takes_no_more_subscriptions(tmp_path: Path, nats: NatsServer, names: Names) -> None:
    async with member(tmp_path, "one", names, nats.url) as one:
        one.inbox.put(event(1))
        await one.told()
        client = await one.link.client()
        for number in range(5):
            one.store.mark("event-1", str(number))
            await until(lambda: not one.store.marks(), "it is told")
        before = len(client._subs)
        for number in range(5):
            one.store.mark("event-1", str(number))
            await until(lambda: not one.store.marks(), "it is told")
        assert len(client._subs) == before


async def test_what_others_saw_long_ago_does_not_push_out_what_is_newer(
    tmp_path: Path, nats: NatsServer, names: Names
) -> None:
    async with stream_of(nats, names) as stream:
        for number in range(30):
            await stream.say("event", f"event-{number}", record_to_text(event(number)))
        async with member(tmp_path, "one", names, nats.url, max_records=20) as one:
            one.inbox.put(*(event(number) for number in range(100, 110)))
            await one.told()
            await until(lambda: not one.past.behind and one.past.problem is None, "it has read all")
            await until(lambda: "event-29" in one.ids, "it knows them")
            newest = sorted(f"event-{number}" for number in (*range(20, 30), *range(100, 110)))
            assert one.ids == newest
            one.inbox.put(event(110))
            await one.told()
            assert one.ids == sorted({*newest, "event-110"} - {"event-20"})


async def test_what_others_saw_and_a_damaged_store_lost_is_read_again(
    tmp_path: Path, nats: NatsServer, names: Names
) -> None:
    async with stream_of(nats, names) as stream:
        for number in range(300):
            await stream.say("event", f"event-{number}", record_to_text(event(number)))
        async with member(tmp_path, "one", names, nats.url) as one:
            await until(lambda: one.store.counts([0, 1e11]) == [300], "it knows all")
        db = sqlite3.connect(tmp_path / "one.db")
        (page,) = db.execute("SELECT max(pageno) FROM dbstat WHERE name = 'events'").fetchone()
        (size,) = db.execute("PRAGMA page_size").fetchone()
        db.close()
        with (tmp_path / "one.db").open("r+b") as file:
            file.seek((page - 1) * size)
            file.write(b"\xff" * size)
        async with member(tmp_path, "one", names, nats.url) as one:
            with suppress(StoreError):
                one.store.events(limit=1000)
            assert one.store.counts([0, 1e11]) < [300]
            await stream.say("event", "event-300", record_to_text(event(300)))
            await until(lambda: one.store.counts([0, 1e11]) == [301], "it knows all again")


async def test_superseded_looks_are_counted(tmp_path: Path, nats: NatsServer, names: Names) -> None:
    async with (
        member(tmp_path, "one", names, nats.url, looks=True, max_records=3) as one,
        stream_of(nats, names) as stream,
    ):
        for number in (10, 11, 12):
            await stream.say("event", f"event-{number}", record_to_text(ended(number, fence=5)))
            look = replace(looked(observation(number)), event=f"event-{number}", fence=5)
            await stream.say("observation", look.id, record_to_text(look))
        await until(lambda: len(one.store.appearances()) == 3, "it knows them")
        await stream.say("event", "event-9", record_to_text(ended(9, fence=6)))
        await until(lambda: one.ids == ["event-9"], "they are superseded")
        for number in (13, 14, 15):
            look = replace(looked(observation(number)), fence=6)
            await stream.say("observation", look.id, record_to_text(look))
            await until(lambda number=number: one.store.appearances(since=T0 + number), "it knows it")
        assert len(one.store.appearances()) == 3
