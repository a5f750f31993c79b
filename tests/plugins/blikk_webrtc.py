"""A source like WebRTC, as somebody else would write it: what is offered over HTTP brings the pictures. One file."""

import http.client
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import av

from blikk_edge.core.errors import SourceError
from blikk_edge.core.scene import Frame
from blikk_edge.grammar.schema import Key, Section
from blikk_edge.grammar.secrets import Secret, SourceUrl
from blikk_edge.grammar.values import SECRET, duration
from blikk_edge.kinds.kind import Kind
from blikk_edge.sources.options import CAMERA_ADDRESS
from blikk_edge.sources.pixels import Scaler
from blikk_edge.sources.terms import Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class WebrtcOptions:
    """Where the offer goes, and what it is allowed by."""

    address: SourceUrl
    token: Secret | None = None
    pause_s: float = 0.2


class WebrtcSource:
    """Sends an offer, and decodes the JPEGs of the answer one after the other."""

    def __init__(self, options: WebrtcOptions, terms: Terms) -> None:
        self._options = options
        self._terms = terms
        self._scaler = Scaler(terms.height_px, rotate=terms.rotate)
        self._seq = 0

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        """Ask, and yield a frame for each answer until `stop` is set; raises SourceError."""
        while not stop.wait(self._options.pause_s):
            picture = self._picture()
            self._seq += 1
            yield self._scaler.frame(picture, camera=self._terms.camera, seq=self._seq, time=self._terms.clock.now())

    def _picture(self) -> av.VideoFrame:
        parts = urlsplit(self._options.address.reveal())
        token = self._options.token
        headers = {"Authorization": f"Bearer {token.reveal()}"} if token else {}
        connection = http.client.HTTPConnection(parts.netloc, timeout=self._terms.connect_timeout_s)
        try:
            connection.request("POST", parts.path, b"offer", headers)
            answer = connection.getresponse()
            body = answer.read()
        except OSError as error:
            raise SourceError(f"{self._terms.shown}: {error.strerror or 'no answer'}") from None
        finally:
            connection.close()
        if answer.status != 200:
            raise SourceError(f"{self._terms.shown}: the offer was refused ({answer.status})")
        decoder = av.CodecContext.create("mjpeg", "r")
        return decoder.decode(av.Packet(body))[0]


KIND = Kind(
    name="webrtc",
    meaning="A camera that takes offers.",
    options=Section(
        of=WebrtcOptions,
        plain="address",
        keys=(
            Key(name="address", value=CAMERA_ADDRESS, required=True, meaning="Where the offer goes."),
            Key(name="token", value=SECRET, meaning="What allows it."),
            Key(name="pause_s", value=duration(0.02, 10), meaning="The time between two pictures."),
        ),
    ),
    make=WebrtcSource,
)
