"""`blikk init` writes what `blikk check` finds nothing wrong with, keeps secrets to this user, and replaces nothing."""

import os
import pty
import select
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from cli_props import BLIKK, LIMIT_S

from blikk_edge.config import load

URL = "rtsp://admin:p%40ss@192.168.1.20/stream1"
CTRL_C = "\x03"
FLAGS = ["--camera", f"front_door={URL}", "--name", "Küche links", "--mqtt", "broker.local:1884", "--username", "blikk"]


def answered(blikk, arguments: Sequence[str], answers: Sequence[tuple[str, str]]) -> tuple[int, str]:
    """The command on a terminal, where each answer is typed after its question: the exit status and all it showed."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [BLIKK, *arguments], env=blikk.environ, cwd=blikk.folder, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        shown, since, left = "", 0, list(answers)
        end = time.monotonic() + LIMIT_S
        while time.monotonic() < end:
            if left and left[0][0] in shown[since:]:
                since = len(shown)
                answer = left.pop(0)[1]
                if answer == CTRL_C:  # this terminal controls nobody
                    process.send_signal(signal.SIGINT)
                else:
                    os.write(ours, answer.encode() + b"\n")
            if not select.select([ours], [], [], 1.0)[0]:
                continue
            try:
                chunk = os.read(ours, 65536)
            except OSError:
                break
            shown += chunk.decode()
        else:
            process.kill()
        os.close(ours)
        assert not left, shown
        return process.wait(LIMIT_S), shown


def test_flags_are_enough_and_the_result_is_fine(blikk):
    status, content = blikk.json("init", *FLAGS, "--json", BLIKK_MQTT_PASSWORD="s3cr3t: #x")
    assert (status, content) == (
        0,
        {"ok": True, "file": "blikk.yaml", "secrets": "secrets.yaml", "node": "kuche_links", "cameras": ["front_door"],
         "exit": 0},
    )  # fmt: skip
    secrets, config = blikk.folder / "secrets.yaml", blikk.folder / "blikk.yaml"
    assert secrets.stat().st_mode & 0o777 == 0o600
    assert "p%40ss" not in config.read_text()
    assert "s3cr3t" not in config.read_text()
    settings = load(config, environ={})
    assert (settings.node.id, settings.node.name) == ("kuche_links", "Küche links")
    assert settings.mqtt is not None
    assert (settings.mqtt.host, settings.mqtt.port, settings.mqtt.username) == ("broker.local", 1884, "blikk")
    assert settings.mqtt.password is not None
    assert settings.mqtt.password.reveal() == "s3cr3t: #x"
    assert settings.cameras[0].source.reveal() == URL
    assert blikk("check").returncode == 0


def test_without_secrets_there_is_no_file_of_them(blikk, clip: Path):
    done = blikk("init", "--camera", "block.mp4", "--camera", "/dev/video0", "--mqtt", "none", "--output", "etc/a.yaml")
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (blikk.folder / "etc").iterdir()] == ["a.yaml"]
    settings = load(blikk.folder / "etc" / "a.yaml", environ={})
    assert settings.mqtt is None
    assert [(each.id, each.source.reveal()) for each in settings.cameras] == [
        ("camera", str(clip)),
        ("camera_2", "/dev/video0"),
    ]
    assert blikk("check", "etc/a.yaml").returncode == 0


@pytest.mark.parametrize(
    ("mqtt", "host", "port", "tls"),
    [
        ("mqtts://broker.local", "broker.local", 8883, True),
        ("mqtt://10.0.0.2:1884", "10.0.0.2", 1884, False),
        ("[::1]:1885", "::1", 1885, False),
        ("::1", "::1", 1883, False),
    ],
)
def test_the_broker_may_be_written_as_an_address(blikk, mqtt: str, host: str, port: int, tls: bool):
    assert blikk("init", "--camera", "/dev/video0", "--mqtt", mqtt).returncode == 0
    made = load(blikk.folder / "blikk.yaml", environ={}).mqtt
    assert made is not None
    assert (made.host, made.port, made.tls is not None) == (host, port, tls)


@pytest.mark.parametrize("there", ["blikk.yaml", "secrets.yaml"])
def test_nothing_is_replaced_without_force(blikk, there: str):
    (blikk.folder / there).write_text("mine")
    done = blikk("init", *FLAGS)
    assert done.returncode == 1
    assert f"{there} is there already; --force" in done.stderr
    assert [(path.name, path.read_text()) for path in blikk.folder.iterdir()] == [(there, "mine")]
    assert blikk("init", *FLAGS, "--force").returncode == 0
    assert (blikk.folder / "secrets.yaml").stat().st_mode & 0o777 == 0o600
    assert blikk("check").returncode == 0


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--mqtt", "none"], "no camera"),
        (["--camera", "/dev/video0"], "no broker"),
        (["--camera", "ftp://x/y", "--mqtt", "none"], "cameras.camera.source"),
        (["--camera", "gone.mp4", "--mqtt", "none"], "cameras.camera.source"),
        (["--camera", "health=/dev/video0", "--mqtt", "none"], "cameras"),
        (["--camera", "a=/dev/video0", "--camera", "a=/dev/video1", "--mqtt", "none"], "two cameras are called a"),
        (["--camera", "/dev/video0", "--mqtt", "http://b"], "is no broker"),
        (["--camera", "/dev/video0", "--mqtt", "b:99999"], "mqtt.port"),
        (["--camera", "/dev/video0", "--mqtt", "none", "--name", "???"], "no id can be made"),
        (["--camera", "/dev/video0", "--mqtt", "none", "--name", b"caf\xe9"], "no text"),
    ],
)
def test_what_no_node_would_take_is_not_written(blikk, flags: list[str], says: str):
    done = blikk("init", *flags)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(blikk.folder.iterdir())


def test_on_a_terminal_it_asks(blikk):
    status, shown = answered(
        blikk,
        ["init"],
        [
            ("called?", "Hallway"),
            ("Address of the camera", URL),
            ("show? [Front door]", ""),
            ("Another", "/dev/video0"),
            ("show? [Camera 2]", "Garden"),
            ("Another", ""),
            ("MQTT broker", "broker.local"),
            ("User at the broker", "blikk"),
            ("Password at the broker", "s3cr3t"),
        ],
    )
    assert status == 0, shown
    assert "s3cr3t" not in shown
    settings = load(blikk.folder / "blikk.yaml", environ={})
    assert [each.id for each in settings.cameras] == ["front_door", "garden"]
    assert settings.mqtt is not None
    assert settings.mqtt.password is not None
    assert settings.mqtt.password.reveal() == "s3cr3t"
    assert blikk("check").returncode == 0


def test_ctrl_c_at_a_question_writes_nothing(blikk):
    status, _ = answered(blikk, ["init"], [("called?", "Hallway"), ("Address of the camera", CTRL_C)])
    assert status == 130
    assert not list(blikk.folder.iterdir())
