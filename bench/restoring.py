"""Tries to bring blurred faces back: are they found with their features again, and does a recogniser know them?

    python bench/restoring.py [--recogniser FOLDER] [--check] [--data FOLDER]

The attacker knows more than anybody would: where the eyes are, how each frame moved, and how it was blurred. Restored
are faces of 40 px and more, from

- one frame, enlarged by Lanczos interpolation and sharpened by a Wiener filter for the blur that was used;
- the mean of 50 frames of a head that stands still, with noise, around which the blurred region trembles;
- 50 frames of a head that moves by parts of a sample, laid over each other where it was (super-resolution by shift and
  add), and sharpened.

Features are back where YuNet finds the face with its five landmarks at most .15 of the eyes' distance off. A face is
recognised where its descriptor is within .6 of the original's and nearer to it than to any other of the faces; as all
that was restored may look alike, one is by chance. That needs `--recogniser`, a folder with dlib's
`dlib_face_recognition_resnet_model_v1.dat` and `shape_predictor_5_face_landmarks.dat` (CC0; the package
face_recognition_models has both, dlib-bin runs them).

The control is the same attack on a weak blur, a Gaussian of a thirty-second of the face's width: where it does not
succeed, the attack would be no test. `--check` exits 1 where a face comes back, or the control fails.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from annotated_faces import YUNET, AnnotatedPicture, detector, pictures
from rig import data_folder, table

from blikk_edge.core.geometry import Box
from blikk_edge.core.scene import Pixels
from blikk_edge.transforms.privacy.faces import FaceFinder
from blikk_edge.transforms.privacy.heads import Person
from blikk_edge.transforms.privacy.paint import BELL, Ellipse, Region, Rounded, alikes, blur
from blikk_edge.transforms.privacy.redactor import Privacy

LEAST_PX = 40
FRAMES = 50
NOISE = 4.0
OFF = 0.15
KNOWN = 0.6
SIDE_PX = 256
CONTROL_FEATURES = 0.6
CONTROL_KNOWN = 0.8
BY_CHANCE = 1
REACH = 2.5
WEAK = 32
OURS, CONTROL = "ours", "weak (control)"

Blur = Callable[[Pixels, Sequence[Region]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A face to bring back.

    Attributes:
        bgr: The picture it is in.
        regions: What is blurred of it.
        box: The face, x1 y1 x2 y2 in pixels.
        landmarks: (5, 2) pixels, as YuNet finds them where nothing is blurred.
    """

    bgr: Pixels
    regions: tuple[Region, ...]
    box: tuple[float, float, float, float]
    landmarks: np.ndarray

    @property
    def width_px(self) -> float:
        return self.box[2] - self.box[0]


def targets(every: Sequence[AnnotatedPicture], data: Path) -> list[Target]:
    """The annotated faces that are large enough, with the regions that are blurred in their pictures."""
    yunet, finder, persons = _yunet(data), FaceFinder(data / YUNET), detector(data, 0.1)
    found = []
    for picture in every:
        people = [Person(d.box, d.head, d.score) for d in persons.detect(picture.bgr)]
        regions = tuple(Privacy(finder)._plan(picture.bgr, people, 0.0).regions)
        rows = _faces(yunet, picture.bgr)
        for face in picture.faces:
            x, y = face.centre
            own = [r for r in rows if r[0] <= x <= r[0] + r[2] and r[1] <= y <= r[1] + r[3] and r[2] >= LEAST_PX]
            if own:
                left, top, w, h = own[0][:4].tolist()
                bgr, part = _around(picture, (left, top, left + w, top + h))
                left, top = left - part.x1 * picture.bgr.shape[1], top - part.y1 * picture.bgr.shape[0]
                points = own[0][4:14].reshape(5, 2) - own[0][:2] + (left, top)
                inside = tuple(_within(region, part) for region in regions)
                found.append(Target(bgr=bgr, regions=inside, box=(left, top, left + w, top + h), landmarks=points))
    return found


def _around(picture: AnnotatedPicture, box: tuple[float, ...]) -> tuple[Pixels, Box]:
    """The part of the picture that the attack needs, and where it is."""
    height, width = picture.bgr.shape[:2]
    x, y, half = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2, REACH * (box[2] - box[0])
    part = Box.clipped((x - half) / width, (y - half) / height, (x + half) / width, (y + half) / height)
    assert part is not None
    x1, y1, x2, y2 = part.pixels(width, height)
    return picture.bgr[y1:y2, x1:x2].copy(), Box(x1 / width, y1 / height, x2 / width, y2 / height)


def _within(region: Region, part: Box) -> Region:
    """The region in coordinates of a part of the picture."""
    if isinstance(region, Ellipse):
        return Ellipse(
            (region.x - part.x1) / part.width,
            (region.y - part.y1) / part.height,
            region.across / part.width,
            region.down / part.height,
        )
    box = region.box if isinstance(region, Rounded) else region
    sides = ((box.x1 - part.x1) / part.width, (box.y1 - part.y1) / part.height)
    inside = Box.clipped(*sides, (box.x2 - part.x1) / part.width, (box.y2 - part.y1) / part.height)
    inside = Box(0, 0, 0, 0) if inside is None else inside
    return Rounded(inside) if isinstance(region, Rounded) else inside


def weak(sd_px: float) -> Blur:
    """The control: a Gaussian over all of the picture."""

    def hide(bgr: Pixels, regions: Sequence[Region]) -> None:
        bgr[:] = cv2.GaussianBlur(bgr, (0, 0), sd_px)

    return hide


def from_one_frame(target: Target, hide: Blur, sd_px: float) -> Pixels:
    """The picture after one frame was enlarged, sharpened and made as large as before."""
    shown = target.bgr.copy()
    hide(shown, target.regions)
    return _sharpened(_enlarged(shown.astype(np.float32)), sd_px)


def from_still_frames(target: Target, hide: Blur, sd_px: float, rng: np.random.Generator) -> Pixels:
    """The same of the mean of many frames of a head that stands still."""
    total = np.zeros(target.bgr.shape, np.float32)
    for _ in range(FRAMES):
        frame = np.clip(target.bgr + rng.normal(0, NOISE, target.bgr.shape), 0, 255).astype(np.uint8)
        x, y, size = rng.uniform(-0.01, 0.01), rng.uniform(-0.01, 0.01), rng.uniform(0.97, 1.06)
        hide(frame, [_moved(region, x, y, size) for region in target.regions])
        total += frame
    return _sharpened(_enlarged(total / FRAMES), sd_px)


def from_moving_frames(target: Target, hide: Blur, sd_px: float, rng: np.random.Generator) -> Pixels:
    """The same of frames of a head that moves, each laid where the first was."""
    height, width = target.bgr.shape[:2]
    total = np.zeros(target.bgr.shape, np.float32)
    reach = max(4, round(target.width_px))
    for _ in range(FRAMES):
        right, down = (int(each) for each in rng.integers(-reach, reach + 1, 2))
        there = np.array([[1, 0, right], [0, 1, down]], np.float32)
        frame = cv2.warpAffine(target.bgr, there, (width, height), borderMode=cv2.BORDER_REFLECT)
        frame = np.clip(frame + rng.normal(0, NOISE, frame.shape), 0, 255).astype(np.uint8)
        hide(frame, [_moved(region, right / width, down / height, 1.0) for region in target.regions])
        back = np.array([[1, 0, -right], [0, 1, -down]], np.float32)
        total += cv2.warpAffine(frame.astype(np.float32), back, (width, height), borderMode=cv2.BORDER_REFLECT)
    return _sharpened(total / FRAMES, sd_px)


def _moved(region: Region, right: float, down: float, size: float) -> Region:
    if isinstance(region, Ellipse):
        return replace(
            region, x=region.x + right, y=region.y + down, across=region.across * size, down=region.down * size
        )
    box = region.box if isinstance(region, Rounded) else region
    moved = Box.clipped(box.x1 + right, box.y1 + down, box.x2 + right, box.y2 + down)
    moved = Box(0, 0, 0, 0) if moved is None else moved
    return Rounded(moved) if isinstance(region, Rounded) else moved


def _enlarged(bgr: np.ndarray) -> np.ndarray:
    """Four times as large and back: what Lanczos interpolation makes of the drawn samples."""
    large = cv2.resize(bgr, None, fx=4, fy=4, interpolation=cv2.INTER_LANCZOS4)
    return np.asarray(cv2.resize(large, (bgr.shape[1], bgr.shape[0]), interpolation=cv2.INTER_AREA))


def _sharpened(bgr: np.ndarray, sd_px: float) -> Pixels:
    """Wiener's filter for a Gaussian blur, with noise of a hundredth of the signal."""
    height, width = bgr.shape[:2]
    pad = int(3 * sd_px) + 8
    around = cv2.copyMakeBorder(bgr, pad, pad, pad, pad, cv2.BORDER_REFLECT)
    down, across = np.fft.fftfreq(height + 2 * pad)[:, None], np.fft.rfftfreq(width + 2 * pad)[None, :]
    passed = np.exp(-2 * (np.pi * sd_px) ** 2 * (down**2 + across**2))
    wiener = passed / (passed**2 + 0.01)
    sides = [np.fft.irfft2(np.fft.rfft2(around[:, :, c]) * wiener, around.shape[:2]) for c in range(3)]
    restored = np.dstack(sides)[pad : pad + height, pad : pad + width]
    return np.clip(restored, 0, 255).astype(np.uint8)


def blurred_by(target: Target) -> float:
    """The standard deviation in px of all that our blur does to the face: the bell, and drawing from the lattice."""
    height, width = target.bgr.shape[:2]
    x, y = (target.box[0] + target.box[2]) / 2 / width, (target.box[1] + target.box[3]) / 2 / height
    at = Box.clipped(x - 0.5 / width, y - 0.5 / height, x + 0.5 / width, y + 0.5 / height)
    assert at is not None
    ours = alikes([*target.regions, at], width, height)
    step = next(alike.step_px for alike in ours if at in alike.regions)
    return float(step * np.hypot(BELL, 0.45))


def features_back(yunet: Any, restored: Pixels, target: Target) -> bool:
    """Whether the face is found again, with its landmarks where they are."""
    eyes = float(np.linalg.norm(target.landmarks[0] - target.landmarks[1]))
    x1, y1, x2, y2 = target.box
    half = 1.2 * max(x2 - x1, y2 - y1)
    left, top = max(0, round((x1 + x2) / 2 - half)), max(0, round((y1 + y2) / 2 - half))
    piece = restored[top : round((y1 + y2) / 2 + half), left : round((x1 + x2) / 2 + half)]
    scale = SIDE_PX / max(piece.shape[:2])
    rows = _faces(yunet, cv2.resize(piece, None, fx=scale, fy=scale, interpolation=cv2.INTER_LANCZOS4))
    wanted = (target.landmarks - (left, top)) * scale
    off = [np.linalg.norm(row[4:14].reshape(5, 2) - wanted, axis=1).mean() for row in rows]
    return bool(off and min(off) <= OFF * eyes * scale)


class Recogniser:
    """dlib's ResNet; knows the originals of all targets."""

    def __init__(self, folder: Path, every: Sequence[Target]) -> None:
        import dlib  # type: ignore[import-not-found]  # noqa: PLC0415  # nobody else needs it

        self._describe = dlib.face_recognition_model_v1(str(folder / "dlib_face_recognition_resnet_model_v1.dat"))
        points = dlib.shape_predictor(str(folder / "shape_predictor_5_face_landmarks.dat"))
        boxes = [dlib.rectangle(*(round(side) for side in target.box)) for target in every]
        self._shapes = [points(_rgb(t.bgr), box) for t, box in zip(every, boxes, strict=True)]
        self._known = np.array([self._descriptor(t.bgr, at) for at, t in enumerate(every)])

    def knows(self, restored: Pixels, at: int) -> bool:
        """Whether this is the face at this place among the targets, and nobody else's."""
        distances = np.linalg.norm(self._known - self._descriptor(restored, at), axis=1)
        return bool(distances.argmin() == at and distances[at] < KNOWN)

    def _descriptor(self, bgr: Pixels, at: int) -> np.ndarray:
        return np.array(self._describe.compute_face_descriptor(_rgb(bgr), self._shapes[at]))


def _rgb(bgr: Pixels) -> Pixels:
    return np.ascontiguousarray(bgr[:, :, ::-1])


def _yunet(data: Path) -> Any:
    return cv2.FaceDetectorYN.create(str(data / YUNET), "", (SIDE_PX, SIDE_PX), 0.5, 0.3, 500)


def _faces(yunet: Any, bgr: Pixels) -> np.ndarray:
    yunet.setInputSize((bgr.shape[1], bgr.shape[0]))
    rows = yunet.detect(np.ascontiguousarray(bgr))[1]
    return np.zeros((0, 15)) if rows is None else rows.astype(float)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What one attack on one blur brought back, of so many faces; `known` is None without a recogniser."""

    attack: str
    blur: str
    faces: int
    features: int
    known: int | None


def attempts(every: Sequence[Target], data: Path, recogniser: Recogniser | None, *, seed: int = 1) -> list[Attempt]:
    """Each attack on our blur and on the weak one."""
    yunet = _yunet(data)
    attacks: dict[str, Callable[[Target, Blur, float, np.random.Generator], Pixels]] = {
        "one frame": lambda target, hide, sd, _: from_one_frame(target, hide, sd),
        f"{FRAMES} frames, still": from_still_frames,
        f"{FRAMES} frames, moving": from_moving_frames,
    }
    done = []
    for attack, restore in attacks.items():
        for name in (OURS, CONTROL):
            rng, features, known = np.random.default_rng(seed), 0, 0
            for at, target in enumerate(every):
                sd = blurred_by(target) if name == OURS else target.width_px / WEAK
                hide = blur if name == OURS else weak(sd)
                restored = restore(target, hide, sd, rng)
                features += features_back(yunet, restored, target)
                known += recogniser is not None and recogniser.knows(restored, at)
            done.append(
                Attempt(
                    attack=attack,
                    blur=name,
                    faces=len(every),
                    features=features,
                    known=None if recogniser is None else known,
                )
            )
    return done


def failed(done: Sequence[Attempt]) -> list[str]:
    """What is not as it must be: of ours nothing comes back, of the control most."""
    problems = []
    for each in done:
        if each.blur == OURS and (each.features or (each.known or 0) > BY_CHANCE):
            problems.append(f"{each.attack}: a face came back")
        known = each.faces if each.known is None else each.known
        if each.blur == CONTROL and (
            each.features < CONTROL_FEATURES * each.faces or known < CONTROL_KNOWN * each.faces
        ):
            problems.append(f"{each.attack}: the control failed")
    return problems


def show(done: Sequence[Attempt]) -> None:
    """Print what came back."""
    table(
        ("attack", "blur", "features back", "recognised"),
        [
            (
                each.attack,
                each.blur,
                f"{each.features}/{each.faces}",
                "-" if each.known is None else f"{each.known}/{each.faces}",
            )
            for each in done
        ],
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recogniser", type=Path, help="the folder of dlib's two models")
    parser.add_argument("--check", action="store_true", help="exit 1 where a face comes back or the control fails")
    parser.add_argument("--data", type=Path, default=data_folder(), help="the folder of models and pictures")
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("no test data: give --data or set BLIKK_TEST_DATA")
    cv2.setNumThreads(1)
    near = [picture for picture in pictures(arguments.data, gif_step=100) if picture.set != "far"]
    every = targets(near, arguments.data)
    recogniser = None if arguments.recogniser is None else Recogniser(arguments.recogniser, every)
    done = attempts(every, arguments.data, recogniser)
    show(done)
    problems = failed(done)
    for problem in problems:
        print(f"MISSED: {problem}")
    return 1 if arguments.check and problems else 0


if __name__ == "__main__":
    sys.exit(main())
