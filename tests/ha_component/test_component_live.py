"""The live view through the component, against an HTTP server that speaks as a node does."""

import asyncio
import json
from base64 import b64decode
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from homeassistant.config_entries import SOURCE_REAUTH
from homeassistant.setup import async_setup_component
from patience import PATIENCE
from stage import DOMAIN, JPEG, announce, entry_of, publish, set_up

from custom_components.blikk import camera as camera_platform
from custom_components.blikk import live as live_module
from custom_components.blikk import reader
from custom_components.blikk.media import media_url

TOKEN = "the-token"
STREAM = "/api/camera_proxy_stream/camera.front_door"
TRACK = {"id": 3, "label": "person", "score": 0.9, "box": [0.1, 0.2, 0.3, 0.9], "zones": ["porch"]}


def content(**more):
    """What a node says of a frame."""
    picture = {"width": 640, "height": 480, "faces": 1, "heads": 0, "persons": 0}
    return {"camera": "front_door", "tracks": [TRACK], "picture": picture, "problem": None, **more}


def picture(number):
    """A JPEG that says which it is."""
    return JPEG[:-2] + f" number {number}".encode() + JPEG[-2:]


class Node:
    """A node's live view on loopback; the test says what is sent, to all who are connected."""

    def __init__(self):
        self.sockets, self.asked, self.token = [], [], TOKEN

    async def handle(self, request):
        self.asked.append(request.path)
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return web.json_response({"error": "token"}, status=401)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets.append(socket)
        async for _ in socket:
            pass
        self.sockets.remove(socket)
        return socket

    async def show(self, number, **more):
        """A frame, as text and picture."""
        await self.until(lambda: self.sockets)
        for socket in list(self.sockets):
            told = content(**more)
            await socket.send_str(json.dumps(told))
            if told["picture"]:
                await socket.send_bytes(picture(number))

    async def until(self, state):
        async with asyncio.timeout(20 * PATIENCE):
            while not state():
                await asyncio.sleep(0.01)


@pytest.fixture
async def node(socket_enabled):
    made = Node()
    app = web.Application()
    app.router.add_get("/v1/cameras/{camera}/live", made.handle)
    server = TestServer(app, host="127.0.0.1")
    await server.start_server()
    made.url = str(server.make_url("/")).rstrip("/")
    made.server = server
    yield made
    await server.close()


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    """Whoever could not connect tries again soon."""
    monkeypatch.setattr(live_module, "AGAIN_S", (0.05,))
    monkeypatch.setattr(camera_platform, "LOOK_S", 0.05)


@pytest.fixture
async def entry(hass, mqtt_mock, node):
    """A node that announces its live view, set up with its token."""
    assert await async_setup_component(hass, "camera", {})
    return await set_up(hass, entry_of(announce(urls={"http": node.url}), data={"token": TOKEN}))


class Viewer:
    """Who watches an MJPEG stream."""

    def __init__(self, answer):
        self.answer = answer
        self.boundary = answer.content_type and answer.headers["Content-Type"].split("boundary=")[1].encode()

    async def frame(self):
        """The next picture, once it is shown: at the boundary after it."""
        async with asyncio.timeout(20 * PATIENCE):
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += await self.answer.content.readexactly(1)
            length = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
            jpeg = await self.answer.content.readexactly(length)
            assert await self.answer.content.readexactly(len(self.boundary) + 6) == b"\r\n--" + self.boundary + b"\r\n"
            return jpeg


@asynccontextmanager
async def watching(hass_client):
    client = await hass_client()
    async with client.get(STREAM) as answer:
        assert answer.status == 200
        yield Viewer(answer)


async def test_frames_of_the_node_come_through_home_assistant(hass, entry, node, hass_client):
    showing = hass.async_create_task(node.show(1))
    async with watching(hass_client) as viewer:
        assert await viewer.frame() == picture(1)
        await node.show(2)
        assert await viewer.frame() == picture(2)
        assert node.asked == ["/v1/cameras/front_door/live"]
    await showing


async def test_two_viewers_share_one_connection_which_ends_with_the_last(hass, entry, node, hass_client):
    live = entry.runtime_data.live
    showing = hass.async_create_task(node.show(1))
    async with watching(hass_client) as first:
        await first.frame()
        async with watching(hass_client) as second:
            assert await second.frame() == picture(1)
            assert live.viewers("front_door") == 2
            await node.show(2)
            assert (await first.frame(), await second.frame()) == (picture(2), picture(2))
            assert len(node.sockets) == 1
        await node.until(lambda: live.viewers("front_door") == 1)
        assert len(node.sockets) == 1
    await node.until(lambda: not node.sockets)
    assert live.viewers("front_door") == 0
    assert len(node.asked) == 1
    await showing


async def test_where_the_blur_fails_the_last_frame_does_not_stay(hass, entry, node, hass_client):
    showing = hass.async_create_task(node.show(1))
    async with watching(hass_client) as viewer:
        await viewer.frame()
        await node.show(2, picture=None, problem="no face detector")
        blank = await viewer.frame()
        assert blank == camera_platform.empty(640, 480)
        await node.show(3)
        assert await viewer.frame() == picture(3)
    await showing


async def test_a_camera_that_gives_no_frames_shows_no_old_one(hass, entry, node, hass_client, monkeypatch):
    monkeypatch.setattr(live_module, "LATE_S", 0.2)
    showing = hass.async_create_task(node.show(1))
    async with watching(hass_client) as viewer:
        frames = [await viewer.frame()]
        while frames[-1] != camera_platform.empty(640, 480):
            frames.append(await viewer.frame())
    await showing


async def test_a_node_that_restarts_is_found_again(hass, entry, node, hass_client):
    showing = hass.async_create_task(node.show(1))
    async with watching(hass_client) as viewer:
        await viewer.frame()
        for socket in list(node.sockets):
            await socket.close()
        assert await viewer.frame() == camera_platform.empty(640, 480)
        await node.until(lambda: len(node.asked) >= 2 and node.sockets)
        await node.show(2)
        while (shown := await viewer.frame()) == camera_platform.empty(640, 480):
            pass
        assert shown == picture(2)
    await showing


async def test_a_wrong_token_is_asked_for_and_stills_are_shown(hass, entry, node, hass_client):
    node.token = "another"
    await publish(hass, "front_door/picture/snapshot", JPEG)
    async with watching_stills(hass_client) as answer:
        assert JPEG in await answer.content.readuntil(b"\xff\xd9")
    flows = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    assert [flow["context"]["source"] for flow in flows] == [SOURCE_REAUTH]


@asynccontextmanager
async def watching_stills(hass_client):
    client = await hass_client()
    async with client.get(STREAM) as answer:
        assert "frameboundary" in answer.headers["Content-Type"]
        yield answer


@pytest.mark.parametrize(
    "changes",
    [
        {"urls": {}},  # a node of before
        {"capabilities": ["event"]},
        {"urls": {"http": "http://127.0.0.1:9"}},  # that is not there
        {"urls": {"http": "ftp://127.0.0.1"}},
        {"urls": {"http": "http://["}},
    ],
    ids=["old", "no live view", "unreachable", "no web address", "no address"],
)
async def test_without_a_live_view_the_stills_are_shown_as_before(
    hass, mqtt_mock, socket_enabled, hass_client, changes
):
    assert await async_setup_component(hass, "camera", {})
    await set_up(hass, entry_of(announce(**changes), data={"token": TOKEN}))
    await publish(hass, "front_door/picture/snapshot", JPEG)
    async with watching_stills(hass_client) as answer:
        assert JPEG in await answer.content.readuntil(b"\xff\xd9")


async def test_an_entry_that_is_unloaded_ends_its_streams(hass, entry, node, hass_client):
    showing = hass.async_create_task(node.show(1))
    async with watching(hass_client) as viewer:
        await viewer.frame()
        assert await hass.config_entries.async_unload(entry.entry_id)
        async with asyncio.timeout(20 * PATIENCE):
            await viewer.answer.content.read()
    await node.until(lambda: not node.sockets)
    await showing


# ---- over Home Assistant's WebSocket, for cards


@pytest.fixture
async def card(hass, entry, hass_ws_client):
    """A card's connection."""
    return await hass_ws_client(hass)


async def told(card):
    async with asyncio.timeout(20 * PATIENCE):
        message = await card.receive_json()
    assert message["type"] == "event", message
    assert message["event"].pop("subscription") == 5
    return message["event"]


async def begin(card):
    await card.send_json({"id": 5, "type": "blikk/live", "entity_id": "camera.front_door"})
    assert (await card.receive_json())["success"]
    assert await told(card) == {"trouble": "waiting", "problem": None}


async def test_a_card_is_sent_frames_with_what_was_found_in_them(hass, card, node):
    await begin(card)
    tracks = [TRACK, {**TRACK, "box": [0, 0, 7, 1]}, {"label": "person"}, None, {**TRACK, "box": "x"}]
    await node.show(1, tracks=tracks)
    frame = await told(card)
    assert b64decode(frame["jpeg"]) == picture(1)
    assert frame["tracks"] == [{"label": "person", "score": 0.9, "box": [0.1, 0.2, 0.3, 0.9]}]


async def test_a_card_that_takes_nothing_is_sent_no_more_than_two(hass, card, node, entry):
    await begin(card)
    live = entry.runtime_data.live._cameras["front_door"]
    await node.show(1)
    assert b64decode((await told(card))["jpeg"]) == picture(1)
    for number in range(2, 6):
        await node.show(number)
    await node.until(lambda: live._newest.jpeg == picture(5))
    await card.send_json({"id": 6, "type": "blikk/live/taken", "subscription": 5})
    answers = {(await card.receive_json())["type"] for _ in range(2)}
    assert answers == {"result", "event"}  # the newest; what came between was left out
    await card.send_json({"id": 7, "type": "ping"})
    assert (await card.receive_json())["type"] == "pong"


async def test_a_card_is_told_why_there_is_no_picture(card, node, entry):
    await begin(card)
    await node.show(1, picture=None, problem="no face detector")
    assert await told(card) == {"trouble": "blind", "problem": "no face detector"}
    await card.send_json({"id": 6, "type": "blikk/live/taken", "subscription": 5})
    assert (await card.receive_json())["type"] == "result"
    entry.runtime_data.live.stop()
    assert await told(card) == {"trouble": "ended", "problem": None}


async def test_a_card_that_goes_ends_the_connection_to_the_node(hass, card, node, entry):
    await begin(card)
    await card.send_json({"id": 6, "type": "unsubscribe_events", "subscription": 5})
    assert (await card.receive_json())["success"]
    await node.until(lambda: not node.sockets)
    assert entry.runtime_data.live.viewers("front_door") == 0


async def test_a_camera_that_may_not_be_looked_at_is_none(hass, entry, hass_ws_client, hass_admin_user):
    hass_admin_user.groups = []
    hass_admin_user.mock_policy({})
    card = await hass_ws_client(hass)
    await card.send_json({"id": 5, "type": "blikk/live", "entity_id": "camera.front_door"})
    assert (await card.receive_json())["error"]["code"] == "not_found"


async def test_what_is_not_what_a_node_sends_is_no_frame(hass, card, node, entry):
    await begin(card)
    (socket,) = node.sockets
    await socket.send_str("[]")
    assert (await told(card))["trouble"] == "unreachable"


# ---- where the node's own pages are


@pytest.mark.parametrize(
    ("http", "data", "page"),
    [
        ("http://127.0.0.1:8428", {}, None),
        ("http://[::1]:8428", {}, None),
        ("http://localhost:8428", {}, None),
        ("https://porch.local:8428/", {}, "https://porch.local:8428/#/timeline?camera=front_door"),
        ("http://127.0.0.1:8428", {"media_url": "https://10.0.0.9"}, "https://10.0.0.9/#/timeline?camera=front_door"),
        ("http://b1234-blikk:8428", {"app": "b1234_blikk"}, "/app/b1234_blikk"),
    ],
)
async def test_the_page_of_the_node_is_one_that_a_browser_can_open(hass, mqtt_mock, hass_ws_client, http, data, page):
    await set_up(hass, entry_of(announce(urls={"http": http}), data=data))
    card = await hass_ws_client(hass)
    await card.send_json({"id": 5, "type": "blikk/cameras"})
    cameras = (await card.receive_json())["result"]["cameras"]
    assert [(camera["live"], camera["page"]) for camera in cameras][:1] == [(True, page)]


@pytest.mark.parametrize(("pictures", "url"), [(True, "https://10.0.0.9"), (False, None)])
def test_a_node_with_a_live_view_alone_is_not_asked_for_pictures(pictures, url):
    content = announce(capabilities=["live", *(["media"] if pictures else [])], urls={"http": "https://10.0.0.9"})
    assert media_url(reader.announce_of(content), {"media_url": "https://10.0.0.9"}) == url


async def test_a_node_without_pages_has_none(hass, mqtt_mock, hass_ws_client):
    await set_up(hass, entry_of(announce(urls={}), data={"app": "b1234_blikk"}))
    card = await hass_ws_client(hass)
    await card.send_json({"id": 5, "type": "blikk/cameras"})
    cameras = (await card.receive_json())["result"]["cameras"]
    assert {(camera["live"], camera["page"]) for camera in cameras} == {(False, None)}
