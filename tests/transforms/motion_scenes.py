"""Pictures made for the motion tests: a yard with edges and texture, walkers, and what light and cameras do to it."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import av
import cv2
import numpy as np

from blikk_edge.core.scene import Frame, Pixels, Scene
from blikk_edge.core.sightings import Motion, View
from blikk_edge.transforms.motion.gate import MotionGate

FPS = 5.0
# Drawn once: noise for every frame would take most of the tests' time.
_NOISE = np.random.default_rng(0).standard_normal(3_000_000, np.float32)
Timed = tuple[float, Pixels]


def no_colour() -> Pixels:
    raise AssertionError("the motion gate asked for colour")


def look(gate: MotionGate, time: float, luma: Pixels, timeline: int = 0) -> Motion:
    frame = Frame(camera="yard", seq=0, time=time, luma=luma, convert=no_colour, timeline=timeline)
    return gate(Scene(frame=frame, motion=Motion(view=View.QUIET))).motion


def watch(frames: Iterable[Timed], gate: MotionGate | None = None) -> list[tuple[float, Motion]]:
    gate = gate or MotionGate()
    return [(time, look(gate, time, luma)) for time, luma in frames]


def yard(width: int = 640, height: int = 480, seed: int = 7) -> np.ndarray:
    """A view with walls, windows, a path, grass: float32 grey levels, the same at any size."""
    rng = np.random.default_rng(seed)
    view = np.full((480, 640), 110, np.float32)
    view[:180] = 170
    view += cv2.resize(rng.normal(0, 14, (60, 80)).astype(np.float32), (640, 480), interpolation=cv2.INTER_CUBIC)
    for _ in range(45):
        x, y = int(rng.integers(0, 600)), int(rng.integers(0, 440))
        w, h = int(rng.integers(15, 120)), int(rng.integers(15, 120))
        cv2.rectangle(view, (x, y), (x + w, y + h), float(rng.integers(30, 225)), -1)
    for _ in range(25):
        a, b = rng.integers(0, 480, 2), rng.integers(0, 480, 2)
        cv2.line(view, a.tolist(), b.tolist(), float(rng.integers(20, 235)), int(rng.integers(2, 8)))
    view = cv2.GaussianBlur(view, (0, 0), 1.0)
    return cv2.resize(view, (width, height), interpolation=cv2.INTER_AREA if width < 640 else cv2.INTER_CUBIC)


def with_person(view: np.ndarray, x: float, *, bottom: float = 0.9, tall: float = 0.4, grey: float = 35) -> np.ndarray:
    """The view with somebody `tall` of the picture's height at `x`, in dark trousers, a lighter coat, with a head."""
    height, width = view.shape
    h = tall * height
    w = h * 0.3
    cx, foot = x * width, bottom * height
    shown = view.copy()

    def part(x1: float, y1: float, x2: float, y2: float, level: float) -> None:
        corners = ((round(cx + x1 * w), round(foot - y1 * h)), (round(cx + x2 * w), round(foot - y2 * h)))
        cv2.rectangle(shown, *corners, level, -1)

    part(-0.35, 0.45, 0.35, 0.0, grey)
    part(-0.5, 0.85, 0.5, 0.42, grey + 40)
    part(-0.2, 1.0, 0.2, 0.85, grey + 120)
    return shown


def frame(view: np.ndarray, rng: np.random.Generator | None = None, sigma: float = 2.0) -> Pixels:
    """The view as a camera gives it: with sensor noise, clipped, in whole grey levels."""
    if rng is None:
        return np.clip(np.rint(view), 0, 255).astype(np.uint8)
    height, width = view.shape
    start = int(rng.integers(0, _NOISE.size - view.size))
    noise = _NOISE[start : start + view.size].reshape(height, width)
    return np.clip(np.rint(view + noise * np.float32(sigma)), 0, 255).astype(np.uint8)


def times(start: float, end: float, fps: float = FPS) -> list[float]:
    return [round(k / fps, 6) for k in range(round(start * fps), round(end * fps))]


def still(view: np.ndarray, start: float, end: float, *, sigma: float = 2.0, fps: float = FPS) -> Iterator[Timed]:
    rng = np.random.default_rng(int(start * 1000) + 1)
    for time in times(start, end, fps):
        yield time, frame(view, rng, sigma)


def night(view: np.ndarray, seed: int = 3) -> np.ndarray:
    """The same place in infrared: other materials shine, some contrasts turn round, the lamp lights the middle."""
    height, width = view.shape
    rng = np.random.default_rng(seed)
    material = cv2.resize(rng.uniform(0, 1, (6, 8)).astype(np.float32), (width, height))
    reflected = np.where(material > 0.65, 230 - view, 0.8 * view) + 10
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    away = ((x / width - 0.5) ** 2 + (y / height - 0.5) ** 2) / 0.5
    return (reflected * (1.1 - 0.9 * away)).astype(np.float32)


def clip(path: Path, *, fps: float | None = None) -> Iterator[Timed]:
    """The luma planes of a real clip, as views of the decoder's memory, thinned to `fps`."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        due = -1.0
        for picture in container.decode(stream):
            if fps is not None and picture.time < due - 1e-3:
                continue
            due = picture.time + (1 / fps if fps else 0)
            plane = picture.planes[0]
            rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
            yield float(picture.time), rows[: picture.height, : picture.width]
