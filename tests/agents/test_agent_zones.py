"""Who came into a zone, and that a zone has to be one."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from patience import PATIENCE

from blikk_edge.agents.found import Finder
from blikk_edge.agents.hub import Hub
from blikk_edge.agents.mcp_server import BlikkServer
from blikk_edge.agents.subscription import Subscription
from blikk_edge.agents.wants import wants
from blikk_edge.core.errors import BlikkError
from blikk_edge.core.geometry import Box
from blikk_edge.core.observation import Observation, Observed, Sighting
from blikk_edge.core.sightings import Label
from blikk_edge.core.status import CameraInfo, CameraState

NOW = 1_795_262_400.0


def seen(track: int, *zones: str, label: Label = Label.PERSON) -> Sighting:
    box = Box(x1=0.1, y1=0.1, x2=0.2, y2=0.2)
    return Sighting(track=track, label=label, sub_label=label, score=0.9, box=box, since=NOW, dwell_s=0.0, zones=zones)


def observed(kind: Observed, *objects: Sighting, zones: tuple[str, ...]) -> Observation:
    return Observation(
        id=f"{kind}{objects[0].track}", camera="gate", kind=kind, time=NOW - 1, until=NOW - 1, score=0.5,
        objects=objects, zones=zones,
    )  # fmt: skip


CAME = (
    observed(Observed.APPEARED, seen(1, "door"), seen(2), zones=("door",)),
    observed(Observed.ENTERED_ZONE, seen(2, "door"), zones=("door",)),
    observed(Observed.ENTERED_ZONE, seen(1, "door"), zones=("door",)),
    observed(Observed.APPEARED, seen(3, "path"), seen(4, "door", label=Label.ANIMAL), zones=("path", "door")),
)


def finder(hub: Hub, *, told: bool = True) -> Finder:
    """Over a node whose zones are `told`, or only seen in the state, as at its WebSocket."""
    info = CameraInfo(
        id="gate", name="Gate", labels=tuple(Label) if told else (), zones=("door", "path") if told else ()
    )
    state = CameraState(camera="gate", online=True, zones=(("door", 0), ("path", 0)))
    link: Any = SimpleNamespace(cameras=(info,), now=lambda: NOW, states=lambda: (state,))
    hub.known_since = 0.0
    return Finder(link, hub)


@pytest.mark.parametrize("told", [True, False])
def test_who_comes_into_view_within_a_zone_came_into_it_too_and_counts_once(told: bool) -> None:
    hub = Hub()
    for each in CAME:
        hub.put(each)
    assert finder(hub, told=told).count("person", 10.0).count == 3
    assert finder(hub, told=told).count("person", 10.0, zone="door").count == 2
    assert finder(hub, told=told).count("animal", 10.0, zone="door").count == 1
    assert finder(hub, told=told).count("animal", 10.0, zone="path").count == 0


@pytest.mark.parametrize("told", [True, False])
def test_a_zone_that_is_none_is_an_error_that_names_those_there_are(told: bool) -> None:
    with pytest.raises(BlikkError, match="there is no zone 'dor'; there is door, path"):
        finder(Hub(), told=told).count("person", 10.0, zone="dor")


async def test_who_waits_for_a_zone_is_woken_by_who_comes_into_view_there() -> None:
    hub = Hub()
    subscriptions: list[Subscription] = []

    def subscribe(kinds: Any, label: Any) -> Subscription:
        subscriptions.append(Subscription(wants(kinds, label)))
        hub.add(subscriptions[-1])
        return subscriptions[-1]

    stream: Any = SimpleNamespace(finder=finder(hub), subscribe=subscribe)
    server = BlikkServer(stream, pictures=None)
    waiting = asyncio.create_task(server.wait_for("person", zone="door", seconds=50))
    async with asyncio.timeout(60 * PATIENCE):
        while not subscriptions:
            await asyncio.sleep(0.01)
        hub.put(CAME[3])
        hub.put(CAME[0])
        assert (await waiting).structured_content == {"came": True, "label": "person", "camera": "gate"}
    assert subscriptions[-1].seen == (CAME[3], CAME[0])
