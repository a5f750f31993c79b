"""An agent that searches by how something looked: over the service and the store of a node."""

import asyncio
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace

import pytest

from blikk_edge.agents.found import Finder
from blikk_edge.asking.question_service import QuestionService
from blikk_edge.core.appearance import Appearance, Colour
from blikk_edge.core.clock import SystemClock
from blikk_edge.core.errors import BlikkError
from blikk_edge.core.inquiry import Reply, Request
from blikk_edge.core.observation import Event, Observation, Observed, Phase
from blikk_edge.core.sightings import Label
from blikk_edge.core.status import CameraInfo
from blikk_edge.store.store import Store

GATE = CameraInfo(id="gate", name="Gate", labels=tuple(Label))
T0 = 1_795_262_400.0


def finder(store: Store, *, searched: bool) -> Finder:
    service = QuestionService(history=store, cameras=(GATE,), clock=SystemClock(), searched=searched)

    def ask(request: Request) -> "Future[Reply]":
        reply: Future[Reply] = Future()
        reply.set_result(asyncio.run(service.answer(request)))
        return reply

    return Finder(SimpleNamespace(cameras=(GATE,), now=lambda: T0 + 100.0, ask=ask), SimpleNamespace())  # type: ignore[arg-type]


def put(store: Store, number: int, colour: Colour) -> None:
    time = T0 + number
    event = Event(
        id=f"gate-{number}",
        camera="gate",
        phase=Phase.STARTED,
        revision=1,
        time=time,
        started=time,
        label=Label.VEHICLE,
        reason=Observed.APPEARED,
    )
    seen = Appearance(track=1, label=Label.VEHICLE, kind="car", colours=(colour,))
    store.put(event)
    store.put(
        Observation(
            id=f"o{number}",
            camera="gate",
            kind=Observed.APPEARED,
            time=time,
            until=time,
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
    assert found.text.splitlines()[0] == "2026-11-21 12:00:02Z gate: red car, by colour, event gate-2"
    assert finder(store, searched=True).look("green car").text == "nothing looked like it"
    assert "Without a model" in finder(store, searched=True).look("an umbrella").text
    with pytest.raises(BlikkError, match="add `search: true`"):
        finder(store, searched=False).look("red car")
    store.close()
