"""Cameras at an `http(s)://` address: JPEGs without end, a still image that is asked for again, or video."""

import threading
import time
from collections.abc import Generator, Iterator
from enum import Enum, auto
from typing import Final

from blikk_edge.core.scene import Frame
from blikk_edge.core.stages import Source
from blikk_edge.kinds.kind import Kind
from blikk_edge.sources.address import Address, AddressError, parse
from blikk_edge.sources.capture import Capture, Way
from blikk_edge.sources.faults import BROKEN, NO_PICTURE, STANDS_STILL, source_error
from blikk_edge.sources.file import REMOTE, open_file
from blikk_edge.sources.hls import open_hls
from blikk_edge.sources.idle_wait import IdleWait
from blikk_edge.sources.jpegs import MOST_BYTES, JpegSplitter
from blikk_edge.sources.limits import Barren, Limit
from blikk_edge.sources.options import ADDRESS, AddressOptions
from blikk_edge.sources.packets import Counts
from blikk_edge.sources.pictures import PictureFrames, decoder_of
from blikk_edge.sources.playout import LumpTime
from blikk_edge.sources.request import Client, Failed, HttpAnswer
from blikk_edge.sources.still import StillFile
from blikk_edge.sources.terms import Terms

# A still image is asked for this often at most, and no longer than half of the time.
POLLS_PER_S: Final = 5.0
BUSY_SHARE: Final = 0.5
# After a poll that failed the next one waits at least so long, and twice as long after each further one.
RETRY_S: Final = 1.0
# So many bytes show what an answer is; as many may be white space before that.
HEAD_BYTES: Final = 32
HEAD_MOST_BYTES: Final = 1024

NO_JPEG: Final = "no picture came in time, though something comes; have the camera send JPEG"

_JPEG_TYPES = frozenset(
    {"image/jpeg", "image/jpg", "image/pjpeg", "video/x-motion-jpeg", "video/x-mjpeg", "video/mjpeg"}
)
_TEXT_TYPES = frozenset({"json", "xml", "sdp", "dash+xml", "problem+json"})


class Content(Enum):
    """What an answer is. JPEGS may be one or many: how it goes on shows that."""

    JPEGS = auto()
    IMAGE = auto()
    HLS = auto()
    VIDEO = auto()
    PAGE = auto()
    TEXT = auto()
    UNKNOWN_IMAGE = auto()


_REFUSALS = {
    Content.PAGE: "this is a web page, not a stream; name the address of the stream or still image itself",
    Content.TEXT: "the server answers with text, not with pictures or video; mend the path of the source",
    Content.UNKNOWN_IMAGE: "images of this kind are not read; have the camera send JPEG, PNG or WebP",
}


def content_of(content_type: str, head: bytes) -> Content:
    """What an answer is, by its first bytes where these show it, else by its type (in lower case, no parameters)."""
    if content_type.startswith("multipart/"):
        return Content.JPEGS
    return _by_bytes(content_type, head) or _by_type(content_type, head)


def _by_bytes(content_type: str, head: bytes) -> Content | None:
    decoder, text = decoder_of(head), head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if decoder == "mjpeg" or text.startswith(b"--"):
        return Content.JPEGS
    if decoder is not None and (decoder != "bmp" or content_type.startswith("image/")):
        return Content.IMAGE
    if text.startswith(b"#extm3u"):
        return Content.HLS
    return Content.PAGE if text.startswith((b"<!doctype html", b"<html")) else None


def _by_type(content_type: str, head: bytes) -> Content:
    main, _, sub = content_type.partition("/")
    if content_type in _JPEG_TYPES:
        return Content.JPEGS
    if main == "image" and sub != "gif":
        return Content.UNKNOWN_IMAGE
    if any(byte < 9 or byte > 126 for byte in head):
        return Content.VIDEO  # whatever it says, this is no text
    if sub == "html":
        return Content.PAGE
    return Content.TEXT if main == "text" or sub in _TEXT_TYPES else Content.VIDEO


class HttpSource:
    """The frames of an `http(s)://` address, whatever it turns out to be; implements `core.stages.Source`.

    JPEGs that follow each other in one answer, in parts or bare, are a stream; one picture for each answer is a still
    image, which is asked for again at the frame rate, within bounds. A playlist, a video file and live video are left
    to libav. What an address is is looked at anew for each connection. `counts` are kept over all of them.
    """

    def __init__(self, url: str, terms: Terms, *, loop: bool = True) -> None:
        self.counts = Counts()
        self._address = _address(url)
        self._terms = terms
        self._loop = loop
        self._made = PictureFrames(terms, self.counts)
        self._idle_wait = IdleWait()
        self._captures: dict[str, Capture | StillFile] = {}

    def __repr__(self) -> str:
        return f"HttpSource({self._terms.camera}: {self._terms.shown})"

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        """Connect and yield frames until the stream ends or `stop` is set.

        A stop is noticed within a second; where libav reads, as by `Capture`. Raises SourceError when the
        address cannot be opened or is nothing to watch, and when the stream stands still, breaks, or a live one ends. A
        still image that fails now and then is asked for again within the read limit.
        """
        said = ""
        try:
            yield from self._frames(Limit(stop))
        except Failed as failed:
            said = failed.what
        if said and not stop.is_set():
            raise source_error(self._terms.shown, said)

    def _frames(self, limit: Limit) -> Iterator[Frame]:
        if limit.stop.is_set():
            return
        if (address := self._address) is None:
            raise Failed("the address cannot be read; check host and port, and escape odd signs in the password")
        with Client(address, limit) as client:
            limit.extend(self._terms.connect_timeout_s)
            answer = client.get()
            limit.extend(self._terms.read_timeout_s)
            head = b"" if answer.content_type.startswith("multipart/") else _head(answer)
            kind = content_of(answer.content_type, head)
            if kind in _REFUSALS:
                raise Failed(_REFUSALS[kind])
            if kind in {Content.JPEGS, Content.IMAGE}:
                self.counts.connections += 1
                yield from self._pictures(kind, client, answer, head, limit)
                return
        yield from self._capture(kind, address, answer).frames(limit.stop)

    # -- pictures ------------------------------------------------------------------------------------------------

    def _pictures(
        self, kind: Content, client: Client, answer: HttpAnswer, head: bytes, limit: Limit
    ) -> Iterator[Frame]:
        self._made.restart()
        ends = answer.length is not None and (answer.content_type.startswith("image/") or not _is_jpeg(head))
        if kind is Content.IMAGE or (head and ends):
            # A still image for sure, even with a preview behind it.
            count, last = 1, _picture_of(_whole(answer, head))
            yield from self._still(last)
        else:
            count, last = yield from self._stream(answer, head, limit)
        if not count:
            raise Failed("the answer ended before a picture had come; check the path of the source")
        if count > 1:
            raise Failed(BROKEN)
        yield from self._polled(client, limit, last)

    def _stream(self, answer: HttpAnswer, head: bytes, limit: Limit) -> Generator[Frame, None, tuple[int, bytes]]:
        """The frames of one answer as they come; returns how many pictures it had, and the last."""
        allowed_s, count, piece = self._terms.read_timeout_s, 0, head
        splitter, barren = JpegSplitter(), Barren(self._terms.read_timeout_s)
        encoded = b""
        self._idle_wait.restart()
        while True:
            broken, given = splitter.broken, 0
            for encoded in splitter.feed(piece):
                count += 1
                limit.extend(allowed_s)
                if self._made.due():
                    if (frame := self._made.frame(encoded)) is not None:
                        given += 1
                        yield frame
                        limit.extend(allowed_s)
                    if barren.over(pictures=frame is not None):
                        raise Failed(NO_PICTURE)
            if splitter.broken > broken:
                self.counts.corrupt += splitter.broken - broken
                limit.extend(allowed_s)
            if any(barren.over(pictures=0) for _ in range(splitter.broken - broken)):
                raise Failed(NO_PICTURE)
            if limit.over:
                raise Failed(STANDS_STILL if splitter.begun else NO_JPEG, stopped=limit.stop.is_set())
            self._idle_wait.read(len(piece))
            if given and answer.waited:
                self._idle_wait.take(self._made.wait_s)
            if not (piece := answer.read()):
                break
        if (last := splitter.rest()) is not None and answer.whole:
            count, encoded = count + 1, last
            yield from self._still(last)
        return count, encoded

    def _still(self, encoded: bytes) -> Iterator[Frame]:
        self._made.due()
        if (frame := self._made.frame(encoded)) is not None:
            yield frame

    def _polled(self, client: Client, limit: Limit, last: bytes) -> Iterator[Frame]:
        """A still image, asked for again and again; failures that may pass are waited out within the read limit."""
        period_s = 1 / min(self._terms.fps, POLLS_PER_S)
        began = failing = time.monotonic()
        took_s, failures = 0.0, 0
        while not limit.stop.wait(max(began + period_s, began + took_s / BUSY_SHARE) - time.monotonic()):
            began, decoded = time.monotonic(), self.counts.decoded
            limit.extend(self._terms.connect_timeout_s)
            failed: Failed | None = None
            try:
                answer = client.get()
                limit.extend(self._terms.read_timeout_s)
                if answer.content_type.startswith("multipart/"):
                    count, last = yield from self._stream(answer, b"", limit)
                    if count > 1:
                        raise Failed(BROKEN)
                else:
                    last = _picture_of(_whole(answer, b""))
                    took_s = time.monotonic() - began
                    yield from self._still(last)
                if self.counts.decoded == decoded:
                    raise Failed(NO_PICTURE, passing=True)
            except Failed as raised:
                failed = raised
                if raised.unchanged:
                    failed = None
                    yield from self._still(last)
            if failed is None:
                failures = 0
                continue
            client.close()
            failing = failing if failures else began
            if failed.stopped or not failed.passing or time.monotonic() - failing > self._terms.read_timeout_s:
                raise failed
            began, took_s = time.monotonic() + RETRY_S * 2**failures - period_s, 0.0
            failures = min(failures + 1, 4)

    # -- video ---------------------------------------------------------------------------------------------------

    def _capture(self, kind: Content, address: Address, answer: HttpAnswer) -> Capture | StillFile:
        """The source of libav for a playlist, a file (it has a length) or live video."""
        name = "hls" if kind is Content.HLS else "file" if answer.length is not None else "live"
        if name not in self._captures:
            match name:
                case "hls":
                    made: Capture | StillFile = open_hls(address.url, self._terms)
                case "file":
                    made = open_file(address.url, self._terms, loop=self._loop)
                case _:
                    made = _open_live(address.url, self._terms)
            made.counts = self.counts
            self._captures[name] = made
        return self._captures[name]


def open_mjpeg(url: str, terms: Terms, *, loop: bool = True) -> HttpSource:
    """What is at an `http(s)://` address. `loop` starts a video file again at its end.

    JPEGs and still images carry no time: the time of arrival is theirs.
    """
    return HttpSource(url, terms, loop=loop)


def _open_live(url: str, terms: Terms) -> Capture:
    options = {
        **REMOTE,
        "timeout": str(int(terms.read_timeout_s * 1_000_000)),
        # It goes on for ever: there is nothing to look for at its end.
        "seekable": "0",
        # What is looked at to guess parameters is delivered late.
        "analyzeduration": "1000000",
        "fpsprobesize": "0",
    }
    return Capture([Way(url=url, options=options)], terms, timekeeper=LumpTime(terms.clock))


def _address(url: str) -> Address | None:
    try:
        return parse(url)
    except AddressError:
        return None


def _is_jpeg(head: bytes) -> bool:
    return decoder_of(head) == "mjpeg"


def _head(answer: HttpAnswer) -> bytes:
    """The first bytes, enough to know what it is."""
    head = b""
    while len(head.lstrip()) < HEAD_BYTES and len(head) < HEAD_MOST_BYTES and (piece := answer.read()):
        head += piece
    return head


def _whole(answer: HttpAnswer, head: bytes) -> bytes:
    """All of an answer; raises Failed where it is cut off or too large for a picture."""
    content = bytearray(head)
    while piece := answer.read():
        content += piece
        if len(content) > MOST_BYTES:
            raise Failed(f"the picture has more than {MOST_BYTES // 10**6} MB; have the camera send a smaller one")
    picture = bytes(content)
    if not answer.whole and not JpegSplitter().feed(picture):  # where it is whole, its length was a lie
        raise Failed(BROKEN, passing=True)
    return picture


def _picture_of(content: bytes) -> bytes:
    """The picture in an answer, which may be a part of a multipart one."""
    if decoder_of(content[:12]) not in {None, "mjpeg"}:
        return content
    splitter = JpegSplitter()
    pictures = splitter.feed(content)
    return pictures[0] if pictures else splitter.rest() or content


def _make(options: AddressOptions, terms: Terms) -> HttpSource:
    return open_mjpeg(options.address.reveal(), terms, loop=terms.loop)


KIND: Kind[Terms, Source] = Kind(
    name="mjpeg", meaning="Whatever is at an `http(s)://` address.", options=ADDRESS, make=_make
)
