"""The command line. It alone prints, besides the demo it starts; one file for each command."""

from blikk_edge.cli import stopping


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status, see `exits`. Changes what SIGTERM and SIGINT do to this process."""
    # First of all: process 1 of a container is not ended by a signal that nobody handles.
    stopping.arm(arguments)
    from blikk_edge.cli.program import program

    return program(arguments)
