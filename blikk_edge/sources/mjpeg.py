"""MJPEG over HTTP: JPEG pictures in one endless multipart answer."""

from blikk_edge.sources.capture import Capture, Terms, Way
from blikk_edge.sources.file import REMOTE
from blikk_edge.sources.timeline import LiveTime


def open_mjpeg(url: str, terms: Terms) -> Capture:
    """The stream at an `http(s)://` address. Its pictures carry no time: the time of arrival is theirs."""
    options = {
        **REMOTE,
        "timeout": str(int(terms.read_timeout_s * 1_000_000)),
        # Every picture is whole, so the first one tells everything; looking further would only delay the rest.
        "analyzeduration": "0",
        "fpsprobesize": "0",
    }
    return Capture([Way(url=url, options=options, waits=True)], terms, timekeeper=LiveTime(terms.clock), trusted=False)
