"""What libav's errors mean and how to mend them, in words that never hold an address or a password."""

import errno
from collections.abc import Sequence

import av.error

from blikk_edge.core.errors import SourceError

TOO_LATE = "no answer in time; check host, port and network"
STANDS_STILL = "no picture came in time; check camera and network"

# libav's own messages and PyAV's texts carry the raw address, so neither is ever shown; the first match counts.
_MEANINGS: Sequence[tuple[tuple[type[Exception], ...], str]] = (
    ((av.error.HTTPUnauthorizedError,), "the camera refuses user or password (401); mend them in the source's address"),
    (
        (av.error.HTTPForbiddenError,),
        "the camera forbids this stream to this user (403); give the user the right to view",
    ),
    ((av.error.HTTPNotFoundError,), "the camera does not know this path (404); mend the path of the source"),
    ((av.error.HTTPTooManyRequestsError,), "the server asks for fewer requests (429); it is tried again later"),
    ((av.error.HTTPServerError,), "the server has an error of its own (5xx); restart the camera if it stays"),
    ((av.error.HTTPError, av.error.HTTPClientError), "the server refuses the request (4xx); check path and transport"),
    ((av.error.ConnectionRefusedError,), "connection refused; check host and port, and that the camera is on"),
    (
        (av.error.ConnectionResetError, av.error.ConnectionAbortedError, av.error.BrokenPipeError),
        "the connection broke; check camera and network",
    ),
    ((av.error.ExitError, av.error.TimeoutError), TOO_LATE),
    ((av.error.FileNotFoundError,), "not found; check that the file or device is there"),
    ((av.error.PermissionError,), "no permission; let the user read it (for /dev/video*: group `video`)"),
    ((av.error.IsADirectoryError,), "this is a folder; name a file in it"),
    (
        (av.error.ProtocolNotFoundError,),
        "this kind of address is not known; use rtsp://, http(s)://, a path or /dev/videoN",
    ),
    (
        (av.error.DecoderNotFoundError, av.error.DemuxerNotFoundError),
        "no decoder for this stream; set the camera to H.264",
    ),
    (
        (av.error.InvalidDataError,),
        "this is no video that can be read; check that the source gives H.264, H.265 or MJPEG",
    ),
)
_ERRNO_MEANINGS = {
    errno.EIO: "cannot be reached or read; check host name and network, or the device's cable",
    errno.EHOSTUNREACH: "no way to this host; check address and network",
    errno.ENETUNREACH: "no way to this network; check address and network",
    errno.EPROTONOSUPPORT: "the camera does not offer this transport; set `transport: auto`",
    errno.EBUSY: "in use by another program; close it there",
    errno.ENODEV: "no such device; plug it in",
    errno.ENXIO: "no such device; plug it in",
    errno.ENOTTY: "this is no camera; name a /dev/videoN that captures",
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


def meaning(error: Exception, *, opened: bool = False) -> str:
    """What went wrong and how to mend it; `opened` where the stream had been there before."""
    if opened and isinstance(error, av.FFmpegError) and error.errno == errno.EIO:
        return "the connection broke; check camera and network"
    for kinds, text in _MEANINGS:
        if isinstance(error, kinds):
            return text
    number = error.errno if isinstance(error, av.FFmpegError) else None
    if number in _ERRNO_MEANINGS:
        return _ERRNO_MEANINGS[number]
    said = error.strerror if isinstance(error, av.FFmpegError) and error.strerror else type(error).__name__
    return f"cannot be read ({said})"


def is_final(error: Exception) -> bool:
    """Whether opening the same source in another way is useless."""
    return isinstance(error, _FINAL)


def source_error(shown: str, what: str) -> SourceError:
    """The error to raise: where, what and how to mend it. Raise it outside of `except`: causes hold raw addresses."""
    return SourceError(f"{shown}: {what}")
