"""What MQTT carries, in an envelope that says what it is: for sinks without topics of their own.

One JSON object each. `stream` names one run of a sink, in which records are numbered from 1 by `seq`, whatever becomes
of them: where the numbers of all records do not follow each other, some are missing.
"""

from dataclasses import dataclass, field
from typing import Final, get_args

from blikk_edge.core.observation import Record, Withdrawn
from blikk_edge.core.picture import Picture
from blikk_edge.core.ports import Item
from blikk_edge.core.status import CameraAvailability, CameraState, Health
from blikk_edge.wire.messages import PROTOCOL, encode
from blikk_edge.wire.records import record_kind
from blikk_edge.wire.topics import Topics
from blikk_edge.wire.values import JsonObject, json_bytes

RECORDS: Final = ("observation", "event", "ring", "summary", "answer", "withdrawn")
STATUSES: Final = ("state", "status", "health")
KINDS: Final = (*RECORDS, *STATUSES)
"""What may stand in `kind`. Records are numbered; of statuses the newest counts, and they have no number."""

_RECORDS: Final = get_args(Record)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a record stands in a stream.

    Attributes:
        stream: The run of the sink that numbers it.
        seq: Its number, from 1.
        cursor: With what a subscriber comes back to take up after it; None where nobody can.
    """

    stream: str
    seq: int
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Enveloped:
    """One item on its way out.

    Attributes:
        kind: One of KINDS.
        camera: The camera's id; None for what is of the whole node.
        topic: Its topic on MQTT.
        text: The JSON of the envelope.
        seq: Its number; 0 for a status.
    """

    kind: str
    camera: str | None
    topic: str
    text: bytes = field(repr=False)
    seq: int = 0


def kind_of(item: Item) -> str | None:
    """One of KINDS; None for what goes in no envelope, as Pictures."""
    match item:
        case Picture():
            return None
        case CameraState():
            return "state"
        case CameraAvailability():
            return "status"
        case Health():
            return "health"
        case _:
            return record_kind(item)


def enveloped(item: Item, topics: Topics, place: Place | None = None, *, replayed: bool = False) -> Enveloped:
    """The item with its envelope. What has no number, as a status or what is out of the history, has no `place`."""
    kind = kind_of(item)
    assert kind is not None  # a Picture has no envelope
    message = encode(item, topics, replayed=replayed)
    camera = None if isinstance(item, Health) else item.camera
    head: JsonObject = {
        "v": PROTOCOL,
        "kind": kind,
        "camera": camera,
        "topic": message.topic,
        "stream": None if place is None else place.stream,
        "seq": None if place is None else place.seq,
        "cursor": None if place is None else place.cursor,
    }
    if topics.member is not None:
        head["member"] = topics.member
    if isinstance(item, _RECORDS) and item.fence is not None:
        head["fence"] = item.fence
    if isinstance(item, Withdrawn):
        content = b"null"
    elif isinstance(item, CameraAvailability):
        content = b'"' + message.payload + b'"'
    else:
        content = message.payload
    # what is JSON already is not read and written again
    text = json_bytes(head)[:-1] + b',"content":' + content + b"}"
    return Enveloped(kind=kind, camera=camera, topic=message.topic, text=text, seq=0 if place is None else place.seq)
