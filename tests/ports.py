"""Free loopback ports that stay free: no other test takes one, in whatever process, nor does the kernel by chance."""

import os
import random
import socket
from itertools import chain
from typing import Final

# Below those that Linux gives to outgoing connections and to whoever asks for port 0 (32768 to 60999).
FIRST: Final = 20_000
LAST: Final = 31_999

_claims: list[socket.socket] = []


def free_port() -> int:
    """A TCP and UDP port on loopback that nobody has, and that no other call gives out while this process lives."""
    start = random.SystemRandom().randint(FIRST, LAST)
    for port in chain(range(start, LAST + 1), range(FIRST, start)):
        if _claim(port):
            return port
    raise RuntimeError(f"no free port from {FIRST} to {LAST}")


def _claim(port: int) -> bool:
    """Whether the port is ours from now on. The claim is an abstract socket: it goes with the process, however."""
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        claim.bind(f"\0blikk-test-port-{os.getuid()}-{port}")
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with socket.socket(socket.AF_INET, kind) as probe:
                probe.bind(("127.0.0.1", port))
    except OSError:
        claim.close()
        return False
    _claims.append(claim)
    return True
