"""The guide to the webhook: its example is one of the contract, and its receiver takes what a node sends."""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import jsonschema
import pytest
from ports import free_port
from sink_samples import event, ring, until
from test_webhook import Post, post

__all__ = ["post"]

ROOT = Path(__file__).parents[2]
TOKEN = "tell-nobody-4711"


def block(language: str) -> str:
    page = (ROOT / "docs" / "guide" / "webhook.md").read_text(encoding="utf-8")
    (found,) = re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)
    return str(found)


def test_the_example_is_an_event_of_the_contract() -> None:
    schema = json.loads((ROOT / "contract" / "schemas" / "event.json").read_text(encoding="utf-8"))
    jsonschema.validate(json.loads(block("json")), schema)


@dataclass
class Receiving:
    port: int
    said: IO[str]


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiving]:
    (script := tmp_path / "receiver.py").write_text(block("python"), encoding="utf-8")
    port = free_port()
    with subprocess.Popen(
        [sys.executable, script, str(port)],
        env={**os.environ, "WEBHOOK_TOKEN": TOKEN},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        yield Receiving(port, process.stdout)
        process.kill()


async def test_the_receiver_takes_what_is_sent_with_its_token(receiver: Receiving, post: Post) -> None:
    posting = post(f"http://127.0.0.1:{receiver.port}/", token=TOKEN, tell=("event", "ring"))
    posting.put(event(1), ring(2))
    said = [(await asyncio.to_thread(receiver.said.readline)).split() for _ in range(2)]
    assert [line[:2] for line in said] == [
        ["blikk/porch/front_door/event", "event-1"],
        ["blikk/porch/front_door/ring", "ring-2"],
    ]
    assert posting.lost == 0


async def test_the_receiver_refuses_another_token(receiver: Receiving, post: Post) -> None:
    posting = post(f"http://127.0.0.1:{receiver.port}/", token="another", tell=("event",))
    posting.put(event(1))
    await until(lambda: posting.lost == 1)
