"""Pixels: luma is the decoder's own memory, colour agrees with a reference, sizes are bounded."""

import gc
import struct
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading import read, replay

from blikk_edge.sources.pixels import Scaler, analysis_size


@pytest.mark.parametrize(
    ("size", "wanted"),
    [
        ((1280, 720), (854, 480)),
        ((1920, 1080), (854, 480)),
        ((1080, 1920), (480, 854)),
        ((640, 480), (640, 480)),
        ((320, 240), (320, 240)),
        ((161, 121), (160, 120)),
        ((3840, 2160), (854, 480)),
    ],
)
def test_analysis_size(size: tuple[int, int], wanted: tuple[int, int]) -> None:
    assert analysis_size(*size, 480) == wanted


@given(st.integers(2, 8192), st.integers(2, 8192), st.sampled_from([240, 360, 480, 720]))
def test_analysis_size_is_even_never_larger_and_bounded(width: int, height: int, bound: int) -> None:
    w, h = analysis_size(width, height, bound)

    assert w % 2 == h % 2 == 0
    assert 2 <= w <= width
    assert 2 <= h <= height
    assert min(w, h) <= bound


def test_luma_and_colour_agree_with_a_reference_decode(data: Path) -> None:
    clip = data / "video" / "intel_sample" / "car-detection.mp4"
    with av.open(str(clip)) as container:
        reference = next(container.decode(video=0))
        luma = reference.to_ndarray(format="yuv420p")[: reference.height]
        bgr = reference.to_ndarray(format="bgr24")

    frame = read(replay(clip), 1)[0]

    assert np.array_equal(frame.luma, luma)
    assert np.array_equal(frame.bgr(), bgr)


def test_scaled_colour_shows_the_same_picture(data: Path) -> None:
    clip = data / "video" / "dvr_scan" / "traffic_camera.mp4"

    frame = read(replay(clip), 1)[0]

    scaled = frame.bgr()
    assert scaled.shape == (480, 854, 3)
    blocks = frame.luma[:720, :1280].reshape(8, 90, 16, 80).mean((1, 3))
    grey = (scaled[:480, :848] @ np.array([0.114, 0.587, 0.299])).reshape(8, 60, 16, 53).mean((1, 3))
    assert np.corrcoef(blocks.ravel(), grey.ravel())[0, 1] > 0.97


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuvj420p", "yuv422p", "yuv444p", "nv12", "gray", "yuyv422", "uyvy422"])
def test_luma_shares_memory_with_the_decoders_plane(pix_fmt: str) -> None:
    # 322 is no multiple of the alignment, so rows are padded.
    picture = av.VideoFrame.from_ndarray(np.full((240, 322, 3), 128, np.uint8), format="rgb24").reformat(format=pix_fmt)

    luma = Scaler(480).luma(picture)
    before = luma[7, 5]
    memory = np.frombuffer(memoryview(picture.planes[0]), np.uint8)
    memory[:] = 77

    assert luma.shape == (240, 322)
    assert np.shares_memory(luma, memory)
    assert before != 77
    assert (luma == 77).all()


@pytest.mark.parametrize("pix_fmt", ["bgr24", "pal8", "bgra", "yuv420p10le", "p010le", "rgb565le"])
def test_formats_without_8_bit_luma_give_grey(pix_fmt: str) -> None:
    image = np.zeros((240, 320, 3), np.uint8)
    image[:, 160:] = 255
    picture = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(
        format="rgb8" if pix_fmt == "pal8" else pix_fmt
    )

    luma = Scaler(480).luma(picture)

    assert luma.shape == (240, 320)
    assert luma.dtype == np.uint8
    assert luma[:, 10].mean() < 40
    assert luma[:, 300].mean() > 220


def test_luma_cannot_be_written_to(data: Path) -> None:
    frame = read(replay(data / "video" / "oddities" / "clip.mp4"), 1)[0]

    with pytest.raises(ValueError, match="read-only"):
        frame.luma[0, 0] = 1


def test_luma_stays_whole_after_the_source_is_closed(data: Path) -> None:
    clip = data / "video" / "dvr_scan" / "traffic_camera.mp4"
    kept = read(replay(clip), 3)
    gc.collect()
    copies = [frame.luma.copy() for frame in kept]

    again = read(replay(clip), 3)

    assert all(np.array_equal(a.luma, b) for a, b in zip(again, copies, strict=True))


def test_frame_let_go_frees_its_picture(data: Path) -> None:
    frame = read(replay(data / "video" / "oddities" / "clip.mp4"), 1)[0]
    luma = weakref.ref(frame.luma)

    del frame

    assert luma() is None


def quarter_turns(path: Path, matrix: tuple[int, ...]) -> Path:
    """The MP4 with another display matrix in its track header (ISO 14496-12, 8.3.2)."""
    content = bytearray(path.read_bytes())
    start = content.index(b"tkhd") + 4 + 40
    content[start : start + 36] = struct.pack(">9i", *matrix)
    turned = path.with_name("turned.mp4")
    turned.write_bytes(content)
    return turned


@pytest.mark.parametrize(
    ("matrix", "corner"),
    [
        ((0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30), "top right"),
        ((0, -(1 << 16), 0, 1 << 16, 0, 0, 0, 0, 1 << 30), "bottom left"),
    ],
)
def test_clip_that_lies_on_its_side_is_turned_upright(make_clip, matrix: tuple[int, ...], corner: str) -> None:
    flat = make_clip("flat.mp4", size=(320, 240), frames=1)
    lying = read(replay(flat))[0]

    frame = read(replay(quarter_turns(flat, matrix)))[0]

    turns = {"top right": 3, "bottom left": 1}[corner]
    assert frame.luma.shape == (320, 240)
    assert np.array_equal(frame.luma, np.rot90(lying.luma, turns))
    assert np.array_equal(frame.bgr(), np.rot90(lying.bgr(), turns))


def test_frames_are_converted_in_many_threads_at_once(data: Path) -> None:
    frames = read(replay(data / "video" / "dvr_scan" / "traffic_camera.mp4"), 12)
    alone = [Scaler(480).bgr(frame._convert.args[0]) for frame in frames]

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda frame: frame.bgr(), frames))

    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))


def test_a_large_frame_that_waits_keeps_nothing_of_stream_size(make_clip) -> None:
    (frame,) = read(replay(make_clip("a.mp4", size=(3840, 2160), frames=1)))
    colour, luma = Scaler(480).bgr(frame._convert.args[0]), frame.luma
    plane = weakref.ref(luma)
    small = cv2.resize(luma, (854, 480), interpolation=cv2.INTER_AREA)
    del luma

    frame.light()
    gc.collect()

    assert plane() is None
    assert np.array_equal(frame.bgr(), colour)
    assert frame.luma.shape == (480, 854)
    assert np.mean(np.abs(frame.luma.astype(int) - small)) < 2
    assert not frame.luma.flags.writeable


def test_a_small_frame_is_light_as_it_is(make_clip) -> None:
    (frame,) = read(replay(make_clip("a.mp4", size=(1920, 1080), frames=1)))
    luma = frame.luma
    frame.light()
    assert frame.luma is luma
