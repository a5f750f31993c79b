"""The options of a worker."""

from dataclasses import dataclass, field
from typing import Final

from blikk_edge.fleet.site_budget import SiteLimits

CONCURRENCY: Final = 1
TIMEOUT_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOptions:
    """What a worker does.

    Attributes:
        id: Its name within the site.
        concurrency: Jobs at the same time.
        timeout_s: The longest call of its model.
        limits: What the site may use in a day, all workers together.
    """

    id: str
    concurrency: int = CONCURRENCY
    timeout_s: float = TIMEOUT_S
    limits: SiteLimits = field(default_factory=SiteLimits)
