"""A real PostgreSQL for tests: on a free loopback port, killed and started again at will.

It refuses to run as root: there it is the user `postgres`, which Debian's package makes, in a folder of its own.
"""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final, Self

import psutil
import pytest
from broker import Certificates, accepts, make_certificates
from patience import PATIENCE
from ports import free_port

START_S: Final = 120.0
PASSWORD: Final = "sesame-open"


class PostgresServer:
    """One cluster; the user `postgres` may do everything, with PASSWORD. It speaks TLS where it is asked to.

    It is Debian's, or the one whose programs are in `programs`, without TLS then.
    """

    def __init__(self, programs: Path | None = None) -> None:
        binaries = sorted((programs or Path("/usr/lib/postgresql")).glob("postgres" if programs else "*/bin/postgres"))
        if not binaries:
            pytest.skip("no postgresql; scripts/test installs it")
        self._bin = binaries[-1].parent
        self._tls = programs is None
        self._as = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
        self.folder = Path(tempfile.mkdtemp(prefix="blikk-postgres-"))
        self.port = free_port()
        self.certificates: Certificates = make_certificates(self.folder)
        (self.folder / "password").write_text(PASSWORD)
        if self._as:
            for path in (self.folder, *self.folder.iterdir()):
                shutil.chown(path, "postgres", "postgres")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its first process, whose children are the others."""
        assert self._process is not None
        return self._process.pid

    def make(self) -> None:
        """The files of the cluster."""
        self._run("initdb", "-N", "-E", "UTF8", "--no-locale", "-U", "postgres", "-A", "scram-sha-256",
                  "--pwfile", str(self.folder / "password"), "-D", str(self.folder / "data"))  # fmt: skip

    def start(self) -> None:
        """Start on the same port as before and wait until it accepts connections."""
        if self._process is not None:
            return
        given = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": 20,
            "shared_buffers": "16MB",
        }
        if self._tls:
            given |= {"ssl": "on", "ssl_cert_file": self.certificates.server}
            given["ssl_key_file"] = self.certificates.server_key
        command = [str(self._bin / "postgres"), "-D", str(self.folder / "data")]
        command += [part for name, value in given.items() for part in ("-c", f"{name}={value}")]
        deadline = time.monotonic() + START_S
        while True:  # after a kill the memory of the one before may still be there for a moment
            with (self.folder / "log").open("ab") as log:
                self._process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder, **self._as
                )
            while self._process.poll() is None and time.monotonic() < deadline:
                if accepts(self.port) and b"ready to accept connections" in self._said():
                    return
                time.sleep(0.02)
            if time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"postgres did not start:\n{(self.folder / 'log').read_text()}")
            time.sleep(0.05)

    def kill(self) -> None:
        """As a power cut would: all of its processes at once."""
        if self._process is None:
            return
        every = [psutil.Process(self._process.pid)] if self._process.poll() is None else []
        every += [child for process in every for child in process.children(recursive=True)]
        for process in every:
            process.kill()
        self._process.wait(timeout=10 * PATIENCE)
        deadline = time.monotonic() + START_S
        while any(_runs(process) for process in every) and time.monotonic() < deadline:
            time.sleep(0.01)
        self._process = None

    def __enter__(self) -> Self:
        try:
            self.make()
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _said(self) -> bytes:
        """What it has said since it was started last."""
        return (self.folder / "log").read_bytes().rpartition(b"starting PostgreSQL")[2]

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._bin / program), *arguments]
        subprocess.run(command, check=True, capture_output=True, timeout=START_S, cwd=self.folder, **self._as)


def _runs(process: psutil.Process) -> bool:
    """Whether it is there, and no zombie that nobody has taken note of."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
