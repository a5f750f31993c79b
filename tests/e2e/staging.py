"""What the end-to-end tests share: clips made here, a node as a user starts it, and ears on the broker."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import jsonschema
import numpy as np
import paho.mqtt.client as paho
from nowhere import NOWHERE
from patience import PATIENCE

SCHEMAS = Path(__file__).parents[2] / "contract" / "schemas"
PLUGINS = Path(__file__).parents[1] / "plugins"
BLIKK = Path(sys.executable).with_name("blikk")
FACE = (180, 60, 260, 170)
"""Where the astronaut's face is in `portrait`, x1 y1 x2 y2 in pixels of 480."""


def portrait(photographs: Path) -> np.ndarray:
    """The astronaut, 480 x 480 BGR."""
    with av.open(str(photographs / "astronaut.png")) as container:
        return next(container.decode(video=0)).reformat(width=480, height=480, format="bgr24").to_ndarray()


def dial_clip(path: Path) -> None:
    """A needle on a dial, as `plugins/blikk_needle.py` reads it: 20 degrees for 7 s, 70 for 10 s, 20 again for 13 s."""
    write_clip(path, [_dial(70 if 70 <= n < 170 else 20) for n in range(300)], crf=23)


def _dial(angle_deg: float) -> np.ndarray:
    """640 x 480 BGR; the needle begins in the middle of the dial's lower border."""
    y, x = np.mgrid[0:480, 0:640]
    right, up = x - 320, 384 - y
    direction = np.radians(angle_deg)
    along = right * np.cos(direction) + up * np.sin(direction)
    across = np.abs(up * np.cos(direction) - right * np.sin(direction))
    picture = np.full((480, 640, 3), 200, np.uint8)
    picture[(along >= 0) & (along < 150) & (across < 6)] = 20
    return picture


def coloured_clip(path: Path, photographs: Path) -> None:
    """The astronaut all in red comes, stays and goes, then all in blue: 17 s, in which nothing else changes."""
    visitor = portrait(photographs)[np.ix_(*[np.arange(400) * 480 // 400] * 2)]
    light = visitor.mean(axis=2, keepdims=True) / 160
    ways = (*(-380 + 25 * n for n in range(20)), *[120] * 20, *(120 + 26 * n for n in range(21)))
    pictures = []
    for bgr in ((30, 30, 230), (230, 70, 40)):
        coloured = np.clip(light * np.array(bgr), 0, 255).astype(np.uint8)
        pictures += [_yard()] * 25 + [_yard(coloured, left) for left in ways]
    write_clip(path, pictures)


def _yard(visitor: np.ndarray | None = None, left: int = 0) -> np.ndarray:
    """640 x 480 BGR; the visitor stands on the lower border."""
    picture = np.full((480, 640, 3), 120, np.uint8)
    picture[400:] = 90
    if visitor is not None:
        height, width = visitor.shape[:2]
        first, last = max(0, left), min(640, left + width)
        if first < last:
            picture[480 - height :, first:last] = visitor[:, first - left : last - left]
    return picture


def write_clip(path: Path, pictures: list[np.ndarray], *, fps: int = 10, crf: int = 18) -> None:
    """An H.264 clip of these BGR pictures."""
    height, width = pictures[0].shape[:2]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.thread_count = 1  # x264 would cut each picture into slices, one a thread
        stream.options = {"crf": str(crf), "preset": "veryfast", "g": "20", "bf": "0"}
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@dataclass
class Ears:
    """Everything a broker says from now on, kept over its restarts."""

    port: int
    heard: list[tuple[float, str, bytes, bool]] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        self._subscribed = threading.Event()
        self._client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_disconnect = lambda *_: self._subscribed.clear()
        self._client.on_message = lambda _c, _u, m: self.heard.append(
            (time.time(), m.topic, bytes(m.payload), bool(m.retain))
        )
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("127.0.0.1", self.port)
        self._client.loop_start()
        assert self._subscribed.wait(10 * PATIENCE)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        del self._client  # it closes its sockets when nobody has it, and what it calls has `self`

    def until_back(self) -> None:
        """Wait until it is subscribed again at a broker that was started anew: what is said before that is missed."""
        self.until(self._subscribed.is_set, 10, "the subscription")

    def say(self, topic: str, payload: bytes | str, *, retain: bool = False) -> None:
        # what is sent between socket and answer to the log-in is lost without a word
        self.until(self._client.is_connected, 10, "the connection")
        said = self._client.publish(topic, payload, qos=1, retain=retain)
        said.wait_for_publish(10)
        assert said.is_published()

    def on(self, ending: str) -> list[bytes]:
        return [payload for _, topic, payload, _ in list(self.heard) if topic.endswith(ending)]

    def json_on(self, ending: str) -> list[dict[str, Any]]:
        return [json.loads(payload) for payload in self.on(ending) if payload]

    def until(self, state: Callable[[], object], within_s: float, what: str) -> None:
        deadline = time.monotonic() + PATIENCE * within_s
        while not state():
            assert time.monotonic() < deadline, f"{what} did not come within {within_s:.0f} s; heard {self.topics()}"
            time.sleep(0.02)

    def topics(self) -> list[str]:
        return sorted({topic for _, topic, _, _ in list(self.heard)})


def kept(port: int) -> set[str]:
    """Every topic on which the broker at `port` keeps something: what somebody who subscribes now learns of."""
    with Ears(port) as late:
        late.say("the/end", b"")
        late.until(lambda: late.on("the/end"), 5, "the end")
        return {topic for _, topic, _, retained in late.heard if retained}


def follows_contract(ears: Ears, base: str) -> set[str]:
    """The last words of the topics below `base` that were checked against their schemas; raises ValidationError."""
    checked = set()
    for _, topic, payload, _ in list(ears.heard):
        schema = SCHEMAS / f"{topic.split('/')[-1]}.json"
        if topic.startswith(f"{base}/") and payload and schema.exists():
            jsonschema.validate(json.loads(payload), json.loads(schema.read_text()))
            checked.add(schema.stem)
    return checked


class BlikkRun:
    """`blikk run` in a process of its own, with its log kept."""

    def __init__(self, folder: Path, config: str, *, models: Path | None) -> None:
        self.folder = folder
        self.log_path = folder / "blikk.log"
        self._config = folder / "blikk.yaml"
        self._config.write_text(config)
        alone = NOWHERE | {"XDG_CACHE_HOME": str(folder / "cache")}
        kept = {k: v for k, v in os.environ.items() if k != "BLIKK_MODELS"}
        self.environ = kept | (alone if models is None else {"BLIKK_MODELS": str(models)})
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        return self.log_path.read_text()

    def start(self) -> None:
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [str(BLIKK), "run", "--config", str(self._config)], stdout=log, stderr=log, env=self.environ
            )

    def stop(self, within_s: float = 5.0 * PATIENCE) -> float:
        """SIGTERM; the seconds until it had ended."""
        assert self.process is not None
        started = time.monotonic()
        self.process.terminate()
        self.process.wait(within_s)
        return time.monotonic() - started

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(10 * PATIENCE)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()
        if error is not None:
            print(self.log)


class NeedleRun(BlikkRun):
    """The same with a plug-in that is installed beside it: the transform `needle` measures an angle."""

    def __init__(self, folder: Path, config: str, *, models: Path | None) -> None:
        super().__init__(folder, config, models=models)
        site = folder / "site"
        info = site / "blikk_needle-1.0.dist-info"
        info.mkdir(parents=True)
        shutil.copy(PLUGINS / "blikk_needle.py", site)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: blikk_needle\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[blikk.transforms]\nneedle = blikk_needle:KIND\n")
        path = (str(site), *filter(None, [os.environ.get("PYTHONPATH")]))
        self.environ = {**self.environ, "PYTHONPATH": os.pathsep.join(path)}
