"""What is reported, as it comes, for the pages that are open: a sink that loses what nobody takes in time."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Final

from blikk_edge.core.ports import Inbox, Item
from blikk_edge.core.status import CameraAvailability, CameraState, Health, Status
from blikk_edge.wire.envelope import Enveloped, enveloped, kind_of
from blikk_edge.wire.topics import Topics

WAITING_MAX: Final = 200
"""Messages that wait for a page; the oldest go first."""


class Reader:
    """What one page has yet to be sent."""

    def __init__(self) -> None:
        self._waiting: deque[Enveloped] = deque(maxlen=WAITING_MAX)
        self._arrived = asyncio.Event()

    def put(self, message: Enveloped) -> None:
        """Add a message; never waits."""
        self._waiting.append(message)
        self._arrived.set()

    async def messages(self) -> AsyncIterator[Enveloped]:
        """What comes, for ever."""
        while True:
            while self._waiting:
                yield self._waiting.popleft()
            self._arrived.clear()
            await self._arrived.wait()


class Feed:
    """Implements `core.ports.Sink`. Every page that opens is given the newest statuses first.

    Nothing is encoded while no page is open.
    """

    name = "pages"

    def __init__(self, topics: Topics) -> None:
        self._topics = topics
        self._readers: set[Reader] = set()
        self._statuses: dict[tuple[str, str], Status] = {}  # by what it is, and its camera

    async def run(self, inbox: Inbox[Item]) -> None:
        """Hand on what comes, until cancelled."""
        while True:
            item = await inbox.get()
            if isinstance(item, CameraState | CameraAvailability | Health):
                camera = "" if isinstance(item, Health) else item.camera
                self._statuses[type(item).__name__, camera] = item
            if kind_of(item) is None or not self._readers:
                continue
            message = enveloped(item, self._topics)
            for reader in self._readers:
                reader.put(message)

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        """A reader, while the context is open."""
        reader = Reader()
        for status in self._statuses.values():
            reader.put(enveloped(status, self._topics))
        self._readers.add(reader)
        try:
            yield reader
        finally:
            self._readers.discard(reader)
