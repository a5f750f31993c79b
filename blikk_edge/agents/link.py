"""The port to a node, wherever it runs."""

from concurrent.futures import Future
from typing import Protocol

from blikk_edge.agents.hub import Hub
from blikk_edge.core.commands import Command
from blikk_edge.core.inquiry import Reply, Request
from blikk_edge.core.status import CameraInfo, CameraState


class Link(Protocol):
    """A node whose records go to a hub from `start` to `close`."""

    @property
    def is_clip(self) -> bool:
        """Whether it reads a file, which ends."""
        ...

    @property
    def cameras(self) -> tuple[CameraInfo, ...]:
        """Its cameras; raises BlikkError where it does not run."""
        ...

    def start(self, reader: Hub) -> None:
        """Start or reach it, and have `reader` get what it reports; blocking. Raises BlikkError."""
        ...

    @property
    def whole_since(self) -> float:
        """From when on, seconds since 1970 UTC, all that there is to know comes by the hub; -inf: there is no more."""
        ...

    def now(self) -> float:
        """The time by which it goes, seconds since 1970 UTC."""
        ...

    def states(self) -> tuple[CameraState, ...]:
        """How each camera is doing now; raises BlikkError where it does not run."""
        ...

    def order(self, command: Command) -> None:
        """Give it a command; its effect comes later. Raises BlikkError where it does not run."""
        ...

    def ask(self, request: Request) -> "Future[Reply]":
        """The reply to a request. Raises BlikkError where it does not run."""
        ...

    def close(self) -> None:
        """End it, or leave it; blocking, and harmless when called again."""
        ...
