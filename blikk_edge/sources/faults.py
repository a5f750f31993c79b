"""What libav's errors mean and how to mend them, in words that never hold an address or a password."""

import errno
import socket
from collections.abc import Mapping, Sequence

import av.error

from blikk_edge.core.errors import SourceError, Trouble
from blikk_edge.sources.local import A_FOLDER, NO_FILE, NO_PERMISSION
from blikk_edge.sources.vendors.table import When

TOO_LATE = "no answer in time; check host, port and network"
STANDS_STILL = "no picture came in time; check camera and network"

BROKEN = "the connection broke; check camera and network"
NO_PARTS = (
    "the server sends files as a whole only, and the index of this one is at its end; name a copy on this machine, or "
    "have the index first (`ffmpeg -i it.mp4 -c copy -movflags +faststart new.mp4`)"
)
NO_PICTURE = "no picture can be decoded; set the camera to H.264, keyframe every 2 s"
UNAUTHORIZED = "the camera refuses user or password (401); mend them in the source's address"
WRONG_LOGIN = "the camera refuses user or password; mend them in the source's address"
FORBIDDEN = "the camera forbids this stream to this user (403); give the user the right to view"
NOT_FOUND = "the camera does not know this path (404); mend the path of the source"
TOO_MANY = "the server asks for fewer requests (429); it is tried again later"
SERVER_ERROR = "the server has an error of its own (5xx); restart the camera if it stays"
REFUSED = "the server refuses the request (4xx); check path and transport, and that no more watch it than it allows"
NO_DECODER = "no decoder for this stream; set the camera to H.264"
NO_VIDEO = "this is no video that can be read; check that the source gives H.264, H.265 or MJPEG"
NO_CAMERA = "this is no camera; name a /dev/videoN that captures"
NO_DEVICE = "no such device; plug it in"
UNREACHABLE = "cannot be reached or read; check host name and network, or the device's cable"
NO_HOST = "no way to this host; check address and network"
NO_NETWORK = "no way to this network; check address and network"
NO_NAME = "this host name is not known; mend it, or name the camera's address in numbers"
NO_NAME_SERVER = (
    "no name server answers; check the network of this machine, or name the camera's address in numbers instead of its "
    "host name"
)
CONNECTION_REFUSED = "connection refused; check host and port, and that the camera is on"

# libav's own messages and PyAV's texts carry the raw address, so neither is ever shown; the first match counts.
_MEANINGS: Sequence[tuple[tuple[type[Exception], ...], str]] = (
    ((av.error.HTTPUnauthorizedError,), UNAUTHORIZED),
    ((av.error.HTTPForbiddenError,), FORBIDDEN),
    ((av.error.HTTPNotFoundError,), NOT_FOUND),
    ((av.error.HTTPTooManyRequestsError,), TOO_MANY),
    ((av.error.HTTPServerError,), SERVER_ERROR),
    ((av.error.HTTPError, av.error.HTTPClientError), REFUSED),
    ((av.error.ConnectionRefusedError,), CONNECTION_REFUSED),
    ((av.error.ConnectionResetError, av.error.ConnectionAbortedError, av.error.BrokenPipeError), BROKEN),
    ((av.error.ExitError, av.error.TimeoutError), TOO_LATE),
    ((av.error.FileNotFoundError,), NO_FILE),
    ((av.error.PermissionError,), NO_PERMISSION),
    ((av.error.IsADirectoryError,), A_FOLDER),
    (
        (av.error.ProtocolNotFoundError,),
        "this kind of address is not known; use rtsp://, http(s)://, a path or /dev/videoN",
    ),
    ((av.error.DecoderNotFoundError, av.error.DemuxerNotFoundError), NO_DECODER),
    ((av.error.InvalidDataError,), NO_VIDEO),
)
_ERRNO_MEANINGS = {
    errno.EIO: UNREACHABLE,
    errno.EHOSTUNREACH: NO_HOST,
    errno.ENETUNREACH: NO_NETWORK,
    errno.EPROTONOSUPPORT: "the camera does not offer this transport; set `transport: auto`",
    errno.EBUSY: "in use by another program; close it there",
    errno.ENODEV: NO_DEVICE,
    errno.ENXIO: NO_DEVICE,
    errno.ENOTTY: NO_CAMERA,
}
# Another way in (transport, device option) meets the same end.
_FINAL = (
    av.error.HTTPUnauthorizedError,
    av.error.HTTPForbiddenError,
    av.error.HTTPNotFoundError,
    av.error.ConnectionRefusedError,
    av.error.FileNotFoundError,
    av.error.PermissionError,
    av.error.IsADirectoryError,
    av.error.ProtocolNotFoundError,
)


def meaning(error: Exception, *, opened: bool = False, whole: bool = False) -> str:
    """What went wrong and how to mend it; `opened` where the stream had been there before.

    `whole` says that it is a file of a web server, of which nothing has been read but its index.
    """
    if opened and isinstance(error, av.FFmpegError) and error.errno == errno.EIO:
        return NO_PARTS if whole else BROKEN
    for kinds, text in _MEANINGS:
        if isinstance(error, kinds):
            return text
    number = error.errno if isinstance(error, av.FFmpegError) else None
    if number in _ERRNO_MEANINGS:
        return _ERRNO_MEANINGS[number]
    said = error.strerror if isinstance(error, av.FFmpegError) and error.strerror else type(error).__name__
    return f"cannot be read ({said})"


def name_fault(host: str | None) -> str:
    """Look up a host name; what is wrong where it cannot be, and how to mend it. Takes as long as the system allows."""
    if host is None:
        return ""
    try:
        socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        return NO_NAME_SERVER if error.errno == socket.EAI_AGAIN else NO_NAME
    except ValueError:  # no name that Python can encode: libav is left to say so
        return ""
    return ""


def status_meaning(status: int) -> str:
    """What an HTTP status other than success means and how to mend it."""
    known = {401: UNAUTHORIZED, 403: FORBIDDEN, 404: NOT_FOUND, 410: NOT_FOUND, 429: TOO_MANY}
    return known.get(status, SERVER_ERROR if status >= 500 else REFUSED)


# What Python calls an error of the system; the first match counts.
_SYSTEM_MEANINGS: Sequence[tuple[type[OSError], str]] = (
    (TimeoutError, TOO_LATE),
    (ConnectionRefusedError, CONNECTION_REFUSED),
    (ConnectionError, BROKEN),
    (FileNotFoundError, NO_FILE),
    (PermissionError, NO_PERMISSION),
    (IsADirectoryError, A_FOLDER),
)


def system_meaning(error: OSError) -> str:
    """What an error of the system's network or files means and how to mend it."""
    for kind, text in _SYSTEM_MEANINGS:
        if isinstance(error, kind):
            return text
    return _ERRNO_MEANINGS.get(error.errno or errno.EIO, _ERRNO_MEANINGS[errno.EIO])


def is_final(error: Exception) -> bool:
    """Whether opening the same source in another way is useless."""
    return isinstance(error, _FINAL)


_TROUBLES: Mapping[str, Trouble] = {
    UNAUTHORIZED: Trouble.LOGIN,
    WRONG_LOGIN: Trouble.LOGIN,
    FORBIDDEN: Trouble.FORBIDDEN,
    NOT_FOUND: Trouble.NOT_FOUND,
    NO_FILE: Trouble.NOT_FOUND,
    NO_PERMISSION: Trouble.FORBIDDEN,
    CONNECTION_REFUSED: Trouble.REFUSED,
    TOO_LATE: Trouble.TIMEOUT,
    STANDS_STILL: Trouble.TIMEOUT,
    NO_PICTURE: Trouble.NO_VIDEO,
    NO_VIDEO: Trouble.NO_VIDEO,
    NO_DECODER: Trouble.NO_VIDEO,
    NO_CAMERA: Trouble.NO_VIDEO,
    NO_NAME: Trouble.UNKNOWN_HOST,
    NO_NAME_SERVER: Trouble.UNKNOWN_HOST,
    UNREACHABLE: Trouble.UNREACHABLE,
    NO_HOST: Trouble.UNREACHABLE,
    NO_NETWORK: Trouble.UNREACHABLE,
    NO_DEVICE: Trouble.NOT_FOUND,
}


_SHOWN_BY = {
    UNAUTHORIZED: When.UNAUTHORIZED,
    WRONG_LOGIN: When.UNAUTHORIZED,
    FORBIDDEN: When.FORBIDDEN,
    NOT_FOUND: When.NOT_FOUND,
    CONNECTION_REFUSED: When.REFUSED,
    REFUSED: When.OPEN,
    SERVER_ERROR: When.OPEN,
    NO_VIDEO: When.OPEN,
    NO_PICTURE: When.OPEN,
}


def shown_by(what: str) -> When | None:
    """What a vendor's faults are looked up by, for one of the meanings here; None where no vendor has to do with it."""
    return _SHOWN_BY.get(what)


def source_error(shown: str, what: str, *more: str, retry_s: float = 0.0) -> SourceError:
    """The error to raise: where, what and how to mend it, and what `more` there is to say of it.

    Raise it outside of `except`: causes hold raw addresses.
    """
    known = "; ".join(each for each in more if each)
    text = f"{shown}: {what}; {known}" if known else f"{shown}: {what}"
    return SourceError(text, retry_s=retry_s, more=known).of(_TROUBLES.get(what))


QUICK_LOGINS = 3
LOCKOUT_S = 600.0
LATER = "it is tried every 10 minutes only, as cameras lock out who fails often; a changed address is tried at once"
LOGIN_FAILURES = frozenset({UNAUTHORIZED, WRONG_LOGIN})


class Logins:
    """How often in a row one camera refused a login. Cameras lock a user or a machine out after 5 to 10 of them."""

    def __init__(self, *, given: bool) -> None:
        self._given = given
        self._refused = 0

    def after(self, what: str) -> float:
        """How long to leave the camera alone after this failure, in seconds."""
        refused = what == WRONG_LOGIN or (self._given and what == UNAUTHORIZED)
        self._refused = self._refused + 1 if refused else 0
        return LOCKOUT_S if self._refused > QUICK_LOGINS else 0.0

    def accepted(self) -> None:
        """It let us in."""
        self._refused = 0
