"""What goes out to every sink and enricher, and the orders that come in; both safe from any thread."""

import asyncio
from collections.abc import Hashable, Sequence
from typing import Final

from blikk_edge.core.commands import Command
from blikk_edge.core.permit import Permit
from blikk_edge.core.picture import Picture
from blikk_edge.core.ports import Inbox, Item, Order
from blikk_edge.core.probe import MailboxNote
from blikk_edge.core.status import CameraAvailability, CameraState, Health
from blikk_edge.runtime.held import HeldItems
from blikk_edge.runtime.mailbox import Mailbox

MAILBOX_LIMIT: Final = 2000


class Outlets:
    """Hands every item to every consumer's mailbox. `deliver` is safe from any thread and never waits.

    With a `permit` records and Pictures go out of cameras only that are held (`runtime.held`).
    """

    def __init__(self, permit: Permit | None = None) -> None:
        self._held = None if permit is None else HeldItems(permit, self._put_all)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._boxes: list[Mailbox[Item]] = []
        self._names: tuple[str, ...] = ()

    def open(self, consumers: Sequence[str]) -> Sequence[Inbox[Item]]:
        """One mailbox for each consumer of these names, in the running loop."""
        self._loop = asyncio.get_running_loop()
        self._names = tuple(consumers)
        self._boxes = [Mailbox[Item](limit=MAILBOX_LIMIT, key=_replaces) for _ in consumers]
        return self._boxes

    def notes(self) -> tuple[MailboxNote, ...]:
        """How each consumer's mailbox stands now."""
        return tuple(
            MailboxNote(consumer=name, waiting=len(box), lost=box.lost)
            for name, box in zip(self._names, self._boxes, strict=True)
        )

    def deliver(self, item: Item) -> None:
        """Hand an item to all of them."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._put, item)

    def release(self) -> None:
        """Hand over what was kept back until it was known whether its camera is held; in the event loop."""
        if self._held is not None:
            self._held.release()

    def waiting(self) -> int:
        """Items that nobody has taken yet."""
        return sum(len(box) for box in self._boxes)

    def unwritten(self) -> int:
        """Items that the first consumer, which brings records to the journal, has not taken yet."""
        return len(self._boxes[0]) if self._boxes else 0

    def lost(self) -> int:
        """Records that found no room on their way to the first consumer, which brings them to the journal."""
        return self._boxes[0].lost if self._boxes else 0

    def _put(self, item: Item) -> None:
        if self._held is None:
            self._put_all(item)
        else:
            self._held.take(item)

    def _put_all(self, item: Item) -> None:
        for box in self._boxes:
            box.put(item)


class Orders:
    """Brings commands from outside to the node. `give` is safe from any thread and never waits."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._carry_out: Order | None = None

    def open(self, carry_out: Order) -> None:
        """From now on commands are carried out, in the running loop; those given earlier were dropped."""
        self._loop = asyncio.get_running_loop()
        self._carry_out = carry_out

    def give(self, command: Command) -> None:
        """Hand over a command."""
        if self._loop is not None and self._carry_out is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._carry_out, command)


def _replaces(item: Item) -> Hashable | None:
    """What a waiting item gives way to: newer states and Pictures of the same place; records to nothing."""
    match item:
        case CameraState() | CameraAvailability():
            return type(item).__name__, item.camera
        case Health():
            return "Health"
        case Picture():
            return "Picture", item.camera, item.name
        case _:
            return None
