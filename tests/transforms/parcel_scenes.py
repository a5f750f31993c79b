"""Drawn scenes for the parcels step: a patterned ground, people as upright boxes, and what they leave."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from blikk_edge.core.geometry import Box
from blikk_edge.core.parcels import Parcel, ParcelChange
from blikk_edge.core.scene import Frame, Pixels, Scene
from blikk_edge.core.sightings import Detection, Label, Motion, Track, View
from blikk_edge.transforms.parcels.step import Parcels

HEIGHT, WIDTH = 240, 320
EVERY_S = 0.5
DOORMAT = Box(0.45, 0.6, 0.56, 0.75)
BESIDE = Box(0.62, 0.62, 0.72, 0.76)
VISITOR = Box(0.4, 0.2, 0.6, 0.9)
ASIDE = Box(0.05, 0.2, 0.2, 0.85)


def ground() -> Pixels:
    rng = np.random.default_rng(3)
    coarse = cv2.GaussianBlur(rng.normal(0, 60, (HEIGHT, WIDTH)).astype(np.float32), (0, 0), 2.0)
    planks = 12 * np.sign(np.sin(np.arange(WIDTH) / 9.0))[None, :]
    return np.clip(120 + coarse + planks, 0, 255).astype(np.uint8)


GROUND = ground()


def cardboard(view: Pixels, box: Box, seed: int = 1) -> Pixels:
    """The view with a box of cardboard: a bright top, a darker front, a label."""
    x1, y1, x2, y2 = box.pixels(WIDTH, HEIGHT)
    rng = np.random.default_rng(seed)
    face = np.full((y2 - y1, x2 - x1), 95.0)
    face[: (y2 - y1) // 3] = 190
    face[(y2 - y1) // 2 : (y2 - y1) * 3 // 4, 4 : 4 + (x2 - x1) // 3] = 230
    drawn = view.copy()
    drawn[y1:y2, x1:x2] = np.clip(face + rng.normal(0, 6, face.shape), 0, 255)
    return drawn


def somebody(view: Pixels, box: Box) -> Pixels:
    x1, y1, x2, y2 = box.pixels(WIDTH, HEIGHT)
    drawn = view.copy()
    stripes = 45 + 25 * np.sign(np.sin(np.arange(y2 - y1) / 7.0))
    drawn[y1:y2, x1:x2] = stripes[:, None].astype(np.uint8)
    return drawn


@dataclass(slots=True)
class Street:
    """Plays a view to a step, half a second at a time; `told` are the parcels to which something happened.

    `shown` is the last scene as the step gave it back.
    """

    step: Parcels
    view: Pixels = field(default_factory=lambda: GROUND)
    noise: float = 1.5
    light: Callable[[Pixels], Pixels] = lambda view: view
    time: float = 1000.0
    told: list[Parcel] = field(default_factory=list)
    asked: list[float] = field(default_factory=list)
    shown: Scene | None = None
    _rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(11))

    def __post_init__(self) -> None:
        self.step.ask = self.asked.append

    def play(
        self,
        seconds: float,
        *people: Box,
        others: Sequence[Track] = (),
        gate: View = View.QUIET,
        analysed: bool | None = None,
        seen: bool = True,
    ) -> list[Parcel]:
        """So many seconds with these people in them, whom the detector finds where they are `seen`."""
        new: list[Parcel] = []
        for scene in self._scenes(seconds, people if seen else (), others, gate, analysed, people):
            self.shown = self.step(scene)
            new += [parcel for parcel in self.shown.parcels if parcel.change is not None]
        self.told += new
        return new

    def _scenes(self, seconds, found, others, gate, analysed, drawn) -> Iterator[Scene]:  # type: ignore[no-untyped-def]
        for _ in range(round(seconds / EVERY_S)):
            self.time += EVERY_S
            picture = self.view
            for box in drawn:
                picture = somebody(picture, box)
            luma = self.light(picture).astype(np.float32) + self._rng.normal(0, self.noise, picture.shape)
            frame = Frame(
                camera="porch",
                seq=round(self.time * 10),
                time=self.time,
                luma=np.clip(luma, 0, 255).astype(np.uint8),
                convert=lambda: np.zeros((HEIGHT, WIDTH, 3), np.uint8),
            )
            tracks = (*(self._person(i, box) for i, box in enumerate(found, 1)), *others)
            # without motion nothing is looked at, unless it was asked for
            look = bool(tracks) or bool(self.asked) if analysed is None else analysed
            self.asked.clear()
            detections = tuple(
                Detection(label=t.label, sub_label=t.sub_label, score=t.score, box=t.box) for t in tracks
            )
            yield Scene(
                frame=frame,
                motion=Motion(view=gate),
                analysed=look,
                detections=detections if look else (),
                tracks=tuple(replace(t, last_seen=self.time) for t in tracks),
            )

    def _person(self, number: int, box: Box) -> Track:
        return seen_as(Label.PERSON, box, key=number)

    def leave(self, *boxes: Box) -> list[Parcel]:
        """Somebody comes, leaves these and goes."""
        told = self.play(3, VISITOR)
        for box in boxes:
            self.view = cardboard(self.view, box)
        return told + self.play(2, VISITOR) + self.play(1, ASIDE) + self.play(9)

    def take(self, view: Pixels = GROUND) -> list[Parcel]:
        """Somebody comes and takes what is not in `view`."""
        told = self.play(2, VISITOR)
        self.view = view
        return told + self.play(2, VISITOR) + self.play(9)


def seen_as(label: Label, box: Box, *, key: int = 77, sub_label: str = "") -> Track:
    return Track(
        id=key,
        label=label,
        sub_label=sub_label or label.value,
        score=0.8,
        best_score=0.8,
        box=box,
        first_seen=1000.0,
        last_seen=1000.0,
        hits=5,
        confirmed=True,
    )


def street(**how: object) -> Street:
    """One whose view has settled."""
    made = Street(step=Parcels(), **how)  # type: ignore[arg-type]
    made.play(6)
    return made


def changes(told: Sequence[Parcel]) -> list[ParcelChange | None]:
    return [parcel.change for parcel in told]
