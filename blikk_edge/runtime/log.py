"""Log lines: one per change, `time level part: what`, credentials in URLs scrubbed whoever wrote them."""

import json
import logging
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

_CREDENTIALS: Final = re.compile(r"(?<=://)[^\s/@]+@")
# A line is a line, whatever the text in it came from: line breaks, terminal commands, and what turns text round.
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_CAMERA: Final = re.compile(r"camera\.(?P<camera>[a-z0-9_]+)")
_SITE: Final = re.compile(r"collect\.(?P<site>[a-z0-9_]+)")
_BEARER: Final = re.compile(r"(?i)(?<=bearer)(?:\s|\\+(?:[rnt]|x[0-9a-f]{2}))+[^\s'\"]+")


class _Line(logging.Formatter):
    def __init__(self, where: str = "") -> None:
        super().__init__(f"%(asctime)s %(levelname)-7s {where and where + ' '}%(name)s: %(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802 - logging's
        return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's
        record.message = _CONTROL.sub(lambda found: ascii(found[0])[1:-1], record.message)
        return super().formatMessage(record)

    def format(self, record: logging.LogRecord) -> str:
        return _scrubbed(super().format(record))


class _Object(_Line):
    """One JSON object a line: `time`, `level`, `part`, `message`; `site`, `node`, `camera` where they are known.

    The camera is that of the part, or what a line gives as `extra`.
    """

    def __init__(self, known: Mapping[str, str]) -> None:
        super().__init__()
        self._known = known

    def format(self, record: logging.LogRecord) -> str:
        part = record.name.removeprefix("blikk.")
        content = {
            "time": self.formatTime(record),
            "level": record.levelname.lower(),
            "part": part,
            "message": _scrubbed(record.getMessage()),
            **self._known,
        }
        for pattern in (_CAMERA, _SITE):
            if (of := pattern.match(part)) is not None:
                content |= of.groupdict()
        if (camera := getattr(record, "camera", None)) is not None:
            content["camera"] = camera
        if record.exc_info:
            content["error"] = _scrubbed(self.formatException(record.exc_info))
        return json.dumps(content)


def _scrubbed(text: str) -> str:
    return _BEARER.sub(" ***", _CREDENTIALS.sub("***@", text))


def set_up(level: str = "INFO", *, as_json: bool = False, node: str | None = None, site: str | None = None) -> None:
    """Send log lines of the whole process to standard error; `level` as in `logging`.

    `as_json` makes each line an object. `node` and `site` stand in each; without a site lines of text name neither.
    """
    known = {name: value for name, value in (("site", site), ("node", node)) if value is not None}
    out = logging.StreamHandler(sys.stderr)
    out.setFormatter(_Object(known) if as_json else _Line(f"{site}/{node}" if site else ""))
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
