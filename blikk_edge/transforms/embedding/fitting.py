"""How well a picture fits a concept: compared with what else pictures of that kind show."""

import math
from typing import Final

from blikk_edge.core.appearance import PROMPT
from blikk_edge.core.errors import ModelError
from blikk_edge.core.sightings import Label
from blikk_edge.transforms.embedding.towers import TwoTowers, Vector

SCALE: Final = 100.0
"""How CLIP weighs a difference of cosines: its learnt logit scale, at the bound that its training sets."""

_OTHERS: Final = (
    "a person",
    "a car on a street",
    "an animal",
    "a bag",
    "an empty street",
)
_OF_LABEL: Final = {Label.PERSON: "a person", Label.VEHICLE: "a vehicle", Label.ANIMAL: "an animal"}


def fit(towers: TwoTowers, picture: Vector, concept: str, label: Label | None) -> float:
    """0..1: how much better a picture's embedding fits these words than the best of the usual ones; .5: as well.

    The logistic function of the difference of cosines, as CLIP's own classification of two. Raises ModelError.
    """
    usual = (*_OTHERS, *([_OF_LABEL[label]] if label in _OF_LABEL else []))
    best = max(_cosine(towers, picture, words) for words in usual)
    difference = _cosine(towers, picture, concept) - best
    return 1.0 / (1.0 + math.exp(-SCALE * max(-1.0, min(1.0, difference))))


def _cosine(towers: TwoTowers, picture: Vector, words: str) -> float:
    vector = towers.text(PROMPT.format(words))
    if vector.shape != picture.shape:  # of two machines that have different models under one name
        raise ModelError(f"{towers.name} gave embeddings of {vector.size} and of {picture.size} numbers")
    return float(vector @ picture)
