"""The unit of `blikk service install` under a real systemd, the first process of a container; run by docker/test."""

import os
from collections.abc import Iterator

import pytest

if "BLIKK_SYSTEMD_IMAGE" not in os.environ:
    pytest.skip("docker/test builds the image and runs these, with podman", allow_module_level=True)

from engine import Container

pytestmark = pytest.mark.timeout(900)

UNIT = "blikk-edge.service"
CONFIG = "/etc/blikk/blikk.yaml"
TEXT = """\
node: hallway
mqtt: {host: 127.0.0.1, port: 9, username: blikk, password: !secret broker}
cameras: {door: {source: "rtsp://127.0.0.1:9/x"}}
"""
WATCHDOG_S = 15
EXPOSURE_MAX = 2.0


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Container]:
    """Debian with systemd, and a configuration that only root reads."""
    monkeypatch.setenv("BLIKK_ENGINE", os.environ["BLIKK_SYSTEMD_ENGINE"])
    options = ["--systemd=always", "--privileged", "--pids-limit=0", "--env=HOME=/root"]
    # a privileged systemd would take the emulators of other processors from this machine
    options += ["--tmpfs=/proc/sys/fs/binfmt_misc:ro"]
    with Container(os.environ["BLIKK_SYSTEMD_IMAGE"], *options, network="none") as machine:
        machine.until(lambda: machine.does("systemctl", "is-system-running", "--wait"))
        machine.says("install", "-d", "/etc/blikk")
        script = 'umask 077; cd /etc/blikk; printf "%s" "$1" > blikk.yaml; echo broker: x > secrets.yaml'
        machine.says("sh", "-c", script, "sh", TEXT)
        yield machine


def shown(machine: Container, name: str) -> str:
    """A property of the unit."""
    return machine.says("systemctl", "show", UNIT, "--value", f"--property={name}").strip()


def test_the_service_is_ready_is_watched_over_and_ends_well(machine: Container):
    machine.says("mkdir", "-p", f"/etc/systemd/system/{UNIT}.d")
    short = f"printf '[Service]\\nWatchdogSec={WATCHDOG_S}\\n' > /etc/systemd/system/{UNIT}.d/short.conf"
    machine.says("sh", "-c", short)
    machine.says("blikk", "service", "install", "--config", CONFIG)

    # Type=notify: active is what has said READY
    machine.until(lambda: shown(machine, "ActiveState") == "active")
    assert shown(machine, "StatusText").startswith("0 of 1 cameras online")
    assert machine.says("blikk", "health").startswith("hallway: fine")
    status = machine.says("cat", f"/proc/{shown(machine, 'MainPID')}/status").splitlines()
    assert {"CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1"} <= set(status)
    assert "Uid:\t0\t0\t0\t0" not in status
    machine.says("systemd-analyze", "security", "--no-pager", f"--threshold={10 * EXPOSURE_MAX:.0f}", UNIT)

    pinged = shown(machine, "WatchdogTimestampMonotonic")
    machine.until(lambda: shown(machine, "WatchdogTimestampMonotonic") != pinged)
    assert shown(machine, "NRestarts") == "0"

    machine.says("systemctl", "kill", "--signal=STOP", UNIT)
    machine.until(lambda: shown(machine, "NRestarts") == "1" and shown(machine, "ActiveState") == "active")
    assert "Watchdog timeout" in machine.says("journalctl", "--no-pager", "--output=cat", f"--unit={UNIT}")

    machine.says("systemctl", "stop", UNIT)
    assert (shown(machine, "ActiveState"), shown(machine, "Result")) == ("inactive", "success")
    machine.says("blikk", "service", "remove")
    assert not machine.does("test", "-e", f"/etc/systemd/system/{UNIT}")


def test_a_wrong_configuration_is_not_tried_again(machine: Container):
    machine.says("blikk", "service", "install", "--config", CONFIG)
    machine.until(lambda: shown(machine, "ActiveState") == "active")
    machine.says("sh", "-c", f"echo 'cameras: 1' >> {CONFIG}")
    machine.does("systemctl", "restart", UNIT)
    machine.until(lambda: shown(machine, "ActiveState") == "failed")
    assert (shown(machine, "ExecMainStatus"), shown(machine, "NRestarts")) == ("78", "0")
