"""The figures of a node as Prometheus reads them. Pure; `prometheus_client` is imported when they are asked for."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from math import isinf
from typing import TYPE_CHECKING, Final, TypeAlias

from blikk_edge.core.errors import ConfigError
from blikk_edge.core.installing import pip_install
from blikk_edge.core.probe import CameraFigures, NodeFigures, NodeNote, Timing
from blikk_edge.core.status import CameraState, LlmPhase, LlmState

if TYPE_CHECKING:
    from prometheus_client import Metric
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

Labels: TypeAlias = tuple[str, ...]
Rows: TypeAlias = Iterable[tuple[Labels, float | None]]
"""The values of the labels, and what is measured; None is left out."""


def exposition(note: NodeNote, figures: NodeFigures, accept: str = "") -> tuple[bytes, str]:
    """The page that Prometheus reads, and its content type, of those that the header `Accept` allows.

    What is there now is on it, and nothing else: a camera that is gone leaves no series. Raises ConfigError where
    `prometheus_client` is not installed.
    """
    try:
        from prometheus_client import CollectorRegistry, ProcessCollector  # noqa: PLC0415  # 11 MB, if it is asked for
        from prometheus_client.exposition import choose_encoder  # noqa: PLC0415
    except ImportError:
        raise ConfigError(
            f"/metrics needs the package prometheus_client. Type: {pip_install('blikk-edge[metrics]')}"
        ) from None
    registry = CollectorRegistry()
    registry.register(_Collector(note, figures))
    ProcessCollector(registry=registry)
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


class _Collector:
    """What the library asks for the metrics."""

    def __init__(self, note: NodeNote, figures: NodeFigures) -> None:
        self._note = note
        self._figures = figures

    def describe(self) -> Iterator["Metric"]:
        """Nothing is measured twice: no name need be known before."""
        return iter(())

    def collect(self) -> Iterator["Metric"]:
        """All of them."""
        yield from _cameras(self._note.cameras)
        yield from _frames(self._figures.cameras)
        yield from _ways(self._note)
        yield from _sinks(self._note, self._figures)
        yield from _node(self._note)
        if self._note.llm is not None:
            yield from _llm(self._note.llm)


def _cameras(cameras: Sequence[CameraState]) -> Iterator["Metric"]:
    def of(read: Callable[[CameraState], float | None]) -> Rows:
        return (((state.camera,), read(state)) for state in cameras)

    camera = ("camera",)
    yield _gauge("camera_online", "Whether the camera's stream is there.", camera, of(lambda s: s.online))
    yield _gauge("camera_problem", "Whether something is wrong.", camera, of(lambda s: s.problem is not None))
    yield _gauge("camera_fps", "Frames per second that arrive.", camera, of(lambda s: s.fps))
    yield _gauge(
        "camera_last_frame_age_seconds", "Since the last frame came.", camera, of(lambda s: s.last_frame_age_s)
    )
    yield _gauge("camera_motion_score", "The newest motion score, 0 to 1.", camera, of(lambda s: s.score))
    yield _gauge("camera_threshold", "The motion score that counts as moving.", camera, of(lambda s: s.threshold))
    yield _gauge("camera_detect", "Whether detection is switched on.", camera, of(lambda s: s.detect))
    yield _counter("camera_restarts", "New starts of reader or pipeline.", camera, of(lambda s: s.restarts))
    yield _counter("camera_inferences", "Looks of the detector.", camera, of(lambda s: s.inferences))
    yield _counter(
        "step_skipped",
        "Frames that an added step was not given because it took too long.",
        ("camera", "stage"),
        (((s.camera, name if name == "search" else f"step.{name}"), n) for s in cameras for name, n in s.skipped),
    )


def _frames(cameras: Sequence[CameraFigures]) -> Iterator["Metric"]:
    reason = ("camera", "reason")
    yield _counter(
        "frames_captured", "Frames that came from the source.", ("camera",), (((c.camera,), c.frames) for c in cameras)
    )
    yield _counter(
        "frames",
        "Frames by what became of them.",
        reason,
        (((c.camera, str(outcome)), n) for c in cameras for outcome, n in c.outcomes.items()),
    )
    yield _counter(
        "frame_decisions",
        "Frames by why the detector was to look at them, or why not.",
        reason,
        (((c.camera, str(why)), n) for c in cameras for why, n in c.reasons.items()),
    )
    yield _histogram(
        "stage_seconds",
        "How long a stage takes with a frame.",
        ("camera", "stage"),
        (((c.camera, stage), timing) for c in cameras for stage, timing in c.stages.items()),
    )
    yield _counter(
        "stage_failures",
        "How often a stage could not do its work: `redact`, no Picture left; `detect`, the model failed.",
        ("camera", "stage"),
        (((c.camera, s), c.failures.get(s, 0)) for c in cameras for s in dict.fromkeys((*ALWAYS_TOLD, *c.failures))),
    )


ALWAYS_TOLD: Final = ("redact", "detect")
"""Their failures are reported as 0 before the first: an alert sees no increase from nothing to 1."""


def _ways(note: NodeNote) -> Iterator["Metric"]:
    yield _gauge(
        "lane_waiting",
        "Frames that wait for a vision worker.",
        ("camera",),
        (((lane.camera,), lane.waiting) for lane in note.lanes),
    )
    yield _gauge(
        "mailbox_waiting", "What waits for a sink.", ("sink",), (((b.consumer,), b.waiting) for b in note.mailboxes)
    )
    yield _counter(
        "mailbox_lost",
        "Records that found no room in the mailbox of a sink.",
        ("sink",),
        (((b.consumer,), b.lost) for b in note.mailboxes),
    )


def _sinks(note: NodeNote, figures: NodeFigures) -> Iterator["Metric"]:
    sink, sight = ("sink",), ("camera", "sink")
    yield _gauge("sink_up", "Whether nothing is wrong with it.", sink, (((s.name,), not s.problem) for s in note.sinks))
    yield _gauge(
        "sink_backlog", "Records that wait for it in the journal.", sink, (((s.name,), s.backlog) for s in note.sinks)
    )
    yield _histogram(
        "publish_seconds",
        "Until a sink has taken a batch of records.",
        sink,
        (((name,), timing) for name, timing in figures.publish.items()),
    )
    yield _histogram("journal_seconds", "Until a record is on disk.", (), (((), figures.journal),))
    yield _histogram(
        "first_sight_to_sink_seconds",
        "From the first frame that shows what a new event is about until a sink is given it.",
        sight,
        figures.to_sinks.items(),
    )
    yield _histogram(
        "first_sight_to_acknowledged_seconds",
        "From the first frame that shows what a new event is about until a sink has it.",
        sight,
        figures.to_acknowledgements.items(),
    )


def _node(note: NodeNote) -> Iterator["Metric"]:
    yield _counter("records_lost", "Records that some sink will never have.", (), (((), note.lost),))
    yield _gauge("records_unsaved", "Records that are in memory only.", (), (((), note.unsaved),))
    yield _gauge("problems", "What is wrong now, counted.", (), (((), len(note.problems)),))
    yield _gauge("temperature_celsius", "Of the machine.", (), (((), note.temperature_c),))


def _llm(llm: LlmState) -> Iterator["Metric"]:
    yield _gauge(
        "llm_phase",
        "1 for the phase that the language model is in.",
        ("reason",),
        (((str(phase),), llm.phase is phase) for phase in LlmPhase),
    )
    yield _gauge("llm_waiting", "Jobs that wait for it.", (), (((), llm.waiting),))
    yield _gauge("llm_calls_today", "Calls since midnight.", (), (((), llm.calls_today),))
    yield _gauge("llm_tokens_today", "Tokens since midnight.", (), (((), llm.tokens_today),))
    yield _gauge("llm_calls_left", "Calls until the day's limit.", (), (((), llm.calls_left),))
    yield _gauge("llm_tokens_left", "Tokens until the day's limit.", (), (((), llm.tokens_left),))
    yield _gauge("llm_cost_today", "In the currency of the prices.", (), (((), llm.cost_today),))


def _gauge(name: str, meaning: str, labels: Labels, rows: Rows) -> "Metric":
    from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415  # see exposition

    return _filled(GaugeMetricFamily(f"blikk_{name}", meaning, labels=labels), rows)


def _counter(name: str, meaning: str, labels: Labels, rows: Rows) -> "Metric":
    from prometheus_client.core import CounterMetricFamily  # noqa: PLC0415  # see exposition

    return _filled(CounterMetricFamily(f"blikk_{name}", meaning, labels=labels), rows)


def _filled(family: "GaugeMetricFamily | CounterMetricFamily", rows: Rows) -> "Metric":
    """The family with those rows that have a value."""
    for values, value in rows:
        if value is not None:
            family.add_metric(values, value)
    return family


def _histogram(name: str, meaning: str, labels: Labels, timings: Iterable[tuple[Labels, Timing]]) -> "Metric":
    from prometheus_client.core import HistogramMetricFamily  # noqa: PLC0415  # see exposition

    family = HistogramMetricFamily(f"blikk_{name}", meaning, labels=labels)
    for values, timing in timings:
        buckets = [("+Inf" if isinf(bound_s) else str(bound_s), count) for bound_s, count in timing.buckets]
        family.add_metric(values, buckets, timing.total_s)
    return family
