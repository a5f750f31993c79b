"""What a stream is made of is checked before anything runs, and importing it costs next to nothing."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE

from blikk_edge import AgentSink, Stream
from blikk_edge.app.streaming import settings_for
from blikk_edge.core.errors import ConfigError

URL = "rtsp://user:hunter2@127.0.0.1:1/cam"


@pytest.mark.parametrize(
    "make",
    [
        Stream,
        lambda: Stream(URL, camera_url=URL),
        lambda: Stream(URL, sinks=[print]),
        lambda: Stream(URL, sinks=print),
        lambda: Stream(URL, camera=5),
        lambda: Stream(URL, transforms=[type("Two", (), {"needs": "pixels", "__call__": print})]),
        lambda: AgentSink("no function"),
        lambda: AgentSink(print, window="soon"),
        lambda: AgentSink(print, window=True),
        lambda: AgentSink(print, max_calls_per_day=0),
    ],
)
def test_what_cannot_be_is_refused_before_anything_runs(make: Any) -> None:
    with pytest.raises(ConfigError):
        make()


def test_a_store_may_be_a_plain_path_and_transforms_callables_beside_plug_ins() -> None:
    parameters = {"source": URL, "store": Path("/tmp/x.db"), "transforms": [print, "angle", len]}
    made = settings_for(parameters, camera="gate", folder=Path.cwd(), environ={})
    assert made.store.path == Path("/tmp/x.db")
    assert [each.name for each in made.cameras[0].transforms] == ["print", "angle", "len"]


def test_importing_it_imports_nothing_that_costs() -> None:
    dear = ("numpy", "av", "cv2", "yaml", "voluptuous", "aiomqtt", "aiohttp", "sqlite3", "langchain_core",
            "llama_index", "mcp", "pydantic", "blikk_edge.app", "blikk_edge.config")  # fmt: skip
    program = (
        "import sys, blikk_edge; bare = set(sys.modules)\n"
        "assert not [n for n in bare if n.startswith('blikk_edge.')], bare\n"
        "from blikk_edge import AgentSink, Stream\n"
        f"print([name for name in {dear} if name in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60 * PATIENCE
    )
    assert ran.stdout == "[]\n"
