"""Where a node's own pages are for a browser: in Home Assistant by its app, else at the node's address."""

import ipaddress
from typing import Final
from urllib.parse import urlencode

from yarl import URL

from .const import CONF_APP, CONF_MEDIA_URL
from .node import BlikkNode

LOCAL: Final = "localhost"


def timeline_of(node: BlikkNode, camera: str) -> str | None:
    """The timeline of a camera; None where a browser cannot open it."""
    if not node.live.offered:
        return None
    data = node.entry.data
    if CONF_APP in data:  # its frontend opens the app at its first page
        return f"/app/{data[CONF_APP]}"
    address = data.get(CONF_MEDIA_URL) or node.announce.http_url
    if address is None or is_of_this_machine(address):
        return None
    return f"{address.rstrip('/')}/#/timeline?{urlencode({'camera': camera})}"


def is_of_this_machine(address: str) -> bool:
    """Whether only the node's own machine can open an address."""
    try:
        host = URL(address).host or LOCAL
        return host == LOCAL or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
