"""A sink's end of its mailbox, whose records a probe is notified of."""

from typing import Final, get_args

from blikk_edge.core.observation import Record
from blikk_edge.core.ports import Inbox, Item
from blikk_edge.core.probe import Probe

_RECORDS: Final = get_args(Record)


class WatchedInbox:
    """Hands on what `inbox` has for `sink`."""

    def __init__(self, inbox: Inbox[Item], sink: str, probe: Probe) -> None:
        self._inbox = inbox
        self._sink = sink
        self._probe = probe

    async def get(self) -> Item:
        """The next item; waits for one."""
        item = await self._inbox.get()
        if isinstance(item, _RECORDS):
            self._probe.handed(self._sink, item)
        return item
