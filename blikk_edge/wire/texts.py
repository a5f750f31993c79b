"""Summaries and Answers as they are written on MQTT, and where the newest is shown."""

from blikk_edge.core.observation import Shown, Withdrawn
from blikk_edge.core.summary import Answer, Summary
from blikk_edge.wire.topics import Topics
from blikk_edge.wire.values import JsonObject, iso_time, number, truncate


def text_topic(text: Summary | Answer, topics: Topics) -> str:
    """Where this text belongs."""
    return topics.answer(text.camera, text.question) if isinstance(text, Answer) else _summary_topic(text, topics)


def place_topic(withdrawn: Withdrawn, topics: Topics) -> str:
    """The topic of the place that is to show nothing."""
    if withdrawn.camera is None:
        return topics.digest
    match withdrawn.what:
        case Shown.SUMMARY:
            return topics.summary(withdrawn.camera)
        case Shown.DIGEST:
            return topics.camera_digest(withdrawn.camera)
        case Shown.ANSWER:
            return topics.answer(withdrawn.camera, withdrawn.name)
        case Shown.PICTURE:
            return topics.picture(withdrawn.camera, withdrawn.name)


def text_content(text: Summary | Answer) -> JsonObject:
    """The fields of this text, without the protocol's."""
    return _answer(text) if isinstance(text, Answer) else _summary(text)


def _summary_topic(summary: Summary, topics: Topics) -> str:
    if summary.camera is None:
        return topics.digest
    return topics.camera_digest(summary.camera) if summary.event is None else topics.summary(summary.camera)


def _summary(summary: Summary) -> JsonObject:
    return {
        "id": summary.id,
        "camera": summary.camera,
        "event": summary.event,
        "revision": summary.revision,
        "time": iso_time(summary.time),
        "since": iso_time(summary.since),
        "until": iso_time(summary.until),
        "title": summary.title,
        "text": summary.text,
        "importance": summary.importance.value,
        "labels": [label.value for label in summary.labels],
        "source": summary.source.value,
        "model": summary.model,
        "tokens": _tokens(summary),
        "pictures": summary.pictures,
        "checked": summary.checked.value,
    }


def _answer(answer: Answer) -> JsonObject:
    return {
        "id": answer.id,
        "camera": answer.camera,
        "question": answer.question,
        "asked": answer.asked,
        "answer": truncate(answer.answer),
        "confidence": number(answer.confidence, 2),
        "time": iso_time(answer.time),
        "since": iso_time(answer.since),
        "changed": answer.changed,
        "evidence": answer.evidence,
        "event": answer.event,
        "source": answer.source.value,
        "model": answer.model,
        "tokens": _tokens(answer),
    }


def _tokens(text: Summary | Answer) -> JsonObject:
    return {"input": text.input_tokens, "output": text.output_tokens}
