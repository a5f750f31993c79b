"""Who knows the token: the `Authorization: Bearer` of a request, for whoever serves over HTTP."""

import base64
import binascii
import hmac
from typing import Final

BEARER_PROTOCOL: Final = "bearer."
"""How a browser, which cannot send Authorization with a WebSocket, offers the token: `bearer.<base64url>`."""


def knows(authorization: str, token: str) -> bool:
    """Whether a header's value presents this token; takes as long for a wrong one as for the right one."""
    kind, _, given = authorization.partition(" ")
    # HTTP libraries hand on bytes that are no ASCII as surrogates
    matches = hmac.compare_digest(given.strip().encode("utf-8", "surrogateescape"), token.encode())
    return kind.lower() == "bearer" and matches


def knows_protocol(offered: str, token: str) -> bool:
    """Whether one of the protocols that a WebSocket offers presents this token."""
    for each in offered.split(",")[:8]:
        name = each.strip()
        if name.startswith(BEARER_PROTOCOL):
            given = name.removeprefix(BEARER_PROTOCOL).rstrip("=").encode("utf-8", "surrogateescape")
            try:
                shown = base64.b64decode(given + b"=" * (-len(given) % 4), altchars=b"-_", validate=True)
            except binascii.Error:
                return False
            return hmac.compare_digest(shown, token.encode())
    return False
