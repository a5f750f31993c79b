"""Scenes in which nobody is: an hour of each, drawn over real empty views, as a camera would stream them.

Nothing is random but by the seed. Luma is float32 grey levels; a scene is drawn, given noise and clipped, and then
encoded and decoded, so that the motion gate sees what a codec leaves of it.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from blikk_edge.core.scene import Pixels

FPS = 5
WIDTH, HEIGHT = 640, 360
KEYFRAME_S = 4
START = 1_700_000_000.0

Grey = np.ndarray
"""(HEIGHT, WIDTH) float32."""


@dataclass(frozen=True, slots=True)
class View:
    """An empty view by day, as a camera sees it in colour and by its own infrared lamp.

    Attributes:
        luma: Grey levels by day.
        chroma: (2, HEIGHT / 2, WIDTH / 2) float32, around 0, by day.
        infrared: Grey levels by the lamp: leaves and cloth shine, the middle is bright and the corners dark.
        dark: Grey levels by a street lamp, in a tenth of the light.
    """

    luma: Grey
    chroma: Grey
    infrared: Grey
    dark: Grey


@dataclass(frozen=True, slots=True)
class Shot:
    """What the sensor gets in one frame.

    Attributes:
        luma: Grey levels, without noise.
        colour: By how much the colours of the view are weakened: 1 by day, 0 in infrared.
        sigma: Noise, grey levels.
        after: What is drawn over the picture by the camera itself, after the noise.
    """

    luma: Grey
    colour: float = 1.0
    sigma: float = 2.0
    after: Callable[[Pixels], None] | None = None


Scene = Callable[[View, np.random.Generator, float], Iterator[Shot]]
"""A scene of so many seconds in a view."""

# Clip, frames in which nobody is, part of the picture without parked cars (x1, y1, x2, y2).
EMPTY = {
    "corridor": ("video/intel_sample/one-by-one-person-detection.mp4", range(0, 62, 3), (0.0, 0.0, 1.0, 1.0)),
    "street": ("video/dvr_scan/issue53_brightness_change.avi", range(0, 59, 3), (0.0, 0.45, 0.8, 1.0)),
    "yard": ("video/oddities/clip.mp4", range(10), (0.0, 0.0, 1.0, 1.0)),
    "motorway": ("video/cdnet_highway/bgslibrary_video03.avi", range(0, 1600, 25), (0.0, 0.0, 1.0, 1.0)),
    "lawn": ("video/vtest_pets09s2l1/vtest_first400.mp4", range(0, 400, 5), (0.0, 0.2, 0.82, 1.0)),
    "car park": ("video/intel_sample/car-detection.mp4", range(0, 54, 3), (0.0, 0.1, 1.0, 1.0)),
    "room": ("video/intel_sample_previews/people-detection.gif", range(16, 30), (0.0, 0.0, 1.0, 1.0)),
    "verge": ("video/dvr_scan/traffic_camera.mp4", range(0, 570, 15), (0.0, 0.28, 0.4, 0.72)),
    "gantry": ("video/dvr_scan/traffic_camera.mp4", range(0, 570, 15), (0.6, 0.2, 1.0, 0.68)),
    "bend": ("video/bgslibrary/video02.avi", range(0, 700, 9), (0.0, 0.15, 1.0, 1.0)),
    "lane": ("video/bgslibrary/video.avi", range(0, 50, 5), (0.0, 0.0, 1.0, 1.0)),
    "bedroom": ("images/coco128_lightly/images/val2017/000000000632.jpg", range(1), (0.0, 0.0, 1.0, 1.0)),
    "lounge": ("images/coco128_lightly/images/val2017/000000004495.jpg", range(1), (0.0, 0.0, 1.0, 1.0)),
}


def decoded(path: Path) -> Iterator[Pixels]:
    """The frames of a clip, (h, w, 3) BGR."""
    with av.open(str(path)) as container:
        for picture in container.decode(video=0):
            yield picture.to_ndarray(format="bgr24")


def median(path: Path, frames: range) -> Pixels:
    """The median of some frames of a clip, (h, w, 3) BGR: what moved in a few of them is gone."""
    clip = enumerate(itertools.islice(decoded(path), frames.stop))
    pictures = [picture for number, picture in clip if number in frames]
    stacked: Pixels = np.asarray(pictures, np.uint8)
    return np.median(stacked, axis=0).astype(np.uint8)


def view(data: Path, name: str) -> View:
    """One of `EMPTY`."""
    clip, frames, (x1, y1, x2, y2) = EMPTY[name]
    whole = median(data / clip, frames)
    height, width = whole.shape[:2]
    part = whole[int(y1 * height) : int(y2 * height), int(x1 * width) : int(x2 * width)]
    rows, columns = part.shape[:2]
    scale = max(WIDTH / columns, HEIGHT / rows)
    large = cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    top, left = (large.shape[0] - HEIGHT) // 2, (large.shape[1] - WIDTH) // 2
    bgr = np.ascontiguousarray(large[top : top + HEIGHT, left : left + WIDTH])
    planes = cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420).astype(np.float32)
    luma = planes[:HEIGHT]
    chroma = planes[HEIGHT:].reshape(2, HEIGHT // 2, WIDTH // 2) - 128
    return View(luma, chroma, infrared(bgr), dark(luma))


def infrared(bgr: Pixels) -> Grey:
    """What a camera without its filter sees of a view by its own lamp: no colour, other materials shine."""
    blue, green, red = (bgr[:, :, channel].astype(np.float32) for channel in range(3))
    leaves = np.maximum(0, green - (red + blue) / 2)
    reflected = 0.2 * blue + 0.3 * green + 0.5 * red + 2.0 * leaves
    return np.clip(reflected * lamp(*bgr.shape[:2]) + 8, 0, 255)


def lamp(height: int, width: int) -> Grey:
    """The light of a camera's own lamp: a bright spot in the middle, little in the corners."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    away = ((x / width - 0.5) ** 2 + (y / height - 0.55) ** 2) / 0.5
    return np.float32(0.12) + np.float32(0.95) * np.exp(-3.2 * away)


def dark(luma: Grey) -> Grey:
    """A tenth of the light: gamma .45 and contrast .5."""
    return ((luma / 255) ** np.float32(1 / 0.45) * np.float32(0.5 * 255) + 10).astype(np.float32)


# -- the scenes --------------------------------------------------------------------------------------------------------


def _steps(seconds: float) -> Iterator[float]:
    return (number / FPS for number in range(round(seconds * FPS)))


def day(view: View, rng: np.random.Generator, seconds: float) -> Iterator[Shot]:
    """Sun and clouds: the light drifts, and now and then falls within two seconds."""
    light = 1.0
    wanted, pace = 1.0, 0.02
    for _ in _steps(seconds):
        if rng.random() < 1 / (40 * FPS):
            wanted, pace = float(rng.uniform(0.55, 1.15)), float(rng.choice([0.01, 0.05, 0.25]))
        light += pace * (wanted - light)
        yield Shot(view.luma * np.float32(light))


def branches(view: View, rng: np.random.Generator, seconds: float) -> Iterator[Shot]:
    """A bough in the picture and its shadow on the ground, in gusts."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    near = np.exp(-(((x - 0.85 * WIDTH) / (0.16 * WIDTH)) ** 2 + ((y - 0.2 * HEIGHT) / (0.25 * HEIGHT)) ** 2))
    near += 0.8 * np.exp(-(((x - 0.08 * WIDTH) / (0.1 * WIDTH)) ** 2 + ((y - 0.5 * HEIGHT) / (0.3 * HEIGHT)) ** 2))
    leaves = cv2.GaussianBlur(rng.normal(0, 1, (HEIGHT, WIDTH)).astype(np.float32), (0, 0), 3.0)
    leaves *= np.float32(40) / leaves.std()
    ground = np.exp(-(((x - 0.55 * WIDTH) / (0.2 * WIDTH)) ** 2 + ((y - 0.8 * HEIGHT) / (0.15 * HEIGHT)) ** 2))
    spots = cv2.GaussianBlur(rng.normal(0, 1, (HEIGHT, WIDTH)).astype(np.float32), (0, 0), 7.0)
    spots = (spots > 0.3 * spots.std()).astype(np.float32)
    gust = 0.3
    for time in _steps(seconds):
        gust = 0.98 * gust + 0.02 * (6.0 if rng.random() < 0.25 else 0.3)
        sway = np.float32(gust * (3.0 * np.sin(2.3 * time) + 2.0 * np.sin(3.7 * time + 1)))
        shown = view.luma + near * cv2.remap(leaves, x + sway * near, y + 0.4 * sway * near, cv2.INTER_LINEAR)
        shade = cv2.remap(spots, x + 1.5 * sway * ground, y + 0.5 * sway * ground, cv2.INTER_LINEAR)
        yield Shot(shown * (1 - np.float32(0.35) * ground * shade))


def rain(view: View, rng: np.random.Generator, seconds: float) -> Iterator[Shot]:
    """Streaks through the whole picture, heavier and lighter, and drops that run down the glass."""
    drops: list[list[float]] = []
    grid_y, grid_x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    for time in _steps(seconds):
        heavy = 40 + 160 * (0.5 + 0.5 * np.sin(time / 97))
        streaks = np.zeros((HEIGHT, WIDTH), np.uint8)
        for _ in range(rng.poisson(heavy)):
            at, long = (int(rng.integers(0, WIDTH)), int(rng.integers(0, HEIGHT))), int(rng.integers(8, 40))
            cv2.line(streaks, at, (at[0] + long // 6, at[1] + long), int(rng.integers(12, 45)), 1, cv2.LINE_AA)
        shown = np.float32(0.8) * view.luma + 25 + cv2.GaussianBlur(streaks, (3, 3), 0)
        if rng.random() < 1 / (30 * FPS):
            drops.append([rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT / 2), rng.uniform(5, 16), 0.0])
        for drop in drops:
            drop[3] = rng.uniform(5, 40) if rng.random() < 0.03 else 0.5 * drop[3]
            drop[1] += drop[3]
            spot = np.exp(-((grid_x - drop[0]) ** 2 + (grid_y - drop[1]) ** 2) / (2 * drop[2] ** 2))
            shown += spot * np.float32(35)
        drops = [drop for drop in drops if drop[1] < HEIGHT + 30][-6:]
        yield Shot(shown, colour=0.7)


def night(view: View, rng: np.random.Generator, seconds: float) -> Iterator[Shot]:
    """A street lamp that flickers, a window that is lit and put out, and a sensor at its highest gain."""
    window = np.zeros((HEIGHT, WIDTH), np.float32)
    left, top = int(rng.integers(40, WIDTH - 120)), int(rng.integers(20, HEIGHT // 2))
    window[top : top + 50, left : left + 40] = 90
    window += cv2.GaussianBlur(window, (0, 0), 30)
    lit, sigma = False, 5.0
    for _ in _steps(seconds):
        lit ^= rng.random() < 1 / (120 * FPS)
        flicker = 0.8 if rng.random() < 0.01 else 1.0
        sigma = min(9.0, max(4.0, sigma + rng.normal(0, 0.02)))
        yield Shot(view.dark * np.float32(flicker) + (window if lit else 0), colour=0.35, sigma=sigma)


def insects(view: View, rng: np.random.Generator, seconds: float) -> Iterator[Shot]:
    """By the camera's own lamp: moths that fly past the lens, some that stay, and a spider's thread in the wind."""
    flying: list[list[float]] = []
    for time in _steps(seconds):
        shown = view.infrared.copy()
        busy = 0.15 if np.sin(time / 211) > 0 else 0.02
        if rng.random() < busy:
            flying.append([
                rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT), rng.normal(0, 70), rng.normal(0, 50),
                rng.choice([3, 5, 8, 14, 30]), rng.uniform(60, 200), float(rng.integers(2, 20)),
            ])  # fmt: skip
        spots = np.zeros((HEIGHT, WIDTH), np.float32)
        for moth in flying:
            x, y, dx, dy, size, bright, _ = moth
            end = (int(x + dx / 2), int(y + dy / 2))
            cv2.line(spots, (int(x), int(y)), end, float(bright), max(1, int(size)), cv2.LINE_AA)
            moth[0], moth[1], moth[6] = x + dx, y + dy, moth[6] - 1
            moth[2], moth[3] = 0.8 * dx + rng.normal(0, 30), 0.8 * dy + rng.normal(0, 25)
        flying = [m for m in flying if m[6] > 0 and -60 < m[0] < WIDTH + 60 and -60 < m[1] < HEIGHT + 60]
        bend = 60 * np.sin(0.9 * time) * (0.5 + 0.5 * np.sin(time / 61))
        thread = np.array([[80, -5], [95 + bend, HEIGHT / 2], [70, HEIGHT + 5]], np.int32).reshape(-1, 1, 2)
        cv2.polylines(spots, [thread], isClosed=False, color=55.0, thickness=3)
        yield Shot(shown + cv2.GaussianBlur(spots, (0, 0), 2.5), colour=0.0, sigma=3.5)


def headlights(view: View, rng: np.random.Generator, seconds: float) -> Iterator[Shot]:
    """A road outside of the picture: beams sweep over what is seen, and the shadows of posts with them."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    posts = [float(rng.uniform(0.1, 0.9) * WIDTH) for _ in range(3)]
    passing: list[list[float]] = []
    for _ in _steps(seconds):
        if rng.random() < 1 / (25 * FPS):
            speed = float(rng.uniform(15, 90)) * float(rng.choice([-1, 1]))
            passing.append([-0.4 * WIDTH if speed > 0 else 1.4 * WIDTH, speed, rng.uniform(0.5, 2.5)])
        beam = np.zeros((HEIGHT, WIDTH), np.float32)
        for car in passing:
            at, speed, bright = car
            cone = np.exp(-(((x - at) / (0.18 * WIDTH)) ** 2) - ((y - 0.6 * HEIGHT) / (0.35 * HEIGHT)) ** 2)
            for post in posts:
                shadow = post + 0.35 * (post - at)  # away from the lamp
                cone *= 1 - np.float32(0.85) * (np.abs(x - shadow - 0.2 * (y - HEIGHT / 2)) < 9)
            beam += np.float32(bright) * cone
            car[0] = at + speed
        passing = [car for car in passing if -0.6 * WIDTH < car[0] < 1.6 * WIDTH]
        yield Shot(view.dark * (1 + beam) + np.float32(12) * beam, colour=0.35, sigma=5.0)


def clock(view: View, rng: np.random.Generator, seconds: float) -> Iterator[Shot]:
    """The camera writes the time, its name and a blinking dot into the picture, by day or by its lamp."""
    by_lamp = bool(rng.integers(0, 2))
    for time in _steps(seconds):
        text = f"2026-11-30 {int(time) // 3600:02}:{int(time) // 60 % 60:02}:{int(time) % 60:02}"

        def write(luma: Pixels, text: str = text, dot: bool = int(time) % 2 == 0) -> None:
            cv2.putText(luma, text, (10, 26), cv2.FONT_HERSHEY_SIMPLEX, 0.75, 0, 4)
            cv2.putText(luma, text, (10, 26), cv2.FONT_HERSHEY_SIMPLEX, 0.75, 255, 2)
            cv2.putText(luma, "Camera 07", (WIDTH - 150, HEIGHT - 14), cv2.FONT_HERSHEY_SIMPLEX, 0.7, 255, 2)
            if dot:
                cv2.circle(luma, (WIDTH - 24, 20), 9, 255, -1)

        luma = view.infrared if by_lamp else view.luma
        yield Shot(luma, colour=0.0 if by_lamp else 1.0, sigma=3.5 if by_lamp else 2.0, after=write)


def dusk(view: View, rng: np.random.Generator, seconds: float) -> Iterator[Shot]:
    """A camera that cannot decide: to infrared and back, its filter clicking, its exposure far off for a second."""
    times = _steps(seconds)
    while True:
        for _ in itertools.islice(times, int(rng.uniform(15, 90) * FPS)):
            yield Shot(view.luma * np.float32(0.45), colour=0.7, sigma=3.5)
        for shot in switch(view, rng, to_infrared=True):
            if next(times, None) is None:
                return
            yield shot
        for _ in itertools.islice(times, int(rng.uniform(15, 90) * FPS)):
            yield Shot(view.infrared, colour=0.0, sigma=3.5)
        for shot in switch(view, rng, to_infrared=False):
            if next(times, None) is None:
                return
            yield shot


def switch(view: View, rng: np.random.Generator, *, to_infrared: bool) -> Iterator[Shot]:
    """Some frames: the filter crosses the picture, then the exposure is far off and finds its way."""
    evening = view.luma * np.float32(0.45)
    before, after = (evening, view.infrared) if to_infrared else (view.infrared, evening)
    edge = np.arange(WIDTH, dtype=np.float32)[None, :]
    if rng.random() < 0.7:
        crossed = edge < WIDTH * float(rng.uniform(0.2, 0.8))
        yield Shot(np.where(crossed, 0.3 * before, before), colour=0.4, sigma=3.5)
    if rng.random() < 0.5:
        yield Shot(np.full_like(before, 6.0), colour=0.0, sigma=1.5)
    exposure = float(rng.uniform(1.5, 3.0)) if to_infrared else float(rng.uniform(0.2, 0.5))
    for _ in range(int(rng.integers(4, 12))):
        exposure += 0.4 * (1 - exposure)
        yield Shot(after * np.float32(exposure), colour=0.0 if to_infrared else 0.7, sigma=4.5)


SCENES: dict[str, Scene] = {
    scene.__name__: scene for scene in (day, branches, rain, night, insects, headlights, clock, dusk)
}


# -- the camera --------------------------------------------------------------------------------------------------------


class Noise:
    """Sensor noise, drawn once: the same picture never comes twice, as it is cut out anew for each."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._drawn = rng.standard_normal(4 * HEIGHT * WIDTH, np.float32)

    def over(self, luma: Grey, sigma: float) -> Pixels:
        """The plane with noise, in whole grey levels."""
        start = int(self._rng.integers(0, self._drawn.size - luma.size))
        noise = self._drawn[start : start + luma.size].reshape(luma.shape)
        noisy = cv2.addWeighted(luma.astype(np.float32, copy=False), 1.0, noise, sigma, 0.0)
        return cv2.convertScaleAbs(np.maximum(noisy, 0, out=noisy))  # type: ignore[return-value]  # cv2 widens uint8


def pictures(view: View, shots: Iterator[Shot], rng: np.random.Generator) -> Iterator[Pixels]:
    """The shots as (1.5 * HEIGHT, WIDTH) uint8 planes of yuv420p."""
    noise = Noise(rng)
    planes = np.empty((HEIGHT * 3 // 2, WIDTH), np.uint8)
    for shot in shots:
        planes[:HEIGHT] = noise.over(shot.luma, shot.sigma)
        if shot.after is not None:
            luma = np.ascontiguousarray(planes[:HEIGHT])
            shot.after(luma)
            planes[:HEIGHT] = luma
        planes[HEIGHT:] = (view.chroma * np.float32(shot.colour) + 128).astype(np.uint8).reshape(-1, WIDTH)
        yield planes


def streamed(planes: Iterator[Pixels]) -> Iterator[av.VideoFrame]:
    """What a codec leaves of them: H.264 as cameras make it, a keyframe each four seconds."""
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    encoder.time_base, encoder.framerate, encoder.thread_count = Fraction(1, FPS), Fraction(FPS), 1
    encoder.options = {"crf": "27", "preset": "ultrafast", "tune": "zerolatency", "g": str(KEYFRAME_S * FPS)}
    decoder = av.CodecContext.create("h264", "r")
    decoder.thread_count = 1
    for number, picture in enumerate(planes):
        frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
        frame.pts, frame.time_base = number, Fraction(1, FPS)
        for packet in encoder.encode(frame):
            yield from decoder.decode(packet)
    for packet in encoder.encode(None):
        yield from decoder.decode(packet)
    yield from decoder.decode(None)
