"""The assembly line of `examples/`: every component that lies askew gives an alert, and no other."""

import json
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "assembly_line"
ROOT = EXAMPLE.parents[1]
BLIKK = Path(sys.executable).with_name("blikk")
COMPONENTS = 20


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example's folder with its clip, and its plug-in as installed."""
    folder = tmp_path_factory.mktemp("line")
    shutil.copytree(EXAMPLE, folder, dirs_exist_ok=True)
    runpy.run_path(str(folder / "make_clip.py"))["make"](folder / "line.mp4", count=COMPONENTS)
    installed = folder / "blikk_tilt-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: blikk-tilt\nVersion: 1.0\n", encoding="utf-8")
    (installed / "entry_points.txt").write_text("[blikk.transforms]\ntilt = blikk_tilt:KIND\n", encoding="utf-8")
    return folder


def askew(folder: Path) -> dict[int, float]:
    """The components that are askew, and their angles."""
    parts = json.loads((folder / "line.json").read_text(encoding="utf-8"))
    return {part["number"]: part["angle"] for part in parts if abs(part["angle"]) > 5}


def environ(folder: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(folder)])}


def test_each_component_that_is_askew_gives_one_alert(line: Path) -> None:
    command = [str(BLIKK), "replay", "line.mp4", "--config", "line.yaml", "--camera", "line", "--json"]
    done = subprocess.run(command, cwd=line, env=environ(line), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    observed: list[dict[str, Any]] = [json.loads(text) for text in done.stdout.splitlines()]
    alerts = [each["measures"][0] for each in observed if each.get("kind") == "alert"]
    found = {alert["item"]: alert["value"] for alert in alerts}
    assert len(alerts) == len(found)
    wanted = askew(line)
    assert set(found) == set(wanted)
    assert all(abs(found[number] - wanted[number]) < 1.5 for number in wanted)
    assert {9, 10} <= set(wanted)  # two that follow each other
