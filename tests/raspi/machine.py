"""A card in an emulated board: QEMU's `virt` or its Pi 3. Neither has firmware: they get kernel and initramfs."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from ports import free_port

CACHE = Path(os.environ.get("BLIKK_RASPI_CACHE", Path(__file__).parents[2] / ".cache" / "raspi"))
HOST = "10.0.2.100"
"""Where the machine inside reaches what is forwarded to it; it has no other network."""

_HARMLESS = re.compile(
    r"fsck\.fat .*|There are differences between boot sector and its backup\.|This is mostly harmless\. Differences.*"
    r"|  65:01/00|  Not automatically fixing this\.|Dirty bit is set\. .*| Automatically removing dirty bit\."
    r"|Free cluster summary wrong .*|  Auto-correcting\.|Leaving filesystem unchanged\."
    r"|.*: \d+ files, \d+/\d+ clusters|"
)
"""A line of fsck.fat about a partition that is whole, and that nobody unmounted. How much is free is a hint there."""

BOARDS = {
    "virt": {
        "arguments": "-M virt -cpu cortex-a72 -smp 2 -m 1024 -device virtio-blk-pci,drive=card"
        " -device virtio-net-pci,netdev=net,romfile= -device virtio-rng-pci -device virtio-gpu-pci",
        "drive": "if=none,id=card",
        "serial": ("file:{log}",),
        "console": "ttyAMA0",
        "words": "",
    },
    "raspi3b": {
        "arguments": "-M raspi3b -device usb-net,netdev=net -dtb {boot}/bcm2837-rpi-3-b.dtb",
        "drive": "if=sd",
        "serial": ("null", "file:{log}"),
        "console": "ttyS1,115200",
        # QEMU's Pi has no time in its watchdog: it starts anew as soon as somebody switches that on
        "words": "systemd.watchdog_sec=off",
    },
}


ARCH = "amd64" if CACHE.name.endswith("-amd64") else "arm64"
"""Of the card: one of amd64 is tried in a container."""


class Machine:
    """One board with a copy of the card image in `folder`, off until `start`.

    `inward` are the machine's ports on HOST and those on this machine's loopback to which they lead. With `own_clock`
    its time goes on by what its processor does, so the limits of programs inside mean the same on a busy machine;
    whoever waits for it outside has to be patient.
    """

    def __init__(
        self, folder: Path, *, board: str = "virt", inward: dict[int, int] | None = None, own_clock: bool = False
    ) -> None:
        self.card = folder / "card.img"
        self.ssh_port = free_port()
        self._folder = folder
        self._board = BOARDS[board]
        self._inward = inward or {}
        self._own_clock = own_clock
        self._log = folder / "serial.log"
        self._monitor = folder / "monitor"
        self._process: subprocess.Popen[bytes] | None = None
        self._read = 0
        self._log.touch()
        subprocess.run(["cp", "--sparse=always", CACHE / "card.img", self.card], check=True)
        # QEMU's card reader wants a power of two; a card is larger than the image anyway
        os.truncate(self.card, 4 << 30)
        layout = json.loads(subprocess.check_output([tool("sfdisk"), "--json", self.card]))["partitiontable"]
        self._fat, self._root = ((p["start"] * 512, p["size"] * 512) for p in layout["partitions"])

    @property
    def console(self) -> str:
        """All that came out of the serial line, over all starts; without the colours."""
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\r", "", self._log.read_text(errors="replace"))

    def start(self) -> None:
        """Switch it on."""
        assert self._process is None, "it is on"
        boot = CACHE / "boot"
        (kernel,), (initrd,) = boot.glob("vmlinuz-*"), boot.glob("initrd.img-*")
        # what the firmware would hand over, with the console where the test reads
        words = [w for w in (boot / "cmdline.txt").read_text().split() if not w.startswith("console=")]
        words.append(str(self._board["words"]))
        append = " ".join([*words, "console=tty0", f"console={self._board['console']}", "systemd.show_status=1"])
        relay = f"{sys.executable} {Path(__file__).with_name('relay.py')}"
        net = ["user,id=net,restrict=on", f"hostfwd=tcp:127.0.0.1:{self.ssh_port}-:22"]
        net += [f"guestfwd=tcp:{HOST}:{inner}-cmd:{relay} {outer}" for inner, outer in self._inward.items()]
        arguments = str(self._board["arguments"]).format(boot=boot).split()
        if self._own_clock:
            # 2 ns for each instruction: half as fast as a Pi 3
            arguments += ["-accel", "tcg,thread=single", "-icount", "shift=1,sleep=on", "-rtc", "clock=vm"]
        for serial in self._board["serial"]:
            arguments += ["-serial", serial.format(log=self._folder / "serial.now")]
        self._keep_log()
        command = ["qemu-system-aarch64", *arguments, "-display", "none", "-append", append]
        command += ["-kernel", str(kernel), "-initrd", str(initrd), "-netdev", ",".join(net)]
        command += ["-monitor", f"unix:{self._monitor},server=on,wait=off"]
        command += ["-drive", f"{self._board['drive']},format=raw,cache=writeback,file={self.card}"]
        with (self._folder / "qemu.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def cut_power(self) -> None:
        """Off at once; what the guest had not written is lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)
            self._process = None
            self._keep_log()

    def wait_for(self, text: str, within_s: float = 2400.0) -> str:
        """Wait until the serial line says this after what was waited for before; returns what came until then."""
        deadline = time.monotonic() + within_s
        while True:
            self._keep_log()
            new = self.console[self._read :]
            if (at := new.find(text)) >= 0:
                self._read += at + len(text)
                return new[: at + len(text)]
            assert "Kernel panic" not in new, new[-2000:]
            assert self._process is not None
            assert self._process.poll() is None, "QEMU ended"
            assert time.monotonic() < deadline, f"{text!r} did not come within {within_s:.0f} s:\n{new[-3000:]}"
            time.sleep(0.2)

    def ssh(self, key: Path, command: str, *, stdin: str = "", limit_s: float = 300) -> str:
        """What a command of ada's says inside; waits until ssh answers."""
        options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "ConnectTimeout=60"]
        full = ["ssh", "-i", str(key), "-p", str(self.ssh_port), *(f"-o{o}" for o in options), "ada@127.0.0.1"]
        deadline = time.monotonic() + 1200
        while True:
            arguments = [*full, command]
            done = subprocess.run(arguments, input=stdin, capture_output=True, text=True, timeout=limit_s, check=False)
            if done.returncode != 255:
                return done.stdout + done.stderr
            assert time.monotonic() < deadline, done.stderr
            time.sleep(1)

    def ssh_answers(self) -> bool:
        """Whether there is a banner of an ssh server."""
        with socket.create_connection(("127.0.0.1", self.ssh_port), 10) as connection:
            connection.settimeout(10)
            try:
                return connection.recv(8).startswith(b"SSH-")
            except OSError:
                return False

    def put(self, name: str, text: str) -> None:
        """Write a file to the FAT partition, as a user does whose computer holds the card; it is off."""
        assert self._process is None, "it is on"
        subprocess.run(
            ["mcopy", "-o", "-i", f"{self.card}@@{self._fat[0]}", "-", f"::{name}"], input=text.encode(), check=True
        )

    def get(self, name: str) -> str | None:
        """A file of the FAT partition, None where there is none."""
        source = ["-i", f"{self.card}@@{self._fat[0]}", f"::{name}"]
        done = subprocess.run(["mtype", *source], capture_output=True, check=False)
        return done.stdout.decode() if done.returncode == 0 else None

    def damage(self) -> str:
        """What fsck finds on both partitions, once the journal was replayed as a start would do; "" for nothing.

        That the FAT partition was not unmounted is no damage.
        """
        assert self._process is None, "it is on"
        layout = json.loads(subprocess.check_output([tool("sfdisk"), "--json", self.card]))["partitiontable"]
        failures = []
        for number, checks in enumerate((("fsck.fat -n",), ("e2fsck -p", "e2fsck -fn"))):
            part = layout["partitions"][number]
            copy = self._folder / f"part{number}"
            where = f"skip={part['start'] * 512} count={part['size'] * 512} iflag=skip_bytes,count_bytes"
            cut = f"bs=1M {where} conv=sparse status=none"
            subprocess.run(["dd", f"if={self.card}", f"of={copy}", *cut.split()], check=True)
            for check in checks:
                name, *options = check.split()
                done = subprocess.run([tool(name), *options, copy], capture_output=True, text=True, check=False)
                said = done.stdout + done.stderr
                replayed = check == "e2fsck -p" and done.returncode == 1 and "FIXED" not in said
                mounted = name == "fsck.fat" and all(map(_HARMLESS.fullmatch, said.splitlines()))
                if done.returncode != 0 and not replayed and not mounted:
                    failures.append(f"{check}: status {done.returncode}\n{said}")
            copy.unlink()
        return "".join(failures)

    def photograph(self, path: Path) -> None:
        """The screen as a PNG."""
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.connect(str(self._monitor))
            monitor.sendall(f"screendump {path} -f png\n".encode())
            deadline = time.monotonic() + 30
            while not (path.exists() and path.read_bytes().endswith(b"IEND\xaeB`\x82")):
                assert time.monotonic() < deadline
                time.sleep(0.1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cut_power()

    def _keep_log(self) -> None:
        """QEMU begins its file anew at each start: what it has is appended to ours."""
        now = self._folder / "serial.now"
        if now.exists():
            with self._log.open("ab") as log:
                have = getattr(self, "_have", 0)
                content = now.read_bytes()
                log.write(content[have:])
                self._have = len(content)
            if self._process is None:
                now.unlink()
                self._have = 0


def from_card(name: str, to: Path) -> None:
    """Copy a folder of the image, with owners and rights: as one in the folder `to`; `/` as `to` itself."""
    to.mkdir(exist_ok=True)
    layout = json.loads(subprocess.check_output([tool("sfdisk"), "--json", CACHE / "card.img"]))["partitiontable"]
    start, size = (layout["partitions"][1][key] * 512 for key in ("start", "size"))
    part = to.with_name(f"{to.name}.part")
    cut = f"bs=1M skip={start} count={size} iflag=skip_bytes,count_bytes conv=sparse status=none"
    subprocess.run(["dd", f"if={CACHE / 'card.img'}", f"of={part}", *cut.split()], check=True)
    subprocess.run([tool("debugfs"), "-R", f"rdump {name} {to}", part], check=True, capture_output=True)
    part.unlink()


def tool(name: str) -> str:
    """A program that may lie where only root looks."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    assert path is not None, f"no {name}"
    return path
