"""Nodes that share the cameras of a site, as processes: at a real NATS server and a real broker."""

import asyncio
import json
import re
import signal
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from broker import Broker
from nats_server import NatsServer
from site_nodes import Node, Site, cameras_yaml, content

from blikk_edge.fleet.applied import KEY
from blikk_edge.fleet.link import Link
from blikk_edge.fleet.names import Names
from blikk_edge.fleet.options import FleetOptions
from blikk_edge.store.store import Store

CAMERAS = 4
_ASKED = count()


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with Broker(tmp_path_factory.mktemp("broker")) as made:
        yield made


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[NatsServer]:
    with NatsServer(tmp_path / "nats") as made:
        yield made


def site(tmp_path: Path, id: str, nats: NatsServer, broker: Broker) -> Site:  # noqa: A002  # the glossary's word
    made = Site(tmp_path, id, "one", "two", nats=nats.url, broker=broker.port)
    made["one"].apply(cameras_yaml(CAMERAS))
    return made


def first_then_second(hall: Site) -> None:
    """One node has all cameras, and another has just come."""
    hall.start("one")
    hall.until(lambda: hall.shared(CAMERAS) and hall.status() == b"online", "all cameras")
    hall.start("two")
    hall.until(lambda: "node two is there" in hall["one"].log, "the other one")


def answers(hall: Site, *requests: dict[str, Any]) -> list[dict[str, Any]]:
    """The one reply to each of these requests."""
    place = f"blikk/{hall.id}/reply/{next(_ASKED)}"
    for number, request in enumerate(requests):
        hall.ears.say(
            f"blikk/{hall.id}/ask", json.dumps({**request, "response_topic": place, "correlation": str(number)})
        )
    hall.until(lambda: len(hall.ears.of(place)) >= len(requests), "the answers")
    replies = [content(each) for each in hall.ears.of(place)]
    return sorted(replies, key=lambda reply: int(reply["correlation"]))


def at(log: str, text: str) -> str:
    """The time of the last line of a log that has this text."""
    return [line.split()[0] for line in log.splitlines() if text in line][-1]


def leader_first(hall: Site) -> list[Node]:
    """The two nodes of a site that is started here, once they watch all cameras; the one that leads comes first."""
    hall.start()
    hall.until(lambda: hall.shared(CAMERAS) and hall.status() == b"online", "all cameras")
    return sorted(hall.nodes.values(), key=lambda node: "speaks for the site" not in node.log)


def test_two_nodes_share_cameras_and_the_other_takes_over_all_of_one_that_is_killed(
    tmp_path: Path, nats: NatsServer, broker: Broker
) -> None:
    with site(tmp_path, "killed", nats, broker) as hall:
        # the leader, whose work for the site as a whole has to be taken over as well
        dead, left = leader_first(hall)
        of_dead = hall.held(dead.name)
        since = time.monotonic()
        for camera in hall.owners():
            hall.until(
                lambda camera=camera, since=since: hall.ears.of(f"{camera}/event", since=since), f"an event of {camera}"
            )
        replies = answers(hall, *({"do": "events", "camera": camera} for camera in hall.owners()), {"do": "nonsense"})
        assert [bool(reply.get("events")) for reply in replies] == [True] * CAMERAS + [False]
        dead.signal(signal.SIGKILL)
        dead.wait()
        since = time.monotonic()
        hall.until(lambda: hall.held(left.name) == set(hall.owners()), "the other has all")
        for camera in of_dead:
            hall.until(
                lambda camera=camera, since=since: hall.ears.of(f"{camera}/event", since=since), f"an event of {camera}"
            )
        hall.until(lambda: hall.ears.of("killed/announce", since=since), "the new leader")
        hall.until(lambda: hall.ears.of("killed/health", since=since), "the health of it")
        camera = min(of_dead)
        hall.ears.say(f"blikk/killed/{camera}/set/threshold", "0.45")
        hall.until(lambda: b'"threshold":0.45' in hall.ears.last(f"{camera}/state"), "a command is carried out")
        assert not [each for each in hall.ears.of("/status") if each.payload == b"offline"]
        store = Store(dead.folder / "store.db")
        store.open()
        try:
            events = store.events()
        finally:
            store.close()
        leases = set(re.findall(r"(\w+): watched here from now on \(fence (\d+)\)", dead.log + left.log))
        found = {(event.camera, str(event.fence)) for event in events}
        assert {camera for camera, _ in found} >= of_dead
        assert found <= leases


def test_a_node_that_was_stopped_says_nothing_of_what_others_watch_by_now(
    tmp_path: Path, nats: NatsServer, broker: Broker
) -> None:
    with site(tmp_path, "paused", nats, broker) as hall:
        first_then_second(hall)
        lost = hall.held("one")
        hall["one"].signal(signal.SIGSTOP)
        hall.until(lambda: hall.held("two") == set(hall.owners()), "the other has all")
        hall.until(lambda: hall["two"].log.count(": watching sim") >= CAMERAS, "the other watches")
        begun = {content(each)["id"] for each in hall.ears.of("/event")}
        before, since = len(broker.log), time.monotonic()
        hall["one"].signal(signal.SIGCONT)
        for camera in lost:
            hall.until(lambda camera=camera: f"{camera}: two watches it now" in hall["one"].log, "it has heard of it")
        hall.until(lambda: hall.held("one") != set(), "it has cameras again")
        said = re.findall(
            r"Received PUBLISH from \S+-node-one .*'blikk/paused/(camera_\d+)/(\S+)'", broker.log[before:]
        )
        # the end of what it had reported as begun, and nothing else
        assert {what for camera, what in said if camera not in hall.held("one")} <= {"event"}
        of_lost = [content(each) for camera in lost for each in hall.ears.of(f"{camera}/event", since=since)]
        assert {each["phase"] for each in of_lost if each["id"] in begun} <= {"ended"}


def test_without_nats_the_nodes_go_on_and_one_that_is_started_watches_what_it_had(
    tmp_path: Path, nats: NatsServer, broker: Broker
) -> None:
    with site(tmp_path, "away", nats, broker) as hall:
        hall.start()
        hall.until(lambda: hall.shared(CAMERAS) and hall.status() == b"online", "all cameras")
        owners, since = hall.owners(), time.monotonic()
        for camera in owners:
            hall.until(
                lambda camera=camera, since=since: hall.ears.of(f"{camera}/event", since=since), f"an event of {camera}"
            )
        nats.kill()
        hall["two"].signal(signal.SIGKILL)
        hall["two"].wait()
        hall["two"].start()
        hall.until(lambda: "cameras that it had last" in hall["two"].log, "it does without")
        since = time.monotonic()
        for camera in owners:
            hall.until(
                lambda camera=camera, since=since: hall.ears.of(f"{camera}/event", since=since), f"an event of {camera}"
            )
        nats.start()
        since = time.monotonic()
        for node in hall.nodes.values():
            hall.until(lambda node=node: re.search(r"connected to nats \S+ again", node.log), "NATS again")
        for camera in owners:
            hall.until(
                lambda camera=camera, since=since: hall.ears.of(f"{camera}/event", since=since), f"an event of {camera}"
            )
        assert hall.owners() == owners


def test_a_planned_stop_hands_over_before_it_lets_go(tmp_path: Path, nats: NatsServer, broker: Broker) -> None:
    with site(tmp_path, "planned", nats, broker) as hall:
        first_then_second(hall)
        given = hall.held("one")
        hall["one"].signal(signal.SIGTERM)
        assert hall["one"].wait() == 0
        hall.until(lambda: hall.held("two") == set(hall.owners()), "the other has all")
        for camera in given:
            let_go = at(hall["one"].log, f"{camera}: two watches it now")
            assert at(hall["two"].log, f"camera.{camera}: watching") < let_go
        hall.until(lambda: "speaks for the site" in hall["two"].log, "the new leader")
        assert not [each for each in hall.ears.of("/status") if each.payload == b"offline"]
        hall["two"].signal(signal.SIGTERM)
        assert hall["two"].wait() == 0
        hall.until(lambda: hall.status() == b"offline", "the last one says that the site is offline", 15)


async def write_something_else(hall: Site, nats: NatsServer) -> None:
    """Write to where the cameras are applied; returns once the nodes have looked there again."""
    link, names = Link(FleetOptions(site=hall.id, servers=(nats.url,)), name="test"), Names(hall.id)
    jetstream = await link.open()
    await (await jetstream.key_value(names.cameras)).put(KEY, b'{"cameras": {}}')
    members = await jetstream.key_value(names.members)
    for node in hall.nodes:
        beats = {(await members.get(node)).revision}
        while len(beats) < 3:  # a node looks between two beats
            await asyncio.sleep(0.1)
            beats.add((await members.get(node)).revision)
    await link.close()


def test_cameras_that_are_applied_anew_reach_the_nodes_one_after_the_other(
    tmp_path: Path, nats: NatsServer, broker: Broker
) -> None:
    with site(tmp_path, "anew", nats, broker) as hall:
        first_then_second(hall)
        asyncio.run(write_something_else(hall, nats))  # which concerns nobody
        hall["one"].apply(cameras_yaml(CAMERAS + 1))
        hall.until(lambda: hall.status(f"camera_{CAMERAS}") == b"online", "the new camera", 60)
        for node in hall.nodes.values():
            hall.until(lambda node=node: "starting again" in node.log, "it knows it")
        hall.until(lambda: "node one is there" in hall["two"].log.split("starting again")[-1], "the last is back", 60)
        assert len(hall.owners()) == CAMERAS + 1
        assert [node.log.count("starting again") for node in hall.nodes.values()] == [1, 1]
        assert at(hall["one"].log, "starting again") < at(hall["two"].log, "starting again")
        assert not [each for each in hall.ears.of("/status") if each.payload == b"offline"]


def test_what_a_node_saw_that_was_killed_is_known_by_the_other(
    tmp_path: Path, nats: NatsServer, broker: Broker
) -> None:
    with site(tmp_path, "past", nats, broker) as hall:
        # the leader, who answers what is asked of the site as a whole
        dead, left = leader_first(hall)
        of_dead = hall.held(dead.name)
        for camera in of_dead:
            hall.until(
                lambda camera=camera: [
                    each for each in hall.ears.of(f"{camera}/event") if content(each)["phase"] == "ended"
                ],
                f"an event of {camera} that ended",
            )
        before = {camera: {content(each)["id"] for each in hall.ears.of(f"{camera}/event")} for camera in of_dead}
        hall.until(
            lambda: listed(hall) >= {event for ids in before.values() for event in ids},
            "the leader knows what both saw",
        )
        now = {"question": "Who is there right now?"}
        hall.until(lambda: "offline" not in answers(hall, now)[0]["text"], "what the other sees now is known")
        dead.signal(signal.SIGKILL)
        dead.wait()
        hall.until(lambda: hall.held(left.name) == set(hall.owners()), "the other has all")
        hall.until(lambda: "speaks for the site" in left.log, "the new leader")
        for camera in of_dead:
            hall.until(lambda camera=camera: f"{camera}: watching" in left.log, "it watches it")
            assert listed(hall, camera=camera) >= before[camera]
        assert listed(hall) >= {event for ids in before.values() for event in ids}
        # somebody was there when it was killed; nobody can say when that ended, and it is not still so
        hall.until(
            lambda: all(
                each["ended"]
                for camera in of_dead
                for each in answers(hall, {"do": "events", "camera": camera, "limit": 200})[0]["events"]
                if each["id"] in before[camera]
            ),
            "what was left open is ended",
        )
        people = {"question": "How many people came in the last hour?"}
        (asked,) = answers(hall, people)
        assert asked["count"] >= sum(map(len, before.values())), asked
        (told,) = answers(hall, {"do": "events", "since": time.time() - 3600, "limit": 200})
        assert not [gap for gap in told.get("gaps") or () if gap["camera"] in of_dead and gap["until"] > 0], told[
            "gaps"
        ]


def listed(hall: Site, **which: Any) -> set[str]:
    """The ids of the events that the site answers with."""
    (reply,) = answers(hall, {"do": "events", "limit": 200, **which})
    return {each["id"] for each in reply.get("events") or ()}
