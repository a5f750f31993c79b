"""A camera that is recorded while it is watched, and the clip of a visit, cut beside the running node."""

import asyncio
import json
import os
import subprocess
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import av
import pytest
from rtsp_server import RtspServer
from staging import BLIKK

from blikk_edge.core.errors import SinkError
from blikk_edge.core.inquiry import ListEvents
from blikk_edge.inputs.local_ask import ask_here, socket_of

CONFIG = """\
node: hallway
mqtt: false
store: {{path: {folder}/hallway.db}}
models: {{offline: true, cache: {folder}/models}}
cameras:
  gate:
    source: {source}
    record: {{mode: events, pre_s: 1, post_s: 1}}
"""


def ended(store: Path) -> dict[str, Any] | None:
    """A visit that has ended, as the running node lists it."""
    try:
        reply = asyncio.run(ask_here(socket_of(store), ListEvents()))
    except SinkError:
        return None
    events = reply["events"]
    assert isinstance(events, list)
    return next((dict(event) for event in events if isinstance(event, dict) and event["phase"] == "ended"), None)


@pytest.mark.timeout(300)
def test_clip_of_a_visit_is_cut_beside_the_node_that_recorded_it(tmp_path: Path, data: Path, models: Path) -> None:
    clip = data / "video" / "intel_sample" / "one-by-one-person-detection.mp4"
    file, made = tmp_path / "blikk.yaml", tmp_path / "visit.mp4"
    environ = {**os.environ, "BLIKK_MODELS": os.pathsep.join(str(each) for each in models.glob("*/*") if each.is_dir())}
    with RtspServer(clip) as server:
        file.write_text(CONFIG.format(folder=tmp_path, source=server.url))
        node = subprocess.Popen([BLIKK, "run", "--config", file], env=environ, stderr=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 200
            while (visit := ended(tmp_path / "hallway.db")) is None and time.monotonic() < deadline:
                time.sleep(0.5)
            assert visit is not None
            command = [BLIKK, "clip", visit["id"], "--config", file, "-o", made, "--json"]
            cut = subprocess.run(command, env=environ, check=False, capture_output=True, text=True)
        finally:
            node.terminate()
            node.wait(30)

    assert cut.returncode == 0, cut.stderr
    said = json.loads(cut.stdout)
    assert (said["path"], said["redacted"], said["bytes"]) == (str(made), False, made.stat().st_size)
    lasted_s = (datetime.fromisoformat(visit["ended"]) - datetime.fromisoformat(visit["started"])).total_seconds()
    with av.open(str(made)) as container:
        first = next(container.demux(video=0))
        length_s = float(container.duration or 0) / 1e6
    assert first.is_keyframe
    # from a keyframe at most a second before the lead, to at most a second after: what comes after may still be written
    assert lasted_s + 0.5 <= length_s <= lasted_s + 4.0
    files = list(tmp_path.glob("*-recordings/gate/*/*.mp4"))
    assert files
    assert all(each.stat().st_mode & 0o077 == 0 for each in files)
