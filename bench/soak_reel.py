"""The pictures of a day for `soak.py`: clips decoded once and shown again and again, with quiet between."""

import itertools
import multiprocessing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from labelled_clips import CARS, PEOPLE
from rig import data_folder

from blikk_edge.core.scene import Pixels
from blikk_edge.demo import clip as own_clip

FPS = 5
WIDTH, HEIGHT = 640, 360
HOUR_S = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Reel:
    """Decoded pictures ((n, 3/2 h, w) yuv420p, FPS a second): with nobody there, and of each visit."""

    quiet: Pixels
    visits: list[Pixels]
    what: str


def reel(folder: Path) -> Reel:
    """From the labelled clips or the demo's own, decoded by a process of its own.

    In this one, what decoding leaves free would be room in which a hundred megabytes could leak unseen.
    """
    writer = multiprocessing.get_context("spawn").Process(target=write_reel, args=(folder,))
    writer.start()
    writer.join()
    if writer.exitcode:
        raise RuntimeError("the clips could not be decoded")
    quiet, *visits = [np.load(path) for path in sorted(folder.glob("*.npy"))]
    return Reel(quiet=quiet, visits=visits, what="the labelled clips" if labelled() else "the demo's own clip")


def labelled() -> Path | None:
    """The folder of test data, if the clips are in it."""
    data = data_folder()
    return data if data is not None and (data / PEOPLE).is_file() else None


def write_reel(folder: Path) -> None:
    """Quiet pictures, then visits: three people, all cars and twelve seconds of the street; else visitor and cat."""
    if (data := labelled()) is not None:
        people, cars = decoded(data / PEOPLE), decoded(data / CARS)
        street = decoded(data / "video/vtest_pets09s2l1/vtest_first400.mp4")
        parts = [people[:22], people[22:105], cars, people[363:442], street[:60], people[609:690]]
    else:
        own_clip.make(folder / "own.mp4")
        own = decoded(folder / "own.mp4")
        parts = [own[:10], own[10:75], own[90:145]]
    for number, part in enumerate(parts):
        np.save(folder / f"{number}.npy", np.stack(part))


def decoded(path: Path) -> list[Pixels]:
    """The pictures of a clip, thinned to FPS."""
    shown: list[Pixels] = []
    with av.open(str(path)) as container:
        for picture in container.decode(video=0):
            if picture.time * FPS >= len(shown) - 1e-3:
                shown.append(picture.reformat(width=WIDTH, height=HEIGHT, format="yuv420p").to_ndarray())
    return shown


def planes(shown: Reel, plan: Sequence[tuple[int, int]]) -> Iterator[Pixels]:
    """The pictures of so many hours each, with a visit every so many seconds; between visits the quiet to and fro."""
    to_and_fro = itertools.cycle([*shown.quiet, *shown.quiet[-2:0:-1]])
    visits = itertools.cycle(shown.visits)
    for hours, every_s in plan:
        for _ in range(0, hours * HOUR_S, every_s):
            visit = next(visits)[: every_s * FPS]
            yield from itertools.islice(to_and_fro, every_s * FPS - len(visit))
            yield from visit
