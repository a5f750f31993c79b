"""The set-up page of a card: its code is on the FAT partition, and what it wrote goes there."""

import os
import re
import subprocess
from pathlib import Path

import pytest

LIB = Path(__file__).parents[2] / "raspi" / "rootfs" / "usr" / "lib" / "blikk"


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    boot, run = tmp_path / "boot", tmp_path / "run"
    boot.mkdir()
    run.mkdir()
    return boot, run


def start(script: str, boot: Path, run: Path) -> str:
    environ = os.environ | {"BLIKK_BOOT": str(boot), "BLIKK_SETUP": str(run), "BLIKK_SYSTEMCTL": "echo systemctl"}
    return subprocess.run([LIB / script], env=environ, check=True, capture_output=True, text=True, timeout=60).stdout


def test_the_code_is_on_the_card_and_stays_over_a_start(folders: tuple[Path, Path]) -> None:
    boot, run = folders
    start("setup-begin", boot, run)
    kept = (boot / "blikk-setup-code.txt").read_text()
    assert re.fullmatch("[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}\n", kept)
    assert (run / "code").read_text().strip() == kept.replace("-", "").strip()
    assert (run / "code").stat().st_mode & 0o777 == 0o600
    (run / "code").unlink()
    start("setup-begin", boot, run)
    assert (run / "code").read_text().strip() == kept.replace("-", "").strip()


@pytest.mark.parametrize("text", ["", "1234", "password", "AAAA-AAAI", "x" * 5000])
def test_a_code_that_is_none_of_ours_is_not_taken(folders: tuple[Path, Path], text: str) -> None:
    boot, run = folders
    (boot / "blikk-setup-code.txt").write_text(text)
    start("setup-begin", boot, run)
    code = (run / "code").read_text().strip()
    assert len(code) == 8
    assert code not in text.replace("-", "")


def test_what_was_written_goes_to_the_card_and_is_taken_over(folders: tuple[Path, Path]) -> None:
    boot, run = folders
    (run / "new").mkdir()
    (run / "new" / "blikk.yaml").write_text("node: hallway\n")
    (run / "new" / "secrets.yaml").write_text("a: b\n")
    (boot / "blikk-setup-code.txt").write_text("ABCD-EFGH\n")
    said = start("setup-done", boot, run)
    assert said == "systemctl --no-block restart blikk-import.service blikk-edge.service\n"
    assert {path.name: path.read_text() for path in boot.iterdir()} == {
        "blikk.yaml": "node: hallway\n",
        "secrets.yaml": "a: b\n",
    }


def test_without_a_result_nothing_is_touched_nor_is_a_configuration_that_is_there(folders: tuple[Path, Path]) -> None:
    boot, run = folders
    assert start("setup-done", boot, run) == ""
    (run / "new").mkdir()
    (run / "new" / "blikk.yaml").write_text("node: other\n")
    (boot / "blikk.yaml").write_text("node: mine\n")
    assert start("setup-done", boot, run) == ""
    assert (boot / "blikk.yaml").read_text() == "node: mine\n"
