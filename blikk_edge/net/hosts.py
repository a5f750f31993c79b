"""By which names a server of ours may be called, so that no web page reaches it under a name of its own."""

import ipaddress
import re
import socket
from collections.abc import Collection
from typing import Final

_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(?::[0-9]{1,5})?", re.ASCII)
_ORIGIN: Final = re.compile(r"https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?", re.ASCII)


def names_of_this_machine() -> frozenset[str]:
    """Those that nobody else can answer for: its own, also with `.local`, and `localhost`."""
    own = socket.gethostname().lower()
    return frozenset({"localhost", own, f"{own.partition('.')[0]}.local"})


def may_be_called(header: str, names: Collection[str]) -> bool:
    """Whether a Host header names us: by an IP address, or by one of `names` (small letters).

    A page that lets a name of its own point to this machine (DNS rebinding) sends that name.
    """
    found = _HOST.fullmatch(header.strip())
    if found is None:
        return False
    host = found[1].strip("[]").lower().rstrip(".")
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host in names
    return True


def is_origin(text: str) -> bool:
    """Whether this is the origin of a web page: `https://host`, `http://host:8080`."""
    return _ORIGIN.fullmatch(text) is not None
