"""A stream that is only recorded: its packets go to a Tap, and none is decoded."""

import threading

from av.video.stream import VideoStream

from blikk_edge.sources.address import plain
from blikk_edge.sources.faults import source_error
from blikk_edge.sources.limits import Limit
from blikk_edge.sources.opening import SourceOpener
from blikk_edge.sources.packets import Counts, Packets
from blikk_edge.sources.rtsp import ways
from blikk_edge.sources.tap import Tapped
from blikk_edge.sources.terms import Terms

NOTHING = "there is no video in it that can be recorded; set the camera to H.264 or H.265"


class ArchiveSource:
    """The RTSP stream at `url`, which goes to the `tap` of the terms."""

    def __init__(self, url: str, terms: Terms) -> None:
        self._terms = terms
        url = plain(url)
        self._opener = SourceOpener(
            ways(url, shown=terms.shown, transport=terms.transport, read_timeout_s=terms.read_timeout_s, audio=True),
            terms,
        )

    def read(self, stop: threading.Event) -> None:
        """One connection, until `stop` is set; raises SourceError where it cannot be opened, breaks or ends."""
        tap, limit = self._terms.tap, Limit(stop)
        opened = self._opener.open(limit) if tap is not None else None
        if opened is None or tap is None:
            return
        way, container = opened
        came = False
        try:
            video = container.streams.best("video")
            if not isinstance(video, VideoStream):
                raise source_error(self._terms.shown, NOTHING)
            packets = Packets(
                container,
                video,
                shown=self._terms.shown,
                read_timeout_s=self._terms.read_timeout_s,
                limit=limit,
                ends=False,
                counts=Counts(),
                tapped=Tapped(container, tap, camera=self._terms.camera),
            )
            for _ in packets:
                came = True
        finally:
            container.close()
            if not came and not stop.is_set():
                self._opener.barren(way)
