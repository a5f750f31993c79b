"""What is looked at in an offer before a library reads it (RFC 8866): is it one, and is there video to be taken."""

import re
from typing import Final

from blikk_edge.core.video_receiver import OfferError

SECTIONS_MOST: Final = 4
LINES_MOST: Final = 2000

_SECTION: Final = re.compile(r"^m=(\w+) ", re.MULTILINE)
_CODEC: Final = re.compile(r"^a=rtpmap:\d+ (H264|VP8)/90000\b", re.MULTILINE | re.IGNORECASE)


def check_offer(offer: str) -> None:
    """Raise OfferError for what is no offer of video that can be taken."""
    if not offer.lstrip().startswith("v=0") or offer.count("\n") > LINES_MOST:
        raise OfferError("this is no WebRTC offer (SDP)", status=400)
    kinds = [kind.lower() for kind in _SECTION.findall(offer)]
    if "a=fingerprint:" not in offer or "a=ice-ufrag:" not in offer or not kinds or len(kinds) > SECTIONS_MOST:
        raise OfferError("this is no WebRTC offer that can be answered", status=400)
    if "application" in kinds:
        raise OfferError("data channels are not taken; offer video alone", status=422)
    video = [part for part in re.split(r"(?m)^(?=m=)", offer) if part.startswith("m=video")]
    if not any(_CODEC.search(part) for part in video):
        raise OfferError("the offer has no video in H.264 or VP8", status=422)
