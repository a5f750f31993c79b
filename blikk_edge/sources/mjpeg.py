"""Cameras at an `http(s)://` address: JPEGs without end, a still image that is asked for again, or video."""

import threading
from collections.abc import Generator, Iterator
from typing import Final

from blikk_edge.core.scene import Frame
from blikk_edge.core.stages import Source
from blikk_edge.kinds.kind import Kind
from blikk_edge.sources.address import Address, AddressError, parse
from blikk_edge.sources.capture import Capture, Way
from blikk_edge.sources.content import Content, content_of, head_of, is_jpeg, picture_in, refusal
from blikk_edge.sources.faults import BROKEN, LATER, NO_PICTURE, STANDS_STILL, Logins, shown_by, source_error
from blikk_edge.sources.file import REMOTE, open_file
from blikk_edge.sources.hls import open_hls
from blikk_edge.sources.idle_wait import IdleWait
from blikk_edge.sources.jpegs import JpegSplitter
from blikk_edge.sources.limits import Barren, Limit
from blikk_edge.sources.options import ADDRESS, AddressOptions
from blikk_edge.sources.packets import Counts
from blikk_edge.sources.pictures import NO_IMAGE, PictureFrames
from blikk_edge.sources.playout import LumpTime
from blikk_edge.sources.request import Client, Failed, HttpAnswer
from blikk_edge.sources.still import StillFile
from blikk_edge.sources.still_address import StillAddress
from blikk_edge.sources.terms import Terms
from blikk_edge.sources.vendors.advice import when_failed

NO_JPEG: Final = "no picture came in time, though something comes; have the camera send JPEG"


class HttpSource:
    """The frames of an `http(s)://` address, whatever it turns out to be; implements `core.stages.Source`.

    JPEGs that follow each other in one answer, in parts or bare, are a stream; one picture for each answer is a still
    image (`StillAddress`). A playlist, a video file and live video are left
    to libav. What an address is is looked at anew for each connection. `counts` are kept over all of them.
    """

    def __init__(self, url: str, terms: Terms, *, loop: bool = True) -> None:
        self.counts = Counts()
        self._address = _address(url)
        self._terms = terms
        self._loop = loop
        self._made = PictureFrames(terms, self.counts)
        self._idle_wait = IdleWait()
        self._logins = Logins(given=self._address is not None and self._address.login is not None)
        self._captures: dict[str, Capture | StillFile] = {}

    def __repr__(self) -> str:
        return f"HttpSource({self._terms.camera}: {self._terms.shown})"

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        """Connect and yield frames until the stream ends or `stop` is set.

        A stop is noticed within a second; where libav reads, as by `Capture`. Raises SourceError when the
        address cannot be opened or is nothing to watch, and when the stream stands still, breaks, or a live one ends. A
        still image that fails now and then is asked for again within the read limit.
        """
        failed: Failed | None = None
        try:
            yield from self._frames(Limit(stop))
        except Failed as raised:
            failed = raised
        if failed is not None and not stop.is_set():
            retry_s = self._logins.after(failed.what)
            more = LATER if retry_s else "", self._advice(failed.what)
            raise source_error(self._terms.shown, failed.what, *more, retry_s=max(retry_s, failed.retry_s))

    def _advice(self, what: str) -> str:
        """What is known of the camera's vendor where it fails so."""
        when = shown_by(what)
        return when_failed(self._address, when) if when is not None and self._address is not None else ""

    def _frames(self, limit: Limit) -> Iterator[Frame]:
        if limit.stop.is_set():
            return
        if (address := self._address) is None:
            raise Failed("the address cannot be read; check host and port, and escape odd signs in the password")
        with Client(address, limit) as client:
            limit.extend(self._terms.connect_timeout_s)
            answer = client.get()
            limit.extend(self._terms.read_timeout_s)
            head = head_of(answer)
            kind = content_of(answer.content_type, head)
            if (said := refusal(kind, address, answer, head)) is not None:
                raise Failed(said)
            self._logins.accepted()
            if kind in {Content.JPEGS, Content.IMAGE}:
                self.counts.connections += 1
                yield from self._pictures(kind, client, address, answer, head, limit)
                return
        yield from self._capture(kind, address, answer).frames(limit.stop)

    # -- pictures ------------------------------------------------------------------------------------------------

    def _pictures(
        self, kind: Content, client: Client, address: Address, answer: HttpAnswer, head: bytes, limit: Limit
    ) -> Iterator[Frame]:
        self._made.restart()
        decoded = self.counts.decoded
        ends = answer.length is not None and (answer.content_type.startswith("image/") or not is_jpeg(head))
        if kind is Content.IMAGE or (head and ends):
            # A still image for sure, even with a preview behind it.
            count, last = 1, picture_in(answer, head)
            yield from self._still(last)
        else:
            count, last = yield from self._stream(answer, head, limit)
        if not count:
            raise Failed("the answer ended before a picture had come; check the path of the source")
        if count > 1:
            raise Failed(BROKEN)
        if self.counts.decoded == decoded:
            raise Failed(self._made.why or NO_IMAGE)
        still = StillAddress(client, address, self._terms, self._made, stream=self._part)
        yield from still.frames(limit, last, answer.conditions)

    def _part(self, answer: HttpAnswer, limit: Limit, last: bytes) -> Generator[Frame, None, tuple[int, bytes]]:
        """The frames of one answer in parts, as long as it shows no more than the `last` picture."""
        return (yield from self._stream(answer, b"", limit, same=last))

    def _stream(
        self, answer: HttpAnswer, head: bytes, limit: Limit, *, same: bytes = b""
    ) -> Generator[Frame, None, tuple[int, bytes]]:
        """The frames of one answer as they come; returns how many pictures it had, and the last.

        A picture that is the `same` as one before it is none.
        """
        allowed_s, count, piece = self._terms.read_timeout_s, 0, head
        splitter, barren = JpegSplitter(), Barren(self._terms.read_timeout_s)
        encoded = b""
        self._idle_wait.restart()
        while True:
            broken, given = splitter.broken, 0
            for encoded in splitter.feed(piece):
                count += 1
                limit.extend(allowed_s)
                if encoded != same and (self._made.due() or same):
                    if (frame := self._made.frame(encoded)) is not None:
                        given += 1
                        yield frame
                        limit.extend(allowed_s)
                    if barren.over(pictures=frame is not None):
                        raise Failed(self._made.why or NO_PICTURE)
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
            yield from self._still(last, same=same)
        return count, encoded

    def _still(self, encoded: bytes, *, same: bytes = b"") -> Iterator[Frame]:
        self._made.due()
        if encoded != same and (frame := self._made.frame(encoded)) is not None:
            yield frame

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


def _make(options: AddressOptions, terms: Terms) -> HttpSource:
    return open_mjpeg(options.address.reveal(), terms, loop=terms.loop)


KIND: Kind[Terms, Source] = Kind(
    name="mjpeg", meaning="Whatever is at an `http(s)://` address.", options=ADDRESS, make=_make
)
