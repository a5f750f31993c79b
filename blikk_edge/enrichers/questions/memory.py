"""The last Answer of each Question, as it outlives the process."""

import asyncio
import json
import logging
import math
from dataclasses import asdict
from typing import Any

from blikk_edge.core.errors import StoreError
from blikk_edge.core.ports import Memory
from blikk_edge.core.summary import Answer, Author, Question
from blikk_edge.core.trouble import Trouble

LOG = logging.getLogger("blikk.questions")


class AnswerMemory:
    """Answers in `memory`, one for each question, read and written off the loop. What fails is logged once."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._trouble = Trouble(LOG)

    async def remember(self, question: Question, answer: Answer) -> None:
        """Keep it in place of the last one, where that can be done."""
        try:
            await asyncio.to_thread(self._memory.remember, _key(question), json.dumps(asdict(answer)))
        except StoreError as error:
            self._trouble.start(f"answers will not outlive a restart: {error}")
        else:
            self._trouble.end("answers are remembered now")

    async def recall(self, question: Question, now: float) -> Answer | None:
        """The last answer to this very question, in the same words; None where there is none that can be read."""
        try:
            text = await asyncio.to_thread(self._memory.recall, _key(question))
        except StoreError as error:
            LOG.warning("the last answer to %s cannot be read: %s", question.id, error)
            return None
        try:
            return _answer(json.loads(text or "null"), question, now)
        except (ValueError, TypeError, KeyError, RecursionError):
            return None


def _key(question: Question) -> str:
    return f"question.{question.camera}.{question.id}"


def _answer(content: Any, question: Question, now: float) -> Answer | None:
    """Raises ValueError, TypeError or KeyError for anything that was not written by `remember`."""
    if not isinstance(content, dict):
        return None
    answer = Answer(**{**content, "source": Author(content["source"])})
    numbers = (answer.since, answer.time, answer.confidence)
    sound = isinstance(answer.answer, str) and all(math.isfinite(number) for number in numbers)
    mine = (answer.camera, answer.question, answer.asked) == (question.camera, question.id, question.text)
    return answer if sound and mine and answer.since <= answer.time <= now else None
