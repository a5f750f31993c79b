"""The unit that `blikk service install` writes: systemd finds nothing wrong with it, and few doors open."""

import grp
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from cli_props import CONFIG

from blikk_edge.cli import service
from blikk_edge.cli.program import program

TRUE = Path(shutil.which("true") or "/bin/true")
EXPOSURE_MAX = 2.0
SHAPES = ("dynamic", "account", "user")


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The text of a unit of one shape, for a program that is there on every machine."""

    def make(shape: str) -> str:
        config = tmp_path / "blikk.yaml"
        config.write_text(CONFIG)
        (tmp_path / "secrets.yaml").write_text("a: b\n")
        monkeypatch.setattr(service, "_HOMES", (tmp_path,) if shape == "account" else (Path("/home"),))
        monkeypatch.setattr(service, "_account", lambda: "daemon")
        return service.unit(config, user=shape == "user", blikk=TRUE)

    return make


@pytest.fixture
def analyze(tmp_path: Path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze")

    def run(text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        path = tmp_path / service.UNIT
        path.write_text(text)
        return subprocess.run(
            ["systemd-analyze", *arguments, str(path)], capture_output=True, text=True, check=False,
            env=os.environ | {"XDG_RUNTIME_DIR": str(tmp_path)},
        )  # fmt: skip

    return run


@pytest.mark.parametrize("shape", SHAPES)
def test_systemd_finds_nothing_wrong(made, analyze, shape: str):
    done = analyze(made(shape), "verify", *(["--user"] if shape == "user" else []))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("shape", ["dynamic", "account"])
def test_it_is_hardened(made, analyze, shape: str):
    done = analyze(made(shape), "security", "--offline=true", "--no-pager", f"--threshold={10 * EXPOSURE_MAX:.0f}")
    assert done.returncode == 0, done.stdout[-300:]


@pytest.mark.parametrize("shape", SHAPES)
def test_nothing_is_left_to_fill_in(made, shape: str):
    text = made(shape)
    assert "@BLIKK" not in text
    assert "@CONFIG" not in text
    assert not [line for line in text.splitlines() if line.startswith("(")]
    assert "Type=notify" in text
    assert "WatchdogSec=60" in text
    assert "RuntimeDirectory=blikk" in text


def test_a_made_up_user_gets_the_configuration_handed_over(made, tmp_path: Path):
    text = made("dynamic")
    assert "DynamicUser=yes" in text
    assert f"LoadCredential=blikk.yaml:{tmp_path}/blikk.yaml" in text
    assert f"LoadCredential=secrets.yaml:{tmp_path}/secrets.yaml" in text
    assert "Environment=BLIKK_CONFIG=%d/blikk.yaml" in text


def test_only_groups_that_exist_are_named(made, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(grp, "getgrnam", {"video": 44}.__getitem__)
    assert "SupplementaryGroups=video\n" in made("dynamic")
    monkeypatch.setattr(grp, "getgrnam", {}.__getitem__)
    assert "SupplementaryGroups" not in made("dynamic")


def test_root_runs_no_node_out_of_a_home_folder(made, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    made("account")
    monkeypatch.setattr(service, "_account", lambda: "root")
    with pytest.raises(service.UsageError, match="is in a home folder, and the node would run as root"):
        service.unit(tmp_path / "blikk.yaml", user=False, blikk=TRUE)


def test_a_path_that_no_unit_can_hold_is_refused(tmp_path: Path):
    with pytest.raises(service.UsageError, match="a space or a special character"):
        service.unit(tmp_path / "a b.yaml", user=True, blikk=TRUE)


def test_install_and_remove(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    config = tmp_path / "blikk.yaml"
    config.write_text(CONFIG)
    calls = tmp_path / "calls"
    (tmp_path / "bin").mkdir()
    fake = tmp_path / "bin" / "systemctl"
    fake.write_text(f'#!/bin/sh\necho "$@" >> {calls}\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr(service, "RUNNING", tmp_path)
    assert program(["service", "install", "--user", "--config", str(config)]) == 0
    path = tmp_path / "systemd" / "user" / service.UNIT
    assert f'BLIKK_CONFIG={config}"' in path.read_text()
    assert program(["service", "remove", "--user", "--json"]) == 0
    assert not path.exists()
    assert calls.read_text().splitlines() == [
        "--user daemon-reload",
        "--user enable blikk-edge.service",
        "--user restart --no-block blikk-edge.service",
        "--user disable --now blikk-edge.service",
        "--user daemon-reload",
    ]
    assert program(["service", "remove", "--user"]) == 1
    assert "there is no" in capsys.readouterr().err


def test_a_configuration_that_is_wrong_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "blikk.yaml").write_text("node: hallway\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert program(["service", "install", "--user", "--config", str(tmp_path / "blikk.yaml")]) == 78
    assert not (tmp_path / "systemd").exists()


def test_print_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "blikk.yaml").write_text(CONFIG)
    assert program(["service", "install", "--user", "--print", "--config", str(tmp_path / "blikk.yaml")]) == 0
    assert capsys.readouterr().out.startswith("# Written by")
    assert not (tmp_path / "systemd").exists()
