"""An agent that searches by how something looked: over the service and the store of a node."""

import asyncio
import math
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace

import pytest

from blikk_edge.agents.found import Finder
from blikk_edge.agents.mcp_server import _event
from blikk_edge.asking.question_service import QuestionService
from blikk_edge.core.appearance import Appearance, Colour
from blikk_edge.core.clock import SystemClock
from blikk_edge.core.errors import BlikkError
from blikk_edge.core.inquiry import Reply, Request
from blikk_edge.core.observation import Event, Observation, Observed, Phase
from blikk_edge.core.sightings import Label
from blikk_edge.core.status import CameraInfo
from blikk_edge.store.store import Store

GATE = CameraInfo(id="gate", name="Gate", labels=tuple(Label), zones=("path",))
T0 = 1_795_262_400.0


def finder(store: Store, *, searched: bool) -> Finder:
    service = QuestionService(history=store, cameras=(GATE,), clock=SystemClock(), searched=searched)

    def ask(request: Request) -> "Future[Reply]":
        reply: Future[Reply] = Future()
        reply.set_result(asyncio.run(service.answer(request)))
        return reply

    return Finder(
        SimpleNamespace(cameras=(GATE,), now=lambda: T0 + 100.0, ask=ask), SimpleNamespace(known_since=math.inf)
    )  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This machine's local time."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def put(store: Store, number: int, colour: Colour, *, name: str = "", zones: tuple[str, ...] = ()) -> None:
    at = T0 + number
    event = Event(
        id=name or f"gate-{number}",
        zones=zones,
        camera="gate",
        phase=Phase.STARTED,
        revision=1,
        time=at,
        started=at,
        label=Label.VEHICLE,
        reason=Observed.APPEARED,
    )
    seen = Appearance(track=1, label=Label.VEHICLE, kind="car", colours=(colour,))
    store.put(event)
    store.put(
        Observation(
            id=f"o-{event.id}",
            camera="gate",
            kind=Observed.APPEARED,
            time=at,
            until=at,
            score=0.0,
            event=event.id,
            appearances=(seen,),
        )
    )


def test_what_looks_like_the_words_is_told_with_its_event(tmp_path: Path) -> None:
    store = Store(tmp_path / "blikk.db")
    store.open()
    for number, colour in enumerate((Colour.RED, Colour.BLUE, Colour.RED)):
        put(store, number, colour)
    found = finder(store, searched=True).look("red car", camera="gate", last_s=1000.0)
    assert [event.id for event in found.events] == ["gate-2", "gate-0"]
    assert found.text.splitlines()[0] == "2026-11-21T13:00:02+01:00 gate: red car, by colour, event gate-2"
    assert finder(store, searched=True).look("green car").text == "nothing looked like it"
    assert "Without a model" in finder(store, searched=True).look("an umbrella").text
    with pytest.raises(BlikkError, match="add `search: true`"):
        finder(store, searched=False).look("red car")
    store.close()


def test_events_are_found_however_many_came_after_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blikk_edge.agents.found.EVENTS_PAGE", 4)
    monkeypatch.setattr("blikk_edge.asking.question_service.LOOK_MAX", 3)
    store = Store(tmp_path / "blikk.db")
    store.open()
    for number in range(11):
        put(store, number // 2, Colour.RED, name=f"gate-{number}", zones=() if number else ("path",))
    found = finder(store, searched=True)
    assert found.event("gate-0").text == "2026-11-21T13:00:00+01:00 vehicle started, path"
    assert found.count("vehicle", 1000.0).text == "11 vehicle came in the last 1000 s, in 11 visits"
    assert [event.id for event in found.search(zone="path").events] == ["gate-0"]
    assert _event(found.event("gate-0").events[0])["started"] == "2026-11-21T13:00:00+01:00"
    older = found.search(before="2026-11-21T13:00:01+01:00", limit=5)
    assert {event.id for event in older.events} == {"gate-0", "gate-1"}
    assert older.text.splitlines()[0].startswith("2026-11-21T13:00:00+01:00 vehicle")
    with pytest.raises(BlikkError, match="there is no event 'gate-11'"):
        found.event("gate-11")
    with pytest.raises(BlikkError, match="before lies further back"):
        found.search(last_s=10.0, before="2026-11-21T12:00:00+01:00")
    store.close()
