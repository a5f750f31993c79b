"""Pictures are turned and stretched to what was in front of the camera: mounting and pixels that are not square."""

import itertools
import struct
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading import read, replay, terms
from rtsp_server import RtspServer
from web import Web, serving

from blikk_edge.core.scene import Scene
from blikk_edge.core.sightings import Motion, View
from blikk_edge.sources.mjpeg import open_mjpeg
from blikk_edge.sources.pixels import Scaler, pixel_aspect, shown_size
from blikk_edge.sources.rtsp import open_rtsp
from blikk_edge.transforms.privacy.faces import Face, FaceFinder
from blikk_edge.transforms.privacy.redactor import Privacy


@pytest.mark.parametrize(
    ("said", "aspect"),
    [
        (None, 1.0),
        (Fraction(0), 1.0),
        (Fraction(1), 1.0),
        (Fraction(5, 11), 5 / 11),
        (Fraction(24, 11), 24 / 11),
        (Fraction(-2, 1), 1.0),
        (Fraction(1, 100), 1.0),
        (Fraction(65535, 1), 1.0),
    ],
)
def test_pixel_aspect_that_cannot_be_is_passed_over(said: Fraction | None, aspect: float) -> None:
    assert pixel_aspect(said) == aspect


@given(st.integers(64, 4096), st.integers(64, 4096), st.floats(0.25, 4.0))
def test_shown_size_has_the_right_proportions_and_as_many_pixels(width: int, height: int, aspect: float) -> None:
    w, h = shown_size(width, height, aspect)

    assert w / h == pytest.approx(width * aspect / height, rel=0.04)
    assert w * h == pytest.approx(width * height, rel=0.04)


def round_clip(path: Path, size: tuple[int, int], aspects: list[Fraction], frames: int = 10) -> Path:
    """A clip of a circle in a 4:3 picture, squeezed into `size`; each aspect is said for as many frames.

    Its stream changes by its own headers, as a camera's does whose settings are changed.
    """
    scene = np.zeros((960, 1280, 3), np.uint8)
    cv2.circle(scene, (640, 480), 300, (255, 255, 255), -1)
    squeezed = cv2.resize(scene, size, interpolation=cv2.INTER_AREA)
    content = b""
    for aspect in aspects:
        part = path.with_name("part.h264")
        with av.open(str(part), "w") as container:
            stream = container.add_stream("libx264", rate=25, options={"bf": "0", "g": "10"})
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
            stream.thread_count = 1  # x264 would cut each picture into slices, one a thread
            stream.codec_context.sample_aspect_ratio = aspect
            for _ in range(frames):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(squeezed, format="bgr24")))
            container.mux(stream.encode())
        content += part.read_bytes()
    path.write_bytes(content)
    return path


def circle_of(bgr: np.ndarray) -> float:
    """Width by height of what is bright."""
    bright = bgr[..., 1] > 128
    columns, rows = np.flatnonzero(bright.any(axis=0)), np.flatnonzero(bright.any(axis=1))
    return float((columns[-1] - columns[0]) / (rows[-1] - rows[0]))


SHAPES = [
    ((704, 240), Fraction(5, 11), (356, 474)),
    ((352, 576), Fraction(24, 11), (390, 520)),
    ((960, 1080), Fraction(3, 2), (480, 640)),
    ((704, 576), Fraction(12, 11), (480, 640)),
]


@pytest.mark.parametrize(("size", "aspect", "shape"), SHAPES)
def test_circle_in_squeezed_pixels_is_round(
    tmp_path: Path, size: tuple[int, int], aspect: Fraction, shape: tuple[int, int]
) -> None:
    frame = read(replay(round_clip(tmp_path / "a.h264", size, [aspect])), 1)[0]

    assert frame.bgr().shape == (*shape, 3)
    assert circle_of(frame.bgr()) == pytest.approx(1.0, abs=0.03)
    assert frame.luma.shape == size[::-1]
    assert frame.aspect == pytest.approx(4 / 3, abs=0.01)


def test_wide_pixels_are_square_over_rtsp_too(tmp_path: Path) -> None:
    clip = round_clip(tmp_path / "a.h264", (352, 576), [Fraction(24, 11)], frames=50)
    with RtspServer(clip) as server:
        frame = read(open_rtsp(server.url, terms(), transport="tcp"), 1)[0]

    assert circle_of(frame.bgr()) == pytest.approx(1.0, abs=0.03)


def test_aspect_that_changes_on_the_way_counts_from_then_on(tmp_path: Path) -> None:
    clip = round_clip(tmp_path / "a.h264", (704, 240), [Fraction(1), Fraction(5, 11), Fraction(1)], frames=30)

    shapes = [shape for shape, _ in itertools.groupby(frame.bgr().shape for frame in read(replay(clip)))]

    assert shapes == [(240, 704, 3), (356, 474, 3), (240, 704, 3)]


def test_aspect_of_the_container_counts_more_than_that_of_the_video(tmp_path: Path) -> None:
    clip = tmp_path / "a.mp4"
    with av.open(str(clip), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 352, 288, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(1)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((288, 352, 3), np.uint8), format="bgr24")))
        container.mux(stream.encode())
    content = bytearray(clip.read_bytes())
    at = content.index(b"pasp")
    content[at + 4 : at + 12] = struct.pack(">2I", 2, 1)
    clip.write_bytes(content)

    assert read(replay(clip))[0].bgr().shape == (204, 498, 3)


def test_nonsense_aspect_changes_nothing(tmp_path: Path) -> None:
    clip = round_clip(tmp_path / "a.h264", (320, 240), [Fraction(1, 40)])

    assert read(replay(clip), 1)[0].bgr().shape == (240, 320, 3)


CORNERS = {0: "top left", 90: "top right", 180: "bottom right", 270: "bottom left"}


def bright_corner(pixels: np.ndarray) -> str:
    """Where the picture is brightest."""
    height, width = pixels.shape[0] // 2, pixels.shape[1] // 2
    places = {
        "top left": pixels[:height, :width],
        "top right": pixels[:height, width:],
        "bottom left": pixels[height:, :width],
        "bottom right": pixels[height:, width:],
    }
    return max(places, key=lambda place: places[place].mean())


@pytest.fixture
def cornered() -> np.ndarray:
    """640 x 360 BGR, bright at the top left."""
    image = np.zeros((360, 640, 3), np.uint8)
    image[:90, :160] = 255
    return image


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_rotate_turns_everything_clockwise(cornered: np.ndarray, rotate: int) -> None:
    picture = av.VideoFrame.from_ndarray(cornered, format="bgr24").reformat(format="yuv420p")

    frame = Scaler(240, rotate=rotate).frame(picture, camera="a", seq=1, time=0.0)

    lies = rotate in {90, 270}
    assert frame.luma.shape == ((640, 360) if lies else (360, 640))
    assert frame.bgr().shape == ((426, 240, 3) if lies else (240, 426, 3))
    assert frame.aspect == pytest.approx(9 / 16 if lies else 16 / 9)
    assert bright_corner(frame.luma) == bright_corner(frame.bgr()[..., 0]) == CORNERS[rotate]
    assert frame.bgr().flags.c_contiguous
    assert np.shares_memory(frame.luma, np.frombuffer(memoryview(picture.planes[0]), np.uint8))


def test_squeezed_pixels_are_stretched_before_the_picture_is_turned(tmp_path: Path) -> None:
    clip = round_clip(tmp_path / "a.h264", (704, 240), [Fraction(5, 11)])

    frame = read(replay(clip, rotate=90), 1)[0]

    assert frame.bgr().shape == (474, 356, 3)
    assert frame.aspect == pytest.approx(3 / 4, abs=0.01)
    assert circle_of(frame.bgr()) == pytest.approx(1.0, abs=0.03)


def test_rotate_comes_on_top_of_what_the_file_asks_for(make_clip) -> None:
    clip = make_clip("a.mp4", frames=1)
    lying = read(replay(clip))[0]
    content = bytearray(clip.read_bytes())
    start = content.index(b"tkhd") + 4 + 40
    content[start : start + 36] = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)  # 90 clockwise
    clip.write_bytes(content)

    frame = read(replay(clip, rotate=90))[0]

    assert np.array_equal(frame.luma, np.rot90(lying.luma, 2))
    assert np.array_equal(frame.bgr(), np.rot90(lying.bgr(), 2))


@pytest.mark.parametrize("rotate", [90, 180, 270])
def test_mjpeg_is_turned_too(cornered: np.ndarray, rotate: int) -> None:
    jpeg = cv2.imencode(".jpg", cornered)[1].tobytes()
    with serving(Web(jpegs=[jpeg])) as web:
        frame = read(open_mjpeg(web.url("/mjpeg"), terms(rotate=rotate)), 1)[0]

    assert bright_corner(frame.bgr()[..., 0]) == CORNERS[rotate]


SURE = 0.8


def sure(faces: tuple[Face, ...]) -> int:
    """How many faces the model is sure of: what it takes for one without being sure is often none."""
    return sum(face.score >= SURE for face in faces)


@pytest.mark.parametrize("rotate", [90, 180, 270])
def test_faces_of_a_camera_on_its_side_or_head_are_found_and_blurred(data: Path, rotate: int) -> None:
    faces = sorted((data / "images/dlib_faces").glob("*.jpg"))
    finder = FaceFinder(data / "models/face/yunet/yunet_n_320_320.onnx")
    upright, mounted, unturned = 0, 0, 0
    for path in faces:
        seen = cv2.imread(str(path))
        mounted_so = np.ascontiguousarray(np.rot90(seen, rotate // 90))
        picture = av.VideoFrame.from_ndarray(mounted_so, format="bgr24")
        frame = Scaler(480, rotate=rotate).frame(picture, camera="a", seq=1, time=0.0)
        plain = Scaler(480).frame(av.VideoFrame.from_ndarray(seen, format="bgr24"), camera="a", seq=1, time=0.0)
        found = finder.find(frame.bgr())
        upright += sure(finder.find(plain.bgr()))
        mounted += sure(found)
        unturned += sure(finder.find(Scaler(480).bgr(picture)))
        redacted = Privacy(finder).picture(Scene(frame=frame, motion=Motion(view=View.QUIET), analysed=True), name="p")
        blurred = cv2.imdecode(np.frombuffer(redacted.jpeg, np.uint8), cv2.IMREAD_COLOR)
        for face in found:
            if face.score >= SURE:
                x1, y1, x2, y2 = face.box.pixels(blurred.shape[1], blurred.shape[0])
                raw, left = (cv2.Laplacian(image[y1:y2, x1:x2], cv2.CV_64F) for image in (frame.bgr(), blurred))
                assert np.linalg.norm(left) < 0.2 * np.linalg.norm(raw)

    assert mounted == pytest.approx(upright, abs=2)
    assert unturned < upright / 2, (unturned, upright)
