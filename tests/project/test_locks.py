"""The locked requirements are those of pyproject.toml, and what is stale is reported without network."""

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from locks import faults, wanted  # noqa: E402

HASH = f"    --hash=sha256:{'0' * 64}\n"
BASE = f"""\
# written by a test
av==18.1.0 ; python_full_version < '3.12' and sys_platform == 'linux' \\
{HASH}av==19.0.2 ; python_full_version >= '3.12' and sys_platform == 'linux' \\
{HASH}PyYAML==6.0.4 ; sys_platform == 'linux' \\
    --hash=sha256:{"1" * 64} \\
{HASH}"""
PROJECT = """\
[project]
dependencies = ["av>=18,<20", "PyYAML>=6", "tflite; platform_machine == 'armv7l'"]
optional-dependencies = {docs = ["mkdocs>=1.6"]}
"""
STALE = {
    "newer is wanted": ("base", "PyYAML==6.0.4", "PyYAML==5.4", "PyYAML>=6: locked is 5.4 (Python 3.11, x86_64)"),
    "not there": ("docs", "mkdocs==1.6.1", "other==1.6.1", "mkdocs>=1.6: locked is none (Python 3.11, aarch64)"),
    "not for a Python": ("base", "< '3.12'", "< '3.11'", "av>=18,<20: locked is none (Python 3.11, x86_64)"),
    "two at once": ("base", ">= '3.12'", ">= '3.11'", "av>=18,<20: locked is 18.1.0, 19.0.2 (Python 3.11, x86_64)"),
    "without a hash": (
        "docs",
        f"mkdocs==1.6.1 \\\n{HASH}",
        "mkdocs==1.6.1\n",
        "neither a pin with hashes nor a comment: mkdocs==1.6.1",
    ),
    "an index": (
        "docs",
        "# written by a test",
        "--index-url https://x.example",
        "neither a pin with hashes nor a comment: --index-url",
    ),
}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "base.txt").write_text(BASE)
    (tmp_path / "requirements" / "docs.txt").write_text(f"{BASE}mkdocs==1.6.1 \\\n{HASH}")
    return tmp_path


def test_a_fresh_lock_passes(checkout: Path):
    assert list(faults(checkout)) == []


@pytest.mark.parametrize(("name", "old", "new", "reported"), STALE.values(), ids=STALE)
def test_a_stale_lock_is_reported(checkout: Path, name: str, old: str, new: str, reported: str):
    file = checkout / "requirements" / f"{name}.txt"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    assert [fault for fault in faults(checkout) if f"requirements/{name}.txt: {reported}" in fault]


def test_an_extra_without_a_file_and_a_file_without_an_extra_are_reported(checkout: Path):
    (checkout / "requirements" / "docs.txt").rename(checkout / "requirements" / "old.txt")
    assert list(faults(checkout)) == [
        "requirements/old.txt: there is no such extra or group",
        "requirements/docs.txt: it is missing",
    ]


def test_a_group_of_tools_is_locked_without_what_a_node_needs(checkout: Path):
    (checkout / "pyproject.toml").write_text(f'{PROJECT}[dependency-groups]\nrelease = ["twine>=6"]\n')
    assert list(faults(checkout)) == ["requirements/release.txt: it is missing"]
    (checkout / "requirements" / "release.txt").write_text(f"twine==7.0.0 \\\n{HASH}")
    assert list(faults(checkout)) == []


def test_the_locks_of_this_checkout_are_fresh():
    assert list(faults(ROOT)) == []


def test_no_lock_names_an_address():
    files = [ROOT / "requirements" / f"{name}.txt" for name in wanted(ROOT)]
    assert [file.name for file in files if re.search(r"://|--[a-z-]*index\b", file.read_text(encoding="utf-8"))] == []
