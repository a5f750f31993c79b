"""A WebSocket to one host alone."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from websockets.asyncio.client import connect


def direct(uri: str, **options: Any) -> "connect":
    """As `connect` of websockets, but no redirect is followed: the token, and what is sent, are for this host alone."""
    from websockets.asyncio.client import connect  # noqa: PLC0415  # only who talks by WebSocket needs it

    class Direct(connect):
        def process_redirect(self, exc: Exception) -> Exception | str:
            return exc

    return Direct(uri, **options)
