"""Who sees what happens on the way from frame to sink, as the settings say."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from blikk_edge import __version__
from blikk_edge.config.settings import Settings
from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import BlikkError
from blikk_edge.core.probe import Probe
from blikk_edge.runtime.scheduler import Supervisor

if TYPE_CHECKING:
    from blikk_edge.runtime.probe import NodeProbe
    from blikk_edge.sinks.traces import Traces


@dataclass(frozen=True, slots=True, kw_only=True)
class Probing:
    """The probes of a node.

    Attributes:
        probe: All of them as one; None where nobody wants to know.
        measured: The one that pages and metrics read; None without the HTTP server.
        traces: The one that sends traces; None where the settings name no collector.
    """

    probe: Probe | None = None
    measured: "NodeProbe | None" = None
    traces: "Traces | None" = None


def probing(settings: Settings, given: Probe | None, supervisor: Supervisor, clock: Clock) -> Probing:
    """The probes that the settings ask for, beside the `given` one."""
    measured = None
    if settings.http is not None:
        from blikk_edge.runtime.probe import NodeProbe  # noqa: PLC0415  # a node that nobody looks at pays nothing

        measured = NodeProbe({camera.id: camera.fps for camera in settings.cameras}, now=clock.now)
    traces = _traces(settings, supervisor, clock)
    probes: list[Probe] = [probe for probe in (given, measured, traces) if probe is not None]
    return Probing(probe=_one(probes), measured=measured, traces=traces)


def _one(probes: Sequence[Probe]) -> Probe | None:
    if len(probes) < 2:
        return probes[0] if probes else None
    from blikk_edge.runtime.probes import Probes  # noqa: PLC0415  # see probing

    return Probes(probes)


def _traces(settings: Settings, supervisor: Supervisor, clock: Clock) -> "Traces | None":
    """Traces, where the settings name a collector; what cannot be had is a problem of the node."""
    if settings.traces is None:
        return None
    from blikk_edge.sinks.traces import Traces  # noqa: PLC0415  # a node without them pays nothing

    try:
        return Traces(
            settings.traces,
            node=settings.node.id,
            version=__version__,
            cameras=tuple(camera.id for camera in settings.cameras),
            failed=lambda error: supervisor.fail(Traces.name, error),
            well=lambda: supervisor.well(Traces.name),
            clock=clock,
        )
    except BlikkError as error:
        supervisor.fail(Traces.name, error)
        return None
