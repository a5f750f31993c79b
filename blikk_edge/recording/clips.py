"""Clips of events out of recordings: what may leave this machine, as one MP4 file each."""

import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import StoreError
from blikk_edge.core.observation import Event
from blikk_edge.core.recordings import EventClip, Segment, SegmentIndex
from blikk_edge.recording.folder import remove, tidy_made
from blikk_edge.recording.names import MADE, REDACTED
from blikk_edge.recording.options import RecordOptions
from blikk_edge.recording.reading import joined
from blikk_edge.recording.segment import FAULTS
from blikk_edge.store.private_files import make_folder

WRITTEN_S: Final = 10.0
"""So long after it happened the last of an event is in a segment, at most: a keyframe interval."""

LONGEST_S: Final = 3600.0
"""A clip is no longer: a car may stand there all day."""

_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,160}", re.ASCII)

FindSegments = Callable[[str, float, float], Sequence[Segment]]


class Clips:
    """Makes clips of the events of `cameras` from what `find` gives; implements `core.recordings.EventClips`.

    Of a camera with `redact` only redacted clips, made before, are given. What has an `index` can be forgotten. Raises
    StoreError.
    """

    def __init__(
        self,
        cameras: Mapping[str, RecordOptions],
        *,
        folder: Path,
        find: FindSegments,
        clock: Clock,
        index: SegmentIndex | None = None,
    ) -> None:
        self._cameras = cameras
        self._folder = folder
        self._find = find
        self._clock = clock
        self._index = index

    def recorded(self, camera: str, event: str, started: float, ended: float | None) -> bool:
        """Whether there is anything of this event that may leave this machine."""
        options = self._cameras.get(camera)
        if options is None or _ID.fullmatch(event) is None:
            return False
        if options.redact:
            # By the index: the folder may lie on a share that does not answer.
            path = str(redacted_path(Path(), camera, event))
            return any(each.path == path for each in self._segments(f"{REDACTED}/{camera}", started, started + 1.0))
        since, until = self._span(options, started, ended)
        return bool(self._segments(camera, since, until))

    def redacts(self, camera: str) -> bool:
        """Whether faces are blurred in what leaves this machine of a camera."""
        options = self._cameras.get(camera)
        return options is not None and options.redact

    def clip(self, camera: str, event: str, started: float, ended: float | None) -> EventClip | None:
        """The clip of an event, made now where that is needed; None where there is none."""
        options = self._cameras.get(camera)
        if options is None or _ID.fullmatch(event) is None:
            return None
        if options.redact:
            return _clip(redacted_path(self._folder, camera, event), redacted=True)
        whole = ended is not None and self._clock.now() > ended + options.post_s + WRITTEN_S
        target = self._folder / MADE / f"{event}.{'mp4' if whole else 'open'}"
        if whole and self.recorded(camera, event, started, ended) and (made := _clip(target, redacted=False)):
            return made
        return self.write(camera, started, ended, target)

    def forget(self, events: Sequence[Event], *, camera: str | None, since: float | None, until: float | None) -> None:
        """Remove what was recorded of these events, and in this time; see `core.recordings.Forgettable`."""
        going: dict[str, Segment] = {}
        for event in events:
            if (options := self._cameras.get(event.camera)) is not None:
                span = self._span(options, event.started, event.ended)
                found = self._segments(event.camera, *span)
                redacted = self._segments(f"{REDACTED}/{event.camera}", event.started, event.started + 1.0)
                path = str(redacted_path(Path(), event.camera, event.id))
                going |= {each.path: each for each in (*found, *(each for each in redacted if each.path == path))}
        if since is not None or until is not None:
            for name in self._cameras if camera is None else (camera,):
                span = since or 0.0, self._clock.now() if until is None else until
                found = (*self._segments(name, *span), *self._segments(f"{REDACTED}/{name}", *span))
                going |= {each.path: each for each in found}
        try:
            if events or going:
                tidy_made(self._folder, keep_s=0.0)  # each of them may show what is forgotten
            if self._index is not None and going:
                remove(self._folder, self._index, tuple(going.values()))
        except OSError as error:
            raise StoreError(f"{self._folder}: recordings cannot be removed: {error.strerror or error}") from error

    def write(self, camera: str, started: float, ended: float | None, target: Path) -> EventClip | None:
        """Write what was recorded around an event, not redacted, to a file; None where there is nothing."""
        since, until = self._span(self._cameras[camera], started, ended)
        segments = self._segments(camera, since, until)
        try:
            make_folder(target.parent)
            tidy_made(self._folder)
            size, free = sum(each.size_bytes for each in segments), shutil.disk_usage(target.parent).free
            if size > free:
                raise StoreError(f"{target.parent}: a clip of {size / 1e6:.0f} MB does not fit on its disk")
            if not segments or not joined(self._folder, segments, target, since=since, until=until):
                return None
        except FAULTS as error:
            said = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
            raise StoreError(f"{target}: no clip can be made: {said}; check this place and its disk") from error
        return _clip(target, redacted=False)

    def _segments(self, camera: str, since: float, until: float) -> Sequence[Segment]:
        try:
            return self._find(camera, since, until)
        except OSError as error:
            raise StoreError(f"{self._folder}: {error.strerror or error}; make it readable for this user") from error

    def _span(self, options: RecordOptions, started: float, ended: float | None) -> tuple[float, float]:
        since = started - options.pre_s
        until = self._clock.now() if ended is None else ended + options.post_s
        return since, min(until, since + LONGEST_S)


def redacted_path(folder: Path, camera: str, event: str) -> Path:
    """Where the redacted clip of an event lies."""
    return folder / REDACTED / camera / f"{event}.mp4"


def _clip(path: Path, *, redacted: bool) -> EventClip | None:
    try:
        return EventClip(path=path, redacted=redacted, size_bytes=path.stat().st_size)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror or error}; make it readable for this user") from error
