"""The live view of a node's cameras: one connection to the node for each camera at which somebody here looks.

A node makes redacted frames only while somebody looks, so it ends as soon as nobody does any more.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import aiohttp
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from yarl import URL

from . import reader
from .const import CONF_MEDIA_URL, CONF_TOKEN, CONF_VERIFY_SSL
from .contract import Announce, ContractError, JsonObject

if TYPE_CHECKING:
    from .node import BlikkConfigEntry

CONNECT_S: Final = 10.0
LATE_S: Final = 10.0
"""So long after a frame the next one is missed: what was seen then is not what is there now."""
HEARTBEAT_S: Final = 15.0
AGAIN_S: Final = (1.0, 2.0, 5.0, 10.0)
UNAUTHORIZED_AGAIN_S: Final = 30.0
MAX_TRACKS: Final = 100


class Trouble(StrEnum):
    """Why there is no live picture now."""

    WAITING = "waiting"  # connected, and the first frame is on its way
    LATE = "late"  # connected, and no frame comes: the camera gives none
    BLIND = "blind"  # the node could not make a redacted picture of the frame
    UNREACHABLE = "unreachable"
    UNAUTHORIZED = "unauthorized"
    NOT_OFFERED = "not_offered"
    ENDED = "ended"  # Home Assistant unloads the node


NO_CONNECTION: Final = frozenset({Trouble.UNREACHABLE, Trouble.UNAUTHORIZED, Trouble.NOT_OFFERED, Trouble.ENDED})


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveFrame:
    """What there is to see of a camera now.

    Attributes:
        jpeg: The redacted picture; None where there is none.
        trouble: Why there is none.
        problem: What the node says about it.
        width_px: The picture's width.
        height_px: The picture's height.
        tracks: What is in it, each with `label`, `score` and `box` (x1, y1, x2, y2 in 0..1 of the picture).
    """

    jpeg: bytes | None = None
    trouble: Trouble | None = None
    problem: str | None = None
    width_px: int = 640
    height_px: int = 480
    tracks: tuple[JsonObject, ...] = field(default=(), repr=False)


def live_url(announce: Announce, data: Mapping[str, Any]) -> URL | None:
    """Where the node's live view is, if it has one: as the user said, else as the node announces."""
    if announce.live_url is None:
        return None
    try:
        return URL(data.get(CONF_MEDIA_URL) or announce.live_url).with_query(None)
    except ValueError:
        return None


class View:
    """What one viewer is shown: always the newest, however slow the viewer is."""

    def __init__(self, camera: _LiveCamera) -> None:
        self._camera = camera
        self._seen = 0

    async def next(self) -> LiveFrame:
        """What has come since it was asked last; waits for it."""
        self._seen, frame = await self._camera.after(self._seen)
        return frame


class Live:
    """The live views of one node."""

    def __init__(self, hass: HomeAssistant, entry: BlikkConfigEntry) -> None:
        self._hass = hass
        self._entry = entry
        self._cameras: dict[str, _LiveCamera] = {}

    @property
    def offered(self) -> bool:
        """Whether the node has a live view."""
        return live_url(self._entry.runtime_data.announce, self._entry.data) is not None

    def viewers(self, camera: str) -> int:
        """How many look at a camera here."""
        return self._cameras[camera].viewers if camera in self._cameras else 0

    @asynccontextmanager
    async def watch(self, camera: str) -> AsyncIterator[View]:
        """Look at a camera while the context is open."""
        live = self._cameras.setdefault(camera, _LiveCamera(self._hass, self._entry, camera))
        live.viewers += 1
        live.start()
        try:
            yield View(live)
        finally:
            live.viewers -= 1
            if not live.viewers:
                live.stop()
                self._cameras.pop(camera, None)

    @callback
    def stop(self) -> None:
        """End all; viewers are told."""
        for camera in self._cameras.values():
            camera.stop()
            camera.put(LiveFrame(trouble=Trouble.ENDED))


class _LiveCamera:
    """The connection to one camera's live view, and the newest frame for all who look at it."""

    def __init__(self, hass: HomeAssistant, entry: BlikkConfigEntry, camera: str) -> None:
        self.viewers = 0
        self._hass = hass
        self._entry = entry
        self._camera = camera
        self._task: asyncio.Task[None] | None = None
        self._number = 0
        self._newest = LiveFrame(trouble=Trouble.WAITING)
        self._came = asyncio.Event()

    async def after(self, number: int) -> tuple[int, LiveFrame]:
        """The newest frame and its number, once that is another than this one."""
        while self._number == number:
            await self._came.wait()
        return self._number, self._newest

    @callback
    def put(self, frame: LiveFrame) -> None:
        """Show it to all."""
        self._number += 1
        self._newest = frame
        self._came.set()
        self._came = asyncio.Event()

    @callback
    def start(self) -> None:
        """Connect, unless it is connected."""
        if self._task is None:
            name = f"blikk live view of {self._camera}"
            self._task = self._entry.async_create_background_task(self._hass, self._run(), name)

    @callback
    def stop(self) -> None:
        """Hang up."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _run(self) -> None:
        tries = 0
        while True:
            number = self._number
            trouble = await self._async_follow()
            # who was shown something gets another try at once: the node may only have restarted
            tries = 0 if self._number > number + 1 else tries + 1
            self.put(LiveFrame(trouble=trouble))
            if trouble is Trouble.UNAUTHORIZED:
                self._entry.async_start_reauth(self._hass)
                await asyncio.sleep(UNAUTHORIZED_AGAIN_S)
            else:
                await asyncio.sleep(AGAIN_S[min(tries, len(AGAIN_S) - 1)])

    async def _async_follow(self) -> Trouble:
        """Follow the node's frames until the connection ends; returns why it did."""
        data = self._entry.data
        base = live_url(self._entry.runtime_data.announce, data)
        if base is None:
            return Trouble.NOT_OFFERED
        token = data.get(CONF_TOKEN)
        session = async_get_clientsession(self._hass, verify_ssl=data.get(CONF_VERIFY_SSL, True))
        try:
            async with asyncio.timeout(CONNECT_S):
                socket = await session.ws_connect(
                    base / "v1" / "cameras" / self._camera / "live",
                    headers={"Authorization": f"Bearer {token}"} if token else {},
                    heartbeat=HEARTBEAT_S,
                    max_msg_size=reader.MAX_PICTURE_BYTES,
                )
        except aiohttp.WSServerHandshakeError as error:
            if error.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
                return Trouble.UNAUTHORIZED
            return Trouble.NOT_OFFERED if error.status == HTTPStatus.NOT_FOUND else Trouble.UNREACHABLE
        except aiohttp.ClientError, TimeoutError, ValueError:
            return Trouble.UNREACHABLE
        try:
            await self._async_read(socket)
        except aiohttp.ClientError, ContractError:
            pass
        finally:
            await socket.close()
        return Trouble.UNREACHABLE

    async def _async_read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Show what the node sends; raises ContractError for what is no frame."""
        self.put(LiveFrame(trouble=Trouble.WAITING))
        content: JsonObject | None = None
        while True:
            try:
                message = await socket.receive(LATE_S)
            except TimeoutError:
                self.put(LiveFrame(trouble=Trouble.LATE))
                continue
            if message.type is aiohttp.WSMsgType.TEXT:
                content = _content(message.data)
                if not isinstance(content.get("picture"), dict):
                    problem = content.get("problem")
                    self.put(LiveFrame(trouble=Trouble.BLIND, problem=problem if isinstance(problem, str) else None))
            elif message.type is aiohttp.WSMsgType.BINARY:
                if content is not None:
                    self.put(_frame(content, reader.read_picture(message.data)))
                content = None
            else:
                return


def _content(text: str) -> JsonObject:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ContractError("not JSON") from error
    if not isinstance(content, dict):
        raise ContractError("not a JSON object")
    return content


def _frame(content: JsonObject, jpeg: bytes) -> LiveFrame:
    picture, tracks = content.get("picture"), content.get("tracks")
    sides = [picture.get(side) if isinstance(picture, dict) else None for side in ("width", "height")]
    width_px, height_px = (side if isinstance(side, int) and 0 < side <= 8192 else 0 for side in sides)
    read = [_track(track) for track in tracks[:MAX_TRACKS]] if isinstance(tracks, list) else []
    return LiveFrame(
        jpeg=jpeg,
        width_px=width_px or 640,
        height_px=height_px or 480,
        tracks=tuple(track for track in read if track is not None),
    )


def _track(track: Any) -> JsonObject | None:
    """What a card draws of it; None for what it cannot draw."""
    if not isinstance(track, dict):
        return None
    label, score, box = track.get("label"), track.get("score"), track.get("box")
    if not isinstance(label, str) or not isinstance(box, list) or len(box) != 4:
        return None
    if not all(isinstance(side, int | float) and 0 <= side <= 1 for side in box):
        return None
    return {"label": label[:64], "score": score if isinstance(score, int | float) else None, "box": box}
