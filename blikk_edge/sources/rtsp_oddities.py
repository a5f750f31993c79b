"""What is odd about an RTSP server that libav could make nothing of: redirects in a circle, and small letters.

libav follows a redirect at once and for ever, and takes a status line in small letters for a request of the server's.
"""

import re
import socket
import threading
import time
from typing import Final
from urllib.parse import urljoin

from blikk_edge.grammar.secrets import SourceUrl
from blikk_edge.sources.address import AddressError, parse

LIMIT_S: Final = 2.0
MOST_REDIRECTS: Final = 5
MOST_BYTES: Final = 16_384
_LOOK_S: Final = 0.1
_STATUS: Final = re.compile(rb"(rtsp)/\d\.?\d*[ \t]+(\d{3})(?!\d)", re.IGNORECASE)
_LOCATION: Final = re.compile(rb"^location[ \t]*:[ \t]*(\S+)", re.IGNORECASE | re.MULTILINE)
_END: Final = re.compile(rb"\r?\n\r?\n")

SMALL_LETTERS: Final = (
    "its answers begin with `rtsp/` in small letters, which cannot be read; update the camera, or read it by another "
    "protocol that it has (HTTP, MJPEG)"
)
NOWHERE: Final = "it redirects without saying where to; name the address of the stream itself"
CIRCLE: Final = "its redirects lead round in a circle"
TOO_LONG: Final = "its redirects lead on and on"
MEND: Final = "name the address of the stream itself"


def oddity(url: str, shown: str, stop: threading.Event) -> str:
    """What is odd and how to mend it; empty where nothing is, where it wants a login first, or for `rtsps://`.

    Asks for what a player asks for, within 2 s. Addresses are named as they may be shown, and only where `shown` names
    this one.
    """
    deadline = time.monotonic() + LIMIT_S
    named = SourceUrl(url).public == shown
    passed: list[str] = []
    here = url
    while True:
        passed.append(here)
        head = _answer(here, stop, deadline)
        status = _STATUS.match(head)
        if status is None:
            return ""
        if status[1] != b"RTSP":
            return SMALL_LETTERS
        if not status[2].startswith(b"3"):
            return ""
        found = _LOCATION.search(head)
        if found is None:
            return NOWHERE
        here = urljoin(here, found[1].decode("latin-1"))
        circle = _place(here) in map(_place, passed)
        if circle or len(passed) > MOST_REDIRECTS:
            way = " -> ".join(_place(each) for each in (*passed, here))
            return f"{CIRCLE if circle else TOO_LONG}{f' ({way})' if named else ''}; {MEND}"


def _place(url: str) -> str:
    """The address without what differs in one place: the login, which a redirect leaves out."""
    return SourceUrl(url).public.replace("***@", "", 1)


def _answer(url: str, stop: threading.Event, deadline: float) -> bytes:
    """The head of the first answer to OPTIONS and DESCRIBE that is no success; empty where none comes."""
    try:
        address = parse(url)
        if address.scheme != "rtsp":
            return b""
        with socket.create_connection((address.host, address.port_number), timeout=_left_s(deadline)) as connection:
            connection.settimeout(_LOOK_S)
            plain = f"rtsp://{url.partition('://')[2].rpartition('@')[2]}"
            head = b""
            for number, method in enumerate(("OPTIONS", "DESCRIBE"), 1):
                connection.sendall(f"{method} {plain} RTSP/1.0\r\nCSeq: {number}\r\n\r\n".encode())
                head = _head(connection, stop, deadline)
                if (status := _STATUS.match(head)) is None or status[1] != b"RTSP" or status[2] != b"200":
                    break
            return head
    except (OSError, AddressError):
        return b""


def _head(connection: socket.socket, stop: threading.Event, deadline: float) -> bytes:
    got = b""
    while _END.search(got) is None and len(got) < MOST_BYTES and not stop.is_set() and time.monotonic() < deadline:
        try:
            more = connection.recv(4096)
        except TimeoutError:
            continue
        if not more:
            break
        got += more
    return got


def _left_s(deadline: float) -> float:
    return max(_LOOK_S, min(0.5, deadline - time.monotonic()))
