"""A node that is killed while it delivers: a process with a store and one durable sink, killed again and again."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from patience import PATIENCE

CODE = """
import asyncio, pathlib, sys
sys.path.insert(0, {tests!r})
from sink_samples import observation
from blikk_edge.core.clock import SystemClock
from blikk_edge.runtime.delivery import Delivery
from blikk_edge.store.store import Store
from blikk_edge.wire.topics import Topics

class Numbers:
    def __init__(self):
        self.next = int(sys.argv[1])

    async def get(self):
        if self.next == int(sys.argv[2]):
            await asyncio.Event().wait()
        self.next += 1
        return observation(self.next - 1)

class Noted(Store):
    def put(self, record):
        seq = super().put(record)
        print(record.id, flush=True)  # it is on the disk
        return seq

async def main():
    topics = Topics("blikk", "porch")
{sink}
    store = Noted(pathlib.Path({store!r}))
    store.open()
    store.follow({{sink.name: sink.takes}})
    await Delivery(store, (sink,), clock=SystemClock()).run(Numbers())

asyncio.run(main())
"""

KILLS = 3


async def kill_and_go_on(sink: str, store: Path, arrived: Callable[[], Awaitable[list[str]]]) -> list[str]:
    """Kill the node KILLS times, wherever it is, and let it finish; the ids of all that were on its disk.

    `sink` is code that makes `sink` of `topics`; `arrived` gives the ids that are where it sends them.
    """
    lines = "\n".join(f"    {line}" for line in sink.strip().splitlines())
    code = CODE.format(tests=str(Path(__file__).parent), sink=lines, store=str(store))
    put: list[str] = []
    deadline = time.monotonic() + 120.0
    for turn in range(KILLS + 1):
        last = turn == KILLS
        command = [sys.executable, "-c", code, str(turn * 1000), str(turn * 1000 + (20 if last else 1000))]
        node = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert node.stdout is not None
        try:
            if last:
                put += [node.stdout.readline().strip() for _ in range(20)]
                while not set(put) <= set(await arrived()):
                    assert time.monotonic() < deadline, "the rest did not arrive"
                    await asyncio.sleep(0.01)
            else:
                seen = len(await arrived())
                for line in node.stdout:
                    put.append(line.strip())
                    if len(put) % 5 == 0 and len(await arrived()) > seen + 20:
                        break
        finally:
            os.kill(node.pid, signal.SIGKILL)
            put += node.stdout.read().split()
            node.wait(timeout=30 * PATIENCE)
            node.stdout.close()
    assert len(put) > KILLS * 20
    return put
