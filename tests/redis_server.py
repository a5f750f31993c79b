"""A real Redis for tests: on a free loopback port, killed and started again at will; what it takes is on its disk."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import pytest
from broker import Certificates, accepts
from patience import PATIENCE
from ports import free_port

START_S = 60.0


class RedisServer:
    """One redis-server in `folder`; `extra` are further lines of its configuration. With `tls` it speaks nothing else.

    It has the append-only file, written at once: what it has acknowledged survives `kill`.
    """

    def __init__(self, folder: Path, *, tls: Certificates | None = None, extra: Sequence[str] = ()) -> None:
        self.folder = folder
        self.port = free_port()
        self._tls = tls
        self._extra = tuple(extra)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start on the same port as before and wait until it accepts connections."""
        if self._process is not None:
            return
        binary = shutil.which("redis-server")
        if binary is None:
            pytest.skip("no redis-server; scripts/test installs it")
        lines = ["bind 127.0.0.1", f"dir {self.folder}", "appendonly yes", "appendfsync always", 'save ""']
        if self._tls is None:
            lines.append(f"port {self.port}")
        else:
            lines += ["port 0", f"tls-port {self.port}", f"tls-cert-file {self._tls.server}"]
            lines += [f"tls-key-file {self._tls.server_key}", f"tls-ca-cert-file {self._tls.ca}"]
            lines.append("tls-auth-clients no")
        config = self.folder / "redis.conf"
        config.write_text("\n".join([*lines, *self._extra]) + "\n")
        with (self.folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen([binary, str(config)], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + START_S
        while not accepts(self.port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"redis-server did not start:\n{(self.folder / 'redis.log').read_text()}")
            time.sleep(0.01)

    def kill(self) -> None:
        """As a power cut would."""
        if self._process is not None:
            os.kill(self._process.pid, signal.SIGKILL)
            self._process.wait(timeout=10 * PATIENCE)
            self._process = None

    @contextmanager
    def hung(self) -> Iterator[None]:
        """It answers nothing, and its connections stay."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
