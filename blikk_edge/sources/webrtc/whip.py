"""The picture that a browser sends: see `inputs.whip` for the server that it comes through."""

import threading
from collections.abc import Iterator

from blikk_edge.core.encoded_queue import EncodedQueue
from blikk_edge.core.scene import Frame
from blikk_edge.sources.faults import NO_PICTURE, source_error
from blikk_edge.sources.terms import Terms
from blikk_edge.sources.webrtc.aiortc_peer import library
from blikk_edge.sources.webrtc.pictures import PeerPictures

LOOK_S = 0.5
NOBODY = "no device sends; `blikk phone {camera}` gives a link that makes a phone the camera"


class WhipSource:
    """The frames of one camera's sender; implements `core.stages.Source`. Who sends next goes on where it was.

    That nobody sends is reported once. From then on it waits for as long as it takes: whoever tried again ever more
    rarely would have a phone wait for half a minute.
    """

    def __init__(self, queue: EncodedQueue, terms: Terms) -> None:
        self._queue = queue
        self._terms = terms
        self._pictures = PeerPictures(queue, terms)
        self._number = queue.number
        self._reported = False

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        """Yield what comes until `stop` is set; raises SourceError once nothing has come for the read limit."""
        library()  # it is there when somebody sends, or its lack is reported before
        seen = heard = self._terms.clock.monotonic()
        while not stop.is_set():
            waiting = self._queue.take(LOOK_S)
            if self._queue.number != self._number:
                self._number = self._queue.number
                self._pictures.restart()
            frame = self._pictures.frame(waiting)
            now = self._terms.clock.monotonic()
            if waiting:
                heard = now
            if frame is not None:
                self._reported = False
                yield frame
                seen = self._terms.clock.monotonic()
            elif now - seen > self._terms.read_timeout_s and not self._reported:
                self._reported = True
                barren = now - heard < self._terms.read_timeout_s
                said = NO_PICTURE if barren else NOBODY.format(camera=self._terms.camera)
                raise source_error(self._terms.shown, said)
