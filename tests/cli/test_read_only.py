"""A read-only root, a user id without a home: what the environment or the configuration names is all that is needed."""

import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from cli_props import BLIKK, CONFIG, LIMIT_S
from test_stopping import ended, until

UID = 54321
USER = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups"]
USER += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
CLOSED = "mount --bind {0} {0} && mount -o remount,bind,ro / && mount -t tmpfs -o ro none /dev/shm && shift && exec"
"""Makes everything read-only but one folder."""


@pytest.fixture
def inside(blikk) -> list[str]:
    """The start of a command line for a user who may write to the folder `free` and nowhere else."""
    free = blikk.folder / "free"
    free.mkdir(mode=0o700)
    shutil.chown(free, UID, UID)
    command = ["unshare", "--mount", "sh", "-c", f'{CLOSED.format(free)} "$@"', "sh", "-", *USER, "env", "-u", "HOME"]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*command, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("no unshare, or no setpriv, that this user may use")
    return command


@contextmanager
def node(blikk, inside: list[str], environ: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    with (
        (blikk.folder / "stderr").open("wb") as log,
        subprocess.Popen(
            [*inside, str(BLIKK), "run"],
            cwd=blikk.folder,
            env={k: v for k, v in blikk.environ.items() if k != "HOME"} | environ,
            stderr=log,
        ) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("way", ["xdg", "systemd", "configuration"])
def test_a_node_runs_where_only_its_own_folders_can_be_written_to(blikk, inside: list[str], way: str):
    free = blikk.folder / "free"
    environ, config = {
        "xdg": ({"XDG_STATE_HOME": f"{free}/state", "XDG_CACHE_HOME": f"{free}/cache"}, ""),
        "systemd": ({"STATE_DIRECTORY": f"{free}/state", "CACHE_DIRECTORY": f"{free}/cache"}, ""),
        "configuration": ({}, f"store: {{path: {free}/state/x.db}}\nmodels: {{cache: {free}/cache}}\n"),
    }[way]
    (blikk.folder / "blikk.yaml").write_text(CONFIG + config)
    log = blikk.folder / "stderr"
    with node(blikk, inside, environ) as process:
        until(lambda: "blikk.camera.front_door" in log.read_text(), process)
        assert list((free / "state").rglob("*.db"))
        assert ended(process, signal.SIGTERM) == 0
    assert not [line for line in log.read_text().splitlines() if "Traceback" in line or "blikk.store" in line]


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({}, ("store.path", "XDG_STATE_HOME")),
        ({"STATE_DIRECTORY": "{free}"}, ("models.cache", "XDG_CACHE_HOME")),
    ],
)
def test_where_nothing_can_be_written_one_line_names_what_to_set(
    blikk, config: Path, inside: list[str], environ: dict[str, str], says: tuple[str, ...]
):
    places = {name: value.format(free=blikk.folder / "free") for name, value in environ.items()}
    with node(blikk, inside, places) as process:
        assert process.wait(LIMIT_S) in {1, 78}
    (line,) = (blikk.folder / "stderr").read_text().splitlines()
    assert all(word in line for word in says)
