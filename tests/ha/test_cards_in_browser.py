"""The dashboard cards in a real Chromium: a real Home Assistant that keeps resources in YAML, broker and node.

The tests share one household and one browser: each opens its own page, and one that changes the household mends it.
"""

import itertools
import json
import re
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from card_stage import ALL, ROOT, Household, Visit, household, jpeg
from headless import Chromium
from patience import PATIENCE
from real_ha import wait_for

from blikk_edge.core.sightings import Label
from blikk_edge.core.summary import Author, Importance

pytestmark = [
    pytest.mark.timeout(400),
    pytest.mark.random_order(disabled=True),
    pytest.mark.skipif(
        not (shutil.which("chromium") or shutil.which("chromium-browser")), reason="no chromium: scripts/test_env"
    ),
]

HOUR_S = 3600.0
CAT = Visit(ago_s=2 * HOUR_S, label=Label.ANIMAL, camera="garden", zones=("lawn",), title="A cat", picture=jpeg())
VISITOR = Visit(
    ago_s=HOUR_S, lasted_s=75.0, title="Two people at the front door", text="Two people came up the path. " * 8,
    importance=Importance.HIGH, source=Author.LLM, peak=2, loitering=True, zones=("porch", "path"), picture=jpeg(),
)  # fmt: skip
OLDER = [Visit(ago_s=(3 + n) * HOUR_S, title=f"Visit {n}", picture=jpeg(n * 5, 90, 90)) for n in range(30)]
YAML = """\
lovelace:
  resource_mode: yaml
  dashboards:
    card-yaml: {mode: yaml, filename: cards.yaml, title: YAML}
"""
CARD = "{type: custom:blikk-timeline-card, title: From YAML}"


@pytest.fixture(scope="module")
def home(ha_python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Household]:
    """A household with a day and a half behind it, and a dashboard with both cards."""
    folder = tmp_path_factory.mktemp("cards")
    with household(ha_python, folder, [VISITOR, CAT, *OLDER], more=YAML) as made:
        (folder / "config" / "cards.yaml").write_text(f"views: [{{title: One, cards: [{CARD}]}}]\n")
        made.dashboard(
            {"type": "custom:blikk-timeline-card"},
            # live it is in test_live_run.py
            {"type": "custom:blikk-camera-card", "entity": "camera.front_door", "hide_live": True},
        )
        yield made


@pytest.fixture(scope="module")
def chromium(home: Household) -> Iterator[Chromium]:
    """A signed-in browser on a desk."""
    with home.browser() as browser:
        yield browser


@pytest.fixture
def page(home: Household, chromium: Chromium) -> "Page":
    """The dashboard, opened anew."""
    opened = Page(home, chromium)
    opened.open()
    return opened


class Page:
    """What the tests look at in a browser."""

    def __init__(self, home: Household, browser: Chromium, card: str = "blikk-timeline-card") -> None:
        self.home = home
        self.browser = browser
        self.card = f"{ALL}({card!r})[0].shadowRoot"

    def open(self, path: str = "/card-test/0", *, rows: int = 1) -> None:
        """Go there; on return the card shows at least so many events."""
        self.browser.open(self.home.ha.url + path, shows=[], settled=False)
        self.shown(rows)

    def shown(self, rows: int) -> None:
        """Wait until the card is there, with at least so many events."""
        self.browser.until(f"{ALL}('blikk-timeline-card, blikk-camera-card')[0]?.shadowRoot != null")
        self.until(f"CARD.querySelectorAll('.row[aria-expanded]').length >= {rows}")

    def get(self, expression: str) -> Any:
        """A JavaScript expression, in which CARD is the card's shadow root."""
        return self.browser.evaluate(expression.replace("CARD", self.card))

    def until(self, expression: str) -> Any:
        """As `get`, when it is true."""
        return self.browser.until(expression.replace("CARD", self.card))

    def rows(self) -> list[str]:
        """The names of the events as they are listed."""
        names: list[str] = self.get("[...CARD.querySelectorAll('.name')].map(e => e.textContent)")
        return names

    def until_rows(self, *names: str) -> None:
        """Wait until these are listed, and no others."""
        end = time.monotonic() + 30 * PATIENCE
        while (listed := self.rows()) != list(names):
            assert time.monotonic() < end, f"{listed} are listed, not {names}"
            time.sleep(0.1)

    def click(self, selector: str, at: int = 0) -> None:
        self.get(f"CARD.querySelectorAll({selector!r})[{at}].click()")


FIRST = ["important: Two people at the front door", "A cat", *(f"Visit {n}" for n in range(8))]


# ---- how they come into a page


def test_cards_are_there_where_their_module_comes_before_the_frontend(home: Household) -> None:
    """The frontend replaces the page's registry of elements as it starts: what was defined before is lost to it."""
    with home.browser() as browser:
        with browser.hold("*/frontend_latest/app.*"):
            browser.open(home.ha.url + "/card-test/0", shows=[], settled=False)
            browser.until("performance.getEntriesByType('resource').some(e => e.name.endsWith('/blikk-cards.js'))")
            browser.evaluate("new Promise(done => requestIdleCallback(done))")
        Page(home, browser).shown(rows=10)


# ---- what is shown


def test_the_newest_events_are_shown_with_text_picture_and_how_long(page: Page) -> None:
    assert page.rows() == FIRST
    facts = page.get("CARD.querySelector('.facts').textContent")
    assert facts.endswith(" · 1 min · Front door · Porch · Path")
    assert page.get("CARD.querySelector('.text').textContent").startswith("Two people came up the path.")
    page.until("CARD.querySelector('.thumb img').naturalWidth === 640")
    assert page.get("[...CARD.querySelectorAll('h3')].length") >= 1


def test_an_event_opens_with_its_picture_whole_text_and_facts(page: Page) -> None:
    page.click(".row")
    page.until("CARD.querySelector('.detail img')?.naturalWidth === 640")
    assert page.get("CARD.querySelector('.row').getAttribute('aria-expanded')") == "true"
    assert page.get("CARD.querySelector('.detail p').textContent") == VISITOR.text
    facts = page.get("CARD.querySelector('.detail .facts').textContent")
    assert facts.startswith("Person · ")
    assert facts.endswith(" · 2 at once · stayed long · Written by a language model")
    page.click(".row")
    page.until("CARD.querySelector('.detail img') === null")


def test_older_events_come_in_pages_and_pictures_only_when_they_are_near(page: Page) -> None:
    page.get("window.asked = []; const c = document.querySelector('home-assistant').hass.connection;"
             "const send = c.sendMessagePromise.bind(c);"
             "c.sendMessagePromise = (m) => { window.asked.push(m.type); return send(m); }; true")  # fmt: skip
    for rows in (20, 30, 32):
        page.get("[...CARD.querySelectorAll('.action')].at(-1).click()")
        page.until(f"CARD.querySelectorAll('.row').length === {rows}")
    assert page.rows() == [*FIRST, *(f"Visit {n}" for n in range(8, 30))]
    assert page.get("CARD.querySelector('.action') === null")
    assert page.get("window.asked.filter((type) => type.startsWith('blikk'))") == ["blikk/timeline"] * 3
    assert page.get("[...CARD.querySelectorAll('.thumb img')].every((image) => image.loading === 'lazy')")


# ---- what is new


def test_what_happens_appears_by_itself_and_grows(page: Page, home: Household) -> None:
    page.click(".row")
    page.get("CARD.querySelector('.row').focus()")
    event = home.event(1)
    home.publish("front_door/event", event)
    page.until("CARD.querySelector('.name').textContent === 'Person'")
    assert page.get("CARD.querySelector('.now').textContent").startswith("since ")
    home.publish("front_door/picture/person", jpeg(width=200, height=150, event=event["id"]))
    page.until("CARD.querySelector('.thumb img')?.naturalWidth === 200")
    summary = {**example("summary"), "event": event["id"], "title": "Somebody came", "importance": "normal"}
    home.publish("front_door/summary", summary)
    page.until("CARD.querySelector('.name').textContent === 'Somebody came'")
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    home.publish("front_door/event", {**event, "phase": "ended", "revision": 2, "time": now, "ended": now})
    page.until("CARD.querySelector('.now') === null")
    assert page.rows()[:2] == ["Somebody came", FIRST[0]]
    # who read what was open reads on, and whoever only hears the page hears of it
    assert page.get("CARD.querySelector('.opened .name').textContent") == FIRST[0]
    assert page.get("CARD.activeElement.closest('li') === CARD.querySelector('.opened')")
    assert "Front door" in page.get("CARD.querySelector('.body > .hidden').textContent")


def test_what_happens_while_the_first_page_is_asked_for_is_not_lost(page: Page, home: Household) -> None:
    page.get(
        "(() => { const c = document.querySelector('home-assistant').hass.connection;"
        " const send = c.sendMessagePromise.bind(c); let free;"
        " window.freed = new Promise((done) => { free = done; }); window.free = () => free(true); window.held = 0;"
        " c.sendMessagePromise = async (m) => { const answer = await send(m);"
        " if (m.type === 'blikk/timeline') { window.held += 1; await window.freed; } return answer; };"
        " const card = CARD.host; const wanted = card.events._wanted; card.events._wanted = null;"
        " card.events.follow(card.hass, wanted, card.limit()); return true; })()"
    )
    page.until("window.held > 0")  # the node has answered, and the card does not know it yet
    began = home.event(7)
    ended = {**home.event(8), "phase": "ended", "revision": 2, "ended": home.event(8)["time"]}
    home.publish("front_door/event", began)
    home.publish("front_door/event", ended)
    home.publish(
        "front_door/summary",
        {**example("summary"), "event": began["id"], "title": "In between", "importance": "normal"},
    )
    page.until("CARD.host.events._meanwhile?.texts.size > 0")
    page.get("window.free()")
    page.until("CARD.querySelectorAll('.row[aria-expanded]').length >= 10")
    names = page.rows()
    assert "In between" in names
    assert set(FIRST[:1]) < set(names)
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    home.publish("front_door/event", {**began, "phase": "ended", "revision": 2, "time": now, "ended": now})
    page.until("CARD.querySelector('.now') === null")


def test_a_ring_is_reported_at_once_and_goes_into_the_visit_it_belongs_to(page: Page, home: Household) -> None:
    home.publish("front_door/set/ring", "PRESS")
    page.until("CARD.querySelector('.name').textContent === 'Somebody rang'")
    assert page.get("CARD.querySelector('.facts').textContent").count(" · ") == 1  # when and where; it took no time
    home.publish("front_door/event", home.event(5))
    page.until("CARD.querySelector('.name').textContent === 'Person'")
    assert "Somebody rang" not in page.rows()
    assert " · rang " in page.get("CARD.querySelector('.facts').textContent")
    page.click("[data-filter=ring]")
    page.until_rows("Somebody rang")


def test_what_the_household_says_of_a_visit_is_shown_at_once_and_stays(page: Page, home: Household) -> None:
    of = f"[...CARD.querySelectorAll('li')].find((row) => row.textContent.includes({json.dumps(FIRST[0])}))"
    event = page.until(f"{of}?.dataset.event")
    home.ha.answer("blikk.mark", event=event, mark="The postman")
    page.until(f"{of}.querySelector('.mark')?.textContent === 'The postman'")
    page.open()
    page.until(f"{of}?.querySelector('.mark')?.textContent === 'The postman'")
    home.ha.answer("blikk.mark", event=event, mark="")
    page.until(f"{of}.querySelector('.mark') === null")


def test_a_new_picture_of_the_camera_is_shown(page: Page, home: Household) -> None:
    page = Page(home, page.browser, "blikk-camera-card")
    home.publish("front_door/picture/snapshot", jpeg(width=320, height=240))
    page.until("CARD.querySelector('.still img').naturalWidth === 320")
    home.publish("front_door/picture/snapshot", jpeg(width=160, height=120))
    page.until("CARD.querySelector('.still img').naturalWidth === 160")
    assert page.get("CARD.querySelectorAll('.row').length") == 3
    assert page.get("CARD.querySelector('.still').getAttribute('aria-label')") == "Front door: open"


def test_the_cameras_dialog_opens_from_its_picture(page: Page, home: Household) -> None:
    page = Page(home, page.browser, "blikk-camera-card")
    page.click(".still")
    page.until(f"{ALL}('ha-more-info-dialog')[0]?.shadowRoot?.textContent.includes('Front door')")


# ---- filters


def test_filters_narrow_by_label_camera_and_zone_from_the_keyboard(page: Page) -> None:
    page.get("CARD.querySelector('[data-filter=animal]').focus()")
    page.browser.press("Enter")
    page.until_rows("A cat")
    assert page.get("CARD.activeElement.getAttribute('aria-pressed')") == "true"
    choose(page, "camera", "camera.front_door")
    page.until("CARD.querySelector('.notice p')?.textContent === 'Nothing of this happened'")
    page.click(".notice .action")
    page.until("CARD.querySelectorAll('.row').length === 10")
    choose(page, "zone", "path")
    page.until_rows(FIRST[0])
    choose(page, "zone", "")
    choose(page, "camera", "camera.garden")
    page.until_rows("A cat")
    assert page.get("CARD.querySelector('[data-filter=camera]').options.length") == 3


def choose(page: Page, filter_: str, value: str) -> None:
    select = f"CARD.querySelector('select[data-filter={filter_}]')"
    page.get(f"{select}.value = {value!r}, {select}.dispatchEvent(new Event('change')), true")


def test_what_comes_while_a_filter_is_set_is_filtered_too(page: Page, home: Household) -> None:
    page.click("[data-filter=animal]")
    page.until_rows("A cat")
    home.publish("front_door/event", home.event(2))
    home.publish("garden/event", home.event(3, id="garden-new-3", event_type="animal", label="animal", zones=["lawn"]))
    page.until_rows("Animal", "A cat")


# ---- the editor and the picker


def test_the_card_picker_offers_both_with_a_preview_and_the_editor_knows_the_zones(page: Page, home: Household) -> None:
    page.open("/card-test/0?edit=1")
    page.until(f"{ALL}('button[aria-label=\"Add card\"]')[0]?.click() || true")
    page.until(f"{ALL}('ha-button').some((e) => e.textContent.includes('Browse all cards'))")
    page.get(f"{ALL}('ha-button').find((e) => e.textContent.includes('Browse all cards')).click()")
    cards = f"{ALL}('.card').filter((e) => e.textContent.includes('Blikk '))"
    page.until(f"{cards}.length === 2")
    assert page.get(f"{cards}.map((e) => e.querySelector('.card-header').textContent.trim())") == [
        "Blikk camera", "Blikk timeline",
    ]  # fmt: skip
    page.get(f"{cards}[1].scrollIntoView()")
    page.until(
        f"{cards}[1].querySelector('blikk-timeline-card').shadowRoot.querySelector('.row[aria-expanded]') !== null"
    )
    page.get(f"{cards}[1].querySelector('.overlay').click()")
    form = f"{ALL}('hui-form-editor ha-form')[0] ?? {ALL}('ha-form')[0]"
    page.until(f"({form}) !== undefined")
    assert page.get(f"({form}).schema.map((each) => each.name)") == [
        "title", "cameras", "limit", "hide_filters", "labels", "zones",
    ]  # fmt: skip
    assert page.get(f"({form}).schema.at(-1).selector.select.options.map(each => each.label)") == [
        "Porch",
        "Path",
        "Lawn",
    ]
    assert page.get(f"({form}).computeLabel({{name: 'zones'}})") == "Only in these zones (none: all)"


def test_the_cards_of_the_guide_are_taken_and_every_option_is_reported(page: Page) -> None:
    guide = (ROOT / "docs" / "guide" / "home-assistant.md").read_text()
    cards = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(type: custom:.*?)```", guide, re.DOTALL)]
    assert [card["type"] for card in cards] == ["custom:blikk-timeline-card", "custom:blikk-camera-card"]
    reported = set(re.findall(r"`(\w+)`", guide.split("## Cards")[1].split("## Actions")[0]))
    for card in cards:
        tag = card.pop("type").removeprefix("custom:")
        assert page.get(f"document.createElement('{tag}').setConfig({json.dumps(card)}) ?? 'taken'") == "taken"
        schema = page.get(f"customElements.get('{tag}').getConfigForm().then((e) => e.schema.map((one) => one.name))")
        assert set(schema) <= reported
        assert card.keys() <= set(schema)


def test_a_camera_of_ours_is_suggested_a_card_and_no_other(page: Page) -> None:
    suggest = "window.customCards.find((e) => e.type === 'blikk-camera-card').getEntitySuggestion(HASS, ID)"
    hass = "document.querySelector('home-assistant').hass"
    ours = page.get(suggest.replace("HASS", hass).replace("ID", "'camera.garden'"))
    assert ours == {"config": {"type": "custom:blikk-camera-card", "entity": "camera.garden"}}
    assert page.get(suggest.replace("HASS", hass).replace("ID", "'sensor.hallway_pi_cpu'")) is None


@pytest.mark.parametrize(
    ("tag", "config"),
    [
        ("timeline", {"cameras": "camera.front_door"}),
        ("timeline", {"labels": [7]}),
        ("timeline", {"limit": 0}),
        ("camera", {"entity": "sensor.x"}),
        ("camera", {"entity": "camera.front_door", "events": "all"}),
    ],
)
def test_what_a_card_cannot_mean_is_refused(page: Page, tag: str, config: dict[str, Any]) -> None:
    card = f"document.createElement('blikk-{tag}-card')"
    assert page.get(
        f"(() => {{ try {{ {card}.setConfig({json.dumps(config)}); }} catch (e) {{ return e.message; }} }})()"
    )


# ---- where it is shown


def test_a_dashboard_in_yaml_shows_it_without_a_resource(page: Page, home: Household) -> None:
    assert home.ha.command({"type": "lovelace/info"})["resource_mode"] == "yaml"
    page.open("/card-yaml/0", rows=10)
    assert page.get("CARD.querySelector('h2').textContent") == "From YAML"


def test_a_card_of_a_fixed_height_scrolls_inside(page: Page, home: Household) -> None:
    fixed = {"grid_options": {"columns": 12, "rows": 6}}
    home.dashboard({"type": "custom:blikk-timeline-card", **fixed}, path="card-fixed")
    page.open("/card-fixed/0", rows=10)
    assert page.get("CARD.host.getBoundingClientRect().height") <= 6 * 64
    assert page.get("CARD.querySelector('.body').scrollHeight > CARD.querySelector('.body').clientHeight")


@pytest.mark.parametrize(
    ("language", "dark"),
    [("en", False), ("de", True), ("es", False), ("fr", True), ("it", False), ("nl", True)],
)
def test_on_a_phone_nothing_is_cut_off_and_all_can_be_read(home: Household, language: str, dark: bool) -> None:
    with home.browser(language=language, dark=dark, width_px=360, height_px=740) as browser:
        page = Page(home, browser)
        page.open(rows=10)
        for selector in (".name", ".text", ".facts", ".chip", "select", "h2", "h3", ".action"):
            assert page.get(CONTRAST.replace("SELECTOR", selector)) >= 4.5, selector
        page.click(".chip")
        page.until("CARD.querySelector('[aria-pressed=true]') !== null")
        assert page.get(CONTRAST.replace("SELECTOR", "[aria-pressed=true]")) >= 4.5
        page.click(".row")
        wide = page.get(
            "[...CARD.querySelectorAll('*')].filter((e) => e.getBoundingClientRect().right > 360.5 &&"
            " !e.closest('.hidden')).map((e) => e.outerHTML.slice(0, 80))"
        )
        assert wide == []
        assert page.get("document.scrollingElement.scrollWidth") <= 360
        # a finger is wider than a pointer
        sizes = page.get("[...CARD.querySelectorAll('button, select')].map((e) => e.getBoundingClientRect().height)")
        assert min(sizes) >= 36


# the contrast of a text with the background that is seen behind it, as WCAG 2 reckons it
CONTRAST = """(() => {
  const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const linear = (c) => c <= 10 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  let element = [...CARD.querySelectorAll("SELECTOR")].find((e) => e.offsetWidth > 0);
  const text = light(channels(getComputedStyle(element).color));
  let behind = null;
  while (behind === null) {
    const colour = channels(getComputedStyle(element).backgroundColor);
    if (colour.length === 3 || colour[3] === 1) behind = light(colour);
    element = element.parentElement ?? element.getRootNode().host;
  }
  return (Math.max(text, behind) + 0.05) / (Math.min(text, behind) + 0.05);
})()"""


def test_whatever_can_be_pressed_has_a_name_and_every_picture_says_what_it_is(page: Page) -> None:
    page.get("[...CARD.querySelectorAll('.row')].find((row) => row.textContent.includes('Two people')).click()")
    page.until("CARD.querySelector('.detail img') !== null")
    tree = page.browser.accessibility()
    ours = [node for node in tree if node["role"] in ("button", "combobox", "image", "list", "heading")]
    assert [node for node in ours if not node["name"]] == []
    names = {(node["role"], node["name"].split(",")[0]) for node in ours}
    assert {("button", "Animal"), ("combobox", "Camera"), ("combobox", "Zone"), ("list", "Today")} <= names
    assert ("image", "Person") in names


# ---- the address of an event


def address(home: Household, visit: Visit, *, time: bool = True) -> str:
    event = visit.event(home.now)
    when = datetime.fromtimestamp(event.started, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return f"/blikk-timeline?blikk_event={event.id}" + (f"&blikk_time={when}" if time else "")


@pytest.mark.parametrize("time", [True, False])
def test_the_address_of_an_event_opens_the_timeline_there(page: Page, home: Household, time: bool) -> None:
    page.open(address(home, OLDER[20], time=time))
    page.until("CARD.querySelector('.opened .name')?.textContent === 'Visit 20'")
    assert 0 <= page.get("CARD.querySelector('.opened').getBoundingClientRect().top") <= 500
    assert page.get("CARD.activeElement.closest('li').className") == "opened"
    if time:  # it begins there, and leads back
        assert page.rows()[0] == "Visit 20"
        page.click(".action")
        page.until("CARD.querySelectorAll('.name')[2].textContent === 'Visit 0' || CARD.textContent.includes('A cat')")


def test_the_address_of_an_event_that_was_forgotten_says_so(page: Page, home: Household) -> None:
    page.open("/blikk-timeline?blikk_event=front_door-1&blikk_time=2026-01-01T00:00:00Z")
    page.until("CARD.querySelector('.banner')?.textContent === 'This event is no more'")


def test_a_dashboard_opens_an_event_by_the_same_address(page: Page, home: Household) -> None:
    page.open(address(home, OLDER[3]).replace("/blikk-timeline", "/card-yaml/0"))
    page.until("CARD.querySelector('.opened .name')?.textContent === 'Visit 3'")


# ---- what goes and comes back


def test_a_node_that_is_away_is_reported_of_and_its_events_come_back_with_it(page: Page, home: Household) -> None:
    home.node.stop()
    page.open("/card-yaml/0", rows=0)
    page.until("CARD.querySelector('.banner')?.textContent.startsWith('Hallway Pi is not connected')")
    home.node.start()
    page.until("CARD.querySelector('.banner') === null && CARD.querySelectorAll('.row').length === 10")


def test_a_page_that_is_open_lives_through_a_restart_of_home_assistant(page: Page, home: Household) -> None:
    before = page.rows()
    home.ha.restart()
    home.until_online()
    revisions = itertools.count(1)

    def appeared() -> bool:
        # whoever is not subscribed yet misses it, and the same revision is shown once
        home.publish("front_door/event", home.event(4, revision=next(revisions)))
        return page.rows() != before

    wait_for("the event is shown", appeared, 60)


def test_without_the_node_the_cards_say_that_there_is_no_camera(page: Page, home: Household) -> None:
    (entry,) = home.ha.command({"type": "config_entries/get", "domain": "blikk"})
    home.ha.delete(f"/api/config/config_entries/entry/{entry['entry_id']}")
    page.until("CARD.querySelector('.notice p')?.textContent === 'There is no camera of Blikk Edge here'")


def example(name: str) -> dict[str, Any]:
    """A message of the contract."""
    content: dict[str, Any] = json.loads((ROOT / "contract" / "examples" / f"{name}.json").read_text())
    return content
