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
    told = begin.lstrip()
    return len(begin) >= MOST_BYTES or b"\r" in told or b"\n" in told or (len(told) >= 12 and bool(decoder_of(told)))


def mended(begin: bytes) -> bytes:
    """The first bytes of an answer with a status line that RFC 9112 knows; unchanged where they are no web server's.

    Content without a head, as some MJPEG servers send it, is taken for a success that goes on until the end.
    """
    told = begin.lstrip()
    if line := _LINE.match(told):
        version = b"1.1" if line[1] == b"1.1" else b"1.0"
        return b"HTTP/%b %b %b" % (version, line[2], line[3].strip()) + told[line.end() :]
    if _FIELD.match(told):
        return _HEAD + told
    return _HEAD + b"\r\n" + told if decoder_of(told[:12]) or told.startswith(_CONTENT) else begin
