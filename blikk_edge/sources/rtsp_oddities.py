"""What an RTSP server says that libav could make nothing of: who it is, redirects in a circle, small letters, SRTP.

libav follows a redirect at once and for ever, and takes a status line in small letters for a request of the server's.
"""

import re
import socket
import threading
import time
from dataclasses import replace
from typing import Final
from urllib.parse import urljoin

from blikk_edge.grammar.secrets import SourceUrl
from blikk_edge.sources.address import Address, AddressError, parse
from blikk_edge.sources.login import Login
from blikk_edge.sources.request import camera_tls

LIMIT_S: Final = 2.0
MOST_REDIRECTS: Final = 5
MOST_BYTES: Final = 16_384
_LOOK_S: Final = 0.1
_STATUS: Final = re.compile(rb"(rtsp)/\d\.?\d*[ \t]+(\d{3})(?!\d)", re.IGNORECASE)
_LOCATION: Final = re.compile(rb"^location[ \t]*:[ \t]*(\S+)", re.IGNORECASE | re.MULTILINE)
_CHALLENGE: Final = re.compile(rb"^www-authenticate[ \t]*:[ \t]*(.+?)\r?$", re.IGNORECASE | re.MULTILINE)
_SERVER: Final = re.compile(rb"^server[ \t]*:[ \t]*(.+?)\r?$", re.IGNORECASE | re.MULTILINE)
_REALM: Final = re.compile(rb'realm="([^"]*)"', re.IGNORECASE)
_LENGTH: Final = re.compile(rb"^content-length[ \t]*:[ \t]*(\d{1,5})", re.IGNORECASE | re.MULTILINE)
_SRTP: Final = re.compile(rb"^m=video[ \t]+\d+[ \t]+RTP/SAVPF?[ \t]", re.MULTILINE)
_END: Final = re.compile(rb"\r?\n\r?\n")

SMALL_LETTERS: Final = (
    "its answers begin with `rtsp/` in small letters, which cannot be read; update the camera, or read it by another "
    "protocol that it has (HTTP, MJPEG)"
)
ENCRYPTED: Final = "its stream is encrypted (SRTP), which cannot be read; have the camera send one that is not"
NOWHERE: Final = "it redirects without saying where to; name the address of the stream itself"
CIRCLE: Final = "its redirects lead round in a circle"
TOO_LONG: Final = "its redirects lead on and on"
MEND: Final = "name the address of the stream itself"


def oddity(url: str, shown: str, stop: threading.Event) -> str:
    """What is odd and how to mend it; empty where nothing is.

    Asks for what a player asks for, within 2 s, with the login of `url`, which only its own server is given. Addresses
    are named as they may be shown, and only where `shown` names this one.
    """
    deadline = time.monotonic() + LIMIT_S
    named = SourceUrl(url).public == shown
    passed: list[str] = []
    here = url
    while True:
        passed.append(here)
        head = _answer(here, url, stop, deadline)
        status = _STATUS.match(head)
        if status is None:
            return ""
        if status[1] != b"RTSP":
            return SMALL_LETTERS
        if not status[2].startswith(b"3"):
            return ENCRYPTED if _SRTP.search(head) else ""
        found = _LOCATION.search(head)
        if found is None:
            return NOWHERE
        here = urljoin(here, found[1].decode("latin-1"))
        circle = _place(here) in map(_place, passed)
        if circle or len(passed) > MOST_REDIRECTS:
            way = " -> ".join(_place(each) for each in (*passed, here))
            return f"{CIRCLE if circle else TOO_LONG}{f' ({way})' if named else ''}; {MEND}"


def identity(url: str, stop: threading.Event) -> tuple[str, str]:
    """What its server calls itself, and the realm for which it wants a login; empty where it does not say.

    Asks as `oddity` does, without any login: a camera counts wrong ones.
    """
    head = _answer(url, "", stop, time.monotonic() + LIMIT_S)
    server, realm = _SERVER.search(head), _REALM.search(head)
    return server[1].decode("latin-1") if server else "", realm[1].decode("latin-1") if realm else ""


def _place(url: str) -> str:
    """The address without what differs in one place: the login, which a redirect leaves out."""
    return SourceUrl(url).public.replace("***@", "", 1)


def _answer(url: str, first: str, stop: threading.Event, deadline: float) -> bytes:
    """The first answer to OPTIONS and DESCRIBE that is no success, else the last; empty where none comes."""
    try:
        address = parse(url)
        if address.scheme not in {"rtsp", "rtsps"}:
            return b""
        login = _login(address, parse(first)) if first else None
        with _connected(address, deadline) as connection:
            head = b""
            for number, method in enumerate(("OPTIONS", "DESCRIBE"), 1):
                head = _asked(connection, _request(method, number, address, login), stop, deadline)
                if _is(head, b"401") and login is not None and login.challenged(_challenges(head)):
                    head = _asked(connection, _request(method, number + 2, address, login), stop, deadline)
                if not _is(head, b"200"):
                    break
            return head
    except (OSError, AddressError):
        return b""


def _connected(address: Address, deadline: float) -> socket.socket:
    connection = socket.create_connection((address.host, address.port_number), timeout=_left_s(deadline))
    if address.scheme == "rtsps":
        try:
            connection = camera_tls().wrap_socket(connection, server_hostname=address.host)
        except BaseException:
            connection.close()
            raise
    connection.settimeout(_LOOK_S)
    return connection


def _login(address: Address, first: Address) -> Login | None:
    """What may be said to this server: its own login, or that of the first address where it is the same server."""
    own = address.login or (first.login if (address.host, address.port) == (first.host, first.port) else None)
    return Login(*own) if own else None


def _request(method: str, number: int, address: Address, login: Login | None) -> bytes:
    url = replace(address, user=None, password=None).url
    answer = login.header(method, url) if login else None
    authorization = f"Authorization: {answer}\r\n" if answer else ""
    return f"{method} {url} RTSP/1.0\r\nCSeq: {number}\r\n{authorization}\r\n".encode("latin-1")


def _challenges(head: bytes) -> list[str]:
    return [each.decode("latin-1") for each in _CHALLENGE.findall(head)]


def _is(head: bytes, code: bytes) -> bool:
    status = _STATUS.match(head)
    return status is not None and status[1] == b"RTSP" and status[2] == code


def _asked(connection: socket.socket, request: bytes, stop: threading.Event, deadline: float) -> bytes:
    """The answer with its body, within bounds."""
    connection.sendall(request)
    got, end, most = b"", None, MOST_BYTES
    while len(got) < most and not stop.is_set() and time.monotonic() < deadline:
        try:
            more = connection.recv(4096)
        except TimeoutError:
            continue
        if not more:
            break
        got += more
        if end is None and (end := _END.search(got)) is not None:
            length = _LENGTH.search(got[: end.end()])
            most = min(MOST_BYTES, end.end() + (int(length[1]) if length else 0))
    return got


def _left_s(deadline: float) -> float:
    return max(_LOOK_S, min(0.5, deadline - time.monotonic()))
