"""Gets a Note written: by the model where it can be had and is right, else by the template; always in bounded time."""

import logging
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import LlmError
from blikk_edge.core.summary import Author, Checked, Importance, Said, Summary
from blikk_edge.enrichers.summaries.note import Note, note_from_json
from blikk_edge.enrichers.summaries.prompts import Brief
from blikk_edge.enrichers.summaries.template import importance, template
from blikk_edge.language.facts import Facts
from blikk_edge.language.grounding import Violation, is_known
from blikk_edge.llm.port import BlindError, Completion, GarbledError, TooLongError
from blikk_edge.llm.queue.port import Job, JobQueue, NotNowError, Priority, SupersededError

LOG = logging.getLogger("blikk.summary")


class Check(Protocol):
    """What a title and a text say that the facts do not support; empty where all is well.

    `pictures` says that the writer saw Pictures: of these it may say what no observation
    tells; `said` is its own account, where it was asked for one.
    """

    def __call__(
        self, title: str, text: str, facts: Facts, *, pictures: bool, said: Said | None
    ) -> Sequence[Violation]:
        """Check one Note."""
        ...


_ORDER: Final = tuple(Importance)
REASONS_MAX: Final = 3
"""Of what is wrong with a text so much is said to its writer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A Note, who wrote it, and what it cost, also where the template had to serve in the end.

    Attributes:
        note: As it is to be published.
        source: Who wrote it.
        model: The name of the model that wrote it; None for the template.
        input_tokens: Those sent, in all tries together.
        output_tokens: Those written, in all tries together.
        pictures: How many the model saw.
        unsent: Whether the Pictures that it was to see never left.
    """

    note: Note
    source: Author = Author.TEMPLATE
    model: str | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    pictures: int = 0
    unsent: bool = False

    def summary(
        self,
        *,
        id: str,  # noqa: A002  # the glossary's word
        facts: Facts,
        time: float,
        event: str | None = None,
        revision: int = 1,
    ) -> Summary:
        """As it is published."""
        return Summary(
            id=id,
            camera=facts.camera,
            event=event,
            revision=revision,
            time=time,
            since=facts.since,
            until=facts.until,
            title=self.note.title,
            text=self.note.text,
            importance=self.note.importance,
            labels=facts.labels,
            source=self.source,
            model=self.model,
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            pictures=self.pictures,
            checked=self._checked(facts),
        )

    def _checked(self, facts: Facts) -> Checked:
        partly = self.source is Author.LLM and not is_known(facts.locale.language)
        return Checked.PARTLY if partly else Checked.WHOLE


@dataclass(frozen=True, slots=True, kw_only=True)
class CallLimits:
    """How a model is asked: the fields of a Job without its prompt.

    Attributes:
        key: Of waiting jobs with the same key only the newest is done.
        camera: The camera's id; None for work of the whole node.
        priority: Lower goes first.
        useful_s: After so many seconds nobody needs it any more; bounds all its tries together.
    """

    key: Hashable
    camera: str | None
    priority: Priority
    useful_s: float = 60.0


class TextWriter:
    """Asks the `queue`, and checks what comes back. Without a queue the template writes everything."""

    def __init__(self, *, queue: JobQueue | None, check: Check, clock: Clock) -> None:
        self._queue = queue
        self._check = check
        self._clock = clock

    @property
    def sees(self) -> bool:
        """Whether Pictures are of use."""
        return self._queue is not None and self._queue.sees

    def plain(self, facts: Facts) -> Draft:
        """By the template."""
        return Draft(note=template(facts))

    async def write(self, brief: Brief, limits: CallLimits) -> Draft | None:
        """By the model, mended at most once of each kind; None where a newer call took this one's place.

        An answer that cannot be read, or that the facts do not support, is asked for once more, whichever comes first;
        a prompt that is too long is sent once with half its lines, and one whose Pictures are not taken without them.
        Whatever else fails, the template writes. All tries together take no longer than `limits.useful_s`.
        """
        if self._queue is None:
            return self.plain(brief.facts)
        attempt = _Attempt(brief)
        until = self._clock.monotonic() + limits.useful_s
        while (left_s := until - self._clock.monotonic()) > 0:
            job = Job(
                key=limits.key,
                camera=limits.camera,
                priority=limits.priority,
                prompt=attempt.brief.prompt(),
                useful_s=left_s,
            )
            try:
                completion = await self._queue.ask(job)
                attempt.paid(completion)
                note = note_from_json(completion.text, saying=brief.saying)
            except SupersededError:
                return None
            except LlmError as error:
                if attempt.mended(error):
                    continue
                LOG.debug("%s: the template serves: %s", brief.facts.name, error)
                break
            # what it was shown, now or at an earlier try; what it was to be shown counts for nothing
            pictures = attempt.saw or bool(brief.before)
            if wrong := self._check(note.title, note.text, brief.facts, pictures=pictures, said=note.said):
                LOG.info("%s: what %s wrote is not supported: %s", brief.facts.name, completion.model, wrong)
                said = "; ".join(each.words for each in wrong[:REASONS_MAX])
                if attempt.mended(GarbledError(f"the lines do not say, or not so: {said}")):
                    continue
                break
            return attempt.draft(_tempered(note, brief.facts), completion.model)
        return attempt.draft(template(brief.facts), None)


class _Attempt:
    """One text on its way: the brief as it stands, what was mended, what was paid."""

    def __init__(self, brief: Brief) -> None:
        self.brief = brief
        self._mended: set[type[LlmError]] = set()
        self._sent = False
        self._answer = ""
        self._input_tokens = 0
        self._output_tokens = 0
        self._pictures = 0

    def paid(self, completion: Completion) -> None:
        """An answer came, whatever it is worth."""
        self._sent = True
        self._answer = completion.text
        self._input_tokens += completion.input_tokens
        self._output_tokens += completion.output_tokens
        self._pictures += len(self.brief.pictures)

    @property
    def saw(self) -> bool:
        """Whether the model was shown Pictures."""
        return self._pictures > 0

    def mended(self, error: LlmError) -> bool:
        """Whether the brief was changed so that one more try may help. Pictures are not sent a second time."""
        kind = type(error)
        self._sent = self._sent or not isinstance(error, NotNowError)
        if kind in self._mended:
            return False
        self._mended.add(kind)
        match error:
            case TooLongError():
                self.brief = self.brief.shorter().blind()
            case BlindError() if self.brief.pictures:
                self.brief = self.brief.blind()
            case GarbledError(spent=spent):
                if spent is not None:
                    self.paid(spent)
                self.brief = self.brief.repair(self._answer, str(error))
            case _:
                return False
        return True

    def draft(self, note: Note, model: str | None) -> Draft:
        """With what was paid."""
        return Draft(
            note=note,
            source=Author.TEMPLATE if model is None else Author.LLM,
            model=model,
            input_tokens=self._input_tokens,
            output_tokens=self._output_tokens,
            pictures=self._pictures,
            unsent=not self._sent,
        )


def _tempered(note: Note, facts: Facts) -> Note:
    """A model's importance at most one step from the rules'."""
    rule, said = _ORDER.index(importance(facts)), _ORDER.index(note.importance)
    return replace(note, importance=_ORDER[min(max(said, rule - 1), rule + 1)])
