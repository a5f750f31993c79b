"""Who takes the video that somebody sends for a camera: the port between the HTTP server and WebRTC."""

from typing import Protocol

from blikk_edge.core.errors import BlikkError


class OfferError(BlikkError):
    """An offer is not taken. `status` says why as HTTP does: 400, 409 (somebody else sends), 422, 503."""

    def __init__(self, text: str, *, status: int) -> None:
        super().__init__(text)
        self.status = status


class VideoReceiver(Protocol):
    """Takes the video of one sender at a time, for one camera. All of it in the node's event loop."""

    async def receive(self, offer: str) -> tuple[str, str]:
        """Take an offer (SDP): the answer, and the id of the connection that begins. Raises OfferError."""
        ...

    async def end(self, connection: str | None = None) -> bool:
        """End that connection, None: whichever there is; whether there was one."""
        ...

    async def look(self) -> None:
        """End a connection that did not come about in time, or over which nothing comes. To be called every second."""
        ...
