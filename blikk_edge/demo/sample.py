"""The demo's clip: a real recording where its pinned address can be reached, else one made on the spot."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from blikk_edge.core.errors import ModelError
from blikk_edge.demo import clip as own
from blikk_edge.transforms.models import folders as models
from blikk_edge.transforms.models.download import fetch

URL: Final = (
    "https://raw.githubusercontent.com/intel-iot-devkit/sample-videos/"
    "57978890822836f2b4743852f04f62fc511757e4/one-by-one-person-detection.mp4"
)
SHA256: Final = "a5964aa259099a482a8b360ffc2c57b5a30f84d5919236a4dad01f8e929ac07c"
SIZE_BYTES: Final = 3291918

OWN: Final = "clip.mp4"
"""The file that our own clip is written to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """A clip to show.

    Attributes:
        path: The video file.
        what: Its name and maker, or how it was made, in words.
    """

    path: Path
    what: str


def clip(folder: Path) -> Clip:
    """The sample clip, fetched once and kept with the models; or our own, written to `folder`.

    Raises SourceError where neither can be had.
    """
    kept = models.default_cache() / "one-by-one-person-detection.mp4"
    try:
        if not (kept.is_file() and models.sha256_of(kept) == SHA256):
            fetch(URL, kept, sha256=SHA256, size_bytes=SIZE_BYTES)
        return Clip(path=kept, what="one-by-one-person-detection.mp4 by Intel (CC BY 4.0)")
    except ModelError:
        path = folder / OWN
        own.photographs()
        # a process of its own: what encoding costs is not counted as ours
        subprocess.run([sys.executable, "-m", own.__name__, str(path)], check=True)  # noqa: S603 - our own module
        return Clip(
            path=path, what="made here from NASA's astronaut photograph and a cat (the sample cannot be fetched)"
        )
