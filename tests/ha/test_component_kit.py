import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KIT = ROOT / "tests" / "ha_component"
MYPY = importlib.util.find_spec("mypy")


# the kit lets Home Assistant log everything; a failure is reported by its assertion
KIT_OPTIONS = ("-c", KIT / "pytest.ini", "-q", "--no-header", "--tb=short", "--show-capture=no")


def run(*command, limit_s, **environment):
    """Run it from the checkout; what it says from its first failure on is how this test fails."""
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
    if done.returncode:
        reported = done.stdout[max(0, done.stdout.find("= FAILURES =")) :]
        pytest.fail(
            reported if len(reported) <= 12_000 else f"{reported[:8_000]}\n[...]\n{reported[-4_000:]}", pytrace=False
        )


@pytest.mark.timeout(1800)
def test_the_component_passes_its_tests_with_the_official_kit(ha_python, tmp_path):
    # as one of two workers it takes one processor, else both
    workers = "0" if "PYTEST_XDIST_WORKER" in os.environ else "2"
    coverage = ("--cov", "custom_components.blikk", "--cov-branch", "--cov-fail-under", "95")
    run(
        ha_python, "-m", "pytest", KIT, *KIT_OPTIONS, "-n", workers, *coverage, "--cov-report", "term:skip-covered",
        limit_s=1780, COVERAGE_FILE=str(tmp_path / "coverage"), COVERAGE_CORE="sysmon",
    )  # fmt: skip


def test_a_failure_in_the_kit_shows_its_assertion_and_no_log(ha_python, tmp_path):
    (tmp_path / "test_it.py").write_text(
        "import logging\n"
        "async def test_it(hass):\n"
        "    for _ in range(1000):\n"
        "        logging.getLogger('homeassistant').debug('noise')\n"
        "    assert 'closed' == 'open', 'the gate'\n"
    )
    with pytest.raises(pytest.fail.Exception) as failed:
        run(ha_python, "-m", "pytest", tmp_path, *KIT_OPTIONS, "-p", "no:cacheprovider", limit_s=300)
    assert "AssertionError: the gate" in str(failed.value)
    assert "1 failed" in str(failed.value)
    assert "noise" not in str(failed.value)
    assert len(str(failed.value).splitlines()) < 30


@pytest.mark.skipif(MYPY is None, reason="mypy is not installed; pip install -e .[check]")
@pytest.mark.timeout(600)
def test_the_component_is_strictly_typed(ha_python):
    config = ROOT / "custom_components" / "mypy.ini"
    run(
        sys.executable, "-m", "mypy", "--config-file", config, "--python-executable", ha_python,
        "-p", "custom_components.blikk",  # as scripts/check does it, whose cache it finds
        limit_s=280,
    )  # fmt: skip
