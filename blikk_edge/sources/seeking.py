"""Pictures of a local video from a moment on, without reading all that comes before it."""

from collections.abc import Iterator
from pathlib import Path

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from blikk_edge.core.scene import Frame
from blikk_edge.sources.decoder import VideoDecoder
from blikk_edge.sources.faults import meaning, source_error
from blikk_edge.sources.file import LOCAL
from blikk_edge.sources.packets import Counts
from blikk_edge.sources.pixels import Scaler
from blikk_edge.sources.terms import Terms


def frames_from(path: Path, terms: Terms, at_s: float) -> Iterator[Frame]:
    """Every picture of a file, at its own rate, from the keyframe before `at_s` seconds after its first picture on.

    Capture times are `terms.start_time` and the file's own time, as those of `open_file` where the file's timestamps
    rise evenly. `terms` say how large pictures are and how they are turned. Raises SourceError where it cannot be read.
    """
    scaler = Scaler(terms.height_px, rotate=terms.rotate)
    try:
        with av.open(f"file:{path}", options=dict(LOCAL)) as container:
            stream = container.streams.best("video")
            if not isinstance(stream, VideoStream):
                raise source_error(terms.shown, "there is no video in it; choose a stream with video")
            decoder = VideoDecoder(stream, stream.codec_context, Counts())
            first = next((picture.pts for picture in _pictures(container, stream, decoder)), None)
            if first is None:
                raise source_error(terms.shown, "its pictures have no times")
            container.seek(first + int(at_s / decoder.tick_s), stream=stream, backward=True)
            for seq, picture in enumerate(_pictures(container, stream, decoder)):
                if picture.pts is not None:
                    time = terms.start_time + (picture.pts - first) * decoder.tick_s
                    yield scaler.frame(picture, camera=terms.camera, seq=seq, time=time, aspect=decoder.aspect)
    except (av.FFmpegError, ValueError, ZeroDivisionError) as error:
        raise source_error(terms.shown, meaning(error, opened=True)) from error


def _pictures(container: InputContainer, stream: VideoStream, decoder: VideoDecoder) -> Iterator[VideoFrame]:
    for packet in container.demux(stream):
        yield from decoder.decode(packet)
