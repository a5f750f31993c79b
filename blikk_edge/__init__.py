"""Blikk Edge: any camera as Home Assistant observations, faces blurred before a pixel leaves.

`Stream` and `AgentSink` are for programs that watch; they are imported when they are first asked for.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from blikk_edge.agents.agent_sink import AgentSink
    from blikk_edge.agents.stream import Stream

__version__ = "0.1.0"

__all__ = ["AgentSink", "Stream", "__version__"]


def __getattr__(name: str) -> object:
    """What is imported late (PEP 562)."""
    if name == "Stream":
        from blikk_edge.agents.stream import Stream  # noqa: PLC0415 - a node that runs does not need it

        return Stream
    if name == "AgentSink":
        from blikk_edge.agents.agent_sink import AgentSink  # noqa: PLC0415 - the same

        return AgentSink
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
