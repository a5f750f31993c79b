"""Reads the annotated face sets of the test data: dlib, COCO key points, the walking GIF; at analysis size."""

import json
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from blikk_edge.core.scene import Frame, Motion, Pixels, Scene
from blikk_edge.core.sightings import Detection, Label, View
from blikk_edge.demo.clip import photographs
from blikk_edge.transforms.models.detect import TfliteDetector
from blikk_edge.transforms.models.registry import REGISTRY, ResolvedModel

ANALYSIS_PX = 480
FAR_X = 200
YUNET = Path("models/face/yunet/yunet_n_320_320.onnx")
YOLOX = Path("models/detect/yolox_nano/yolox_nano_float16_quantize.tflite")

SHOWN = {"000000433998.jpg": (1,), "000000256353.jpg": (0, 1)}
"""Faces of COCO's that are on the screen of a stadium, and in a photograph that somebody holds; seen by eye."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatedFace:
    """A face in pixels: its box x1 y1 x2 y2, or nose and eyes (one, in profile) where that is all that is known.

    `shown` says that it is on a screen, a poster or a photograph in the picture.
    """

    box: tuple[float, float, float, float] | None = None
    points: tuple[tuple[float, float], ...] = ()
    width_px: float
    shown: bool = False

    @property
    def centre(self) -> tuple[float, float]:
        """The middle of the box, or of nose and eyes."""
        if self.box is not None:
            return (self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2
        x, y = np.mean(self.points, axis=0)
        return float(x), float(y)

    def patch(self, height_px: int, width_px: int) -> np.ndarray:
        """The face's pixels as a (h, w) bool mask: the ellipse in the box, or a disc around nose and eyes."""
        mask = np.zeros((height_px, width_px), np.uint8)
        half_w, half_h = self.width_px / 2, self.width_px / 2
        if self.box is not None:
            half_h = (self.box[3] - self.box[1]) / 2
        cv2.ellipse(mask, (self.centre, (2 * half_w, 2 * half_h), 0.0), 1, -1)
        return mask > 0

    def covered(self, mask: np.ndarray) -> bool:
        """Whether at least nine tenths of the box, or nose and eyes, lie in a (h, w) bool mask."""
        if self.box is not None:
            x1, y1, x2, y2 = (max(0, round(v)) for v in self.box)
            return bool(mask[y1:y2, x1:x2].mean() >= 0.9)
        height, width = mask.shape
        return all(mask[min(height - 1, int(y)), min(width - 1, int(x))] for x, y in self.points)

    def scaled(self, scale: float) -> "AnnotatedFace":
        """The same face after its picture was scaled."""
        points = tuple((x * scale, y * scale) for x, y in self.points)
        box = (
            None
            if self.box is None
            else (self.box[0] * scale, self.box[1] * scale, self.box[2] * scale, self.box[3] * scale)
        )
        return replace(self, box=box, points=points, width_px=self.width_px * scale)

    def shifted(self, right_px: float, down_px: float) -> "AnnotatedFace":
        """The same face after its picture was moved."""
        points = tuple((x + right_px, y + down_px) for x, y in self.points)
        box = self.box
        if box is not None:
            box = (box[0] + right_px, box[1] + down_px, box[2] + right_px, box[3] + down_px)
        return replace(self, box=box, points=points)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatedPicture:
    """A picture at analysis size with its annotated faces."""

    set: str
    name: str
    bgr: Pixels
    faces: tuple[AnnotatedFace, ...]


def pictures(data: Path, *, gif_step: int = 4) -> Iterator[AnnotatedPicture]:
    """Every annotated picture that is there; of the GIF one frame of `gif_step`."""
    yield from dlib(data)
    yield from coco(data)
    yield from gif(data, gif_step)
    yield from far(data)


def dlib(data: Path) -> Iterator[AnnotatedPicture]:
    """Group photographs with face boxes."""
    folder = data / "images/dlib_faces"
    for image in ET.parse(folder / "training.xml").iter("image"):
        name = image.get("file", "")
        bgr, scale = _read(folder / name)
        faces = []
        for box in image.iter("box"):
            x, y, w, h = (float(box.get(key, "0")) * scale for key in ("left", "top", "width", "height"))
            faces.append(AnnotatedFace(box=(x, y, x + w, y + h), width_px=w))
        yield AnnotatedPicture(set="dlib", name=name, bgr=bgr, faces=tuple(faces))


def coco(data: Path) -> Iterator[AnnotatedPicture]:
    """Photographs of everything, with key points of persons whose nose and at least one eye can be seen."""
    annotations = json.loads((data / "annotations/coco_mini/person_keypoints_train2017.json").read_text())
    for image in annotations["images"]:
        path = data / "images/coco_mini/train2017" / image["file_name"]
        if not path.is_file():
            continue
        bgr, scale = _read(path)
        every = [a["keypoints"] for a in annotations["annotations"] if a["image_id"] == image["id"]]
        faces = (face.scaled(scale) for face in map(_face_of, every) if face is not None)
        shown = SHOWN.get(path.name, ())
        yield AnnotatedPicture(
            set="coco",
            name=path.name,
            bgr=bgr,
            faces=tuple(replace(face, shown=number in shown) for number, face in enumerate(faces)),
        )


def _face_of(key_points: list[float]) -> AnnotatedFace | None:
    """A face of COCO's key points, of which nose and eyes are the first three; 2 marks a point that can be seen."""
    nose, *tools = np.array(key_points, float).reshape(-1, 3)[:3]
    seen = [eye[:2] for eye in tools if eye[2] == 2]
    if nose[2] != 2 or not seen:
        return None
    # VisionTools are 0.42 face widths apart, the nose 0.35 below: whichever a turned head leaves larger.
    apart = float(np.linalg.norm(tools[0][:2] - tools[1][:2])) if len(seen) == 2 else 0.0
    below = float(np.linalg.norm(nose[:2] - np.mean(seen, axis=0)))
    points = tuple((float(x), float(y)) for x, y in (nose[:2], *seen))
    return AnnotatedFace(points=points, width_px=max(apart / 0.42, below / 0.35))


def gif(data: Path, step: int) -> Iterator[AnnotatedPicture]:
    """Two people who walk towards the camera."""
    clips = json.loads((data / "annotations/preview_faces.json").read_text())["clips"]
    for name, clip in clips.items():
        capture = cv2.VideoCapture(str(data / "video/intel_sample_previews" / name))
        for number in range(clip["frames"]):
            there, bgr = capture.read()
            if there and number % step == 0:
                boxes = clip["faces"][str(number)]
                faces = tuple(AnnotatedFace(box=tuple(b), width_px=b[2] - b[0]) for b in boxes)
                yield AnnotatedPicture(set="gif", name=f"{name} {number}", bgr=np.asarray(bgr, np.uint8), faces=faces)
        capture.release()


def far(data: Path) -> Iterator[AnnotatedPicture]:
    """The dlib and COCO pictures shrunk into a grey 16:9 frame: people far off. Faces below 6 px are not counted."""
    for picture in (*dlib(data), *coco(data)):
        scale = 230 / max(picture.bgr.shape[:2])
        small = cv2.resize(picture.bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        bgr = np.full((480, 854, 3), 110, np.uint8)
        bgr[: small.shape[0], FAR_X : FAR_X + small.shape[1]] = small
        faces = tuple(face.scaled(scale).shifted(FAR_X, 0) for face in picture.faces if face.width_px * scale >= 6)
        yield AnnotatedPicture(set="far", name=picture.name, bgr=bgr, faces=faces)


def photograph() -> AnnotatedPicture:
    """NASA's photograph of Eileen Collins, which scikit-image carries; the box was read by eye."""
    bgr, scale = _read(photographs() / "astronaut.png")
    face = AnnotatedFace(box=(177.0, 64.0, 271.0, 187.0), width_px=94.0).scaled(scale)
    return AnnotatedPicture(set="photograph", name="astronaut.png", bgr=bgr, faces=(face,))


def roads(data: Path, *, step: int = 25) -> Iterator[AnnotatedPicture]:
    """Frames of street cameras that show cars and nobody on foot."""
    for name in ("intel_sample/car-detection.mp4", "cdnet_highway/bgslibrary_video03.avi"):
        capture = cv2.VideoCapture(str(data / "video" / name))
        number = 0
        while capture.grab():
            if number % step == 0:
                _, bgr = capture.retrieve()
                yield AnnotatedPicture(set="roads", name=f"{name} {number}", bgr=np.asarray(bgr, np.uint8), faces=())
            number += 1
        capture.release()


def without_persons(data: Path) -> Iterator[AnnotatedPicture]:
    """COCO photographs in which no person is annotated: what is blurred there is blurred in vain."""
    labels = data / "images/coco128_lightly/object_detection/labels/val2017"
    for path in sorted((data / "images/coco128_lightly/images/val2017").glob("*.jpg")):
        text = labels / f"{path.stem}.txt"
        if text.is_file() and not any(line.split()[0] == "0" for line in text.read_text().splitlines() if line):
            yield AnnotatedPicture(set="photographs", name=path.name, bgr=_read(path)[0], faces=())


def detector(data: Path, person_threshold: float) -> TfliteDetector:
    """Our default detector, for persons alone."""
    model = ResolvedModel(path=data / YOLOX, entry=REGISTRY["yolox-nano"])
    return TfliteDetector(model, thresholds={Label.PERSON: person_threshold})


def scene_of(bgr: Pixels, detections: tuple[Detection, ...], *, analysed: bool = True) -> Scene:
    """A Scene around an array, as the pipeline hands it to privacy."""
    frame = Frame(camera="porch", seq=1, time=1_700_000_000.0, luma=bgr[:, :, 1], convert=bgr.copy)
    return Scene(frame=frame, motion=Motion(view=View.QUIET), analysed=analysed, detections=detections)


def _read(path: Path) -> tuple[Pixels, float]:
    """The picture with its short side at most ANALYSIS_PX, and its scale."""
    bgr = cv2.imread(str(path))
    if bgr is None:
        raise FileNotFoundError(path)
    scale = min(1.0, ANALYSIS_PX / min(bgr.shape[:2]))
    if scale < 1:
        bgr = cv2.resize(bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(bgr, np.uint8), scale
