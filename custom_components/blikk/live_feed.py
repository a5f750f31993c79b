"""The live view of a camera over Home Assistant's own WebSocket, for a card: a browser never asks the node itself."""

import asyncio
from base64 import b64encode
from collections.abc import Callable
from typing import Any, Final

from homeassistant.core import HomeAssistant, callback

from .live import LiveFrame, Trouble
from .timeline import Place

AHEAD: Final = 2
"""So many messages may be on their way: a browser says when it has taken one. It misses what came meanwhile."""


class LiveFeed:
    """Sends `{"jpeg": base64, "tracks": [...]}` for each frame, and `{"trouble": word, "problem": text}` for none.

    It is what ends the subscription too: call it.
    """

    def __init__(self, hass: HomeAssistant, place: Place, send: Callable[[dict[str, Any]], None]) -> None:
        self._place = place
        self._send = send
        self._ahead = 0
        self._taken = asyncio.Event()
        name = f"blikk live view of {place.entity_id} for a card"
        self._task = hass.async_create_background_task(self._run(), name)

    @callback
    def taken(self) -> None:
        """The browser has shown a message."""
        self._ahead = max(0, self._ahead - 1)
        self._taken.set()

    @callback
    def __call__(self) -> None:
        """End it."""
        self._task.cancel()

    async def _run(self) -> None:
        async with self._place.node.live.watch(self._place.camera.id) as view:
            frame = LiveFrame()
            while frame.trouble is not Trouble.ENDED:
                while self._ahead >= AHEAD:
                    self._taken.clear()
                    await self._taken.wait()
                frame = await view.next()
                self._ahead += 1
                self._send(_message(frame))


def _message(frame: LiveFrame) -> dict[str, Any]:
    if frame.jpeg is None:
        return {"trouble": frame.trouble, "problem": frame.problem}
    return {"jpeg": b64encode(frame.jpeg).decode(), "tracks": list(frame.tracks)}
