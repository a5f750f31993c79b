"""`blikk demo`, where nothing but the package is there: no model, no clip, no broker."""

import os
import signal
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
from nowhere import NOWHERE
from patience import PATIENCE
from staging import BLIKK, FACE, portrait

from blikk_edge.demo.show import _counted


def demo(folder: Path, *options: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """`blikk demo` to its own end, where nothing can be fetched; its files lie in `folder`."""
    return subprocess.run(
        [BLIKK, "demo", "--folder", str(folder / "demo"), *options],
        env=os.environ | NOWHERE | {"XDG_CACHE_HOME": str(folder / "cache")} | environ,
        capture_output=True,
        text=True,
        check=False,
    )


def likeness(picture: np.ndarray, part: np.ndarray) -> float:
    """How much the picture looks like this part of one where it does so most: 1 is the same, wherever it is."""
    return float(cv2.matchTemplate(picture, part, cv2.TM_CCOEFF_NORMED).max())


@pytest.mark.timeout(600)
@pytest.mark.parametrize("models", ["standing in", "none"])
def test_without_the_default_models_the_demo_reports_the_visitor_alone_and_says_what_it_cannot_find(
    tmp_path: Path, photographs: Path, request: pytest.FixtureRequest, models: str
) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "holiday.jpg").write_bytes(b"mine")
    here = str(request.getfixturevalue("stand_ins")) if models == "standing in" else ""
    result = demo(tmp_path, BLIKK_MODELS=here)
    assert result.returncode == 0, result.stderr
    out = result.stdout
    assert "made here from NASA's astronaut photograph" in out
    assert ("blazepose-person; faces: blazeface-full" if here else "opencv-builtin; faces: none") in out
    assert out.count("not find vehicles, animals, parcels") == 1
    assert "person started" in out
    assert "person ended" in out
    assert "\n1 event in " in out
    assert "inferences" in out
    assert (tmp_path / "demo" / "holiday.jpg").read_bytes() == b"mine"
    picture = cv2.imread(str(tmp_path / "demo" / "person.jpg"))
    assert isinstance(picture, np.ndarray)
    visitor = cv2.resize(portrait(photographs), (440, 440), interpolation=cv2.INTER_AREA)  # as large as in the clip
    left, top, right, bottom = (edge * 440 // 480 for edge in FACE)
    if here:  # else nobody knows where heads are, and more than them is blurred
        assert max(likeness(picture, visitor[240:400, 90:190]), likeness(picture, visitor[240:400, 200:300])) > 0.9
    assert likeness(picture, visitor[top:bottom, left:right]) < 0.6


@pytest.mark.timeout(600)
def test_the_demo_takes_the_users_own_clip_and_real_models(tmp_path: Path, demo_clip: Path, models: Path) -> None:
    result = demo(tmp_path, "--source", str(demo_clip), BLIKK_MODELS=str(models))
    assert result.returncode == 0, result.stderr
    assert "detector default: yolox-nano; faces: yunet" in result.stdout
    assert "cat started" in result.stdout


def test_a_source_that_is_not_there_is_a_clear_error(tmp_path: Path) -> None:
    result = demo(tmp_path, "--source", str(tmp_path / "none.mp4"))
    assert result.returncode == 2
    assert "none.mp4: not found" in result.stderr
    assert not (tmp_path / "demo").exists()
    assert "Traceback" not in result.stderr


def test_one_is_no_plural() -> None:
    assert [_counted(number, "event") for number in (0, 1, 2)] == ["0 events", "1 event", "2 events"]


def test_files_that_no_demo_wrote_are_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "person.jpg").write_bytes(b"mine")
    (tmp_path / "demo.db").write_bytes(b"mine too")
    result = subprocess.run(
        [BLIKK, "demo", "--source", __file__, "--folder", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert "name another folder with --folder" in result.stderr
    assert (tmp_path / "person.jpg").read_bytes() == b"mine"
    assert (tmp_path / "demo.db").read_bytes() == b"mine too"
    assert len(list(tmp_path.iterdir())) == 2


def test_a_folder_that_nothing_can_be_written_to_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = subprocess.run(
        [BLIKK, "demo", "--folder", str(tmp_path / "file")], capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert "file: nothing can be written there" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.timeout(600)
def test_a_picture_that_cannot_be_written_is_a_clear_error(tmp_path: Path, demo_clip: Path) -> None:
    command = [BLIKK, "demo", "--source", str(demo_clip), "--folder", str(tmp_path / "demo")]
    environ = os.environ | NOWHERE | {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        next(line for line in process.stdout if line.startswith("broker"))
        (tmp_path / "demo" / "snapshot.jpg").mkdir()
        process.stdout.read()
        reported = process.stderr.read()
    assert process.returncode == 1
    assert "snapshot.jpg: Is a directory" in reported
    assert "Traceback" not in reported


def test_the_script_leaves_paths_to_the_folder_it_was_started_in(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    for name in ("scripts/demo", "scripts/venv", "scripts/photographs", ".venv/bin/blikk"):
        (path := tmp_path / "check out" / name).parent.mkdir(parents=True, exist_ok=True)
        path.write_text((root / name).read_text() if name == "scripts/demo" else "#!/bin/sh\necho $(pwd): $*\n")
        path.chmod(0o755)
    (elsewhere := tmp_path / "elsewhere").mkdir()
    result = subprocess.run(
        ["../check out/scripts/demo", "--source", "mine.mp4"], cwd=elsewhere, capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines()[-1] == f"{elsewhere}: demo --source mine.mp4"


@pytest.mark.timeout(600)
def test_with_keep_the_demo_goes_on_until_it_is_asked_to_end_and_then_says_what_it_cost(
    tmp_path: Path, demo_clip: Path
) -> None:
    command = [BLIKK, "demo", "--keep", "--source", str(demo_clip), "--folder", str(tmp_path / "demo")]
    environ = os.environ | NOWHERE | {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if "person started" in line:
                process.send_signal(signal.SIGINT)
        assert process.wait(120 * PATIENCE) == 0
    assert any("person ended" in line for line in said)
    assert any(line.startswith("cost") for line in said)
