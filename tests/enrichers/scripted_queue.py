"""A desk that answers as a test says, and remembers what it was asked."""

import asyncio
import json

from blikk_edge.core.errors import LlmError
from blikk_edge.llm.port import Completion


def answer(title="A person at the door", text="A person was there.", importance="normal", **more):
    """What a model writes that does as it is reported."""
    return json.dumps({"title": title, "text": text, "importance": importance, **more})


class ScriptedQueue:
    """Gives the next of `script` to each job: text, an LlmError, or a future of one; then plain answers for ever."""

    def __init__(self, *script, sees=True):
        self.sees = sees
        self.jobs = []
        self._script = list(script)

    async def ask(self, job):
        self.jobs.append(job)
        await asyncio.sleep(0)
        step = self._script.pop(0) if self._script else answer()
        if isinstance(step, asyncio.Future):
            step = await step
        if isinstance(step, LlmError):
            raise step
        return Completion(text=step, model="tiny", input_tokens=100, output_tokens=20)

    @property
    def prompts(self):
        return [job.prompt for job in self.jobs]
