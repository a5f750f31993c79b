"""Whatever stands on the command line or lies there as a file: a clear word, and never a traceback."""

import os
import stat
import subprocess
from pathlib import Path

import pytest
from cli_props import BLIKK, CONFIG, LIMIT_S
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nowhere import NOWHERE

from blikk_edge.cli.program import program


def refused(done, status: int, *says: str) -> None:
    reported = done.stdout + done.stderr
    assert "Traceback" not in reported
    assert done.returncode == status, reported
    for word in says:
        assert word in reported


def test_a_file_that_is_no_configuration_is_said_to_be_none(tmp_path: Path, monkeypatch, capsys):
    folder = tmp_path
    monkeypatch.chdir(folder)

    def reported(*arguments: str) -> str:
        assert program(list(arguments)) == 78
        said = capsys.readouterr()
        return said.out + said.err

    os.mkfifo(folder / "pipe")
    (folder / "empty.yaml").touch()
    (folder / "blank.yaml").write_text("\n# to be written\n")
    (folder / "list.yaml").write_text("- a\n")
    (folder / "text.yaml").write_text("hello: [\n")
    (folder / "binary.yaml").write_bytes(bytes(range(256)) * 10)
    (folder / "latin.yaml").write_bytes("node: Küche\n".encode("latin-1"))
    (folder / "utf16.yaml").write_text("node: hallway\n", encoding="utf-16")
    (folder / "large.yaml").write_text("a: b\n" * 300_000)
    (folder / "config.yml").write_text(CONFIG)
    for name, says in {
        "none.yaml": "there is no such file in",
        "config.yaml": "Did you mean `config.yml`?",
        ".": "this is a folder",
        "pipe": "this is a device or a pipe",
        "/dev/zero": "this is a device or a pipe",
        "empty.yaml": "the file is empty",
        "blank.yaml": "the file is empty",
        "list.yaml": "not a mapping",
        "text.yaml": "not YAML",
        "binary.yaml": "this is no text",
        "latin.yaml": "the text is not UTF-8",
        "utf16.yaml": "the text is not UTF-8",
        "large.yaml": "larger than 250 kB",
        "x" * 300: "cannot be read",
        "list.yaml/below": "cannot be read",
    }.items():
        said = reported("check", name)
        assert says in said
        assert "1 problem in" in said
    for command in (["run"], ["ask", "who?"], ["models", "list"]):
        assert "this is a device or a pipe" in reported(*command, "--config", "pipe")
        assert "there is no such file" in reported(*command, "--config", "none.yaml")


def test_a_file_that_may_not_be_read_is_said_to_be_so(blikk, config: Path):
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    config.chmod(0)
    refused(blikk("check"), 78, "Permission denied")


SEARCHING = (["run"], ["check"], ["ask", "who?"], ["purge", "old", "--yes"])
"""Every command that reads the configuration which is there."""


def test_no_configuration_says_what_to_write_and_where_it_was_looked_for(blikk):
    for command in SEARCHING:
        done = blikk(*command)
        refused(done, 78, "blikk.yaml: there is no such file in", str(blikk.folder), "node: hallway")
        refused(done, 78, "/etc/blikk/blikk.yaml", "BLIKK_CONFIG", "`blikk init`")


def test_the_environment_names_the_configuration(blikk):
    for command in SEARCHING:
        refused(blikk(*command, BLIKK_CONFIG="else.yaml"), 78, "else.yaml: there is no such file in", "`blikk init`")


def test_a_working_directory_that_is_gone_is_said(blikk) -> None:
    (gone := blikk.folder / "gone").mkdir()
    done = subprocess.run(
        ["sh", "-c", f'rmdir "{gone}" && exec "{BLIKK}" run'],
        cwd=gone,
        env=blikk.environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
    )
    refused(done, 78, "the working directory, which was removed")


@pytest.mark.parametrize("name", [b"caf\xe9.yaml", "käse\n.yaml".encode(), b"\x1b[31m.yaml"])
def test_a_name_that_is_no_text_is_shown_somehow(blikk, name: bytes):
    for environ in ({}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}):
        refused(blikk("check", name, **environ), 78, "there is no such file")
        refused(blikk("check", "--json", name, **environ), 78, "there is no such file")
        refused(blikk("replay", name, **environ), 2, "no such clip")


def test_notes_are_shown_beside_problems(blikk, config: Path):
    (secrets := blikk.folder / "secrets.yaml").write_text("a: b\n")
    secrets.chmod(0o644)
    for wrong in ("store: {path: .}\n", "nonsense: 1\n"):  # what the machine lacks, and what the file has too much
        config.write_text(CONFIG + wrong)
        done = blikk("check")
        first, *others = done.stdout.splitlines()
        assert (done.returncode, done.stderr) == (78, "1 problem in blikk.yaml\n")
        assert first.startswith("blikk.yaml:5: ")
        assert any("`chmod 600 secrets.yaml`" in line for line in others)
        assert all(line.startswith("note: ") for line in others)


def test_two_configurations_are_one_too_many(blikk):
    refused(blikk("check", "a.yaml", "--config", "b.yaml"), 2, "two configurations")


def test_check_takes_the_file_either_way(blikk, config: Path):
    for arguments in (["check"], ["check", "blikk.yaml"], ["check", "--config", "blikk.yaml"]):
        assert blikk(*arguments).returncode == 0


@pytest.mark.parametrize(
    ("start", "says"),
    [
        ("now", "no ISO 8601 time"),
        ("", "no ISO 8601 time"),
        ("0001-01-01", "only times from 1970"),
        ("9999-12-31T23:59:59", "only times from 1970"),
        ("2026-13-01", "no ISO 8601 time"),
        ("1969-12-31T23:59:59Z", "only times from 1970"),
        ("9" * 5000, "no ISO 8601 time"),
    ],
)
def test_a_start_that_is_no_time_is_refused(blikk, clip: Path, start: str, says: str):
    refused(blikk("replay", str(clip), f"--start={start}"), 2, says)


def test_a_clip_that_is_none_is_refused(blikk, clip: Path, config: Path):
    os.mkfifo(blikk.folder / "pipe.mp4")
    refused(blikk("replay", "."), 2, "this is a folder")
    refused(blikk("replay", "pipe.mp4"), 2, "this is no file")
    refused(blikk("replay", "x" * 5000), 2, "cannot be read")
    refused(blikk("replay", "rtsp://user:secret@camera/1"), 2, "an address is no clip")
    refused(blikk("replay", "blikk.yaml"), 1, "blikk.yaml")
    refused(blikk("replay", str(clip), "--camera", "shed"), 2, "--camera without --config")
    refused(blikk("replay", str(clip), "--camera", "shed", "--config", "blikk.yaml"), 2, "it has front_door")


@pytest.mark.parametrize("command", [["demo"], ["push", "--to", "wss://h/ingest/x"]])
def test_a_source_that_is_none_is_refused_before_anything_is_fetched_or_made(blikk, command: list[str]):
    def reported(source: str):
        return blikk(*command, "--source", source, BLIKK_PUSH_TOKEN="t")

    refused(reported("none.mp4"), 2, "blikk: --source none.mp4: not found")
    refused(reported("file:///none%20here.mp4"), 2, "--source file:///none%20here.mp4: not found")
    refused(reported("."), 2, "--source .: this is a folder")
    refused(reported("x" * 5000), 2, "this is no name of a file")
    refused(reported(""), 2, "not found")
    refused(reported("gopher://user:secret@camera/1"), 2, "--source gopher://***@camera/1: this kind of address")
    assert list(blikk.folder.iterdir()) == []


def test_the_demo_waits_for_no_device_that_is_not_there(blikk):
    refused(blikk("demo", "--source", "/dev/video77"), 2, "--source /dev/video77: not found")


def test_pictures_that_cannot_be_written_are_reported_before_the_clip_is_read(blikk, clip: Path):
    (blikk.folder / "file").touch()
    refused(blikk("replay", str(clip), "--pictures", "file"), 1, "there is a file of this name")
    refused(blikk("replay", str(clip), "--pictures", "file/below"), 1, "nothing can be written there")
    refused(blikk("replay", str(clip), "--pictures", "/proc/pictures"), 1, "nothing can be written there")
    refused(blikk("replay", str(clip), "--pictures", "x" * 300), 1, "nothing can be written there")
    done = blikk("replay", str(clip), "--pictures", "file", "--json")
    refused(done, 1, '"kind": "output"', '"exit": 1')


def test_a_disk_that_fills_up_meanwhile_is_reported_and_no_half_picture_stays(blikk, clip: Path):
    limited = f"ulimit -f 1; exec '{BLIKK}' replay '{clip}' --pictures pictures"  # 512 bytes a file, as a full disk
    done = subprocess.run(
        ["sh", "-c", limited], env=blikk.environ, cwd=blikk.folder, capture_output=True, text=True, check=False
    )
    refused(done, 1, "--pictures pictures/", "it cannot be written: File too large")
    assert list((blikk.folder / "pictures").iterdir()) == []


def test_pictures_go_into_a_folder_that_is_made(blikk, clip: Path):
    assert blikk("replay", str(clip), "--pictures", "a/b").returncode == 0
    assert stat.S_ISDIR((blikk.folder / "a" / "b").stat().st_mode)
    assert [path for path in (blikk.folder / "a" / "b").iterdir() if path.suffix != ".jpg"] == []


@pytest.mark.parametrize(
    ("start", "name"),
    [
        ("2026-01-01T00:00:00Z", "20260101T000000.000-snapshot.jpg"),
        ("2026-07-01T23:59:59.999+02:00", "20260701T235959.999-snapshot.jpg"),
    ],
)
def test_pictures_are_named_by_the_time_that_the_table_shows(blikk, clip: Path, start: str, name: str):
    assert blikk("replay", str(clip), "--pictures", "out", "--start", start).returncode == 0
    assert min(path.name for path in (blikk.folder / "out").iterdir()) == name


ODD = st.one_of(
    st.text(max_size=40),
    st.sampled_from(["\0", "a\0b", "-", "--", "--json", "~", "~nobody", "/", "..", "\ud800", "x" * 5000, "1" * 400]),
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    command=st.sampled_from(["check", "replay", "models", "ask", "push", "completion", "version", "xyzzy", ""]),
    rest=st.lists(
        st.one_of(ODD, st.sampled_from(["--config", "--start", "--camera", "--to", "--source", "--token-file"])),
        max_size=4,
    ),
)
def test_no_command_line_ends_in_a_traceback(command: str, rest: list[str], tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, value in NOWHERE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("BLIKK_PUSH_TOKEN", raising=False)
    try:
        status = program([command, *rest])
    except SystemExit as ended:  # --help and --version, by argparse
        status = int(ended.code or 0)
    assert status in {0, 1, 2, 78}
    capsys.readouterr()


@pytest.mark.parametrize("arguments", [["run"], ["--help"], ["health", "--json"]])
def test_a_32_bit_python_is_said_to_be_one_in_one_line(blikk, arguments: list[str]):
    code = f"import sys; sys.maxsize = 2**31 - 1; from blikk_edge.cli import main; sys.exit(main({arguments}))"
    done = subprocess.run(
        [BLIKK.with_name("python"), "-c", code], env=blikk.environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    (line,) = (done.stdout + done.stderr).splitlines()
    assert "only 64-bit systems are supported" in line
