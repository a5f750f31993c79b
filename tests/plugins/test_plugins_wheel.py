"""The template of a plug-in: a wheel is built of it here, installed without an index, and measures an angle."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "guide" / "plugins.md"
TEMPLATE = ROOT / "examples" / "plugin"
BLIKK = Path(sys.executable).with_name("blikk")
FPS = 5

CONFIG = """\
node: n
mqtt: false
store: {{path: {folder}/store.db}}
models: {{cache: {folder}/models, offline: true}}
summary: false
cameras:
  boiler:
    source: {clip}
    transforms:
      - angle:
          centre: [0.5, 0.5]
          {radius}: 0.3
"""


def pip(*arguments: str) -> None:
    """The environment's pip, or the one that Python itself carries: some environments are made without."""
    environ = dict(os.environ)
    if importlib.util.find_spec("pip") is None:
        ensurepip = pytest.importorskip("ensurepip", reason="no pip here")
        carried = [str(path) for path in (Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl")]
        environ["PYTHONPATH"] = os.pathsep.join(carried)
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the template was installed from its wheel."""
    folder = tmp_path_factory.mktemp("angle")
    for name in ("pyproject.toml", "blikk_angle.py"):  # built elsewhere: a build leaves files behind
        shutil.copy(TEMPLATE / name, folder)
    pip("wheel", "--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder / "dist"), str(folder))
    (wheel,) = (folder / "dist").glob("blikk_angle-1.0-*.whl")
    pip("install", "--no-index", "--no-deps", "--target", str(folder / "site"), str(wheel))
    return folder / "site"


def needle(degrees: float) -> np.ndarray:
    """A white dial with a dark needle in this direction, 320 x 240 BGR."""
    rows, columns = np.mgrid[0:240, 0:320].astype(float)
    x, y = columns - 160, 120 - rows
    along = x * np.sin(np.radians(degrees)) + y * np.cos(np.radians(degrees))
    beside = x * np.cos(np.radians(degrees)) - y * np.sin(np.radians(degrees))
    picture = np.full((240, 320, 3), 230, np.uint8)
    picture[(along > 0) & (along < 75) & (np.abs(beside) < 4)] = 20
    return picture


@pytest.fixture(scope="session")
def gauge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of 40 s: the needle stands at 40 degrees, and turns to 130 in the middle."""
    path = tmp_path_factory.mktemp("gauge") / "gauge.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        stream.options = {"crf": "18", "preset": "veryfast"}
        for number in range(40 * FPS):
            frame = av.VideoFrame.from_ndarray(needle(40 if number < 20 * FPS else 130), format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def blikk(*arguments: str, packages: Path | None) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if name != "BLIKK_MODELS"}
    path = [str(ROOT), *([str(packages)] if packages else [])]
    environ["PYTHONPATH"] = os.pathsep.join(path)
    return subprocess.run(
        [str(BLIKK), *arguments], env=environ, capture_output=True, text=True, check=False, timeout=300
    )


@pytest.fixture
def config(tmp_path: Path, gauge: Path) -> Path:
    path = tmp_path / "blikk.yaml"
    path.write_text(CONFIG.format(folder=tmp_path, clip=gauge, radius="radius"))
    return path


@pytest.mark.parametrize(("file", "language"), [("pyproject.toml", "toml"), ("blikk_angle.py", "python")])
def test_the_guide_shows_the_template(file: str, language: str) -> None:
    shown = re.findall(rf"^```{language}\n(.*?)^```$", GUIDE.read_text(encoding="utf-8"), re.S | re.M)
    assert shown == [(TEMPLATE / file).read_text(encoding="utf-8")]


def test_the_tests_of_the_template_pass(packages: Path, tmp_path: Path) -> None:
    shutil.copytree(TEMPLATE / "tests", tmp_path / "tests")
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(packages)])}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--rootdir={tmp_path}", str(tmp_path)]
    done = subprocess.run(command, env=environ, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 passed" in done.stdout


def test_it_is_listed_with_its_package(packages: Path) -> None:
    listed = json.loads(blikk("plugins", "--json", packages=packages).stdout)["plugins"]
    (angle,) = [each for each in listed if each["name"] == "angle"]
    assert (angle["kind"], angle["package"], angle["version"]) == ("transform", "blikk-angle", "1.0")
    assert (angle["meaning"], angle["refused"]) == ("The angle of a gauge's needle.", "")


def test_a_replay_shows_what_it_measures(packages: Path, config: Path, gauge: Path) -> None:
    done = blikk("replay", str(gauge), "--config", str(config), packages=packages)
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in done.stdout.splitlines()]
    values = [measure["value"] for record in records for measure in record.get("measures", ())]
    assert values == [pytest.approx(40, abs=1.5), pytest.approx(130, abs=1.5)]


def test_its_options_are_checked_by_line(packages: Path, config: Path, gauge: Path) -> None:
    text = CONFIG.format(folder=config.parent, clip=gauge, radius="raduis")
    config.write_text(text)
    problems = json.loads(blikk("check", str(config), "--json", packages=packages).stdout)["problems"]
    assert [(each["line"], each["path"], each["mend"]) for each in problems] == [
        (12, "cameras.boiler.transforms[0].angle.raduis", "Did you mean `radius`?")
    ]


def test_without_it_the_configuration_says_so_and_a_replay_goes_on(config: Path, gauge: Path) -> None:
    problems = json.loads(blikk("check", str(config), "--json", packages=None).stdout)["problems"]
    assert [each["path"] for each in problems if "transform" in each["text"]] == ["cameras.boiler.transforms[0]"]
    done = blikk("replay", str(gauge), "--config", str(config), packages=None)
    assert done.returncode == 0
    assert "there is no transform 'angle'" in done.stderr
