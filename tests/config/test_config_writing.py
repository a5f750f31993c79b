"""A configuration is replaced whole or not at all, and what it was is kept."""

import errno
import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from blikk_edge.config import writing
from blikk_edge.config.writing import ChangedError, NotWritableError, replace_config, tag_of
from blikk_edge.core.errors import ConfigError

NOW = datetime(2026, 11, 29, 12, 0, 0, tzinfo=UTC)
OLD, NEW = b"node: old\n", b"node: new\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "blikk.yaml"
    made.write_bytes(OLD)
    made.chmod(0o640)
    return made


def test_mode_stays_and_the_old_file_is_kept(path: Path) -> None:
    backup = replace_config(path, NEW, tag=tag_of(OLD), now=NOW)
    assert (path.read_bytes(), backup.read_bytes()) == (NEW, OLD)
    assert backup.name == "blikk.yaml.bak-20261129T120000"
    assert {stat.S_IMODE(each.stat().st_mode) for each in (path, backup)} == {0o640}


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to give files away")
def test_owner_and_group_stay(path: Path) -> None:
    os.chown(path, 12345, 23456)
    backup = replace_config(path, NEW, tag=tag_of(OLD), now=NOW)
    assert {(each.stat().st_uid, each.stat().st_gid) for each in (path, backup)} == {(12345, 23456)}


def test_the_newest_five_backups_stay_and_nothing_else_goes(path: Path) -> None:
    other = path.with_name("blikk.yaml.bak-mine")
    other.write_text("mine")
    for number in range(8):
        content = path.read_bytes()
        replace_config(path, b"n: %d\n" % number, tag=tag_of(content), now=NOW + timedelta(seconds=number // 2))
    kept = sorted(each.name.removeprefix("blikk.yaml.bak-") for each in path.parent.glob("*.bak-2*"))
    assert kept == [f"2026112 9T12000{end}".replace(" ", "") for end in ("1-1", "2", "2-1", "3", "3-1")]
    assert other.read_text() == "mine"


def test_the_backup_just_made_stays_where_the_clock_was_set_back(path: Path) -> None:
    for number in range(6):
        replace_config(path, b"n: %d\n" % number, tag=tag_of(path.read_bytes()), now=NOW + timedelta(days=number))
    backup = replace_config(path, NEW, tag=tag_of(path.read_bytes()), now=NOW - timedelta(days=20_000))
    assert backup.read_bytes() == b"n: 5\n"
    assert len([*path.parent.glob("*.bak-*")]) == writing.BACKUPS


def test_a_file_that_has_changed_is_not_replaced(path: Path) -> None:
    with pytest.raises(ChangedError, match="has changed since it was loaded"):
        replace_config(path, NEW, tag=tag_of(b"other"), now=NOW)
    assert path.read_bytes() == OLD


def test_a_file_that_changes_at_the_last_moment_is_not_replaced(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = writing._write

    def and_somebody_else(target: Path, content: bytes, like: os.stat_result) -> None:
        write(target, content, like)
        path.write_bytes(b"node: theirs\n")

    monkeypatch.setattr(writing, "_write", and_somebody_else)
    with pytest.raises(ChangedError):
        replace_config(path, NEW, tag=tag_of(OLD), now=NOW)
    assert path.read_bytes() == b"node: theirs\n"
    assert [*path.parent.iterdir()] == [path]


class PowerCutError(BaseException):
    """Nothing that comes after it is done."""


@pytest.mark.parametrize("call", ["open", "fchmod", "fsync", "replace", "unlink"])
def test_when_the_power_goes_the_file_is_the_old_or_the_new_one(
    path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    for count in range(10):
        path.write_bytes(OLD)
        real = getattr(os, call)
        left = count

        def cut(*args: Any, real: Any = real, **more: Any) -> Any:
            nonlocal left
            if left == 0:
                raise PowerCutError
            left -= 1
            return real(*args, **more)

        with monkeypatch.context() as patch:
            patch.setattr(os, call, cut)
            patch.setattr(Path, "unlink", lambda *_a, **_k: None)  # no tidying up without power
            try:
                replace_config(path, NEW, tag=tag_of(OLD), now=NOW + timedelta(seconds=count))
            except PowerCutError:
                assert path.read_bytes() in {OLD, NEW}
                assert stat.S_IMODE(path.stat().st_mode) == 0o640
                continue
        assert path.read_bytes() == NEW
        return
    pytest.fail("the power went every time")


def test_a_full_disk_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(NotWritableError, match="No space left"):
        replace_config(path, NEW, tag=tag_of(OLD), now=NOW)
    assert [each.name for each in path.parent.iterdir()] == ["blikk.yaml"]
    assert path.read_bytes() == OLD


def test_a_pipe_or_a_folder_in_the_place_of_the_file_keeps_nobody_waiting(path: Path) -> None:
    pipe = path.with_name("pipe.yaml")
    os.mkfifo(pipe)
    for each in (pipe, path.parent):
        with pytest.raises(ConfigError):
            writing.read_bytes(each)


def test_links_and_what_is_no_file_are_refused(path: Path) -> None:
    link = path.with_name("link.yaml")
    link.symlink_to(path)
    with pytest.raises(NotWritableError, match="is a link"):
        replace_config(link, NEW, tag=tag_of(OLD), now=NOW)
    with pytest.raises(NotWritableError, match="not an ordinary file"):
        replace_config(path.parent, NEW, tag="", now=NOW)
    assert path.read_bytes() == OLD
