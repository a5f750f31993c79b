import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from made_once import made_once
from patience import PATIENCE

from blikk_edge.core.errors import SourceError
from blikk_edge.demo import clip

ROOT = Path(__file__).parents[2]
HA_ENV = Path(os.environ.get("BLIKK_HA_ENV", ROOT / ".cache" / "ha"))
# helpers here, the samples of the wire, the stage of the end-to-end tests
sys.path[:0] = [str(Path(__file__).parent), *(str(ROOT / "tests" / room) for room in ("wire", "e2e", "sinks"))]
sys.path.append(str(ROOT / "scripts"))  # the browser of the screenshots


@pytest.fixture(scope="session")
def ha_python() -> str:
    """The Python that has Home Assistant; skips where it is not installed."""
    python = HA_ENV / "venv" / "bin" / "python"
    if not python.exists():
        pytest.skip(f"no Home Assistant at {HA_ENV}; run scripts/ha_env")
    version = "import homeassistant.const as c; print(c.__version__)"
    found = subprocess.run([python, "-c", version], check=False, capture_output=True, text=True, timeout=60 * PATIENCE)
    if found.returncode:
        pytest.skip(f"the Home Assistant at {HA_ENV} does not start; run scripts/ha_env: {found.stderr[-300:]}")
    return str(python)


@pytest.fixture(scope="session")
def visit_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's own clip: a visitor from 3 to 14 s, a cat from 19 to 28 s, then nobody; skips without the photographs.

    It is still for longer than motion is held.
    """
    try:
        return made_once(tmp_path_factory, "visit.mp4", partial(clip.make, seconds=42))
    except SourceError:
        pytest.skip("no photographs: scripts/photographs")
