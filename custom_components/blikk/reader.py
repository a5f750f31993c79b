"""The reader of the contract: untrusted MQTT payloads in, frozen values or a `ContractError` out.

Pure. What is essential to a message must be right; anything else that is wrong counts as missing.
"""

import json
import math
import re
from datetime import UTC, datetime
from typing import Any

from .contract import (
    PROTOCOL,
    Alert,
    Announce,
    Answer,
    Camera,
    CameraState,
    Concept,
    ContractError,
    Event,
    Gap,
    Health,
    Json,
    JsonObject,
    Llm,
    Measure,
    ProtocolError,
    Question,
    Reading,
    Reply,
    Ring,
    Summary,
)

MAX_JSON_BYTES = 256 * 1024
MAX_REPLY_BYTES = 4 * 1024 * 1024
MAX_PICTURE_BYTES = 4 * 1024 * 1024
MAX_ITEMS = 64
MAX_ID = 64
MAX_STATE = 255
MAX_TEXT = 2000
MAX_UNIT = 16
_COMMENT, _SCAN = b"\xfe", b"\xda"
_MARK = b"blikk "
_WORD = re.compile(r"[a-z][a-z0-9_]{0,31}", re.ASCII)
_PHASES = ("started", "updated", "ended")


def as_bytes(payload: bytes | bytearray | str) -> bytes:
    """A payload as it was sent.

    Home Assistant hands one copy to all who subscribed to the same filter: text, where the first of them wanted text.
    """
    return payload.encode() if isinstance(payload, str) else bytes(payload)


def read_announce(payload: bytes | bytearray | str) -> Announce:
    """Who a node is; cameras that cannot be addressed are left out and named in `left_out`."""
    return announce_of(_object(payload, MAX_JSON_BYTES))


def announce_of(content: JsonObject) -> Announce:
    """As `read_announce`, from values that were kept in `Announce.content`."""
    _refuse_newer(content, "protocol")
    node = _required_id(content, "id")
    cameras: dict[str, Camera] = {}
    left_out: list[str] = []
    for item in _objects(content, "cameras"):
        camera_id = _text(item, "id", MAX_TEXT) or ""
        if not is_topic_word(camera_id) or camera_id in cameras:
            left_out.append(camera_id[:MAX_ID])
        else:
            cameras[camera_id] = _camera(camera_id, item)
    urls = content.get("urls")
    media, http = (_url(urls, name) if isinstance(urls, dict) else None for name in ("media", "http"))
    return Announce(
        id=node,
        name=_text(content, "name", MAX_STATE) or node,
        version=_text(content, "version", MAX_ID),
        cameras=tuple(cameras.values()),
        capabilities=frozenset(_texts(content, "capabilities")),
        summaries=_texts(content, "summaries"),
        media_url=media,
        http_url=http,
        left_out=tuple(left_out),
        content=content,
    )


def _url(urls: JsonObject, name: str) -> str | None:
    url = _text(urls, name, MAX_STATE)
    return url if url and url.startswith(("http://", "https://")) else None


def is_topic_word(text: str) -> bool:
    """Whether a text can be one level of an MQTT topic, as ids of nodes, cameras and questions must be."""
    return 0 < len(text) <= MAX_ID and text.isprintable() and not set(text) & set("/+#$")


def read_status(payload: bytes) -> bool:
    """Whether a status topic says `online`."""
    word = payload[:16].strip()
    if word not in (b"online", b"offline"):
        raise ContractError("neither online nor offline")
    return word == b"online"


def read_state(payload: bytes) -> CameraState:
    """What one camera sees now."""
    content = _message(payload)
    dropped = content.get("dropped")
    return CameraState(
        motion=_flag(content, "motion"),
        counts=_counts(content, "counts"),
        zones=_counts(content, "zones"),
        zone_counts=_counts_by(content, "zone_counts"),
        measures=_readings(content),
        concepts=_flags(content, "concepts"),
        fps=_number(content, "fps"),
        inference_ms=_number(content, "inference_ms"),
        last_frame_age_s=_number(content, "last_frame_age_s"),
        dropped=sum(_counts(content, "dropped").values()) if isinstance(dropped, dict) else None,
        restarts=_whole(content, "restarts"),
        detect=_flag(content, "detect"),
        threshold=_number(content, "threshold"),
        summary=_text(content, "summary", MAX_ID),
        problem=_text(content, "problem", MAX_STATE),
    )


def read_health(payload: bytes) -> Health:
    """How a node is doing."""
    content = _message(payload)
    llm = content.get("llm")
    return Health(
        cpu_percent=_number(content, "cpu_percent"),
        rss_bytes=_whole(content, "rss_bytes"),
        temperature_c=_number(content, "temperature_c"),
        inference_ms=_number(content, "inference_ms"),
        outbox=_whole(content, "outbox"),
        lost=_whole(content, "lost"),
        problems=_texts(content, "problems"),
        llm=_llm(llm) if isinstance(llm, dict) else None,
    )


def read_event(payload: bytes) -> Event:
    """One revision of one event."""
    return event_of(_message(payload))


def event_of(content: JsonObject) -> Event:
    """As `read_event`, from the values inside a reply."""
    phase, revision = content.get("phase"), content.get("revision")
    if phase not in _PHASES:
        raise ContractError("phase is none of started, updated, ended")
    if isinstance(revision, bool) or not isinstance(revision, int) or revision < 1:
        raise ContractError("revision is no number from 1")
    event_type = _required(content, "event_type")
    time = _required_time(content, "time")
    return Event(
        id=_required(content, "id"),
        event_type=event_type,
        phase=str(phase),
        revision=revision,
        label=_text(content, "label", MAX_ID) or event_type,
        time=time,
        started=_time(content, "started") or time,
        ended=_time(content, "ended"),
        zones=_texts(content, "zones"),
        peak=_whole(content, "peak"),
        loitering=content.get("loitering") is True,
        interrupted=content.get("interrupted") is True,
        replayed=content.get("replayed") is True,
        mark=_text(content, "mark", MAX_ID) or "",
        content=content,
    )


def read_ring(payload: bytes) -> Ring:
    """A press of the doorbell."""
    content = _message(payload)
    if content.get("event_type") != "ring":
        raise ContractError("event_type is not ring")
    return Ring(
        id=_required(content, "id"),
        time=_required_time(content, "time"),
        via=_text(content, "via", MAX_ID),
        replayed=content.get("replayed") is True,
    )


def read_alert(payload: bytes) -> Alert | None:
    """What is wrong with a measure now, from an observation; None from one of anything else."""
    content = _message(payload)
    if content.get("kind") != "alert":
        return None
    measure = next(iter(_objects(content, "measures")), {})
    return Alert(
        id=_required(content, "id"),
        time=_required_time(content, "time"),
        measure=_required_word(measure, "name"),
        alert=_required_word(measure, "alert"),
        value=_number(measure, "value"),
        unit=_unit(measure),
        item=_whole(measure, "item"),
        replayed=content.get("replayed") is True,
    )


def read_summary(payload: bytes) -> Summary:
    """Text about an event or a period."""
    return summary_of(_message(payload))


def summary_of(content: JsonObject) -> Summary:
    """As `read_summary`, from the values inside a reply."""
    return Summary(
        title=_required(content, "title", MAX_STATE),
        text=_text(content, "text", MAX_TEXT) or "",
        id=_text(content, "id", MAX_STATE),
        event=_text(content, "event", MAX_STATE),
        revision=_whole(content, "revision"),
        time=_time(content, "time"),
        since=_time(content, "since"),
        until=_time(content, "until"),
        importance=_text(content, "importance", MAX_ID),
        labels=_texts(content, "labels"),
        source=_text(content, "source", MAX_ID),
        model=_text(content, "model", MAX_STATE),
        tokens=_counts(content, "tokens"),
        pictures=_whole(content, "pictures"),
        checked=_text(content, "checked", MAX_ID),
    )


def read_answer(payload: bytes) -> Answer:
    """The present answer to a watched question."""
    content = _message(payload)
    return Answer(
        answer=_required(content, "answer", MAX_STATE),
        asked=_text(content, "asked", MAX_STATE),
        confidence=_number(content, "confidence"),
        time=_time(content, "time"),
        since=_time(content, "since"),
        evidence=_text(content, "evidence", MAX_TEXT),
        event=_text(content, "event", MAX_STATE),
        source=_text(content, "source", MAX_ID),
        model=_text(content, "model", MAX_STATE),
    )


def read_reply(payload: bytes) -> Reply:
    """The answer to a request."""
    content = _object(payload, MAX_REPLY_BYTES)
    _refuse_newer(content, "v")
    ok = content.get("ok")
    if not isinstance(ok, bool):
        raise ContractError("ok is neither true nor false")
    return Reply(
        ok=ok,
        error=_text(content, "error", MAX_TEXT),
        correlation=_text(content, "correlation", MAX_STATE),
        text=_text(content, "text", MAX_TEXT),
        checked=_text(content, "checked", MAX_ID),
        content=content,
    )


def rings_of(content: JsonObject) -> tuple[Ring, ...]:
    """The presses of the doorbell in a reply, newest first; what cannot be read is left out."""
    return tuple(
        Ring(id=ring, time=time, camera=_text(item, "camera", MAX_ID), mark=_text(item, "mark", MAX_ID) or "")
        for item in _many(content, "rings")
        if (ring := _text(item, "id", MAX_STATE)) and (time := _time(item, "time"))
    )


def gaps_of(content: JsonObject) -> tuple[Gap, ...]:
    """When cameras were not watched or the node did not run, in a reply; what cannot be read is left out."""
    return tuple(
        Gap(camera=_text(item, "camera", MAX_ID), since=since, until=until)
        for item in _many(content, "gaps")
        if (since := _time(item, "since")) and (until := _time(item, "until"))
    )


def read_picture(payload: bytes) -> bytes:
    """The bytes of a JPEG picture."""
    if len(payload) > MAX_PICTURE_BYTES:
        raise ContractError(f"{len(payload)} bytes are more than a picture may have ({MAX_PICTURE_BYTES})")
    if not payload.startswith(b"\xff\xd8\xff") or b"\xff\xd9" not in payload[-32:]:
        raise ContractError("not a whole JPEG picture")
    return payload


def picture_event(jpeg: bytes) -> str | None:
    """The id of the event or ring that a picture says it shows, in a comment; None where it says nothing."""
    at = 2
    while jpeg[at : at + 1] == b"\xff" and jpeg[at + 1 : at + 2] != _SCAN:
        length = int.from_bytes(jpeg[at + 2 : at + 4])
        if jpeg[at + 1 : at + 2] == _COMMENT and jpeg.startswith(_MARK, at + 4):
            try:
                content = _object(jpeg[at + 4 + len(_MARK) : at + 2 + length], MAX_JSON_BYTES)
            except ContractError:
                return None
            return _text(content, "id", MAX_STATE)
        if length < 2:
            return None
        at += 2 + length
    return None


def _message(payload: bytes) -> JsonObject:
    content = _object(payload, MAX_JSON_BYTES)
    _refuse_newer(content, "v")
    return content


def _object(payload: bytes | bytearray | str, limit: int) -> JsonObject:
    if len(payload) > limit:
        raise ContractError(f"{len(payload)} bytes are more than a message may have ({limit})")
    try:
        text = payload if isinstance(payload, str) else payload.decode()
        content = _clean(json.loads(text, parse_constant=_refuse_constant))
    except (ValueError, RecursionError) as error:
        raise ContractError(f"not JSON: {str(error)[:80]}") from None
    if not isinstance(content, dict):
        raise ContractError("not a JSON object")
    return content


def _refuse_constant(word: str) -> None:
    raise ValueError(f"{word} is no JSON value")


def _clean(value: Any) -> Json:
    """Without lone surrogates, which JSON can spell and no state can hold."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {str(_clean(key)): _clean(item) for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 2**53:
        return None
    return value  # type: ignore[no-any-return]


def _refuse_newer(content: JsonObject, key: str) -> None:
    protocol = content.get(key, content.get("v", PROTOCOL))
    if isinstance(protocol, bool) or not isinstance(protocol, int) or protocol < 1:
        raise ContractError(f"{key} is no protocol number")
    if protocol > PROTOCOL:
        raise ProtocolError(protocol)


def _camera(camera_id: str, content: JsonObject) -> Camera:
    return Camera(
        id=camera_id,
        name=_text(content, "name", MAX_STATE) or camera_id,
        labels=_texts(content, "labels"),
        zones=_texts(content, "zones"),
        ring=content.get("ring") is True,
        questions=tuple(
            Question(
                id=question,
                question=_text(item, "question", MAX_STATE) or question,
                kind="yes_no" if item.get("kind") == "yes_no" else "text",
            )
            for item in _objects(content, "questions")
            if is_topic_word(question := _text(item, "id", MAX_STATE) or "")
        ),
        measures=_measures(content),
        concepts=_concepts(content),
    )


def _concepts(content: JsonObject) -> tuple[Concept, ...]:
    """What a camera watches for in words; of those with the same id the first counts."""
    concepts: dict[str, Concept] = {}
    for item in _objects(content, "concepts"):
        concept = _text(item, "id", MAX_STATE) or ""
        if is_topic_word(concept):
            concepts.setdefault(concept, Concept(id=concept, text=_text(item, "text", MAX_STATE) or concept))
    return tuple(concepts.values())


def _flags(content: JsonObject, key: str) -> dict[str, bool]:
    items = content.get(key)
    if not isinstance(items, dict):
        return {}
    return {name: flag for name, flag in list(items.items())[:MAX_ITEMS] if isinstance(flag, bool)}


def _measures(content: JsonObject) -> tuple[Measure, ...]:
    """What is measured at a camera; of those with the same name the first counts."""
    measures: dict[str, Measure] = {}
    for item in _objects(content, "measures"):
        if name := _word(item, "name"):
            alerts = tuple(alert for alert in _texts(item, "alerts") if _WORD.fullmatch(alert))
            measure = Measure(name=name, unit=_unit(item), device_class=_word(item, "device_class"), alerts=alerts)
            measures.setdefault(name, measure)
    return tuple(measures.values())


def _readings(content: JsonObject) -> dict[str, Reading]:
    items = content.get("measures")
    if not isinstance(items, dict):
        return {}
    return {
        name: Reading(value=value, alert=_word(item, "alert"))
        for name, item in list(items.items())[:MAX_ITEMS]
        if _WORD.fullmatch(name) and isinstance(item, dict) and (value := _number(item, "value")) is not None
    }


def _llm(content: JsonObject) -> Llm:
    return Llm(
        model=_text(content, "model", MAX_STATE),
        phase=_text(content, "phase", MAX_ID),
        calls_today=_whole(content, "calls_today"),
        tokens_today=_whole(content, "tokens_today"),
        calls_left=_whole(content, "calls_left"),
        tokens_left=_whole(content, "tokens_left"),
        cost_today=_number(content, "cost_today"),
        currency=_text(content, "currency", MAX_ID),
        problem=_text(content, "problem", MAX_STATE),
    )


def _text(content: JsonObject, key: str, limit: int) -> str | None:
    value = content.get(key)
    if not isinstance(value, str):
        return None
    return value if len(value) <= limit else value[: limit - 1] + "…"


def _required(content: JsonObject, key: str, limit: int = MAX_STATE) -> str:
    text = _text(content, key, limit)
    if not text:
        raise ContractError(f"{key} is missing")
    return text


def _required_id(content: JsonObject, key: str) -> str:
    text = _required(content, key, MAX_TEXT)
    if not is_topic_word(text):
        raise ContractError(f"{key} cannot be part of a topic")
    return text


def _word(content: JsonObject, key: str) -> str | None:
    value = content.get(key)
    return value if isinstance(value, str) and _WORD.fullmatch(value) else None


def _required_word(content: JsonObject, key: str) -> str:
    word = _word(content, key)
    if word is None:
        raise ContractError(f"{key} of a measure is no word")
    return word


def _unit(content: JsonObject) -> str | None:
    unit = _text(content, "unit", MAX_UNIT)
    return unit if unit and unit.isprintable() else None


def _flag(content: JsonObject, key: str) -> bool | None:
    value = content.get(key)
    return value if isinstance(value, bool) else None


def _number(content: JsonObject, key: str) -> float | None:
    value = content.get(key)
    return None if isinstance(value, bool) or not isinstance(value, int | float) else value


def _whole(content: JsonObject, key: str) -> int | None:
    value = content.get(key)
    return None if isinstance(value, bool) or not isinstance(value, int) else value


def _time(content: JsonObject, key: str) -> datetime | None:
    value = content.get(key)
    if not isinstance(value, str):
        return None
    try:
        time = datetime.fromisoformat(value)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except ValueError, OverflowError:
        return None


def _required_time(content: JsonObject, key: str) -> datetime:
    time = _time(content, key)
    if time is None:
        raise ContractError(f"{key} is no time")
    return time


def _objects(content: JsonObject, key: str) -> list[JsonObject]:
    items = content.get(key)
    return [item for item in items[:MAX_ITEMS] if isinstance(item, dict)] if isinstance(items, list) else []


def _many(content: JsonObject, key: str) -> list[JsonObject]:
    """As `_objects`, in a reply, which may hold more."""
    items = content.get(key)
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _texts(content: JsonObject, key: str) -> tuple[str, ...]:
    """The distinct texts of a list, in order."""
    items = content.get(key)
    if not isinstance(items, list):
        return ()
    return tuple(dict.fromkeys(item[:MAX_STATE] for item in items[:MAX_ITEMS] if isinstance(item, str) and item))


def _counts(content: JsonObject, key: str) -> dict[str, int]:
    items = content.get(key)
    if not isinstance(items, dict):
        return {}
    return {
        name[:MAX_STATE]: number
        for name, number in list(items.items())[:MAX_ITEMS]
        if isinstance(number, int) and not isinstance(number, bool) and number >= 0
    }


def _counts_by(content: JsonObject, key: str) -> dict[str, dict[str, int]]:
    items = content.get(key)
    if not isinstance(items, dict):
        return {}
    names = [name for name, inside in list(items.items())[:MAX_ITEMS] if isinstance(inside, dict)]
    return {name[:MAX_STATE]: _counts(items, name) for name in names}
