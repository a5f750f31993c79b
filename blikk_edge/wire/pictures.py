"""What a Picture on MQTT says of itself: a comment in the JPEG, which all who only show it pass over."""

from typing import Final

from blikk_edge.core.picture import Picture
from blikk_edge.wire.values import iso_time, json_bytes

MARK: Final = b"blikk "
"""What our comment begins with; JSON follows."""

_START: Final = b"\xff\xd8"
_JFIF: Final = b"\xff\xe0"
_COMMENT: Final = b"\xff\xfe"


def commented(picture: Picture) -> bytes:
    """The JPEG with the id of the Event or Ring that it shows, and its capture time, in a comment segment.

    Without an Event or Ring it stays as it is. JFIF's own header stays the first.
    """
    jpeg = picture.jpeg
    if picture.event is None or not jpeg.startswith(_START):
        return jpeg
    at = len(_START)
    if jpeg[at : at + 2] == _JFIF:
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4])
    text = MARK + json_bytes({"id": picture.event, "time": iso_time(picture.time)})
    return jpeg[:at] + _COMMENT + (len(text) + 2).to_bytes(2) + text + jpeg[at:]
