"""Ids of Observations and Events: stable, sortable, the same in every replay."""

from datetime import UTC, datetime


class Ids:
    """Gives `<camera>-<UTC yyyymmddThhmmssmmm>-<n>`: the capture time, and a count that makes it unique in a run.

    Over restarts two ids can only be equal where both time and count are, which is how a replay gives the same ids.
    """

    def __init__(self, camera: str) -> None:
        self._camera = camera
        self._count = 0

    def next(self, time: float) -> str:
        """The next id, for a capture time in seconds since 1970 UTC."""
        self._count += 1
        whole_s, ms = divmod(round(time * 1000), 1000)
        moment = datetime.fromtimestamp(whole_s, UTC)
        return f"{self._camera}-{moment:%Y%m%dT%H%M%S}{ms:03d}-{self._count}"
