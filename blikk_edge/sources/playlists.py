"""Playlists of HLS as libav reads them: without what servers put before the first line and behind an address."""

import itertools
import re
from collections.abc import Mapping
from typing import Final

from blikk_edge.sources.address import AddressError, parse
from blikk_edge.sources.limits import Limit
from blikk_edge.sources.opening import IoOpen
from blikk_edge.sources.request import Client, Failed, HttpAnswer

# A day in segments of two seconds, with long addresses, has 10 MB.
MOST_BYTES: Final = 16_000_000
_FIRST_LINE: Final = b"#EXTM3U"
_ADDRESS = re.compile(rb"^[ \t]*[^#\s][^\r\n]*", re.MULTILINE)


def plain_playlists(limit: Limit) -> IoOpen:
    """Asks for playlists and segments in libav's stead and mends the playlists; see `Way.io`.

    Encrypted segments, which libav would decrypt on the way, come as nothing.
    """

    asked = itertools.count()

    def io_open(url: str, flags: int, options: Mapping[str, str]) -> _Content:  # noqa: ARG001  # flags: always to read
        # libav closes all but the first, which must be a playlist and is read at once.
        return _Content(url, int(options.get("offset", 0)), limit, only_playlist=not next(asked))

    return io_open


def mended(playlist: bytes) -> bytes:
    """The playlist from its first line on, a fragment, which is never sent, behind each address.

    Where a query ends like the name of a picture, libav takes the segment for one.
    """
    begin = max(0, playlist.find(_FIRST_LINE))
    return _ADDRESS.sub(lambda line: line[0].strip() + b"#segment", playlist[begin:])


class _Content:
    """What is at an address, from `offset` on; nothing where it cannot be had, as libav must not see an error."""

    def __init__(self, url: str, offset: int, limit: Limit, *, only_playlist: bool) -> None:
        self._skip = offset
        self._client: Client | None = None
        self._answer: HttpAnswer | None = None
        self._kept = b""
        try:
            self._client = Client(parse(url), limit)
            self._answer = self._client.get()
            self._kept = self._begin(self._answer, only_playlist=only_playlist)
        except (AddressError, Failed):
            self.close()

    def read(self, count: int) -> bytes:
        """At most `count` bytes, none at the end."""
        piece = self._kept or self._next()
        while piece and self._skip:
            piece, self._skip = piece[self._skip :], max(0, self._skip - len(piece))
            piece = piece or self._next()
        self._kept = piece[count:]
        return piece[:count]

    def close(self) -> None:
        """Give up the connection."""
        if self._client is not None:
            self._client.close()
        self._client = self._answer = None

    def _begin(self, answer: HttpAnswer, *, only_playlist: bool) -> bytes:
        """The first bytes; a whole playlist, mended, where they are the first of one."""
        content = b""
        while len(content.lstrip()) < 2 * len(_FIRST_LINE) and (piece := answer.read()):
            content += piece
        if not content.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(_FIRST_LINE):
            if only_playlist:
                self.close()
            return b"" if only_playlist else content
        while len(content) <= MOST_BYTES and (piece := answer.read()):
            content += piece
        self.close()
        return mended(content)

    def _next(self) -> bytes:
        if self._answer is None:
            return b""
        try:
            return self._answer.read()
        except Failed:
            self.close()
            return b""
