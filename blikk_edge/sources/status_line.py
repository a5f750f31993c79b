"""The first line of an HTTP answer as cameras write it: `http/1.0`, `ICY 200 OK`, `HTTP 200`, or none at all."""

import re
from typing import Final

from blikk_edge.sources.pictures import decoder_of

# More is no status line. Longer than what tells a picture.
MOST_BYTES: Final = 1024
_LINE = re.compile(rb"(?:http|icy)(?:/(\d+\.?\d*))?[ \t]+(\d{3})(?!\d)([^\r\n]*)", re.IGNORECASE)
# What an answer without a status line begins with: a field of its head, the boundary of a part, a playlist.
_FIELD = re.compile(rb"content-[a-z]+[ \t]*:", re.IGNORECASE)
_CONTENT = (b"--", b"#EXTM3U")
_HEAD: Final = b"HTTP/1.0 200 OK\r\n"


def enough(begin: bytes) -> bool:
    """Whether these first bytes of an answer are all that `mended` needs."""
    head = begin.lstrip()
    return len(begin) >= MOST_BYTES or b"\r" in head or b"\n" in head or (len(head) >= 12 and bool(decoder_of(head)))


def mended(begin: bytes) -> bytes:
    """The first bytes of an answer with a status line that RFC 9112 knows; unchanged where they are no web server's.

    Content without a head, as some MJPEG servers send it, is taken for a success that goes on until the end.
    """
    head = begin.lstrip()
    if line := _LINE.match(head):
        version = b"1.1" if line[1] == b"1.1" else b"1.0"
        return b"HTTP/%b %b %b" % (version, line[2], line[3].strip()) + head[line.end() :]
    if _FIELD.match(head):
        return _HEAD + head
    return _HEAD + b"\r\n" + head if decoder_of(head[:12]) or head.startswith(_CONTENT) else begin
