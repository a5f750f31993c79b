"""The options of the centre: where the records of all sites are kept, for how long, and from which sites they come."""

from dataclasses import dataclass, field

from blikk_edge.fleet.options import FleetOptions
from blikk_edge.sinks.postgres.kind import PostgresOptions

KEEP_S = 365 * 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteSource:
    """A site whose records are collected.

    Attributes:
        fleet: How its NATS is reached.
        domain: The JetStream domain of the site's servers, where they are a leaf node; None: they are asked directly.
        readers: The roles of the database that may read this site.
    """

    fleet: FleetOptions
    domain: str | None = None
    readers: tuple[str, ...] = ()

    @property
    def site(self) -> str:
        """Its name."""
        return self.fleet.site


@dataclass(frozen=True, slots=True, kw_only=True)
class CentreOptions:
    """What `blikk collect` does.

    Attributes:
        postgres: The database.
        sites: From which sites.
        readers: The roles of the database that may read every site.
        keep_s: For how long: whole months that are older go.
    """

    postgres: PostgresOptions
    sites: tuple[SiteSource, ...] = ()
    readers: tuple[str, ...] = ()
    keep_s: float = field(default=KEEP_S)
