"""The commands of CONTRIBUTING.md that record a clip and cut it, on a real RTSP stream; `blikk replay` reads both."""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rtsp_server import RtspServer

ROOT = Path(__file__).parents[2]
CONFIG = "{node: hallway, mqtt: broker.local, models: {offline: true}, cameras: {door: {source: rtsp://127.0.0.1/1}}}"
COMMANDS = re.findall(r"(ffmpeg [^`\n]+)", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no ffmpeg: scripts/ha_env")
def test_a_clip_is_recorded_cut_and_replayed(
    make_clip: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, cut = (shlex.split(command) for command in COMMANDS)
    monkeypatch.chdir(tmp_path)
    Path("blikk.yaml").write_text(CONFIG, encoding="utf-8")
    with RtspServer(make_clip("camera.mp4", frames=250, options={"g": "25"})) as server:
        record[record.index("-i") + 1] = server.url
        record[record.index("-t") + 1] = "6"
        subprocess.run(record, check=True, timeout=120, stdin=subprocess.DEVNULL)
    cut[cut.index("-ss") + 1], cut[cut.index("-t") + 1] = "2", "3"
    subprocess.run(cut, check=True, timeout=120, stdin=subprocess.DEVNULL)
    for clip in (record[-1], cut[-1]):
        command = [Path(sys.executable).with_name("blikk"), "replay", clip, "--config", "blikk.yaml", "--json"]
        done = subprocess.run(command, check=False, timeout=300, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert "looking with" in done.stderr
