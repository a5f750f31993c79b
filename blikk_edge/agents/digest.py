"""What was reported, in few words: for a language model, which is paid by the word."""

from collections.abc import Iterable, Sequence
from typing import Final

from blikk_edge.agents.times import written
from blikk_edge.core.observation import Event, Observation, Observed, Phase, Record, Ring, Sighting, Withdrawn
from blikk_edge.core.status import CameraState
from blikk_edge.core.summary import Answer, Summary

LINES: Final = 40
"""So many lines a digest has at most; the newest are kept."""

TEXT_MAX: Final = 200

_VERBS: Final = {
    Observed.MOTION: "motion",
    Observed.SCENE: "another view",
    Observed.APPEARED: "came",
    Observed.LEFT: "gone",
    Observed.ENTERED_ZONE: "enters",
    Observed.LEFT_ZONE: "leaves",
    Observed.LOITERING: "stays long",
    Observed.STILL: "stands still",
    Observed.MOVING: "moves again",
    Observed.RECOUNT: "now",
    Observed.MEASURE: "measured",
    Observed.ALERT: "alert",
    Observed.ALERT_ENDED: "alert over",
}


def digest(records: Sequence[Record], *, dropped: int = 0) -> str:
    """One line for each record, `2026-11-21T08:15:07+01:00 person came porch`, the newest `LINES`."""
    lines = [line(record) for record in records if not isinstance(record, Withdrawn)]
    left = len(lines) - LINES
    before = [f"({left} earlier left out)"] if left > 0 else []
    lost = [f"({dropped} lost: read too slowly)"] if dropped else []
    return "\n".join([*before, *lost, *lines[-LINES:]]) or "nothing"


def line(record: Record) -> str:
    """One record in a line."""
    match record:
        case Observation():
            return " ".join(_observed(record))
        case Event():
            return f"{written(record.time)} {record.label} {record.phase}{_event(record)}"
        case Ring():
            return f"{written(record.time)} doorbell rings"
        case Summary():
            return f"{written(record.time)} {f'{record.title}: {record.text}'[:TEXT_MAX]}"
        case Answer():
            return f"{written(record.time)} {record.question}: {record.answer[:TEXT_MAX]}"
        case Withdrawn():
            return ""


def present(state: CameraState) -> str:
    """Who and what is there now, in a line."""
    if not state.online:
        return f"{state.camera}: away ({state.problem})" if state.problem else f"{state.camera}: away"
    counts = [f"{count} {label}" for label, count in state.counts if count]
    parts = [", ".join(counts) or "nobody"]
    parts += [f"{zone}: {count}" for zone, count in state.zones if count]
    parts += [f"{m.name} {m.value:g}{m.unit or ''}{f' {m.alert}' if m.alert else ''}" for m in state.measures]
    parts += ["motion" if state.motion else "no motion", *([state.problem] if state.problem else [])]
    return f"{state.camera}: {'; '.join(parts)}"


def _observed(observation: Observation) -> Iterable[str]:
    yield written(observation.time)
    if observation.objects:
        yield _who(observation.objects)
    yield _VERBS[observation.kind]
    if observation.measures:
        yield ", ".join(
            f"{m.name} {m.value:g}{m.unit or ''}{f' {m.alert}' if m.alert else ''}" for m in observation.measures
        )
    if observation.zones:
        yield ", ".join(observation.zones)
    longest = max((one.dwell_s for one in observation.objects), default=0.0)
    if longest >= 1.0 and observation.kind is not Observed.APPEARED:
        yield f"{longest:.0f}s"
    if observation.folded > 1:
        yield f"x{observation.folded}"


def _who(objects: Sequence[Sighting]) -> str:
    counts: dict[str, int] = {}
    for one in objects:
        counts[one.label.value] = counts.get(one.label.value, 0) + 1
    return ", ".join(label if count == 1 else f"{count} {label}" for label, count in counts.items())


def _event(event: Event) -> str:
    peak = f", {event.peak} at once" if event.peak > 1 else ""
    zones = f", {', '.join(event.zones)}" if event.zones else ""
    lasted = f", {event.duration_s:.0f}s" if event.phase is Phase.ENDED else ""
    return f"{peak}{zones}{lasted}"
