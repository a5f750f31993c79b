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
        """The key-value bucket with the heartbeats of nodes."""
        return f"blikk_{self.site}_members"

    @property
    def records(self) -> str:
        """The stream of records on their way to the centre."""
        return f"blikk_{self.site}_records"

    @property
    def past(self) -> str:
        """The stream of what members saw, for the others."""
        return f"blikk_{self.site}_past"

    @property
    def pictures(self) -> str:
        """The object store with redacted pictures."""
        return f"blikk_{self.site}_pictures"

    @property
    def jobs(self) -> str:
        """The stream of work for workers."""
        return f"blikk_{self.site}_jobs"

    @property
    def workers(self) -> str:
        """The key-value bucket with the heartbeats of workers; those of nodes, which can own cameras, are elsewhere."""
        return f"blikk_{self.site}_workers"

    @property
    def budget(self) -> str:
        """The key-value bucket with what the site's language models have cost, a key for each day."""
        return f"blikk_{self.site}_budget"

    @property
    def wake(self) -> str:
        """The subject on which workers hear that there is a job."""
        return f"blikk.{self.site}.wake"

    def answer(self, node: str) -> str:
        """The subject below which a node gets the answers to its jobs."""
        return f"blikk.{self.site}.answer.{node}"

    def record(self, camera: str | None, kind: str) -> str:
        """The subject of records of one kind of one camera; of what is of the whole site where that is None."""
        return f"blikk.{self.site}.record.{camera or '_'}.{kind}"

    @property
    def every_record(self) -> str:
        """The subjects of all records."""
        return f"blikk.{self.site}.record.>"

    def of_past(self, kind: str, key: str) -> str:
        """The subject of one thing that members tell each other; `key` has no dots or spaces."""
        return f"blikk.{self.site}.past.{kind}.{key}"

    def job(self, kind: str, priority: str) -> str:
        """The subject of work of one kind and priority."""
        return f"blikk.{self.site}.job.{kind}.{priority}"
