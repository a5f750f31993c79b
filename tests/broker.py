"""A real Mosquitto for tests: on a free loopback port, killed and started again at will.

with Broker(tmp_path) as broker:
    broker.kill()
    broker.start()  # the same port
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest
from patience import PATIENCE
from ports import free_port

START_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """A throw-away CA with a server certificate for 127.0.0.1 and localhost, and a client's."""

    ca: Path
    server: Path
    server_key: Path
    client: Path
    client_key: Path


class Broker:
    """One Mosquitto in `folder`. `password` is (user, password); with `tls` clients must show a certificate if
    `client_certificates`. `persistence` keeps retained messages over a restart; `extra` are further lines of the
    configuration.
    """

    host = "127.0.0.1"

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        password: tuple[str, str] | None = None,
        tls: Certificates | None = None,
        client_certificates: bool = False,
        persistence: bool = False,
        extra: Sequence[str] = (),
    ) -> None:
        self.folder = folder
        self.port = port or free_port()
        self.password = password
        self.tls = tls
        self.client_certificates = client_certificates
        self.persistence = persistence
        self.extra = tuple(extra)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """Everything Mosquitto said, over all starts."""
        return (self.folder / "mosquitto.log").read_text(errors="replace")

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start on the same port as before and wait until it accepts connections."""
        if self._process is not None:
            return
        binary = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
        if binary is None:
            pytest.skip("no mosquitto; scripts/test installs it")
        config = self._write_config()
        with (self.folder / "mosquitto.log").open("ab") as log:
            self._process = subprocess.Popen(
                [binary, "-c", str(config)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_S
        while not accepts(self.port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"mosquitto did not start:\n{self.log}")
            time.sleep(0.01)

    def kill(self) -> None:
        """As a power cut would: nothing is saved, no connection is closed politely."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Politely; with `persistence` the retained messages are saved."""
        self._end(signal.SIGTERM)

    def freeze(self) -> None:
        """Keep every connection open and answer nothing, until `thaw`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on after `freeze`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def restart(self) -> None:
        """Kill and start again on the same port."""
        self.kill()
        self.start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        self._process.send_signal(signal.SIGCONT)
        self._process.wait(timeout=10 * PATIENCE)
        self._process = None

    def _write_config(self) -> Path:
        lines = [f"listener {self.port} {self.host}", "log_type all", "connection_messages true"]
        if os.geteuid() == 0:
            # Mosquitto would give up root and then could not read its files in the test's folder.
            lines.append("user root")
        if self.password is None:
            lines.append("allow_anonymous true")
        else:
            lines += ["allow_anonymous false", f"password_file {self._password_file(*self.password)}"]
        if self.tls is not None:
            lines += [f"cafile {self.tls.ca}", f"certfile {self.tls.server}", f"keyfile {self.tls.server_key}"]
            lines.append(f"require_certificate {str(self.client_certificates).lower()}")
        lines.append(f"persistence {str(self.persistence).lower()}")
        if self.persistence:
            lines.append(f"persistence_location {self.folder}/")
        config = self.folder / "mosquitto.conf"
        config.write_text("\n".join([*lines, *self.extra]) + "\n")
        return config

    def _password_file(self, user: str, password: str) -> Path:
        path = self.folder / "passwords"
        path.write_text(f"{user}:{password}\n")
        path.chmod(0o600)
        subprocess.run(["mosquitto_passwd", "-U", str(path)], check=True, timeout=10 * PATIENCE)
        return path


def accepts(port: int) -> bool:
    """Whether somebody listens on this loopback port."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def make_certificates(folder: Path) -> Certificates:
    """New keys and certificates in `folder`, by openssl."""

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=30 * PATIENCE, cwd=folder)

    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    extensions = folder / "server.ext"
    extensions.write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    openssl("req", "-x509", *new_key, "-keyout", "ca.key", "-out", "ca.crt", "-days", "2", "-subj", "/CN=Test CA")
    for name, extra in (("server", ("-extfile", str(extensions))), ("client", ())):
        openssl("req", *new_key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        openssl(
            *("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"),
            *("-out", f"{name}.crt", "-days", "2", *extra),
        )
    return Certificates(
        ca=folder / "ca.crt",
        server=folder / "server.crt",
        server_key=folder / "server.key",
        client=folder / "client.crt",
        client_key=folder / "client.key",
    )


def make_expired(folder: Path) -> Certificates:
    """As `make_certificates`, but that the server's certificate was valid in January 2020 alone."""
    made = make_certificates(folder)
    (folder / "index.txt").touch()
    (folder / "ca.cnf").write_text(
        "[ca]\ndefault_ca = d\n[d]\ndatabase = index.txt\nnew_certs_dir = .\ndefault_md = sha256\nrand_serial = yes\n"
        "policy = p\n[p]\ncommonName = supplied\n"
    )
    signing = "ca -batch -config ca.cnf -cert ca.crt -keyfile ca.key -in server.csr -out server.crt -notext"
    limits = "-extfile server.ext -startdate 20200101000000Z -enddate 20200201000000Z"
    subprocess.run(
        ["openssl", *signing.split(), *limits.split()],
        check=True,
        capture_output=True,
        timeout=30,
        cwd=folder,
    )
    return made
