"""Makes a smaller Picture of one that is redacted already; no frame is ever seen here."""

from dataclasses import replace
from typing import Final

import cv2
import numpy as np

from blikk_edge.core.errors import PrivacyError
from blikk_edge.core.picture import Picture
from blikk_edge.transforms.privacy.paint import encode

SIDE_PX: Final = 512
MAX_BYTES: Final = 80_000

_QUALITIES: Final = (80, 65, 50, 35)


def shrink(picture: Picture, *, side_px: int = SIDE_PX, max_bytes: int = MAX_BYTES) -> Picture:
    """The same Picture with no side longer than `side_px` and a JPEG of at most `max_bytes`, without metadata.

    One that fits is returned as it is. Raises PrivacyError where its JPEG cannot be read or made that small.
    """
    if max(picture.width_px, picture.height_px) <= side_px and len(picture.jpeg) <= max_bytes:
        return picture
    read = cv2.imdecode(np.frombuffer(picture.jpeg, np.uint8), cv2.IMREAD_COLOR) if picture.jpeg else None
    if read is None:
        raise PrivacyError(f"a Picture of {picture.camera} cannot be read ({len(picture.jpeg)} bytes)")
    bgr = np.asarray(read, np.uint8)
    height, width = bgr.shape[:2]
    scale = min(1.0, side_px / max(width, height))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = np.asarray(cv2.resize(bgr, size, interpolation=cv2.INTER_AREA), np.uint8)
    for quality in _QUALITIES:
        jpeg = encode(small, quality)
        if len(jpeg) <= max_bytes:
            return replace(picture, jpeg=jpeg, width_px=size[0], height_px=size[1])
    raise PrivacyError(f"no JPEG of at most {max_bytes} bytes of a Picture of {picture.camera}")
