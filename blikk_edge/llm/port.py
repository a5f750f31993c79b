"""What every language model looks like from inside: a Prompt in, a Completion out, or an LlmError that says what to do.

A plug-in is a class with these methods; `docs/guide/language-models.md` shows one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import LlmError
from blikk_edge.core.picture import Picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One call of a model.

    Attributes:
        system: Instructions, ours alone.
        user: What it is about; whatever came from outside stands quoted in it.
        schema_name: What services that want a name for `schema` are given.
        schema: The JSON Schema that its answer must fit: an object, every string and list bounded.
        pictures: Redacted ones that the model is to see.
        max_tokens: Of the answer, at most.
    """

    system: str
    user: str
    schema_name: str
    schema: Mapping[str, Any] = field(repr=False)
    pictures: tuple[Picture, ...] = ()
    max_tokens: int = 240


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """What a model wrote, and what it cost.

    Attributes:
        text: Its answer, unchecked.
        model: The name of who wrote it, as the service gives it.
        input_tokens: Those of the prompt and its Pictures.
        output_tokens: Those of the answer.
        estimated: Whether the model did not count its tokens, so that these are a rule of thumb.
    """

    text: str
    model: str
    input_tokens: int
    output_tokens: int
    estimated: bool = False


class LanguageModel(Protocol):
    """A model that can be asked, one call at a time or several."""

    name: str
    """Its name, as it is shown to the user."""

    sees: bool
    """Whether it takes Pictures; turns False when it turns out not to."""

    async def complete(self, prompt: Prompt, *, deadline_s: float) -> Completion:
        """Its answer within `deadline_s` seconds in all; raises one of the LlmErrors below, nothing else expected."""
        ...

    async def close(self) -> None:
        """Let go of connections and processes."""
        ...


@runtime_checkable
class Counting(Protocol):
    """A model that has counted what prompts cost."""

    def expected_tokens(self, prompt: Prompt) -> int:
        """What a prompt will cost, in tokens."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelContext:
    """What the kind of a model provider is handed.

    Attributes:
        clock: Gives the time; nothing else may.
        share: Makes the model that the site's workers are, of the node's own model for when none of them answers (None:
            the template writes) and of how many seconds it waits for one; None: the node belongs to no site.
    """

    clock: Clock
    share: Callable[[LanguageModel | None, float], LanguageModel] | None = field(default=None, repr=False)


class AwayError(LlmError):
    """It cannot be reached, broke off, was too slow, or failed inside: worth another try later."""


class BusyError(AwayError):
    """It asks for patience (429, 503 with Retry-After): not before `retry_after_s`, None where it did not say."""

    def __init__(self, text: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s


class RefusedError(LlmError):
    """It will not answer this user or this model (401, 403, 404, wrong address): mend the configuration."""


class TooLongError(LlmError):
    """The prompt does not fit its context; half of the lines may."""


class BlindError(LlmError):
    """It does not take Pictures; ask again without."""


class GarbledError(LlmError):
    """What it answered is no answer: HTML, no choices, cut-off or invalid JSON. `spent` is what it cost."""

    def __init__(self, text: str, *, spent: Completion | None = None) -> None:
        super().__init__(text)
        self.spent = spent
