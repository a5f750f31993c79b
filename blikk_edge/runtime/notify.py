"""What a service says to systemd: ready, stopping, its status, and that it still works (sd_notify(3))."""

import contextlib
import os
import socket
from collections.abc import Mapping


class Notify:
    """Sends to the socket that NOTIFY_SOCKET names, a path or an abstract one (`@...`); without one it does nothing.

    `watchdog_s` is after how many seconds of silence systemd ends this process; None where it does not.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self.watchdog_s = _watchdog_s(environ) if address else None

    def send(self, *lines: str) -> None:
        """Send lines such as `READY=1`. Never waits: what systemd has no room for now is lost."""
        if not self._address:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.sendto("\n".join(lines).encode(errors="replace"), self._address)


def _watchdog_s(environ: Mapping[str, str]) -> float | None:
    if environ.get("WATCHDOG_PID", "") not in {"", str(os.getpid())}:
        return None
    try:
        limit_s = int(environ.get("WATCHDOG_USEC", "")) / 1e6
    except ValueError:
        return None
    return limit_s if limit_s > 0 else None
