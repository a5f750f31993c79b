"""A stream that a server gives by WebRTC: `whep+https://host/path` (WHEP, draft-ietf-wish-whep)."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Iterator, Sequence
from typing import Final, TypeVar

from blikk_edge.core.encoded_queue import EncodedPicture, EncodedQueue
from blikk_edge.core.scene import Frame
from blikk_edge.sources.address import Address, parse
from blikk_edge.sources.faults import NO_PICTURE, STANDS_STILL, TOO_LATE, source_error
from blikk_edge.sources.request import LOOK_S, Failed
from blikk_edge.sources.terms import Terms
from blikk_edge.sources.webrtc.aiortc_peer import AiortcPeer
from blikk_edge.sources.webrtc.options import PREFIX, WhepOptions
from blikk_edge.sources.webrtc.peer import IceServer, MakePeer, Peer, PeerState
from blikk_edge.sources.webrtc.pictures import PeerPictures
from blikk_edge.sources.webrtc.whep_http import WhepServer

NO_WAY: Final = (
    "the server answers, but no picture finds its way here (ICE); let UDP through the firewall, or name a TURN server "
    "in `ice_servers`"
)
UNUSABLE: Final = "the server's description cannot be used; have it send video in H.264 or VP8"
HUNG_UP: Final = "the server hung up; it is asked again"

T = TypeVar("T")


class WhepSource:
    """The frames of one WHEP stream; implements `core.stages.Source`.

    The connection lives in an event loop of the thread that reads. While that is busy with a frame, what comes waits in
    the buffer of the socket, whose size the system bounds.
    """

    def __init__(self, options: WhepOptions, terms: Terms, make_peer: MakePeer = AiortcPeer) -> None:
        self._server = WhepServer(
            parse(options.address.reveal().removeprefix(PREFIX)),
            options.token.reveal() if options.token else None,
        )
        self._ice_servers = options.ice_servers
        self._terms = terms
        self._make_peer = make_peer
        self._queue = EncodedQueue()
        self._pictures = PeerPictures(self._queue, terms)

    @property
    def counts(self) -> object:
        """What became of the stream since start."""
        return self._pictures.counts

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        """Ask for the stream, and yield its frames until `stop` is set; raises SourceError."""
        with asyncio.Runner() as runner:
            call = _Call(self._server, self._queue, stop)
            try:
                said = runner.run(call.begin(self._make_peer, self._ice_servers, self._terms.connect_timeout_s))
                if said:
                    raise source_error(self._terms.shown, said)
                self._pictures.restart()
                yield from self._watched(runner, call, stop)
            finally:
                runner.run(call.end())

    def _watched(self, runner: asyncio.Runner, call: "_Call", stop: threading.Event) -> Iterator[Frame]:
        now = time.monotonic()
        decoded, heard, seen = self._pictures.counts.decoded, now, now
        while not stop.is_set():
            runner.run(call.arrived(LOOK_S))
            waiting = self._queue.take()
            frame = self._pictures.frame(waiting)
            now = time.monotonic()
            if waiting:
                heard = now
            if self._pictures.counts.decoded != decoded:
                decoded, seen = self._pictures.counts.decoded, now
            if frame is not None:
                yield frame
                heard = seen = time.monotonic()
            elif call.ended:
                raise source_error(self._terms.shown, HUNG_UP)
            elif now - seen > self._terms.read_timeout_s:
                barren = now - heard < self._terms.read_timeout_s
                raise source_error(self._terms.shown, NO_PICTURE if barren else STANDS_STILL)


class _Call:
    """One connection, from the offer to the end; all of it in one event loop."""

    def __init__(self, server: WhepServer, queue: EncodedQueue, stop: threading.Event) -> None:
        self._server = server
        self._queue = queue
        self._stop = stop
        self._arrived = asyncio.Event()
        self._peer: Peer | None = None
        self._resource: Address | None = None

    @property
    def ended(self) -> bool:
        """Whether the other end is gone."""
        return self._peer is None or self._peer.state is PeerState.ENDED

    async def begin(self, make_peer: MakePeer, ice_servers: Sequence[IceServer], limit_s: float) -> str:
        """Connect within the limit; why that failed, empty where it did not, or was to stop. Raises SourceError."""
        self._queue.restart()
        self._peer = peer = make_peer(self._take, ice_servers)
        deadline = time.monotonic() + limit_s
        try:
            offer = await self._within(peer.offer(), deadline)
            agreed = await self._within(self._server.agree(offer), deadline)
            self._resource = agreed.resource
            await self._within(peer.accept(agreed.answer), deadline)
        except Failed as failed:
            return failed.what
        except TimeoutError:
            return "" if self._stop.is_set() else TOO_LATE
        except ValueError:
            return UNUSABLE
        while peer.state is PeerState.CONNECTING and not self._stop.is_set():
            if time.monotonic() > deadline:
                return NO_WAY
            await asyncio.sleep(0.02)
        return NO_WAY if peer.state is PeerState.ENDED and not self._stop.is_set() else ""

    async def arrived(self, limit_s: float) -> None:
        """Wait until a picture has come, at most so long."""
        try:
            async with asyncio.timeout(limit_s):
                await self._arrived.wait()
        except TimeoutError:
            pass
        self._arrived.clear()

    async def end(self) -> None:
        """Hang up, and notify the server."""
        if self._peer is not None:
            await self._peer.close()
        if self._resource is not None:
            await self._server.end(self._resource)
        self._peer = self._resource = None

    def _take(self, picture: EncodedPicture) -> bool:
        fine = self._queue.put(picture)
        self._arrived.set()
        return fine

    async def _within(self, work: Awaitable[T], deadline: float) -> T:
        """Its result; raises TimeoutError at the deadline, and soon after a stop."""
        task = asyncio.ensure_future(work)
        try:
            while not task.done():
                if self._stop.is_set() or time.monotonic() > deadline:
                    raise TimeoutError
                await asyncio.wait([task], timeout=LOOK_S)
            return task.result()
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait([task], timeout=1.0)
