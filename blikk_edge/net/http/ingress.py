"""Home Assistant's ingress: its Supervisor passes on to the app what somebody who is logged in there asks for."""

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from aiohttp import web

SUPERVISOR: Final = "172.30.32.2"
"""Where the Supervisor is in the network of apps; nobody else there has this address."""

_PATH: Final = re.compile(r"/api/hassio_ingress/[A-Za-z0-9_-]{1,128}", re.ASCII)


class Ingress:
    """Knows which requests come through ingress: from the Supervisor's own address, and with the path that it adds.

    The path alone proves nothing, as anybody can send it. Home Assistant has checked who asks.
    """

    def __init__(self, supervisor: str) -> None:
        self._supervisor = supervisor

    def passed_on(self, request: "web.Request") -> bool:
        """Whether the Supervisor passes this request on for somebody."""
        peer = request.transport.get_extra_info("peername") if request.transport else None
        if not peer or peer[0] != self._supervisor:
            return False
        return _PATH.fullmatch(request.headers.get("X-Ingress-Path", "")) is not None


def called(request: "web.Request") -> str:
    """The host by which a browser has called Home Assistant, in small letters."""
    headers = request.headers
    return headers.get("X-Forwarded-Host", headers.get("Host", "")).partition(",")[0].strip().lower()
