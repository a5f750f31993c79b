"""The house's walls: what may import what, and that a breach is noticed."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    # the copy's package must win over the installed one
    environ = {"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin"}
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of the package that may be damaged."""
    pytest.importorskip("importlinter", reason="import-linter is in the check extra: scripts/venv check")
    shutil.copytree(ROOT / "blikk_edge", tmp_path / "blikk_edge", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".importlinter", tmp_path)
    return tmp_path


def test_the_house_as_it_stands_keeps_its_contracts(house: Path) -> None:
    result = lint(house)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("room", "planted"),
    [
        ("store/store.py", "from blikk_edge.core.scene import Frame"),
        ("sinks/mqtt/__init__.py", "import blikk_edge.core.stages"),
        ("wire/values.py", "from blikk_edge.core import scene"),
        ("inputs/__init__.py", "import cv2"),
        # not named by the sink itself, but reached through something it imports
        ("core/ports.py", "from blikk_edge.core.scene import Scene"),
        ("core/observation.py", "import blikk_edge.core.scene"),
        ("transforms/tracking/zones.py", "import av"),
        ("runtime/node.py", "import aiomqtt"),
        # the model that compares pictures with words is met in one place, and what answers a search knows no pixels
        ("asking/searching.py", "import onnxruntime"),
        ("asking/searching.py", "from blikk_edge.transforms.embedding.towers import Towers"),
        ("app/search_model.py", "import onnxruntime"),
        ("core/geometry.py", "import blikk_edge.wire.topics"),
        # what a plug-in is handed and declares its options with lies below the rooms, and knows no pixels
        ("kinds/context.py", "from blikk_edge.core.scene import Frame"),
        ("grammar/schema.py", "import blikk_edge.kinds.kind"),
        ("grammar/values.py", "import blikk_edge.config.settings"),
        ("sinks/webhook.py", "import blikk_edge.sources.terms"),
        # agents have one door to a node, and it hands out no frame
        ("agents/node_stream.py", "from blikk_edge.core.scene import Scene"),
        ("agents/digest.py", "import blikk_edge.app.wiring"),
        ("agents/local.py", "from blikk_edge.runtime.node import Node"),
    ],
)
def test_a_planted_import_is_noticed(house: Path, room: str, planted: str) -> None:
    path = house / "blikk_edge" / room
    path.write_text(path.read_text() + f"\n{planted}\n")
    result = lint(house)
    assert result.returncode != 0, result.stdout
    assert "BROKEN" in result.stdout


def test_a_room_on_no_floor_is_noticed(house: Path) -> None:
    attic = house / "blikk_edge" / "attic"
    attic.mkdir()
    (attic / "__init__.py").write_text("")
    result = lint(house)
    assert result.returncode != 0, result.stdout
    assert "attic" in result.stdout
