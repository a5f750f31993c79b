"""The clips on which motion gates are compared: real ones with labels, and what night and light make of them."""

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import takewhile
from pathlib import Path

import av
import cv2
import numpy as np

from blikk_edge.core.scene import Pixels
from blikk_edge.demo.clip import CAT, VISITOR, make

FPS = 5.0
SETTLE_S = 2.0
BEFORE_S = 0.8
AFTER_S = 2.0

Timed = tuple[float, Pixels]
Span = tuple[float, float]

PEOPLE = "video/intel_sample/one-by-one-person-detection.mp4"
CARS = "video/intel_sample/car-detection.mp4"
ROAD = "video/bgslibrary/video.avi"
# Read by eye from every eighth frame of 30 a second: when at least one car can be seen.
ROAD_CARS = ((60, 182), (197, 262), (290, 364))
# DVR-Scan's own region of interest, x y width height, and the events that its manual lists for it, at 25 fps.
TRAFFIC_ROI = (631, 532, 210, 127)
TRAFFIC = ((10, 148), (359, 490), (543, 575))
HIGHWAY_MOVING = (554, 1000)
"""Frames at 25 fps in which the ground truth marks more than .36 % of the picture as moving: all between these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """Luma planes with their times, at 5 fps; `events` are the spans in which something moves.

    What lies `BEFORE_S` before and `AFTER_S` after an event is neither right nor wrong (the labels are good to .8 s),
    nor are the first `SETTLE_S`, nor what is outside of `judged`.
    """

    name: str
    play: Callable[[], Iterable[Timed]]
    events: tuple[Span, ...] = ()
    judged: Span = (0.0, float("inf"))

    @property
    def judged_events(self) -> tuple[Span, ...]:
        """The events that a gate has to see: who is there at the start is found by the first look, not by motion."""
        return tuple((max(begin, SETTLE_S), end) for begin, end in self.events if end > SETTLE_S)

    def quiet(self, at: float) -> bool:
        """Whether a gate that fires at this time is wrong."""
        if at < SETTLE_S or not self.judged[0] <= at <= self.judged[1]:
            return False
        return not any(begin - BEFORE_S <= at <= end + AFTER_S for begin, end in self.events)


def real(data: Path) -> list[Clip]:
    """Every labelled clip of the test data."""
    labels = json.loads((data / "annotations/event_intervals.json").read_text())["clips"]

    def labelled(name: str, path: str) -> Clip:
        events = tuple((first / labels[path]["fps"], last / labels[path]["fps"]) for first, last in
                       labels[path]["intervals"])  # fmt: skip
        return Clip(name=name, play=lambda: decoded(data / path), events=events)

    def counted(frames: Iterable[tuple[int, int]], fps: float) -> tuple[Span, ...]:
        return tuple((first / fps, last / fps) for first, last in frames)

    highway = data / "video/cdnet_highway/bgslibrary_video03.avi"
    campus = data / "video/mot15/TUD-Campus"
    crossing = data / "annotations/mot15/PETS09-S2L1/gt_first400.txt"
    return [
        labelled("people", PEOPLE),
        labelled("cars", CARS),
        Clip(name="exposure jump", play=lambda: decoded(data / "video/dvr_scan/issue53_brightness_change.avi")),
        Clip(name="road from above", play=lambda: decoded(data / ROAD), events=counted(ROAD_CARS, 30)),
        Clip(
            name="motorway, one lane",
            play=lambda: cropped(decoded(data / "video/dvr_scan/traffic_camera.mp4"), *TRAFFIC_ROI),
            events=counted(TRAFFIC, 25),
        ),
        Clip(
            name="motorway, trees",
            play=lambda: decoded(highway, fps_of_file=25, frames=HIGHWAY_MOVING[1]),
            events=counted([HIGHWAY_MOVING], 25),
            judged=(HIGHWAY_MOVING[0] / 25, HIGHWAY_MOVING[1] / 25),
        ),
        Clip(
            name="walkers, campus",
            play=lambda: decoded(campus / "TUD-Campus.mp4"),
            events=counted(_tracks(campus / "gt/gt.txt"), 25),
        ),
        Clip(
            name="walkers, crossing",
            play=lambda: decoded(data / "video/vtest_pets09s2l1/vtest_first400.mp4"),
            events=counted(_tracks(crossing), 10),
        ),
    ]


def made(folder: Path) -> Clip:
    """A clip from photographs, for machines without test data: a visitor and a cat before a wall."""
    path = folder / "demo.mp4"
    if not path.is_file():
        make(path)
    events = tuple((times[0], times[-1]) for times in (VISITOR, CAT))
    return Clip(name="visitor and cat", play=lambda: decoded(path), events=events)


def at_night(clip: Clip) -> Clip:
    """The clip in a tenth of its light: less contrast, and the noise of a sensor at its highest gain."""

    def play() -> Iterator[Timed]:
        noise = Noise(5.0)
        dark = (18 + 90 * np.linspace(0, 1, 256) ** 1.3).astype(np.float32)
        for time, luma in clip.play():
            yield time, noise.over(dark[luma])

    return replace(clip, name=f"{clip.name}, night", play=play)


def from_afar(clip: Clip, *, scale: float = 0.3) -> Clip:
    """The clip shrunk into the middle of its own first view: who fills the picture there is small here."""

    def play() -> Iterator[Timed]:
        noise = Noise(2.0)
        around: np.ndarray | None = None
        for time, luma in clip.play():
            if around is None:
                around = luma.astype(np.float32)
            small = cv2.resize(luma, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            top, left = (luma.shape[0] - small.shape[0]) // 2, (luma.shape[1] - small.shape[1]) // 2
            around[top : top + small.shape[0], left : left + small.shape[1]] = small
            yield time, noise.over(around)

    return replace(clip, name=f"{clip.name}, far", play=play)


def until(clip: Clip, end_s: float) -> Clip:
    """The beginning of a clip, with the events that end in it."""

    def play() -> Iterator[Timed]:
        return takewhile(lambda frame: frame[0] < end_s, clip.play())

    return replace(clip, play=play, events=tuple(event for event in clip.events if event[1] < end_s))


def in_changing_light(clip: Clip) -> Clip:
    """The clip with a lamp, a cloud of three seconds and a switch to infrared and back, over and over."""

    def play() -> Iterator[Timed]:
        noise = Noise(1.5)
        for time, luma in clip.play():
            view = luma.astype(np.float32)
            yield time, noise.over(_lit(view, time))

    return replace(clip, name=f"{clip.name}, light", play=play)


def empty(clip: Clip, folder: Path, *, seconds: int, night: bool = False, branches: bool = False) -> Clip:
    """The clip's first view with nobody in it, as a camera streams it: noise, drifting light, H.264 with keyframes."""
    how = "night" if night else "branches" if branches else "day"

    def play() -> Iterator[Timed]:
        path = folder / f"empty {how}.mp4"
        if not path.is_file():
            before_s = min(begin for begin, _ in clip.events) - BEFORE_S
            view = np.mean([luma for time, luma in clip.play() if time < before_s], axis=0).astype(np.float32)
            _encode(path, _idle(view, seconds, night=night, branches=branches))
        return decoded(path)

    return Clip(name=f"empty, {how}", play=play)


def decoded(path: Path, *, fps_of_file: float | None = None, frames: int | None = None) -> Iterator[Timed]:
    """The planes of a file, as views of the decoder's memory, thinned to FPS; `fps_of_file` replaces odd times."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        due = -1.0
        for number, picture in enumerate(container.decode(stream)):
            if number == frames:
                return
            time = number / fps_of_file if fps_of_file else float(picture.time)
            if time >= due - 1e-3:
                due = time + 1 / FPS
                plane = picture.planes[0]
                rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
                yield time, rows[: picture.height, : picture.width]


def cropped(frames: Iterable[Timed], x: int, y: int, width: int, height: int) -> Iterator[Timed]:
    """A part of every plane."""
    for time, luma in frames:
        yield time, luma[y : y + height, x : x + width]


class Noise:
    """Sensor noise of `sigma` grey levels, the same in every run."""

    def __init__(self, sigma: float) -> None:
        self._rng = np.random.default_rng(1)
        self._drawn = self._rng.standard_normal(3_000_000, np.float32) * np.float32(sigma)

    def over(self, view: np.ndarray) -> Pixels:
        """The view with noise, in whole grey levels."""
        if self._drawn.size < 2 * view.size:
            self._drawn = np.resize(self._drawn, 2 * view.size)
        start = int(self._rng.integers(0, self._drawn.size - view.size))
        noise = self._drawn[start : start + view.size].reshape(view.shape)
        return np.asarray(cv2.convertScaleAbs(np.maximum(view.astype(np.float32) + noise, 0)), np.uint8)


def _lit(view: np.ndarray, time: float) -> np.ndarray:
    """A minute of light: lamp on at 10 s and off at 25, a cloud from 32 to 44, infrared from 50 to 58."""
    at = time % 60
    if 10 <= at < 25:
        return view * 1.25 + 12
    if 32 <= at < 44:
        return view * float(np.interp(at, (32, 35, 41, 44), (1.0, 0.6, 0.6, 1.0)))
    if 50 <= at < 58:
        height, width = view.shape
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        away = ((x / width - 0.5) ** 2 + (y / height - 0.5) ** 2) / 0.5
        return (0.75 * view + 25) * (1.1 - 0.7 * away)
    return view


def _idle(view: np.ndarray, seconds: int, *, night: bool, branches: bool) -> Iterator[Pixels]:
    noise = Noise(6.0 if night else 2.0)
    base = np.float32(18) + np.float32(0.35) * view if night else view
    height, width = view.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    leafy = np.exp(-(((x - 0.8 * width) / (0.15 * width)) ** 2 + ((y - 0.25 * height) / (0.25 * height)) ** 2))
    leaves = cv2.GaussianBlur(np.random.default_rng(2).normal(0, 90, view.shape).astype(np.float32), (0, 0), 2.0)
    for number in range(round(seconds * FPS)):
        time = number / FPS
        shown = base
        if branches:
            sway = np.float32(3.0 * np.sin(2.3 * time) + 2.0 * np.sin(3.7 * time + 1)) * leafy
            shown = base + leafy * cv2.remap(leaves, x + sway, y + np.float32(0.3) * sway, cv2.INTER_LINEAR)
        yield noise.over(shown * np.float32(1 + 0.12 * np.sin(2 * np.pi * time / 90)))


def _encode(path: Path, planes: Iterable[Pixels]) -> None:
    with av.open(str(path), "w") as container:
        stream = None
        for number, luma in enumerate(planes):
            height, width = luma.shape[0] // 2 * 2, luma.shape[1] // 2 * 2
            if stream is None:
                stream = container.add_stream("libx264", rate=round(FPS))
                stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
                stream.thread_count = 1  # x264 would cut each picture into slices, one a thread
                stream.options = {"crf": "27", "preset": "veryfast", "g": "20", "bf": "0"}
            frame = av.VideoFrame.from_ndarray(luma[:height, :width], format="gray").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, round(FPS))
            container.mux(stream.encode(frame))
        if stream is not None:
            container.mux(stream.encode(None))


def _tracks(path: Path) -> list[tuple[int, int]]:
    """First and last frame, from 0, of every annotated person of a MOT ground truth."""
    rows = np.loadtxt(path, delimiter=",")
    every = [rows[rows[:, 1] == number, 0] for number in np.unique(rows[:, 1])]
    return [(int(frames.min()) - 1, int(frames.max()) - 1) for frames in every]


def scratch() -> tempfile.TemporaryDirectory[str]:
    """A folder for clips that are made."""
    return tempfile.TemporaryDirectory(prefix="blikk-bench-")
