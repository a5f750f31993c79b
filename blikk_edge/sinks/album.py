"""The album: redacted Pictures of events and rings as files, bounded in bytes and days."""

import asyncio
import logging
import math
import os
import re
import stat
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

from blikk_edge.core.album import AlbumDay, Kept
from blikk_edge.core.clock import Clock, steady
from blikk_edge.core.errors import StoreError
from blikk_edge.core.locale import Locale, LocaleNow
from blikk_edge.core.observation import Event
from blikk_edge.core.picture import FRAME, SNAPSHOT, Picture
from blikk_edge.core.ports import Inbox, Item
from blikk_edge.core.trouble import Trouble
from blikk_edge.store.private_files import keep_private, make_folder

LOG = logging.getLogger("blikk.album")

PASSING: Final = frozenset({SNAPSHOT, FRAME})
"""Names of Pictures that show nothing in particular: they are not kept."""

# <camera>/<local day>/<UTC time with ms>.<name>.<event or ->.jpg; ids of cameras and events hold no dot.
_FILE: Final = re.compile(r"(\d{8}T\d{9})\.([a-z_]{1,32})\.([A-Za-z0-9_-]{1,160})\.jpg", re.ASCII)
_ID: Final = re.compile(
    r"([a-z0-9_]{1,64})\.(\d{4}-\d{2}-\d{2})\.(\d{8}T\d{9}\.[a-z_]{1,32}\.[A-Za-z0-9_-]{1,160})", re.ASCII
)
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
OURS: Final = frozenset({".jpg", ".part"})
TIDY_EVERY: Final = 20
"""Pictures; and what is too old goes also where no new ones come:"""

TIDY_EVERY_S: Final = 3600.0

EACH_MAX: Final = 100
"""Pictures of one event that are reported with it."""


class PictureAlbum:
    """Keeps Pictures below `folder`: a sink for them, and a `core.album.Album` for those who look them through.

    At most `max_bytes` and `keep_days` days of the `locale`: the oldest go first. A full or unwritable disk costs the
    Picture, is logged once, and nothing else. Nothing goes for its age before the clock is settled.
    """

    name = "album"

    def __init__(
        self, folder: Path, *, clock: Clock, max_bytes: int, keep_days: int, locale: LocaleNow = Locale
    ) -> None:
        self._folder = folder
        self._clock = steady(clock)
        self._clock.now()  # from here on it settles
        self._max_bytes = max_bytes
        self._keep_days = keep_days
        self._locale = locale
        self._bytes: int | None = None  # not counted yet
        self._since_tidy = 0
        self._tidied = -math.inf
        self._trouble = Trouble(LOG)

    async def run(self, inbox: Inbox[Item]) -> None:
        """Keep what comes until cancelled."""
        await asyncio.to_thread(self._keep_private)
        await asyncio.to_thread(self._clean_up)
        while True:
            item = await inbox.get()
            if isinstance(item, Picture) and item.name not in PASSING:
                await asyncio.to_thread(self.keep, item)
            elif self._clock.monotonic() - self._tidied >= TIDY_EVERY_S:
                await asyncio.to_thread(self._clean_up)

    def keep(self, picture: Picture) -> None:
        """Write one Picture; a failure is logged once."""
        try:
            self._write(picture)
        except OSError as error:
            reason = error.strerror or str(error)
            self._trouble.start(
                f"{self._folder}: a picture cannot be kept: {reason}; free some space or make it writable"
            )
            return
        self._trouble.end(f"{self._folder}: pictures are kept now")
        self._clean_up()

    def days(self, *, camera: str | None = None) -> Sequence[AlbumDay]:
        """The days with Pictures, newest first; days that became empty are left out."""
        counted = (
            AlbumDay(day=day, camera=name, pictures=sum(1 for _ in _files(folder)))
            for name, day, folder in self._day_folders(camera)
        )
        return sorted(
            (each for each in counted if each.pictures), key=lambda each: (each.day, each.camera), reverse=True
        )

    def pictures(
        self, *, camera: str | None = None, day: date | None = None, event: str | None = None, limit: int = 100
    ) -> Sequence[Kept]:
        """Pictures that match everything given, newest first."""
        wanted = None if event is None else {event}
        found: list[Kept] = []
        folders = [each for each in self._day_folders(camera) if day in (None, each[1])]
        for of in sorted({each[1] for each in folders}, reverse=True):
            for name, _, folder in (each for each in folders if each[1] == of):
                found += _kept(name, of, folder, wanted)
            if len(found) >= limit:
                break
        return sorted(found, key=lambda kept: kept.time, reverse=True)[:limit]

    def by_event(self, events: Sequence[Event]) -> Mapping[str, Sequence[Kept]]:
        """The newest Pictures (at most 100) of each of these events that has some, by its id.

        Each day of each camera is looked through once at most, from where an event started to where it ended.
        """
        found: dict[str, list[Kept]] = {}
        for camera in {event.camera for event in events}:
            spans = [(event.id, *self._span(event)) for event in events if event.camera == camera]
            for _, day, folder in self._day_folders(camera):
                wanted = {name for name, first, last in spans if first <= day <= last}
                for kept in _kept(camera, day, folder, wanted) if wanted else ():
                    found.setdefault(kept.event or "", []).append(kept)
        return {name: sorted(each, key=lambda kept: kept.time, reverse=True)[:EACH_MAX] for name, each in found.items()}

    def _span(self, event: Event) -> tuple[date, date]:
        """The first and the last day that an event may be filed under: in whatever zone that was then."""
        last = self._clock.now() if event.ended is None else event.ended
        day = timedelta(days=1)
        return self._day(event.started) - day, self._day(max(event.time, last)) + day

    def path(self, id: str) -> Path | None:  # noqa: A002  # the word of the contract
        """Where one Picture is kept as long as it is; None where this is no id of ours."""
        found = _ID.fullmatch(id)
        return None if found is None else self._folder / found[1] / found[2] / f"{found[3]}.jpg"

    def jpeg(self, id: str) -> bytes | None:  # noqa: A002  # the word of the contract
        """The bytes of one Picture; None where it is not there, or where this is no id of ours."""
        if (path := self.path(id)) is None:
            return None
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._error(error) from error

    def forget(
        self,
        *,
        camera: str | None = None,
        event: str | None = None,
        name: str | None = None,
        since: float | None = None,
        until: float | None = None,
        whole: Collection[str] = (),
    ) -> int:
        """Remove those that match everything given, and all of the events in `whole`; say how many went."""
        gone = 0
        for of, day, folder in self._day_folders(camera):
            for kept in list(_kept(of, day, folder)):
                within = (since is None or kept.time >= since) and (until is None or kept.time < until)
                matches = within and event in (None, kept.event) and name in (None, kept.name)
                if matches or kept.event in whole:
                    try:
                        self._remove(folder / f"{kept.id.split('.', 2)[2]}.jpg")
                    except OSError as error:
                        raise self._error(error) from error
                    gone += 1
        return gone

    def _day(self, time: float) -> date:
        return datetime.fromtimestamp(time, UTC).astimezone(self._locale().timezone).date()

    def _write(self, picture: Picture) -> None:
        day = self._day(picture.time)
        folder = self._folder / picture.camera / day.isoformat()
        make_folder(folder)
        whole_s, ms = divmod(round(picture.time * 1000), 1000)
        stamp = f"{datetime.fromtimestamp(whole_s, UTC):%Y%m%dT%H%M%S}{ms:03d}"
        target = folder / f"{stamp}.{picture.name}.{picture.event or '-'}.jpg"
        # Whole or not at all: power may go at any time.
        part = target.with_suffix(".part")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(picture.jpeg)
        part.replace(target)
        if self._bytes is not None:
            self._bytes += len(picture.jpeg)

    def _keep_private(self) -> None:
        """Files of an earlier version, or put back out of a copy, may be readable for everybody."""
        try:
            for path, _, _ in self._all():
                keep_private(path)
        except StoreError as error:
            LOG.warning("pictures cannot be looked through: %s", error)

    def _clean_up(self) -> None:
        """Remove what is too old or too much; every now and then counted anew."""
        self._since_tidy += 1
        fits = self._bytes is not None and self._bytes <= self._max_bytes
        moment = self._clock.monotonic()
        if fits and self._since_tidy < TIDY_EVERY and moment - self._tidied < TIDY_EVERY_S:
            return
        self._since_tidy, self._tidied = 0, moment
        now, settled = self._clock.now(), self._clock.settled
        oldest = self._day(now) - timedelta(days=self._keep_days) if settled else date.min
        try:
            files = sorted(self._all(), key=lambda each: each[0].name)
            total = sum(size for _, _, size in files)
            for path, day, size in files:
                if total <= self._max_bytes and day > oldest:
                    continue
                self._remove(path)
                total -= size
            self._bytes = total
        except OSError as error:
            LOG.warning("%s: old pictures cannot be removed: %s", self._folder, error.strerror or error)
        except StoreError as error:
            LOG.warning("old pictures cannot be removed: %s", error)

    def _all(self) -> Iterator[tuple[Path, date, int]]:
        for _, day, folder in self._day_folders(None):
            for path in _entries(folder):
                if path.suffix in OURS and (size := _size(path)) is not None:
                    yield path, day, size

    def _remove(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        for folder in (path.parent, path.parent.parent):
            try:
                folder.rmdir()
            except OSError:  # others are still in it
                return

    def _day_folders(self, camera: str | None) -> Sequence[tuple[str, date, Path]]:
        """Camera, day and folder of each day."""
        try:
            cameras = [each for each in self._folder.iterdir() if camera in (None, each.name)]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise self._error(error) from error
        return [
            (above.name, day, each)
            for above in cameras
            for each in _entries(above)
            if (day := _day(each.name)) is not None
        ]

    def _error(self, error: OSError) -> StoreError:
        return StoreError(f"{self._folder}: {error.strerror or error}; make it readable for this user")


def _day(name: str) -> date | None:
    try:
        return date.fromisoformat(name) if _DAY.fullmatch(name) else None
    except ValueError:  # like 2026-13-45
        return None


def _entries(folder: Path) -> Sequence[Path]:
    """What is in a folder; nothing where it is none, cannot be read, or is gone by now: others put things here too."""
    try:
        return list(folder.iterdir())
    except OSError:
        return ()


def _size(path: Path) -> int | None:
    """Bytes of a file; None where it is no file, or gone by now."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _files(folder: Path) -> Iterator[tuple[Path, "re.Match[str]"]]:
    for path in _entries(folder):
        if (found := _FILE.fullmatch(path.name)) is not None:
            yield path, found


def _kept(camera: str, day: date, folder: Path, events: Collection[str] | None = None) -> Iterator[Kept]:
    """The Pictures of one day; only those of `events`, where given: the name says so before the disk is asked."""
    for path, found in _files(folder):
        event = None if found[3] == "-" else found[3]
        if events is not None and event not in events:
            continue
        try:
            stamp = datetime.strptime(f"{found[1][:15]}+0000", "%Y%m%dT%H%M%S%z")
        except ValueError:  # digits, but no time
            continue
        if (size_bytes := _size(path)) is not None:
            yield Kept(
                id=f"{camera}.{day.isoformat()}.{path.stem}",
                camera=camera,
                event=event,
                name=found[2],
                time=stamp.timestamp() + int(found[1][15:]) / 1000,
                size_bytes=size_bytes,
            )
