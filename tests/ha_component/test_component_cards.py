"""How the cards come into the frontend: every page loads them, whatever keeps dashboards, until the last node goes."""

import json
import re
from pathlib import Path

import pytest
from homeassistant.components import frontend
from homeassistant.setup import async_setup_component
from stage import DOMAIN, announce, entry_of, set_up

from custom_components.blikk import cards

PANEL = "blikk-timeline"
CARDS = Path(__file__).parents[2] / "clients" / "cards"
MAX_BYTES = 60_000


@pytest.fixture
async def pages(hass, mqtt_mock):
    """A Home Assistant with a frontend; gives the modules of ours that its pages load."""
    assert await async_setup_component(hass, "frontend", {})
    return lambda: loaded(hass)


def loaded(hass):
    return [url for url in hass.data[frontend.DATA_EXTRA_MODULE_URL].urls if DOMAIN in url]


async def resources(hass, hass_ws_client):
    client = await hass_ws_client(hass)
    await client.send_json_auto_id({"type": "lovelace/resources"})
    return (await client.receive_json())["result"]


async def test_every_page_loads_the_one_module(hass, pages, hass_client_no_auth):
    await set_up(hass)
    (url,) = pages()
    answer = await (await hass_client_no_auth()).get(url)  # a browser fetches scripts without a token
    assert (answer.status, answer.headers["Content-Type"].split(";")[0]) == (200, "text/javascript")
    assert "max-age" in answer.headers["Cache-Control"]
    assert not re.search(r"""\b(?:from|import)\s*\(?\s*["']""", await answer.text()), "it imports another"
    assert [path.name for path in cards.FOLDER.iterdir()] == [cards.MODULE]


def test_the_module_is_small():
    assert (cards.FOLDER / cards.MODULE).stat().st_size < MAX_BYTES


async def test_a_changed_module_has_another_address(hass, pages, monkeypatch, tmp_path):
    copy = tmp_path / cards.MODULE
    copy.write_bytes((cards.FOLDER / cards.MODULE).read_bytes())
    before = cards._digest()
    monkeypatch.setattr(cards, "FOLDER", tmp_path)
    assert cards._digest() == before
    copy.write_text("export {};")
    assert cards._digest() != before


@pytest.mark.parametrize("mode", ["storage", "yaml"])
async def test_dashboards_and_resources_are_left_as_they_are(hass, mqtt_mock, hass_ws_client, hass_storage, mode):
    own = [{"type": "module", "url": "/local/own.js"}]
    config = {"resource_mode": mode, **({"resources": own} if mode == "yaml" else {})}
    assert await async_setup_component(hass, "lovelace", {"lovelace": config})
    assert await async_setup_component(hass, "frontend", {})
    await set_up(hass)
    assert len(loaded(hass)) == 1
    assert await resources(hass, hass_ws_client) == (own if mode == "yaml" else [])
    await hass.async_block_till_done()
    assert "lovelace_resources" not in hass_storage


async def test_a_reload_loads_it_once(hass, pages):
    entry = await set_up(hass)
    before = pages()
    for _ in range(3):
        assert await hass.config_entries.async_reload(entry.entry_id)
    assert pages() == before


async def test_it_goes_with_the_last_node_and_comes_with_the_next(hass, pages):
    first = await set_up(hass)
    second = await set_up(hass, entry_of(announce(id="shed", name="Shed")))
    assert len(pages()) == 1
    await hass.config_entries.async_remove(first.entry_id)
    assert len(pages()) == 1
    assert frontend.async_panel_exists(hass, PANEL)
    await hass.config_entries.async_remove(second.entry_id)
    assert pages() == []
    assert not frontend.async_panel_exists(hass, PANEL)
    await set_up(hass)
    assert len(pages()) == 1
    assert frontend.async_panel_exists(hass, PANEL)


async def test_it_is_loaded_while_a_node_cannot_be_set_up(hass, mqtt_mock, pages, monkeypatch):
    async def away(_hass):
        return False

    monkeypatch.setattr("homeassistant.components.mqtt.async_wait_for_mqtt_client", away)
    entry = entry_of()
    entry.add_to_hass(hass)
    assert not await hass.config_entries.async_setup(entry.entry_id)
    assert len(pages()) == 1


async def test_the_timeline_has_a_page_in_no_sidebar(hass, pages, hass_ws_client):
    await set_up(hass)
    client = await hass_ws_client(hass)
    await client.send_json_auto_id({"type": "get_panels"})
    panel = (await client.receive_json())["result"][PANEL]
    assert (panel["title"], panel["require_admin"]) == (None, False)
    assert panel["config"]["_panel_custom"]["module_url"] == pages()[0]


async def test_without_a_frontend_a_node_is_set_up_all_the_same(hass, mqtt_mock):
    entry = await set_up(hass)
    assert await hass.config_entries.async_remove(entry.entry_id)


def test_every_language_says_everything():
    said = {}
    for path in (CARDS / "src").glob("texts.*.js"):
        texts = said[path.suffixes[0].lstrip(".")] = {}
        for line in path.read_text().splitlines():
            if text := re.fullmatch(r' {2,4}(\w+):\s*("(?:[^"\\]|\\.)*"),', line):
                texts[len(line) - len(line.lstrip()), text[1]] = set(re.findall(r"\{\w+\}", json.loads(text[2])))
    assert set(said) == {"en", "de", "es", "fr", "it", "nl"}
    assert len(said["en"]) > 40
    assert all(texts == said["en"] for texts in said.values())
