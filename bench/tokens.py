"""What text about events costs: tokens an event, a busy minute and an hour, beside showing a model every frame.

    python bench/tokens.py [--quick] [--check] [--price-in 0.15] [--price-out 0.60]

A clip runs through the whole pipeline (`blikk replay`'s), its records through the summarizer and the desk with their
default limits, on the clip's own clock. Tokens are counted with o200k_base where `tiktoken` is installed and has it in
TIKTOKEN_CACHE_DIR, else estimated from above as the budget does; a tiny model's own tokenizer knows letters only, and
would count bytes. What a model writes is taken to be as long as a usual template text. Beside it the naive way: one
frame a second with an instruction of one sentence, whatever happens. A picture counts 258 tokens.

Busy minutes are those in which an event goes on, rounded up to whole ones. Quiet is an hour without events.
`--check` exits 1 where text costs more than 400 tokens in a busy minute, or anything while it is quiet. `--quick` plays
the first 40 s of each clip. Without the test data the demo's own clip is played.
"""

import argparse
import asyncio
import contextlib
import json
import math
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rig import data_folder, table

from blikk_edge.app.replays import replay
from blikk_edge.core.clock import VirtualClock
from blikk_edge.core.observation import Event, Observation, Observed, Phase
from blikk_edge.core.picture import Picture
from blikk_edge.core.ports import Item
from blikk_edge.core.status import SummaryMode
from blikk_edge.core.summary import Summary
from blikk_edge.demo import clip as own_clip
from blikk_edge.enrichers.summaries.summarizer import Summarizer
from blikk_edge.enrichers.summaries.text_writer import TextWriter
from blikk_edge.llm.port import Completion, Prompt
from blikk_edge.llm.queue.budget import Limits
from blikk_edge.llm.queue.model_queue import ModelQueue
from blikk_edge.llm.tokens import IMAGE_TOKENS, MESSAGE_TOKENS, data_tokens, prompt_tokens, prose_tokens
from blikk_edge.transforms.privacy.shrink import shrink

GOAL_BUSY = 400.0
QUICK_S = 40.0
TAIL_S = 120.0
CLIPS = ("video/intel_sample/one-by-one-person-detection.mp4", "video/intel_sample/car-detection.mp4")
NAIVE_PROMPT = "Describe what happens in this picture of a home camera in one sentence."
NAIVE_ANSWER = "A person in dark clothes walks along the path towards the front door of the house, carrying a bag."
START = 1_767_268_800.0
ENCODING = "o200k_base"

Count = Callable[[str], int]
Counts = tuple[Count, Count, Count]
"""Of prose, of lines, of compact JSON."""

JSON_BYTES = 2.5
"""Bytes of a token in compact JSON, measured on two large public vocabularies; the worse one."""


@dataclass
class Bill:
    """What was spent on a clip."""

    tokens_in: int = 0
    tokens_out: int = 0
    pictures: int = 0
    prompts: list[Prompt] = field(default_factory=list)
    summaries: list[Summary] = field(default_factory=list)


@dataclass(frozen=True)
class Row:
    """One way of writing about one clip."""

    clip: str
    way: str
    events: int
    minutes: int
    bill: Bill | None
    sent: int
    written: int

    @property
    def a_minute(self) -> float:
        """Tokens in a busy minute."""
        return (self.sent + self.written) / self.minutes


class CountingModel:
    """Writes what the template would, and counts every token that passes."""

    name = "counted"

    def __init__(self, bill: Bill, counts: Counts) -> None:
        self.sees = True
        self._bill = bill
        self._prose, self._lines, self._json = counts

    async def complete(self, prompt: Prompt, *, deadline_s: float) -> Completion:
        title, text = "A person at the front door", "A person came at 12:00, stood at the porch for 40 s and left."
        answer = json.dumps({"title": title, "text": text, "importance": "normal"})
        schema = self._json(json.dumps(prompt.schema, separators=(",", ":")))
        sent = self._prose(prompt.system) + self._lines(prompt.user) + schema + 2 * MESSAGE_TOKENS
        sent += IMAGE_TOKENS * len(prompt.pictures)
        written = self._prose(answer)
        self._bill.tokens_in += sent
        self._bill.tokens_out += written
        self._bill.pictures += len(prompt.pictures)
        self._bill.prompts.append(prompt)
        return Completion(text=answer, model=self.name, input_tokens=sent, output_tokens=written)

    async def close(self) -> None:
        """Nothing to let go of."""


async def spent(items: Sequence[Item], mode: SummaryMode, counts: Counts) -> Bill:
    """The bill for what a clip reported."""
    bill, clock = Bill(), VirtualClock(START)
    queue = ModelQueue(CountingModel(bill, counts), limits=Limits(), clock=clock, estimate=prompt_tokens)
    writer = TextWriter(queue=queue, check=lambda *_, **__: (), clock=clock)
    summarizer = Summarizer(
        writer=writer,
        publish=lambda record: bill.summaries.append(record) if isinstance(record, Summary) else None,
        clock=clock,
        mode_of=lambda _camera: mode,
        names={"camera": "Front door"},
        shrink=shrink,
    )
    inbox: asyncio.Queue[Item] = asyncio.Queue()
    tasks = [asyncio.create_task(queue.run()), asyncio.create_task(summarizer.run(inbox))]
    try:
        for item in items:
            if isinstance(item, (Event, Observation, Picture)):
                await clock.advance(max(0.0, item.time - clock.now()))
            inbox.put_nowait(item)
        for _ in range(int(TAIL_S)):
            await clock.advance(1.0)
            await asyncio.sleep(0.002)  # Pictures are made smaller in a thread
    finally:
        for task in tasks:
            if task.done():
                task.result()
            task.cancel()
        await asyncio.wait(tasks)
    return bill


def told_by(clip: Path, *, quick: bool) -> tuple[list[Item], float]:
    """What a clip reports, and how long it is; times count from START."""
    items: list[Item] = []
    last = START
    for item in replay(clip, start=START):
        if isinstance(item, (Event, Observation, Picture)):
            last = max(last, item.time)
            if quick and item.time > START + QUICK_S:
                break
        items.append(item)
    return items, last - START


def busy_minutes(items: Sequence[Item]) -> int:
    """Whole minutes in which an event goes on."""
    minutes: set[int] = set()
    for event in items:
        if isinstance(event, Event) and event.phase is Phase.ENDED:
            first, last = event.started - START, (event.ended or event.time) - START
            minutes |= set(range(int(first // 60), int(last // 60) + 1))
    return max(1, len(minutes))


def naive(length_s: float, counts: Counts) -> tuple[int, int]:
    """One frame a second, whatever happens: tokens in and out."""
    frames, prose = math.ceil(length_s), counts[0]
    return frames * (IMAGE_TOKENS + prose(NAIVE_PROMPT) + 2 * MESSAGE_TOKENS), frames * prose(NAIVE_ANSWER)


def quiet_hour(counts: Counts) -> int:
    """Tokens of an hour in which only states and motion pass by."""
    motion = [
        Observation(id=f"o{n}", camera="camera", kind=Observed.MOTION, time=at, until=at, score=0.4)
        for n in range(360)
        for at in (START + 10.0 * n,)
    ]
    bill = asyncio.run(spent(motion, SummaryMode.VISION, counts))
    return bill.tokens_in + bill.tokens_out


def json_tokens(text: str) -> int:
    return math.ceil(len(text.encode()) / JSON_BYTES)


def tokenizer() -> tuple[Counts, str]:
    """How tokens are counted, and the words for it."""
    if "TIKTOKEN_CACHE_DIR" in os.environ:  # without its files tiktoken would go and fetch them
        with contextlib.suppress(ImportError):
            import tiktoken  # noqa: PLC0415

            encoding = tiktoken.get_encoding(ENCODING)

            def count(text: str) -> int:
                return len(encoding.encode(text, disallowed_special=()))

            return (count, count, count), f"counted with {ENCODING}"
    return (prose_tokens, data_tokens, json_tokens), "estimated from above, as the budget does"


def rows(name: str, items: Sequence[Item], length_s: float, counts: Counts) -> list[Row]:
    """Text, vision and the naive way on one clip."""
    minutes = busy_minutes(items)
    events = len({item.id for item in items if isinstance(item, Event)})
    made = []
    for mode in (SummaryMode.TEXT, SummaryMode.VISION):
        bill = asyncio.run(spent(items, mode, counts))
        made.append(Row(name, mode.value, events, minutes, bill, bill.tokens_in, bill.tokens_out))
    sent, written = naive(length_s, counts)
    return [*made, Row(name, "every frame", events, minutes, None, sent, written)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--show", action="store_true", help="print the prompts of the first clip")
    parser.add_argument("--price-in", type=float, default=0.15, help="of a million tokens sent")
    parser.add_argument("--price-out", type=float, default=0.60, help="of a million tokens written")
    options = parser.parse_args()
    counts, how = tokenizer()
    data = data_folder()
    if data is not None:
        os.environ.setdefault("BLIKK_MODELS", str(data / "models"))
    with tempfile.TemporaryDirectory() as folder:
        clips = [data / clip for clip in CLIPS] if data is not None else [Path(folder) / "demo.mp4"]
        if data is None:
            own_clip.make(clips[0])
        every: list[Row] = []
        for clip in clips:
            items, length_s = told_by(clip, quick=options.quick)
            every += rows(clip.stem, items, length_s, counts)
    quiet = quiet_hour(counts)
    show(every, quiet, how, options)
    worst = max(row.a_minute for row in every if row.way == "text")
    return 1 if options.check and (worst > GOAL_BUSY or quiet) else 0


def show(every: Sequence[Row], quiet: int, how: str, options: argparse.Namespace) -> None:
    """The table, and one example of what was sent."""
    if options.show:
        for prompt in next(row.bill for row in every if row.bill and row.bill.prompts).prompts[:2]:
            print(f"{prompt.system}\n---\n{prompt.user}\n===")
    body = []
    for row in every:
        cost = (row.sent * options.price_in + row.written * options.price_out) / 1e6
        calls = "-" if row.bill is None else f"{len(row.bill.prompts)} / {row.bill.pictures}"
        an_event = (row.sent + row.written) / max(1, row.events)
        figures = (
            f"{an_event:.0f}",
            f"{row.a_minute:.0f}",
            f"{60 * row.a_minute:.0f}",
            f"{60 * cost / row.minutes:.4f}",
        )
        body.append((row.clip, row.way, str(row.events), calls, *figures))
    head = (
        "clip",
        "way",
        "events",
        "calls / pictures",
        "tokens an event",
        "a busy minute",
        "a busy hour",
        "cost an hour",
    )
    table(head, body)
    print(f"an hour without events: {quiet} tokens. Tokens are {how}, the schema of the answer counted as input.")
    print(f"goal: at most {GOAL_BUSY:.0f} a busy minute for text, 0 while it is quiet")


if __name__ == "__main__":
    sys.exit(main())
