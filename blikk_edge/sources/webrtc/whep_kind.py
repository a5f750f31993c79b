"""`source: whep+https://...`: read without pixels, and without the library that brings them."""

from typing import TYPE_CHECKING

from blikk_edge.kinds.kind import Kind
from blikk_edge.sources.webrtc.options import WHEP, WhepOptions

if TYPE_CHECKING:  # a configuration is read without pixels
    from blikk_edge.core.stages import Source
    from blikk_edge.sources.terms import Terms


def _make(options: WhepOptions, terms: "Terms") -> "Source":
    from blikk_edge.sources.webrtc.whep import WhepSource  # noqa: PLC0415  # see above

    return WhepSource(options, terms)


KIND: "Kind[Terms, Source]" = Kind(
    name="whep",
    meaning="A stream that a server gives by WebRTC: `whep+https://host/path`.",
    options=WHEP,
    make=_make,
)
