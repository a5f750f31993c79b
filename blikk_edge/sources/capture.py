"""The PyAV loop all sources share: open, demux, decode, thin to a few frames a second, stamp with honest times."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from time import monotonic, perf_counter
from typing import TypeAlias

import av.logging
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from blikk_edge.core.errors import SourceError
from blikk_edge.core.fields import Watch
from blikk_edge.core.scene import Frame
from blikk_edge.sources.decoder import VideoDecoder
from blikk_edge.sources.faults import NO_PICTURE, source_error
from blikk_edge.sources.hardware import DecoderChoice
from blikk_edge.sources.idle_wait import IdleWait
from blikk_edge.sources.keyframe_only import EveryFrame, KeyframeOnly, KeyframesAlone
from blikk_edge.sources.limits import Barren, Limit
from blikk_edge.sources.measured import Choice, MeasuredWatch
from blikk_edge.sources.opening import SourceOpener, Way
from blikk_edge.sources.packets import Counts, Packets, VideoPacket
from blikk_edge.sources.pixels import Scaler
from blikk_edge.sources.tap import Tapped
from blikk_edge.sources.terms import Terms
from blikk_edge.sources.timeline import Grid, StreamTime, Timekeeper

__all__ = ["Capture", "Way"]

# libav writes addresses with their passwords into its log.
av.logging.set_level(None)

# Frames from before a waking come in a row: those in which something stirs give the detector so long each.
PAST_PACE_S = 0.1
# A web server is asked this often at most for a file that is played again: it may be a single picture.
PASS_S = 1.0


Watching: TypeAlias = EveryFrame | KeyframeOnly | KeyframesAlone | MeasuredWatch


class Capture:
    """One camera's frames through PyAV; see core.stages.Source for the contract.

    `ways` are tried in order until one opens; after one that opened but brought nothing the next one comes first.
    `ends` says that an end is no error (a file), `loop` that it starts again then. `trusted` says that the stream's
    timestamps mean something; where they do not, the time of arrival counts. `counts` are kept over all connections.
    """

    def __init__(
        self,
        ways: Sequence[Way],
        terms: Terms,
        *,
        timekeeper: Timekeeper,
        ends: bool = False,
        loop: bool = False,
        trusted: bool = True,
    ) -> None:
        self.counts = Counts()
        self._opener = SourceOpener(ways, terms)
        self._terms = terms
        self._timekeeper = timekeeper
        self._ends = ends
        self._loop = loop
        self._trusted = trusted
        self._seq = 0
        self._decode_s = 0.0
        self._stream_time = StreamTime()
        self._grid = Grid(terms.fps)
        self._idle_wait = IdleWait()
        self._choice = DecoderChoice(terms.camera, height_px=None if terms.budget is None else terms.height_px)
        self._measured = None
        if terms.budget is not None:
            self._measured = Choice(terms.camera, terms.watch, terms.budget, terms.clock)
        self._scaler = Scaler(terms.height_px, rotate=terms.rotate)

    def __repr__(self) -> str:
        return f"Capture({self._terms.camera}: {self._terms.shown})"

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        """Connect and yield frames until the stream ends or `stop` is set.

        A stop is noticed within a second where something comes, and within libav's limits where nothing does. Raises
        SourceError when the stream cannot be opened, stands still, breaks, or a live one ends. A Frame holds a picture
        buffer of the decoder: let go of it soon.
        """
        while not stop.is_set():
            before, began = self.counts.decoded, monotonic()
            yield from self._connection(Limit(stop))
            if self.counts.decoded == before and not stop.is_set():
                raise source_error(
                    self._terms.shown, "it ended before a picture could be decoded; the file may be damaged"
                )
            if not self._loop:
                return
            if self._opener.remote:
                stop.wait(PASS_S - (monotonic() - began))

    def _connection(self, limit: Limit) -> Iterator[Frame]:
        opened = self._opener.open(limit)
        if opened is None:
            return
        way, container = opened
        self.counts.connections += 1
        before = self.counts.decoded
        try:
            stream = self._video(container)
            tap = self._terms.tap
            packets = Packets(
                container,
                stream,
                shown=self._terms.shown,
                read_timeout_s=self._terms.read_timeout_s,
                limit=limit,
                ends=self._ends,
                counts=self.counts,
                remote=way.url.startswith("http"),
                tapped=None if tap is None else Tapped(container, tap, camera=self._terms.camera),
            )
            self._stream_time.restart(float(stream.average_rate) if stream.average_rate else None)
            self._timekeeper.restart()
            self._idle_wait.restart()
            decoder, wanted = self._choice.decoder(stream, iter(packets), self.counts)
            if self._measured is not None:
                self._measured.opened(
                    stream.codec_context.name, stream.codec_context.width, stream.codec_context.height
                )
            yield from self._frames(packets, wanted, decoder, limit, waits=way.waits)
        finally:
            container.close()
            if self.counts.decoded == before and not limit.stop.is_set():
                self._opener.barren(way)

    def _video(self, container: InputContainer) -> VideoStream:
        stream = container.streams.best("video")
        if not isinstance(stream, VideoStream):
            raise source_error(self._terms.shown, "there is no video in it; choose a stream with video")
        if stream.codec_context is None:
            raise source_error(self._terms.shown, "no decoder for its video; set the camera to H.264")
        return stream

    def _frames(
        self, source: Packets, packets: Iterable[VideoPacket], decoder: VideoDecoder, limit: Limit, *, waits: bool
    ) -> Iterator[Frame]:
        """Frames that are due, out of the pictures that the way of watching wants decoded."""
        barren = Barren(self._terms.read_timeout_s)
        watch, read_bytes = self._watch(decoder, lambda: source.waited or self._timekeeper.hold_s > 0.0), 0
        try:
            for packet in packets:
                read_bytes += packet.size
                decoded, seq = self.counts.decoded, self._seq
                if decoder.intra and packet.size and not self._grid.due(self._stream_s(decoder.time_s(packet))):
                    self.counts.thinned += 1
                    continue
                if pictures := watch.pictures(packet):
                    yield from self._due(pictures, watch, decoder, limit, waits=waits)
                if barren.over(pictures=self.counts.decoded - decoded or watch.asleep):
                    raise source_error(self._terms.shown, NO_PICTURE)
                if waits and source.waited and (watch.asleep or self._seq > seq):
                    self._idle_wait.read(read_bytes)
                    read_bytes = 0
                    self._idle_wait.take(watch.idle_s if watch.asleep else self._grid.wait_s(self._stream_time.last))
        except SourceError:
            yield from self._due(watch.rest(), watch, decoder, limit, waits=waits)
            raise

    def _due(
        self,
        pictures: Iterable[VideoFrame],
        watch: Watching,
        decoder: VideoDecoder,
        limit: Limit,
        *,
        waits: bool,
    ) -> Iterator[Frame]:
        for picture in pictures:
            stream_s = self._stream_time.last if decoder.intra else self._stream_s(decoder.time_s(picture))
            if not decoder.intra and not self._grid.due(stream_s):
                self.counts.thinned += 1
                continue
            time = self._timekeeper.at(stream_s)
            if limit.stop.wait(self._timekeeper.hold_s) if self._timekeeper.hold_s else limit.stop.is_set():
                return
            self._seq += 1
            frame = self._frame(picture, time, decoder.aspect)
            stirs = watch.gave(frame, decoder.time_s(picture))
            if self._terms.decoded is not None:
                self._terms.decoded(self._decode_s)
                self._decode_s = 0.0
            yield frame
            if stirs and watch.past and waits:
                limit.stop.wait(PAST_PACE_S)

    def _watch(self, decoder: VideoDecoder, rested: Callable[[], bool]) -> Watching:
        make = partial(self._way, decoder)
        if self._measured is None:
            return make(self._terms.watch)
        return MeasuredWatch(self._measured, make, decoder, rested=rested)

    def _way(self, decoder: VideoDecoder, watch: Watch) -> EveryFrame | KeyframeOnly | KeyframesAlone:
        decode, wake_detector = partial(self._decoded, decoder), self._terms.wake_detector
        if wake_detector is not None:
            wake_detector.reset()
        if watch is Watch.KEYFRAMES and not decoder.intra:
            return KeyframesAlone(decoder, decode, part=self._part, wake_detector=wake_detector)
        if watch not in {Watch.ECO, Watch.AUTO} or wake_detector is None:
            return EveryFrame(decode)
        return KeyframeOnly(
            watch=watch,
            sleep_after_s=self._terms.sleep_after_s,
            wake_detector=wake_detector,
            decoder=decoder,
            decode=decode,
            frame_of=lambda picture, time: self._frame(picture, time, decoder.aspect),
            counts=self.counts,
            hinted=self._terms.hinted,
        )

    def _part(self) -> float:
        return 0.0 if self._measured is None else self._measured.part

    def _decoded(self, decoder: VideoDecoder, packet: VideoPacket) -> Sequence[VideoFrame]:
        shown = not decoder.spares or self._may_be_due(decoder.time_s(packet))
        if self._terms.decoded is None:
            return decoder.decode(packet, shown=shown)
        began = perf_counter()
        pictures = decoder.decode(packet, shown=shown)
        self._decode_s += perf_counter() - began
        return pictures

    def _may_be_due(self, pts_s: float | None) -> bool:
        """Whether the grid could take the picture that is shown at this time of the stream's own clock."""
        expected = self._stream_time.expected(pts_s) if self._trusted else None
        return expected is None or self._grid.wait_s(expected) <= 0.0

    def _stream_s(self, pts_s: float | None) -> float:
        return self._stream_time.at(pts_s if self._trusted else None, self._timekeeper.arrival())

    def _frame(self, picture: VideoFrame, time: float, aspect: float) -> Frame:
        return self._scaler.frame(
            picture,
            camera=self._terms.camera,
            seq=self._seq,
            time=time,
            timeline=self._timekeeper.timeline,
            aspect=aspect,
        )
