"""What a worker does with a redacted crop, or with words: an embedding, or what a detector finds."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from blikk_edge.core.errors import LlmError, ModelError
from blikk_edge.core.sightings import Detection
from blikk_edge.fleet.look_jobs import (
    DETECT,
    LookJob,
    embed_kind,
    found_bytes,
    look_job_in,
    refusal_bytes,
    vector_bytes,
)
from blikk_edge.fleet.site_budget import SiteBudget
from blikk_edge.fleet.work import Done
from blikk_edge.llm.port import AwayError

LOG: Final = logging.getLogger("blikk.worker")


class Embedding(Protocol):
    """What turns crops and words into embeddings of unit length. Safe from any thread; raises ModelError.

    Attributes:
        name: That of the model.
    """

    name: str

    def of_jpeg(self, jpeg: bytes) -> NDArray[np.float32]:
        """The embedding of a picture."""
        ...

    def of_words(self, words: str) -> NDArray[np.float32]:
        """The embedding of a text."""
        ...


class Finding(Protocol):
    """What finds objects in crops. Safe from any thread; raises ModelError.

    Attributes:
        name: That of the detector.
    """

    name: str

    def in_jpeg(self, jpeg: bytes) -> tuple[Detection, ...]:
        """What is in a picture, best score first."""
        ...


class LookWork:
    """Does jobs of one kind in other threads, as `answer` says. There is nothing that could be away: it never rests."""

    problem: str | None = None
    rest_s = 0.0

    def __init__(self, kind: str, name: str, answer: Callable[[LookJob], bytes]) -> None:
        self.kind = kind
        self.name = name
        self._answer = answer

    def read(self, data: bytes) -> LookJob:
        """The job of a message; raises WireError."""
        return look_job_in(data)

    async def do(self, job: LookJob, _budget: SiteBudget, *, left_s: float) -> Done:
        """See `Work`. Looks cost no tokens."""
        try:
            async with asyncio.timeout(left_s):
                return Done(answer=await asyncio.to_thread(self._answer, job))
        except TimeoutError as error:
            raise AwayError(f"{self.name} did not answer within {left_s:.1f} s") from error
        except ModelError as error:
            return Done(answer=refusal_bytes(str(error)), failed=True)

    def rest(self, error: LlmError) -> None:
        """See `Work`."""
        LOG.debug("%s", error)

    def well(self) -> None:
        """See `Work`."""

    async def close(self) -> None:
        """See `Work`."""


def embedding_work(embedding: Embedding) -> LookWork:
    """Embeddings by one model; jobs for another, of a name that looks the same in subjects, are refused."""

    def answer(job: LookJob) -> bytes:
        if job.model != embedding.name:
            raise ModelError(f"this worker has the model {embedding.name}, and {job.model} is asked for")
        if job.jpeg is not None:
            return vector_bytes(embedding.of_jpeg(job.jpeg))
        return vector_bytes(embedding.of_words(job.words or ""))

    return LookWork(embed_kind(embedding.name), embedding.name, answer)


def detector_work(finding: Finding) -> LookWork:
    """Detections by one detector."""

    def answer(job: LookJob) -> bytes:
        if job.jpeg is None:
            raise ModelError("a detector reads no words")
        return found_bytes(finding.name, finding.in_jpeg(job.jpeg))

    return LookWork(DETECT, finding.name, answer)
