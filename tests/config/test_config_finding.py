"""Which file is the configuration: the one that is named, else that of BLIKK_CONFIG, else the one here, else /etc's."""

from pathlib import Path

import pytest

from blikk_edge.config import ConfigErrors, find


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What stands for the file in /etc; it is not there yet."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "etc.yaml"


def test_the_first_that_is_named_or_there_is_taken(system: Path):
    system.touch()
    assert find(None, {}, system=system) == system
    Path("blikk.yaml").touch()
    assert find(None, {}, system=system) == Path("blikk.yaml")
    assert find(None, {"BLIKK_CONFIG": "/config/b.yaml"}, system=system) == Path("/config/b.yaml")
    assert find(Path("mine.yaml"), {"BLIKK_CONFIG": "/config/b.yaml"}, system=system) == Path("mine.yaml")


def test_a_file_here_that_cannot_be_read_is_not_passed_over(system: Path):
    system.touch()
    Path("blikk.yaml").symlink_to("nowhere")
    assert find(None, {}, system=system) == Path("blikk.yaml")


def test_where_there_is_none_every_place_is_named(system: Path):
    with pytest.raises(ConfigErrors) as raised:
        find(None, {"BLIKK_CONFIG": ""}, system=system)
    for word in ("blikk.yaml", str(Path.cwd()), str(system), "BLIKK_CONFIG", "--config", "`blikk init`"):
        assert word in str(raised.value)


def test_another_ending_is_meant(system: Path):
    Path("blikk.yml").touch()
    with pytest.raises(ConfigErrors, match=r"Did you mean `blikk\.yml`"):
        find(None, {}, system=system)
