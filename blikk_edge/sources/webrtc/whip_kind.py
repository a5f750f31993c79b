"""`source: whip`: read without pixels, and without the library that brings them."""

from typing import TYPE_CHECKING

from blikk_edge.core.errors import SourceError
from blikk_edge.kinds.kind import Kind
from blikk_edge.sources.options import ADDRESS, AddressOptions

if TYPE_CHECKING:
    from blikk_edge.core.stages import Source
    from blikk_edge.sources.terms import Terms


def _make(_options: AddressOptions, terms: "Terms") -> "Source":
    from blikk_edge.sources.webrtc.whip import WhipSource  # noqa: PLC0415  # a configuration is read without pixels

    if terms.encoded is None:
        raise SourceError(f"{terms.shown}: nothing takes in the pictures of browsers here")
    return WhipSource(terms.encoded, terms)


KIND: "Kind[Terms, Source]" = Kind(
    name="whip", meaning="What a phone or browser sends by WebRTC.", options=ADDRESS, make=_make
)
