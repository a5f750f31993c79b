"""What this component itself keeps for one node over a restart: who is snoozed, when it rang last, since when the node
is away, and what plain entities left behind."""

from datetime import datetime, timedelta
from typing import TypedDict

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.storage import Store
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .customized import Customized

_VERSION = 1
_SAVE_DELAY_S = 1.0
_MAX_MARKS = 100


class Content(TypedDict):
    """The stored shape: of snoozes and rings camera id to ISO time; two ISO times; `customized.Customized`."""

    snoozed: dict[str, str]
    marks: dict[str, str]
    rang: dict[str, str]
    rings_since: str | None
    away_since: str | None
    legacy: Customized


class Memory:
    """The store of one config entry."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        self._store: Store[Content] = Store(hass, _VERSION, f"{DOMAIN}.{entry_id}")
        self._content: Content = {
            "snoozed": {}, "marks": {}, "rang": {}, "rings_since": None, "away_since": None, "legacy": {}
        }  # fmt: skip
        self._waits = False

    async def async_load(self) -> None:
        """Read what was kept."""
        if stored := await self._store.async_load():
            self._content = {
                "snoozed": dict(stored.get("snoozed", {})),
                "marks": dict(stored.get("marks", {})),
                "rang": dict(stored.get("rang", {})),
                "rings_since": stored.get("rings_since"),
                "away_since": stored.get("away_since"),
                "legacy": dict(stored.get("legacy", {})),
            }

    async def async_flush(self) -> None:
        """Write what waits to be written: whoever loads or removes this store next shall not miss it or meet it."""
        if self._waits:
            self._waits = False
            await self._store.async_save(self._content)

    async def async_remove(self) -> None:
        """Forget everything, with the config entry."""
        await self._store.async_remove()

    @property
    def snoozed(self) -> dict[str, datetime]:
        """Until when each snoozed camera is to be silent."""
        times = {camera: dt_util.parse_datetime(text) for camera, text in self._content["snoozed"].items()}
        return {camera: time for camera, time in times.items() if time is not None}

    @callback
    def keep_snoozed(self, snoozed: dict[str, datetime]) -> None:
        """Replace who is snoozed."""
        self._content["snoozed"] = {camera: time.isoformat() for camera, time in snoozed.items()}
        self._save_soon()

    @property
    def away_since(self) -> datetime | None:
        """Since when the node has been away; None while it is there."""
        text = self._content["away_since"]
        return dt_util.parse_datetime(text) if text else None

    @callback
    def keep_away_since(self, time: datetime | None) -> None:
        """Replace it."""
        self._content["away_since"] = time.isoformat() if time else None
        self._save_soon()

    @property
    def marks(self) -> dict[str, str]:
        """What the household said of events that may be shown still, by their ids."""
        return dict(self._content["marks"])

    @callback
    def keep_marks(self, marks: dict[str, str]) -> None:
        """Replace them, the newest last; of too many the oldest go."""
        self._content["marks"] = dict(list(marks.items())[-_MAX_MARKS:])
        self._waits = True
        self._store.async_delay_save(self._data, _SAVE_DELAY_S)

    @property
    def rang(self) -> dict[str, datetime]:
        """When each doorbell rang last, as far as it was received, by its node's clock."""
        times = {camera: dt_util.parse_datetime(text) for camera, text in self._content["rang"].items()}
        return {camera: time for camera, time in times.items() if time is not None}

    @callback
    def keep_rang(self, camera: str, time: datetime) -> None:
        """Note a ring, at once: the power may go. A later one that is known stays."""
        if time > self.rang.get(camera, time - timedelta(1)):
            self._content["rang"][camera] = time.isoformat()
            self._waits = True
            self._store.async_delay_save(self._data, 0)

    @property
    def rings_since(self) -> datetime | None:
        """From when on rings are received; None until the node was there once."""
        text = self._content["rings_since"]
        return dt_util.parse_datetime(text) if text else None

    @callback
    def keep_rings_since(self, time: datetime) -> None:
        """Set it."""
        self._content["rings_since"] = time.isoformat()
        self._save_soon()

    @property
    def legacy(self) -> Customized:
        """What users had set on plain entities and devices that are to be followed."""
        return self._content["legacy"]

    async def async_keep_legacy(self, legacy: Customized) -> None:
        """Replace it, at once: what it describes is about to go."""
        self._content["legacy"] = legacy
        await self._store.async_save(self._content)

    @callback
    def _save_soon(self) -> None:
        self._waits = True
        self._store.async_delay_save(self._data, _SAVE_DELAY_S)

    @callback
    def _data(self) -> Content:
        self._waits = False
        return self._content
