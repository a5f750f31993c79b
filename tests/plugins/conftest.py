"""Installs a plug-in for one test, as pip would: its files, and a dist-info with its entry point."""

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from blikk_edge.app.plugins import GROUPS

HERE = Path(__file__).parent
Install = Callable[..., None]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of packages at the head of the path; nothing of it stays loaded."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    for group in GROUPS:
        monkeypatch.setattr(group, "_found", {})
    before = set(sys.modules)
    yield folder
    for name in set(sys.modules) - before:
        if name.startswith(
            ("blikk_post", "blikk_webrtc", "blikk_tally", "blikk_knock", "blikk_hello", "plug_", "blikk_angle")
        ):
            del sys.modules[name]


@pytest.fixture
def install(site: Path) -> Install:
    """Installs a module of this code, or of the file of that name here, with one entry point."""

    def install(module: str, group: str, name: str, code: str | None = None, version: str = "1.2") -> None:
        code = (HERE / f"{module}.py").read_text() if code is None else code
        (site / f"{module}.py").write_text(code)
        info = site / f"{module}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[{group}]\n{name} = {module}:KIND\n")
        importlib.invalidate_caches()

    return install
