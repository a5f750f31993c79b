"""Workers of a site that look at redacted crops, and read words, for a node's threads."""

import asyncio
import concurrent.futures
import logging
from collections.abc import Callable
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import ModelError, SinkError, WireError
from blikk_edge.core.sightings import Detection
from blikk_edge.core.trouble import Trouble
from blikk_edge.fleet.asking import Asker
from blikk_edge.fleet.jobs import Urgency
from blikk_edge.fleet.link import Link
from blikk_edge.fleet.look_jobs import DETECT, LookJob, embed_kind, found_in, vector_in
from blikk_edge.fleet.names import Names

LOG = logging.getLogger("blikk.fleet")

ReadT = TypeVar("ReadT")

WAIT_S: Final = 1.0
"""So long a worker is waited for: the thread that asks watches cameras, too."""

ANSWER_S: Final = 3.0
"""So long an answer is waited for."""


class SharedLooks:
    """Looks of one sort by the workers of a site; `node` is who asks.

    `attach` in the running loop, `embedding` and `found` in any other thread.
    """

    def __init__(self, link: Link, names: Names, *, node: str, clock: Clock) -> None:
        self._asker = Asker(link, names, node=node, wait_s=WAIT_S, clock=clock)
        self._node = node
        self._refused = Trouble(LOG, "a worker answers, and it is of no use: %s")
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def answers(self) -> bool:
        """Whether a worker is asked now: none was missed a short while ago."""
        return self._loop is not None and self._asker.rest_s == 0.0

    @property
    def problem(self) -> str | None:
        """Why none is asked now; None while they answer."""
        return self._asker.problem

    @property
    def refused(self) -> str | None:
        """Why the last answer was of no use; None where it was."""
        return self._refused.now

    def attach(self) -> None:
        """From now on jobs go out in the running loop."""
        self._loop = asyncio.get_running_loop()

    async def close(self) -> None:
        """Let go of the connection."""
        self._loop = None
        await self._asker.close()

    def embedding(self, model: str, *, jpeg: bytes | None = None, words: str | None = None) -> NDArray[np.float32]:
        """What a model of this name makes of a crop of a Picture, or of words; of unit length. Raises ModelError."""
        return self._ask(embed_kind(model), vector_in, model=model, jpeg=jpeg, words=words)

    def found(self, jpeg: bytes) -> tuple[Detection, ...]:
        """What a detector finds in a crop of a Picture, best score first; raises ModelError."""
        return self._ask(DETECT, found_in, jpeg=jpeg)

    async def _answer(
        self, kind: str, urgency: Urgency, made: Callable[[str], bytes], read: Callable[[bytes], ReadT]
    ) -> ReadT:
        answer = await self._asker.ask(kind, urgency, made, within_s=ANSWER_S)
        try:
            found = read(answer)
        except ModelError as error:
            self._refused.start(str(error))
            raise
        except WireError as error:
            text = f"a worker answered with {error}"
            self._refused.start(text)
            raise ModelError(text) from error
        self._refused.end("what workers answer is of use again")
        return found

    def _ask(
        self,
        kind: str,
        read: Callable[[bytes], ReadT],
        *,
        model: str | None = None,
        jpeg: bytes | None = None,
        words: str | None = None,
    ) -> ReadT:
        def made(answer_to: str) -> bytes:
            return LookJob(node=self._node, answer_to=answer_to, model=model, jpeg=jpeg, words=words).to_bytes()

        loop = self._loop
        if loop is None or loop.is_closed():
            raise ModelError("the workers of the site cannot be asked now")
        # somebody waits for a search; what appeared was reported already
        urgency = Urgency.PERSON if words is None else Urgency.RING
        asked = asyncio.run_coroutine_threadsafe(self._answer(kind, urgency, made, read), loop)
        try:
            return asked.result(ANSWER_S + WAIT_S)
        except SinkError as error:
            raise ModelError(str(error)) from error
        except (TimeoutError, concurrent.futures.CancelledError) as error:
            asked.cancel()
            raise ModelError("no worker of the site answered") from error
