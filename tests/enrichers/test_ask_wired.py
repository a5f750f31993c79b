"""Requests answered by the wired parts: what is forgotten in the history goes from the album too."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ask_props import CAMERAS, FRONT, NOW, at, visit

from blikk_edge.app.asking import answerer
from blikk_edge.asking.forgetting import Forgetter
from blikk_edge.core.clock import VirtualClock
from blikk_edge.core.inquiry import Forget, WriteDigest
from blikk_edge.core.picture import Picture
from blikk_edge.sinks.album import PictureAlbum
from blikk_edge.store.store import Store

LONG, NEXT = replace(visit("10:00", 10), id="long-1"), replace(visit("10:06", 1), id="next-1")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "blikk.db")
    store.open()
    yield store
    store.close()


@pytest.mark.parametrize(
    ("request_", "left"),
    [
        (Forget(until=at("10:05")), [NEXT.id]),
        (Forget(since=at("09:00"), until=at("10:05"), camera=FRONT.id), [NEXT.id]),
        (Forget(event=LONG.id, until=at("10:05")), [NEXT.id]),
        (Forget(since=at("10:05"), until=at("10:07")), [LONG.id, LONG.id]),
        (Forget(event=NEXT.id), [LONG.id, LONG.id]),
    ],
)
async def test_a_forgotten_event_keeps_no_later_picture(
    tmp_path: Path, store: Store, request_: Forget, left: list[str]
) -> None:
    album = PictureAlbum(tmp_path / "album", clock=VirtualClock(NOW), max_bytes=10**6, keep_days=9)
    for event, times in ((LONG, ("10:00", "10:08")), (NEXT, ("10:06",))):
        store.put(event)
        for each in times:
            album.keep(
                Picture(
                    camera=FRONT.id, name="person", time=at(each), jpeg=b"x", width_px=8, height_px=8, event=event.id
                )
            )
    forget = Forgetter(history=store, album=album, rememberers=(), publish=print).forget
    answer = answerer(history=store, cameras=CAMERAS, clock=VirtualClock(NOW), states=tuple, forget=forget, album=album)
    assert (await answer(request_)).ok
    assert [each.event for each in album.pictures()] == left
    assert {event.id for event in store.events()} == set(left)


@pytest.mark.parametrize("request_", [WriteDigest(since=NOW + 5), WriteDigest(since=NOW, until=NOW)])
async def test_a_digest_of_no_time_says_so(store: Store, request_: WriteDigest) -> None:
    digester: Any = object()  # is not asked
    unasked: Any = object()  # likewise
    answer = answerer(
        history=store, cameras=CAMERAS, clock=VirtualClock(NOW), states=tuple, forget=unasked, digester=digester
    )
    reply = await answer(request_)
    assert not reply.ok
    assert "before its `until`" in (reply.error or "")
