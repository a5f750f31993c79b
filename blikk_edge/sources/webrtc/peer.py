"""One end of a WebRTC connection that receives video: the port behind which a library stands.

A library serves that can make and take descriptions (SDP) with all their candidates in them, and hands over pictures
before they are decoded.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeAlias

from blikk_edge.core.encoded_queue import EncodedPicture
from blikk_edge.grammar.secrets import Secret

OnPicture: TypeAlias = Callable[[EncodedPicture], bool]
"""Takes a picture at once; False asks the other end for one that stands by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IceServer:
    """A server that helps two ends to reach each other.

    Attributes:
        url: `stun:host:port`, `turn:host:port` or `turns:host:port`.
        username: For a TURN server; None where it wants none.
        credential: Its password; None where it wants none.
    """

    url: str
    username: str | None = None
    credential: Secret | None = None


class PeerState(StrEnum):
    """How far a connection is."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    ENDED = "ended"


class Peer(Protocol):
    """One connection, for one event loop. Nothing is sent before `offer` or `answer`."""

    @property
    def state(self) -> PeerState:
        """How far it is."""
        ...

    async def offer(self) -> str:
        """A description that asks for video, with all candidates."""
        ...

    async def accept(self, answer: str) -> None:
        """Take the other end's answer to `offer`, and connect; raises ValueError for one that cannot be used."""
        ...

    async def answer(self, offer: str) -> str:
        """Take the first video of an offer, and connect; the answer. Raises ValueError for one that cannot be used."""
        ...

    async def close(self) -> None:
        """Hang up, and let go of all there is; harmless at any time."""
        ...


MakePeer: TypeAlias = Callable[[OnPicture, Sequence[IceServer]], Peer]
