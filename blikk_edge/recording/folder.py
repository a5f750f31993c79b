"""The folder of recordings: what lies in it, brought together with its index, and what is too old or too much."""

import logging
import os
import time
from collections.abc import Container, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

from blikk_edge.core.recordings import Segment, SegmentIndex
from blikk_edge.recording.names import MADE, REDACTED, time_of
from blikk_edge.recording.reading import described

LOG = logging.getLogger("blikk.record")

AT_ONCE: Final = 200
"""Segments that are listed or removed in one go."""

NEXT_S: Final = 30.0
"""A segment that was not listed ends where the next one begins, if that is so soon; else it is read."""

MADE_KEPT_S: Final = 3600.0
MADE_MAX: Final = 20
MADE_BYTES: Final = 2_000_000_000
"""Clips of an hour in 4K would fill the disk: the newest stay that are no larger together, and the newest one."""


def repair(folder: Path, index: SegmentIndex, *, but: Container[str] = frozenset()) -> None:
    """List what lies in the folder and is not listed, and list no more what is not there.

    A file with nothing in it, as of a program that was killed before, is removed; one that cannot be read now stays
    as it is. `but` are those of this process, which may grow meanwhile. Raises OSError, StoreError.
    """
    for camera in cameras_in(folder):
        _drop_missing(folder, index, camera)
        for day in sorted(_days(folder / camera)):
            since = datetime.combine(day, datetime.min.time(), UTC).timestamp()
            until = since + timedelta(days=1).total_seconds()
            listed = {each.path for each in index.segments(camera, since=since, until=until)}
            files = [path for path in segments_of(folder, camera, day) if str(path.relative_to(folder)) not in but]
            found = list(_unlisted(folder, camera, files, listed))
            for at in range(0, len(found), AT_ONCE):
                index.keep_segments(found[at : at + AT_ONCE])
            if found:
                LOG.info("%s: %d recordings of %s were not listed, and are now", camera, len(found), day)


def cameras_in(folder: Path) -> Sequence[str]:
    """The cameras that have recordings there; raises OSError."""
    try:
        return sorted(each.name for each in os.scandir(folder) if each.is_dir() and not each.name.startswith("."))
    except FileNotFoundError:
        return ()


def segments_of(folder: Path, camera: str, day: date) -> Sequence[Path]:
    """The files of one day (UTC), the oldest first."""
    try:
        names = [each.name for each in os.scandir(folder / camera / day.isoformat()) if each.is_file()]
    except (FileNotFoundError, NotADirectoryError):
        return ()
    paths = (folder / camera / day.isoformat() / name for name in sorted(names))
    return [path for path in paths if time_of(path) is not None]


def remove(folder: Path, index: SegmentIndex, segments: Sequence[Segment]) -> None:
    """Remove these, and the folders of days that are empty then; raises OSError, StoreError."""
    for each in segments:
        (folder / each.path).unlink(missing_ok=True)
    index.drop_segments([each.path for each in segments])
    for day in {(folder / each.path).parent for each in segments}:
        try:
            day.rmdir()
        except OSError:
            continue  # others are still in it


def tidy(folder: Path, index: SegmentIndex, camera: str, *, before: float | None, max_bytes: int) -> int:
    """Remove what ended `before`, and the oldest until `max_bytes` are kept; says how many. Raises as `remove`."""
    gone = 0
    total = index.segment_bytes(camera)
    while oldest := index.segments(camera, limit=AT_ONCE):
        going = []
        for each in oldest:
            if total <= max_bytes and (before is None or each.until >= before):
                break
            going.append(each)
            total -= each.size_bytes
        if going:
            remove(folder, index, going)
            gone += len(going)
        if len(going) < len(oldest):
            break
    return gone


def tidy_all(folder: Path, index: SegmentIndex, camera: str, *, before: float | None, max_bytes: int) -> int:
    """The same for a camera's recordings and redacted clips together, of which the clips may take a half."""
    clips = f"{REDACTED}/{camera}"
    gone = tidy(folder, index, clips, before=before, max_bytes=max_bytes // 2)
    return gone + tidy(folder, index, camera, before=before, max_bytes=max_bytes - index.segment_bytes(clips))


def tidy_made(folder: Path, *, keep_s: float = MADE_KEPT_S) -> None:
    """Remove the clips that nobody has asked for in a while, and all but the newest; raises OSError."""
    now = time.time()
    made: list[tuple[float, int, Path]] = []
    for path in (folder / MADE).glob("*"):
        try:
            status = path.stat()
        except FileNotFoundError:
            continue  # it was removed meanwhile
        made.append((status.st_mtime, status.st_size, path))
    total = 0
    for at, (changed, size, path) in enumerate(sorted(made, reverse=True)):
        total += size
        if at >= MADE_MAX or (at and total > MADE_BYTES) or abs(now - changed) >= keep_s:
            path.unlink(missing_ok=True)


def _drop_missing(folder: Path, index: SegmentIndex, camera: str) -> None:
    since: float | None = None
    while listed := index.segments(camera, since=since, limit=1000):
        gone = [each.path for each in listed if not (folder / each.path).exists()]
        for at in range(0, len(gone), AT_ONCE):
            index.drop_segments(gone[at : at + AT_ONCE])
        if len(listed) < 1000 or listed[-1].since == since:
            return
        since = listed[-1].since


def _days(folder: Path) -> Iterator[date]:
    for each in os.scandir(folder):
        try:
            yield date.fromisoformat(each.name)
        except ValueError:
            continue


def _unlisted(folder: Path, camera: str, files: Sequence[Path], listed: set[str]) -> Iterator[Segment]:
    for path, after in zip(files, (*files[1:], None), strict=False):
        if str(path.relative_to(folder)) in listed:
            continue
        try:
            found = _segment(folder, camera, path, after)
        except OSError as error:
            LOG.warning("%s: it cannot be read now and is not listed: %s", path, error.strerror)
            continue
        if found is not None:
            yield found
        else:
            LOG.warning("%s: nothing is in it, it is removed", path)
            path.unlink(missing_ok=True)


def _segment(folder: Path, camera: str, path: Path, after: Path | None) -> Segment | None:
    """What a file says of itself; it ends where the next one begins, if that is soon. None where nothing is in it.

    Raises OSError.
    """
    since, next_s = time_of(path) or 0.0, None if after is None else time_of(after)
    follows = next_s is not None and next_s - since < NEXT_S
    known = described(path, whole=not follows)
    if known is None:
        return None
    codec, length_s = known
    return Segment(
        camera=camera,
        since=since,
        until=next_s if next_s is not None and follows else since + length_s,
        path=str(path.relative_to(folder)),
        size_bytes=path.stat().st_size,
        codec=codec,
    )


class FolderIndex:
    """What lies in the folder, by the names of its files: for who has no store, as beside a node that runs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def segments(self, camera: str, since: float, until: float) -> Sequence[Segment]:
        """Those of which any part lies in `since <= t < until`, the oldest first; raises OSError."""
        first = datetime.fromtimestamp(since - NEXT_S, UTC).date()
        last = datetime.fromtimestamp(until, UTC).date()
        days = [first + timedelta(days=each) for each in range((last - first).days + 1)]
        files = [path for day in days for path in segments_of(self._folder, camera, day)]
        near = [path for path in files if since - NEXT_S * 4 <= (time_of(path) or 0.0) < until]
        found = [self._segment(camera, *each) for each in zip(near, (*near[1:], None), strict=False)]
        return [each for each in found if each is not None and each.until > since]

    def _segment(self, camera: str, path: Path, after: Path | None) -> Segment | None:
        try:
            return _segment(self._folder, camera, path, after)
        except PermissionError:
            raise
        except OSError:  # the node beside has removed it, or it is damaged
            return None
