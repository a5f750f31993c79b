"""What an HTTP answer is: JPEGs, one picture, a playlist, video, or something that cannot be watched."""

import re
from enum import Enum, auto
from types import MappingProxyType
from typing import Final

from blikk_edge.sources.address import Address
from blikk_edge.sources.faults import BROKEN, FORBIDDEN, NOT_FOUND, WRONG_LOGIN
from blikk_edge.sources.jpegs import MOST_BYTES, JpegSplitter
from blikk_edge.sources.pictures import decoder_of
from blikk_edge.sources.request import Failed, HttpAnswer
from blikk_edge.sources.vendors.advice import meant
from blikk_edge.sources.vendors.table import When

# So many bytes show what an answer is; as many may be white space before that.
HEAD_BYTES: Final = 32
HEAD_MOST_BYTES: Final = 1024
# What a camera says instead of a picture is no longer.
SAID_MOST_BYTES: Final = 4096

_JPEG_TYPES = frozenset(
    {"image/jpeg", "image/jpg", "image/pjpeg", "video/x-motion-jpeg", "video/x-mjpeg", "video/mjpeg"}
)
_TEXT_TYPES = frozenset({"json", "xml", "sdp", "dash+xml", "problem+json"})


# TIFF, AVIF and HEIC, JPEG XL, JPEG 2000: libav would take the one for a picture that it is not, the next for a film.
_UNREAD = re.compile(rb"II\*\0|MM\0\*|....ftyp(avi|hei|hev|mif1|msf1)|\xff\x0a|....JXL |....jP  ", re.DOTALL)


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

_MEANT = MappingProxyType({When.UNAUTHORIZED: WRONG_LOGIN, When.FORBIDDEN: FORBIDDEN, When.NOT_FOUND: NOT_FOUND})


def content_of(content_type: str, head: bytes) -> Content:
    """What an answer is, by its first bytes where these show it, else by its type (in lower case, no parameters)."""
    if content_type.startswith("multipart/"):
        return Content.JPEGS
    return _by_bytes(content_type, head) or _by_type(content_type, head)


def _by_bytes(content_type: str, head: bytes) -> Content | None:
    decoder, text = decoder_of(head), head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if decoder == "mjpeg" or text.startswith(b"--"):
        return Content.JPEGS
    if decoder is not None and (decoder != "bmp" or content_type.startswith("image/") or head[6:10] == bytes(4)):
        return Content.IMAGE
    if _UNREAD.match(head):
        return Content.UNKNOWN_IMAGE
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


def refusal(kind: Content, address: Address, answer: HttpAnswer, head: bytes) -> str | None:
    """Why an answer with success is nothing to watch; None for one that is. Reads what it says, within bounds."""
    if kind not in _REFUSALS:
        return None
    said = bytearray(head)
    while len(said) < SAID_MOST_BYTES and (piece := answer.read()):
        said += piece
    when = meant(address, bytes(said))
    return _REFUSALS[kind] if when is None else _MEANT[when]


def head_of(answer: HttpAnswer) -> bytes:
    """The first bytes, enough to know what it is; none of a multipart answer, which is known by its type."""
    head = b""
    if answer.content_type.startswith("multipart/"):
        return head
    while len(head.lstrip()) < HEAD_BYTES and len(head) < HEAD_MOST_BYTES and (piece := answer.read()):
        head += piece
    return head


def is_jpeg(head: bytes) -> bool:
    """Whether a JPEG begins so."""
    return decoder_of(head) == "mjpeg"


def picture_in(answer: HttpAnswer, head: bytes) -> bytes:
    """The picture that an answer is, or the first one of its parts; raises Failed where it is cut off or too large."""
    content = bytearray(head)
    while piece := answer.read():
        content += piece
        if len(content) > MOST_BYTES:
            raise Failed(f"the picture has more than {MOST_BYTES // 10**6} MB; have the camera send a smaller one")
    picture = bytes(content)
    if not answer.whole and not JpegSplitter().feed(picture):  # where it is whole, its length was a lie
        raise Failed(BROKEN, passing=True)
    if decoder_of(picture[:12]) not in {None, "mjpeg"}:
        return picture
    splitter = JpegSplitter()
    pictures = splitter.feed(picture)
    return pictures[0] if pictures else splitter.rest() or picture
