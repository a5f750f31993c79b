"""Pictures of events and rings: each at its own address for a day, on disk, bounded, and only for who has a login."""

from pathlib import Path

import pytest
from homeassistant.core import CoreState
from pytest_homeassistant_custom_component.common import async_fire_time_changed
from stage import DOMAIN, GOLDEN_EVENT, GOLDEN_JPEG, JPEG, announce, entry_of, jpeg_of, publish, set_up

from custom_components.blikk import pictures
from custom_components.blikk.pictures import PICTURES, EventPicture, EventPictures

PERSON = "image.front_door_last_person"


@pytest.fixture(autouse=True)
def folder(hass, tmp_path) -> Path:
    """Where pictures are kept."""
    hass.config.config_dir = str(tmp_path)
    return tmp_path / ".cache" / DOMAIN / "events"


async def photograph(hass, event, more=b"", *, name="ring", camera="front_door", retain=False):
    """A picture of an event comes; its address."""
    await publish(hass, f"{camera}/picture/{name}", jpeg_of(event, more), retain=retain)
    return hass.states.get(f"image.{camera}_last_{name}").attributes["path"]


async def shown(client, path):
    """What an address answers: status and bytes."""
    answer = await client.get(path)
    return answer.status, await answer.read()


def files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


async def test_the_golden_picture_is_at_the_address_of_its_event(hass, mqtt_mock, hass_client):
    await set_up(hass)
    await publish(hass, "front_door/picture/person", GOLDEN_JPEG)
    reported = hass.states.get(PERSON).attributes
    assert reported["event"] == GOLDEN_EVENT
    assert reported["path"].endswith(f"/front_door/{GOLDEN_EVENT}/person.jpg")
    assert await shown(await hass_client(), reported["path"]) == (200, GOLDEN_JPEG)


async def test_a_picture_that_says_of_no_event_is_shown_and_not_kept(hass, mqtt_mock, folder):
    await set_up(hass)
    await publish(hass, "front_door/picture/person", JPEG)
    assert not {"event", "path"} & hass.states.get(PERSON).attributes.keys()
    assert files(folder) == []


async def test_pictures_of_many_events_stay_at_their_addresses_over_a_restart(hass, mqtt_mock, hass_client, folder):
    await set_up(hass)
    client = await hass_client()
    paths = [await photograph(hass, f"ring-{number}", bytes([number])) for number in range(20)]
    pictures_of = [jpeg_of(f"ring-{number}", bytes([number])) for number in range(20)]
    assert [await shown(client, path) for path in paths] == [(200, picture) for picture in pictures_of]

    again = hass.data[PICTURES] = EventPictures(hass, folder)
    await again.async_load()
    assert [await shown(client, path) for path in paths] == [(200, picture) for picture in pictures_of]


async def test_a_better_picture_of_an_event_takes_the_place_of_the_first(hass, mqtt_mock, hass_client, folder):
    await set_up(hass)
    first = await photograph(hass, "visit", b"far")
    assert await photograph(hass, "visit", b"near") == first
    assert await shown(await hass_client(), first) == (200, jpeg_of("visit", b"near"))
    assert len(files(folder)) == 1


async def test_a_picture_that_the_broker_hands_over_again_is_not_kept_again(hass, mqtt_mock, freezer, folder):
    await set_up(hass)
    await photograph(hass, "visit")
    (before,) = [path.stat().st_mtime_ns for path in files(folder)]
    freezer.tick(3600)
    await photograph(hass, "visit", retain=True)
    assert [path.stat().st_mtime_ns for path in files(folder)] == [before]


async def test_what_the_broker_kept_from_before_home_assistant_came_is_kept_too(hass, mqtt_mock, hass_client):
    await set_up(hass)
    path = await photograph(hass, "visit", retain=True)
    assert await shown(await hass_client(), path) == (200, jpeg_of("visit"))


async def test_after_a_day_a_picture_goes_also_when_nobody_asks(hass, mqtt_mock, freezer, folder):
    entry = await set_up(hass)
    await photograph(hass, "visit")
    kept, key = hass.data[PICTURES], entry.runtime_data.event_picture("front_door", "ring")
    freezer.tick(24 * 3600 - 1)
    assert await kept.async_content(key) == jpeg_of("visit")
    freezer.tick(2)
    assert await kept.async_content(key) is None
    await photograph(hass, "next")
    freezer.tick(25 * 3600)
    async_fire_time_changed(hass)
    await hass.async_block_till_done()
    assert list(folder.rglob("*")) == []


async def test_the_oldest_go_where_there_is_no_more_room(hass, mqtt_mock, freezer, hass_client, monkeypatch, folder):
    monkeypatch.setattr(pictures, "MAX_BYTES", 3 * len(jpeg_of("ring-0", bytes(1000))))
    await set_up(hass)
    client = await hass_client()
    paths = []
    for number in range(5):
        freezer.tick(1)
        paths.append(await photograph(hass, f"ring-{number}", bytes(1000)))
    assert [(await shown(client, path))[0] for path in paths] == [404, 404, 200, 200, 200]
    assert len(files(folder)) == 3


async def test_the_room_is_that_of_all_nodes_together(hass, mqtt_mock, hass_client, monkeypatch):
    monkeypatch.setattr(pictures, "MAX_BYTES", 2 * len(jpeg_of("ring-0", bytes(1000))))
    await set_up(hass)
    other = await set_up(hass, entry_of(announce(id="barn", cameras=[{"id": "gate", "name": "Gate", "ring": True}])))
    paths = [await photograph(hass, f"ring-{number}", bytes(1000)) for number in range(2)]
    for topic in ("status", "gate/status"):
        await publish(hass, topic, "online", base="blikk/barn")
    await publish(hass, "gate/picture/ring", jpeg_of("ring-9", bytes(1000)), base="blikk/barn")
    paths.append(hass.states.get("image.gate_last_ring").attributes["path"])
    assert other.entry_id in paths[2]
    client = await hass_client()
    assert [(await shown(client, path))[0] for path in paths] == [404, 200, 200]


@pytest.mark.parametrize("wrong", ["/ring-1/ring", "/ring/person", "/../ring"])
async def test_an_address_that_no_picture_has_shows_none(hass, mqtt_mock, hass_client, wrong):
    await set_up(hass)
    path = await photograph(hass, "ring")
    assert (await shown(await hass_client(), path.replace("/ring/ring", wrong)))[0] == 404


@pytest.mark.parametrize("event", ["../../../secrets", "a b?c#d%", "Tür.jpg", "..", "/"])
async def test_odd_ids_stay_inside_of_the_folder_and_outlast_a_restart(hass, mqtt_mock, hass_client, folder, event):
    entry = await set_up(hass)
    await photograph(hass, event)
    (path,) = files(folder)
    assert path.parent == folder / entry.entry_id / "front_door"
    again = EventPictures(hass, folder)
    await again.async_load()
    key = EventPicture(entry_id=entry.entry_id, camera="front_door", event=event, name="ring")
    assert await again.async_content(key) == jpeg_of(event)


async def test_an_id_that_is_too_long_for_a_file_is_not_kept(hass, mqtt_mock, folder):
    await set_up(hass)
    await photograph(hass, "x" * 250)
    assert files(folder) == []


async def test_without_a_login_there_is_no_picture(hass, mqtt_mock, hass_client_no_auth):
    await set_up(hass)
    path = await photograph(hass, "ring")
    assert (await shown(await hass_client_no_auth(), path))[0] == 401


async def test_after_forgetting_only_the_last_pictures_stay(hass, mqtt_mock, hass_client, folder):
    entry = await set_up(hass)
    client = await hass_client()
    paths = [await photograph(hass, f"ring-{number}") for number in range(3)]
    entry.runtime_data.forget_pictures("yard")
    assert [(await shown(client, path))[0] for path in paths] == [200, 200, 200]
    entry.runtime_data.forget_pictures(None)
    await hass.async_block_till_done()
    assert [(await shown(client, path))[0] for path in paths] == [404, 404, 200]
    assert len(files(folder)) == 1


async def test_what_the_node_takes_back_is_gone_with_all_of_that_name(hass, mqtt_mock, hass_client, folder):
    await set_up(hass)
    client = await hass_client()
    rings = [await photograph(hass, f"ring-{number}") for number in range(2)]
    person = await photograph(hass, "visit", name="person")
    await publish(hass, "front_door/picture/ring", b"")
    assert [(await shown(client, path))[0] for path in (*rings, person)] == [404, 404, 200]
    assert [path.name for path in files(folder)] == ["visit.person.jpg"]


async def test_with_the_node_its_pictures_go(hass, mqtt_mock, folder):
    entry = await set_up(hass)
    await photograph(hass, "ring")
    await hass.config_entries.async_remove(entry.entry_id)
    await hass.async_block_till_done()
    assert list(folder.rglob("*")) == []


async def test_a_disk_that_takes_nothing_is_reported_once_and_costs_the_picture_alone(
    hass, mqtt_mock, hass_client, folder, caplog
):
    await set_up(hass)
    client = await hass_client()
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("a file where the folder should be")
    paths = [await photograph(hass, f"ring-{number}") for number in range(2)]
    assert [(await shown(client, path))[0] for path in paths] == [404, 404]
    assert caplog.text.count("Pictures of events cannot be kept") == 1
    folder.unlink()
    assert (await shown(client, await photograph(hass, "ring-3")))[0] == 200


async def test_a_picture_that_comes_while_home_assistant_ends_is_no_error(hass, mqtt_mock, caplog, monkeypatch):
    entry = await set_up(hass)
    kept = hass.data[PICTURES]

    def no_threads(*_):
        raise RuntimeError("cannot schedule new futures after shutdown")

    monkeypatch.setattr(hass, "async_add_executor_job", no_threads)
    hass.set_state(CoreState.final_write)
    picture = EventPicture(entry_id=entry.entry_id, camera="front_door", event="ring-1", name="ring")
    kept.keep(picture, jpeg_of("ring-1"))
    await hass.async_block_till_done()
    assert await kept.async_content(picture) is None
    assert "Traceback" not in caplog.text
    assert "cannot be kept" not in caplog.text
    hass.set_state(CoreState.running)
    monkeypatch.undo()


async def test_a_cache_that_somebody_emptied_has_no_pictures(hass, mqtt_mock, hass_client, folder):
    await set_up(hass)
    path = await photograph(hass, "ring")
    for each in files(folder):
        each.unlink()
    assert (await shown(await hass_client(), path))[0] == 404


async def test_what_was_half_written_is_cleared_away(hass, mqtt_mock, folder):
    half = folder / "entry" / "front_door" / "ring.ring.part"
    half.parent.mkdir(parents=True)
    half.write_bytes(JPEG[:9])
    await set_up(hass)
    assert not half.exists()
