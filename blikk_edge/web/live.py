"""The live view: redacted frames with what was found in them, made only while somebody looks."""

import asyncio
import base64
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from blikk_edge.core.geometry import Box
from blikk_edge.core.live import LiveFrame
from blikk_edge.core.sightings import Cells
from blikk_edge.kinds.kind import Kind
from blikk_edge.net.http.answers import RefusedError, camera_of
from blikk_edge.net.http.route import Route, Scope
from blikk_edge.net.http.socket import UNREAD_BYTES, ServedSocket
from blikk_edge.web.context import PageContext
from blikk_edge.web.options import NONE
from blikk_edge.web.sockets import SEND_S, Sockets, send
from blikk_edge.wire.values import Json, JsonObject, iso_time, json_bytes

if TYPE_CHECKING:
    from aiohttp import web

BOUNDARY: Final = "blikk-frame"


class LivePages:
    """Frames of each camera over a WebSocket, as MJPEG, and one by one; and what is reported as it comes."""

    name = "live"

    def __init__(self, context: PageContext) -> None:
        self._context = context
        self._cameras = frozenset(camera.id for camera in context.node.node.cameras)
        self._sockets = Sockets()

    def routes(self) -> Sequence[Route]:
        """What it serves."""
        return (
            Route(
                method="GET",
                path="/v1/cameras/{camera}/live",
                handler=self._live,
                scope=Scope.VIEW,
                summary="Live view: for each frame a JSON text message, and, unless `problem` says why there is none, "
                "the redacted JPEG as a binary one.",
                answer="",
            ),
            Route(
                method="GET",
                path="/v1/cameras/{camera}/live.mjpeg",
                handler=self._mjpeg,
                scope=Scope.VIEW,
                summary="Live view as MJPEG: redacted frames, at most five a second.",
                answer="multipart/x-mixed-replace",
            ),
            Route(
                method="GET",
                path="/v1/cameras/{camera}/frame.jpg",
                handler=self._frame,
                scope=Scope.VIEW,
                summary="The next frame, redacted.",
                answer="image/jpeg",
            ),
            Route(
                method="GET",
                path="/v1/feed",
                handler=self._feed,
                scope=Scope.VIEW,
                summary="What is reported, as it comes: the envelopes of contract/websocket.md, without numbers.",
                answer="",
            ),
        )

    async def _live(self, request: "web.Request") -> "web.StreamResponse":
        camera = camera_of(request, self._cameras)

        async def frames(socket: ServedSocket) -> None:
            async with self._context.live.watch(camera) as coming:
                async for frame in coming:
                    await send(socket, json_bytes(live_content(frame)))
                    if frame.picture is not None:
                        await send(socket, frame.picture.jpeg, binary=True)

        return await self._sockets.serve(request, frames)

    async def _feed(self, request: "web.Request") -> "web.StreamResponse":
        async def messages(socket: ServedSocket) -> None:
            with self._context.feed.reading() as reader:
                async for message in reader.messages():
                    await send(socket, message.text)

        return await self._sockets.serve(request, messages)

    async def _mjpeg(self, request: "web.Request") -> "web.StreamResponse":
        from aiohttp import web  # noqa: PLC0415  # 15 MB that only a node with pages needs

        camera = camera_of(request, self._cameras)
        answer = web.StreamResponse(
            headers={"Content-Type": f"multipart/x-mixed-replace; boundary={BOUNDARY}", "Cache-Control": "no-store"}
        )
        async with self._sockets.place():
            await answer.prepare(request)
            if request.transport is not None:
                request.transport.set_write_buffer_limits(high=UNREAD_BYTES)
            try:
                async with self._context.live.watch(camera) as coming:
                    async for frame in coming:
                        if frame.picture is None:
                            break  # no frame rather than one that is not redacted; the picture stands still no longer
                        async with asyncio.timeout(SEND_S):
                            await answer.write(part(frame.picture.jpeg))
            except TimeoutError:
                if request.transport is not None:
                    request.transport.abort()
            except OSError:
                pass  # the viewer is gone
        return answer

    async def _frame(self, request: "web.Request") -> "web.StreamResponse":
        from aiohttp import web  # noqa: PLC0415  # 15 MB that only a node with pages needs

        camera = camera_of(request, self._cameras)
        async with self._sockets.place(), self._context.live.watch(camera) as coming:
            try:
                async with asyncio.timeout(SEND_S):
                    frame = await anext(coming)
            except TimeoutError:
                raise RefusedError(503, f"no frame of {camera} came within {SEND_S:.0f} s") from None
        if frame.picture is None:
            raise RefusedError(503, frame.problem or "no picture could be made")
        return web.Response(body=frame.picture.jpeg, content_type="image/jpeg", headers={"Cache-Control": "no-store"})


def part(jpeg: bytes) -> bytes:
    """One frame of MJPEG."""
    head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
    return head.encode() + jpeg + b"\r\n"


def live_content(frame: LiveFrame) -> JsonObject:
    """What a page gets of a frame."""
    return {
        "camera": frame.camera,
        "time": iso_time(frame.time),
        "view": frame.motion.view.value,
        "score": round(frame.motion.score, 3),
        "threshold": frame.threshold,
        "cells": None if frame.cells is None else cells_content(frame.cells),
        "moving": [box_content(box) for box in frame.motion.boxes],
        "tracks": [
            {
                "id": track.id,
                "label": track.label.value,
                "sub_label": track.sub_label,
                "score": round(track.score, 2),
                "box": box_content(track.box),
                "zones": list(track.zones),
                "dwell_s": round(track.dwell_s, 1),
                "still": track.still_since is not None,
            }
            for track in frame.tracks
        ],
        "picture": None
        if frame.picture is None
        else {
            "width": frame.picture.width_px,
            "height": frame.picture.height_px,
            "faces": frame.picture.faces,
            "heads": frame.picture.heads,
            "persons": frame.picture.persons,
        },
        "problem": frame.problem,
    }


def cells_content(cells: Cells) -> JsonObject:
    """The moving cells of a frame; `bits` is base64."""
    return {"rows": cells.rows, "columns": cells.columns, "bits": base64.b64encode(cells.bits).decode()}


def box_content(box: Box) -> Json:
    """`[x1, y1, x2, y2]`, 0..1."""
    return [round(side, 4) for side in (box.x1, box.y1, box.x2, box.y2)]


KIND: Kind[PageContext, LivePages] = Kind(
    name="live",
    meaning="Live view: redacted frames with what was found in them.",
    options=NONE,
    make=lambda _options, context: LivePages(context),
)
