"""The Home Assistant entities of texts: summaries, answers to watched questions, and what a language model costs."""

import json
from collections.abc import Iterator, Sequence

from blikk_edge.core.status import CameraInfo, NodeInfo, SummaryMode
from blikk_edge.core.summary import AnswerKind, Question
from blikk_edge.wire.entity_names import name_in
from blikk_edge.wire.topics import Topics
from blikk_edge.wire.values import Json, JsonObject, truncate

NAME_MAX = 60

_MODES = {
    SummaryMode.OFF: "Off",
    SummaryMode.TEMPLATE: "Template",
    SummaryMode.TEXT: "Language model, from text",
    SummaryMode.VISION: "Language model, from pictures",
}
"""The English words for a mode: of entities that are made by discovery Home Assistant translates no state."""

# A topic is emptied when what it said was forgotten; the word None makes an entity unknown.
_ELSE_UNKNOWN = "if value_json is defined else 'None'"

LLM_FIGURES = {
    "llm_calls": ("LLM calls today", "value_json.llm.calls_today", "mdi:message-processing"),
    "llm_tokens": ("LLM tokens today", "value_json.llm.tokens_today", "mdi:counter"),
    "llm_calls_left": ("LLM calls left", "value_json.llm.calls_left", "mdi:message-off"),
    "llm_tokens_left": ("LLM tokens left", "value_json.llm.tokens_left", "mdi:gauge-low"),
}
"""By component id: name, where the health says it, icon."""

_ATTRIBUTES = "{{% if value_json is defined %}}{{{{ {} | tojson }}}}{{% else %}}{{}}{{% endif %}}"
_SUMMARY = _ATTRIBUTES.format("""{'text': value_json.text, 'importance': value_json.importance,
 'event': value_json.event, 'revision': value_json.revision, 'labels': value_json.labels, 'source': value_json.source,
 'model': value_json.model, 'tokens': value_json.tokens, 'time': value_json.time,
 'since': value_json.since, 'until': value_json.until, 'pictures': value_json.pictures,
 'checked': value_json.checked | default(none)}""")
_EVIDENCE = _ATTRIBUTES.format("""{'question': value_json.asked, 'confidence': value_json.confidence,
 'since': value_json.since, 'evidence': value_json.evidence, 'event': value_json.event,
 'source': value_json.source}""")


def asks_a_model(node: NodeInfo) -> bool:
    """Whether a language model is configured."""
    return bool({SummaryMode.TEXT, SummaryMode.VISION} & set(node.summaries))


def summary_parts(
    camera: CameraInfo, modes: Sequence[SummaryMode], topics: Topics, language: str
) -> Iterator[tuple[str, JsonObject]]:
    """The newest summary, the switch of how they are made, in words of the language, and a button for one of now."""
    yield "last_summary", _text("Summary", topics.summary(camera.id), "mdi:text-box-outline")
    words: dict[str, Json] = {mode.value: name_in(language, _MODES[mode]) for mode in modes}
    yield (
        "summaries",
        {
            "platform": "select",
            "name": "Summaries",
            "icon": "mdi:text-box-edit-outline",
            "entity_category": "config",
            "options": list(words.values()),
            "command_topic": topics.set(camera.id, "summary"),
            "command_template": f"{{{{ {_mapping({str(word): mode for mode, word in words.items()})}[value] }}}}",
            "state_topic": topics.state(camera.id),
            "value_template": f"{{{{ {_mapping(words)}.get(value_json.summary, 'None') }}}}",
        },
    )
    yield (
        "describe",
        {
            "platform": "button",
            "name": "Describe",
            "icon": "mdi:text-recognition",
            "command_topic": topics.set(camera.id, "describe"),
        },
    )


def question_parts(camera: CameraInfo, topics: Topics) -> Iterator[tuple[str, JsonObject]]:
    """One entity for each watched question: on, off or unknown, or the answer as text."""
    for question in camera.questions:
        yield f"question_{question.id}", _question(question, topics.answer(camera.id, question.id))


def digest_sensor(topics: Topics) -> JsonObject:
    """The newest summary of a period of the node."""
    return _text("Digest", topics.digest, "mdi:calendar-text")


def _mapping(words: JsonObject) -> str:
    # JSON is Jinja too, as long as it stays unescaped beyond ASCII
    return json.dumps(words, ensure_ascii=False)


def _text(name: str, topic: str, icon: str) -> JsonObject:
    return {
        "platform": "sensor",
        "name": name,
        "icon": icon,
        "state_topic": topic,
        "value_template": f"{{{{ value_json.title {_ELSE_UNKNOWN} }}}}",
        "json_attributes_topic": topic,
        "json_attributes_template": _SUMMARY,
    }


def _question(question: Question, topic: str) -> JsonObject:
    entity: JsonObject = {
        "name": truncate(question.text, NAME_MAX),
        "icon": "mdi:comment-question-outline",
        "state_topic": topic,
        "json_attributes_topic": topic,
        "json_attributes_template": _EVIDENCE,
    }
    if question.kind is AnswerKind.TEXT:
        return {"platform": "sensor", **entity, "value_template": f"{{{{ value_json.answer {_ELSE_UNKNOWN} }}}}"}
    answer = f"{{{{ {{'yes': 'ON', 'no': 'OFF'}}.get(value_json.answer, 'None') {_ELSE_UNKNOWN} }}}}"
    return {"platform": "binary_sensor", **entity, "value_template": answer}
