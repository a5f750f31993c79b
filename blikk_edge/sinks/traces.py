"""Traces of events, from the frame to each sink, for an OpenTelemetry collector; `opentelemetry` is met here alone."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import BlikkError, ConfigError
from blikk_edge.core.installing import pip_install
from blikk_edge.core.loose_thread import LooseThread
from blikk_edge.core.observation import Event, Record
from blikk_edge.core.probe import FrameNote, Outcome, Span, Stage
from blikk_edge.sinks.traces_options import TracesOptions

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Tracer
    from requests import Response

GLANCED: Final = 64
"""So many frames of a camera may be on their way to a vision worker; a lane holds fifteen."""

REPORTED: Final = 64
"""So many revisions of events of a camera may be on their way to sinks; those of older ones are traced no further."""

EXPORT_S: Final = 10.0
"""How long the collector has to take a batch."""

LEFT_S: Final = 1.0
"""For what is left at a stop; a collector that is away does not hold up the node."""

SETTLE_S: Final = 0.02

Value = str | int | float | bool


class Traces:
    """Sends a trace of each revision of an Event that a frame brought; implements `core.probe.Probe`.

    Its spans are the stages of that frame, the journal, and each sink. They name the camera's id, the event's id, label
    and phase, stages and sinks; nothing else leaves. The library collects them in a thread of its own, in a queue that
    is bounded, and posts them in batches. `failed` is called when the collector refuses them, `well` when not.

    Raises ConfigError where `opentelemetry` is not installed.
    """

    name = "traces"

    def __init__(
        self,
        options: TracesOptions,
        *,
        node: str,
        version: str,
        cameras: Sequence[str],
        failed: Callable[[BlikkError], None],
        well: Callable[[], None],
        clock: Clock,
        stopwatch: Callable[[], float] = time.perf_counter,
    ) -> None:
        try:
            import requests  # noqa: PLC0415  # the exporter needs it
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415  # 12 MB
            from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
            from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
            from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
            from opentelemetry.sdk.trace.sampling import ALWAYS_ON  # noqa: PLC0415
        except ImportError:
            raise ConfigError(
                f"traces need the package opentelemetry. Type: {pip_install('blikk-edge[otel]')}"
            ) from None
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # what it says may quote the collector's answer
        self._clock = clock
        session = requests.Session()
        session.max_redirects = 0  # traces go nowhere but where the configuration says
        answered = _Answered()
        session.hooks["response"].append(answered)
        self._exporter: SpanExporter = OTLPSpanExporter(
            session=session,
            endpoint=options.url,
            headers={} if options.token is None else {"authorization": f"Bearer {options.token.reveal()}"},
            certificate_file=None if options.ca is None else str(options.ca),
            timeout=EXPORT_S,
        )
        self._provider = TracerProvider(
            sampler=ALWAYS_ON,
            resource=Resource({"service.name": "blikk", "service.version": version, "service.instance.id": node}),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(_told(self._exporter, options.url, answered, failed, well))
        )
        to_wall = _ToWall(stopwatch, clock.now)
        tracer = self._provider.get_tracer("blikk_edge", version)
        self._tracer = _SpanWriter(tracer, to_wall)
        self._cameras = {camera: CameraTraces(camera, self._tracer) for camera in cameras}
        self._to_wall = to_wall

    async def run(self) -> None:
        """Wait until cancelled, then send what is left, within LEFT_S."""
        try:
            await asyncio.Event().wait()
        finally:
            sending = LooseThread("blikk traces", self._provider.shutdown)  # a collector may let it wait for longer
            sending.start()
            deadline = self._clock.monotonic() + LEFT_S
            while sending.is_alive() and self._clock.monotonic() < deadline:
                await self._clock.sleep(SETTLE_S)
            if sending.is_alive():
                self._exporter.shutdown()  # it tries no more

    def camera(self, camera: str) -> "CameraTraces":
        """Who is notified of this camera's frames."""
        return self._cameras[camera]

    def journaled(self, record: Record, span: Span) -> None:
        """A record was written to the journal."""
        if (context := self._context(record)) is not None:
            self._tracer.write(Stage.JOURNAL, context, self._to_wall.span(span), {})

    def handed(self, sink: str, record: Record) -> None:
        """A sink has been given a record."""
        if (context := self._context(record)) is not None:
            now = self._to_wall.now()
            self._tracer.write("handed", context, (now, now), {"blikk.sink": sink})

    def acknowledged(self, sink: str, records: Sequence[Record], span: Span) -> None:
        """A durable sink has taken a batch of records."""
        for record in records:
            if (context := self._context(record)) is not None:
                self._tracer.write(Stage.PUBLISH, context, self._to_wall.span(span), {"blikk.sink": sink})

    def _context(self, record: Record) -> "Context | None":
        camera = self._cameras.get(record.camera) if isinstance(record, Event) else None
        return camera.context(record) if camera is not None and isinstance(record, Event) else None


class CameraTraces:
    """The frames of one camera that are on their way; implements `core.probe.CameraProbe`."""

    def __init__(self, camera: str, writer: "_SpanWriter") -> None:
        self._camera = camera
        self._writer = writer
        self._decode_s = 0.0
        self._glanced: dict[int, tuple[float, float, Span, Span]] = {}  # written by the reader, taken by the worker
        self._frame: tuple[float, list[tuple[str, Span]]] | None = None
        self._events: list[Context] = []
        self._reported: dict[tuple[str, int], Context] = {}

    def decoded(self, spent_s: float) -> None:
        """The pictures of the stream since the frame before took so long to decode."""
        self._decode_s = spent_s

    def glanced(self, note: FrameNote, gate: Span, select: Span) -> None:
        """The cheap half of the pipeline is done with a frame."""
        decode_s, self._decode_s = self._decode_s, 0.0
        if note.outcome is not Outcome.WAITING:
            return
        self._glanced[note.seq] = (note.time, decode_s, gate, select)
        if len(self._glanced) > GLANCED:
            self._glanced.pop(next(iter(tuple(self._glanced)), note.seq), None)

    def dropped(self, seq: int, outcome: Outcome) -> None:  # noqa: ARG002 - it will bring nothing, whyever
        """A frame that was passed on is dropped."""
        self._glanced.pop(seq, None)

    def taken(self, seq: int, at: float) -> None:
        """A vision worker begins to look at a frame."""
        self._frame, self._events = None, []
        if (glanced := self._glanced.pop(seq, None)) is None:
            return
        captured, decode_s, gate, select = glanced
        decode = [(str(Stage.DECODE), (gate[0] - decode_s, gate[0]))] if decode_s else []
        self._frame = (
            captured,
            [*decode, (Stage.GATE, gate), (Stage.SELECT, select), (Stage.WAIT, (select[1], max(at, select[1])))],
        )

    def spent(self, stage: str, span: Span) -> None:
        """A stage is done with the frame."""
        if self._frame is not None:
            self._frame[1].append((stage, span))
        for context in self._events:  # what follows a report, as redaction does
            self._writer.write(stage, context, self._writer.wall(span), {})

    def failed(self, stage: str) -> None:
        """A stage could not do its work with the frame: that is for metrics."""

    def reported(self, event: Event) -> None:
        """The frame has brought this revision of an Event."""
        if self._frame is None:
            return
        captured, spans = self._frame
        walls = [(stage, self._writer.wall(span)) for stage, span in spans]
        seen_at, gated_at = round(captured * 1e9), dict(walls)[Stage.GATE][0]
        began, ended = min(seen_at, walls[0][1][0]), max(end for _, (_, end) in walls)
        context = self._writer.write(
            f"event {event.phase}",
            None,
            (began, ended),
            {
                "blikk.camera": self._camera,
                "blikk.event": event.id,
                "blikk.label": str(event.label),
                "blikk.phase": str(event.phase),
                "blikk.revision": event.revision,
            },
        )
        self._writer.write("frame", context, (min(seen_at, gated_at), gated_at), {})
        for stage, wall in walls:
            self._writer.write(stage, context, wall, {})
        self._events.append(context)
        self._reported[event.id, event.revision] = context
        while len(self._reported) > REPORTED:
            del self._reported[next(iter(self._reported))]

    def done(self, seq: int, outcome: Outcome) -> None:  # noqa: ARG002 - what it brought is known already
        """The pipeline is done with a frame."""
        self._frame, self._events = None, []

    def context(self, event: Event) -> "Context | None":
        """The trace of this revision; None where no frame brought it, or too long ago."""
        return self._reported.get((event.id, event.revision))


class _ToWall:
    """Seconds of the stopwatch as nanoseconds since 1970 UTC, by the clock that gives capture times."""

    def __init__(self, stopwatch: Callable[[], float], now: Callable[[], float]) -> None:
        self._stopwatch = stopwatch
        self._now = now

    def now(self) -> int:
        return round(self._now() * 1e9)

    def span(self, span: Span) -> tuple[int, int]:
        ahead_s = self._now() - self._stopwatch()
        return round((span[0] + ahead_s) * 1e9), round((span[1] + ahead_s) * 1e9)


class _SpanWriter:
    """Writes spans whose times are known."""

    def __init__(self, tracer: "Tracer", to_wall: _ToWall) -> None:
        self._tracer = tracer
        self.wall = to_wall.span

    def write(
        self, name: str, parent: "Context | None", wall: tuple[int, int], attributes: Mapping[str, Value]
    ) -> "Context":
        """Write one, and give what its children name as their parent; without a `parent` a new trace begins."""
        from opentelemetry.context import Context as Nobody  # noqa: PLC0415  # see Traces
        from opentelemetry.trace import set_span_in_context  # noqa: PLC0415

        span = self._tracer.start_span(
            str(name), context=parent if parent is not None else Nobody(), start_time=wall[0], attributes=attributes
        )
        span.end(end_time=max(wall))
        return set_span_in_context(span, Nobody())


class _Answered:
    """The status of the newest answer of the collector; None where there was none."""

    def __init__(self) -> None:
        self.status: int | None = None

    def __call__(self, answer: "Response", **_: object) -> None:
        self.status = answer.status_code


def _told(
    exporter: "SpanExporter",
    url: str,
    answered: _Answered,
    failed: Callable[[BlikkError], None],
    well: Callable[[], None],
) -> "SpanExporter":
    """An exporter that reports whether its batches were taken."""
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult  # noqa: PLC0415  # see Traces

    class Reporting(SpanExporter):
        def export(self, spans: Sequence["ReadableSpan"]) -> SpanExportResult:
            answered.status = None
            result = exporter.export(spans)
            if answered.status is not None and 300 <= answered.status < 400:  # the library takes it for a success
                failed(
                    BlikkError(f"{url} sends us elsewhere (HTTP {answered.status}); write the collector's own address")
                )
                return SpanExportResult.FAILURE
            if result is SpanExportResult.SUCCESS:
                well()
            else:
                failed(BlikkError(f"{url} takes no traces; those of events that were reported meanwhile are lost"))
            return result

        def shutdown(self) -> None:
            exporter.shutdown()

        def force_flush(self, timeout_millis: int = 30000) -> bool:
            return exporter.force_flush(timeout_millis)

    return Reporting()
