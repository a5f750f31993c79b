"""A doorbell agent: a language model decides whether what happens at the door is worth a message, and writes it.

    python agent.py rtsp://user:password@192.168.1.20/stream [--model-url http://127.0.0.1:11434/v1] [--model NAME]

It watches by itself, without Home Assistant. Twice a minute at most the model gets a few lines of text about what was
seen, never a picture, and answers with a decision in JSON. What it says is printed; send it where you like.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass

import httpx2

from blikk_edge import AgentSink, Stream
from blikk_edge.core.errors import BlikkError

SYSTEM = """\
You watch over the front door of a household. You get notes of what a camera saw. Decide whether the people who live
there want a message now. They do when somebody comes to the door, stays there, or leaves something. They do not for
cars and animals that pass by, or when nothing is new. Answer with JSON alone:
{"notify": true or false, "message": "one short sentence about what the notes say, and nothing else"}"""


@dataclass(frozen=True)
class Decision:
    """What the model wants.

    Attributes:
        notify: Whether the household gets a message.
        message: The message; empty without one.
    """

    notify: bool
    message: str = ""


class Agent:
    """Asks the model about each digest; `say` gets the messages."""

    def __init__(self, model_url: str, model: str, say: Callable[[str], None]) -> None:
        self._model_url = model_url
        self._model = model
        self._say = say

    async def __call__(self, digest: str) -> None:
        """Decide about one digest. What it raises is logged, and tried again twice."""
        decision = await self.decide(digest)
        if decision.notify:
            self._say(decision.message)

    async def decide(self, digest: str) -> Decision:
        """Ask the model; raises an error where it does not answer, or with something else than a decision."""
        request = {
            "model": self._model,
            "messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": digest}],
            "max_tokens": 120,
        }
        async with httpx2.AsyncClient(base_url=self._model_url, timeout=60) as client:
            answer = await client.post("chat/completions", json=request)
        answer.raise_for_status()
        text = str(answer.json()["choices"][0]["message"]["content"])
        said = json.loads(text[text.index("{") : text.rindex("}") + 1])
        return Decision(notify=said["notify"] is True, message=str(said.get("message", ""))[:300])


def main() -> None:
    """Watch until the stream ends, or Ctrl-C."""
    asked = argparse.ArgumentParser(description="A language model decides what at the door is worth a message.")
    asked.add_argument("source", help="the camera's address, or a clip")
    asked.add_argument("--model-url", default="http://127.0.0.1:11434/v1", help="an OpenAI-compatible server")
    asked.add_argument("--model", default="qwen3:4b", help="the name of the model there")
    given = asked.parse_args()
    agent = AgentSink(
        Agent(given.model_url, given.model, lambda message: print(message, flush=True)),
        window="30s",
        max_calls_per_day=200,
    )
    with Stream(given.source, labels=["person", "package"], sinks=[agent]) as stream:
        stream.wait()


if __name__ == "__main__":
    try:
        main()
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("stopped")
    except BlikkError as error:
        sys.exit(str(error))
