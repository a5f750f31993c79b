"""Recordings beside what is reported of them: segments on disk, the index of them, and clips of events."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from blikk_edge.core.observation import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A piece of one camera's stream as a file of its own.

    Attributes:
        camera: Whose stream it is.
        since: When it begins, seconds since 1970 UTC.
        until: When it ends.
        path: The file, below the folder of recordings.
        size_bytes: How large the file is.
        codec: libav's name of the video's codec.
    """

    camera: str
    since: float
    until: float
    path: str
    size_bytes: int
    codec: str


class SegmentIndex(Protocol):
    """Where the segments are listed. Blocking; every method raises StoreError."""

    def keep_segments(self, segments: Sequence[Segment]) -> None:
        """List these; one with the path of another takes its place."""
        ...

    def drop_segments(self, paths: Sequence[str]) -> None:
        """List these no more."""
        ...

    def segments(
        self, camera: str, *, since: float | None = None, until: float | None = None, limit: int = 1_000_000
    ) -> Sequence[Segment]:
        """The oldest of which any part lies in `since <= t < until`, in their order."""
        ...

    def segment_bytes(self, camera: str) -> int:
        """How much those of a camera take."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EventClip:
    """The recording of one event, which may leave this machine.

    Attributes:
        path: An MP4 file.
        redacted: Whether faces are blurred in it.
        size_bytes: How large it is.
    """

    path: Path
    redacted: bool
    size_bytes: int


class Forgettable(Protocol):
    """Recordings that can be forgotten."""

    def forget(self, events: Sequence[Event], *, camera: str | None, since: float | None, until: float | None) -> None:
        """Remove what was recorded of these events, with all around them that is kept, and their clips.

        With a time, also what was recorded in `since <= t < until`, of this camera or of all. Blocking; raises
        StoreError.
        """
        ...


class EventClips(Protocol):
    """Clips of events, for those who show them. Blocking; every method raises StoreError."""

    def recorded(self, camera: str, event: str, started: float, ended: float | None) -> bool:
        """Whether there is anything of this event that may leave this machine."""
        ...

    def redacts(self, camera: str) -> bool:
        """Whether faces are blurred in what leaves this machine of a camera."""
        ...

    def clip(self, camera: str, event: str, started: float, ended: float | None) -> EventClip | None:
        """The clip of an event, made now where that is needed; None where there is none."""
        ...
