"""Commands from MQTT: untrusted bytes in, a checked `Command` or a `WireError` out."""

import re
from collections.abc import Callable, Collection
from typing import Final

from blikk_edge.core.commands import Command, Describe, Press, Set, Setting, Snapshot
from blikk_edge.core.errors import WireError
from blikk_edge.core.status import SummaryMode
from blikk_edge.wire.topics import Topics

MAX_PAYLOAD_BYTES = 64

_ON = {"on", "true", "1"}
_OFF = {"off", "false", "0"}
# what buttons say when they are pressed; a release (OFF, false, 0) must not ring
_PRESSED = {"", "press", "pressed", "ring", "on", "true", "1"}
_NUMBER = re.compile(r"\+?(\d{1,9}(\.\d{0,20})?|\.\d{1,20})([eE][+-]?\d{1,2})?", re.ASCII)


def decode_command(
    topic: str, payload: bytes, topics: Topics, cameras: Collection[str], *, retained: bool = False
) -> Command:
    """The command that was published to `<camera>/set/<setting>`.

    `detect` takes ON/OFF, true/false or 1/0 in any case, `threshold` a decimal number 0..1, `summary` a SummaryMode,
    `snapshot`, `describe` and `ring` nothing or a word for pressed. Raises WireError for everything else, and for a
    retained command: it would be carried out again at every reconnect.
    """
    camera, setting = _address(topic, topics, cameras)
    if retained:
        raise WireError(f"{camera}/set/{setting}: a retained command is not carried out; publish it without retain")
    decode = _SETTINGS.get(setting)
    if decode is None:
        raise WireError(f"{camera}: nothing called {setting[:40]!r} can be set; there is {', '.join(_SETTINGS)}")
    try:
        return decode(camera, _text(payload))
    except WireError as error:
        raise WireError(f"{camera}/set/{setting}: {error}") from None


def _address(topic: str, topics: Topics, cameras: Collection[str]) -> tuple[str, str]:
    rest = topic.removeprefix(topics.base + "/")
    parts = rest.split("/")
    if rest == topic or len(parts) != 3 or parts[1] != "set":
        raise WireError(f"{topic[:120]!r} is no command topic of this node")
    camera, _, setting = parts
    if camera not in cameras:
        raise WireError(f"there is no camera {camera[:40]!r} on this node")
    return camera, setting


_AROUND: Final = " \t\r\n\0"
"""What programs leave at the ends of a text: lines, and the zero that ends one in C."""


def _text(payload: bytes) -> str:
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise WireError(f"{len(payload)} bytes are more than a command needs ({MAX_PAYLOAD_BYTES})")
    try:
        text = payload.decode("utf-8-sig").strip(_AROUND)
        quoted = len(text) > 1 and text[0] == text[-1] == '"'
        text = text[1:-1].strip() if quoted else text
        return text.encode("ascii").decode()
    except UnicodeError:
        raise WireError("the payload is not plain text") from None


def _detect(camera: str, text: str) -> Command:
    word = text.lower()
    if word not in _ON | _OFF:
        raise WireError(f"{text!r} is neither ON nor OFF")
    return Set(camera=camera, setting=Setting.DETECT, value=word in _ON)


def _threshold(camera: str, text: str) -> Command:
    if not _NUMBER.fullmatch(text):
        raise WireError(f"{text!r} is not a decimal number")
    value = float(text)
    if not 0.0 <= value <= 1.0:
        raise WireError(f"{text} is not within 0 and 1")
    return Set(camera=camera, setting=Setting.THRESHOLD, value=value)


def _summary(camera: str, text: str) -> Command:
    if text.lower() not in set(SummaryMode):
        raise WireError(f"{text!r} is none of {', '.join(SummaryMode)}")
    return Set(camera=camera, setting=Setting.SUMMARY, value=SummaryMode(text.lower()))


def _snapshot(camera: str, text: str) -> Command:
    return Snapshot(camera=_pressed(camera, text))


def _describe(camera: str, text: str) -> Command:
    return Describe(camera=_pressed(camera, text))


def _ring(camera: str, text: str) -> Command:
    return Press(camera=_pressed(camera, text), via="mqtt")


def _pressed(camera: str, text: str) -> str:
    if text.lower() not in _PRESSED:
        raise WireError(f"{text!r} is no press; send PRESS")
    return camera


_SETTINGS: dict[str, Callable[[str, str], Command]] = {
    Setting.DETECT.value: _detect,
    Setting.THRESHOLD.value: _threshold,
    Setting.SUMMARY.value: _summary,
    "snapshot": _snapshot,
    "describe": _describe,
    "ring": _ring,
}

SETTINGS: tuple[str, ...] = tuple(_SETTINGS)
"""What can be set, or pressed, at a camera: the last level of a command's topic."""
