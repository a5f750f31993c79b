"""Requests answered by the wired parts: what is forgotten goes from the album too, what others wrote is checked."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ask_props import CAMERAS, FRONT, NOW, at, visit

from blikk_edge.app.asking import answerer
from blikk_edge.asking.forgetting import Forgetter
from blikk_edge.core.clock import VirtualClock
from blikk_edge.core.inquiry import Answerer, CheckText, Forget, WriteDigest
from blikk_edge.core.locale import Locale
from blikk_edge.core.picture import Picture
from blikk_edge.core.sightings import Label
from blikk_edge.core.status import SummaryMode
from blikk_edge.core.summary import Checked, Said
from blikk_edge.enrichers.summaries.summarizer import Summarizer
from blikk_edge.enrichers.summaries.text_writer import TextWriter
from blikk_edge.language.grounding import check
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


def checking(store: Store, language: str = "en") -> Answerer:
    """A node that has kept the visit LONG, of one person from 10:00 on, and knows no more of it."""
    store.put(LONG)
    clock = VirtualClock(NOW)
    summarizer = Summarizer(
        writer=TextWriter(queue=None, check=check, clock=clock),
        publish=print,
        clock=clock,
        mode_of=lambda _camera: SummaryMode.TEMPLATE,
        names={FRONT.id: FRONT.name},
        history=store,
        locale=lambda: Locale(language=language),
    )
    unasked: Any = object()
    return answerer(history=store, cameras=CAMERAS, clock=clock, states=tuple, forget=unasked, summarizer=summarizer)


def written(title: str, text: str, **more: Any) -> CheckText:
    return CheckText(event=LONG.id, title=title, text=text, **more)


NOBODY = dict.fromkeys(Label, 0)
ONE, TWO = (Said(counts={**NOBODY, Label.PERSON: count}) for count in (1, 2))


@pytest.mark.parametrize(
    ("request_", "checked"),
    [
        (written("A person came", "A person was at the front door."), Checked.WHOLE),
        (written("A person came", "A person in a red jacket was at the front door.", pictures=True), Checked.WHOLE),
        (written("Eine Person", "Eine Person war da.", language="de"), Checked.WHOLE),
        (written("En person kom", "En person stod vid dörren.", language="sv", said=ONE), Checked.PARTLY),
    ],
)
async def test_what_others_wrote_about_an_event_is_checked(store: Store, request_: CheckText, checked: Checked) -> None:
    reply = await checking(store)(request_)
    assert (reply.ok, reply.checked, reply.error) == (True, checked, None)


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (written("Two burglars", "Two burglars broke in.", pictures=True), "burglars"),
        (written("A person came", "A person and a dog were at the front door."), "dog"),
        (written("A person came", "A person in a red jacket was at the front door."), "red"),
        (written("Eine Person", "Eine Person war an der Haustür."), "another language"),
        (written("En person kom", "En person stod vid dörren.", language="sv"), "no words of this language"),
        (written("En person kom", "En person stod vid dörren.", language="sv", said=TWO), "person: 2"),
        (written("En person kom", "En person stod vid dörren.", language="sv", said=Said(counts={})), "does not count"),
        (written("A person came", "A person was at the front door.", said=TWO), "person: 2"),
        (written("Two burglars", "Two burglars broke in at the door.", language="sv", said=ONE), "burglars"),
    ],
)
async def test_what_was_not_observed_is_refused_by_its_words(store: Store, request_: CheckText, why: str) -> None:
    reply = await checking(store)(request_)
    assert (reply.ok, reply.checked) == (False, None)
    assert why in (reply.error or "")
    assert any(why in each for each in reply.unsupported)


async def test_what_cannot_be_checked_says_so(store: Store) -> None:
    unknown = CheckText(event="nobody", title="A person", text="A person came.")
    reply = await checking(store)(unknown)
    assert (reply.ok, reply.unsupported) == (False, ())
    assert "no event 'nobody'" in (reply.error or "")
    unasked: Any = object()
    without = answerer(history=store, cameras=CAMERAS, clock=VirtualClock(NOW), states=tuple, forget=unasked)
    reply = await without(unknown)
    assert not reply.ok
    assert "summaries are off" in (reply.error or "")
