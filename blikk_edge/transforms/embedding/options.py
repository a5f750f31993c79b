"""The keys of `blikk.yaml` for searching by words: `search`, and a camera's `concepts`."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from blikk_edge.core.concepts import Concept
from blikk_edge.core.sightings import Label
from blikk_edge.grammar.places import file_in
from blikk_edge.grammar.problem import Wrong, did_you_mean, listed
from blikk_edge.grammar.schema import ById, Key, Section
from blikk_edge.grammar.values import ListOf, Scalar, choice, number
from blikk_edge.transforms.models.registry import REGISTRY, OutputFormat

COLOURS: Final = "colours"
"""In place of a model: labels and dominant colours are searched for, and nothing else."""

MODELS: Final = tuple(entry.name for entry in REGISTRY.values() if entry.decoder is OutputFormat.CLIP)
TEXT_MAX: Final = 200


class Shared(StrEnum):
    """What the workers of the site may do."""

    EMBEDDING = "embedding"  # compare pictures with words
    DETECTOR = "detector"  # say more exactly what appeared


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOptions:
    """How what was seen can be searched for.

    Attributes:
        model: What compares pictures with words: a registry name, a path, or `colours` for none.
        tokenizer: That of a model of your own, a `tokenizer.json`; None with a model of the registry.
        workers: What the workers of the site do.
    """

    model: str = MODELS[0]
    tokenizer: Path | None = None
    workers: tuple[Shared, ...] = ()

    @property
    def by_words(self) -> bool:
        """Whether there is a model."""
        return self.model != COLOURS

    @property
    def of_its_own(self) -> bool:
        """Whether this machine is to have that model."""
        return self.by_words and Shared.EMBEDDING not in self.workers


_WORKERS: Final = Key(
    name="workers",
    value=ListOf(choice(Shared)),
    meaning="What the workers of the site (`fleet:`, `blikk worker`) do for this node: `embedding`: they compare "
    "pictures with words, by the same `model`, and this node fetches none; its own copy serves where none answers, "
    "if it is here. `detector`: a larger detector of theirs says what appeared (`truck` in place of `car`). They are "
    "sent crops of redacted pictures.",
    default="none",
)


def search(folder: Path, *, of_node: bool = True) -> Section:
    """What stands below `search`, whose relative paths start at `folder`. A node may have workers do some of it."""
    return Section(
        of=SearchOptions,
        make=_checked,
        plain="model",
        switch=True,
        keys=(
            Key(
                name="model",
                value=_model(folder),
                meaning="What compares pictures with words, on this machine: `tinyclip`, the same in float32, or your "
                "own CLIP model in ONNX with both towers. `colours`: no model, so that only a label and dominant "
                'colours ("red car") are found. A model needs `pip install "blikk-edge[clip]"`.',
            ),
            Key(
                name="tokenizer",
                value=file_in(folder),
                meaning="The `tokenizer.json` of your own model.",
            ),
            *([_WORKERS] if of_node else []),
        ),
    )


def _model(folder: Path) -> Scalar:
    file = file_in(folder)
    names = (*MODELS, COLOURS)

    def read(text: str) -> str:
        if "/" in text or text.endswith(".onnx"):
            return str(file(text))
        if text not in names:
            raise Wrong("no model of that name is known", did_you_mean(text, names))
        return text

    return Scalar(f"{listed(names)}, or a path", read)


def _checked(**values: Any) -> SearchOptions:
    made = SearchOptions(**values)
    own = made.model not in {*MODELS, COLOURS}
    if own and made.tokenizer is None:
        raise Wrong("a model of your own without `tokenizer`", "Add `tokenizer:`, the path of its tokenizer.json.")
    if Shared.EMBEDDING in made.workers and not made.by_words:
        raise Wrong("no model that workers could have", "Name a model, or leave out `embedding`.", "workers")
    if made.tokenizer is not None and not own:
        raise Wrong("`tokenizer` without a model of your own", "Remove it, or name your model's path.", "tokenizer")
    return made


def _text(text: str) -> str:
    if not 1 <= len(text.strip()) <= TEXT_MAX:
        raise Wrong("a concept that is empty or too long", f"Describe it in at most {TEXT_MAX} characters.")
    return text.strip()


CONCEPTS: Final = Key(
    name="concepts",
    value=ById(
        section=Section(
            of=Concept,
            plain="text",
            keys=(
                Key(
                    name="text",
                    value=Scalar("a few words", _text),
                    required=True,
                    meaning="What is looked for, in English, as a caption would say it: `a person carrying a parcel`.",
                ),
                Key(name="threshold", value=number(0, 1), meaning="How well it must fit, from 0 to 1."),
                Key(name="labels", value=ListOf(choice(Label)), meaning="Which objects are compared with it."),
            ),
        ),
        given="id",
        words="one entry for each concept",
    ),
    meaning="Words that each object that appears is compared with, each below an id that becomes a binary sensor: "
    '`parcel_person: "person carrying a parcel"`. Needs `search` with a model.',
)
