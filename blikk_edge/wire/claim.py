"""The claim of a Home Assistant component: untrusted bytes in, what it tells of its household out."""

import json
from typing import Any, Final

from blikk_edge.core.locale import Claim, language_of, zone_like

MAX_PAYLOAD_BYTES: Final = 4096


def read_claim(payload: bytes) -> Claim:
    """What is in it; whatever is missing, or is no name of a zone or tag of a language, is None.

    Never raises: whatever stands on the topic is a claim.
    """
    try:
        content = json.loads(payload) if len(payload) <= MAX_PAYLOAD_BYTES else None
    except (ValueError, RecursionError):
        content = None
    claimed: dict[str, Any] = content if isinstance(content, dict) else {}
    zone, tag = claimed.get("timezone"), claimed.get("language")
    return Claim(
        timezone=zone if isinstance(zone, str) and zone_like(zone) else None,
        language=language_of(tag) if isinstance(tag, str) else None,
    )
