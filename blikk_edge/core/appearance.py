"""What somebody or something looked like when it appeared, without pixels: colours, and an embedding to search by."""

import base64
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from blikk_edge.core.sightings import Label

VALUE_BYTES: Final = 2
"""Of one number of an embedding: IEEE 754 half precision, little endian."""

NUMBERS_MAX: Final = 4096

PROMPT: Final = "a photo of {}"
"""What words become for a model: it was trained with captions, and a bare noun is further from them."""


class Colour(StrEnum):
    """The basic colour terms (Berlin and Kay), which most languages have a word for."""

    BLACK = "black"
    WHITE = "white"
    GREY = "grey"
    RED = "red"
    ORANGE = "orange"
    BROWN = "brown"
    YELLOW = "yellow"
    GREEN = "green"
    BLUE = "blue"
    PURPLE = "purple"
    PINK = "pink"


class FoundBy(StrEnum):
    """How a search found something."""

    CONCEPT = "concept"  # a model compared words and picture
    COLOUR = "colour"  # label and dominant colours are those of the words


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedding:
    """A vector of unit length that describes a redacted picture, or a part of one.

    Only embeddings of the same model can be compared.

    Attributes:
        model: The name of the model that made it.
        float16: Its numbers, little endian half precision, in base64.
    """

    model: str
    float16: str

    def __post_init__(self) -> None:
        if len(self.raw) % VALUE_BYTES or not 0 < len(self.raw) <= NUMBERS_MAX * VALUE_BYTES:
            raise ValueError(f"an embedding has 1 to {NUMBERS_MAX} numbers of {VALUE_BYTES} bytes")

    @classmethod
    def packed(cls, model: str, raw: bytes) -> "Embedding":
        """That of these numbers, little endian half precision; raises ValueError for none or too many."""
        return cls(model=model, float16=base64.b64encode(raw).decode("ascii"))

    @property
    def raw(self) -> bytes:
        """Its numbers, little endian half precision; raises ValueError where it holds something else."""
        return base64.b64decode(self.float16, validate=True)

    @property
    def numbers(self) -> tuple[float, ...]:
        """Its numbers."""
        return struct.unpack(f"<{len(self.raw) // VALUE_BYTES}e", self.raw)


@dataclass(frozen=True, slots=True, kw_only=True)
class Appearance:
    """What one object, or a whole picture, looked like in a Picture whose faces are blurred.

    Attributes:
        track: The number of the object's Track; None: the whole picture.
        label: What the object is to the user; None: the whole picture.
        kind: The detector's own class of it; empty: the whole picture.
        colours: Its dominant colours, the largest first, at most three.
        embedding: None where no model could be asked, or there was no time.
    """

    track: int | None = None
    label: Label | None = None
    kind: str = ""
    colours: tuple[Colour, ...] = ()
    embedding: Embedding | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """An Appearance as it was read from a Picture.

    Attributes:
        appearance: What it looked like.
        scores: How well each concept that was asked for fits, 0..1, by its id; empty without an embedding.
        skipped: Whether there was no time for an embedding.
    """

    appearance: Appearance
    scores: Mapping[str, float] = field(default_factory=dict)
    skipped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAppearance:
    """An Appearance of the past.

    Attributes:
        seq: Its number, in the order in which they were stored.
        observation: The id of the Observation that it came with.
        camera: The camera's id.
        event: The id of the Event it belongs to, if any.
        time: When it was seen, seconds since 1970 UTC.
        label: What it is to the user; None: a whole picture.
        kind: The detector's own class of it.
        colours: Its dominant colours, the largest first.
    """

    seq: int
    observation: str
    camera: str
    event: str | None
    time: float
    label: Label | None
    kind: str
    colours: tuple[Colour, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """How appearances are described in words; many share one.

    Attributes:
        label: As of a StoredAppearance.
        kind: Likewise.
        colours: Likewise.
    """

    label: Label | None
    kind: str
    colours: tuple[Colour, ...]
