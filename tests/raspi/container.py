"""A card of amd64 under a systemd of its own, in a container: units, users and folders are real.

Kernel and disk are this machine's, so a cut of the power ends all programs at once, and loses no write.
"""

import os
import subprocess
import time
from pathlib import Path

LEAVE_OUT = (
    "etc/fstab",
    "etc/systemd/zram-generator.conf",
    "etc/systemd/system.conf.d/blikk.conf",
)
"""What a card does to its machine, and a container must not: mounts, swap, the watchdog."""
MASK = """
    systemd-udevd.service systemd-networkd.service systemd-resolved.service systemd-timesyncd.service
    systemd-networkd-wait-online.service systemd-sysctl.service systemd-modules-load.service nftables.service
    avahi-daemon.service ssh.service blikk-import.service blikk-update.timer apt-daily.timer apt-daily-upgrade.timer
    unattended-upgrades.service keyboard-setup.service console-setup.service getty@tty1.service
    systemd-growfs-root.service e2scrub_reap.service systemd-random-seed.service systemd-hwdb-update.service
"""
CGROUPS = "umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup; echo; exec sleep infinity"
CONFIGURATION = Path(__file__).parents[1] / "docker" / "containers.conf"


class Container:
    """`tree` is the root of the card, and changes. `web` can be read inside as http://127.0.0.1:8000/."""

    def __init__(self, tree: Path, web: Path, *, config: str) -> None:
        self._tree, self._web = tree, web
        self._environ = {**os.environ, "CONTAINERS_CONF": str(CONFIGURATION)}
        self._name = f"blikk-card-{time.monotonic_ns()}"
        for name in LEAVE_OUT:
            (tree / name).unlink(missing_ok=True)
        for unit in MASK.split():
            link = tree / "etc/systemd/system" / unit
            link.unlink(missing_ok=True)
            link.symlink_to("/dev/null")
        (tree / "etc/fstab").touch()
        (tree / "etc/cloud").mkdir(exist_ok=True)
        (tree / "etc/cloud/cloud-init.disabled").touch()
        (tree / "etc/machine-id").write_text("0123456789abcdef0123456789abcdef\n")
        (tree / "etc/blikk").mkdir(exist_ok=True)
        (tree / "etc/blikk/blikk.yaml").write_text(config)
        # a mixed tree of control groups is nothing for crun
        own = ["unshare", "-m", "--propagation", "private", "sh", "-c", CGROUPS]
        self._space = subprocess.Popen(own, stdout=subprocess.PIPE)
        assert self._space.stdout is not None
        with self._space.stdout as output:
            output.readline()

    def begin(self) -> None:
        """Switch it on."""
        options = "--network=none --systemd=always --privileged --pids-limit=0 --tmpfs=/proc/sys/fs/binfmt_misc:ro"
        self._podman("run", "-d", "--rm", "--name", self._name, *options.split(), f"--volume={self._web}:/web:ro",
                     "--rootfs", str(self._tree), "/sbin/init")  # fmt: skip

    def start(self) -> None:
        """Switch it on; returns once systemd has started all that it starts."""
        self.begin()
        deadline = time.monotonic() + 600
        while self.run("systemctl is-system-running --wait").strip() not in {"running", "degraded"}:
            assert time.monotonic() < deadline
            time.sleep(0.5)
        self._podman("exec", "-d", self._name, "python3", "-m", "http.server", "8000", "-d", "/web")

    def cut_power(self) -> None:
        """End all of it at once."""
        self._podman("kill", "--signal=KILL", self._name, check=False)
        self._podman("rm", "-f", "--ignore", self._name, check=False)

    def power_off(self) -> None:
        """In order."""
        self._podman("stop", "--time=60", self._name, check=False)
        self._podman("rm", "-f", "--ignore", self._name, check=False)

    def run(self, script: str, limit_s: float = 1800) -> str:
        """What a script of root's says inside."""
        command = self._command("exec", "-i", self._name, "sh", "-s")
        done = subprocess.run(
            command, env=self._environ, input=script, capture_output=True, text=True, timeout=limit_s, check=False
        )
        return done.stdout + done.stderr

    def close(self) -> None:
        """Switch it off for good."""
        self.cut_power()
        self._space.kill()
        self._space.wait()

    def _command(self, *arguments: str) -> list[str]:
        return ["nsenter", "-t", str(self._space.pid), "-m", "podman", "--runtime", "crun", *arguments]

    def _podman(self, *arguments: str, check: bool = True) -> None:
        command = self._command(*arguments)
        done = subprocess.run(command, env=self._environ, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0 or not check, done.stderr
