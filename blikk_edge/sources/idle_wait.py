"""Idle waits of a reader: what comes before the next frame that counts gathers in the socket and is read in one go.

Waking for every few packets, each time with cold caches, costs a fifth of what decoding does (480p at 15 fps).
"""

import time

# Awake so long before the next frame that counts can be there.
EARLY_S = 0.02
# Shorter ones save nothing.
SHORTEST_S = 0.02
# A stop is to be noticed within a second.
LONGEST_S = 0.95
# No more than this may gather: it is what Linux lets a connection hold at first, and who sends must not have to wait.
MOST_BYTES = 65536
# Over so long the byte rate is averaged.
RATE_S = 4.0


class IdleWait:
    """When and how long one reader may wait idle; all times of the machine, since what is saved is real work."""

    __slots__ = ("_bytes", "_bytes_per_s", "_since", "_worked_s")

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """A new connection begins."""
        self._bytes = 0
        self._bytes_per_s: float | None = None
        self._since = time.monotonic()
        self._worked_s = time.thread_time()

    def read(self, size: int) -> None:
        """So many bytes of the stream have been read."""
        self._bytes += size

    def take(self, until_due_s: float) -> None:
        """Wait until the next frame that counts is about to come, `until_due_s` from now, for at most `LONGEST_S`.

        Only for a reader that has read all there is. What it has worked since its last wait is taken to be what the
        frames in between will take.
        """
        worked_s, before_s = time.thread_time(), self._worked_s
        self._worked_s = worked_s
        wait_s = until_due_s - (worked_s - before_s) - EARLY_S
        if (rate := self._rate()) is not None:
            wait_s = min(wait_s, LONGEST_S, MOST_BYTES / rate)
            if wait_s > SHORTEST_S:
                # Waiting for an event instead would cost twice as much.
                time.sleep(wait_s)

    def _rate(self) -> float | None:
        """Bytes a second; None in the first seconds, in which a server may send what it has stored."""
        now = time.monotonic()
        if (passed_s := now - self._since) >= RATE_S:
            self._bytes_per_s = max(1.0, self._bytes / passed_s)
            self._bytes, self._since = 0, now
        return self._bytes_per_s
