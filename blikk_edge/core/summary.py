"""Text about what happened: Summary of an Event or a period, Answer to a watched Question."""

from collections.abc import Mapping
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
class Said:
    """What a text says, by its writer's own account.

    Attributes:
        counts: How many of each label it speaks of; 0: none.
        rings: How many rings it speaks of.
        times: Those in it, as `14:05`.
    """

    counts: Mapping[Label, int]
    rings: int = 0
    times: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Text about one Event, or about a period. Times are seconds since 1970 UTC.

    Attributes:
        id: The same in every revision.
        camera: The camera's id; None for a period of the whole node.
        event: The Event's id; None for a period.
        revision: 1 is an early text of an event, 2 the final one; a period has 1 only.
        time: When it was written.
        since: Where the time that it is about begins.
        until: Where the time that it is about ends.
        title: At most TITLE_MAX characters.
        text: At most TEXT_MAX characters.
        importance: How much it deserves attention.
        labels: What was seen.
        source: Who wrote it.
        model: The model's name where `source` is `llm`.
        input_tokens: What this text cost, also where the template had to serve in the end.
        output_tokens: Likewise.
        pictures: How many redacted Pictures the model was shown.
        checked: How far it was compared with what was observed.
        fence: The fence of the lease under which it was made, where nodes share cameras; else None.
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
    fence: int | None = None


class AnswerKind(StrEnum):
    """What a Question is answered with."""

    YES_NO = "yes_no"
    TEXT = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A sentence that a user asked to be watched at one camera.

    Attributes:
        id: Unique within its camera.
        camera: The camera's id.
        text: What is asked.
        kind: What it is answered with.
        every_s: It is asked when the scene changed, and after so many seconds.
    """

    id: str
    camera: str
    text: str
    kind: AnswerKind = AnswerKind.YES_NO
    every_s: float = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer to a Question. Times are seconds since 1970 UTC.

    Attributes:
        id: Unique.
        camera: The camera's id.
        question: The Question's id.
        asked: The Question's text.
        answer: `yes`, `no`, `unknown`, or text of at most 255 characters.
        confidence: 0..1.
        time: When this answer was last given.
        since: When this answer was first given.
        changed: Whether it differs from the one before.
        evidence: On what it rests.
        event: The id of the Event behind it, if one is.
        source: Who gave it.
        model: The model's name where `source` is `llm`.
        input_tokens: What it cost.
        output_tokens: Likewise.
        fence: The fence of the lease under which it was made, where nodes share cameras; else None.
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
    fence: int | None = None
