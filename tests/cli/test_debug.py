"""`blikk debug`: what is wrong is said in words, and it ends when it is asked to."""

import signal
import socket
import subprocess
from pathlib import Path

from cli_props import BLIKK, CONFIG, LIMIT_S, Command


def refused(done: subprocess.CompletedProcess[str], status: int, says: str) -> None:
    assert done.returncode == status, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_what_cannot_be_debugged_is_named(blikk: Command, clip: Path) -> None:
    (blikk.folder / "blikk.yaml").write_text(CONFIG)
    refused(blikk("debug", "none.mp4"), 2, "none.mp4: no such clip")
    refused(blikk("debug", str(clip), "--camera", "shed"), 2, "--camera without --config")
    refused(blikk("debug", str(clip), "--camera", "shed", "--config", "blikk.yaml"), 2, "it has front_door")
    refused(blikk("debug", str(clip), "--port", "99999"), 2, "is no port")
    refused(blikk("debug", "blikk.yaml"), 1, "blikk.yaml")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        refused(blikk("debug", str(clip), "--port", str(taken.getsockname()[1])), 1, "Address already in use")


def test_it_says_where_its_page_is_and_ends_when_asked_to(blikk: Command, clip: Path) -> None:
    command = [str(BLIKK), "debug", str(clip)]
    with subprocess.Popen(
        command, cwd=blikk.folder, env=blikk.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        port = int(url.removeprefix("http://127.0.0.1:").partition("/")[0])
        with socket.create_connection(("127.0.0.1", port), LIMIT_S):
            process.send_signal(signal.SIGTERM)
            said, complained = process.communicate(timeout=LIMIT_S)
    assert (process.returncode, said) == (0, "")
    assert "looking with detector" in complained
    assert "Traceback" not in complained
