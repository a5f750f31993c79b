"""Number plates of several countries, drawn in perspective on vehicles of the test data: where they are is known."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path

import cv2
import numpy as np
from annotated_faces import AnnotatedFace

from blikk_edge.core.scene import Pixels
from blikk_edge.transforms.privacy.paint import encode

SIZE = (854, 480)
WIDTHS_PX = (60, 72, 90, 120, 160, 200)
LIGHTS = ("day", "night", "infrared")

Quad = tuple[tuple[float, float], ...]
Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vehicle:
    """A vehicle of the test data.

    Attributes:
        file: The picture or clip, below the folder of the test data.
        frame: Which one of the clip.
        plate: Where its plate is, or would be: its corners in px from the upper left one on, clockwise.
        text: What can be read there, by eye.
        known: Whether the finder was tuned with it.
    """

    file: str
    frame: int = 0
    plate: Quad
    text: str = ""
    known: bool = True

    @property
    def width_px(self) -> float:
        """The width of the plate."""
        return float(np.linalg.norm(np.subtract(self.plate[1], self.plate[0])))


_COCO = "images/coco128_lightly/images/val2017/"
_STREET = "video/dvr_scan/traffic_camera.mp4"
_PARK = "video/intel_sample/car-detection.mp4"
_PREVIEW = "video/intel_sample_previews/person-bicycle-car-detection.gif"
_HIGHWAY = "video/cdnet_highway/bgslibrary_video03.avi"

VEHICLES = (
    Vehicle(file=_COCO + "000000001532.jpg", plate=((247, 442), (281, 441), (281, 458), (247, 459)), text="4CTC055"),
    Vehicle(file=_COCO + "000000001584.jpg", plate=((210, 485), (266, 486), (266, 503), (211, 503)), text="ALM89B"),
    Vehicle(file=_COCO + "000000002006.jpg", plate=((427, 378), (488, 379), (488, 391), (427, 390)), text="NA52BUU"),
    Vehicle(file=_COCO + "000000005037.jpg", plate=((180, 325), (234, 332), (233, 348), (178, 341)), text="SN55JVK"),
    Vehicle(file="images/coco_mini/train2017/000000234748.jpg", plate=((178, 291), (239, 290), (239, 307), (178, 308))),
    Vehicle(file=_PARK, frame=220, plate=((359, 181), (384, 181), (384, 192), (359, 192))),
    Vehicle(file=_PARK, frame=230, plate=((367, 62), (390, 62), (390, 72), (368, 72))),
    Vehicle(file=_STREET, frame=50, plate=((409, 612), (437, 612), (437, 619), (409, 619))),
    Vehicle(file=_STREET, frame=50, plate=((241, 587), (268, 586), (268, 592), (241, 593))),
    Vehicle(file=_STREET, frame=50, plate=((67, 557), (91, 557), (91, 564), (67, 564))),
    Vehicle(file=_STREET, frame=100, plate=((197, 621), (226, 621), (226, 628), (198, 628))),
    Vehicle(file=_STREET, frame=150, plate=((192, 641), (222, 640), (222, 648), (192, 649))),
    Vehicle(file=_STREET, frame=400, plate=((386, 685), (422, 684), (421, 694), (386, 694))),
    Vehicle(file=_STREET, frame=450, plate=((109, 704), (146, 704), (146, 713), (110, 713))),
    Vehicle(file=_STREET, frame=450, plate=((341, 695), (378, 695), (378, 701), (341, 701))),
    Vehicle(file=_STREET, frame=500, plate=((215, 591), (241, 590), (241, 597), (215, 598))),
    Vehicle(file=_STREET, frame=500, plate=((253, 483), (273, 483), (272, 488), (253, 488))),
    Vehicle(file=_STREET, frame=550, plate=((145, 671), (178, 671), (177, 679), (145, 680))),
    Vehicle(file=_HIGHWAY, frame=900, plate=((185, 188), (203, 188), (203, 193), (185, 193)), known=False),
    Vehicle(file=_PREVIEW, frame=20, plate=((127, 146), (141, 146), (141, 152), (127, 152)), known=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How a plate looks, sizes in mm, colours in BGR.

    Attributes:
        width: Its width.
        height: Its height.
        ground: Its colour.
        ink: That of the characters.
        rows: How many rows of characters it has.
        band: Whether it has the blue band of the European Union.
        state: What is written above the characters.
    """

    width: int
    height: int
    ground: Colour
    ink: Colour
    rows: int = 1
    band: bool = False
    state: str = ""


LAYOUTS = {
    "EU": Layout(width=520, height=110, ground=(235, 235, 235), ink=(20, 20, 20), band=True),
    "NL": Layout(width=520, height=110, ground=(30, 170, 240), ink=(20, 20, 20), band=True),
    "UK": Layout(width=520, height=111, ground=(40, 190, 235), ink=(20, 20, 20)),
    "US": Layout(width=305, height=152, ground=(225, 220, 215), ink=(110, 40, 30), state="CALIFORNIA"),
    "two rows": Layout(width=280, height=200, ground=(235, 235, 235), ink=(20, 20, 20), rows=2, band=True),
    "black": Layout(width=500, height=110, ground=(25, 25, 25), ink=(225, 225, 225)),
    "grey": Layout(width=400, height=130, ground=(170, 170, 170), ink=(60, 60, 60)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plate(AnnotatedFace):
    """A plate in pixels: its corners, clockwise, and what is written on it without spaces."""

    corners: Quad
    text: str

    def patch(self, height_px: int, width_px: int) -> np.ndarray:
        """The plate's pixels as a (h, w) bool mask."""
        mask = np.zeros((height_px, width_px), np.uint8)
        cv2.fillPoly(mask, [np.round(self.corners).astype(np.int32)], (1,))
        return mask > 0

    def upright(self, bgr: Pixels) -> Pixels:
        """It alone, seen from the front, 96 px high."""
        corners = np.array(self.corners, np.float32)
        across, down = (np.linalg.norm(corners[other] - corners[0]) for other in (1, 3))
        size = round(96 * float(across / down)), 96
        ends = np.array([[0, 0], [size[0], 0], size, [0, size[1]]], np.float32)
        shown = cv2.warpPerspective(bgr, cv2.getPerspectiveTransform(corners, ends), size, flags=cv2.INTER_CUBIC)
        return np.asarray(shown, np.uint8)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatePicture:
    """A picture of SIZE with a plate; `again` takes it another time, with another text and other noise."""

    vehicle: Vehicle
    light: str
    layout: str
    bgr: Pixels
    plate: Plate
    again: Callable[[str], "PlatePicture"] | None = None


def drawn_pictures(
    data: Path, *, seed: int, widths: tuple[int, ...] = WIDTHS_PX, step: int = 1
) -> Iterator[PlatePicture]:
    """Each vehicle with a plate of each width in each light; layouts, texts, places, dirt and mirroring at random.

    Of all these one of `step`.
    """
    for number, (vehicle, width, light) in enumerate(product(VEHICLES, widths, LIGHTS)):
        if number % step == 0:
            rng = random.Random(f"{seed} {number}")
            layout, text, dirty = rng.choice(list(LAYOUTS)), new_text(rng), rng.random() < 0.25
            made = Made(vehicle=vehicle, width_px=width, light=light, layout=layout, dirty=dirty, seed=rng.random())
            yield with_plate(data, made, text)


def real_pictures(data: Path, widths: tuple[int, ...] = (60, 80, 120)) -> Iterator[PlatePicture]:
    """The vehicles whose plate can be read by eye, as large as if they were nearer."""
    for vehicle in VEHICLES:
        if vehicle.text:
            for width in widths:
                bgr, matrix = _nearer(data, vehicle, width, (0.5, 0.7))
                plate = _plate(_moved(np.array(vehicle.plate), matrix), vehicle.text)
                yield PlatePicture(vehicle=vehicle, light="as it is", layout="real", bgr=bgr, plate=plate)


def new_text(rng: random.Random) -> str:
    """Seven characters, as `AB12 CDE`."""
    letters, digits = "ABCDEFGHJKLMNPRSTUVWXYZ", "0123456789"
    return "".join(rng.choice(kind) for kind in (letters, letters, digits, digits, letters, letters, letters))


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """How a picture is made, but for the text and the noise: the vehicle so near that its plate is this wide."""

    vehicle: Vehicle
    width_px: float
    light: str
    layout: str
    dirty: bool
    seed: float


def with_plate(data: Path, made: Made, text: str, *, shot: int = 0) -> PlatePicture:
    """The picture with this text; each shot has noise of its own."""
    rng = random.Random(made.seed)
    bgr, matrix = _nearer(data, made.vehicle, made.width_px, (rng.uniform(0.3, 0.7), rng.uniform(0.55, 0.8)))
    corners = _moved(_corners(made.vehicle, LAYOUTS[made.layout], rng), matrix)
    if rng.random() < 0.5:
        bgr = np.ascontiguousarray(bgr[:, ::-1])
        corners = np.stack((SIZE[0] - corners[[1, 0, 3, 2], 0], corners[[1, 0, 3, 2], 1]), axis=1)
    dirt, noise = np.random.default_rng(rng.getrandbits(32)), np.random.default_rng(rng.getrandbits(32) + shot)
    seen, share = _drawn_on(SIZE, _front(made.layout, text, dirt if made.dirty else None), corners)
    (left, top), (right, bottom) = corners.min(axis=0).astype(int) - 20, corners.max(axis=0).astype(int) + 20
    around = bgr[max(0, top) : bottom, max(0, left) : right]
    bright = np.clip(np.percentile(around, 85) / 200, 0.45, 1.05)
    shown = cv2.GaussianBlur(bgr * (1 - share) + seen * bright * share, (0, 0), 0.6)
    return PlatePicture(
        vehicle=made.vehicle,
        light=made.light,
        layout=made.layout,
        bgr=_lit(shown, made.light, share, noise),
        plate=_plate(corners, text),
        again=lambda other: with_plate(data, made, other, shot=shot + 1),
    )


def _lit(shown: np.ndarray, light: str, share: np.ndarray, noise: np.random.Generator) -> Pixels:
    """As a camera sees it, with its noise and as a JPEG; in infrared light a plate shines."""
    if light == "night":
        shown = 255 * (shown / 255) ** 1.6 * 0.45 + noise.normal(0, 5, shown.shape)
    elif light == "infrared":
        grey = cv2.cvtColor(np.clip(shown, 0, 255).astype(np.uint8), cv2.COLOR_BGR2GRAY)[..., None] * 0.35
        shown = np.repeat(grey * (1 - share) + np.minimum(255, grey * 5) * share, 3, axis=2)
        shown = shown + noise.normal(0, 4, shown.shape)
    else:
        shown = shown + noise.normal(0, 2.5, shown.shape)
    jpeg = encode(np.clip(shown, 0, 255).astype(np.uint8), 80)
    return np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def _plate(corners: np.ndarray, text: str) -> Plate:
    points = tuple((float(x), float(y)) for x, y in corners)
    width = float(np.linalg.norm(corners[1] - corners[0]))
    return Plate(points=points, width_px=width, corners=points, text=text)


def _corners(vehicle: Vehicle, layout: Layout, rng: random.Random) -> np.ndarray:
    """(4, 2) px of the vehicle's picture: as wide as its own plate, as high as the layout is, a little slanted."""
    own = np.array(vehicle.plate, float)
    across, down = (own[1] - own[0] + own[2] - own[3]) / 2, (own[3] - own[0] + own[2] - own[1]) / 2
    down /= np.linalg.norm(down)
    height = np.linalg.norm(across) * layout.height / layout.width * rng.uniform(0.75, 1.1)
    slant = np.array((rng.uniform(-0.12, 0.12) * height, 0))
    half, lower = across / 2, down * height / 2 + slant / 2
    return np.array([-half - lower, half - lower, half + lower, lower - half]) + own.mean(axis=0)


def _nearer(data: Path, vehicle: Vehicle, width_px: float, place: tuple[float, float]) -> tuple[Pixels, np.ndarray]:
    """The vehicle's picture so large that its plate is this wide, and about at this place; with the (2, 3) matrix."""
    bgr = _frame(data / vehicle.file, vehicle.frame)
    scale = width_px / vehicle.width_px
    matrix = np.array([[scale, 0, 0], [0, scale, 0]])
    for axis, middle in enumerate(np.mean(vehicle.plate, axis=0)):
        spare = SIZE[axis] - bgr.shape[1 - axis] * scale
        wanted = place[axis] * SIZE[axis] - middle * scale
        matrix[axis, 2] = min(0.0, max(spare, wanted)) if spare <= 0 else spare / 2
    shown = cv2.warpAffine(bgr, matrix, SIZE, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(shown, np.uint8), matrix


def _moved(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    return points @ matrix[:, :2].T + matrix[:, 2]


@cache
def _frame(path: Path, number: int) -> Pixels:
    """A picture, or a frame of a clip."""
    if path.suffix == ".jpg":
        return np.asarray(cv2.imread(str(path)), np.uint8)
    capture = cv2.VideoCapture(str(path))
    for _ in range(number):
        capture.grab()
    there, bgr = capture.read()
    capture.release()
    assert there, f"{path} has no frame {number}"
    return np.asarray(bgr, np.uint8)


def _front(name: str, text: str, dirt: np.random.Generator | None) -> Pixels:
    """The plate seen from the front, 2 px for each mm."""
    layout = LAYOUTS[name]
    height, width = 2 * layout.height, 2 * layout.width
    bgr = np.full((height, width, 3), layout.ground, np.uint8)
    left, top = 0, 0
    if layout.band:
        left = 80
        bgr[:, :left] = (150, 60, 10)
    if layout.state:
        top = 50
        cv2.putText(bgr, layout.state, (width // 2 - 160, 44), cv2.FONT_HERSHEY_SIMPLEX, 1.6, (40, 40, 180), 4)
    rows = [text[:4], text[4:]] if layout.rows == 2 else [text if layout.state else f"{text[:4]} {text[4:]}"]
    each = (height - top) / len(rows)
    for number, row in enumerate(rows):
        high = int(each * 0.76)
        wide = int(min(width - left - 20, each * 0.63 * len(row)))
        written = cv2.resize(_written(row), (wide, high), interpolation=cv2.INTER_AREA)[..., None] / 255
        y, x = int(top + each * number + (each - high) / 2), left + (width - left - wide) // 2
        part = bgr[y : y + high, x : x + wide]
        part[:] = part * (1 - written) + np.array(layout.ink) * written
    cv2.rectangle(bgr, (2, 2), (width - 3, height - 3), layout.ink, 3)
    if dirt is not None:
        clouds = cv2.resize(dirt.random((6, 16)), (width, height), interpolation=cv2.INTER_CUBIC)
        share = np.clip(1.3 * clouds - 0.25, 0, 0.75)[..., None]
        bgr = (bgr * (1 - share) + np.array((60, 80, 95)) * share).astype(np.uint8)
    return bgr


def _written(text: str) -> Pixels:
    """A row of characters, (h, w), white on black."""
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_DUPLEX, 4, 18)
    canvas = np.zeros((height + 24, width + 24), np.uint8)
    cv2.putText(canvas, text, (12, height + 12), cv2.FONT_HERSHEY_DUPLEX, 4, (255,), 18, cv2.LINE_AA)
    return canvas


def _drawn_on(size: tuple[int, int], front: Pixels, corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A plate in perspective, (h, w, 3), and how much of each pixel it covers, (h, w, 1)."""
    fine = 3
    height, width = front.shape[:2]
    ends = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(ends, np.asarray(corners * fine, np.float32))
    large = size[0] * fine, size[1] * fine
    seen = cv2.warpPerspective(front, matrix, large, flags=cv2.INTER_AREA)
    share = cv2.warpPerspective(np.full((height, width), 255, np.uint8), matrix, large)
    return (
        cv2.resize(seen, size, interpolation=cv2.INTER_AREA),
        cv2.resize(share, size, interpolation=cv2.INTER_AREA)[..., None] / 255,
    )
