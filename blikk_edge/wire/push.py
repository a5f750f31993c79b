"""What edge client and node say to each other over the WebSocket, and what a JPEG says of itself; untrusted both ways.

One text message of JSON for each frame: `{"v": 1, "seq": 7, "time": 1795262400.25, "jpeg": "<base64>", "found":
[{"label": "person", "sub_label": "person", "score": 0.8, "box": [0.1, 0.2, 0.3, 0.9]}]}`. `found` comes from the pixels
before they were blurred: a detector sees less in a blurred one. Where a client leaves it out the node looks itself.
Each is answered with `{"v": 1, "seq": 7, "gap_s": 1}`: it arrived, and at least so much time shall pass between two.
"""

import base64
import binascii
import json
import re
from typing import Any, Final

from blikk_edge.core.errors import WireError
from blikk_edge.core.geometry import Box
from blikk_edge.core.push_queue import Pushed
from blikk_edge.core.sightings import Detection, Label
from blikk_edge.wire.values import YEAR_9999, Json, JsonObject, json_bytes, number

PATH: Final = "/ingest/"
VERSION: Final = 1
MAX_JPEG_BYTES: Final = 600_000
MAX_MESSAGE_BYTES: Final = MAX_JPEG_BYTES * 4 // 3 + 10_000
MAX_SIDE_PX: Final = 2048
MAX_FOUND: Final = 50

BAD_MESSAGE: Final = 4400
BAD_TOKEN: Final = 4401
REPLACED: Final = 4409
TOO_LARGE: Final = 4413
NO_JPEG: Final = 4415
TOO_FAST: Final = 4429
"""WebSocket close codes of ours, after HTTP's."""

# A frame header: baseline, extended or progressive, Huffman coded (ITU-T T.81, table B.1). Others are not decoded here.
_FRAME_MARKERS: Final = frozenset({0xC0, 0xC1, 0xC2})
_KIND: Final = re.compile(r"\w(?:[\w -]{0,38}\w)?")
"""A detector's class: words, in any language."""

_NO_LENGTH: Final = frozenset({0x01, *range(0xD0, 0xD8)})


class PushRefusedError(WireError):
    """A message cannot be taken; `code` is the WebSocket close code that says why."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


def frame_message(pushed: Pushed) -> str:
    """A frame on its way to the node."""
    jpeg = base64.b64encode(pushed.jpeg).decode("ascii")
    found: list[Json] = [
        {
            "label": each.label.value,
            "sub_label": each.sub_label,
            "score": number(each.score, 4),
            "box": [number(side, 4) for side in (each.box.x1, each.box.y1, each.box.x2, each.box.y2)],
        }
        for each in (pushed.found or ())[:MAX_FOUND]
    ]
    content: JsonObject = {"v": VERSION, "seq": pushed.seq, "time": pushed.time, "jpeg": jpeg}
    if pushed.found is not None:
        content["found"] = found
    return json_bytes(content).decode()


def read_frame(text: str | bytes) -> Pushed:
    """The frame of a message; raises PushRefusedError."""
    content = _object(text)
    seq, time, jpeg = content.get("seq"), content.get("time"), content.get("jpeg")
    if not isinstance(seq, int) or isinstance(seq, bool) or not 0 <= seq < 2**53:
        raise PushRefusedError(BAD_MESSAGE, "`seq` must be a whole number that counts up")
    if not isinstance(time, int | float) or isinstance(time, bool) or not 0 <= time <= YEAR_9999:
        raise PushRefusedError(BAD_MESSAGE, "`time` must be seconds since 1970 UTC")
    if not isinstance(jpeg, str):
        raise PushRefusedError(BAD_MESSAGE, "`jpeg` must be base64 text")
    try:
        data = base64.b64decode(jpeg, validate=True)
    except (binascii.Error, ValueError):
        raise PushRefusedError(BAD_MESSAGE, "`jpeg` is no base64") from None
    size = jpeg_size(data)
    if size is None:
        raise PushRefusedError(NO_JPEG, "`jpeg` is no JPEG picture")
    if len(data) > MAX_JPEG_BYTES or max(size) > MAX_SIDE_PX:
        raise PushRefusedError(TOO_LARGE, f"at most {MAX_JPEG_BYTES} bytes and {MAX_SIDE_PX} px a side are taken")
    return Pushed(seq=seq, time=float(time), jpeg=data, found=_found(content.get("found")))


def answer_message(seq: int, gap_s: float) -> str:
    """Frame `seq` arrived; at least `gap_s` seconds shall lie between two."""
    return json_bytes({"v": VERSION, "seq": seq, "gap_s": round(gap_s, 3)}).decode()


def read_answer(text: str | bytes) -> tuple[int, float]:
    """Which frame arrived, and the wished time between two; raises WireError."""
    content = _object(text)
    seq, gap_s = content.get("seq"), content.get("gap_s")
    if not isinstance(seq, int) or not isinstance(gap_s, int | float) or not 0 <= gap_s <= YEAR_9999:
        raise PushRefusedError(BAD_MESSAGE, "the answer is not one of a blikk node")
    return seq, float(gap_s)


def jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Width and height that a JPEG's first frame header states; None where it is no whole JPEG.

    A decoder may believe a later header: whoever decodes has to bound the size too.
    """
    if not data.startswith(b"\xff\xd8") or not data.rstrip(b"\x00").endswith(b"\xff\xd9"):
        return None
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
        elif marker in _NO_LENGTH:
            at += 2
        elif marker in _FRAME_MARKERS:
            height, width = int.from_bytes(data[at + 5 : at + 7]), int.from_bytes(data[at + 7 : at + 9])
            return (width, height) if width and height else None
        else:
            length = int.from_bytes(data[at + 2 : at + 4])
            if length < 2:
                return None
            at += 2 + length
    return None


def _found(value: object) -> tuple[Detection, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or len(value) > MAX_FOUND:
        raise PushRefusedError(BAD_MESSAGE, f"`found` must be a list of at most {MAX_FOUND} objects")
    try:
        return tuple(_detection(each) for each in value)
    except (KeyError, TypeError, ValueError, OverflowError):
        raise PushRefusedError(BAD_MESSAGE, "`found` holds what is no object with label, score and box") from None


def _detection(value: dict[str, Any]) -> Detection:
    x1, y1, x2, y2 = (float(side) for side in value["box"])
    score = float(value["score"])
    if not (0.0 <= x1 < x2 <= 1.0 and 0.0 <= y1 < y2 <= 1.0 and 0.0 <= score <= 1.0):
        raise ValueError("out of range")
    label, kind = Label(value["label"]), value.get("sub_label")
    # it goes out to MQTT, Home Assistant and language models
    sub_label = kind if isinstance(kind, str) and _KIND.fullmatch(kind) else label.value
    return Detection(label=label, sub_label=sub_label, score=score, box=Box(x1, y1, x2, y2))


def _object(text: str | bytes) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        raise PushRefusedError(BAD_MESSAGE, "the message is no JSON") from None
    if not isinstance(content, dict):
        raise PushRefusedError(BAD_MESSAGE, "the message is no JSON object")
    if content.get("v") != VERSION:
        raise PushRefusedError(BAD_MESSAGE, f"only version {VERSION} of the protocol is spoken here; update blikk")
    return content
