"""HLS: a playlist over HTTP, whose segments arrive faster than they happened."""

from dataclasses import replace

from blikk_edge.core.stages import Source
from blikk_edge.kinds.kind import Kind
from blikk_edge.sources.address import plain
from blikk_edge.sources.capture import Capture, Way
from blikk_edge.sources.file import REMOTE
from blikk_edge.sources.options import ADDRESS, AddressOptions
from blikk_edge.sources.playlists import plain_playlists
from blikk_edge.sources.terms import Terms
from blikk_edge.sources.timeline import PacedTime

# A server may be silent for a target duration (6 s advised, 10 s usual) and is asked again after half of it, RFC 8216.
PATIENCE_S = 30.0

# Segments may be called as the server likes. What a playlist may lead to is bounded by the protocols (no file of this
# machine) and by the formats of segments instead.
SEGMENTS = {
    "allowed_extensions": "ALL",
    "allowed_segment_extensions": "ALL",
    "extension_picky": "0",
    "format_whitelist": "hls,mpegts,mov,aac,mp3,ac3,eac3,webvtt",
}

# libav aborts the process where it would keep a connection that is not its own.
ASKED_FOR = {"http_persistent": "0", "http_multiple": "0"}


def open_hls(url: str, terms: Terms) -> Capture:
    """The stream of an `.m3u8` playlist.

    Frames are played at their own speed. Their times are those of playing: how long a segment lay at the server is
    not logged. A playlist that ends is a stream that ended.
    """
    options = {**REMOTE, **SEGMENTS, "timeout": str(int(terms.connect_timeout_s * 1_000_000))}
    return Capture(
        # libav's own way comes first: it keeps connections and cookies, and decrypts.
        [
            Way(url=url, format="hls", options=options),
            Way(url=url, format="hls", options={**options, **ASKED_FOR}, io=plain_playlists, spare=True),
        ],
        replace(terms, read_timeout_s=max(terms.read_timeout_s, PATIENCE_S)),
        timekeeper=PacedTime(terms.clock),
    )


def _make(options: AddressOptions, terms: Terms) -> Capture:
    return open_hls(plain(options.address.reveal()), terms)


KIND: Kind[Terms, Source] = Kind(name="hls", meaning="A playlist over HTTP.", options=ADDRESS, make=_make)
