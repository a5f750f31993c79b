"""What a worker has done since it started, and how it is doing now; and that as Prometheus reads it."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from blikk_edge.fleet.jobs import KIND, Urgency
from blikk_edge.fleet.site_budget import SiteLimits, Spent
from blikk_edge.llm.port import Completion
from blikk_edge.runtime.probe import Histogram
from blikk_edge.web.prometheus import build_info, counter, gauge, histogram

if TYPE_CHECKING:
    from prometheus_client import Metric

JOB_BOUNDS_S: Final = (0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0)


class Outcome(StrEnum):
    """What became of a job."""

    DONE = "done"
    REFUSED = "refused"  # there is no answer, and no other worker would have one
    BACK = "back"  # another worker is to do it
    UNWANTED = "unwanted"  # who asked has given up, or is gone
    DEAD = "dead"  # no worker could do it, or nobody could read it


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerNote:
    """How a worker is doing now.

    Attributes:
        site: The site that it works for.
        kind: Of the jobs that it does.
        connected: Whether there is a connection to NATS.
        model_up: Whether its model answers, as far as is known.
        running: Jobs that it does now.
        concurrency: The most that it does at once.
        problems: How much is wrong.
        limits: What the site may use in a day.
        spent: What the site has used today; None where NATS does not say.
        queued: Jobs of the site that wait or are being done, by queue; None where NATS does not say.
    """

    site: str
    kind: str
    connected: bool
    model_up: bool
    running: int
    concurrency: int
    problems: int
    limits: SiteLimits
    spent: Spent | None
    queued: Mapping[Urgency, int] | None


@dataclass
class WorkerFigures:
    """What is counted while a worker works.

    Attributes:
        jobs: By queue and outcome.
        seconds: How long a job took that was done, by queue.
        tokens_sent: What its model has read.
        tokens_written: What its model has written.
    """

    jobs: Counter[tuple[Urgency, Outcome]] = field(default_factory=Counter)
    seconds: Mapping[Urgency, Histogram] = field(
        default_factory=lambda: {queue: Histogram(JOB_BOUNDS_S) for queue in Urgency}
    )
    tokens_sent: int = 0
    tokens_written: int = 0

    @property
    def counts(self) -> Counter[str]:
        """How many jobs had each outcome."""
        found: Counter[str] = Counter()
        for (_, outcome), count in self.jobs.items():
            found[outcome] += count
        return found

    def spent(self, completion: Completion) -> None:
        """The model has read and written so much."""
        self.tokens_sent += completion.input_tokens
        self.tokens_written += completion.output_tokens


def queue_of(subject: str) -> Urgency:
    """The queue of a job, by its subject."""
    return Urgency(subject.rpartition(".")[2])


def worker_families(works: Sequence[tuple[WorkerNote, WorkerFigures]]) -> Iterator["Metric"]:
    """All of it, as Prometheus reads it; of each kind of work that a worker does."""

    def of(note: WorkerNote, *more: str) -> tuple[str, ...]:
        return (note.site, note.kind, *more)

    def now(name: str, meaning: str, value: Callable[[WorkerNote], float]) -> "Metric":
        return gauge(f"worker_{name}", meaning, ("site", "kind"), ((of(note), value(note)) for note, _ in works))

    yield build_info("worker")
    yield now("nats_connected", "Whether there is a connection to NATS.", lambda note: note.connected)
    yield now("model_up", "Whether its model answers, as far as is known.", lambda note: note.model_up)
    yield now("running", "Jobs that it does now.", lambda note: note.running)
    yield now("concurrency", "The most jobs that it does at once.", lambda note: note.concurrency)
    yield now("problems", "What is wrong now, counted.", lambda note: note.problems)
    yield counter(
        "worker_jobs",
        "Jobs by what became of them.",
        ("site", "kind", "queue", "outcome"),
        (
            (of(note, queue, what), figures.jobs[queue, what])
            for note, figures in works
            for queue in Urgency
            for what in Outcome
        ),
    )
    yield histogram(
        "worker_job_seconds",
        "From when a job was taken until it was answered.",
        ("site", "kind", "queue"),
        ((of(note, queue), each.read()) for note, figures in works for queue, each in figures.seconds.items()),
    )
    yield gauge(
        "worker_queue_jobs",
        "Jobs of the site that wait or are being done.",
        ("site", "kind", "queue"),
        ((of(note, queue), count) for note, _ in works for queue, count in (note.queued or {}).items()),
    )
    models = [(note, figures) for note, figures in works if note.kind == KIND]
    yield counter(
        "worker_tokens",
        "Tokens that the model has read (`sent`) and written.",
        ("site", "direction"),
        (
            ((note.site, direction), count)
            for note, figures in models
            for direction, count in (("sent", figures.tokens_sent), ("written", figures.tokens_written))
        ),
    )
    yield gauge(
        "worker_budget_limit",
        "What the site may use in a day (UTC), as this worker was told.",
        ("site", "limit"),
        (
            ((note.site, limit), value)
            for note, _ in models
            for limit, value in (("calls", note.limits.calls_per_day), ("tokens", note.limits.tokens_per_day))
        ),
    )
    yield gauge(
        "worker_budget_used",
        "What the site has used today (UTC), all workers together.",
        ("site", "limit"),
        (
            ((note.site, limit), value)
            for note, _ in models
            if note.spent is not None
            for limit, value in (("calls", note.spent.calls), ("tokens", note.spent.tokens))
        ),
    )
