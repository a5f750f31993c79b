"""The WebSocket commands of the cards: cameras, pages of the timeline over all nodes, and what is new."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from aiohttp import web
from homeassistant.config_entries import SOURCE_REAUTH
from patience import PATIENCE
from pytest_homeassistant_custom_component.common import async_fire_mqtt_message
from stage import JPEG, NODE, announce, entry_of, golden, jpeg_of, publish, set_up

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
SHED = announce(
    id="shed",
    name="Shed",
    cameras=[{"id": "path", "name": "Garden path", "labels": ["person", "animal"], "zones": ["gate", "porch"]}],
)


def happened(number: int, camera="front_door", label="person", zones=("porch",), **more) -> dict:
    """An event that began `number` minutes after noon."""
    started = NOON + timedelta(minutes=number)
    ended = started + timedelta(seconds=20)
    return {
        **golden("event-ended"), "id": f"{camera}-{number}", "camera": camera, "event_type": label, "label": label,
        "zones": list(zones), "started": started.isoformat(), "ended": ended.isoformat(), "summary": None, **more,
    }  # fmt: skip


@pytest.fixture
def nodes(hass, mqtt_client_mock):
    """Nodes that keep what happened and answer `events` as the contract says; `refuse` by node makes them refuse."""
    kept, rings, asked, refuse = {NODE: [], "shed": []}, {NODE: [], "shed": []}, [], set()
    publish = mqtt_client_mock.publish.side_effect

    def fits(event, request):
        return (
            within(event["started"], event, request)
            and request.get("label") in (None, event["label"])
            and (request.get("zone") is None or request["zone"] in event["zones"])
        )

    def within(time, record, request):
        until = request.get("until")
        return request.get("camera") in (None, record["camera"]) and (
            until is None or datetime.fromisoformat(time) < datetime.fromisoformat(until)
        )

    def passed_on(topic, payload, qos, retain, properties=None):
        done = publish(topic, payload, qos, retain, properties)
        if topic.endswith("/ask"):
            node, request = topic.split("/")[1], json.loads(payload)
            asked.append({"node": node, **{key: request[key] for key in request if key in QUERY}})
            found = sorted(filter(lambda event: fits(event, request), kept[node]), key=lambda e: e["started"])
            events = found[::-1][: request.get("limit")]
            reported = [ring for ring in rings[node] if within(ring["time"], ring, request)]
            reported = reported[::-1][: request.get("limit")]
            content = {"events": events, "rings": reported, "gaps": [], "correlation": request["correlation"]}
            reply = {**golden("reply-events"), **content}
            if node in refuse:
                reply = {**golden("reply-refused"), "correlation": request["correlation"]}
            hass.loop.call_soon(async_fire_mqtt_message, hass, request["response_topic"], json.dumps(reply))
        return done

    mqtt_client_mock.publish.side_effect = passed_on
    return SimpleNamespace(kept=kept, rings=rings, asked=asked, refuse=refuse)


QUERY = ("camera", "label", "zone", "until", "limit")


async def set_up_shed(hass):
    """The other node, online."""
    entry = await set_up(hass, entry_of(SHED), online=False)
    await publish(hass, "status", "online", retain=True, base="blikk/shed")
    await publish(hass, "path/status", "online", retain=True, base="blikk/shed")
    return entry


@pytest.fixture
async def link(hass_ws_client, hass):
    """The WebSocket of a browser; `ask(type, ...)` gives the result, `push()` the next message of a subscription."""
    opened = []

    async def ask(command, **fields):
        if not opened:  # the addresses of the component are to be there before
            opened.append(await hass_ws_client(hass))
        await opened[0].send_json_auto_id({"type": command, **fields})
        answer = await opened[0].receive_json()
        return answer["result"] if answer["success"] else answer["error"]

    async def push():
        async with asyncio.timeout(10 * PATIENCE):
            return (await opened[0].receive_json())["event"]

    return SimpleNamespace(ask=ask, push=push)


def ids(page):
    return [event["id"] for event in page["events"]]


# ---- cameras


async def test_the_cameras_of_all_nodes_are_reported_with_their_labels_and_zones(hass, mqtt_mock, link):
    await set_up(hass)
    await set_up_shed(hass)
    front, yard, path = (await link.ask("blikk/cameras"))["cameras"]
    assert front == {
        "entity_id": "camera.front_door", "name": "Front door", "node": "Porch Pi",
        "labels": ["person", "package", "ring"],
        "zones": ["porch", "path"], "online": True,
        "live": True, "page": None,
    }  # fmt: skip
    assert (yard["entity_id"], path["entity_id"], path["node"]) == ("camera.yard", "camera.path", "Shed")


async def test_an_entry_that_was_removed_has_no_cameras(hass, mqtt_mock, link):
    entry = await set_up(hass)
    await hass.config_entries.async_remove(entry.entry_id)
    await hass.async_block_till_done()
    assert (await link.ask("blikk/cameras"))["cameras"] == []
    assert await link.ask("blikk/timeline") == {"events": [], "before": None, "missing": []}


# ---- pages


async def test_a_page_reports_what_happened_newest_first(hass, mqtt_mock, nodes, link):
    await set_up(hass)
    nodes.kept[NODE] = [happened(1), happened(2, summary=golden("summary"), loitering=True)]
    page = await link.ask("blikk/timeline")
    assert ids(page) == ["front_door-2", "front_door-1"]
    assert page["events"][0] == {
        "id": "front_door-2", "camera": "camera.front_door", "name": "Front door", "label": "person",
        "loitering": True, "taken": False, "interrupted": False, "peak": 2, "zones": ["porch"], "pictures": [],
        "mark": None,
        "started": "2026-11-21T12:02:00.000+00:00", "ended": "2026-11-21T12:02:20.000+00:00",
        "title": "Two people at the front door", "importance": "high", "source": "llm",
        "text": "Two people came up the path, stood at the porch for 20 seconds and left.",
    }  # fmt: skip
    assert (page["before"], page["missing"]) == (None, [])
    assert len(nodes.asked) == 1


async def test_a_parcel_that_was_taken_is_shown_as_taken(hass, mqtt_mock, nodes, link):
    await set_up(hass)
    nodes.kept[NODE] = [happened(1, label="package"), happened(2, label="package", event_type="package_taken")]
    page = await link.ask("blikk/timeline")
    assert [(event["label"], event["taken"]) for event in page["events"]] == [("package", True), ("package", False)]


async def test_pages_of_two_nodes_join_without_a_gap_or_a_repetition(hass, mqtt_mock, nodes, link):
    await set_up(hass)
    await set_up_shed(hass)
    # of each minute one, of every tenth minute two at once: front door and yard
    nodes.kept[NODE] = [happened(n) for n in range(0, 60, 2)] + [
        happened(n, "yard", "animal") for n in range(0, 60, 10)
    ]
    nodes.kept["shed"] = [happened(n, "path") for n in range(1, 60, 2)]
    everything = sorted(nodes.kept[NODE] + nodes.kept["shed"], key=lambda e: (e["started"], e["id"]), reverse=True)
    seen, before = [], {}
    while True:
        page = await link.ask("blikk/timeline", limit=7, **before)
        seen += ids(page)
        assert len(page["events"]) == 7 or page["before"] is None
        if page["before"] is None:
            break
        before = {"before": page["before"]}
    assert seen == [event["id"] for event in everything]


async def test_a_node_is_asked_for_exactly_what_is_wanted(hass, mqtt_mock, nodes, link):
    await set_up(hass)
    await set_up_shed(hass)
    nodes.kept[NODE] = [
        happened(1),
        happened(2, label="package"),
        happened(3, zones=["path"]),
        happened(4, "yard", "vehicle"),
    ]
    nodes.kept["shed"] = [happened(5, "path", "animal", ["gate"]), happened(6, "path", zones=["gate", "porch"])]
    assert ids(await link.ask("blikk/timeline", labels=["package", "animal"])) == ["path-5", "front_door-2"]
    assert ids(
        await link.ask("blikk/timeline", cameras=["camera.yard", "camera.path"], labels=["vehicle", "animal"])
    ) == [
        "path-5",
        "yard-4",
    ]
    nodes.asked.clear()
    assert ids(await link.ask("blikk/timeline", zones=["gate", "porch"], labels=["person"])) == [
        "path-6",
        "front_door-1",
    ]
    assert {(each["node"], each.get("zone")) for each in nodes.asked} == {
        (NODE, "porch"),
        ("shed", "gate"),
        ("shed", "porch"),
    }
    assert await link.ask("blikk/timeline", cameras=["camera.gone"]) == {"events": [], "before": None, "missing": []}


def pressed(number: int, camera="front_door") -> dict:
    """The doorbell, `number` minutes and a second after noon."""
    time = (NOON + timedelta(minutes=number, seconds=1)).isoformat()
    return {**golden("ring"), "id": f"ring-{number}", "camera": camera, "time": time}


async def test_rings_stand_among_the_events_in_pages_of_their_own_or_by_themselves(hass, mqtt_mock, nodes, link):
    await set_up(hass)
    nodes.kept[NODE] = [happened(n) for n in range(0, 40, 2)]
    nodes.rings[NODE] = [pressed(n) for n in range(1, 40, 2)]
    first = await link.ask("blikk/timeline", limit=15)
    assert ids(first)[:3] == ["ring-39", "front_door-38", "ring-37"]
    assert first["events"][0] | {"name": ""} == {
        "id": "ring-39", "camera": "camera.front_door", "name": "", "label": "ring", "loitering": False,
        "taken": False, "interrupted": False, "peak": None, "zones": [], "pictures": [], "mark": None, "title": None,
        "text": None,
        "importance": None, "source": None,
        "started": "2026-11-21T12:39:01.000+00:00", "ended": "2026-11-21T12:39:01.000+00:00",
    }  # fmt: skip
    rest = await link.ask("blikk/timeline", limit=100, before=first["before"])
    assert len(set(ids(first) + ids(rest))) == len(ids(first) + ids(rest)) == 40
    only = await link.ask("blikk/timeline", labels=["ring"], limit=3)
    assert ids(only) == ["ring-39", "ring-37", "ring-35"]
    assert only["before"]
    both = await link.ask("blikk/timeline", labels=["ring", "person"], limit=3)
    assert ids(both) == ["ring-39", "front_door-38", "ring-37"]
    assert "ring-39" not in ids(await link.ask("blikk/timeline", labels=["person"]))
    assert ids(await link.ask("blikk/timeline", labels=["ring"], zones=["porch"])) == []
    assert ids(await link.ask("blikk/timeline", labels=["ring"], cameras=["camera.yard"])) == []


async def test_a_time_is_a_place_in_the_timeline(hass, mqtt_mock, nodes, link):
    await set_up(hass)
    nodes.kept[NODE] = [happened(n) for n in range(9)]
    page = await link.ask("blikk/timeline", before="2026-11-21T13:05:00+01:00", limit=2)
    assert ids(page) == ["front_door-4", "front_door-3"]
    assert (await link.ask("blikk/timeline", before="yesterday"))["code"] == "invalid_format"


async def test_a_node_that_is_away_hides_no_other_ones_events(hass, mqtt_mock, nodes, link):
    await set_up(hass)
    await set_up_shed(hass)
    nodes.kept["shed"] = [happened(1, "path")]
    await publish(hass, "status", "offline")
    page = await link.ask("blikk/timeline")
    assert ids(page) == ["path-1"]
    assert page["missing"] == [{"node": "Porch Pi", "reason": "node_offline"}]


@pytest.mark.parametrize("capabilities", [["ask"], []])
async def test_a_node_that_refuses_or_cannot_tell_the_past_is_named(hass, mqtt_mock, nodes, link, capabilities):
    await set_up(hass, entry_of(announce(capabilities=capabilities)))
    nodes.refuse.add(NODE)
    reason = "refused" if capabilities else "cannot_answer"
    assert (await link.ask("blikk/timeline"))["missing"] == [{"node": "Porch Pi", "reason": reason}]


async def test_what_an_ai_task_wrote_is_reported_instead_of_the_nodes_own(hass, mqtt_mock, nodes, link):
    entry = await set_up(hass)
    nodes.kept[NODE] = [happened(1, summary=golden("summary"))]
    own = {**golden("summary"), "event": "front_door-1", "title": "The postman", "source": "ai_task"}
    await publish(hass, "front_door/summary", own)
    assert entry.runtime_data.camera("front_door").summary.title == "The postman"
    assert (await link.ask("blikk/timeline"))["events"][0]["title"] == "The postman"


async def test_a_user_sees_only_cameras_that_are_hers(hass, mqtt_mock, nodes, link, hass_admin_user):
    await set_up(hass)
    nodes.kept[NODE] = [happened(1), happened(2, "yard", "vehicle")]
    hass_admin_user.groups = []
    hass_admin_user.mock_policy({"entities": {"entity_ids": {"camera.yard": {"read": True}}}})
    assert [camera["name"] for camera in (await link.ask("blikk/cameras"))["cameras"]] == ["Yard"]
    assert ids(await link.ask("blikk/timeline")) == ["yard-2"]
    assert ids(await link.ask("blikk/timeline", cameras=["camera.front_door"])) == []


# ---- pictures


PICTURES = {
    "/v1/events": {
        "events": [
            {
                "id": "front_door-1",
                "pictures": [{"id": "p2", "name": "ring"}, {"id": "p1", "name": "person"}, {"id": "../x"}],
            },
        ]
    }
}


@pytest.fixture
async def api(socket_enabled, aiohttp_server):
    """A node's picture API that keeps what it was asked; `status` other than 200 makes it fail."""
    reported = SimpleNamespace(asked=[], status=200, url="")

    async def handle(request):
        reported.asked.append(request.path_qs)
        if request.path.startswith("/v1/pictures/"):
            return web.Response(body=JPEG)
        return web.json_response(PICTURES.get(request.path, {}), status=reported.status)

    app = web.Application()
    app.router.add_get("/{path:.*}", handle)
    server = await aiohttp_server(app, host="127.0.0.1")
    reported.url = str(server.make_url("/")).rstrip("/")
    return reported


async def test_pictures_of_a_page_are_asked_for_at_once_and_signed(
    hass, mqtt_mock, nodes, api, link, hass_client_no_auth
):
    entry = await set_up(hass, entry_of(announce(urls={"media": api.url}), data={"token": "t"}))
    nodes.kept[NODE] = [happened(1), happened(2)]
    newer, older = (await link.ask("blikk/timeline"))["events"]
    assert newer["pictures"] == []
    assert [path.split("?")[0].rsplit("/")[-1] for path in older["pictures"]] == ["p1", "p2"]  # that of the label first
    (asked,) = api.asked
    assert "camera=front_door" in asked
    assert "label=person" in asked
    assert "since=2026-11-21T12:00:59.999" in asked  # what is reported is rounded
    assert "until=2026-11-21T12:02:00.001" in asked
    client = await hass_client_no_auth()
    picture = await client.get(older["pictures"][0])
    assert await picture.read() == JPEG
    assert (await client.get(f"/api/blikk/{entry.entry_id}/pictures/p1")).status == 401


async def test_events_are_reported_without_pictures_where_these_cannot_be_had(hass, mqtt_mock, nodes, api, link):
    entry = await set_up(hass, entry_of(announce(urls={"media": api.url}), data={"token": "t"}))
    nodes.kept[NODE] = [happened(1)]
    for api.status in (500, 401):
        assert (await link.ask("blikk/timeline"))["events"][0]["pictures"] == []
    (flow,) = entry.async_get_active_flows(hass, {SOURCE_REAUTH})
    assert flow["context"]["entry_id"] == entry.entry_id


# ---- what is new


async def subscribed(link, **wanted):
    """Subscribe; returns the cameras that are reported first."""
    await link.ask("blikk/timeline/subscribe", **wanted)
    return (await link.push())["cameras"]


async def test_an_event_and_the_text_about_it_are_reported_as_they_come(hass, mqtt_mock, link):
    await set_up(hass)
    assert [camera["entity_id"] for camera in await subscribed(link)] == ["camera.front_door", "camera.yard"]
    await publish(hass, "front_door/event", golden("event-started"))
    event = (await link.push())["event"]
    assert (event["id"], event["ended"], event["title"]) == ("front_door-1795262400250", None, None)
    await publish(hass, "front_door/summary", golden("summary"))
    assert await link.push() == {
        "text": {
            "id": "front_door-1795262400250", "title": "Two people at the front door", "importance": "high",
            "source": "llm", "text": "Two people came up the path, stood at the porch for 20 seconds and left.",
        }
    }  # fmt: skip
    await publish(hass, "front_door/event", golden("event-ended"))
    event = (await link.push())["event"]
    assert (event["ended"], event["title"]) == ("2026-11-21T12:01:15.750+00:00", "Two people at the front door")


async def test_the_picture_of_an_event_is_reported_when_it_comes_and_again_when_it_is_replaced(
    hass, mqtt_mock, nodes, link, hass_client_no_auth
):
    await set_up(hass)
    await subscribed(link, cameras=["camera.front_door"])
    event = golden("event-started")
    await publish(hass, "front_door/event", event)
    assert (await link.push())["event"]["pictures"] == []
    await publish(hass, "front_door/picture/person", jpeg_of("another"))
    assert await link.push() == {"still": "camera.front_door"}
    seen = []
    for more in (b"", b"better"):
        await publish(hass, "front_door/picture/person", jpeg_of(event["id"], more))
        assert "still" in await link.push()
        seen += (await link.push())["event"]["pictures"]
    first, second = seen
    assert first.split("authSig")[0] != second.split("authSig")[0]
    await publish(hass, "front_door/picture/snapshot", JPEG)  # of nothing in particular
    answer = await (await hass_client_no_auth()).get(second)
    assert await answer.read() == jpeg_of(event["id"], b"better")
    await publish(hass, "front_door/picture/snapshot", JPEG)
    await publish(hass, "front_door/event", golden("event-ended"))
    assert [key for _ in range(3) for key in await link.push()] == ["still", "still", "event"]
    nodes.kept[NODE] = [happened(1, id=event["id"])]
    (kept,) = (await link.ask("blikk/timeline"))["events"]
    assert kept["pictures"][0].split("authSig")[0] == second.split("authSig")[0]


async def test_a_ring_is_reported_at_once_and_its_picture_when_it_comes(hass, mqtt_mock, link):
    await set_up(hass)
    await subscribed(link, labels=["ring"])
    await publish(hass, "front_door/event", golden("event-started"))
    await publish(hass, "front_door/ring", golden("ring"))
    ring = (await link.push())["event"]
    assert (ring["id"], ring["label"], ring["pictures"]) == ("front_door-ring-1795262400250", "ring", [])
    await publish(hass, "front_door/picture/ring", jpeg_of(ring["id"]))
    assert "still" in await link.push()
    assert len((await link.push())["event"]["pictures"]) == 1


async def test_only_what_is_wanted_is_reported(hass, mqtt_mock, link):
    await set_up(hass)
    assert len(await subscribed(link, cameras=["camera.front_door"], labels=["package"], zones=["path"])) == 1
    await publish(hass, "yard/event", {**golden("event-started"), "label": "package", "zones": ["path"]})
    await publish(hass, "front_door/event", {**golden("event-started"), "zones": ["path"]})
    await publish(hass, "front_door/event", {**golden("event-started"), "id": "e2", "label": "package"})
    await publish(
        hass, "front_door/event", {**golden("event-started"), "id": "e3", "label": "package", "zones": ["path"]}
    )
    assert (await link.push())["event"]["id"] == "e3"


async def test_a_new_picture_and_what_was_forgotten_are_reported(hass, mqtt_mock, link):
    entry = await set_up(hass)
    await subscribed(link, cameras=["camera.front_door"])
    await publish(hass, "front_door/picture/person", JPEG)
    assert await link.push() == {"still": "camera.front_door"}
    entry.runtime_data.forget_pictures("front_door")
    assert await link.push() == {"forgotten": True}
    await publish(hass, "front_door/picture/person", b"")
    assert [await link.push(), await link.push()] == [{"forgotten": True}, {"still": "camera.front_door"}]


async def test_a_camera_that_goes_comes_back_or_is_new_is_reported_once(hass, mqtt_mock, link):
    await set_up(hass)
    await subscribed(link)
    await publish(hass, "status", "offline")
    assert [camera["online"] for camera in (await link.push())["cameras"]] == [False, False]
    await publish(hass, "status", "online")
    assert [camera["online"] for camera in (await link.push())["cameras"]] == [True, True]
    third = {"id": "gate", "name": "Gate", "labels": ["person"]}
    await publish(hass, "announce", announce(cameras=[*announce()["cameras"], third]))
    assert [camera["name"] for camera in (await link.push())["cameras"]] == ["Front door", "Yard", "Gate"]
    await publish(hass, "gate/event", {**golden("event-started"), "camera": "gate"})
    assert (await link.push())["event"]["camera"] == "camera.gate"


async def test_a_subscription_outlives_a_reload_and_the_removal_of_an_entry(hass, mqtt_mock, link):
    entry = await set_up(hass)
    shed = await set_up_shed(hass)
    await subscribed(link)
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    assert [camera["node"] for camera in (await link.push())["cameras"]] == ["Shed"]
    assert len((await link.push())["cameras"]) == 3
    await publish(hass, "status", "online")
    await publish(hass, "yard/status", "online")
    assert [camera["online"] for camera in (await link.push())["cameras"]] == [False, True, True]
    await publish(hass, "front_door/event", golden("event-started"))
    assert (await link.push())["event"]["camera"] == "camera.front_door"
    await hass.config_entries.async_remove(shed.entry_id)
    await hass.async_block_till_done()
    assert [camera["node"] for camera in (await link.push())["cameras"]] == ["Porch Pi", "Porch Pi"]


async def test_a_closed_browser_leaves_nothing_behind(hass, mqtt_mock, link):
    entry = await set_up(hass)

    def listeners():
        return sum(map(len, entry.runtime_data._listeners.values()))

    before = listeners()
    await subscribed(link)
    assert listeners() > before
    await link.ask("unsubscribe_events", subscription=1)
    assert listeners() == before
