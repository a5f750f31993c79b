"""Records as rows: the columns of each table, and their values."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from blikk_edge.core.observation import Event, Observation, Record, Ring
from blikk_edge.core.summary import Answer, Summary
from blikk_edge.wire.messages import encode
from blikk_edge.wire.topics import Topics
from blikk_edge.wire.values import Json

Values: TypeAlias = dict[str, Any]

LAST: Final = datetime(9999, 11, 30, tzinfo=UTC)
"""A partition's end has to be a time as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One record.

    Attributes:
        table: The table's name.
        values: By the names of the columns.
    """

    table: str
    values: Values


def row_of(record: Record, topics: Topics) -> Row | None:
    """The row of a record; None for what has no table."""
    for kind, table, columns in _TABLES:
        if isinstance(record, kind):
            values: Values = {name: value(record) for name, value in columns.items()}
            content = encode(record, topics).payload.decode()
            return Row(table=table, values={"node": topics.node, **values, "content": _without_nul(content)})
    return None


def upsert(schema: str, table: str, columns: Sequence[str]) -> str:
    """The statement that writes a row, or takes the place of the same record; an older revision changes nothing."""
    keys = _KEYS[table]
    into = ", ".join(f'"{name}"' for name in columns)
    given = ", ".join(f"${number}" for number in range(1, len(columns) + 1))
    changed = ", ".join(f'"{name}" = excluded."{name}"' for name in columns if name not in keys)
    newer = f" WHERE {table}.revision <= excluded.revision" if "revision" in columns else ""
    return (
        f'INSERT INTO "{schema}".{table} AS {table} ({into}) VALUES ({given}) '  # noqa: S608 - names of ours alone
        f"ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {changed}{newer}"
    )


def _when(seconds: float) -> datetime:
    """A time that a calendar holds: what none does becomes the nearest, so that it blocks no record."""
    if math.isnan(seconds):
        seconds = 0.0
    return datetime.fromtimestamp(min(max(seconds, 0.0), LAST.timestamp()), UTC)


def _text(text: str | None) -> str | None:
    """Text that a database takes: it knows neither NUL nor half a surrogate pair."""
    return None if text is None else text.replace("\0", "").encode("utf-8", "replace").decode()


def _without_nul(content: str) -> str:
    return json.dumps(_clean(json.loads(content)), ensure_ascii=False) if "\\u0000" in content else content


def _clean(value: Json) -> Json:
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, list):
        return [_clean(each) for each in value]
    if isinstance(value, dict):
        return {key.replace("\0", ""): _clean(each) for key, each in value.items()}
    return value


def _texts(texts: Sequence[str]) -> list[str | None]:
    return [_text(str(text)) for text in texts]


def _embedding(observation: Observation) -> list[float] | None:
    """That of the frame, where a step made one, else that of the first object that appeared."""
    if observation.embedding is not None:
        return [float(value) for value in observation.embedding]
    seen = next((each.embedding for each in observation.appearances if each.embedding is not None), None)
    return None if seen is None else list(seen.numbers)


_OBSERVATION: Final[dict[str, Callable[[Any], Any]]] = {
    "id": lambda o: _text(o.id),
    "camera": lambda o: o.camera,
    "kind": lambda o: o.kind.value,
    "time": lambda o: _when(o.time),
    "until": lambda o: _when(o.until),
    "score": lambda o: float(o.score),
    "event": lambda o: _text(o.event),
    "zones": lambda o: _texts(o.zones),
    "embedding": _embedding,
}
_EVENT: Final[dict[str, Callable[[Any], Any]]] = {
    "id": lambda e: _text(e.id),
    "camera": lambda e: e.camera,
    "label": lambda e: e.label.value,
    "phase": lambda e: e.phase.value,
    "revision": lambda e: e.revision,
    "started": lambda e: _when(e.started),
    "time": lambda e: _when(e.time),
    "ended": lambda e: None if e.ended is None else _when(e.ended),
    "peak": lambda e: e.peak,
    "zones": lambda e: _texts(e.zones),
    "loitering": lambda e: e.loitering,
}
_RING: Final[dict[str, Callable[[Any], Any]]] = {
    "id": lambda r: _text(r.id),
    "camera": lambda r: r.camera,
    "time": lambda r: _when(r.time),
    "via": lambda r: _text(r.via),
}
_SUMMARY: Final[dict[str, Callable[[Any], Any]]] = {
    "id": lambda s: _text(s.id),
    "camera": lambda s: s.camera,
    "event": lambda s: _text(s.event),
    "revision": lambda s: s.revision,
    "time": lambda s: _when(s.time),
    "since": lambda s: _when(s.since),
    "until": lambda s: _when(s.until),
    "title": lambda s: _text(s.title),
    "text": lambda s: _text(s.text),
    "importance": lambda s: s.importance.value,
    "source": lambda s: s.source.value,
}
_ANSWER: Final[dict[str, Callable[[Any], Any]]] = {
    "id": lambda a: _text(a.id),
    "camera": lambda a: a.camera,
    "question": lambda a: _text(a.question),
    "answer": lambda a: _text(a.answer),
    "confidence": lambda a: float(a.confidence),
    "time": lambda a: _when(a.time),
    "since": lambda a: _when(a.since),
    "changed": lambda a: a.changed,
}
_TABLES: Final[tuple[tuple[type, str, dict[str, Callable[[Any], Any]]], ...]] = (
    (Observation, "observations", _OBSERVATION),
    (Event, "events", _EVENT),
    (Ring, "rings", _RING),
    (Summary, "summaries", _SUMMARY),
    (Answer, "answers", _ANSWER),
)
_KEYS: Final = {
    "observations": ("node", "id", "time"),
    "events": ("node", "id", "started"),
    "rings": ("node", "id"),
    "summaries": ("node", "id"),
    "answers": ("node", "id"),
}
