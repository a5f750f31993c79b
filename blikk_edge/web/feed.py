"""What is reported, as it comes, for the pages that are open: a sink that loses what nobody takes in time."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Final

from blikk_edge.core.ports import Inbox, Item
from blikk_edge.core.status import CameraAvailability, CameraState, Health
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
    """Implements `core.ports.Sink`. Every page that opens is given the newest statuses first."""

    name = "pages"

    def __init__(self, topics: Topics) -> None:
        self._topics = topics
        self._readers: set[Reader] = set()
        self._statuses: dict[str, Enveloped] = {}

    async def run(self, inbox: Inbox[Item]) -> None:
        """Hand on what comes, until cancelled."""
        while True:
            item = await inbox.get()
            status = isinstance(item, CameraState | CameraAvailability | Health)
            if kind_of(item) is None or not (status or self._readers):
                continue
            message = enveloped(item, self._topics)
            if status:
                self._statuses[message.topic] = message
            for reader in self._readers:
                reader.put(message)

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        """A reader, while the context is open."""
        reader = Reader()
        for message in self._statuses.values():
            reader.put(message)
        self._readers.add(reader)
        try:
            yield reader
        finally:
            self._readers.discard(reader)
