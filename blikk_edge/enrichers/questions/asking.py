"""One Question put to the language model: asked, mended at most once of each kind, checked against what is tracked."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from blikk_edge.core.errors import LlmError
from blikk_edge.core.picture import Picture
from blikk_edge.core.summary import AnswerKind, Question
from blikk_edge.enrichers.questions.prompt import UNKNOWN, ModelReply, question_prompt, reply_from_json
from blikk_edge.language.facts import Facts
from blikk_edge.language.grounding import Claim, Violation, check
from blikk_edge.language.language import language
from blikk_edge.llm.port import BlindError, Completion, GarbledError, TooLongError
from blikk_edge.llm.queue.port import Job, JobQueue, Priority

USEFUL_S: Final = 60.0

NEVER: Final = frozenset(
    {Claim.IDENTITY, Claim.INTENT, Claim.AGE, Claim.GENDER, Claim.ETHNICITY, Claim.WEAPON, Claim.LANGUAGE}
)
"""What not even a picture supports."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a question to the model.

    Attributes:
        reply: None where the model was not to be had.
        why: Why there is no reply, or none but `unknown`; empty where it answered.
        spent: What each call cost, whatever came of it.
        seen: Whether the reply rests on a Picture.
    """

    reply: ModelReply | None = None
    why: str = ""
    spent: tuple[Completion, ...] = ()
    seen: bool = False


async def put(
    question: Question, queue: JobQueue, *, facts: Facts, lines: Sequence[str], picture: Picture | None
) -> Outcome:
    """The model's answer to a question about these facts, given in these lines and shown in this picture.

    An answer that cannot be used is asked for once more, without the Picture: none is sent twice. Where the model then
    still gives none, the reply is `unknown` with confidence 0.
    """
    spent: list[Completion] = []
    mended: set[type[LlmError]] = set()
    seen, wrong = False, None
    spoken = language(facts.locale.language)
    while True:
        prompt = question_prompt(question, camera=facts.name, lines=lines, picture=picture, spoken=spoken, wrong=wrong)
        key = ("question", question.camera, question.id)
        job = Job(key=key, camera=question.camera, priority=Priority.QUESTION, prompt=prompt, useful_s=USEFUL_S)
        try:
            completion = await queue.ask(job)
            spent.append(completion)
            seen = seen or picture is not None
            reply = reply_from_json(completion.text, question.kind)
        except LlmError as error:
            if isinstance(error, GarbledError) and error.spent is not None:
                spent.append(error.spent)
            if type(error) in mended or not isinstance(error, GarbledError | BlindError | TooLongError):
                return _failed(error, tuple(spent), facts)
            mended.add(type(error))
            picture = None
            if isinstance(error, TooLongError):
                lines = lines[: max(1, len(lines) // 2)]
            elif isinstance(error, GarbledError):
                wrong = f"{spent[-1].text[:200] if spent else ''}: {error}"
            continue
        return Outcome(reply=grounded(reply, question, facts, seen=seen), spent=tuple(spent), seen=seen)


def grounded(reply: ModelReply, question: Question, facts: Facts, *, seen: bool) -> ModelReply:
    """A reply without what nothing supports: evidence goes, and a text that is not supported becomes `unknown`.

    Where a Picture was seen, only what no picture supports is looked for.
    """
    if question.kind is AnswerKind.TEXT and reply.answer != UNKNOWN and _wrong(reply.answer, facts, seen=seen):
        return ModelReply(answer=UNKNOWN, confidence=0.0, evidence=_said("unsupported", facts))
    return replace(reply, evidence="") if _wrong(reply.evidence, facts, seen=seen) else reply


def _wrong(text: str, facts: Facts, *, seen: bool) -> Sequence[Violation]:
    found = check("", text, facts, pictures=seen) if text else ()
    return [violation for violation in found if violation.claim in NEVER] if seen else found


def _said(key: str, facts: Facts) -> str:
    return language(facts.locale.language).say(f"evidence.{key}")


def _failed(error: LlmError, spent: tuple[Completion, ...], facts: Facts) -> Outcome:
    if isinstance(error, GarbledError):
        reply = ModelReply(answer=UNKNOWN, confidence=0.0, evidence=_said("unusable", facts))
        return Outcome(reply=reply, why=str(error), spent=spent)
    return Outcome(why=str(error), spent=spent)
