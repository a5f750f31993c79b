"""Messages of a site's stream as rows: read as far as the columns need it, the rest is kept as it came."""

import base64
import binascii
import hashlib
import json
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from blikk_edge.core.appearance import NUMBERS_MAX, VALUE_BYTES
from blikk_edge.core.errors import WireError, quote
from blikk_edge.sinks.postgres.rows import LAST
from blikk_edge.wire.values import Json, JsonObject

BYTES_MAX: Final = 8 * 1024 * 1024
FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)
TEXT_MAX: Final = 400
"""Of what becomes part of a key; Blikk Edge's ids are shorter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one object, or a whole picture, looked like: a row of `appearances`.

    Attributes:
        place: Its place among those of its observation, from 0.
        label: What it is to the user; None: a whole picture.
        kind: The detector's own class.
        colours: Its dominant colours, the largest first, with spaces between them.
        model: Of the embedding; None without one.
        embedding: Its numbers.
    """

    place: int
    label: str | None
    kind: str
    colours: str
    model: str | None = None
    embedding: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One record: a row of `records`.

    Attributes:
        kind: One of `wire.envelope.RECORDS`, or `picture`, which says that one is in the site's object store.
        id: Unique for its kind and site.
        at: The time that never changes through its revisions: when an event started, what a summary begins with.
        time: That of this revision.
        revision: The higher one counts; 0 for what has none.
        camera: None for what is of the whole site.
        event: The id of the event that it belongs to; of an event its own.
        label: Of an event.
        member: The node that sent it.
        fence: Of the lease under which it was made.
        content: The JSON of MQTT.
        seen: What appeared in an observation.
    """

    kind: str
    id: str
    at: datetime
    time: datetime
    revision: int
    camera: str | None
    event: str | None
    label: str | None
    member: str | None
    fence: int | None
    content: str = field(repr=False)
    seen: tuple[Seen, ...] = ()


def row_in(data: bytes) -> Row:
    """The row of a message. Raises WireError for what is no record."""
    if len(data) > BYTES_MAX:
        raise WireError(f"{len(data)} bytes are more than any record has")
    try:
        head = _object(json.loads(data))
        kind = _text(head["kind"])
        if kind not in _AT:
            raise WireError(f"a kind that has no table: {quote(kind)}")
        content = _object(head["content"])
        for name, read in _NEEDED.get(kind, {}).items():
            read(content[name])
        fence = head.get("fence")
        return Row(
            kind=kind,
            id=_key(content["id"]),
            at=_moment(content[_AT[kind]]),
            time=_moment(content["time"]),
            revision=_whole(content.get("revision", 0), 31),
            camera=_maybe(head.get("camera"), _key),
            event=_key(content["id"]) if kind == "event" else _maybe(content.get("event"), _key),
            label=_maybe(content.get("label"), _key) if kind == "event" else None,
            member=_maybe(head.get("member"), _key),
            fence=None if fence is None else _whole(fence, 63),
            content=json.dumps(_storable(_without_vectors(content)), ensure_ascii=False, separators=(",", ":")),
            seen=_seen(content) if kind == "observation" else (),
        )
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError, binascii.Error, struct.error) as error:
        raise WireError(f"no record: {type(error).__name__} {quote(str(error))}") from None


def mark_in(data: bytes) -> str:
    """By what a message that is no record is known again."""
    return hashlib.blake2b(data, digest_size=12).hexdigest()


def _without_vectors(content: JsonObject) -> JsonObject:
    """Embeddings have a column of their own, where they take a quarter of the room."""
    found = content.get("appearances")
    if not isinstance(found, list):
        return content
    kept: list[Json] = [_slim(_object(each)) for each in found]
    return {**content, "appearances": kept}


def _slim(seen: JsonObject) -> JsonObject:
    embedding = seen.get("embedding")
    return seen if embedding is None else {**seen, "embedding": {"model": _object(embedding).get("model")}}


def _seen(content: JsonObject) -> tuple[Seen, ...]:
    found = content.get("appearances") or []
    if not isinstance(found, list):
        raise TypeError("no list of appearances")
    return tuple(_one_seen(place, _object(each)) for place, each in enumerate(found))


def _one_seen(place: int, seen: JsonObject) -> Seen:
    embedding = seen.get("embedding")
    colours = seen.get("colours") or []
    if not isinstance(colours, list):
        raise TypeError("no list of colours")
    read = None if embedding is None else _object(embedding)
    return Seen(
        place=place,
        label=_maybe(seen.get("label"), _key),
        kind=_storable_text(_text(seen.get("sub_label") or "")),
        colours=_storable_text(" ".join(_text(each) for each in colours)),
        model=None if read is None else _key(read["model"]),
        embedding=None if read is None else _numbers(_text(read["float16"])),
    )


def _numbers(float16: str) -> tuple[float, ...]:
    raw = base64.b64decode(float16, validate=True)
    if not 0 < len(raw) <= NUMBERS_MAX * VALUE_BYTES:
        raise ValueError("an embedding of no usable length")
    return struct.unpack(f"<{len(raw) // VALUE_BYTES}e", raw)


def _object(value: object) -> JsonObject:
    if not isinstance(value, dict):
        raise TypeError("not an object")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _key(value: object) -> str:
    text = _storable_text(_text(value))
    if not 0 < len(text) <= TEXT_MAX:
        raise ValueError("an id that is empty or too long")
    return text


def _whole(value: object, bits: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**bits:
        raise TypeError("not a whole number in its bounds")
    return value


def _number(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("not a number")
    return value


def _truth(value: object) -> object:
    if not isinstance(value, bool):
        raise TypeError("neither true nor false")
    return value


def _maybe(value: object, read: Callable[[object], Any]) -> Any:
    return None if value is None else read(value)


def _moment(value: object) -> datetime:
    moment = datetime.fromisoformat(_text(value))
    return min(max(moment.replace(tzinfo=moment.tzinfo or UTC), FIRST), LAST)


def _storable_text(text: str) -> str:
    """Text that a database takes: it knows neither NUL nor half a surrogate pair."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return _storable_text(value)
    if isinstance(value, list):
        return [_storable(each) for each in value]
    if isinstance(value, dict):
        return {_storable_text(key): _storable(each) for key, each in value.items()}
    return value


_AT: Final[Mapping[str, str]] = {
    "observation": "time",
    "event": "started",
    "ring": "time",
    "summary": "since",
    "answer": "time",
    "picture": "time",
}
"""Of each kind the field that says when it is: the same in each revision."""

_NEEDED: Final[Mapping[str, Mapping[str, Callable[[object], object]]]] = {
    "observation": {"score": lambda value: _maybe(value, _number)},
    "event": {
        "ended": lambda value: _maybe(value, _moment),
        "duration_s": lambda value: _maybe(value, _number),
        "peak": lambda value: _whole(value, 31),
        "loitering": _truth,
    },
    "summary": {"until": _moment},
    "picture": {"name": _key, "expires": _moment},
    "answer": {"confidence": lambda value: _maybe(value, _number), "since": _moment, "changed": _truth},
}
"""What the views read out of the JSON: one that they could not read would break all of them."""
