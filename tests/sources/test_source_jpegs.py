"""Pictures out of bytes: JPEGs are found by their own markers, whatever stands between them."""

import io
import itertools

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blikk_edge.sources.jpegs import JpegSplitter


def jpeg(n: int = 0, *, progressive: bool = False, restart: int = 0, quality: int = 90, size: int = 96) -> bytes:
    noise = np.random.default_rng(n).integers(0, 256, (size, size, 3)).astype(np.uint8)
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_PROGRESSIVE, int(progressive)]
    return cv2.imencode(".jpg", noise, [*options, cv2.IMWRITE_JPEG_RST_INTERVAL, restart])[1].tobytes()


def with_thumbnail(picture: bytes) -> bytes:
    """The picture with another one inside of an APP1 segment, as EXIF has it."""
    inner = b"Exif\0\0" + jpeg(99, size=32)
    return picture[:2] + b"\xff\xe1" + (len(inner) + 2).to_bytes(2, "big") + inner + picture[2:]


PICTURES = [
    jpeg(1),
    jpeg(2, progressive=True),
    jpeg(3, restart=2),
    with_thumbnail(jpeg(4)),
    jpeg(5)[:2] + b"\xff\xff\xff" + jpeg(5)[3:],  # filling before a marker
    jpeg(6, size=8, quality=10),
]
BETWEEN = [
    b"",
    b"\r\n--b\r\nContent-Type: image/jpeg\r\nContent-Length: 7\r\n\r\n",
    b"\n\n",
    bytes(100),
    b"\xff",
    b"\xff\xd9",
]


@given(
    st.lists(st.tuples(st.sampled_from(PICTURES), st.sampled_from(BETWEEN)), max_size=8),
    st.lists(st.integers(1, 3000), min_size=1, max_size=20),
)
def test_pictures_come_out_as_they_were_however_they_are_cut(parts: list[tuple[bytes, bytes]], cuts: list[int]) -> None:
    stream, splitter, out = io.BytesIO(b"".join(between + picture for picture, between in parts)), JpegSplitter(), []
    for size in itertools.cycle(cuts):
        if not (piece := stream.read(size)):
            break
        out += splitter.feed(piece)

    assert out == [picture for picture, _ in parts]
    assert splitter.broken == 0


def test_picture_is_given_as_soon_as_its_last_byte_has_come() -> None:
    splitter, picture = JpegSplitter(), jpeg()

    assert splitter.feed(picture[:-1]) == []
    assert splitter.feed(picture[-1:]) == [picture]


def test_picture_without_its_end_is_given_when_the_next_one_starts() -> None:
    splitter, picture = JpegSplitter(), jpeg(1)
    part = b"\r\n--b0\r\nContent-Type: image/jpeg\r\n\r\n"

    assert splitter.feed(picture[:-2] + part) == []
    assert splitter.feed(picture[:-2] + part) == [picture[:-2]]
    assert splitter.rest() == picture[:-2] + part


@pytest.mark.parametrize("cut", [3, 30, 400, 2000])
def test_cut_picture_costs_no_more_than_itself_and_the_next(cut: int) -> None:
    splitter = JpegSplitter()

    out = splitter.feed(jpeg(1)[:cut] + b"".join(jpeg(n) for n in range(2, 8)))

    assert out[-4:] == [jpeg(n) for n in range(4, 8)]


@given(st.binary(max_size=5000))
def test_any_bytes_do_no_harm_and_the_next_pictures_are_found(noise: bytes) -> None:
    splitter = JpegSplitter()
    splitter.feed(noise)

    out = list(
        itertools.chain.from_iterable(splitter.feed(jpeg(n)) for n in itertools.islice(itertools.cycle([1, 2]), 60))
    )

    assert out[-2:] == [jpeg(1), jpeg(2)]


@pytest.mark.parametrize("endless", [bytes(1000), b"\xff\xd8\xff\xe0" + bytes(996), jpeg(1)[:-2] + bytes(10_000)])
def test_endless_part_takes_bounded_memory(endless: bytes) -> None:
    splitter = JpegSplitter(most_bytes=50_000)
    splitter.feed(endless)
    for _ in range(200):
        splitter.feed(bytes(4096))
        assert len(splitter._kept) <= 50_000

    splitter.feed(jpeg(1) + jpeg(2))
    assert splitter.feed(jpeg(3)) == [jpeg(3)]


def test_what_comes_out_can_be_decoded() -> None:
    out = JpegSplitter().feed(b"".join(PICTURES))

    for picture in out:
        with av.open(io.BytesIO(picture)) as container:
            assert next(container.decode(video=0)).width in {8, 96}


def test_splitting_costs_little() -> None:
    """A large picture is searched by compiled code: the markers in its coded data do not each cost a step."""
    import time

    picture = jpeg(1, size=1500, quality=95)
    splitter, began = JpegSplitter(), time.process_time()
    for n in range(0, len(picture), 65536):
        splitter.feed(picture[n : n + 65536])

    assert time.process_time() - began < 0.5
