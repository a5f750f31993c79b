"""Makes the clip of an assembly line: 60 components on a belt, of which 9 lie askew, in light that changes.

    python make_clip.py line.mp4 [--components 60] [--seed 1]

Beside the clip it writes `line.json`: for each component, counted from 1, by how many degrees it is turned, and when
its middle passes the middle of the picture, in seconds. 1920 x 1080 at 30 fps, H.264; a component comes each second.
"""

import argparse
import json
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

WIDTH_PX, HEIGHT_PX, FPS = 1920, 1080, 30
SPEED_PX_S = 800.0
LENGTH_PX, BREADTH_PX = 300, 150
LANE_PX = 560
"""Where the middle of the components is, from above."""
FIRST_S = 2.0
EVERY_S = 1.0
STRAIGHT_DEG = 3.0
ASKEW_DEG = (7.0, 20.0)
ASKEW_SHARE = 9 / 60


@dataclass(frozen=True)
class Component:
    """One component.

    Attributes:
        number: Counted from 1.
        angle: By how many degrees it is turned.
        time: When its middle passes the middle of the picture, in seconds of the clip.
        shade: How bright it is, 0..1.
    """

    number: int
    angle: float
    time: float
    shade: float


def components(count: int, seed: int) -> list[Component]:
    """Each of them; the same seed gives the same."""
    random = np.random.default_rng(seed)
    askew = set(random.choice(np.arange(1, count + 1), round(count * ASKEW_SHARE), replace=False).tolist())
    made = []
    for number in range(1, count + 1):
        angle = random.uniform(*ASKEW_DEG) * random.choice((-1, 1))
        if number not in askew:
            angle = random.uniform(-STRAIGHT_DEG, STRAIGHT_DEG)
        time = FIRST_S + EVERY_S * (number - 1) + random.uniform(-0.08, 0.08)
        made.append(Component(number, round(float(angle), 2), round(float(time), 3), float(random.uniform(0.75, 1.0))))
    return made


def light(at: float) -> tuple[float, float]:
    """How bright it is at this second, at the left and at the right: clouds pass, a lamp is switched off and on."""
    cloud = 0.72 + 0.28 * np.sin(at * 0.35)
    lamp = 0.55 if 25.0 <= at < 40.0 else 1.0
    return cloud * lamp, (0.9 + 0.1 * np.sin(at * 0.9)) * (0.7 + 0.3 * lamp)


def picture(at: float, parts: list[Component], belt: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """The line at this second, (1080, 1920) uint8 grey."""
    moved = np.roll(belt, int(SPEED_PX_S * at) % belt.shape[1], axis=1)
    for part in parts:
        x = WIDTH_PX / 2 + SPEED_PX_S * (at - part.time)
        if -LENGTH_PX < x < WIDTH_PX + LENGTH_PX:
            corners = cv2.boxPoints(((x, float(LANE_PX)), (LENGTH_PX, BREADTH_PX), part.angle))
            # in sixteenths of a pixel: a component does not jump from pixel to pixel
            cv2.fillConvexPoly(moved, np.round(corners * 16).astype(np.int32), 190 * part.shade, cv2.LINE_AA, 4)
            hole = np.round(np.array([x, LANE_PX]) * 16).astype(int)
            cv2.circle(moved, tuple(map(int, hole)), 30 * 16, 70.0, -1, cv2.LINE_AA, 4)
    left, right = light(at)
    moved *= np.linspace(left, right, WIDTH_PX, dtype=np.float32)
    shift = int(at * 7919) % (noise.shape[1] - WIDTH_PX)
    moved += noise[:, shift : shift + WIDTH_PX]
    return cv2.convertScaleAbs(cv2.max(moved, 0))


def make(path: Path, *, count: int = 60, seed: int = 1) -> list[Component]:
    """Write the clip and, beside it, what is in it."""
    parts = components(count, seed)
    random = np.random.default_rng(seed)
    belt = cv2.GaussianBlur(random.normal(62, 30, (HEIGHT_PX, WIDTH_PX)).astype(np.float32), (0, 0), 3)
    belt[: LANE_PX - 260] = 105
    belt[LANE_PX + 260 :] = 105
    noise = random.normal(0, 3, (HEIGHT_PX, WIDTH_PX + 512)).astype(np.float32)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        stream.thread_count = 1  # x264 would cut each picture into slices, one a thread
        stream.options = {"crf": "26", "preset": "ultrafast", "g": "30"}
        for number in range(int((parts[-1].time + FIRST_S) * FPS)):
            grey = picture(number / FPS, parts, belt, noise)
            frame = av.VideoFrame.from_ndarray(grey, format="gray")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    path.with_suffix(".json").write_text(json.dumps([asdict(part) for part in parts], indent=1), encoding="utf-8")
    return parts


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description="Makes the clip of an assembly line.")
    asked.add_argument("path", type=Path, help="where the clip is written to, such as line.mp4")
    asked.add_argument("--components", type=int, default=60, help="how many pass (60)")
    asked.add_argument("--seed", type=int, default=1, help="the same number gives the same clip (1)")
    given = asked.parse_args()
    askew = [part.number for part in make(given.path, count=given.components, seed=given.seed) if abs(part.angle) > 5]
    print(f"{given.path}: {given.components} components, askew are {askew}")
