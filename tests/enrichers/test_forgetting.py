"""Forgetting is whole: nothing shown, answered or written afterwards speaks of what was forgotten."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from ask_props import DRIVE, FRONT, NOW, YARD, at, visit

from blikk_edge.asking.forgetting import Forgetter
from blikk_edge.core.clock import VirtualClock
from blikk_edge.core.inquiry import Forget
from blikk_edge.core.observation import Event, Ring, Shown, Withdrawn
from blikk_edge.core.picture import RING, Picture
from blikk_edge.core.ports import Item
from blikk_edge.core.sightings import Label
from blikk_edge.core.summary import Summary
from blikk_edge.sinks.album import PictureAlbum
from blikk_edge.store.store import Store

EARLY, LATE = visit("10:00", 2), visit("11:00", 2)
CAR = visit("12:00", 5, camera=YARD.id, label=Label.VEHICLE)
RANG = Ring(id="ring-1", camera=FRONT.id, time=at("11:01"), via="gpio")

PERSON_PICTURE = Withdrawn(camera=FRONT.id, what=Shown.PICTURE, name="person")
RING_PICTURE = Withdrawn(camera=FRONT.id, what=Shown.PICTURE, name=RING)
STILL = Withdrawn(camera=FRONT.id, what=Shown.PICTURE, name="snapshot")
SUMMARY = Withdrawn(camera=FRONT.id, what=Shown.SUMMARY)
NODE_DIGEST = Withdrawn(camera=None, what=Shown.DIGEST)
YARD_ALL = {
    Withdrawn(camera=YARD.id, what=Shown.SUMMARY),
    Withdrawn(camera=YARD.id, what=Shown.PICTURE, name="vehicle"),
    Withdrawn(camera=YARD.id, what=Shown.PICTURE, name="snapshot"),
}


def text_of(about: Event, **more: object) -> Summary:
    text = Summary(
        id=f"{about.id}-s2",
        camera=about.camera,
        event=about.id,
        revision=2,
        time=about.time + 2,
        since=about.started,
        until=about.time,
        title="A visit",
        text="Somebody came.",
    )
    return replace(text, **more)


DIGEST = text_of(EARLY, id="digest-1", camera=None, event=None, since=at("09:00"), until=at("10:30"), time=at("13:00"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "blikk.db")
    store.open()
    for event in (EARLY, LATE, CAR):
        store.put(replace(event, picture=event.label.value))
        store.put(text_of(event))
    store.put(RANG)
    store.put(DIGEST)
    yield store
    store.close()


class Listener:
    def __init__(self) -> None:
        self.asked: list[Forget] = []

    def forget(self, request: Forget) -> None:
        self.asked.append(request)


async def forgotten(store: Store, request: Forget, album: PictureAlbum | None = None) -> tuple[int, set[Item]]:
    reported: list[Item] = []
    forgetter = Forgetter(history=store, album=album, rememberers=(), publish=reported.append)
    count = await forgetter.forget(request)
    assert len(reported) == len(set(reported))
    return count, set(reported)


@pytest.mark.parametrize(
    ("request_", "count", "withdrawn"),
    [
        # the newest visit shows in its picture, the ring's, the still and the text; the digest is of another time
        (Forget(event=LATE.id), 1, {SUMMARY, PERSON_PICTURE, RING_PICTURE, STILL}),
        # of an older one only the digest reports
        (Forget(event=EARLY.id), 1, {NODE_DIGEST}),
        (Forget(camera=YARD.id), 1, YARD_ALL),
        (Forget(since=at("11:30")), 1, YARD_ALL),
        (Forget(until=at("11:30")), 2, {SUMMARY, PERSON_PICTURE, RING_PICTURE, STILL, NODE_DIGEST}),
        (Forget(camera=DRIVE.id), 0, set()),
        (Forget(event="nobody-1"), 0, set()),
        (Forget(event=LATE.id, camera=YARD.id), 0, set()),
    ],
)
async def test_what_shows_a_forgotten_event_is_withdrawn_and_nothing_else(
    store: Store, request_: Forget, count: int, withdrawn: set[Withdrawn]
) -> None:
    assert await forgotten(store, request_) == (count, withdrawn)


async def test_a_picture_may_be_of_an_event_that_had_one_or_of_one_that_had_not(store: Store) -> None:
    store.put(replace(visit("13:00"), id="blind-1"))
    for event in (LATE.id, "blind-1"):
        _, withdrawn = await forgotten(store, Forget(event=event))
        assert PERSON_PICTURE in withdrawn


async def test_a_text_of_now_goes_with_whoever_was_there_then(store: Store) -> None:
    now = at("12:03")
    store.put(text_of(CAR, id="yard-now-1", event=None, since=now, until=now, time=now))
    _, withdrawn = await forgotten(store, Forget(event=CAR.id))
    assert Withdrawn(camera=YARD.id, what=Shown.DIGEST) in withdrawn
    assert [text.id for text in store.summaries(camera=YARD.id)] == []


async def test_the_text_of_an_event_that_goes_on_is_the_same_in_all_revisions(store: Store) -> None:
    going = replace(visit("14:00", goes_on=True), id="going-1")
    store.put(going)
    store.put(text_of(going, id="going-1-s1", revision=1, time=at("14:01")))
    _, withdrawn = await forgotten(store, Forget(event=EARLY.id))
    assert SUMMARY not in withdrawn


async def test_the_picture_of_the_ring_goes_from_the_album_with_who_rang(tmp_path: Path, store: Store) -> None:
    album = PictureAlbum(tmp_path / "album", clock=VirtualClock(NOW), max_bytes=10**6, keep_days=9)
    for clock, name, event in (("10:01", RING, None), ("11:01", RING, None), ("11:01", "person", LATE.id)):
        album.keep(Picture(camera=FRONT.id, name=name, time=at(clock), jpeg=b"x", width_px=8, height_px=8, event=event))
    await forgotten(store, Forget(event=LATE.id), album)
    assert [(each.name, each.time) for each in album.pictures()] == [(RING, at("10:01"))]


async def test_who_remembers_is_reported_when_the_history_has_forgotten(store: Store) -> None:
    left: list[object] = []

    class Reader(Listener):
        def forget(self, request: Forget) -> None:
            super().forget(request)
            left.append(store.event(LATE.id))

    reader, request = Reader(), Forget(event=LATE.id)
    await Forgetter(history=store, album=None, rememberers=(reader,), publish=lambda _: None).forget(request)
    assert (reader.asked, left) == ([request], [None])


async def test_what_is_to_be_taken_back_survives_that_more_is_forgotten(store: Store) -> None:
    store.put(SUMMARY)
    await forgotten(store, Forget(until=NOW))
    await forgotten(store, Forget(camera=FRONT.id))
    assert [pending.record for pending in store.pending("mqtt", 50)] == [SUMMARY]
