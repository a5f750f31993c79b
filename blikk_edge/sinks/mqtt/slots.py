"""Turns for messages that wait for an acknowledgement: so many at once, in the order in which they asked."""

import asyncio
from collections import deque

import aiomqtt


class Slots:
    """`count` slots. `release` belongs to the acknowledgement: the message of a publisher that is cancelled stays
    under way.
    """

    def __init__(self, count: int, *, patience_s: float) -> None:
        self._free = count
        self._patience_s = patience_s
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._released = 0

    async def take(self) -> None:
        """Wait for a slot; raises MqttError where none at all came free within the patience."""
        if self._free and not self._waiting:
            self._free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            while not turn.done():
                before = self._released
                await asyncio.wait((turn,), timeout=self._patience_s)
                if not turn.done() and before == self._released:
                    raise aiomqtt.MqttError("no answer in time")
        except BaseException:
            if turn.done():
                self.release()
            else:
                self._waiting.remove(turn)
            raise

    def release(self) -> None:
        """A slot is free: the next who waits has it."""
        self._released += 1
        if self._waiting:
            self._waiting.popleft().set_result(None)
        else:
            self._free += 1
