"""A folder with a configuration in it."""

from collections.abc import Callable
from pathlib import Path

import pytest

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write `blikk.yaml`, and `secrets.yaml` where one is given, and return the path of the first."""

    def written(text: str, secrets: str | None = None) -> Path:
        path = tmp_path / "blikk.yaml"
        path.write_text(text, encoding="utf-8")
        if secrets is not None:
            (tmp_path / "secrets.yaml").write_text(secrets, encoding="utf-8")
        return path

    return written
