"""A user id that a container was given: no home folder, no entry in the user database, a folder it may not write to."""

import shutil
import subprocess
from pathlib import Path

import pytest
from cli_props import BLIKK, CONFIG, LIMIT_S

from blikk_edge.core.folders import CACHE, STATE, may_be_made, user_folder

UID = 54321
HOMES = [["-u", "HOME"], ["HOME="], ["HOME=/nonexistent"], ["HOME=/"]]


@pytest.fixture
def as_nobody(blikk):
    """Runs `blikk` as a user who may read everything, wherever this Python lies, and write nothing."""
    command = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups"]
    command += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    if (
        shutil.which("setpriv") is None
        or subprocess.run([*command, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("no setpriv that this user may use")
    temporary = blikk.folder / "tmp"
    temporary.mkdir(mode=0o1777)
    temporary.chmod(0o1777)

    def run(home: list[str], *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, "env", *home, str(BLIKK), *arguments],
            cwd=blikk.folder,
            env={k: v for k, v in blikk.environ.items() if k != "HOME"} | {"TMPDIR": str(temporary), **environ},
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_S,
        )

    return run


@pytest.mark.parametrize("home", HOMES, ids=" ".join)
def test_without_a_home_a_start_says_which_key_names_a_place(as_nobody, config: Path, home: list[str]):
    for command in ("run", "check"):
        done = as_nobody(home, command)
        reported = done.stdout + done.stderr
        assert done.returncode == 78
        assert "Traceback" not in reported
        assert all(word in reported for word in (f"user id {UID}", "store.path", "XDG_STATE_HOME"))


@pytest.mark.parametrize("home", HOMES, ids=" ".join)
def test_without_a_home_a_clip_is_replayed(as_nobody, clip: Path, home: list[str]):
    done = as_nobody(home, "replay", str(clip))
    assert done.returncode == 0
    assert '"record"' in done.stdout
    assert "Traceback" not in done.stderr


def test_without_a_home_models_are_kept_among_the_temporary_files(as_nobody, blikk, models: Path, mirror):
    from blikk_edge.transforms.models.registry import REGISTRY

    size = REGISTRY["yunet"].size_bytes
    content = next(p for p in models.rglob("*") if p.is_file() and p.stat().st_size == size).read_bytes()
    served = mirror(content)
    served.go.set()
    (blikk.folder / "blikk.yaml").write_text(CONFIG + f"models: {{mirror: '{served.url}'}}\n")
    done = as_nobody(["-u", "HOME"], "models", "pull", "yunet", "--config", "blikk.yaml")
    assert done.returncode == 0, done.stderr
    own = blikk.folder / "tmp" / f"blikk-{UID}"
    assert str(own / "models") in done.stdout
    assert (own.stat().st_uid, own.stat().st_mode & 0o777) == (UID, 0o700)


def test_a_folder_that_somebody_else_made_for_our_models_is_not_used(as_nobody, blikk):
    (blikk.folder / "tmp" / f"blikk-{UID}").mkdir()
    done = as_nobody(["-u", "HOME"], "models", "list")
    assert done.returncode == 1
    assert "belongs to another user; set `models.cache`" in done.stderr


@pytest.mark.parametrize(
    ("environ", "state"),
    [
        ({"XDG_STATE_HOME": "/x", "STATE_DIRECTORY": "/y", "HOME": "/tmp"}, Path("/x/blikk")),
        ({"STATE_DIRECTORY": "/var/lib/blikk:/var/lib/other", "HOME": "/tmp"}, Path("/var/lib/blikk")),
        ({"XDG_STATE_HOME": "relative", "HOME": "/tmp"}, Path("/tmp/.local/state/blikk")),
        ({"HOME": "relative"}, None),
        ({"HOME": "/proc/1/none"}, None),
        ({"HOME": "a\0b"}, None),
    ],
)
def test_the_first_place_that_is_said_is_taken(environ: dict[str, str], state: Path | None):
    assert user_folder(STATE, environ) == state


def test_systemd_says_where_models_go():
    assert user_folder(CACHE, {"CACHE_DIRECTORY": "/var/cache/blikk"}) == Path("/var/cache/blikk")


def test_a_folder_below_a_file_cannot_be_made(tmp_path: Path):
    (tmp_path / "file").touch()
    assert may_be_made(tmp_path / "a" / "b")
    assert not may_be_made(tmp_path / "file" / "a")
    assert not may_be_made(Path("/" + "x" * 5000))
