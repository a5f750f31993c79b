"""Clips in which parcels are left and taken: drawn boxes and bags, put behind the people of a real clip.

The people are those of Intel's one-by-one-person-detection.mp4, cut out by how they differ from the clip's own empty
view. A parcel is drawn into that view, and the people before it: it comes into sight as the one who "brought" it walks
off, and is gone once the one who "took" it does. Nobody bends down: what the clips show of the deed is its result.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import cv2
import numpy as np

from blikk_edge.core.geometry import Box
from blikk_edge.core.scene import Pixels

CLIP = "video/intel_sample/one-by-one-person-detection.mp4"
FPS = 10
VISITS = ((58, 200), (224, 450), (500, 702), (740, 870), (922, 1202), (1232, 1364))
"""First and last frame of each visit, the empty view on both sides of it."""

EMPTY_S = 14.0
"""How long nobody is there between two visits: the clip's own breaks, of 3 s, are shorter than one waits at a door."""


@dataclass(frozen=True, slots=True)
class Light:
    """What the camera makes of the view.

    Attributes:
        gamma: Above 1 is darker.
        contrast: What is left of it.
        noise: Standard deviation, grey levels.
        grey: Without colour, as under infrared light.
    """

    gamma: float = 1.0
    contrast: float = 1.0
    noise: float = 2.0
    grey: bool = False

    def over(self, bgr: Pixels, noise: np.random.Generator) -> Pixels:
        """The picture as it is seen in it."""
        view = np.float32(255 * self.contrast) * (bgr / np.float32(255)) ** np.float32(self.gamma)
        if self.grey:
            view = cv2.cvtColor(cv2.cvtColor(view, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
        grain = _grain(self.noise)
        start = int(noise.integers(0, grain.size - view.size))
        return np.clip(view + grain[start : start + view.size].reshape(view.shape), 0, 255).astype(np.uint8)


@cache
def _grain(sigma: float) -> np.ndarray:
    return np.random.default_rng(7).standard_normal(3_000_000, np.float32) * np.float32(sigma)


DAY = Light()
DUSK = Light(gamma=1.6, contrast=0.75, noise=4.0)
NIGHT = Light(gamma=1.0 / 0.45, contrast=0.7, noise=4.0)
INFRARED = Light(gamma=0.9, contrast=0.7, noise=4.0, grey=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """One parcel of a clip.

    Attributes:
        foot: Where the middle of its lower edge is, shares of the picture.
        height: Its height, a share of the picture's.
        left: Which visit of the clip leaves it, counted from 0.
        taken: Which takes it; None: it stays.
        seed: Of its shape and colours.
        shift: How far it is pushed to the side in visit `pushed`, a share of the picture's width.
        pushed: That visit; None: none.
    """

    foot: tuple[float, float]
    height: float
    left: int
    taken: int | None = None
    seed: int = 0
    shift: float = 0.0
    pushed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A clip.

    Attributes:
        visits: Which of the people's visits follow each other.
        deeds: What they leave and take.
        light: How it is lit.
        switch: How it is lit from the middle of each empty stretch on, in turn; none: as it was.
        scale: How large the scene is, a share of the picture: below 1 it is put into its own empty view.
        empty_s: How long nobody is there between two visits.
    """

    visits: tuple[int, ...]
    deeds: tuple[Deed, ...] = ()
    light: Light = DAY
    switch: tuple[Light, ...] = ()
    scale: float = 1.0
    empty_s: float = EMPTY_S


@dataclass(slots=True)
class Truth:
    """What has to be found in a clip, seconds from its start.

    Attributes:
        boxes: Of each deed: where the parcel lies in the picture.
        left: Of each deed: when it is put there, and when nobody covers it any more; None: it is not.
        taken: Of each deed: when it is gone, and when nobody covers its place any more; None: it is not.
        seconds: How long the clip is.
    """

    boxes: list[Box] = field(default_factory=list)
    left: list[tuple[float, float] | None] = field(default_factory=list)
    taken: list[tuple[float, float] | None] = field(default_factory=list)
    seconds: float = 0.0


@cache
def _frames(data: Path) -> tuple[list[Pixels], Pixels]:
    """The people's clip, and its empty view."""
    with av.open(str(data / CLIP)) as container:
        frames = [np.asarray(frame.to_ndarray(format="bgr24"), np.uint8) for frame in container.decode(video=0)]
    empty = [f for i, f in enumerate(frames) if not any(a <= i <= b for a, b in VISITS)]
    return frames, np.median(np.stack(empty[:: max(1, len(empty) // 24)]), axis=0).astype(np.uint8)


def _people(frame: Pixels, empty: Pixels) -> np.ndarray:
    """Where somebody is before the empty view, 0..1."""
    now, before = (cv2.GaussianBlur(view, (5, 5), 0).astype(np.float32) for view in (frame, empty))
    for channel in range(3):  # the camera of the clip changes its exposure
        near = np.abs(now[::8, ::8, channel] - before[::8, ::8, channel]) < 40
        gain, offset = np.polyfit(before[::8, ::8, channel][near], now[::8, ::8, channel][near], 1)
        before[..., channel] = gain * before[..., channel] + offset
    apart = cv2.absdiff(now, before).max(axis=2)
    solid = cv2.morphologyEx((apart > 26).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    solid = cv2.morphologyEx(solid, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (21, 21)))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(solid)
    large = np.isin(labels, [i for i in range(1, count) if stats[i, cv2.CC_STAT_AREA] > 400])
    return cv2.GaussianBlur(large.astype(np.float32), (5, 5), 0)


def parcel(view: Pixels, foot: tuple[float, float], height_px: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A parcel drawn into the view: the picture with it, and where it lies (without its shadow), both of its size.

    A box of cardboard seen from above in perspective, its top the brightest and a side in shade, with tape, a label,
    the grain of cardboard and a contact shadow; every fourth is a dark bag.
    """
    rng = np.random.default_rng(seed)
    height, width = view.shape[:2]
    x, y = foot[0] * width, foot[1] * height
    deep = height_px * rng.uniform(0.25, 0.5)  # the visible top
    front = height_px - deep
    wide = front * rng.uniform(1.0, 1.9) if seed % 4 else front * rng.uniform(0.8, 1.2)
    lean = rng.uniform(-0.5, 0.5) * wide
    narrow = rng.uniform(0.82, 0.95)
    a, b = np.array([x - wide / 2, y - front]), np.array([x + wide / 2, y - front])
    c, d = np.array([x + wide / 2, y]), np.array([x - wide / 2, y])
    back_l = _at(a, lean * 0.4 + wide * (1 - narrow) / 2, -deep)
    back_r = _at(b, lean * 0.4 - wide * (1 - narrow) / 2, -deep)
    if seed % 4:
        base = np.array([rng.uniform(70, 120), rng.uniform(110, 160), rng.uniform(150, 200)])
    else:
        base = np.array([rng.uniform(30, 90)] * 3) * rng.uniform(0.8, 1.2, 3)
    shades = rng.permutation([1.15, 0.8]) if rng.random() < 0.5 else np.array([1.2, 0.85])
    scene = view.astype(np.float32)
    ground = [_at(d, -0.12 * wide, 0.06 * front), _at(c, 0.12 * wide, 0.06 * front), _at(b, 0.2 * wide, 0), a]
    around = cv2.GaussianBlur(_area(view, ground), (0, 0), max(1.0, 0.08 * height_px))
    scene *= (1 - 0.45 * around)[..., None]
    mask = np.zeros((height, width), np.float32)
    painted = scene.copy()
    for corners, shade in (((back_l, back_r, b, a), shades.max()), ((a, b, c, d), shades.min())):
        area = _area(view, corners)
        painted = _over(painted, area, base * shade)
        mask = np.maximum(mask, area)
    if seed % 4:  # tape along the middle, and a label
        across = lambda p, q, share: p + share * (q - p)  # noqa: E731
        tape = [across(back_l, back_r, 0.46), across(back_l, back_r, 0.54), across(a, b, 0.54), across(a, b, 0.46)]
        painted = _over(painted, _area(view, tape), base * 0.75)
        left, top = rng.uniform(0.1, 0.5), rng.uniform(0.15, 0.45)
        corner = _at(a, left * wide, top * front)
        w, h = 0.35 * wide, 0.35 * front
        note = [corner, _at(corner, w, 0), _at(corner, w, h), _at(corner, 0, h)]
        painted = _over(painted, _area(view, note), np.array([225.0, 230.0, 232.0]))
    grain = cv2.GaussianBlur(rng.normal(0, 14, (height, width)).astype(np.float32), (0, 0), 1.2)
    painted += grain[..., None]
    scene = scene * (1 - mask[..., None]) + painted * mask[..., None]
    return np.clip(scene, 0, 255).astype(np.uint8), mask


def _at(point: np.ndarray, dx: float, dy: float) -> np.ndarray:
    return point + np.array([dx, dy])


def _area(view: Pixels, corners: Sequence[np.ndarray]) -> np.ndarray:
    """Where a convex outline lies, 0..1 at its edges."""
    area = np.zeros(view.shape[:2], np.uint8)
    cv2.fillConvexPoly(area, np.rint(np.array(corners) * 8).astype(np.int32), 255, cv2.LINE_AA, 3)
    return area / np.float32(255)


def _over(view: np.ndarray, area: np.ndarray, colour: np.ndarray) -> np.ndarray:
    return view * (1 - area[..., None]) + area[..., None] * colour.astype(np.float32)


def make(data: Path, script: Script, path: Path, seed: int = 0) -> Truth:
    """Write the clip of a script; what is to be found in it."""
    frames, empty = _frames(data)
    rng = np.random.default_rng(seed)
    height, width = empty.shape[:2]
    truth = Truth(left=[None] * len(script.deeds), taken=[None] * len(script.deeds))
    covers: dict[tuple[int, int], list[bool]] = {}
    masks = [parcel(empty, deed.foot, deed.height * height, deed.seed)[1] for deed in script.deeds]
    truth.boxes = [_placed(_box(mask), script.scale) for mask in masks]
    peaks = {}
    for number, deed in enumerate(script.deeds):
        for visit in {each for each in (deed.left, deed.taken, deed.pushed) if each is not None}:
            first, last = VISITS[script.visits[visit]]
            shares = [_covered(masks[number], _people(frames[i], empty)) for i in range(first, last)]
            covers[number, visit] = [share > 0.02 for share in shares]
            peaks[number, visit] = _moment(shares)
    scenes: dict[tuple[tuple[int, bool], ...], Pixels] = {}

    def view(lying: Sequence[tuple[int, bool]]) -> Pixels:
        key = tuple(lying)
        if key not in scenes:
            picture = empty
            for number, moved in key:
                deed = script.deeds[number]
                foot = deed.foot[0] + (deed.shift if moved else 0.0), deed.foot[1]
                picture = parcel(picture, foot, deed.height * height, deed.seed)[0]
            scenes[key] = picture
        return scenes[key]

    def shown() -> Iterator[tuple[Pixels, float]]:
        """Each picture, with how far into an empty stretch it is (0: somebody is there)."""
        lying: list[tuple[int, bool]] = []
        time = 0.0
        for _ in range(round(6 * FPS)):
            yield view(lying), 0.0
            time += 1 / FPS
        for visit, which in enumerate(script.visits):
            first, last = VISITS[which]
            for i in range(first, last):
                for number, deed in enumerate(script.deeds):
                    if (number, visit) not in covers or i - first != peaks[number, visit]:
                        continue
                    if deed.left == visit:
                        lying = [*lying, (number, False)]
                    elif deed.pushed == visit:
                        lying = [(n, moved or n == number) for n, moved in lying]
                    else:
                        lying = [each for each in lying if each[0] != number]
                    still = [k for k, hidden in enumerate(covers[number, visit]) if hidden]
                    free = time + (max(still, default=i - first) - (i - first) + 1) / FPS
                    if deed.left == visit:
                        truth.left[number] = time, free
                    elif deed.taken == visit:
                        truth.taken[number] = time, free
                people = _people(frames[i], empty)[..., None]
                yield (view(lying) * (1 - people) + frames[i] * people).astype(np.uint8), 0.0
                time += 1 / FPS
            for k in range(round(script.empty_s * FPS)):
                yield view(lying), (k + 1) / FPS
                time += 1 / FPS
        truth.seconds = time

    lights = iter(script.switch)
    light = script.light
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.thread_count = 1
        stream.options = {"crf": "23", "preset": "veryfast", "g": str(2 * FPS), "bf": "0"}
        for number, (picture, empty_for) in enumerate(shown()):
            if math.isclose(empty_for, script.empty_s * 0.75, abs_tol=0.5 / FPS):
                light = next(lights, light)
            full = picture if script.scale == 1 else _far(picture, empty, script.scale)
            frame = av.VideoFrame.from_ndarray(light.over(full, rng), format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return truth


def _moment(shares: Sequence[float]) -> int:
    """When the parcel changes hands: the last frame in which most of it is covered, or the most that ever is."""
    most = max(shares)
    return max(i for i, share in enumerate(shares) if share >= 0.9 * most)


def _covered(mask: np.ndarray, people: np.ndarray) -> float:
    return float((mask * people).sum() / mask.sum())


def _corner(height: int, width: int, scale: float) -> tuple[int, int, int, int]:
    h, w = round(height * scale), round(width * scale)
    return round(0.4 * (height - h)), round(0.6 * (width - w)), h, w


def _far(picture: Pixels, empty: Pixels, scale: float) -> Pixels:
    top, left, h, w = _corner(empty.shape[0], empty.shape[1], scale)
    view = empty.copy()
    view[top : top + h, left : left + w] = cv2.resize(picture, (w, h), interpolation=cv2.INTER_AREA)
    return view


def _box(mask: np.ndarray) -> Box:
    rows, columns = np.flatnonzero(mask.max(axis=1) > 0.5), np.flatnonzero(mask.max(axis=0) > 0.5)
    height, width = mask.shape
    sides = columns[0] / width, rows[0] / height, (columns[-1] + 1) / width, (rows[-1] + 1) / height
    return Box(*(float(side) for side in sides))


def _placed(box: Box, scale: float) -> Box:
    if scale == 1:
        return box
    top, left, h, w = _corner(1000, 1000, scale)
    return box.placed(Box(left / 1000, top / 1000, (left + w) / 1000, (top + h) / 1000))
