"""Takes what a browser sends for one camera, over one connection at a time; see `core.video_receiver`."""

import asyncio
import logging
import secrets
from dataclasses import dataclass, field
from typing import Final

from blikk_edge.core.clock import Clock
from blikk_edge.core.encoded_queue import EncodedPicture, EncodedQueue
from blikk_edge.core.errors import SourceError
from blikk_edge.core.rate_limited_log import RateLimitedLog
from blikk_edge.core.video_receiver import OfferError
from blikk_edge.sources.webrtc.aiortc_peer import AiortcPeer, library
from blikk_edge.sources.webrtc.peer import MakePeer, Peer, PeerState
from blikk_edge.sources.webrtc.sdp import check_offer

LOG = logging.getLogger("blikk.whip")

SILENT_S: Final = 5.0
"""A sender over whose connection nothing comes for so long keeps no other one out."""

ANSWER_S: Final = 5.0
BUSY: Final = "another device sends this camera's picture; stop it there first"
UNREADABLE: Final = "this is no WebRTC offer that can be answered"


@dataclass(slots=True, kw_only=True)
class _Connection:
    """One sender.

    Attributes:
        id: By which it is ended.
        began: When its offer came, monotonic.
        heard: When its last picture came, monotonic; None before the first.
        peer: Our end; None while it is made.
    """

    id: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    began: float
    heard: float | None = None
    peer: Peer | None = None


class WhipReceiver:
    """One camera's; what comes goes to `queue`."""

    def __init__(
        self,
        camera: str,
        queue: EncodedQueue,
        *,
        clock: Clock,
        connect_timeout_s: float,
        read_timeout_s: float,
        make_peer: MakePeer = AiortcPeer,
    ) -> None:
        self._camera = camera
        self._queue = queue
        self._clock = clock
        self._connect_timeout_s = connect_timeout_s
        self._read_timeout_s = read_timeout_s
        self._make_peer = make_peer
        self._connection: _Connection | None = None
        self._limited = RateLimitedLog(clock)

    async def receive(self, offer: str) -> tuple[str, str]:
        """Take an offer; raises OfferError."""
        check_offer(offer)
        older = self._connection
        if older is not None and self._keeps_out(older):
            raise OfferError(BUSY, status=409)
        # from here on a third one finds this one
        mine = self._connection = _Connection(began=self._clock.monotonic())
        try:
            if older is not None:
                await self._close(older)
            return await self._answered(mine, offer), mine.id
        except BaseException:
            if self._connection is mine:
                self._connection = None
            await self._close(mine)
            raise

    async def end(self, connection: str | None = None) -> bool:
        """End that connection, or whichever there is."""
        open_ = self._connection
        if open_ is None or (connection is not None and connection != open_.id):
            return False
        self._connection = None
        await self._close(open_)
        self._say("gone", f"nobody sends the picture of {self._camera} any more")
        return True

    async def look(self) -> None:
        """End a connection that did not come about in time, or over which nothing comes."""
        open_ = self._connection
        if open_ is None or open_.peer is None:
            return
        now = self._clock.monotonic()
        connecting = open_.peer.state is PeerState.CONNECTING
        if connecting and now - open_.began > self._connect_timeout_s:
            self._say("no way", f"a device wants to send the picture of {self._camera}, but none finds its way (ICE)")
            await self.end(open_.id)
        elif open_.peer.state is PeerState.ENDED or (
            not connecting and now - (open_.heard or open_.began) > self._read_timeout_s
        ):
            await self.end(open_.id)

    def _keeps_out(self, older: _Connection) -> bool:
        if older.peer is not None and older.peer.state is PeerState.ENDED:
            return False
        return self._clock.monotonic() - (older.heard or older.began) < SILENT_S

    async def _answered(self, mine: _Connection, offer: str) -> str:
        try:
            await asyncio.to_thread(library)  # the first time it takes a second
            self._queue.restart()
            mine.peer = self._make_peer(lambda picture: self._take(mine, picture), ())
            async with asyncio.timeout(ANSWER_S):
                answer = await mine.peer.answer(offer)
        except SourceError as error:
            raise OfferError(str(error), status=503) from None
        except (ValueError, TimeoutError):
            raise OfferError(UNREADABLE, status=400) from None
        if self._connection is not mine:
            raise OfferError(BUSY, status=409)
        self._say("here", f"a device sends the picture of {self._camera}")
        return answer

    def _take(self, mine: _Connection, picture: EncodedPicture) -> bool:
        if self._connection is not mine:
            return True
        mine.heard = self._clock.monotonic()
        return self._queue.put(picture)

    async def _close(self, connection: _Connection) -> None:
        if connection.peer is not None:
            await asyncio.shield(connection.peer.close())

    def _say(self, key: str, text: str) -> None:
        if (more := self._limited.turn(key)) is not None:
            LOG.info("%s%s", text, more)
