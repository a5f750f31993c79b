"""What the Python API costs: importing it, reading a file, telling an agent what there is to call.

    python bench/stream.py [CLIP]

Rivals: importing what a program of one's own needs for the same (OpenCV, a TFLite runtime), `blikk replay` of the same
clip, and tool definitions as they are complained about (35,000 tokens).
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from blikk_edge import Stream
from blikk_edge.agents.mcp_server import BlikkServer
from blikk_edge.app.replays import replay
from blikk_edge.app.streaming import settings_for
from blikk_edge.core.observation import Observation

DATA = Path(os.environ.get("BLIKK_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
CLIP = DATA / "video/intel_sample/one-by-one-person-detection.mp4"
IMPORTS = (
    ("nothing", "pass"),
    ("blikk_edge: Stream, AgentSink", "from blikk_edge import AgentSink, Stream"),
    ("cv2 and ai_edge_litert", "import cv2; from ai_edge_litert.interpreter import Interpreter"),
)
RUNS = 5


def imported(program: str) -> tuple[float, float]:
    """Seconds of an import, and MB resident after it, in a fresh process."""
    measured = (
        "import time; began = time.perf_counter()\n" + program + "\nspent = time.perf_counter() - began\n"
        "import psutil; print(spent, psutil.Process().memory_info().rss / 2**20)"
    )
    ran = subprocess.run([sys.executable, "-c", measured], capture_output=True, text=True, check=True)
    seconds, megabytes = map(float, ran.stdout.split())
    return seconds, megabytes


def read_file(clip: Path) -> tuple[float, float, int]:
    """Seconds to open a stream of a file and to read it, and how many observations came."""
    began = time.perf_counter()
    with Stream(clip, models={"offline": True}) as stream:
        opened = time.perf_counter() - began
        count = sum(1 for _ in stream.subscribe())
        return opened, time.perf_counter() - began - opened, count


def replayed(clip: Path) -> tuple[float, int]:
    """The same by `blikk_edge.app.replays`: seconds and observations."""
    parameters = {"source": str(clip), "models": {"offline": True}}
    settings = settings_for(parameters, camera="camera", folder=Path.cwd(), environ=os.environ)
    began = time.perf_counter()
    count = sum(isinstance(item, Observation) for item in replay(clip, settings=settings))
    return time.perf_counter() - began, count


def definitions(clip: Path) -> tuple[int, int]:
    """How many tools the MCP server has, and the characters of their definitions."""
    server = BlikkServer(Stream(clip, models={"offline": True}), pictures=lambda jpeg: jpeg)
    tools = asyncio.run(server.list_tools())
    shown = [tool.model_dump(by_alias=True, exclude_none=True, mode="json") for tool in tools]
    return len(tools), len(json.dumps(shown, separators=(",", ":")))


def main() -> None:
    """Print it all."""
    clip = Path(sys.argv[1]) if len(sys.argv) > 1 else CLIP
    os.environ.setdefault("BLIKK_MODELS", str(DATA / "models"))
    for name, program in IMPORTS:
        runs = [imported(program) for _ in range(RUNS)]
        seconds, megabytes = (statistics.median(values) for values in zip(*runs, strict=True))
        print(f"import  {name:32} {seconds:6.3f} s  {megabytes:6.1f} MB resident (median of {RUNS})")
    seconds, count = replayed(clip)
    print(f"file    replay                           {seconds:6.1f} s  {count} observations")
    opened, seconds, count = read_file(clip)
    print(f"file    Stream                           {seconds:6.1f} s  {count} observations, opened in {opened:.1f} s")
    tools, characters = definitions(clip)
    print(f"mcp     {tools} tools, {characters} characters of definitions, at most {characters / 3:.0f} tokens")


if __name__ == "__main__":
    main()
