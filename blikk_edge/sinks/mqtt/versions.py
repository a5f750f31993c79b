"""Which version of MQTT to speak next: 5, and 3.1.1 for a while where the broker does not speak it."""

from typing import Final

from blikk_edge.core.clock import Clock
from blikk_edge.core.errors import SinkError
from blikk_edge.sinks.mqtt.connection import Protocol
from blikk_edge.sinks.mqtt.refusal import SilentError, VersionRefusedError

REFUSED_S: Final = 600.0
"""So long 3.1.1 is spoken at once to a broker that has refused version 5 in words, or to a second log-in too."""

DOUBTED_S: Final = 60.0
"""The same where it only gave no answer in version 5: it may just have been starting."""

SILENCES: Final = 3
"""Tries in version 5 without an answer, before one in 3.1.1 is made."""


class Versions:
    """Remembers what one broker answered to.

    A broker that speaks no version 5 says so (reason 0x84, or 0x01 in the older form), or closes the connection and
    answers 3.1.1. No answer at all says nothing: the broker, or a proxy before it, may be starting.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._old_until: float | None = None
        self._try_old = False
        self._silences = 0
        self._spoke_v5 = False
        self.doubtful = False
        """Whether 3.1.1 is spoken to a broker that has not said that it speaks no version 5."""

    def choose(self) -> Protocol:
        """The version of the next connection."""
        if self._old_until is not None and self._clock.monotonic() >= self._old_until:
            self._old_until = None
        return Protocol.V311 if self._try_old or self._old_until is not None else Protocol.V5

    def failed(self, error: SinkError, spoken: Protocol) -> bool:
        """Whether the other version is worth trying at once."""
        self._try_old = False
        if spoken is Protocol.V311:
            if isinstance(error, VersionRefusedError | SilentError):
                self._old_until = None
            return False
        if isinstance(error, VersionRefusedError):
            self.refuses_v5()
            return True
        if not isinstance(error, SilentError):
            self._silences = 0
            return False
        self._silences += 1
        self._try_old = self._silences >= (1 if error.hung_up and not self._spoke_v5 else SILENCES)
        if self._try_old:
            self._silences = 0
            self.doubtful = True
        return self._try_old

    def came(self, spoken: Protocol) -> None:
        """A connection stands."""
        self._try_old = False
        if spoken is Protocol.V5:
            self._old_until, self._silences, self.doubtful, self._spoke_v5 = None, 0, False, True
        elif self.doubtful and self._old_until is None:
            self._old_until = self._clock.monotonic() + DOUBTED_S

    def refuses_v5(self) -> None:
        """The broker has said that it does not speak version 5."""
        self.doubtful = False
        self._spoke_v5 = False
        self._old_until = self._clock.monotonic() + REFUSED_S

    def speaks_v5(self) -> None:
        """It does: a second log-in was answered in version 5."""
        self.doubtful = False
        self._old_until = None
