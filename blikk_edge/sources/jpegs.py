"""JPEG pictures out of a stream of bytes, by their own markers: whatever stands between them does not matter.

Cameras disagree about multipart answers (first boundary, type and length of a part, ends of lines), but a JPEG shows by
itself where it ends: ITU-T T.81, annex B. Segments are skipped by their length, so a thumbnail inside of one is no end.
"""

import re
from typing import Final

MOST_BYTES: Final = 16_000_000
"""The largest picture that is taken; 8K at best quality has about 12 MB."""

# But for what no picture begins with: silence in a part of sound often has these bytes.
_START = re.compile(rb"\xff\xd8(?!\xff+[\x01-\xbf])")
# In coded data 0xFF stands before 0x00 (a byte of 0xFF), a restart marker or another 0xFF (filling); all else ends it.
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
# The head of the next part, behind a picture that has no end marker.
_NEXT_PART = re.compile(rb"\r?\n--[^\r\n]{1,200}\r?\n")
_PART_HEAD_BYTES: Final = 2048
_EOI, _SOI, _SOS, _TEM = 0xD9, 0xD8, 0xDA, 0x01
# What lies between is reserved: the bytes are sound, say, of a part in between.
_FIRST_USED = 0xC0


class JpegSplitter:
    """Takes bytes as they come and gives whole pictures; keeps at most `most_bytes`.

    `broken` counts starts of pictures that came to nothing, `begun` says that there was a start at all. A picture
    without its end marker, as some cameras send it, is given when the next one starts.
    """

    def __init__(self, *, most_bytes: int = MOST_BYTES) -> None:
        self.broken = 0
        self.begun = False
        self._most_bytes = most_bytes
        self._kept = bytearray()
        self._started = False
        self._at = 0  # everything before is known
        self._coded = False  # in coded data, of which a picture without its end consists too

    def feed(self, content: bytes) -> list[bytes]:
        """The pictures that these bytes complete, in order."""
        self._kept += content
        pictures: list[bytes] = []
        while self._step(pictures):
            pass
        if len(self._kept) > self._most_bytes:
            self._drop(len(self._kept) - 1)
        return pictures

    def rest(self) -> bytes | None:
        """What is left of a picture without its end marker, now that the stream has ended."""
        picture = bytes(self._kept) if self._started and self._coded else None
        self._forget(len(self._kept))
        return picture

    def _step(self, pictures: list[bytes]) -> bool:
        """Go on as far as the bytes allow; whether there may be more to do."""
        if not self._started:
            return self._find_start()
        if self._coded:
            found = _MARKER.search(self._kept, self._at)
            if found is None:
                self._at = max(self._at, len(self._kept) - 1)
                return False
            self._at = found.start()
        return self._segment(pictures)

    def _find_start(self) -> bool:
        found = _START.search(self._kept)
        if found is None:
            del self._kept[: max(0, len(self._kept) - 1)]
            return False
        del self._kept[: found.start()]
        self.begun = self._started = True
        self._coded, self._at = False, 2
        return True

    def _segment(self, pictures: list[bytes]) -> bool:
        """Go past the marker at `_at`, and the segment that it begins."""
        kept, at = self._kept, self._at
        while at + 1 < len(kept) and kept[at] == 0xFF and kept[at + 1] == 0xFF:
            at += 1  # filling
        if at + 1 >= len(kept):
            return False
        marker = kept[at + 1]
        if kept[at] != 0xFF or marker == 0 or (not self._coded and _TEM < marker < _FIRST_USED):
            self._drop(at)
        elif marker == _EOI:
            pictures.append(bytes(kept[: at + 2]))
            self._forget(at + 2)
        elif marker == _SOI:
            if self._coded:
                pictures.append(_without_part_head(bytes(kept[:at])))
                self._forget(at)
            else:
                self._drop(at)
        elif marker == _TEM or 0xD0 <= marker <= 0xD7:
            self._at = at + 2
        else:
            return self._skip(at, marker)
        return True

    def _skip(self, at: int, marker: int) -> bool:
        kept = self._kept
        if at + 3 >= len(kept):
            return False
        length = kept[at + 2] << 8 | kept[at + 3]
        if length < 2 or (self._coded and not _may_follow_coded(marker)):
            if self._coded:  # not a marker but damage; the decoder passes over it
                self._at = at + 2
            else:
                self._drop(at + 2)
            return True
        if at + 2 + length > len(kept):
            return False
        self._at = at + 2 + length
        self._coded = marker == _SOS
        return True

    def _drop(self, until: int) -> None:
        """This is no picture: look for the next start behind it."""
        self.broken += self._started
        self._forget(max(until, 1))

    def _forget(self, count: int) -> None:
        del self._kept[:count]
        self._started, self._coded, self._at = False, False, 0


def _may_follow_coded(marker: int) -> bool:
    """Whether a segment may come between scans: another scan, tables, the number of lines."""
    return marker in {_SOS, 0xC4, 0xDB, 0xDC, 0xDD}


def _without_part_head(picture: bytes) -> bytes:
    tail = max(0, len(picture) - _PART_HEAD_BYTES)
    found = _NEXT_PART.search(picture, tail)
    return picture[: found.start()] if found else picture
