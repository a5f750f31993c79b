"""Requests with an answer: untrusted bytes to a checked Request or a WireError, and the Reply as JSON."""

import json
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from datetime import datetime, tzinfo
from typing import NoReturn, TypeVar

from blikk_edge.core.errors import WireError
from blikk_edge.core.inquiry import (
    EVENTS_DEFAULT,
    EVENTS_MAX,
    FOUND_DEFAULT,
    FOUND_MAX,
    MARK_MAX,
    QUESTION_MAX,
    WRITTEN_MAX,
    AskQuestion,
    CheckText,
    DescribeNow,
    EventWithText,
    Forget,
    Found,
    ListEvents,
    Mark,
    Query,
    Reply,
    Request,
    Search,
    WriteDigest,
)
from blikk_edge.core.locale import language_of
from blikk_edge.core.observation import Ring
from blikk_edge.core.sightings import Label
from blikk_edge.core.summary import Said
from blikk_edge.wire.messages import PROTOCOL, event_content
from blikk_edge.wire.texts import text_content
from blikk_edge.wire.topics import Topics
from blikk_edge.wire.values import YEAR_9999, Json, JsonObject, iso_time, json_bytes, number

T = TypeVar("T")

MAX_PAYLOAD_BYTES = 8192
MAX_TOPIC = 200
MAX_CORRELATION = 200
MAX_ID = 200
_COUNT_MAX = 999
_TIMES_MAX = 20
_TIME_MAX = 8
_TAG_MAX = 40
_PLAIN = (
    "question",
    "query",
    "camera",
    "event",
    "label",
    "zone",
    "limit",
    "mark",
    "title",
    "text",
    "pictures",
    "said",
    "language",
)
"""The fields of requests that are written as they are, in this order."""

MAX_REPLY_BYTES = 1_000_000
"""Home Assistant and small brokers hold a whole message in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A message on `ask`.

    Attributes:
        content: What is asked, unchecked.
        response_topic: Where the answer goes; None: nowhere.
        correlation: Given back in the answer as it is; None: none was given.
    """

    content: JsonObject
    response_topic: str | None = None
    correlation: str | None = None


def open_envelope(payload: bytes, topics: Topics, *, response_topic: str | None = None) -> Envelope:
    """What can be read of a message before its content is checked; `response_topic` is MQTT v5's and counts first.

    Text that is no JSON is a question, unless it begins like JSON. Raises WireError where there is nothing to answer
    or nowhere that the answer may go.
    """
    content = read_content(payload)
    topic = response_topic if response_topic is not None else _maybe(content, "response_topic", _text(MAX_TOPIC))
    correlation = _maybe(content, "correlation", _text(MAX_CORRELATION, least=0))
    if topic is not None:
        check_response_topic(topic, topics)
    return Envelope(content=content, response_topic=topic, correlation=correlation)


def check_response_topic(topic: str, topics: Topics) -> None:
    """Raises WireError where an answer may not go: anywhere but below `topics.reply_prefix`.

    The node may publish where whoever asks may not: an answer must be no command, state or discovery of anybody.
    """
    allowed = topics.reply_prefix
    if not topic or len(topic) > MAX_TOPIC or not topic.isprintable() or any(mark in topic for mark in "+#$"):
        raise WireError(
            f"the response topic is empty, longer than {MAX_TOPIC} characters, or has +, #, $ or control characters; "
            f"it begins with {allowed}"
        )
    if not topic.startswith(allowed) or "" in topic.split("/"):
        raise WireError(f"the response topic does not begin with {allowed}, or has an empty level: {topic[:80]!r}")


def check_correlation_data(data: bytes) -> None:
    """Raises WireError where MQTT v5's correlation data are larger than MAX_CORRELATION bytes: they come back to us."""
    if len(data) > MAX_CORRELATION:
        raise WireError(
            f"{len(data)} bytes of correlation data are more than the {MAX_CORRELATION} that are given back"
        )


def read_request(content: JsonObject, cameras: Collection[str], timezone: tzinfo | None = None) -> Request:
    """The Request in a message; fields it does not know are ignored.

    Times are ISO 8601 (without an offset: of `timezone`, None being this machine's) or seconds since 1970 UTC. Raises
    WireError.
    """
    do = content.get("do") or "ask"
    if not isinstance(do, str) or do not in _READERS:
        raise WireError(f"`do` is none of {', '.join(_READERS)}")
    request = _READERS[do](content, timezone)
    camera = None if isinstance(request, Mark | CheckText) else request.camera
    if camera is not None and camera not in cameras:
        names = f"; there is {', '.join(sorted(cameras))}" if cameras else ""
        raise WireError(f"there is no camera {camera[:40]!r} on this node{names}")
    if isinstance(request, AskQuestion | ListEvents | WriteDigest | Forget | Search):
        since, until = request.since, request.until
        if since is not None and until is not None and since >= until:
            raise WireError("`since` does not lie before `until`")
    return request


def write_request(request: Request, *, response_topic: str | None = None, correlation: str | None = None) -> bytes:
    """The message of a request, for nodes that are asked by this one."""
    name = next(name for name, kind in _KINDS.items() if isinstance(request, kind))
    content: JsonObject = {"do": name}
    if response_topic is not None:
        content |= {"response_topic": response_topic, "correlation": correlation}
    given = {field: value for field, value in asdict(request).items() if value is not None}
    content |= {field: given[field] for field in _PLAIN if field in given}
    content |= {field: iso_time(given[field]) for field in ("since", "until") if field in given}
    return json_bytes(content)


def reply_content(reply: Reply, *, correlation: str | None = None) -> JsonObject:
    """The fields of a reply. Of too many events the oldest are left out, so that it stays below MAX_REPLY_BYTES."""
    content: JsonObject = {
        "v": PROTOCOL,
        "ok": reply.ok,
        "error": reply.error,
        "correlation": correlation,
        "text": reply.text,
        "count": reply.count,
        "query": None if reply.query is None else query_content(reply.query),
        "events": [],
        "rings": [_ring(ring) for ring in reply.rings],
        "gaps": [
            {"camera": camera or None, "since": iso_time(since), "until": iso_time(until)}
            for camera, spans in reply.gaps
            for since, until in spans
        ],
        "summary": None if reply.summary is None else text_content(reply.summary),
        "source": reply.source.value,
        "model": reply.model,
        "tokens": {"input": reply.input_tokens, "output": reply.output_tokens},
    }
    if reply.checked is not None:
        content["checked"] = reply.checked.value
    if reply.unsupported:
        content["unsupported"] = list(reply.unsupported)
    if reply.found is not None:
        content["found"] = [_found(each) for each in reply.found]
    content["events"] = _events(reply.events, MAX_REPLY_BYTES - len(json_bytes(content)))
    return content


def _found(found: Found) -> JsonObject:
    what = found.what
    return {
        "observation": what.observation,
        "event": what.event,
        "camera": what.camera,
        "time": iso_time(what.time),
        "label": None if what.label is None else what.label.value,
        "sub_label": what.kind,
        "colours": [colour.value for colour in what.colours],
        "by": found.by.value,
        "score": None if found.score is None else number(min(1.0, max(-1.0, found.score)), 4),
        "pictures": list(found.pictures),
    }


def _ring(ring: Ring) -> JsonObject:
    content: JsonObject = {"id": ring.id, "camera": ring.camera, "time": iso_time(ring.time)}
    return {**content, "mark": ring.mark} if ring.mark else content


def read_content(payload: bytes) -> JsonObject:
    """The fields of a request, unchecked; text that is no JSON is a question. Raises WireError."""
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise WireError(f"{len(payload)} bytes are more than a request needs ({MAX_PAYLOAD_BYTES})")
    try:
        text = payload.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise WireError("the payload is not UTF-8") from None
    try:
        content = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        if text.startswith(("{", "[")):
            raise WireError(f"the payload is not JSON: {error}") from None
        content = text
    if isinstance(content, str):
        return {"question": content}
    if not isinstance(content, dict):
        raise WireError('the payload is no object; send {"question": "..."} or the question itself')
    return content


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _ask(content: JsonObject, timezone: tzinfo | None) -> AskQuestion:
    return AskQuestion(
        question=_needed(content, "question", _text(QUESTION_MAX)).strip(),
        camera=_maybe(content, "camera", _text(MAX_ID)),
        since=_maybe(content, "since", _time(timezone)),
        until=_maybe(content, "until", _time(timezone)),
    )


def _list(content: JsonObject, timezone: tzinfo | None) -> ListEvents:
    limit = _maybe(content, "limit", _limit(EVENTS_MAX))
    return ListEvents(
        camera=_maybe(content, "camera", _text(MAX_ID)),
        label=_maybe(content, "label", _label),
        event=_maybe(content, "event", _text(MAX_ID)),
        zone=_maybe(content, "zone", _text(MAX_ID)),
        since=_maybe(content, "since", _time(timezone)),
        until=_maybe(content, "until", _time(timezone)),
        limit=EVENTS_DEFAULT if limit is None else limit,
    )


def _describe(content: JsonObject, _timezone: tzinfo | None) -> DescribeNow:
    request = DescribeNow(
        camera=_maybe(content, "camera", _text(MAX_ID)), event=_maybe(content, "event", _text(MAX_ID))
    )
    if (request.camera is None) == (request.event is None):
        raise WireError("describe needs either `camera` or `event`")
    return request


def _digest(content: JsonObject, timezone: tzinfo | None) -> WriteDigest:
    return WriteDigest(
        camera=_maybe(content, "camera", _text(MAX_ID)),
        since=_maybe(content, "since", _time(timezone)),
        until=_maybe(content, "until", _time(timezone)),
    )


def _forget(content: JsonObject, timezone: tzinfo | None) -> Forget:
    request = Forget(
        camera=_maybe(content, "camera", _text(MAX_ID)),
        event=_maybe(content, "event", _text(MAX_ID)),
        since=_maybe(content, "since", _time(timezone)),
        until=_maybe(content, "until", _time(timezone)),
    )
    if request == Forget():
        raise WireError("forget needs at least one of `camera`, `event`, `since` and `until`")
    return request


def _mark(content: JsonObject, _timezone: tzinfo | None) -> Mark:
    return Mark(
        event=_needed(content, "event", _text(MAX_ID)),
        mark=(_maybe(content, "mark", _text(MARK_MAX, least=0)) or "").strip(),
    )


def _search(content: JsonObject, timezone: tzinfo | None) -> Search:
    limit = _maybe(content, "limit", _limit(FOUND_MAX))
    return Search(
        query=_needed(content, "query", _text(QUESTION_MAX)).strip(),
        camera=_maybe(content, "camera", _text(MAX_ID)),
        since=_maybe(content, "since", _time(timezone)),
        until=_maybe(content, "until", _time(timezone)),
        limit=FOUND_DEFAULT if limit is None else limit,
    )


def _check(content: JsonObject, _timezone: tzinfo | None) -> CheckText:
    pictures = content.get("pictures")
    if not isinstance(pictures, bool | None):
        raise WireError("`pictures` is neither true nor false")
    return CheckText(
        event=_needed(content, "event", _text(MAX_ID)),
        title=_needed(content, "title", _text(WRITTEN_MAX)),
        text=_needed(content, "text", _text(WRITTEN_MAX)),
        pictures=bool(pictures),
        said=_maybe(content, "said", _said),
        language=_maybe(content, "language", _language),
    )


def _language(value: Json) -> str:
    tag = language_of(_text(_TAG_MAX)(value))
    if tag is None:
        raise WireError("is no tag of a language like de or pt-BR")
    return tag


def _said(value: Json) -> Said:
    if not isinstance(value, dict):
        raise WireError("is no object")
    counts, times = value.get("counts", {}), value.get("times", [])
    if not isinstance(counts, dict):
        raise WireError("has no object `counts`")
    if not isinstance(times, list) or len(times) > _TIMES_MAX:
        raise WireError(f"has no list `times` of at most {_TIMES_MAX}")
    return Said(
        counts={_label(label): _count(count) for label, count in counts.items()},
        rings=_count(value.get("rings", 0)),
        times=tuple(_text(_TIME_MAX)(time) for time in times),
    )


def _count(value: Json) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _COUNT_MAX:
        raise WireError(f"has a count that is no whole number of 0 to {_COUNT_MAX}")
    return value


_READERS: dict[str, Callable[[JsonObject, tzinfo | None], Request]] = {
    "ask": _ask,
    "events": _list,
    "describe": _describe,
    "digest": _digest,
    "forget": _forget,
    "mark": _mark,
    "search": _search,
    "check": _check,
}
_KINDS = {
    "ask": AskQuestion,
    "events": ListEvents,
    "describe": DescribeNow,
    "digest": WriteDigest,
    "forget": Forget,
    "mark": Mark,
    "search": Search,
    "check": CheckText,
}


def _maybe(content: JsonObject, name: str, read: Callable[[Json], T]) -> T | None:
    return _needed(content, name, read) if content.get(name) is not None else None


def _needed(content: JsonObject, name: str, read: Callable[[Json], T]) -> T:
    try:
        return read(content.get(name))
    except WireError as error:
        raise WireError(f"`{name}` {error}") from None


def _text(most: int, *, least: int = 1) -> Callable[[Json], str]:
    def read(value: Json) -> str:
        if not isinstance(value, str) or not least <= len(value.strip()) or len(value) > most:
            raise WireError(f"is no text of {least} to {most} characters")
        if any(0xD800 <= ord(each) < 0xE000 for each in value):
            raise WireError("holds half a character")
        return value

    return read


def _label(value: Json) -> Label:
    if not isinstance(value, str) or value not in set(Label):
        raise WireError(f"is none of {', '.join(Label)}")
    return Label(value)


def _limit(most: int) -> Callable[[Json], int]:
    def read(value: Json) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
            raise WireError(f"is no whole number of 1 to {most}")
        return value

    return read


def _time(timezone: tzinfo | None) -> Callable[[Json], float]:
    def read(value: Json) -> float:
        match value:
            case bool():
                seconds = None
            case int() | float():
                seconds = value
            case str():
                seconds = _calendar(value, timezone)
            case _:
                seconds = None
        if seconds is None or not 0 <= seconds <= YEAR_9999:
            raise WireError("is no time; write ISO 8601 (2026-11-21T08:00:00+01:00) or seconds since 1970 UTC")
        return float(seconds)

    return read


def _calendar(text: str, timezone: tzinfo | None) -> float | None:
    if len(text) > 40:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=timezone)).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def query_content(query: Query) -> JsonObject:
    """The fields of a question as it was understood."""
    content: JsonObject = {
        "measure": query.measure.value,
        "labels": [label.value for label in query.labels],
        "kinds": list(query.kinds),
        "cameras": list(query.cameras),
        "zone": query.zone,
        "since": None if query.since is None else iso_time(query.since),
        "until": None if query.until is None else iso_time(query.until),
        "loitering": query.loitering,
        "ongoing": query.ongoing,
        "rings": query.rings,
        "min_duration_s": number(query.min_duration_s, 1),
    }
    return content if query.change is None else {**content, "change": query.change.value}


def _events(listed: tuple[EventWithText, ...], room: int) -> list[Json]:
    events: list[Json] = []
    for each in listed:
        summary = None if each.summary is None else text_content(each.summary)
        content: JsonObject = {**event_content(each.event), "summary": summary}
        room -= len(json_bytes(content)) + 1
        if room < 0:
            break
        events.append(content)
    return events
