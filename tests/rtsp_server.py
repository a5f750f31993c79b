"""A real RTSP server (GStreamer, run by the system's Python) that a test can start, kill and start again."""

import select
import signal
import subprocess
import time
from pathlib import Path
from typing import Self

import pytest
from patience import PATIENCE
from ports import free_port

SYSTEM_PYTHON = Path("/usr/bin/python3")
PROGRAM = Path(__file__).parent / "servers" / "rtsp.py"
NEEDS = "import gi; gi.require_version('GstRtspServer', '1.0'); gi.require_version('GstApp', '1.0')"


def require() -> None:
    """Skip the test where the Debian packages are absent."""
    if (
        not SYSTEM_PYTHON.exists()
        or subprocess.run([SYSTEM_PYTHON, "-c", NEEDS], capture_output=True, check=False).returncode
    ):
        pytest.skip("no RTSP server: apt install python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-{good,bad}")


class RtspServer:
    """Serves a clip in real time at `url`, each client from the clip's start, over and over unless `once`.

    `codec` is that of its video, `h264` or `h265`; with `sound` its AAC is served too. `transport` is both, tcp or udp.
    With `user` and `password` it asks for them (Basic, or `digest`); with `tls`, a file with certificate and key, it
    speaks RTSP over TLS. The port is kept over `kill` and `start`.
    """

    def __init__(
        self,
        clip: Path,
        *,
        once: bool = False,
        user: str | None = None,
        password: str | None = None,
        digest: bool = False,
        transport: str = "both",
        codec: str = "h264",
        sound: bool = False,
        tls: Path | None = None,
        port: int | None = None,
    ) -> None:
        require()
        self.port = port or free_port()
        self._user, self._password = user, password
        self._arguments = [str(clip), "--transport", transport, "--codec", codec]
        self._arguments += [*(["--once"] if once else []), *(["--sound"] if sound else [])]
        if user is not None and password is not None:
            self._arguments += ["--user", user, "--password", password, *(["--digest"] if digest else [])]
        if tls is not None:
            self._arguments += ["--tls", str(tls)]
        self._scheme = "rtsp" if tls is None else "rtsps"
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        """The address, with user and password where it asks for them."""
        return self.url_for(self._user, self._password)

    def url_for(self, user: str | None, password: str | None, path: str = "/cam") -> str:
        """The address with another user, password or path."""
        login = f"{user}:{password}@" if user is not None else ""
        return f"{self._scheme}://{login}127.0.0.1:{self.port}{path}"

    def start(self, timeout_s: float = 20.0) -> Self:
        """Start and wait until it listens."""
        assert self._process is None, "it runs already"
        self._process = subprocess.Popen(
            [SYSTEM_PYTHON, PROGRAM, *self._arguments, "--port", str(self.port)], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        deadline = time.monotonic() + timeout_s
        if not select.select([self._process.stdout], [], [], deadline - time.monotonic())[0]:
            self.kill()
            raise TimeoutError(f"{PROGRAM} did not start within {timeout_s} s")
        line = self._process.stdout.readline().split()
        if line[:1] != ["ready"]:
            self.kill()
            raise RuntimeError(f"{PROGRAM} did not start; see its messages above")
        self.port = int(line[1])
        return self

    def kill(self) -> None:
        """End at once, as a power cut would: no goodbye to clients."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10 * PATIENCE)
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    def pause(self) -> None:
        """Stand still, connections open, until `resume` or `kill`."""
        assert self._process is not None, "it does not run"
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Go on after `pause`."""
        assert self._process is not None, "it does not run"
        self._process.send_signal(signal.SIGCONT)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()
