"""The assembly line of `examples/`: every component that lies askew gives an alert, and no other."""

import asyncio
import contextlib
import json
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from llm_server import Asked, LlmServer, Say
from ports import free_port

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


async def test_a_language_model_writes_the_log_of_defects(line: Path, tmp_path: Path) -> None:
    port, token = free_port(), "a-token-of-the-test"
    config = (line / "line.yaml").read_text(encoding="utf-8").replace("a-token-of-your-own", token)
    config = config.replace("{tokens:", f"{{port: {port}, tokens:").replace("line.db", str(tmp_path / "line.db"))
    (line / "live.yaml").write_text(config, encoding="utf-8")
    wanted = askew(line)

    def describe(asked: Asked) -> Say:
        defect = json.loads(asked.body["messages"][-1]["content"])
        assert abs(defect["degrees"] - wanted[defect["component"]]) < 1.5
        return Say(text=f"Component {defect['component']} lies {defect['side']}.")

    async with LlmServer(describe) as model:
        node = await asyncio.create_subprocess_exec(
            str(BLIKK), "run", "--config", "live.yaml", cwd=line, env=environ(line), stderr=asyncio.subprocess.DEVNULL
        )
        writer = await asyncio.create_subprocess_exec(
            *(sys.executable, "describe.py", "--token", token, "--url", f"ws://127.0.0.1:{port}/v1/records"),
            *("--model-url", model.base_url, "--log", str(tmp_path / "defects.log")),
            cwd=line,
            env=environ(line),
            stdout=asyncio.subprocess.PIPE,
        )
        assert writer.stdout is not None
        try:
            async with asyncio.timeout(180):
                async for said in writer.stdout:
                    if b"component 10:" in said:
                        break
        finally:
            for process in (writer, node):
                with contextlib.suppress(ProcessLookupError):
                    process.terminate()
                await process.communicate()
    log = (tmp_path / "defects.log").read_text(encoding="utf-8").splitlines()
    assert [each.partition("Z component ")[2] for each in log[:2]] == [
        f"{number}: Component {number} lies {'clockwise' if wanted[number] > 0 else 'counterclockwise'}."
        for number in (9, 10)
    ]
