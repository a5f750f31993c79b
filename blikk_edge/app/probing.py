"""Who is told what happens on the way from frame to sink, as the settings say."""

from typing import TYPE_CHECKING

from blikk_edge import __version__
from blikk_edge.config.settings import Settings
from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import BlikkError
from blikk_edge.core.probe import Probe
from blikk_edge.runtime.probes import Probes
from blikk_edge.runtime.scheduler import Supervisor

if TYPE_CHECKING:
    from blikk_edge.sinks.traces import Traces


def with_traces(
    settings: Settings, probe: Probe | None, supervisor: Supervisor, clock: Clock
) -> "tuple[Probe | None, Traces | None]":
    """This probe and, where the settings name a collector, traces; what cannot be had is a problem of the node."""
    if settings.traces is None:
        return probe, None
    from blikk_edge.sinks.traces import Traces  # noqa: PLC0415  # a node without them pays nothing

    try:
        traces = Traces(
            settings.traces,
            node=settings.node.id,
            version=__version__,
            cameras=tuple(camera.id for camera in settings.cameras),
            failed=lambda error: supervisor.fail(Traces.name, error),
            well=lambda: supervisor.well(Traces.name),
            now=clock.now,
        )
    except BlikkError as error:
        supervisor.fail(Traces.name, error)
        return probe, None
    return traces if probe is None else Probes((probe, traces)), traces
