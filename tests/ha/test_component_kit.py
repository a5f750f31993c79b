import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KIT = ROOT / "tests" / "ha_component"
MYPY = importlib.util.find_spec("mypy")


def run(*command, limit_s, **environment):
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "COV_"))}
    done = subprocess.run(
        command,
        check=False,
        cwd=ROOT,
        env={**kept, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=limit_s,
    )
    assert done.returncode == 0, done.stdout[-20_000:]


@pytest.mark.timeout(600)
def test_the_component_passes_its_tests_with_the_official_kit(ha_python, tmp_path):
    output = ("-q", "-n", "2", "--no-header", "--tb=short")
    coverage = ("--cov", "custom_components.blikk", "--cov-branch", "--cov-fail-under", "95", "--cov-report", "term")
    run(
        ha_python, "-m", "pytest", "-c", KIT / "pytest.ini", KIT, *output, *coverage,
        limit_s=560, COVERAGE_FILE=str(tmp_path / "coverage"), COVERAGE_CORE="sysmon",
    )  # fmt: skip


@pytest.mark.skipif(MYPY is None, reason="mypy is not installed; pip install -e .[check]")
@pytest.mark.timeout(300)
def test_the_component_is_strictly_typed(ha_python):
    config = ROOT / "custom_components" / "mypy.ini"
    run(
        sys.executable, "-m", "mypy", "--config-file", config, "--python-executable", ha_python,
        "--cache-dir", ROOT / ".mypy_cache" / "component", "-p", "custom_components.blikk",
        limit_s=280,
    )  # fmt: skip
