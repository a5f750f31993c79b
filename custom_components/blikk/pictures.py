"""Pictures of events and rings, kept on disk for a day: a notification that is read hours later still shows its own."""

import asyncio
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.event import async_track_time_interval
from homeassistant.util import dt as dt_util
from homeassistant.util.hass_dict import HassKey

from .const import DOMAIN

_LOGGER = logging.getLogger(__name__)

KEEP_S = 24 * 3600
MAX_BYTES = 64 * 2**20
"""Of all nodes together."""
MAX_NAME = 200
TIDY_EVERY = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPicture:
    """Which picture: `event` is the id of an event or a ring, `name` what the node calls the picture of it."""

    entry_id: str
    camera: str
    event: str
    name: str

    @property
    def path(self) -> str:
        """Its address in this Home Assistant, for who is logged in."""
        where = (self.entry_id, self.camera, self.event, self.name)
        return f"/api/blikk/events/{'/'.join(quote(word, safe='') for word in where)}.jpg"


@dataclass(frozen=True, slots=True)
class _Kept:
    since: float
    size: int


class EventPictures:
    """The newest picture of each event and name, of all nodes, in files below `folder`; the oldest go first.

    What is asked of it is true at once; the disk follows, in the same order.
    """

    def __init__(self, hass: HomeAssistant, folder: Path) -> None:
        self._hass = hass
        self._folder = folder
        self._kept: dict[EventPicture, _Kept] = {}
        self._waiting: dict[EventPicture, bytes] = {}
        self._disk = asyncio.Lock()
        self._failing = False

    async def async_load(self) -> None:
        """Find what was kept before, and from now on remove what is too old."""
        self._kept = await self._hass.async_add_executor_job(_found, self._folder)
        self._tidy()
        async_track_time_interval(self._hass, self._tidy, TIDY_EVERY, cancel_on_shutdown=True)

    def __contains__(self, picture: EventPicture) -> bool:
        return picture in self._kept

    def time(self, picture: EventPicture) -> float | None:
        """When it came, in seconds since 1970 UTC; None where there is none, or no more."""
        kept = self._kept.get(picture)
        return kept.since if kept else None

    @callback
    def keep(self, picture: EventPicture, content: bytes) -> None:
        """Keep it, in place of an earlier one of the same event and name."""
        if len(_file_name(picture)) > MAX_NAME or len(_safe(picture.camera)) > MAX_NAME:
            return
        self._kept.pop(picture, None)
        self._kept[picture] = _Kept(dt_util.utcnow().timestamp(), len(content))
        self._waiting[picture] = content
        self._tidy()
        self._hass.async_create_task(self._async_write(picture, content), f"blikk picture of {picture.event}")

    async def async_content(self, picture: EventPicture) -> bytes | None:
        """The JPEG; None where there is none, or no more."""
        self._tidy()
        if picture not in self._kept:
            return None
        if (content := self._waiting.get(picture)) is not None:
            return content
        try:
            read: bytes = await self._async_in_thread(_path(self._folder, picture).read_bytes)
        except OSError:
            return None  # a cache may be emptied by anybody
        return read

    @callback
    def forget(
        self,
        entry_id: str,
        camera: str | None = None,
        name: str | None = None,
        *,
        but: frozenset[EventPicture] = frozenset(),
    ) -> None:
        """Remove those of a node, or of a camera, or of one name of it, except `but`."""
        self._remove(
            [
                kept
                for kept in self._kept
                if kept.entry_id == entry_id
                and camera in (None, kept.camera)
                and name in (None, kept.name)
                and kept not in but
            ]
        )

    @callback
    def _tidy(self, _now: object = None) -> None:
        """Remove what is too old or too much."""
        oldest, room = dt_util.utcnow().timestamp() - KEEP_S, MAX_BYTES - sum(kept.size for kept in self._kept.values())
        gone = []
        for picture, kept in self._kept.items():  # the oldest first
            if kept.since >= oldest and room >= 0:
                break
            gone.append(picture)
            room += kept.size
        self._remove(gone)

    @callback
    def _remove(self, pictures: list[EventPicture]) -> None:
        if not pictures:
            return
        for picture in pictures:
            del self._kept[picture]
            self._waiting.pop(picture, None)
        self._hass.async_create_task(self._async_unlink(pictures), "blikk pictures")

    async def _async_write(self, picture: EventPicture, content: bytes) -> None:
        async with self._disk:
            if self._waiting.get(picture) is not content:
                return  # forgotten, or a newer one has come
            try:
                path, since = _path(self._folder, picture), self._kept[picture].since
                await self._async_in_thread(_write, path, content, since)
            except OSError as error:
                self._failed(error)
                self._kept.pop(picture, None)
            else:
                self._failing = False
            if self._waiting.get(picture) is content:
                del self._waiting[picture]

    async def _async_unlink(self, pictures: list[EventPicture]) -> None:
        async with self._disk:
            # one that has come anew meanwhile is written after this
            paths = [_path(self._folder, picture) for picture in pictures]
            try:
                await self._async_in_thread(_unlink, paths)
            except OSError as error:
                self._failed(error)

    async def _async_in_thread(self, work: Callable[..., Any], *args: object) -> Any:
        """Raises OSError, also where Home Assistant ends and has no threads any more."""
        try:
            return await self._hass.async_add_executor_job(work, *args)
        except RuntimeError as error:
            if self._hass.is_running:
                raise
            raise OSError("Home Assistant has ended") from error

    def _failed(self, error: OSError) -> None:
        if not self._failing and self._hass.is_running:
            self._failing = True
            _LOGGER.warning("Pictures of events cannot be kept: %s", error)


PICTURES: HassKey[EventPictures] = HassKey(f"{DOMAIN}.pictures")


# ---- files: <entry>/<camera>/<event>.<name>.jpg, each word without anything that means something in a path


def _safe(word: str) -> str:
    return quote(word, safe="").replace(".", "%2E")


def _file_name(picture: EventPicture) -> str:
    return f"{_safe(picture.event)}.{_safe(picture.name)}.jpg"


def _path(folder: Path, picture: EventPicture) -> Path:
    return folder / _safe(picture.entry_id) / _safe(picture.camera) / _file_name(picture)


def _found(folder: Path) -> dict[EventPicture, _Kept]:
    """What is on disk, the oldest first."""
    found: list[tuple[float, int, EventPicture]] = []
    for path in folder.glob("*/*/*"):
        event, _, name = path.stem.partition(".")
        try:
            if path.suffix != ".jpg":
                path.unlink()  # the power went while it was written
                continue
            status = path.stat()
        except OSError:
            continue
        words = (path.parent.parent.name, path.parent.name, event, name)
        entry_id, camera, event, name = map(unquote, words)
        picture = EventPicture(entry_id=entry_id, camera=camera, event=event, name=name)
        found.append((status.st_mtime, status.st_size, picture))
    return {picture: _Kept(since, size) for since, size, picture in sorted(found, key=lambda each: each[0])}


def _write(path: Path, content: bytes, since: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.touch(mode=0o600)
    part.write_bytes(content)
    os.utime(part, (since, since))
    part.replace(path)


def _unlink(paths: list[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
    for folder in {path.parent for path in paths}:
        for each in (folder, folder.parent):
            try:
                each.rmdir()
            except OSError:  # others are still in it
                break
