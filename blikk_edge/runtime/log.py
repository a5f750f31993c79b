"""Log lines: one per change, `time level part: what`, credentials in URLs scrubbed whoever wrote them."""

import logging
import re
import sys
from datetime import UTC, datetime
from typing import Final

_CREDENTIALS: Final = re.compile(r"(?<=://)[^\s/@]+@")
# A line is a line, whatever the text in it came from: line breaks, terminal commands, and what turns text round.
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_BEARER: Final = re.compile(r"(?i)(?<=bearer)(?:\s|\\+(?:[rnt]|x[0-9a-f]{2}))+[^\s'\"]+")


class _Line(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802 - logging's
        return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's
        record.message = _CONTROL.sub(lambda found: ascii(found[0])[1:-1], record.message)
        return super().formatMessage(record)

    def format(self, record: logging.LogRecord) -> str:
        return _BEARER.sub(" ***", _CREDENTIALS.sub("***@", super().format(record)))


def set_up(level: str = "INFO") -> None:
    """Send log lines of the whole process to standard error; `level` as in `logging`."""
    out = logging.StreamHandler(sys.stderr)
    out.setFormatter(_Line())
    logging.basicConfig(level=level.upper(), handlers=[out], force=True)
    # libraries speak up only when something is wrong
    for name in (
        "asyncio",
        "aiomqtt",
        "libav",
        "mqtt",
        "transitions",
        "amqtt",
        "httpx",
        "httpcore",
        "httpx2",
        "httpcore2",
        "aiohttp",
        "websockets",
    ):
        logging.getLogger(name).setLevel(logging.ERROR)


def part(name: str) -> logging.Logger:
    """The logger of one part of the node: `camera.front_door`, `mqtt`, `store`."""
    return logging.getLogger(f"blikk.{name}")
