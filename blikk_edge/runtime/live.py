"""Live view: counts who looks at each camera, and hands every frame that was made for them to all of them."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import floor

from blikk_edge.core.live import LIVE_FPS, LiveFrame


class Live:
    """Implements `core.live.Audience` for pipelines and `core.live.LiveView` for the server.

    Of a camera at which nobody looks nothing is asked. All viewers share one frame; a viewer that was slow gets the
    newest, and none of those before.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._viewers: Counter[str] = Counter()
        self._slots: dict[str, int] = {}
        self._latest: dict[str, tuple[int, LiveFrame]] = {}
        self._arrived: dict[str, asyncio.Event] = {}

    # -- any thread ----------------------------------------------------------------------------------------------

    def looks_at(self, camera: str) -> bool:
        """Whether somebody looks at this camera."""
        return self._viewers[camera] > 0

    def due(self, camera: str, time: float) -> bool:
        """Whether a frame of this capture time is to be shown; it counts as shown if it is.

        One in each fifth of a second: frames of a camera do not come evenly, and a pause after each would lose some.
        """
        slot = floor(time * LIVE_FPS)
        if not self._viewers[camera] or self._slots.get(camera) == slot:
            return False
        self._slots[camera] = slot
        return True

    def show(self, frame: LiveFrame) -> None:
        """Show it to all who look."""
        if self._loop is not None and not self._loop.is_closed() and self.looks_at(frame.camera):
            self._loop.call_soon_threadsafe(self._put, frame)

    # -- event loop ----------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def watch(self, camera: str) -> AsyncIterator[AsyncIterator[LiveFrame]]:
        """The frames of a camera from now on, while the context is open."""
        self._loop = asyncio.get_running_loop()
        self._viewers[camera] += 1
        try:
            yield self._frames(camera)
        finally:
            self._viewers[camera] -= 1
            if not self._viewers[camera]:
                self._latest.pop(camera, None)  # a picture of before is of no use to who comes later

    def viewers(self, camera: str) -> int:
        """How many look at it now."""
        return self._viewers[camera]

    async def _frames(self, camera: str) -> AsyncIterator[LiveFrame]:
        seen, arrived = 0, self._arrived.setdefault(camera, asyncio.Event())
        while True:
            number, frame = self._latest.get(camera, (0, None))
            if frame is not None and number != seen:
                seen = number
                yield frame
                continue
            arrived.clear()
            await arrived.wait()

    def _put(self, frame: LiveFrame) -> None:
        number, _ = self._latest.get(frame.camera, (0, None))
        self._latest[frame.camera] = number + 1, frame
        self._arrived.setdefault(frame.camera, asyncio.Event()).set()
