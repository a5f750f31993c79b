"""Several probes as one."""

from collections.abc import Sequence

from blikk_edge.core.observation import Event, Record
from blikk_edge.core.probe import CameraProbe, FrameNote, Outcome, Probe, Span


class Probes:
    """Notifies each of `probes`; implements `core.probe.Probe`."""

    def __init__(self, probes: Sequence[Probe]) -> None:
        self._probes = tuple(probes)
        self._cameras: dict[str, _CameraProbes] = {}

    def camera(self, camera: str) -> CameraProbe:
        """Who is notified of this camera's frames."""
        if camera not in self._cameras:
            self._cameras[camera] = _CameraProbes([probe.camera(camera) for probe in self._probes])
        return self._cameras[camera]

    def journaled(self, record: Record, span: Span) -> None:
        """A record was written to the journal."""
        for probe in self._probes:
            probe.journaled(record, span)

    def handed(self, sink: str, record: Record) -> None:
        """A sink has been given a record."""
        for probe in self._probes:
            probe.handed(sink, record)

    def acknowledged(self, sink: str, records: Sequence[Record], span: Span) -> None:
        """A durable sink has taken a batch of records."""
        for probe in self._probes:
            probe.acknowledged(sink, records, span)


class _CameraProbes:
    def __init__(self, probes: Sequence[CameraProbe]) -> None:
        self._probes = tuple(probes)

    def decoded(self, spent_s: float) -> None:
        for probe in self._probes:
            probe.decoded(spent_s)

    def glanced(self, note: FrameNote, gate: Span, select: Span) -> None:
        for probe in self._probes:
            probe.glanced(note, gate, select)

    def dropped(self, seq: int, outcome: Outcome) -> None:
        for probe in self._probes:
            probe.dropped(seq, outcome)

    def taken(self, seq: int, at: float) -> None:
        for probe in self._probes:
            probe.taken(seq, at)

    def spent(self, stage: str, span: Span) -> None:
        for probe in self._probes:
            probe.spent(stage, span)

    def failed(self, stage: str) -> None:
        for probe in self._probes:
            probe.failed(stage)

    def reported(self, event: Event) -> None:
        for probe in self._probes:
            probe.reported(event)

    def done(self, seq: int, outcome: Outcome) -> None:
        for probe in self._probes:
            probe.done(seq, outcome)
