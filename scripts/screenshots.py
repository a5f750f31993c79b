"""Stages a visit in a real Home Assistant and photographs a camera's device page, dashboards and cards for the docs.

    python scripts/screenshots.py PYTHON        PYTHON has Home Assistant; `scripts/ha_env` prints it

Everything is real: the broker, the RTSP stream of the demo's clip, `blikk run`, llama.cpp. Only the language model has
random weights, so its figures count true calls, and the sentences are the template's.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import av
import numpy as np

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / folder) for folder in ("tests", "tests/ha", "tests/e2e", "scripts")]

from broker import Broker  # noqa: E402 (found in the folders above)
from card_stage import ALL, TOKEN, Visit, add_node, keep  # noqa: E402
from headless import Chromium  # noqa: E402
from ports import free_port  # noqa: E402
from real_ha import RealHomeAssistant, wait_for  # noqa: E402
from rtsp_server import RtspServer  # noqa: E402
from staging import BlikkRun, write_clip  # noqa: E402
from tiny_gguf import tiny_model  # noqa: E402

from blikk_edge.core.sightings import Label  # noqa: E402
from blikk_edge.demo import clip  # noqa: E402

FOLDER = ROOT / "docs" / "images"
DATA = Path(os.environ.get("BLIKK_TEST_DATA", ROOT.parent / "shared" / "data"))
MORE = "recorder:\nhistory:\nlogbook:\n"
WIDTH_PX = 1280
NODE = """\
node: {{id: hallway_pi, name: Hallway Pi}}
mqtt: {{host: 127.0.0.1, port: {port}}}
health_every_s: 10s
store: {{path: {folder}/hallway.db}}
http: {{port: {http}, tokens: {{view: "{token}"}}}}
media: {{folder: {folder}/album}}
summary: {{provider: llama, model: {model}, threads: 1}}
cameras:
  front_door:
    source: {source}
    ring: true
    questions: {{someone: "Is someone at the door?"}}
"""


def tile(entity: str, **more: Any) -> dict[str, Any]:
    """A tile card."""
    return {"type": "tile", "entity": entity, **more}


def picture(entity: str, name: str) -> dict[str, Any]:
    """A card with the picture of a camera or image entity."""
    return {"type": "picture-entity", "entity": entity, "name": name, "show_state": False, "show_name": True}


def section(title: str, icon: str, *cards: dict[str, Any]) -> dict[str, Any]:
    """A column of the dashboard."""
    return {"type": "grid", "cards": [{"type": "heading", "heading": title, "icon": icon}, *cards]}


WIDE = {"grid_options": {"columns": "full"}}
TEXT = "{{ state_attr('sensor.front_door_last_summary', 'text') }}"
DASHBOARD = {
    "views": [
        {
            "type": "sections",
            "title": "Front door",
            "max_columns": 3,
            "sections": [
                section(
                    "Front door",
                    "mdi:door",
                    picture("camera.front_door", "Now"),
                    tile("binary_sensor.front_door_person", name="Person"),
                    tile("binary_sensor.front_door_motion", name="Motion"),
                    tile("event.front_door_doorbell", name="Doorbell"),
                    tile("switch.front_door_detection", name="Detection"),
                ),
                section(
                    "What happened",
                    "mdi:text-box-outline",
                    picture("image.front_door_last_person", "Last person"),
                    tile("sensor.front_door_last_summary", name="Last summary", **WIDE),
                    {"type": "markdown", "content": TEXT},
                    tile("binary_sensor.front_door_is_someone_at_the_door", name="Is someone at the door?", **WIDE),
                ),
                section(
                    "Hallway Pi",
                    "mdi:raspberry-pi",
                    *(
                        tile(f"{kind}.hallway_pi_{key}", name=name)
                        for kind, key, name in (
                            ("binary_sensor", "connection", "Connection"),
                            ("sensor", "cpu", "CPU"),
                            ("sensor", "memory", "Memory"),
                            ("sensor", "inference_time", "Inference time"),
                            ("sensor", "language_model", "Language model"),
                            ("sensor", "llm_calls_today", "LLM calls today"),
                            ("sensor", "llm_tokens_today", "LLM tokens today"),
                            ("sensor", "llm_tokens_left", "LLM tokens left"),
                        )
                    ),
                ),
            ],
        }
    ]
}


CARDS = {
    "views": [
        {
            "type": "sections",
            "title": "What happened",
            "max_columns": 2,
            "sections": [
                {"type": "grid", "cards": [{"type": "custom:blikk-timeline-card", "limit": 6}]},
                {"type": "grid", "cards": [{"type": "custom:blikk-camera-card", "entity": "camera.front_door"}]},
            ],
        }
    ]
}
PAST = [
    Visit(ago_s=3_000, label=Label.PACKAGE, lasted_s=1260.0, title="A parcel was left",
          text="It lay there for 21 minutes."),
    Visit(ago_s=8_000, label=Label.VEHICLE, lasted_s=9.0),
    Visit(ago_s=80_000, label=Label.PERSON, lasted_s=75.0, title="Two people at the front door",
          text="Two people came to the front door, stayed for a minute and left.", peak=2),
]  # fmt: skip


def film(path: Path) -> None:
    """The demo's clip in another order: the cat comes by, then the visitor, who stands there for two minutes."""
    clip.make(path)
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    # a frozen picture would cost less to decode than any camera's
    noise = np.random.default_rng(1)
    stands = [np.clip(frames[80] + noise.normal(0, 2, frames[80].shape), 0, 255).astype(np.uint8) for _ in range(20)]
    write_clip(path, [*frames[180:], *frames[:80], *stands * 60], crf=20)


def settle(ha: RealHomeAssistant) -> None:
    """Confirm the node and wait until the visitor stands there, has rung and is told of."""

    def reads(entity: str, text: str) -> bool:
        return text in ha.states().get(entity, {}).get("state", "")

    wait_for("the cat is told of", lambda: reads("sensor.front_door_last_summary", "cat"), 60)
    ha.post("/api/services/button/press", {"entity_id": "button.front_door_describe"})  # asks the model
    wait_for("the visitor", lambda: reads("binary_sensor.front_door_person", "on"), 60)
    time.sleep(4)  # she comes in from the side
    ha.post("/api/services/mqtt/publish", {"topic": "blikk/hallway_pi/front_door/set/ring", "payload": "PRESS"})
    wait_for("the visitor is told of", lambda: reads("sensor.front_door_last_summary", "erson"), 60)
    wait_for("the model was asked", lambda: not reads("sensor.hallway_pi_llm_calls_today", "0"), 60)


def photograph(ha: RealHomeAssistant, folder: Path) -> None:
    """Both pages, each as high as it wants to be shown."""
    ha.command(
        {"type": "lovelace/dashboards/create", "url_path": "front-door", "title": "Front door", "icon": "mdi:door"}
    )
    ha.command({"type": "lovelace/config/save", "url_path": "front-door", "config": DASHBOARD})
    ha.command({"type": "lovelace/dashboards/create", "url_path": "what-happened", "title": "What happened"})
    ha.command({"type": "lovelace/config/save", "url_path": "what-happened", "config": CARDS})
    device = ha.devices()["Front door"]["id"]
    live = f"{ALL}('blikk-camera-card')[0].shadowRoot.querySelector('canvas.live')"
    for name, path, width_px, height_px, shows in (
        ("device", f"/config/devices/device/{device}", WIDTH_PX, 1380, ["Last person", "Is someone at the door?"]),
        ("dashboard", "/front-door/0", WIDTH_PX, 640, ["Last summary", "LLM tokens left"]),
        ("cards", "/what-happened/0", 960, 800, ["since", "A parcel was left"]),
        ("timeline", "/blikk-timeline", 360, 640, ["desde", "Cronología"]),
    ):
        language, dark = ("es", True) if name == "timeline" else ("en", False)
        with Chromium(folder / f"chromium-{name}", width_px=width_px, height_px=height_px) as browser:
            browser.remember(
                ha.url, hassTokens=ha.signed_in(), selectedLanguage=json.dumps(language),
                dockedSidebar='"always_hidden"', selectedTheme=json.dumps({"dark": dark, "theme": "default"}),
            )  # fmt: skip
            browser.open(ha.url + path, shows=shows)
            if name == "cards":  # the live picture, with a box around the visitor
                browser.until(f"{live}?.hidden === false && Number({live}.dataset.tracks) > 0", 120)
            save(browser.photograph(), f"home-assistant-{name}.png")


def save(png: bytes, name: str) -> None:
    """Write a PNG with a palette of 256 colours, to keep the repository small."""
    colours = "split[a][b];[a]palettegen=reserve_transparent=0[p];[b][p]paletteuse=dither=sierra2_4a"
    path = FOLDER / name
    command = ["ffmpeg", "-v", "error", "-y", "-i", "-", "-vf", colours, "-pix_fmt", "pal8", str(path)]
    subprocess.run(command, input=png, check=True, timeout=60)
    print(path.relative_to(ROOT), path.stat().st_size // 1000, "kB")


def main() -> int:
    """Stage it and write both pictures."""
    with ExitStack() as stage:
        folder = Path(stage.enter_context(tempfile.TemporaryDirectory()))
        film(folder / "visit.mp4")
        server = stage.enter_context(RtspServer(folder / "visit.mp4"))
        broker = stage.enter_context(Broker(folder))
        model = tiny_model(folder / "tiny.gguf")
        http = free_port()
        node = NODE.format(port=broker.port, folder=folder, source=server.url, model=model, token=TOKEN, http=http)
        keep(folder, PAST, time.time())
        models = DATA / "models"
        component = {"custom_components/blikk": ROOT / "custom_components" / "blikk"}
        ha = stage.enter_context(
            RealHomeAssistant(sys.argv[1], folder, mqtt_port=broker.port, copies=component, more=MORE)
        )
        stage.enter_context(BlikkRun(folder, node, models=models if models.is_dir() else None))
        add_node(ha, http)
        settle(ha)
        photograph(ha, folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
