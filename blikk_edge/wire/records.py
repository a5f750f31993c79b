"""Records as text for the store and the outbox: lossless, one JSON object each."""

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import TypeVar, cast

from blikk_edge.core.appearance import Appearance, Colour, Embedding
from blikk_edge.core.errors import WireError
from blikk_edge.core.geometry import Box
from blikk_edge.core.observation import (
    Event,
    Near,
    Observation,
    Observed,
    Phase,
    Record,
    Ring,
    Shown,
    Sighting,
    Withdrawn,
)
from blikk_edge.core.parcels import ParcelChange
from blikk_edge.core.sightings import Label, Measure
from blikk_edge.core.summary import Answer, Author, Checked, Importance, Summary
from blikk_edge.wire.values import Json, JsonObject

T = TypeVar("T")


def record_kind(record: Record) -> str:
    """The name of a record's kind: `event`, `ring`."""
    return type(record).__name__.lower()


def record_to_text(record: Record) -> str:
    """The record as one line of ASCII JSON; `record_from_text` gives back an equal one."""
    fields = {"record": record_kind(record), **asdict(record)}
    if fields.get("interrupted") is False:  # as an earlier version wrote it: a replay gives the same bytes
        del fields["interrupted"]
    if fields.get("mark") == "":
        del fields["mark"]
    if fields["fence"] is None:
        del fields["fence"]
    if fields.get("measures") == ():
        del fields["measures"]
    for measure in fields.get("measures", ()):
        if measure["item"] is None:
            del measure["item"]
    if fields.get("appearances") == ():
        del fields["appearances"]
    for name in ("change", "near"):  # of parcels alone
        if name in fields and fields[name] is None:
            del fields[name]
    return json.dumps(fields, separators=(",", ":"))


def record_from_text(text: str) -> Record:
    """The record that `record_to_text` wrote; fields it does not know are ignored. Raises WireError."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WireError(f"not a record: {error}") from error
    if not isinstance(content, dict) or content.get("record") not in list(_READERS):
        raise WireError("not a record: no object that names its kind")
    return record_of(content["record"], cast("JsonObject", content))


def record_of(kind: str, content: JsonObject) -> Record:
    """The record of this kind with these fields, as `record_to_text` names them. Raises WireError."""
    try:
        return _READERS[kind](content)
    except KeyError as error:
        raise WireError(f"not a {kind}: {error} is missing") from error
    except (ValueError, TypeError, OverflowError) as error:
        raise WireError(f"not a {kind}: {error}") from error


def _observation(content: JsonObject) -> Observation:
    return Observation(
        id=_text(content["id"]),
        camera=_text(content["camera"]),
        kind=Observed(_text(content["kind"])),
        time=_real(content["time"]),
        until=_real(content["until"]),
        score=_real(content["score"]),
        objects=_tuple(content["objects"], _sighting),
        zones=_tuple(content["zones"], _text),
        event=_maybe(content["event"], _text),
        folded=_whole(content["folded"]),
        embedding=_maybe(content["embedding"], lambda values: _tuple(values, _real)),
        measures=_tuple(content.get("measures", []), _measure),
        appearances=_tuple(content.get("appearances", []), _appearance),
        change=_maybe(content.get("change"), _change),
        fence=_maybe(content.get("fence"), _whole),
    )


def _event(content: JsonObject) -> Event:
    return Event(
        id=_text(content["id"]),
        camera=_text(content["camera"]),
        phase=Phase(_text(content["phase"])),
        revision=_whole(content["revision"]),
        time=_real(content["time"]),
        started=_real(content["started"]),
        label=Label(_text(content["label"])),
        reason=Observed(_text(content["reason"])),
        objects=_tuple(content["objects"], _sighting),
        peak=_whole(content["peak"]),
        zones=_tuple(content["zones"], _text),
        loitering=_truth(content["loitering"]),
        ended=_maybe(content["ended"], _real),
        picture=_maybe(content["picture"], _text),
        interrupted=_truth(content.get("interrupted", False)),  # records of earlier versions do not have it
        mark=_text(content.get("mark", "")),
        change=_maybe(content.get("change"), _change),
        near=_maybe(content.get("near"), _near),
        fence=_maybe(content.get("fence"), _whole),
    )


def _ring(content: JsonObject) -> Ring:
    return Ring(
        id=_text(content["id"]),
        camera=_text(content["camera"]),
        time=_real(content["time"]),
        via=_text(content["via"]),
        mark=_text(content.get("mark", "")),
        fence=_maybe(content.get("fence"), _whole),
    )


def _summary(content: JsonObject) -> Summary:
    return Summary(
        id=_text(content["id"]),
        camera=_maybe(content["camera"], _text),
        event=_maybe(content["event"], _text),
        revision=_whole(content["revision"]),
        time=_real(content["time"]),
        since=_real(content["since"]),
        until=_real(content["until"]),
        title=_text(content["title"]),
        text=_text(content["text"]),
        importance=Importance(_text(content["importance"])),
        labels=_tuple(content["labels"], lambda label: Label(_text(label))),
        source=Author(_text(content["source"])),
        model=_maybe(content["model"], _text),
        input_tokens=_whole(content["input_tokens"]),
        output_tokens=_whole(content["output_tokens"]),
        pictures=_whole(content["pictures"]),
        checked=Checked(_text(content.get("checked", Checked.WHOLE))),  # older stores do not say
        fence=_maybe(content.get("fence"), _whole),
    )


def _answer(content: JsonObject) -> Answer:
    return Answer(
        id=_text(content["id"]),
        camera=_text(content["camera"]),
        question=_text(content["question"]),
        asked=_text(content["asked"]),
        answer=_text(content["answer"]),
        confidence=_real(content["confidence"]),
        time=_real(content["time"]),
        since=_real(content["since"]),
        changed=_truth(content["changed"]),
        evidence=_text(content["evidence"]),
        event=_maybe(content["event"], _text),
        source=Author(_text(content["source"])),
        model=_maybe(content["model"], _text),
        input_tokens=_whole(content["input_tokens"]),
        output_tokens=_whole(content["output_tokens"]),
        fence=_maybe(content.get("fence"), _whole),
    )


def _withdrawn(content: JsonObject) -> Withdrawn:
    return Withdrawn(
        camera=_maybe(content["camera"], _text),
        what=Shown(_text(content["what"])),
        name=_text(content["name"]),
        fence=_maybe(content.get("fence"), _whole),
    )


_READERS: dict[str, Callable[[JsonObject], Record]] = {
    "observation": _observation,
    "event": _event,
    "ring": _ring,
    "summary": _summary,
    "answer": _answer,
    "withdrawn": _withdrawn,
}


def _sighting(value: Json) -> Sighting:
    content = _object(value)
    return Sighting(
        track=_whole(content["track"]),
        label=Label(_text(content["label"])),
        sub_label=_text(content["sub_label"]),
        score=_real(content["score"]),
        box=_box(content["box"]),
        since=_real(content["since"]),
        dwell_s=_real(content["dwell_s"]),
        still=_truth(content["still"]),
        zones=_tuple(content["zones"], _text),
    )


def _change(value: Json) -> ParcelChange:
    return ParcelChange(_text(value))


def _near(value: Json) -> Near:
    content = _object(value)
    return Near(
        label=Label(_text(content["label"])),
        score=_real(content["score"]),
        event=_maybe(content["event"], _text),
    )


def _measure(value: Json) -> Measure:
    content = _object(value)
    return Measure(
        name=_text(content["name"]),
        value=_real(content["value"]),
        unit=_maybe(content["unit"], _text),
        box=_maybe(content["box"], _box),
        alert=_maybe(content["alert"], _text),
        item=_maybe(content.get("item"), _whole),
    )


def _appearance(value: Json) -> Appearance:
    content = _object(value)
    return Appearance(
        track=_maybe(content["track"], _whole),
        label=_maybe(content["label"], lambda label: Label(_text(label))),
        kind=_text(content["kind"]),
        colours=_tuple(content["colours"], lambda colour: Colour(_text(colour))),
        embedding=_maybe(content["embedding"], _embedding),
    )


def _embedding(value: Json) -> Embedding:
    content = _object(value)
    return Embedding(model=_text(content["model"]), float16=_text(content["float16"]))


def _box(value: Json) -> Box:
    content = _object(value)
    return Box(*(_real(content[side]) for side in ("x1", "y1", "x2", "y2")))


def _object(value: Json) -> JsonObject:
    if not isinstance(value, dict):
        raise TypeError(f"an object was expected, not {type(value).__name__}")
    return value


def _text(value: Json) -> str:
    if not isinstance(value, str):
        raise TypeError(f"text was expected, not {type(value).__name__}")
    return value


def _truth(value: Json) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"true or false was expected, not {type(value).__name__}")
    return value


def _whole(value: Json) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"a whole number was expected, not {type(value).__name__}")
    return value


def _real(value: Json) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(f"a number was expected, not {type(value).__name__}")
    return float(value)


def _maybe(value: Json, read: Callable[[Json], T]) -> T | None:
    return None if value is None else read(value)


def _tuple(value: Json, read: Callable[[Json], T]) -> tuple[T, ...]:
    if not isinstance(value, list):
        raise TypeError(f"a list was expected, not {type(value).__name__}")
    return tuple(read(entry) for entry in value)
