import cv2
import numpy as np
import pytest

from blikk_edge.core.errors import PrivacyError
from blikk_edge.core.picture import Picture
from blikk_edge.transforms.privacy.shrink import shrink

NOISE = np.random.default_rng(1)


def picture_of(bgr, quality=90):
    jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
    height, width = bgr.shape[:2]
    return Picture(
        camera="porch", name="person", time=5.0, jpeg=jpeg, width_px=width, height_px=height, event="e1", faces=2
    )


def decoded(picture):
    return cv2.imdecode(np.frombuffer(picture.jpeg, np.uint8), cv2.IMREAD_COLOR)


def test_a_small_picture_is_left_as_it_is():
    picture = picture_of(np.full((288, 512, 3), 90, np.uint8))
    assert shrink(picture) is picture


@pytest.mark.parametrize(
    ("width", "height", "size"), [(1280, 720, (512, 288)), (480, 854, (288, 512)), (4000, 10, (512, 1))]
)
def test_a_large_picture_is_scaled_to_its_longer_side(width, height, size):
    small = shrink(picture_of(np.full((height, width, 3), 90, np.uint8)))
    assert (small.width_px, small.height_px) == size
    assert decoded(small).shape[:2] == size[::-1]


def test_what_it_shows_and_when_stays():
    small = shrink(picture_of(np.full((720, 1280, 3), 90, np.uint8)))
    assert (small.camera, small.name, small.time, small.event, small.faces) == ("porch", "person", 5.0, "e1", 2)


def test_a_busy_picture_is_made_small_enough():
    busy = picture_of(NOISE.integers(0, 256, (512, 512, 3), np.uint8), quality=95)
    assert len(busy.jpeg) > 80_000
    smaller = shrink(busy, max_bytes=len(busy.jpeg) // 2)
    assert len(smaller.jpeg) <= len(busy.jpeg) // 2
    assert (smaller.width_px, smaller.height_px) == (512, 512)


def test_one_that_cannot_be_made_that_small_is_refused():
    with pytest.raises(PrivacyError, match="at most 1000 bytes"):
        shrink(picture_of(NOISE.integers(0, 256, (512, 512, 3), np.uint8)), max_bytes=1000)


@pytest.mark.parametrize("jpeg", [b"", b"no picture", b"\xff\xd8\xff"])
def test_what_is_no_jpeg_is_refused(jpeg):
    broken = Picture(camera="porch", name="person", time=5.0, jpeg=jpeg, width_px=4000, height_px=3000)
    with pytest.raises(PrivacyError, match="cannot be read"):
        shrink(broken)


def test_metadata_does_not_survive():
    picture = picture_of(np.full((720, 1280, 3), 90, np.uint8))
    marked = picture.jpeg[:2] + b"\xff\xe1\x00\x10Exif\x00\x00 secret " + picture.jpeg[2:]
    small = shrink(Picture(camera="a", name="person", time=1.0, jpeg=marked, width_px=1280, height_px=720))
    assert b"Exif" not in small.jpeg
    assert b"secret" not in small.jpeg
