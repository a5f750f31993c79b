"""What a node has published, as values again: for programs that listen to one. Unknown fields are ignored."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from blikk_edge.core.appearance import Colour, FoundBy, StoredAppearance
from blikk_edge.core.concepts import Concept
from blikk_edge.core.errors import WireError
from blikk_edge.core.inquiry import EventWithText, Found, Reply
from blikk_edge.core.observation import Event, Record, Ring
from blikk_edge.core.picture import Picture
from blikk_edge.core.ports import Item
from blikk_edge.core.sightings import Label, Measure, MeasureInfo
from blikk_edge.core.status import CameraAvailability, CameraInfo, CameraState, SummaryMode
from blikk_edge.core.summary import AnswerKind, Author, Checked, Question, Summary
from blikk_edge.wire.records import record_of
from blikk_edge.wire.topics import Topics

MAX_BYTES: Final = 4 * 1024 * 1024
"""Larger than any Picture or answer of a node."""

_TIMES: Final = ("time", "until", "started", "ended", "since")


def read_item(topic: str, payload: bytes, topics: Topics, *, now: float) -> Item | None:
    """The item of a message below `topics.base`; None where it is none, as of the node itself. Raises WireError.

    `now` is the time of a Picture that does not say its own.
    """
    place = topic.removeprefix(f"{topics.base}/").split("/")
    if len(payload) > MAX_BYTES:
        raise WireError(f"{topic[:120]!r}: {len(payload)} bytes are more than a node publishes")
    item: Item | None = None
    try:
        match place:
            case [camera, "status"]:
                item = CameraAvailability(camera=camera, online=payload == b"online")
            case [camera, "picture", name] if payload:
                item = read_picture(camera, name, payload, now=now)
            case [camera, "state"]:
                item = _state(camera, _content(payload))
            case [_, ("observation" | "event" | "ring" | "summary") as kind] if payload:
                item = _record(kind, _content(payload))
            case ["digest"] | [_, "digest"] if payload:
                item = _record("summary", _content(payload))
            case [_, "answer", _] if payload:
                item = _record("answer", _content(payload))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise WireError(f"{topic[:120]!r}: this is no message of the contract ({type(error).__name__})") from error
    return item


def read_cameras(payload: bytes) -> tuple[CameraInfo, ...]:
    """The cameras that a node announces. Raises WireError."""
    try:
        return tuple(_camera(each) for each in _content(payload)["cameras"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise WireError(f"this is no announce of a node ({type(error).__name__})") from error


def read_picture(camera: str, name: str, jpeg: bytes, *, now: float) -> Picture:
    """A Picture that a node has redacted and sent; its size is in the JPEG alone."""
    return Picture(camera=camera, name=name, time=now, jpeg=jpeg, width_px=0, height_px=0)


def read_reply(content: Mapping[str, Any]) -> Reply:
    """The reply to a request. Raises WireError."""
    try:
        tokens = content.get("tokens") or {}
        return Reply(
            ok=bool(content["ok"]),
            error=content.get("error"),
            text=content.get("text"),
            count=content.get("count"),
            events=tuple(_with_text(each) for each in content.get("events", ())),
            rings=tuple(_ring(each) for each in content.get("rings", ())),
            found=None if content.get("found") is None else tuple(_found(each) for each in content["found"]),
            summary=_summary(content.get("summary")),
            checked=None if content.get("checked") is None else Checked(content["checked"]),
            unsupported=tuple(map(str, content.get("unsupported", ()))),
            source=Author(content.get("source", Author.TEMPLATE)),
            model=content.get("model"),
            input_tokens=int(tokens.get("input", 0)),
            output_tokens=int(tokens.get("output", 0)),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise WireError(f"this is no reply of a node ({type(error).__name__})") from error


def _content(payload: bytes) -> dict[str, Any]:
    try:
        content = json.loads(payload)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(content, dict):
        raise TypeError("no object")
    return content


def _record(kind: str, content: Mapping[str, Any]) -> Record:
    """A record as the store writes it, made of one as the wire does."""
    given = _timed(content)
    given["objects"] = [_sighting(each) for each in content.get("objects", ())]
    if "measures" in content:
        given["measures"] = [{**each, "box": _box(each["box"])} for each in content["measures"]]
    if "appearances" in content:
        given["appearances"] = [_appearance(each) for each in content["appearances"]]
    if isinstance(tokens := content.get("tokens"), dict):
        given |= {"input_tokens": tokens["input"], "output_tokens": tokens["output"]}
    if kind == "observation":
        given.setdefault("embedding", None)
    return record_of(kind, given)


def _appearance(content: Mapping[str, Any]) -> dict[str, Any]:
    """What something looked like, as the store writes it; a colour of tomorrow is left out."""
    colours = [each for each in content["colours"] if each in set(Colour)]
    return {**content, "kind": content["sub_label"], "colours": colours, "embedding": content.get("embedding")}


def _found(content: Mapping[str, Any]) -> Found:
    what = StoredAppearance(
        seq=0,
        observation=content["observation"],
        camera=content["camera"],
        event=content["event"],
        time=_time(content["time"]),
        label=None if content["label"] is None else Label(content["label"]),
        kind=content["sub_label"],
        colours=tuple(Colour(each) for each in content["colours"] if each in set(Colour)),
    )
    return Found(what=what, by=FoundBy(content["by"]), score=content["score"], pictures=tuple(content["pictures"]))


def _timed(content: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _time(value) if name in _TIMES and value is not None else value for name, value in content.items()}


def _time(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _sighting(content: Mapping[str, Any]) -> dict[str, Any]:
    return {**content, "box": _box(content["box"]), "since": _time(content["since"])}


def _box(sides: list[float] | None) -> dict[str, float] | None:
    return None if sides is None else dict(zip(("x1", "y1", "x2", "y2"), sides, strict=True))


def _with_text(content: Mapping[str, Any]) -> EventWithText:
    event = _record("event", content)
    assert isinstance(event, Event)
    return EventWithText(event=event, summary=_summary(content.get("summary")))


def _summary(content: Mapping[str, Any] | None) -> Summary | None:
    found = None if content is None else _record("summary", content)
    assert found is None or isinstance(found, Summary)
    return found


def _ring(content: Mapping[str, Any]) -> Ring:
    found = _record("ring", {"via": "", **content})
    assert isinstance(found, Ring)
    return found


def _state(camera: str, content: Mapping[str, Any]) -> CameraState:
    return CameraState(
        camera=camera,
        online=bool(content["online"]),
        motion=bool(content["motion"]),
        score=float(content["score"] or 0.0),
        counts=tuple((Label(name), int(count)) for name, count in content["counts"].items()),
        zones=tuple((str(name), int(count)) for name, count in content["zones"].items()),
        zone_counts=tuple(
            (str(zone), Label(label), int(count))
            for zone, counts in content.get("zone_counts", {}).items()
            for label, count in counts.items()
        ),
        fps=float(content["fps"] or 0.0),
        inference_ms=content.get("inference_ms"),
        last_frame_age_s=content.get("last_frame_age_s"),
        frames=int(content["frames"]),
        inferences=int(content["inferences"]),
        restarts=int(content["restarts"]),
        dropped=tuple((str(name), int(count)) for name, count in content["dropped"].items()),
        skipped=tuple((str(name), int(count)) for name, count in content.get("skipped", {}).items()),
        concepts=tuple((str(name), bool(there)) for name, there in content.get("concepts", {}).items()),
        measures=tuple(
            Measure(name=name, value=float(each["value"]), unit=each["unit"], alert=each["alert"])
            for name, each in content.get("measures", {}).items()
        ),
        detect=bool(content["detect"]),
        threshold=float(content["threshold"] or 0.0),
        summary=SummaryMode(content["summary"]),
        problem=content.get("problem"),
        address=content.get("address"),
    )


def _camera(content: Mapping[str, Any]) -> CameraInfo:
    camera = str(content["id"])
    return CameraInfo(
        id=camera,
        name=str(content["name"]),
        labels=tuple(Label(label) for label in content["labels"]),
        zones=tuple(str(zone) for zone in content["zones"]),
        ring=bool(content["ring"]),
        questions=tuple(
            Question(id=str(q["id"]), camera=camera, text=str(q["question"]), kind=AnswerKind(q["kind"]))
            for q in content.get("questions", ())
        ),
        concepts=tuple(Concept(id=str(c["id"]), text=str(c["text"])) for c in content.get("concepts", ())),
        measures=tuple(
            MeasureInfo(
                name=m["name"], unit=m["unit"], device_class=m["device_class"], alerts=tuple(m.get("alerts", ()))
            )
            for m in content.get("measures", ())
        ),
    )
