"""Text about what happened: Summary of an Event or a period, Answer to a watched Question."""

from dataclasses import dataclass
from enum import StrEnum

from blikk_edge.core.sightings import Label

TITLE_MAX = 60
TEXT_MAX = 600
"""Characters. Longer text is no summary, and costs tokens each time it is handed on as context."""


class Importance(StrEnum):
    """How much it deserves attention."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


class Author(StrEnum):
    """Who wrote a text."""

    LLM = "llm"
    TEMPLATE = "template"  # no model, the model was not to be had, or what it wrote was not supported


class Checked(StrEnum):
    """How far a text was held against what was observed."""

    WHOLE = "whole"
    PARTLY = "partly"  # numbers and times alone: of its language no words are known


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Text about one Event, or about a period.

    `camera` is None where a period of the whole node is told; `event` is None for a period. `revision` 1 is an early
    text of an event, 2 the final one; a period has 1 only. `time` is when it was written; `since` and `until` bound
    what it tells (all seconds since 1970 UTC). `title` has at most TITLE_MAX characters, `text` TEXT_MAX. `model` is
    the model's name where `source` is `llm`; tokens are what this text cost, also where the template had to serve in
    the end; `pictures` counts the redacted Pictures that were shown to the model.
    """

    id: str
    camera: str | None
    event: str | None
    revision: int
    time: float
    since: float
    until: float
    title: str
    text: str
    importance: Importance = Importance.NORMAL
    labels: tuple[Label, ...] = ()
    source: Author = Author.TEMPLATE
    model: str | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    pictures: int = 0
    checked: Checked = Checked.WHOLE


class AnswerKind(StrEnum):
    """What a Question is answered with."""

    YES_NO = "yes_no"
    TEXT = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A sentence that a user asked to be watched at one camera, asked when the scene changed and every `every_s`."""

    id: str
    camera: str
    text: str
    kind: AnswerKind = AnswerKind.YES_NO
    every_s: float = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer to a Question. `answer` is `yes`, `no`, `unknown`, or text of at most 255 characters.

    `since` is when this answer was first given, `time` when last; `changed` says that it differs from the one before;
    `confidence` is 0..1; `evidence` says on what it rests, `event` the Event behind it, if one is.
    """

    id: str
    camera: str
    question: str
    asked: str
    answer: str
    confidence: float
    time: float
    since: float
    changed: bool = False
    evidence: str = ""
    event: str | None = None
    source: Author = Author.TEMPLATE
    model: str | None = None
    input_tokens: int = 0
    output_tokens: int = 0
