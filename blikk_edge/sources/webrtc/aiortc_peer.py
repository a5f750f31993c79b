"""The Peer that is made by aiortc; the only place that imports it."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

from blikk_edge.core.encoded_queue import EncodedPicture
from blikk_edge.core.errors import SourceError
from blikk_edge.core.installing import pip_install
from blikk_edge.sources.webrtc.peer import IceServer, OnPicture, PeerState

RATE: Final = 90_000
"""Ticks of the clock of video in a second (RFC 6184, RFC 7741)."""

ASK_S: Final = 0.5
"""A sender is asked for a whole picture no more often than this; it takes its time to make one."""

CLOSE_S: Final = 3.0

# Where the receiver of aiortc 1.16 keeps what goes to its decoder, and whether that failed.
_QUEUE: Final = "_RTCRtpReceiver__decoder_queue"
_FAILED: Final = "_RTCRtpReceiver__decoder_error"


def library() -> Any:
    """The package aiortc; raises SourceError where it is not installed, or is one that is not known here."""
    try:
        import aiortc  # noqa: PLC0415  # 68 MB that only a node with such a camera needs
    except ImportError:
        raise SourceError(f"WebRTC needs the package aiortc: {pip_install('blikk-edge[webrtc]')}") from None
    for name in ("aiortc", "aioice"):
        logging.getLogger(name).setLevel(logging.ERROR)  # it tells each address that it tries
    return aiortc


class AiortcPeer:
    """One connection by aiortc; see `Peer`.

    Two queues of the library have no bound: that of encoded pictures to its decoder thread, and that of decoded ones
    to its track. The first is replaced by `_Tap`, which hands them on at once; so the second stays empty, and the
    library's thread waits for the end.
    """

    def __init__(self, on_picture: OnPicture, ice_servers: Sequence[IceServer] = ()) -> None:
        self._aiortc = library()
        self._on_picture = on_picture
        servers = [
            self._aiortc.RTCIceServer(
                urls=each.url,
                username=each.username,
                credential=each.credential.reveal() if each.credential else None,
            )
            for each in ice_servers
        ]
        # an empty list: without one it would ask a STUN server of Google
        self._pc = self._aiortc.RTCPeerConnection(self._aiortc.RTCConfiguration(iceServers=servers))
        self._asked_at = 0.0

    @property
    def state(self) -> PeerState:
        """How far it is."""
        state = self._pc.connectionState
        if state in {"failed", "closed", "disconnected"}:
            return PeerState.ENDED
        return PeerState.CONNECTED if state == "connected" else PeerState.CONNECTING

    async def offer(self) -> str:
        """A description that asks for video."""
        self._tap(self._pc.addTransceiver("video", direction="recvonly").receiver)
        await self._pc.setLocalDescription(await self._pc.createOffer())
        return str(self._pc.localDescription.sdp)

    async def accept(self, answer: str) -> None:
        """Take the answer; raises ValueError."""
        await self._described(answer, "answer")

    async def answer(self, offer: str) -> str:
        """Take the first video of an offer; raises ValueError."""
        await self._described(offer, "offer")
        try:
            return await self._answered()
        except (RuntimeError, ValueError, LookupError, TypeError, AttributeError):
            raise ValueError("a description that cannot be answered") from None

    async def _answered(self) -> str:
        taken = False
        for transceiver in self._pc.getTransceivers():
            if transceiver.kind == "video" and not taken:
                taken = True
                self._tap(transceiver.receiver)
                transceiver.direction = "recvonly"
            else:
                transceiver.direction = "inactive"
        await self._pc.setLocalDescription(await self._pc.createAnswer())
        return str(self._pc.localDescription.sdp)

    async def close(self) -> None:
        """Hang up."""
        # where a description was read by half, the library stops a transport that is not there yet
        with suppress(TimeoutError, AttributeError):
            async with asyncio.timeout(CLOSE_S):
                await self._pc.close()
        # the library's last words to its tracks are on their way in this loop
        for _ in range(3):
            await asyncio.sleep(0)

    async def _described(self, sdp: str, kind: str) -> None:
        try:
            await self._pc.setRemoteDescription(self._aiortc.RTCSessionDescription(sdp=sdp, type=kind))
        except (
            self._aiortc.exceptions.InternalError,
            self._aiortc.exceptions.OperationError,
            self._aiortc.InvalidStateError,
            # what its reader of descriptions makes of lines that are none
            ValueError,
            KeyError,
            IndexError,
            AttributeError,
            AssertionError,
            TypeError,
            RuntimeError,  # what becomes of a StopIteration
        ):
            raise ValueError("a description that cannot be read") from None

    def _tap(self, receiver: Any) -> None:
        if not hasattr(receiver, _QUEUE) or not hasattr(receiver, _FAILED):
            raise SourceError(f"this release of aiortc is not known; install another: {pip_install('aiortc==1.16.*')}")
        ask: threading.Event = getattr(receiver, _FAILED)
        setattr(receiver, _QUEUE, _Tap(lambda codec, encoded: self._take(codec, encoded, ask)))

    def _take(self, codec: Any, encoded: Any, ask: threading.Event) -> None:
        now = time.monotonic()
        name = str(codec.name).lower()
        fine = self._on_picture(
            EncodedPicture(
                codec=name,
                content=encoded.data,
                time_s=encoded.timestamp / RATE,
                arrived_s=now,
                key=is_key(name, encoded.data),
            )
        )
        if not fine and now - self._asked_at > ASK_S:
            self._asked_at = now
            ask.set()  # with the next packet the library asks for a whole picture


class _Tap:
    """Stands in the place of the library's queue of encoded pictures; its reader is notified of the end alone."""

    def __init__(self, take: Callable[[Any, Any], None]) -> None:
        self._take = take
        self._ended = threading.Event()

    def put(self, task: tuple[Any, Any] | None) -> None:
        """A picture, or None at the end; in the event loop."""
        if task is None:
            self._ended.set()
        else:
            self._take(*task)

    def get(self) -> None:
        """Wait for the end; in the library's thread."""
        self._ended.wait()


def is_key(codec: str, content: bytes) -> bool:
    """Whether an encoded picture stands by itself.

    Of VP8 the first bit says so (RFC 6386, 9.1), of H.264 a unit of type 5 (ITU-T H.264, 7.4.1).
    """
    if codec == "vp8":
        return bool(content) and not content[0] & 1
    at = content.find(b"\0\0\1")
    while at >= 0 and at + 3 < len(content):
        if content[at + 3] & 0x1F == 5:
            return True
        at = content.find(b"\0\0\1", at + 3)
    return False
