"""A real NATS server with JetStream for tests, or a cluster of them: on free loopback ports, killed and started again.

with NatsServer(tmp_path) as server:
    server.kill()
    server.start()  # the same port, the same store
"""

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest
from broker import accepts
from patience import PATIENCE
from ports import free_port

START_S = 15.0


def nats_server_binary() -> str:
    """The program; skips the test where there is none."""
    beside = Path(sys.executable).with_name("nats-server")
    binary = str(beside) if beside.exists() else shutil.which("nats-server")
    if binary is None:
        pytest.skip("no nats-server; scripts/test installs it")
    return binary


class NatsServer:
    """One nats-server in `folder`, which must be its own. `extra` are further lines of its configuration.

    JetStream writes to disk at once: what it has acknowledged survives `kill`. `cluster` is its own port for the other
    servers, and theirs. `room` is what it promises to streams, by itself no more than the disk has.
    """

    def __init__(
        self,
        folder: Path,
        *,
        name: str = "one",
        cluster: tuple[int, Sequence[int]] | None = None,
        extra: Sequence[str] = (),
        jetstream: bool = True,
        room: str = "1TB",
    ) -> None:
        self.folder = folder
        self.name = name
        self.port = free_port()
        self.monitor = free_port()
        self._cluster = cluster
        self._extra = tuple(extra)
        self._jetstream = jetstream
        self._room = room
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address."""
        return f"nats://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start on the same port as before and wait until it accepts connections."""
        self.launch()
        deadline = time.monotonic() + START_S * PATIENCE
        while not accepts(self.port):
            if self._process is None or self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"nats-server did not start:\n{(self.folder / 'nats.log').read_text()}")
            time.sleep(0.01)

    def launch(self) -> None:
        """Start without waiting: a member of a cluster waits for the others."""
        if self._process is not None:
            return
        binary = nats_server_binary()
        lines = [
            f'server_name: "{self.name}"',
            f"listen: 127.0.0.1:{self.port}",
            f"http: 127.0.0.1:{self.monitor}",
        ]
        if self._jetstream:
            folder = self.folder / "jetstream"
            lines.append(f'jetstream {{store_dir: "{folder}", sync_interval: always, max_file_store: {self._room}}}')
        if self._cluster is not None:
            own, others = self._cluster
            routes = ", ".join(f"nats://127.0.0.1:{port}" for port in others)
            lines.append(f"cluster {{name: site, listen: 127.0.0.1:{own}, routes: [{routes}]}}")
        config = self.folder / "nats.conf"
        config.write_text("\n".join([*lines, *self._extra]) + "\n")
        with (self.folder / "nats.log").open("ab") as log:
            self._process = subprocess.Popen(
                [binary, "-c", str(config)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def pause(self) -> None:
        """As a machine does that hangs; `resume` ends it."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def reload(self) -> None:
        """Have it read its configuration again, which takes a moment."""
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    def kill(self) -> None:
        """As a power cut would."""
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):
                process.kill()
            process.wait(10 * PATIENCE)

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()


@contextmanager
def nats_cluster(folder: Path, *, count: int = 3, extra: Sequence[str] = ()) -> Iterator[list[NatsServer]]:
    """That many servers that are one cluster, each in a folder of its own."""
    ports = [free_port() for _ in range(count)]
    servers = []
    for place, port in enumerate(ports):
        own = folder / f"nats-{place}"
        own.mkdir(parents=True, exist_ok=True)
        others = [each for each in ports if each != port]
        servers.append(NatsServer(own, name=f"nats-{place}", cluster=(port, others), extra=extra))
    try:
        for server in servers:
            server.launch()
        for server in servers:
            server.start()
        yield servers
    finally:
        for server in servers:
            server.kill()
