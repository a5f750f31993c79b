"""What a collector has done with the records of a site, and how far it is now; and that as Prometheus reads it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from blikk_edge.fleet.centre.rows import KINDS
from blikk_edge.fleet.stream_info import Waiting
from blikk_edge.runtime.probe import Histogram
from blikk_edge.web.prometheus import build_info, counter, gauge, histogram

if TYPE_CHECKING:
    from prometheus_client import Metric

BATCH_BOUNDS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


@dataclass
class SiteFigures:
    """What is counted while the records of a site are collected.

    Attributes:
        stored: Records that were committed, by kind; one that came twice counts twice.
        refused: Messages that are no records, and are kept in `refused`.
        stale: Records that were marked as those of an older lease.
        retries: How often it had to begin anew, as NATS or the database was away.
        batch: From when a batch was taken until it was acknowledged.
        last_at: When the last one was, by the clock that cannot be set (monotonic seconds); None: never.
    """

    stored: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    stale: int = 0
    retries: int = 0
    batch: Histogram = field(default_factory=lambda: Histogram(BATCH_BOUNDS_S))
    last_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteNote:
    """How the collection of one site is doing now.

    Attributes:
        site: The site.
        figures: What was counted.
        nats_connected: Whether there is a connection to NATS; None before it is asked for, as the tables come first.
        database_connected: Whether there is one to the database; None while NATS is away: it is not asked for then.
        problem: Whether something is wrong.
        waiting: What waits in the stream of the site; None where NATS does not say.
        stored_age_s: Since the last batch was stored; None: none was.
    """

    site: str
    figures: SiteFigures
    nats_connected: bool | None
    database_connected: bool | None
    problem: bool
    waiting: Waiting | None
    stored_age_s: float | None


def collector_families(notes: Sequence[SiteNote]) -> Iterator["Metric"]:
    """All of it, as Prometheus reads it."""
    site = ("site",)
    yield build_info("collect")
    yield counter(
        "collect_records",
        "Records that were committed.",
        ("site", "kind"),
        (((each.site, kind), each.figures.stored[kind]) for each in notes for kind in KINDS),
    )
    yield counter(
        "collect_refused",
        "Messages that are no records, and are kept in the table `refused`.",
        site,
        (((each.site,), each.figures.refused) for each in notes),
    )
    yield counter(
        "collect_stale",
        "Records that were marked as those of an older lease.",
        site,
        (((each.site,), each.figures.stale) for each in notes),
    )
    yield counter(
        "collect_retries",
        "How often it began anew, as NATS or the database was away.",
        site,
        (((each.site,), each.figures.retries) for each in notes),
    )
    yield histogram(
        "collect_batch_seconds",
        "From when a batch of records was taken until it was acknowledged.",
        site,
        (((each.site,), each.figures.batch.read()) for each in notes),
    )
    yield gauge(
        "collect_waiting",
        "Records in the stream of the site that are not stored yet.",
        site,
        (((each.site,), each.waiting.records if each.waiting else None) for each in notes),
    )
    yield gauge(
        "collect_waiting_bytes",
        "What they take.",
        site,
        (((each.site,), each.waiting.size_bytes if each.waiting else None) for each in notes),
    )
    yield gauge(
        "collect_stream_max_bytes",
        "What the stream of the site takes at most.",
        site,
        (((each.site,), each.waiting.max_bytes if each.waiting else None) for each in notes),
    )
    yield gauge(
        "collect_oldest_seconds",
        "For how long the oldest of them has been in the stream; 0 where none waits.",
        site,
        (((each.site,), (each.waiting.oldest_s or 0.0) if each.waiting else None) for each in notes),
    )
    yield gauge(
        "collect_last_stored_age_seconds",
        "Since the last batch was stored.",
        site,
        (((each.site,), each.stored_age_s) for each in notes),
    )
    yield gauge(
        "collect_nats_connected",
        "Whether there is a connection to the NATS of the site.",
        site,
        (((each.site,), each.nats_connected) for each in notes),
    )
    yield gauge(
        "collect_database_connected",
        "Whether there is a connection to the database for the site.",
        site,
        (((each.site,), each.database_connected) for each in notes),
    )
    yield gauge(
        "collect_problem",
        "Whether something is wrong with the site's collection.",
        site,
        (((each.site,), each.problem) for each in notes),
    )
