import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HA_ENV = Path(os.environ.get("BLIKK_HA_ENV", ROOT / ".cache" / "ha"))
sys.path[:0] = [str(Path(__file__).parent), str(ROOT / "tests" / "wire")]  # helpers here, samples there


@pytest.fixture(scope="session")
def ha_python() -> str:
    """The Python that has Home Assistant; skips where it is not installed."""
    python = HA_ENV / "venv" / "bin" / "python"
    if not python.exists():
        pytest.skip(f"no Home Assistant at {HA_ENV}; run scripts/ha_env")
    version = "import homeassistant.const as c; print(c.__version__)"
    found = subprocess.run([python, "-c", version], check=False, capture_output=True, text=True, timeout=60)
    if found.returncode:
        pytest.skip(f"the Home Assistant at {HA_ENV} does not start; run scripts/ha_env: {found.stderr[-300:]}")
    return str(python)
