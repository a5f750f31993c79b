"""Watched questions as a kind of enricher: what is asked about what a camera sees, and how often."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from blikk_edge.core.summary import AnswerKind, Question
from blikk_edge.enrichers.context import WriterContext
from blikk_edge.grammar.problem import Wrong
from blikk_edge.grammar.schema import ById, Key, Section
from blikk_edge.grammar.values import Scalar, choice, duration
from blikk_edge.kinds.kind import Kind

if TYPE_CHECKING:
    from blikk_edge.enrichers.questions.watcher import QuestionWatcher

DAY = 86400.0
QUESTION_MAX: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionSettings:
    """A sentence to be watched at a camera.

    Attributes:
        id: Its place on MQTT, the key in the file.
        ask: The question.
        answer: What it is answered with.
        every_s: How often it is asked even if nothing changed.
    """

    id: str
    ask: str
    answer: AnswerKind = AnswerKind.YES_NO
    every_s: float = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionsOptions:
    """The questions of all cameras."""

    questions: tuple[Question, ...] = ()


def _question_text(text: str) -> str:
    if len(text.strip()) > QUESTION_MAX:
        raise Wrong("a question that is too long", f"Ask in at most {QUESTION_MAX} characters.")
    return text.strip()


_QUESTION = Section(
    of=QuestionSettings,
    plain="ask",
    keys=(
        Key(name="ask", value=Scalar("a question", _question_text), required=True, meaning="The question."),
        Key(name="answer", value=choice(AnswerKind), meaning="What it is answered with."),
        Key(name="every_s", value=duration(10, DAY), meaning="How often it is asked even if nothing changed."),
    ),
)

OPTIONS = Section(
    of=QuestionsOptions,
    keys=(
        Key(
            name="questions",
            value=ById(section=_QUESTION, given="id", words="one entry for each question"),
            meaning='Sentences that are watched, each below an id: `gate_open: "Is the gate open?"`.',
        ),
    ),
)


def _make(options: QuestionsOptions, context: WriterContext) -> "QuestionWatcher":
    from blikk_edge.enrichers.questions.watcher import QuestionWatcher  # noqa: PLC0415  # a configuration is read without

    return QuestionWatcher(
        options.questions,
        publish=context.publish,
        clock=context.clock,
        queue=context.queue,
        order=context.order,
        memory=context.memory,
        mode_of=context.mode_of,
        names=context.names,
        zones=context.zones,
        shrink=context.shrink,
        locale=context.locale,
    )


KIND: Kind[WriterContext, "QuestionWatcher"] = Kind(
    name="questions",
    meaning="Watches a camera's questions, and says when an answer changes.",
    options=OPTIONS,
    make=_make,
)
