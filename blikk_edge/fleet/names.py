"""What the parts of a site are called in NATS. All of a site has its name in it, so that an account may be bound to it.

Streams and buckets exist once per site; `site` is an id of a-z, 0-9 and _.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one site.

    Attributes:
        site: Its id.
    """

    site: str

    @property
    def cameras(self) -> str:
        """The key-value bucket with the cameras that were applied."""
        return f"blikk_{self.site}_cameras"

    @property
    def leases(self) -> str:
        """The key-value bucket with who watches which camera."""
        return f"blikk_{self.site}_leases"

    @property
    def members(self) -> str:
        """The key-value bucket with the heartbeats of nodes and workers."""
        return f"blikk_{self.site}_members"

    @property
    def records(self) -> str:
        """The stream of records on their way to the centre."""
        return f"blikk_{self.site}_records"

    @property
    def pictures(self) -> str:
        """The object store with redacted pictures."""
        return f"blikk_{self.site}_pictures"

    @property
    def jobs(self) -> str:
        """The stream of work for workers."""
        return f"blikk_{self.site}_jobs"

    def record(self, camera: str, kind: str) -> str:
        """The subject of records of one kind of one camera."""
        return f"blikk.{self.site}.record.{camera}.{kind}"

    def job(self, kind: str, priority: str) -> str:
        """The subject of work of one kind and priority."""
        return f"blikk.{self.site}.job.{kind}.{priority}"
