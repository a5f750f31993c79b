"""The media browser and the pictures behind it, against an HTTP server that speaks `contract/media.md`."""

import contextlib
import json
import socket
import ssl
import threading
from types import SimpleNamespace

import aiohttp
import certifi
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from broker import make_expired
from homeassistant.components import media_source
from homeassistant.components.media_player.errors import BrowseError
from homeassistant.components.media_source import Unresolvable
from homeassistant.config_entries import SOURCE_REAUTH
from homeassistant.setup import async_setup_component
from stage import DOMAIN, JPEG, announce, entry_of, set_up

from custom_components.blikk import reader
from custom_components.blikk.media import MediaError, NodeMedia

TOKEN = "the-token"
PICTURE = "front_door.2026-11-21.20261121T120000250.person.front_door-1795262400250"


@pytest.fixture
async def api(socket_enabled):
    """A node's picture API on loopback; `answers` by path may be replaced."""
    picture = {"id": PICTURE, "camera": "front_door", "event": "e1", "name": "person", "time": "2026-11-21T12:00:00Z"}
    answers = {
        "/v1/days": {"v": 1, "days": [{"day": "2026-11-21", "camera": "front_door", "pictures": 2}, {"day": 7}, 7]},
        "/v1/pictures": {"v": 1, "pictures": [picture, {**picture, "id": "../../etc"}, {**picture, "time": "?"}, None]},
        f"/v1/pictures/{PICTURE}": JPEG,
    }
    asked, ranges = [], []

    async def handle(request):
        asked.append(request.path_qs)
        ranges.append(request.headers.get("Range"))
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.json_response({"error": "token"}, status=401)
        answer = answers.get(request.path)
        if answer is None:
            return web.json_response({"error": "gone"}, status=404)
        if isinstance(answer, int):
            return web.Response(status=answer)
        return web.Response(body=answer if isinstance(answer, bytes) else json.dumps(answer))

    app = web.Application()
    app.router.add_get("/{path:.*}", handle)
    server = TestServer(app, host="127.0.0.1")
    await server.start_server()
    yield SimpleNamespace(url=str(server.make_url("/")).rstrip("/"), answers=answers, asked=asked, ranges=ranges)
    await server.close()


@pytest.fixture
async def entry(hass, mqtt_mock, api, freezer):
    """A node that announces the API, set up with its token."""
    assert await async_setup_component(hass, "media_source", {})
    freezer.move_to("2026-11-24T20:00:00Z")
    return await set_up(hass, entry_of(announce(urls={"media": api.url}), data={"token": TOKEN}))


async def browse(hass, *words):
    return await media_source.async_browse_media(hass, f"media-source://{DOMAIN}" + "".join(f"/{w}" for w in words))


async def test_pictures_are_browsed_by_camera_and_day(hass, entry, api):
    root = await browse(hass)
    assert [child.title for child in root.children] == ["Front door", "Yard"]
    assert root.children[0].thumbnail.startswith("/api/camera_proxy/camera.front_door?token=")
    camera = await browse(hass, entry.entry_id, "front_door")
    ((title, thumbnail),) = [(child.title, child.thumbnail) for child in camera.children]
    assert (title, thumbnail) == ("Saturday, 21 November", f"/api/blikk/{entry.entry_id}/pictures/{PICTURE}")
    day = await browse(hass, entry.entry_id, "front_door", "2026-11-21")
    assert (day.title, [child.title for child in day.children]) == (
        "Front door, Saturday, 21 November",
        ["04:00 · A person", "A person"],
    )
    assert day.children[0].thumbnail == f"/api/blikk/{entry.entry_id}/pictures/{PICTURE}"
    assert day.children_media_class == "image"
    assert api.asked == [
        "/v1/pictures?camera=front_door&limit=500",
        "/v1/days?camera=front_door",
        "/v1/pictures?camera=front_door&day=2026-11-21&limit=500",
        "/v1/events?camera=front_door&until=2026-11-21T12:00:01%2B00:00&limit=200",
    ]


@pytest.mark.parametrize(
    ("language", "now", "titles"),
    [
        ("en", "2026-11-21", ["Today", "Front door, Today", "04:00 · A courier"]),
        ("de", "2026-11-22", ["Gestern", "Front door, Gestern", "04:00 · A courier"]),
        (
            "es-MX",
            "2026-11-25",
            ["sábado, 21 de noviembre", "Front door, sábado, 21 de noviembre", "04:00 · A courier"],
        ),
        (
            "en-GB",
            "2027-01-02",
            ["Saturday, 21 November 2026", "Front door, Saturday, 21 November 2026", "04:00 · A c"],
        ),
        ("fr", "2026-11-21", ["2026-11-21", "Front door, 2026-11-21", "04:00 · A courier"]),
    ],
)
async def test_days_and_pictures_are_called_as_one_says_it(hass, entry, api, freezer, language, now, titles):
    freezer.move_to(f"{now}T20:00:00Z")
    hass.config.language = language
    picture = {**api.answers["/v1/pictures"]["pictures"][0], "event": "e1"}
    event = {"id": "e1", "label": "person", "summary": {"title": "A courier", "text": ""}, "pictures": [picture]}
    api.answers["/v1/events"] = {"v": 1, "events": [event]}
    camera = await browse(hass, entry.entry_id, "front_door")
    day = await browse(hass, entry.entry_id, "front_door", "2026-11-21")
    shown = [camera.children[0].title, day.title, day.children[0].title]
    assert [title[: len(wanted)] for title, wanted in zip(shown, titles, strict=True)] == titles


async def test_a_language_we_have_not_says_what_the_node_says(hass, entry, api):
    hass.config.language = "fr"
    api.answers["/v1/events"] = {"v": 1, "events": []}
    day = await browse(hass, entry.entry_id, "front_door", "2026-11-21")
    assert [child.title for child in day.children] == ["04:00 · person", "person"]


async def test_a_picture_is_resolved_and_passed_on_byte_for_byte(hass, entry, hass_client, hass_client_no_auth):
    place = f"media-source://{DOMAIN}/{entry.entry_id}/front_door/2026-11-21/{PICTURE}"
    media = await media_source.async_resolve_media(hass, place, None)
    assert (media.url, media.mime_type) == (f"/api/blikk/{entry.entry_id}/pictures/{PICTURE}", "image/jpeg")
    answer = await (await hass_client()).get(media.url)
    assert (answer.status, await answer.read()) == (200, JPEG)
    assert answer.headers["Cache-Control"].startswith("private")
    assert (await (await hass_client_no_auth()).get(media.url)).status == 401


async def test_recordings_of_a_day_are_browsed_and_passed_on_whole_and_in_parts(
    hass, entry, api, hass_client, hass_client_no_auth
):
    picture = api.answers["/v1/pictures"]["pictures"][0]
    event = {"id": "e1", "started": "2026-11-21T12:00:00Z", "summary": {"title": "A courier"}, "pictures": [picture]}
    others = [
        {"id": "e2", "started": "2026-11-20T01:00:00Z"},
        {"id": "../e", "started": event["started"]},
        {"id": "e3"},
    ]
    recorded = [{**each, "clip": {"redacted": False}} for each in (event, *others)]
    api.answers["/v1/events"] = {"v": 1, "events": [*recorded, {**event, "id": "e4", "clip": None}]}
    api.answers["/v1/events/e1/clip"] = b"0123456789"
    day = await browse(hass, entry.entry_id, "front_door", "2026-11-21")
    clips = [child for child in day.children if child.media_content_type == "video/mp4"]
    assert [(clip.title, clip.media_class) for clip in clips] == [("▶ 04:00 · A courier", "video")]
    assert clips[0].thumbnail.endswith(PICTURE)

    media = await media_source.async_resolve_media(hass, clips[0].media_content_id, None)
    assert (media.url, media.mime_type) == (f"/api/blikk/{entry.entry_id}/clips/e1", "video/mp4")
    client = await hass_client()
    whole = await client.get(media.url)
    assert (whole.status, await whole.read()) == (200, b"0123456789")
    await client.get(media.url, headers={"Range": "bytes=2-3"})
    assert api.ranges[-2:] == [None, "bytes=2-3"]
    assert (await (await hass_client_no_auth()).get(media.url)).status == 401
    assert (await client.get(f"/api/blikk/{entry.entry_id}/clips/e9")).status == 404
    api.answers["/v1/events/e1/clip"] = 503
    assert (await client.get(media.url)).status == 502
    with pytest.raises(Unresolvable):
        await media_source.async_resolve_media(hass, clips[0].media_content_id.replace("clip:e1", "clip:.."), None)


@pytest.mark.parametrize(
    "words", [("nobody",), ("{}", "nowhere"), ("{}", "front_door", "today"), ("{}", "front_door", "2026-11-21", "x")]
)
async def test_what_is_no_folder_cannot_be_browsed(hass, entry, words):
    with pytest.raises(BrowseError):
        await browse(hass, *(word.format(entry.entry_id) for word in words))


@pytest.mark.parametrize("place", ["", "x", "{}/front_door/2026-11-21/..", "{}/front_door/2026-11-21/a b", "no/a/b/c"])
async def test_what_is_no_picture_is_not_resolved(hass, entry, place):
    with pytest.raises(Unresolvable):
        await media_source.async_resolve_media(hass, f"media-source://{DOMAIN}/{place.format(entry.entry_id)}", None)


async def test_paths_that_lead_elsewhere_are_refused(hass, entry, hass_client, api):
    client = await hass_client()
    (broker,) = hass.config_entries.async_entries("mqtt")
    for path in (f"{entry.entry_id}/pictures/..%2F..%2Fetc", f"{broker.entry_id}/pictures/{PICTURE}", "x/pictures/y"):
        assert (await client.get(f"/api/blikk/{path}")).status in (400, 404)
    assert api.asked == []


@pytest.mark.parametrize(
    ("answer", "status"), [(None, 404), (500, 502), (b"<html>", 502), (b"x" * (5 * 2**20), 502), (302, 502)]
)
async def test_pictures_that_cannot_be_had_are_an_error(hass, entry, hass_client, api, answer, status):
    api.answers[f"/v1/pictures/{PICTURE}"] = answer
    client = await hass_client()
    assert (await client.get(f"/api/blikk/{entry.entry_id}/pictures/{PICTURE}")).status == status


@pytest.mark.parametrize("answer", [b"{", b"\xff", b"[" * 100_000, 503, None])
async def test_answers_that_cannot_be_read_are_an_error(hass, entry, api, answer):
    api.answers["/v1/days"] = answer
    with pytest.raises(BrowseError) as caught:
        await browse(hass, entry.entry_id, "front_door")
    assert caught.value.translation_key == "media_unavailable"
    assert TOKEN not in str(caught.value.translation_placeholders)


@pytest.mark.parametrize("answer", [b"[]", b'{"days": 7}', b"null"])
async def test_answers_of_another_shape_are_empty(hass, entry, api, answer):
    api.answers["/v1/days"] = answer
    assert (await browse(hass, entry.entry_id, "front_door")).children == []


async def test_a_wrong_token_asks_for_another(hass, mqtt_mock, api, hass_client):
    assert await async_setup_component(hass, "media_source", {})
    entry = await set_up(hass, entry_of(announce(urls={"media": api.url}), data={"token": "old"}))
    with pytest.raises(BrowseError):
        await browse(hass, entry.entry_id, "front_door")
    await hass.async_block_till_done()
    assert [flow["context"]["source"] for flow in hass.config_entries.flow.async_progress()] == [SOURCE_REAUTH]
    answer = await (await hass_client()).get(f"/api/blikk/{entry.entry_id}/pictures/{PICTURE}")
    assert answer.status == 502


async def test_a_node_without_pictures_is_not_in_the_browser(hass, mqtt_mock):
    assert await async_setup_component(hass, "media_source", {})
    await set_up(hass, entry_of(announce(urls={})))
    assert (await browse(hass)).children == []


async def test_a_node_that_cannot_be_reached_is_an_error(hass, mqtt_mock, socket_enabled):
    assert await async_setup_component(hass, "media_source", {})
    entry = await set_up(hass, entry_of(announce(urls={"media": "http://127.0.0.1:9"})))
    with pytest.raises(BrowseError):
        await browse(hass, entry.entry_id, "yard")


async def test_without_the_node_its_pictures_are_away(hass, entry, hass_client):
    await hass.config_entries.async_unload(entry.entry_id)
    assert (await browse(hass)).children == []
    answer = await (await hass_client()).get(f"/api/blikk/{entry.entry_id}/pictures/{PICTURE}")
    assert answer.status == 503


# ---- search

RING = {"id": "front_door.ring", "camera": "front_door", "event": None, "name": "ring", "time": "2026-11-21T12:00:30Z"}


def kept(name, time, event, camera="front_door"):
    return {
        "id": f"{camera}.{event}.{name}.{time[11:13]}",
        "camera": camera,
        "event": event,
        "name": name,
        "time": time,
    }


@pytest.fixture
def past(api):
    """Two visits and a ring of which the node has pictures; the text of a third event has none."""
    parcel = [kept("package", "2026-11-21T15:00:09Z", "e2"), kept("package", "2026-11-21T15:00:01Z", "e2")]
    fox = [kept("animal", "2026-11-20T22:30:00Z", "e1", "yard")]
    gone = [kept("person", "2026-11-19T08:00:00Z", "e0", "sold_camera")]
    events = [
        {"id": "e2", "label": "package", "zones": ["porch"], "summary": {"title": "A parcel", "text": "In a red box."}},
        {"id": "e1", "label": "animal", "event_type": "animal", "zones": 7, "summary": None},
        {"id": "e0", "label": "person", "summary": {"title": 7}},
        {"id": "e9", "label": "person", "summary": {"title": "A red car"}},
    ]
    for event, pictures in zip(events, (parcel, fox, gone, "none"), strict=True):
        event["pictures"] = pictures
    api.answers["/v1/events"] = {"v": 1, "events": [*events, None]}
    api.answers["/v1/pictures"] = {"v": 1, "pictures": [*parcel, RING, *fox]}
    return api


async def search(hass_ws_client, words, *where, **more):
    client = await hass_ws_client()
    place = f"media-source://{DOMAIN}" + "".join(f"/{word}" for word in where)
    await client.send_json_auto_id(
        {"type": "media_source/search_media", "media_content_id": place, "search_query": words, **more}
    )
    return await client.receive_json()


@pytest.mark.parametrize(
    ("words", "titles"),
    [
        ("Parcel RED", ["Saturday, 21 November · 07:00 · A parcel"]),
        ("porch", ["Saturday, 21 November · 07:00 · A parcel"]),
        ("ring", ["Saturday, 21 November · 04:00 · Doorbell · Front door"]),
        ("animal", ["Friday, 20 November · 14:30 · An animal · Yard"]),
        ("friday an animal", ["Friday, 20 November · 14:30 · An animal · Yard"]),
        (
            "front 2026-11-21",
            ["Saturday, 21 November · 07:00 · A parcel", "Saturday, 21 November · 04:00 · Doorbell · Front door"],
        ),
        ("parcel yard", []),
        ("sold", []),
        ("  ", []),
    ],
)
async def test_pictures_are_found_by_what_was_said_of_them(hass, entry, past, hass_ws_client, words, titles):
    answer = await search(hass_ws_client, words)
    assert [found["title"] for found in answer["result"]["result"]] == titles


async def test_what_is_found_can_be_opened(hass, entry, past, hass_ws_client):
    (found,) = (await search(hass_ws_client, "animal"))["result"]["result"]
    media = await media_source.async_resolve_media(hass, found["media_content_id"], None)
    assert media.url == found["thumbnail"] == f"/api/blikk/{entry.entry_id}/pictures/yard.e1.animal.22"
    assert (await browse(hass)).can_search


async def test_a_folder_is_searched_alone(hass, entry, past, hass_ws_client):
    past.answers["/v1/pictures"] = {"v": 1, "pictures": [RING]}
    where = (entry.entry_id, "front_door", "2026-11-21")
    answer = await search(hass_ws_client, "2026", *where)
    assert [found["title"] for found in answer["result"]["result"]] == [
        "Saturday, 21 November · 04:00 · Doorbell · Front door"
    ]
    assert past.asked == [
        "/v1/events?camera=front_door&limit=200",
        "/v1/pictures?camera=front_door&day=2026-11-21&limit=500",
    ]


async def test_only_pictures_are_found(hass, entry, past, hass_ws_client):
    for classes, count in ((["image"], 1), (["music"], 0)):
        answer = await search(hass_ws_client, "parcel", media_filter_classes=classes)
        assert len(answer["result"]["result"]) == count


@pytest.mark.parametrize("where", [("nobody",), ("{}",), ("{}", "nowhere"), ("{}", "front_door", "today")])
async def test_what_is_no_folder_cannot_be_searched(hass, entry, past, hass_ws_client, where):
    answer = await search(hass_ws_client, "parcel", *(word.format(entry.entry_id) for word in where))
    assert (answer["success"], past.asked) == (False, [])


async def test_a_node_that_is_away_hides_no_other_ones_pictures(hass, entry, past, hass_ws_client):
    away = announce(id="shed-pi", urls={"media": "http://127.0.0.1:9"})
    await set_up(hass, entry_of(away))
    assert len((await search(hass_ws_client, "parcel"))["result"]["result"]) == 1
    past.answers["/v1/events"] = 503
    assert (await search(hass_ws_client, "parcel"))["success"] is False


async def test_searching_with_a_wrong_token_asks_for_another(hass, mqtt_mock, past, hass_ws_client):
    assert await async_setup_component(hass, "media_source", {})
    await set_up(hass, entry_of(announce(urls={"media": past.url}), data={"token": "old"}))
    assert (await search(hass_ws_client, "parcel"))["success"] is False
    await hass.async_block_till_done()
    assert [flow["context"]["source"] for flow in hass.config_entries.flow.async_progress()] == [SOURCE_REAUTH]


def handshakes(listening, context):
    """Shows its certificate to each who comes, until `listening` is shut down."""
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        with contextlib.suppress(OSError), connection, context.wrap_socket(connection, server_side=True):
            pass


async def test_a_certificate_that_has_expired_is_said_with_its_date(hass, socket_enabled, monkeypatch, tmp_path):
    made = make_expired(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(made.server, made.server_key)
    trusting = ssl.create_default_context(cafile=made.ca)
    trusting.verify_flags &= ~ssl.VERIFY_X509_STRICT  # the test's authority is as people make it at home
    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=handshakes, args=(listening, context))
    thread.start()
    url = f"https://127.0.0.1:{listening.getsockname()[1]}"
    media = NodeMedia(hass, reader.read_announce(json.dumps(announce())), {"media_url": url})
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusting)) as session:
        media._session = session
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(made.ca))
        with pytest.raises(MediaError, match=r"has expired, on 2020-02-01 00:00 UTC; renew it, and start the node"):
            await media.async_days("front_door")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", certifi.where())
        with pytest.raises(MediaError, match="has expired; renew it, and start the node again"):
            await media.async_days("front_door")
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    await hass.async_add_executor_job(thread.join)
