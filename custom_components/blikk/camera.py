"""Camera entities: the newest redacted still of each camera, and the live view for as long as somebody watches it."""

import asyncio
from collections.abc import Iterator
from functools import lru_cache
from io import BytesIO
from typing import override

from aiohttp import web
from homeassistant.components.camera import Camera as CameraEntity
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from PIL import Image

from .const import MANUFACTURER
from .contract import Camera
from .entity import BlikkEntity, follow_announce
from .live import NO_CONNECTION, LiveFrame, Trouble, View
from .node import BlikkConfigEntry, BlikkNode

PARALLEL_UPDATES = 0

BOUNDARY = "blikk-frame"
SEND_S = 20.0
"""Who has not taken a frame within this time has fallen asleep."""
LOOK_S = 2.0
"""How often it is looked whether the viewer is still there while nothing comes."""


async def async_setup_entry(
    hass: HomeAssistant, entry: BlikkConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Set up the cameras."""
    follow_announce(entry, Platform.CAMERA, async_add_entities, _build)


def _build(node: BlikkNode) -> Iterator[BlikkEntity]:
    for camera in node.announce.cameras:
        yield BlikkCamera(node, camera)


class BlikkCamera(BlikkEntity, CameraEntity):
    """The newest redacted picture of a camera, and its live view as MJPEG where the node has one."""

    needs_stream = True
    _attr_name = None
    _attr_brand = MANUFACTURER

    def __init__(self, node: BlikkNode, camera: Camera) -> None:
        BlikkEntity.__init__(self, Platform.CAMERA, node, camera, "still", "")
        CameraEntity.__init__(self)

    async def async_camera_image(self, width: int | None = None, height: int | None = None) -> bytes | None:
        """The JPEG's bytes, as the node made them."""
        return self.now.still.content if self.now.still else None

    @override
    async def handle_async_mjpeg_stream(self, request: web.Request) -> web.StreamResponse | None:
        """The live view; the stills, as they come over MQTT, where there is none or it cannot be reached."""
        if self.camera is not None and self.node.live.offered:
            async with self.node.live.watch(self.camera) as view:
                first = await view.next()
                if first.trouble not in NO_CONNECTION:
                    return await _async_stream(self.hass, request, view, first)
        return await super().handle_async_mjpeg_stream(request)


async def _async_stream(hass: HomeAssistant, request: web.Request, view: View, frame: LiveFrame) -> web.StreamResponse:
    """Frames until the viewer goes or the node is unloaded. While there is none, an empty picture: never an old one."""
    answer = web.StreamResponse(headers={"Cache-Control": "no-store"})
    answer.content_type = f"multipart/x-mixed-replace; boundary={BOUNDARY}"
    await answer.prepare(request)
    await answer.write(f"--{BOUNDARY}\r\n".encode())
    size = frame.width_px, frame.height_px
    coming: asyncio.Task[LiveFrame] | None = None
    try:
        while frame.trouble is not Trouble.ENDED:
            picture = frame.jpeg
            if picture is not None:
                size = frame.width_px, frame.height_px
            elif frame.trouble is not Trouble.WAITING:
                picture = await hass.async_add_executor_job(empty, *size)
            if picture is not None:
                async with asyncio.timeout(SEND_S):
                    await answer.write(_part(picture))
            coming = asyncio.ensure_future(view.next())
            while not (await asyncio.wait((coming,), timeout=LOOK_S))[0]:
                if request.transport is None or request.transport.is_closing():
                    return answer
            frame = coming.result()
    except TimeoutError:
        if request.transport is not None:
            request.transport.abort()
    finally:
        if coming is not None:
            coming.cancel()
    return answer


def _part(jpeg: bytes) -> bytes:
    """One frame, and the boundary after it, at which a browser shows it."""
    head = f"Content-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
    return head.encode() + jpeg + f"\r\n--{BOUNDARY}\r\n".encode()


@lru_cache(maxsize=8)
def empty(width_px: int, height_px: int) -> bytes:
    """A grey JPEG of this size."""
    content = BytesIO()
    Image.new("L", (width_px, height_px), 48).save(content, "JPEG")
    return content.getvalue()
