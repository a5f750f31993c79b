"""Who knows the token: the `Authorization: Bearer` of a request, for whoever serves over HTTP."""

import hmac


def knows(authorization: str, token: str) -> bool:
    """Whether a header's value presents this token; takes as long for a wrong one as for the right one."""
    kind, _, given = authorization.partition(" ")
    # HTTP libraries hand on bytes that are no ASCII as surrogates
    matches = hmac.compare_digest(given.strip().encode("utf-8", "surrogateescape"), token.encode())
    return kind.lower() == "bearer" and matches
