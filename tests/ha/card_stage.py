"""A household for the dashboard cards: a real Home Assistant with the component, a real node with a past, a browser.

The node's cameras look at pictures in which nothing moves; what is new comes from the test, as messages of the node.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import daytime
import numpy as np
from broker import Broker
from headless import Chromium
from ports import free_port
from real_ha import RealHomeAssistant, wait_for
from staging import BlikkRun, Ears

from blikk_edge.core.clock import SystemClock
from blikk_edge.core.observation import Event, Observed, Phase
from blikk_edge.core.picture import Picture
from blikk_edge.core.sightings import Label
from blikk_edge.core.summary import Author, Importance, Summary
from blikk_edge.sinks.album import PictureAlbum
from blikk_edge.store.store import Store
from blikk_edge.wire.pictures import commented

ROOT = Path(__file__).parents[2]
BASE = "blikk/hallway_pi"
TOKEN = "0123456789abcdef"
CARDS = {"custom_components/blikk": ROOT / "custom_components" / "blikk"}
NODE = """\
node: {{id: hallway_pi, name: Hallway Pi}}
mqtt: {{host: 127.0.0.1, port: {port}}}
store: {{path: {folder}/hallway.db}}
models: {{offline: true, cache: {folder}/models}}
http: {{port: {http}, tokens: {{view: "{token}"}}}}
media: {{folder: {folder}/album}}
cameras:
  front_door:
    source: {folder}/front_door.jpg
    ring: true
    zones:
      porch: {{polygon: [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]}}
      path: {{polygon: [[0.5, 0], [1, 0], [1, 1], [0.5, 1]]}}
  garden:
    source: {folder}/garden.jpg
    zones:
      lawn: {{polygon: [[0, 0.5], [1, 0.5], [1, 1], [0, 1]]}}
"""
# every element of the page that matches, through all shadow roots
ALL = """((selector) => {
  const found = [];
  const walk = (node) => {
    if (node.nodeType === 1 && node.matches(selector)) found.push(node);
    if (node.shadowRoot) walk(node.shadowRoot);
    node.childNodes.forEach(walk);
  };
  walk(document);
  return found;
})"""


@dataclass(frozen=True, kw_only=True)
class Visit:
    """Something that happened `ago_s` before the stage was set."""

    ago_s: float
    label: Label = Label.PERSON
    camera: str = "front_door"
    lasted_s: float = 30.0
    zones: tuple[str, ...] = ("porch",)
    title: str | None = None
    text: str = ""
    importance: Importance = Importance.NORMAL
    source: Author = Author.TEMPLATE
    peak: int = 1
    loitering: bool = False
    picture: bytes | None = None

    def event(self, now: float) -> Event:
        """As its node kept it when it had ended."""
        started = now - self.ago_s
        return Event(
            id=f"{self.camera}-{round(started * 1000)}",
            camera=self.camera,
            phase=Phase.ENDED,
            revision=2,
            time=started + self.lasted_s,
            started=started,
            ended=started + self.lasted_s,
            label=self.label,
            reason=Observed.LEFT,
            zones=self.zones,
            peak=self.peak,
            loitering=self.loitering,
            picture=self.label.value if self.picture else None,
        )


def keep(folder: Path, visits: list[Visit], now: float) -> None:
    """Write what happened into the store and the album that the node will open."""
    store = Store(folder / "hallway.db")
    store.open()
    album = PictureAlbum(folder / "album", clock=SystemClock(), max_bytes=10**8, keep_days=14)
    for visit in sorted(visits, key=lambda each: -each.ago_s):
        event = visit.event(now)
        store.put(event)
        if visit.title:
            store.put(
                Summary(
                    id=f"{event.id}-summary", camera=event.camera, event=event.id, revision=2, time=event.time,
                    since=event.started, until=event.time, title=visit.title, text=visit.text,
                    importance=visit.importance, labels=(event.label,), source=visit.source,
                    model="a-model" if visit.source is Author.LLM else None,
                )
            )  # fmt: skip
        if visit.picture:
            album.keep(
                Picture(
                    camera=event.camera, name=event.label.value, time=event.started + 1, jpeg=visit.picture,
                    width_px=640, height_px=480, event=event.id,
                )
            )  # fmt: skip
    store.close()


def jpeg(*colours: int, width: int = 640, height: int = 480, event: str | None = None) -> bytes:
    """A picture in one colour (BGR), which says of which event it is."""
    pixels = np.full((height, width, 3), colours or (120, 90, 60), np.uint8)
    content = bytes(cv2.imencode(".jpg", pixels)[1].tobytes())
    if event is None:
        return content
    return commented(
        Picture(
            camera="front_door", name="person", time=0.0, jpeg=content, width_px=width, height_px=height, event=event
        )
    )


@dataclass
class Household:
    """Everything that runs."""

    ha: RealHomeAssistant
    ears: Ears
    node: BlikkRun
    now: float
    folder: Path

    def dashboard(self, *cards: dict[str, Any], path: str = "card-test") -> None:
        """Have these cards, each a section of its own, on the dashboard `/<path>/0`."""
        paths = {each["url_path"] for each in self.ha.command({"type": "lovelace/dashboards/list"})}
        if path not in paths:
            self.ha.command({"type": "lovelace/dashboards/create", "url_path": path, "title": "Cards"})
        sections = [{"type": "grid", "cards": [card]} for card in cards]
        config = {"views": [{"type": "sections", "title": "Cards", "max_columns": 2, "sections": sections}]}
        self.ha.command({"type": "lovelace/config/save", "url_path": path, "config": config})

    @contextmanager
    def browser(
        self, *, language: str = "en", dark: bool = False, width_px: int = 1000, height_px: int = 1000
    ) -> Iterator[Chromium]:
        """A browser in which somebody is signed in."""
        folder = self.folder / f"chromium-{time.monotonic_ns()}"
        with Chromium(folder, width_px=width_px, height_px=height_px) as browser:
            browser.live_in(daytime.MORNING)
            browser.remember(
                self.ha.url, hassTokens=self.ha.signed_in(), selectedLanguage=f'"{language}"',
                dockedSidebar='"always_hidden"', selectedTheme=json.dumps({"dark": dark, "theme": "default"}),
            )  # fmt: skip
            yield browser

    def until_online(self) -> None:
        """Wait until both cameras are there."""

        def online() -> bool:
            cameras = self.ha.command({"type": "blikk/cameras"})["cameras"]
            return len(cameras) == 2 and all(camera["online"] for camera in cameras)

        wait_for("the cameras are online", online, 60)

    def publish(self, topic: str, content: object) -> None:
        """A message of the node."""
        payload = content if isinstance(content, bytes | str) else json.dumps(content)
        self.ears.say(f"{BASE}/{topic}", payload)

    def event(self, number: int, **more: Any) -> dict[str, Any]:
        """A message of an event that begins now."""
        content = json.loads((ROOT / "contract" / "examples" / "event-started.json").read_text())
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        return {**content, "id": f"front_door-new-{number}", "time": now, "started": now, **more}


@contextmanager
def household(python: str, folder: Path, visits: list[Visit], *, more: str = "") -> Iterator[Household]:
    """Start it all, add the node with its token, and have its cameras online."""
    now = time.time()
    keep(folder, visits, now)
    for number, camera in enumerate(("front_door", "garden")):
        (folder / f"{camera}.jpg").write_bytes(jpeg(90 + 60 * number, 120, 80))
    with Broker(folder) as broker:
        http = free_port()
        config = NODE.format(port=broker.port, folder=folder, token=TOKEN, http=http)
        with (
            RealHomeAssistant(python, folder, mqtt_port=broker.port, copies=CARDS, more=more) as ha,
            BlikkRun(folder, config, models=None) as node,
            Ears(broker.port) as ears,
        ):
            add_node(ha, http)
            home = Household(ha, ears, node, now, folder)
            home.until_online()
            yield home


def add_node(ha: RealHomeAssistant, http: int) -> None:
    """Confirm the node that is found, and give the token of its server on port `http`."""
    begun = ha.post("/api/config/config_entries/flow", {"handler": "blikk", "entry_id": ha.add_node()})
    given = {"prefix": "blikk", "media_url": f"http://127.0.0.1:{http}", "token": TOKEN, "verify_ssl": True}
    done = ha.post(f"/api/config/config_entries/flow/{begun['flow_id']}", given)
    assert done["reason"] == "reconfigure_successful", done
