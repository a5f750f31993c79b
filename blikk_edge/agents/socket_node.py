"""A node of this machine that has no broker: its history can be asked, what it reports cannot be heard."""

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from blikk_edge.agents.hub import Hub
from blikk_edge.core.commands import Command
from blikk_edge.core.errors import BlikkError, SinkError
from blikk_edge.core.inquiry import WAITING_MAX, ListEvents, Reply, Request
from blikk_edge.core.status import CameraInfo, CameraState
from blikk_edge.inputs.local_ask import ask_here
from blikk_edge.wire.reader import read_reply

DEAF = "this node has no broker, so what is there now cannot be heard: ask and search know what was reported"


class SocketNode:
    """Implements `agents.link.Link` for the node whose socket is at `path`."""

    is_clip = False
    reports = False
    whole_since = float("inf")

    def __init__(self, path: Path, cameras: Sequence[CameraInfo]) -> None:
        self.cameras = tuple(cameras)
        self._path = path
        self._askers: ThreadPoolExecutor | None = None

    def start(self, reader: Hub) -> None:  # noqa: ARG002 - it hears nothing
        """See whether it answers; raises SinkError."""
        self._askers = ThreadPoolExecutor(WAITING_MAX, "blikk ask")
        try:
            self.ask(ListEvents(limit=1)).result()
        except SinkError:
            self.close()
            raise

    def now(self) -> float:
        """This machine's time."""
        return time.time()

    def states(self) -> tuple[CameraState, ...]:
        """Not known."""
        raise BlikkError(DEAF)

    def order(self, command: Command) -> None:  # noqa: ARG002 - it takes none
        """Not possible."""
        raise BlikkError(DEAF)

    def ask(self, request: Request) -> "Future[Reply]":
        """The node's reply."""
        if self._askers is None:
            raise BlikkError("this stream is closed")
        return self._askers.submit(lambda: read_reply(asyncio.run(ask_here(self._path, request))))

    def close(self) -> None:
        """Ask no more."""
        if self._askers is not None:
            self._askers.shutdown(wait=False, cancel_futures=True)
            self._askers = None
