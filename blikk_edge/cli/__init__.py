"""The command line. It alone prints, besides the demo it starts; one file for each command."""

from blikk_edge.cli import stopping
from blikk_edge.core.core_dumps import forbid_core_dumps


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status, see `exits`.

    Changes this process: what SIGTERM and SIGINT do to it, and that it leaves no core dump.
    """
    # First of all: process 1 of a container is not ended by a signal that nobody handles.
    stopping.arm(arguments)
    forbid_core_dumps()
    from blikk_edge.cli.program import program

    return stopping.leave(program(arguments))
