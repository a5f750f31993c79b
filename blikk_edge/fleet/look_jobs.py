"""What goes over the wire between who looks at redacted crops, or words, and the workers that have a model for it.

A job is a message of the site's work queue, as in `jobs`. Its crop is a part of a Picture: its faces are blurred.
"""

import base64
import binascii
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from blikk_edge.core.appearance import NUMBERS_MAX
from blikk_edge.core.errors import ModelError, WireError, quote
from blikk_edge.core.geometry import Box
from blikk_edge.core.sightings import Detection, Label
from blikk_edge.fleet.jobs import object_in, text_of
from blikk_edge.wire.exports import jpeg_size

VERSION: Final = 1
FOUND_MAX: Final = 100
CROP_MAX: Final = 2**20
"""Bytes of a crop at most."""
PIXELS_MAX: Final = 2**22
"""Pixels of a crop at most, as its header says: a few bytes can stand for gigabytes of them."""
WORDS_MAX: Final = 1000
KIND_MAX: Final = 100
NAME_MAX: Final = 60
"""Letters of a model's name that are in subjects."""


DETECT: Final = "detect"
"""The kind of jobs for any detector."""


def embed_kind(model: str) -> str:
    """The kind of jobs for one embedding model, as it stands in subjects: no other model can do its work."""
    return "embed-" + re.sub(r"[^A-Za-z0-9_-]", "_", model)[:NAME_MAX]


@dataclass(frozen=True, slots=True, kw_only=True)
class LookJob:
    """A redacted crop, or words, that somebody in the site wants to have looked at.

    Attributes:
        node: Who asks.
        answer_to: The subject on which the asker listens, as long as it wants the answer.
        model: Whose embedding is wanted: only those of one model can be compared. None: whatever detector is there.
        jpeg: A part of a Picture; None where words are given.
        words: A text that is compared with pictures.
    """

    node: str
    answer_to: str
    model: str | None = None
    jpeg: bytes | None = field(default=None, repr=False)
    words: str | None = None

    def to_bytes(self) -> bytes:
        """As it stands in the queue."""
        content = {
            "v": VERSION,
            "node": self.node,
            "answer_to": self.answer_to,
            "model": self.model,
            "jpeg": None if self.jpeg is None else base64.b64encode(self.jpeg).decode(),
            "words": self.words,
        }
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def look_job_in(data: bytes) -> LookJob:
    """The job of a message; raises WireError."""
    content = object_in(data)
    if content.get("v") != VERSION:
        raise WireError(f"a job of version {quote(str(content.get('v')))}, and this worker knows {VERSION}")
    try:
        jpeg = content["jpeg"]
        job = LookJob(
            node=text_of(content["node"]),
            answer_to=text_of(content["answer_to"]),
            model=_optional(content["model"]),
            jpeg=None if jpeg is None else base64.b64decode(jpeg, validate=True),
            words=_optional(content["words"]),
        )
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise WireError(f"no job: {type(error).__name__} {quote(str(error))}") from None
    if (job.jpeg is None) == (job.words is None) or len(job.jpeg or b"") > CROP_MAX:
        raise WireError(f"no job: it needs words, or a crop of at most {CROP_MAX} bytes")
    if len(job.words or "") > WORDS_MAX:
        raise WireError(f"no job: words of at most {WORDS_MAX} letters are read")
    if job.jpeg is not None and not 0 < math.prod(jpeg_size(job.jpeg) or (0,)) <= PIXELS_MAX:
        raise WireError(f"no job: its crop is no JPEG of at most {PIXELS_MAX} pixels")
    return job


def _optional(value: object) -> str | None:
    return None if value is None else text_of(value)


# -- answers -------------------------------------------------------------------------------------------------------


def vector_bytes(vector: NDArray[np.float32]) -> bytes:
    """An embedding of unit length."""
    return json.dumps({"vector": base64.b64encode(vector.astype("<f4").tobytes()).decode()}).encode()


def found_bytes(model: str, found: Sequence[Detection]) -> bytes:
    """What a detector of this name found."""
    rows = [
        [each.label, each.sub_label, round(each.score, 4), *(round(at, 5) for at in astuple(each.box))]
        for each in found[:FOUND_MAX]
    ]
    return json.dumps({"model": model, "found": rows}).encode()


def refusal_bytes(why: str) -> bytes:
    """Why there is no answer."""
    return json.dumps({"failed": "model", "text": quote(why)}).encode()


def vector_in(data: bytes) -> NDArray[np.float32]:
    """The embedding of an answer; raises ModelError where the worker failed, and WireError for what is no answer."""
    content = _answer(data)
    try:
        numbers = np.frombuffer(base64.b64decode(content["vector"], validate=True), "<f4").astype(np.float32)
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise WireError(f"what is no embedding: {type(error).__name__} {quote(str(error))}") from None
    norm = float(np.linalg.norm(numbers)) if 0 < numbers.size <= NUMBERS_MAX else 0.0
    if not np.isfinite(norm) or not 0.9 < norm < 1.1:
        raise WireError("an embedding that is not of unit length")
    return numbers


def found_in(data: bytes) -> tuple[Detection, ...]:
    """What was found; raises ModelError where the worker failed, and WireError for what is no answer."""
    content = _answer(data)
    try:
        return tuple(
            Detection(label=Label(label), sub_label=_kind(kind), score=_score(score), box=Box(*map(float, box)))
            for label, kind, score, *box in content["found"][:FOUND_MAX]
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise WireError(f"what no detector finds: {type(error).__name__} {quote(str(error))}") from None


def _kind(value: object) -> str:
    """What a detector calls an object; it is written into records and logs."""
    kind = text_of(value)
    if not 0 < len(kind) <= KIND_MAX or not kind.isprintable():
        raise ValueError("not what an object is called")
    return kind


def _score(value: Any) -> float:
    score = float(value)
    if not 0.0 <= score <= 1.0:
        raise ValueError("a score beyond 0..1")
    return score


def _answer(data: bytes) -> Mapping[str, Any]:
    content = object_in(data)
    if "failed" in content:
        raise ModelError(quote(str(content.get("text") or "a worker failed")))
    return content
